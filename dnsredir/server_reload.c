/*
 * server_reload - settings anew: parsed and signed on a thread, taken over on the control loop.
 */
#include "dnsredir/server_parts.h"

#include "base/check.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/thread.h"
#include "dnsredir/config/directives_dnssec.h"

static void reload_work(uv_work_t *work)
{
    struct server *s = container_of(work, struct server, work);
    if (settings_load(s->argc, s->argv, &s->errors, NULL, &s->loaded) == 0) {
        s->loaded_signatures = settings_sign(s->loaded, s->loaded_from);
    }
}

static void take_over(struct server *s)
{
    if (!settings_same_sockets(s->settings, s->loaded)) {
        log_warn("restart_needed", "reason=%s",
                 "listen, workers, tcp, admin, state, sandbox, takeover or log.queries changed");
    }
    server_adopt(s, s->loaded, s->loaded_signatures);
    config_report_taken(&s->reports, buf_span(&s->errors));
    s->loaded = NULL;
    s->loaded_signatures = NULL;
}

static void reload_done(uv_work_t *work, int status)
{
    struct server *s = container_of(work, struct server, work);

    s->reloading = false;
    signatures_unref(&s->loaded_from);
    if (s->stopping) {
        settings_free(&s->loaded);
        signatures_unref(&s->loaded_signatures);
        return;
    }
    if (s->loaded) {
        take_over(s);
    } else {
        config_report_refused(&s->reports, buf_span(&s->errors));
    }
    buf_fini(&s->errors);
    s->errors = BUF_INIT;
    notify("READY=1");
    if (s->reload_again) {
        server_reload(s);
    }
}

void server_reload(struct server *s)
{
    s->reload_again = s->reloading;
    if (!s->reloading) {
        s->reloading = true;
        s->loaded_from = signatures_ref(s->signing.current);
        notify_reloading();
        CHECK(thread_queue_work(&s->loop, &s->work, reload_work, reload_done) == 0);
    }
}
