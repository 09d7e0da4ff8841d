#include "proxy/tls_set.h"

#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"

/* Protocols offered to clients, and to origins. */
enum { CLIENT_ALPN = BIT(ALPN_HTTP1) | BIT(ALPN_H2), ORIGIN_ALPN = CLIENT_ALPN };

struct tls_set {
    struct settings_part part;
    size_t listener_count, site_count;
    struct tls_context **listeners; /* as in settings->listen; NULL: plain */
    struct tls_context **sites;     /* by site_at(); NULL: the same as `origins` */
    struct tls_context *origins;    /* for all other origins */
};

static const struct tls_set *set_of(const struct settings *settings)
{
    return (const struct tls_set *)(const void *)settings->parts;
}

static void set_free(struct settings_part *part)
{
    struct tls_set *set = container_of(part, struct tls_set, part);

    for (size_t i = 0; i < set->listener_count; i++) {
        tls_context_unref(&set->listeners[i]);
    }
    for (size_t i = 0; i < set->site_count; i++) {
        tls_context_unref(&set->sites[i]);
    }
    tls_context_unref(&set->origins);
    free(set->listeners);
    free(set->sites);
    free(set);
}

static int make_listener(const struct listening *listening, const struct settings *before,
                         const struct tls_report *report, struct tls_context **out)
{
    const struct certificates *tls = &listening->tls;
    const char *address = listening->at.text; /* NULL: its absence is reported already */
    struct tls_files *files = xcalloc(tls->count, sizeof(*files));
    size_t count = 0;

    for (size_t i = 0; i < tls->count; i++) {
        if (tls->list[i].file && tls->list[i].key) { /* else its absence is reported already */
            files[count++] = (struct tls_files){tls->list[i].file, tls->list[i].key};
        }
    }
    struct tls_server_options options = {
        .identity = address ? address : "",
        .files = files,
        .count = count,
        .alpn = CLIENT_ALPN,
        .before = before && address ? tls_set_listener(before, address) : NULL,
    };
    int err = count ? tls_server_new(&options, report, out) : ERR_CONFIG;
    free(files);
    return err;
}

/* A TLS listener that only the next start changes keeps its context, even if its files are gone. */
static int keep_or_make_listener(const struct settings *settings, const struct listening *listening,
                                 const struct settings *before, const struct tls_report *report,
                                 struct tls_context **out)
{
    if (!listening->is_tls) {
        return 0;
    }
    if (listening->tls.count > 0) {
        return make_listener(listening, before, report, out);
    }
    if (settings->broken) {
        return ERR_CONFIG; /* its absence is reported already */
    }
    CHECK(before);
    *out = tls_context_ref(tls_set_listener(before, listening->at.text));
    return 0;
}

/* Checks the certificates of listeners that the files want and the next start will open, so that
 * errors are reported now. */
static int try_wanted(const struct settings *settings, const struct settings *before,
                      const struct tls_report *report)
{
    int err = 0;

    for (size_t i = 0; before && i < settings->wanted_count; i++) {
        const struct listening *listening = &settings->wanted[i];
        struct tls_context *context = NULL;
        if (listening->is_tls && !tls_set_listener(before, listening->at.text)) {
            int one = make_listener(listening, before, report, &context);
            tls_context_unref(&context);
            err = err ? err : one;
        }
    }
    return err;
}

/* The context for origins without TLS settings of their own. */
static int make_origins(const struct tls_set *before, const struct tls_report *report,
                        struct tls_context **out)
{
    struct tls_client_options options = {.verify = true, .alpn = ORIGIN_ALPN};

    if (before) {
        options.before = &before->origins;
        options.before_count = 1;
    }
    return tls_client_new(&options, report, out);
}

static bool same_terms(const struct site *a, const struct site *b)
{
    bool same_ca = a->ca && b->ca ? strcmp(a->ca, b->ca) == 0 : a->ca == b->ca;

    return same_ca && a->verify == b->verify;
}

/* Sites by index: those of `sites`, then those of mirrors. */
static const struct site *site_at(const struct settings *settings, size_t number)
{
    return number < settings->site_count ? &settings->sites[number]
                                         : &settings->mirrors[number - settings->site_count].site;
}

static size_t number_of(const struct settings *settings, const struct site *site)
{
    return site->mirror ? settings->site_count + (size_t)(site->mirror - settings->mirrors)
                        : (size_t)(site - settings->sites);
}

/* A context already made for a site with the same TLS settings; NULL: there is none. */
static struct tls_context *made_before(const struct settings *settings, const struct tls_set *set,
                                       size_t number)
{
    for (size_t i = 0; i < number; i++) {
        if (set->sites[i] && same_terms(site_at(settings, i), site_at(settings, number))) {
            return tls_context_ref(set->sites[i]);
        }
    }
    return NULL;
}

static int make_site(const struct site *site, const struct tls_set *before,
                     const struct tls_report *report, struct tls_context **out)
{
    struct tls_client_options options = {
        .ca = site->ca,
        .verify = site->verify,
        .alpn = ORIGIN_ALPN,
        .before = before ? before->sites : NULL,
        .before_count = before ? before->site_count : 0,
    };

    if (!site->verify && site->host_count && site->hosts[0]) {
        buf_printf(report->warnings,
                   "%s %s: \"verify: no\": anybody on the path can impersonate its origins\n",
                   site->mirror ? "mirror" : "site", site->hosts[0]);
    }
    bool has_terms = site->ca || !site->verify;
    return has_terms && *out == NULL ? tls_client_new(&options, report, out) : 0;
}

int tls_set_make(struct settings *settings, const struct settings *before,
                 const struct tls_report *report)
{
    struct tls_set *set = xcalloc(1, sizeof(*set));
    const struct tls_set *old = before ? set_of(before) : NULL;
    int err = make_origins(old, report, &set->origins);

    set->part.free = set_free;
    set->listener_count = settings->listen_count;
    set->listeners = xcalloc(settings->listen_count, sizeof(struct tls_context *));
    set->site_count = settings->site_count + settings->mirror_count;
    set->sites = xcalloc(set->site_count, sizeof(struct tls_context *));
    for (size_t i = 0; i < settings->listen_count; i++) {
        int one = keep_or_make_listener(settings, &settings->listen[i], before, report,
                                        &set->listeners[i]);
        err = err ? err : one;
    }
    int wanted = try_wanted(settings, before, report);
    err = err ? err : wanted;
    for (size_t i = 0; i < set->site_count; i++) {
        set->sites[i] = made_before(settings, set, i);
        int one = make_site(site_at(settings, i), old, report, &set->sites[i]);
        err = err ? err : one;
    }
    if (err) {
        set_free(&set->part);
        return err;
    }
    settings->parts = &set->part;
    return 0;
}

struct tls_context *tls_set_listener(const struct settings *settings, const char *address)
{
    const struct tls_set *set = set_of(settings);

    for (size_t i = 0; set && i < settings->listen_count; i++) {
        if (set->listeners[i] && strcmp(settings->listen[i].at.text, address) == 0) {
            return set->listeners[i];
        }
    }
    return NULL;
}

struct tls_context *tls_set_origins(const struct settings *settings, const struct site *site)
{
    const struct tls_set *set = set_of(settings);

    CHECK(set);
    struct tls_context *own = site ? set->sites[number_of(settings, site)] : NULL;
    return own ? own : set->origins;
}
