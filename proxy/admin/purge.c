#include "proxy/admin/purge.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/scopes.h"
#include "proxy/admin/decision_json.h"
#include "proxy/admin/explain_query.h"
#include "proxy/admin/status_parts.h"
#include "proxy/admin/url_routes.h"
#include "proxy/client/route.h"
#include "proxy/client/shown.h"
#include "proxy/origin/target.h"

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

/* A purge that waits for its commits. */
struct purging {
    struct letter letter;
    struct loop *loop;
    struct purge_waiter *waiter; /* NULL: the client has left */
    json_t *json;
    atomic_uint commits; /* commits still to come; plus one until all were ordered */
    atomic_int err;      /* the error of any commit */
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

/* All commits are done. */
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
static void commit_ends(void *arg, int err)
{
    struct purging *purging = arg;

    if (err) {
        atomic_store(&purging->err, err);
    }
    if (atomic_fetch_sub(&purging->commits, 1) == 1) {
        loop_post(purging->loop, &purging->letter);
        atomic_fetch_sub(&under_way, 1);
    }
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

/* May a response of this route be stored, now or under earlier rules? */
static bool is_kept(const struct route *route)
{
    return route->kind == ROUTE_CACHE || route->kind == ROUTE_UPGRADE ||
           route->reason == REASON_TARGET_PORT;
}

static bool next_place(struct url_routes *routes, struct route *route)
{
    while (url_routes_next(routes, route)) {
        if (is_kept(route)) {
            return true;
        }
    }
    return false;
}

/* The first place where a response may be stored; or why there is none. */
static bool first_place(struct url_routes *routes, struct route *route, struct span *what)
{
    if (!url_routes_next(routes, route)) {
        *what = SPAN(URL_ROUTES_NONE);
        return false;
    }
    *what = route->what                    ? span_str(route->what)
            : route->kind == ROUTE_REFUSED ? reason_text(route->reason)
                                           : SPAN("nothing is ever stored for that");
    return is_kept(route) || next_place(routes, route);
}

/* Sums over all places. */
struct purge_sum {
    struct purge_found found;
    json_t *mirrors; /* paths of the mirrors concerned */
};

static bool is_some(const struct purge_found *found)
{
    return found->responses > 0 || found->varies;
}

static json_t *found_json(const struct uri *uri, const struct purge_sum *sum)
{
    const struct purge_found *found = &sum->found;
    json_t *json = json_object();

    json_object_set_new(json, "program", json_string("larder-proxy"));
    json_object_set_new(json, "url", url_json(uri, false));
    json_object_set_new(json, "stored", json_boolean(is_some(found)));
    json_object_set_new(json, "varies", json_boolean(found->varies));
    json_object_set_new(json, "responses", json_integer((json_int_t)found->responses));
    json_object_set_new(json, "bytes", json_integer((json_int_t)found->bytes));
    json_object_set_new(json, "fetches", json_integer((json_int_t)found->fetches));
    json_object_set_new(json, "mirrors", sum->mirrors);
    return json;
}

static int purge_route(const struct status_query *query, const struct route *route,
                       struct purging *purging, struct purge_sum *sum)
{
    const struct mirror *mirror = route->mirrored.mirror;
    struct purge_found found;

    atomic_fetch_add(&purging->commits, 1);
    int err = cache_purge(server_cache(query->server), &route->key, target_zone(route->site),
                          query->arena, &found, commit_ends, purging);
    if (err) {
        atomic_fetch_sub(&purging->commits,
                         1); /* never the last one, because the count for ordering remains */
        return err;
    }
    sum->found.varies |= found.varies;
    sum->found.responses += found.responses;
    sum->found.bytes += found.bytes;
    sum->found.fetches += found.fetches;
    if (mirror && (is_some(&found) || found.fetches)) {
        json_array_append_new(sum->mirrors, text_json(mirror->path));
    }
    return 0;
}

/* `routes` continues after `route`. */
static int purge_url(const struct status_query *query, struct route *route,
                     struct url_routes *routes, struct purge_waiter *waiter)
{
    struct purging *purging = xcalloc(1, sizeof(*purging));
    struct purge_sum sum = {.mirrors = json_array()};
    struct uri uri = route->uri;

    purging->letter.call = on_durable;
    purging->loop = server_loop(query->server);
    purging->waiter = waiter;
    atomic_init(&purging->commits, 1);
    int err = purge_route(query, route, purging, &sum);
    if (err) {
        json_decref(sum.mirrors);
        free(purging);
        return answer(json_object(), 503, NOT_YET, waiter->out);
    }
    atomic_fetch_add(&under_way, 1);
    while (!err && next_place(routes, route)) {
        err = purge_route(query, route, purging, &sum);
    }
    log_purge("url", &uri, &sum.found);
    /* set in time, as the letter is handled later by this thread */
    purging->json = found_json(&uri, &sum);
    waiter->purging = purging;
    commit_ends(purging, err);
    return 0;
}

/* ---- scopes ---- */

/* Completes `json`, which is taken over, and answers. */
static int answer_scope(int err, json_t *json, struct buf *out)
{
    switch (err) {
    case 0:
        return answer(json, 200, NULL, out);
    case ERR_BUSY:
        return answer(json, 503, NOT_YET, out);
    case ERR_TOO_LARGE:
        json_decref(json);
        return refuse(SPAN("the prefix is too long"), out);
    case ERR_FULL:
        return answer(json, 503, FULL, out);
    default:
        return answer(json, 503, UNFINISHED, out);
    }
}

static json_t *scope_json(const char *what, const struct uri *uri)
{
    json_t *json = json_object();

    json_object_set_new(json, "program", json_string("larder-proxy"));
    json_object_set_new(json, "scope", json_string(what));
    json_object_set_new(json, "url", uri ? url_json(uri, false) : json_null());
    return json;
}

/* Scopes that could not be made durable are purged all the same; the answer says so. */
static int purge_scope(const struct status_query *query, const char *what, const struct uri *uri,
                       struct span scope)
{
    const struct purge_found none = {0};
    int err = cache_purge_scope(server_cache(query->server), scope);

    if (err != ERR_BUSY && err != ERR_TOO_LARGE && err != ERR_FULL) {
        log_purge(what, uri, &none);
    }
    return err;
}

static int purge_all(const struct status_query *query, struct buf *out)
{
    int err = purge_scope(query, "all", NULL, SPAN_EMPTY);

    return answer_scope(err, scope_json("all", NULL), out);
}

static int purge_host(const struct status_query *query, const struct route *route, struct buf *out)
{
    const struct uri *uri = &route->uri;

    if (!span_eq(uri->path, SPAN("/")) || uri->https || uri->port != 80) {
        return refuse(SPAN("that is not a host name; expected one such as www.example.net"), out);
    }
    int err = purge_scope(query, "host", uri, scope_host(uri, query->arena));
    return answer_scope(err, scope_json("host", uri), out);
}

/* Adds a mirror once, though it has two places: its origin and its files. */
static void tell_mirror(json_t *mirrors, const struct mirror *mirror)
{
    size_t count = json_array_size(mirrors);
    const char *last = json_string_value(json_array_get(mirrors, count ? count - 1 : 0));

    if (mirror && !(last && span_eq(span_str(last), mirror->path))) {
        json_array_append_new(mirrors, text_json(mirror->path));
    }
}

/* `routes` continues after `route`. Each place is purged as a scope of its own. */
static int purge_prefix(const struct status_query *query, struct route *route,
                        struct url_routes *routes, struct buf *out)
{
    json_t *json = scope_json("prefix", &routes->uri), *mirrors = json_array();
    int err = 0;

    do {
        struct span place = scope_place(&route->key, target_zone(route->site), query->arena);
        err = purge_scope(query, "prefix", &route->uri, place);
        tell_mirror(mirrors, route->mirrored.mirror);
    } while (!err && next_place(routes, route));
    json_object_set_new(json, "mirrors", mirrors);
    return answer_scope(err, json, out);
}

/* ---- the question ---- */

enum purge_what { PURGE_URL, PURGE_PREFIX, PURGE_HOST };

/* The scope that the query names, as a URL. */
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

/* Reads the query; or says what is wrong with it. */
static bool read_question(const struct status_query *query, struct span question,
                          struct explain_query *asked, struct span *what)
{
    if (explain_query_parse(question, query->arena, asked, what) != 0) {
        return false;
    }
    if (asked->request.method != METHOD_GET) {
        *what = SPAN("only responses to GET are stored: leave the method out");
        return false;
    }
    return true;
}

int purge_begin(const struct status_query *query, struct purge_waiter *waiter)
{
    enum purge_what kind;
    struct explain_query asked;
    struct url_routes routes;
    struct route route;
    struct span what;

    if (server_is_draining(query->server)) {
        return answer(json_object(), 503, ENDING, waiter->out);
    }
    if (span_eq(query->query, SPAN("all=yes"))) {
        return purge_all(query, waiter->out);
    }
    if (query->query.len == 0) {
        return refuse(SPAN("expected /purge?url=URL, prefix=URL, host=NAME or all=yes"),
                      waiter->out);
    }
    if (!read_question(query, as_url(query, &kind), &asked, &what)) {
        return refuse(what, waiter->out);
    }
    const struct route_query request = {.request = &asked.request,
                                        .settings = server_settings(query->server),
                                        .now = loop_wall(server_loop(query->server)),
                                        .arena = query->arena};
    if (kind == PURGE_PREFIX) {
        url_routes_begin_prefix(&routes, &request, asked.mirror);
    } else {
        url_routes_begin(&routes, &request, asked.mirror);
    }
    if (!first_place(&routes, &route, &what)) {
        return refuse(what, waiter->out);
    }
    switch (kind) {
    case PURGE_URL:
        return purge_url(query, &route, &routes, waiter);
    case PURGE_PREFIX:
        return purge_prefix(query, &route, &routes, waiter->out);
    case PURGE_HOST:
        return purge_host(query, &route, waiter->out);
    }
    UNREACHABLE();
}
