#include "dnsredir/server_sign.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "dnsredir/config/directives_dnssec.h"

static void on_work(uv_work_t *work)
{
    struct resign *resign = container_of(work, struct resign, work);

    resign->fresh = settings_sign(resign->settings, NULL);
}

static void on_done(uv_work_t *work, int status)
{
    struct resign *resign = container_of(work, struct resign, work);

    resign->busy = false;
    if (resign->stopped) {
        signatures_unref(&resign->fresh);
    } else {
        resign_adopt(resign, resign->fresh);
        log_info("zones_signed", "signatures=%zu", signatures_count(resign->current));
        resign->changed(resign->arg);
    }
    settings_release(resign->settings, resign->holders);
}

void resign_check(struct resign *resign, uv_loop_t *loop, struct settings *settings,
                  unsigned *holders)
{
    if (resign->busy || !signatures_due(resign->current, (uint32_t)clock_wall())) {
        return;
    }
    resign->busy = true;
    resign->stopped = false;
    resign->settings = settings;
    resign->holders = holders;
    ++*holders;
    CHECK(thread_queue_work(loop, &resign->work, on_work, on_done) == 0);
}

void resign_adopt(struct resign *resign, struct signatures *signatures)
{
    signatures_unref(&resign->current);
    resign->current = signatures;
    resign->stopped = true; /* the signatures being made are of former settings */
}

void resign_stop(struct resign *resign)
{
    resign->stopped = true;
}
