#include "proxy/purge.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/scopes.h"
#include "proxy/client/route.h"
#include "proxy/client/shown.h"
#include "proxy/decision_json.h"
#include "proxy/explain_query.h"
#include "proxy/origin/target.h"
#include "proxy/status_parts.h"

#include <jansson.h>
#include <stdatomic.h>

#define UNFINISHED                                                                                 \
    "the store could not write it down: it is gone now, but may be found again after a restart; "  \
    "purge it again when the store works"
#define NOT_YET                                                                                    \
    "the store is still with the process whose place this one takes; nothing was purged: try "     \
    "again in a moment"
#define ENDING "the proxy is about to end; nothing was purged"
#define FULL                                                                                       \
    "1024 prefixes and hosts were purged already, and each is remembered: purge a shorter "        \
    "prefix, a host, or all, which takes the place of those inside it"

/* One that waits for its commit. */
struct purging {
    struct letter letter;
    struct loop *loop;
    struct purge_waiter *waiter; /* NULL: has left */
    json_t *json;
    atomic_int err;
};

static atomic_size_t under_way;

/* ---- answers ---- */

/* Takes over `root`. */
static int answer(json_t *root, int status, const char *error, struct buf *out)
{
    json_object_set_new(root, "error", error ? json_string(error) : json_null());
    status_write_json(root, out);
    return status;
}

static int refuse(struct span what, struct buf *out)
{
    status_write_json(json_pack("{s: o}", "error", text_json(what)), out);
    return 400;
}

static void log_purge(const char *what, const struct uri *uri, const struct purge_found *found)
{
    char shown[SHOWN_URL_MAX];
    char *end = uri ? shown_url(shown, uri, false) : shown;

    log_info("purge", "what=%s url=%.*s responses=%zu bytes=%llu", what, (int)(end - shown), shown,
             found->responses, (unsigned long long)found->bytes);
}

/* ---- a URL ---- */

/* The commit is over. */
static void on_durable(struct letter *letter)
{
    struct purging *purging = container_of(letter, struct purging, letter);
    struct purge_waiter *waiter = purging->waiter;
    int err = atomic_load(&purging->err);

    if (err) {
        log_error("purge_not_kept", "err=%s next=%s", err_text(err), UNFINISHED);
    }
    if (waiter) {
        waiter->purging = NULL;
        int status = answer(purging->json, err ? 503 : 200, err ? UNFINISHED : NULL, waiter->out);
        waiter->answer(waiter, status);
    } else {
        json_decref(purging->json);
    }
    free(purging);
}

/* Any thread. */
static void post_durable(void *arg, int err)
{
    struct purging *purging = arg;

    atomic_store(&purging->err, err);
    loop_post(purging->loop, &purging->letter);
    atomic_fetch_sub(&under_way, 1);
}

void purge_leave(struct purge_waiter *waiter)
{
    if (waiter->purging) {
        waiter->purging->waiter = NULL;
        waiter->purging = NULL;
    }
}

void purge_settle(struct server *server)
{
    if (atomic_load(&under_way) > 0 && cache_stores(server_cache(server))) {
        stores_flush(cache_stores(server_cache(server)));
    }
}

static json_t *found_json(const struct uri *uri, const struct purge_found *found)
{
    json_t *json = json_object();

    json_object_set_new(json, "program", json_string("larder-proxy"));
    json_object_set_new(json, "url", url_json(uri, false));
    json_object_set_new(json, "stored", json_boolean(found->responses > 0 || found->varies));
    json_object_set_new(json, "varies", json_boolean(found->varies));
    json_object_set_new(json, "responses", json_integer((json_int_t)found->responses));
    json_object_set_new(json, "bytes", json_integer((json_int_t)found->bytes));
    json_object_set_new(json, "fetches", json_integer((json_int_t)found->fetches));
    return json;
}

static int purge_url(const struct status_query *query, const struct route *route,
                     struct purge_waiter *waiter)
{
    struct purging *purging = xcalloc(1, sizeof(*purging));
    struct purge_found found;

    purging->letter.call = on_durable;
    purging->loop = server_loop(query->server);
    purging->waiter = waiter;
    atomic_fetch_add(&under_way, 1);
    int err = cache_purge(server_cache(query->server), &route->key, target_zone(route->site),
                          query->arena, &found, post_durable, purging);
    if (err) {
        atomic_fetch_sub(&under_way, 1);
        free(purging);
        return answer(json_object(), 503, NOT_YET, waiter->out);
    }
    purging->json = found_json(&route->uri, &found); /* the letter is read later, by this thread */
    waiter->purging = purging;
    log_purge("url", &route->uri, &found);
    return 0;
}

/* ---- scopes ---- */

static int purge_scope(const struct status_query *query, const char *what, const struct uri *uri,
                       struct span scope, struct buf *out)
{
    const struct purge_found none = {0};
    json_t *json = json_object();
    int err = cache_purge_scope(server_cache(query->server), scope);

    json_object_set_new(json, "program", json_string("larder-proxy"));
    json_object_set_new(json, "scope", json_string(what));
    json_object_set_new(json, "url", uri ? url_json(uri, false) : json_null());
    switch (err) {
    case 0:
        log_purge(what, uri, &none);
        return answer(json, 200, NULL, out);
    case ERR_BUSY:
        return answer(json, 503, NOT_YET, out);
    case ERR_TOO_LARGE:
        json_decref(json);
        return refuse(SPAN("the prefix is too long"), out);
    case ERR_FULL:
        return answer(json, 503, FULL, out);
    default:
        log_purge(what, uri, &none);
        return answer(json, 503, UNFINISHED, out);
    }
}

static int purge_host(const struct status_query *query, const struct route *route, struct buf *out)
{
    const struct uri *uri = &route->uri;

    if (!span_eq(uri->path, SPAN("/")) || uri->https || uri->port != 80) {
        return refuse(SPAN("that is no name of a host; expected one such as www.example.net"), out);
    }
    return purge_scope(query, "host", uri, scope_host(uri, query->arena), out);
}

static int purge_prefix(const struct status_query *query, const struct route *route,
                        struct buf *out)
{
    if (route->mirrored.site) {
        return refuse(SPAN("what a mirror keeps is not under its path alone: purge its URLs, or "
                           "the host of its origin"),
                      out);
    }
    struct span place = scope_place(&route->key, target_zone(route->site), query->arena);
    return purge_scope(query, "prefix", &route->uri, place, out);
}

/* ---- the question ---- */

enum purge_what { PURGE_URL, PURGE_PREFIX, PURGE_HOST };

/* What is asked for, as if it were for a URL. */
static struct span as_url(const struct status_query *query, enum purge_what *what)
{
    struct span rest = query->query;
    struct span value = span_cut(&rest, '&');
    struct span name = span_cut(&value, '=');

    *what = span_eq(name, SPAN("prefix")) ? PURGE_PREFIX
            : span_eq(name, SPAN("host")) ? PURGE_HOST
                                          : PURGE_URL;
    switch (*what) {
    case PURGE_PREFIX:
        return arena_printf(query->arena, "url=%.*s%s%.*s", SPAN_ARGS(value), rest.len ? "&" : "",
                            SPAN_ARGS(rest));
    case PURGE_HOST:
        return arena_printf(query->arena, "url=http://%.*s/", SPAN_ARGS(value));
    case PURGE_URL:
        break;
    }
    return query->query;
}

/* Which URL is meant, and under which key it is kept; or what is wrong with the question. */
static bool read_question(const struct status_query *query, struct span question,
                          struct route *route, struct span *what)
{
    struct explain_query asked;

    if (explain_query_parse(question, query->arena, &asked, what) != 0) {
        return false;
    }
    if (asked.request.method != METHOD_GET) {
        *what = SPAN("only what GET brings is stored: leave the method out");
        return false;
    }
    route_request(&(struct route_query){.request = &asked.request,
                                        .settings = server_settings(query->server),
                                        .now = loop_wall(server_loop(query->server)),
                                        .arena = query->arena},
                  route);
    route_strip(route, &asked.request);
    if (route->kind == ROUTE_CACHE || route->kind == ROUTE_UPGRADE ||
        route->reason == REASON_TARGET_PORT) { /* it may have been allowed before */
        return true;
    }
    *what = route->what                    ? span_str(route->what)
            : route->kind == ROUTE_REFUSED ? reason_text(route->reason)
                                           : SPAN("nothing is ever stored for that");
    return false;
}

int purge_begin(const struct status_query *query, struct purge_waiter *waiter)
{
    enum purge_what kind;
    struct route route;
    struct span what;

    if (server_is_draining(query->server)) {
        return answer(json_object(), 503, ENDING, waiter->out);
    }
    if (span_eq(query->query, SPAN("all=yes"))) {
        return purge_scope(query, "all", NULL, SPAN_EMPTY, waiter->out);
    }
    if (query->query.len == 0) {
        return refuse(SPAN("expected /purge?url=URL, prefix=URL, host=NAME or all=yes"),
                      waiter->out);
    }
    if (!read_question(query, as_url(query, &kind), &route, &what)) {
        return refuse(what, waiter->out);
    }
    switch (kind) {
    case PURGE_URL:
        return purge_url(query, &route, waiter);
    case PURGE_PREFIX:
        return purge_prefix(query, &route, waiter->out);
    case PURGE_HOST:
        return purge_host(query, &route, waiter->out);
    }
    UNREACHABLE();
}
