#include "proxy/origin/upstream_parts.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

enum { SESSIONS_MAX = 256 }; /* most TLS sessions kept for further connections */

static struct resolver_settings resolver_settings_of(const struct upstream_settings *settings)
{
    return (struct resolver_settings){
        .timeout_ms = settings->resolve_ms,
        .nameservers = settings->nameservers,
        .nameserver_count = settings->nameserver_count,
    };
}

static void take_settings(struct upstreams *upstreams, const struct upstream_settings *settings)
{
    upstreams->settings = *settings;
    upstreams->settings.nameservers = NULL;
    upstreams->settings.nameserver_count = 0;
    upstreams->settings.h1.times.idle_ms = settings->idle_ms;
    origins_configure(upstreams->origins, &upstreams->settings.h1, settings->idle_per_origin);
}

int upstreams_new(struct loop *loop, const struct upstream_settings *settings,
                  struct upstreams **out)
{
    struct resolver_settings names = resolver_settings_of(settings);
    struct upstreams *upstreams = xcalloc(1, sizeof(*upstreams));

    upstreams->loop = loop;
    list_init(&upstreams->jobs);
    failures_init(&upstreams->failures);
    choice_init(&upstreams->choice);
    upstreams->origins = origins_new(loop);
    upstreams->sessions = tls_sessions_new(SESSIONS_MAX);
    take_settings(upstreams, settings);
    int err = resolver_new(loop, &names, &upstreams->resolver);
    if (err) {
        upstreams_free(&upstreams);
    }
    *out = upstreams;
    return err;
}

void upstreams_reconfigure(struct upstreams *upstreams, const struct upstream_settings *settings)
{
    struct resolver_settings names = resolver_settings_of(settings);
    int err = resolver_reconfigure(upstreams->resolver, &names);

    if (err) {
        log_warn("nameservers_unchanged", "err=%s", err_text(err));
    }
    take_settings(upstreams, settings);
}

struct choice *upstreams_choice(struct upstreams *upstreams)
{
    return &upstreams->choice;
}

void upstreams_free(struct upstreams **upstreams)
{
    struct upstreams *u = *upstreams;

    if (u == NULL) {
        return;
    }
    *upstreams = NULL;
    while (!list_empty(&u->jobs)) {
        upstream_job_free(list_entry(u->jobs.next, struct upstream_job, link));
    }
    origins_free(&u->origins);
    tls_sessions_free(&u->sessions);
    resolver_free(&u->resolver);
    free(u);
}

bool upstreams_shed(struct upstreams *upstreams)
{
    return origins_shed(upstreams->origins);
}

void upstream_stats(const struct upstreams *upstreams, struct upstream_stats *out)
{
    struct resolver_stats names;

    resolver_stats(upstreams->resolver, &names);
    *out = (struct upstream_stats){
        .connects = upstreams->connects,
        .reuses = upstreams->reuses,
        .failures = upstreams->failed,
        .resolves = names.asked,
        .idle = origins_idle(upstreams->origins),
    };
}

/* ---- outcome of connections ---- */

bool upstream_refused(const struct stream *stream)
{
    return origins_refused(stream);
}

bool upstream_may_retry(const struct stream *stream)
{
    return origins_may_retry(stream);
}

void upstream_heard(struct upstreams *upstreams, const struct stream *stream)
{
    origins_heard(stream, loop_now_ms(upstreams->loop));
}

bool upstream_is_silent(const struct upstreams *upstreams, const struct stream *stream)
{
    uint64_t now = loop_now_ms(upstreams->loop);
    uint64_t waited = upstreams->settings.h1.times.first_byte_ms;

    return !origins_heard_since(stream, now > waited ? now - waited : 0);
}

bool upstream_shun(struct upstreams *upstreams, const struct stream *stream)
{
    struct ip address;
    uint16_t port;

    if (!origins_shun(stream, &address, &port)) {
        return false;
    }
    failures_add(&upstreams->failures, &address, port, loop_now_ms(upstreams->loop));
    return true;
}

bool upstream_untouched(const struct stream *stream)
{
    return origins_untouched(stream);
}
