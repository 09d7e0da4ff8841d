#include "dnsredir/server_sign.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "dnsredir/config/directives_dnssec.h"

static void on_work(uv_work_t *work)
{
    struct server_sign *signing = container_of(work, struct server_sign, work);

    signing->fresh = settings_sign(signing->settings, NULL);
}

static void on_done(uv_work_t *work, int status)
{
    struct server_sign *signing = container_of(work, struct server_sign, work);

    signing->busy = false;
    if (signing->stopped) {
        signatures_unref(&signing->fresh);
    } else {
        server_sign_adopt(signing, signing->fresh);
        log_info("zones_signed", "signatures=%zu", signatures_count(signing->current));
        signing->changed(signing->arg);
    }
    settings_release(signing->settings, signing->holders);
}

void server_sign_check(struct server_sign *signing, uv_loop_t *loop, struct settings *settings,
                       unsigned *holders)
{
    if (signing->busy || !signatures_due(signing->current, (uint32_t)clock_wall())) {
        return;
    }
    signing->busy = true;
    signing->stopped = false;
    signing->settings = settings;
    signing->holders = holders;
    ++*holders;
    CHECK(thread_queue_work(loop, &signing->work, on_work, on_done) == 0);
}

void server_sign_adopt(struct server_sign *signing, struct signatures *signatures)
{
    signatures_unref(&signing->current);
    signing->current = signatures;
    signing->stopped = true; /* the signatures being made are of former settings */
}

void server_sign_stop(struct server_sign *signing)
{
    signing->stopped = true;
}
