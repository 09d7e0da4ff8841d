#include "proxy/client/route.h"

#include "base/check.h"
#include "http/hop.h"
#include "proxy/origin/target.h"

static void refuse(struct route *out, int status, enum reason reason, const char *what)
{
    out->kind = ROUTE_REFUSED;
    out->status = status;
    out->reason = reason;
    out->what = what;
}

bool route_max_forwards(const struct http_head *request, uint64_t *out)
{
    const uint64_t most = UINT32_MAX;
    struct span value = fields_get(&request->fields, FIELD_MAX_FORWARDS);
    size_t digits = 0;

    if (request->method != METHOD_TRACE && request->method != METHOD_OPTIONS) {
        return false;
    }
    while (digits < value.len && value.at[digits] >= '0' && value.at[digits] <= '9') {
        digits++;
    }
    if (digits == 0 || digits < value.len) {
        return false;
    }
    if (!span_to_u64(value, most, out)) {
        *out = most;
    }
    return true;
}

static bool ends_here(const struct http_head *request)
{
    uint64_t left;

    return route_max_forwards(request, &left) && left == 0;
}

static void route_connect(const struct route_query *query, struct route *out)
{
    out->kind = ROUTE_TUNNEL;
    if (!target_port_allowed(query->settings, out->uri.port, true)) {
        refuse(out, 403, REASON_TARGET_PORT, NULL);
    }
}

/* Is 421 the right answer (RFC 9110 15.5.20)? In HTTP/2 the request of a replica's client looks
 * like that of a proxy's client. But a client that uses a proxy over TLS asks for https URLs by
 * CONNECT, so this client takes us for the site. */
static bool is_misdirected(const struct route_query *query, const struct uri *uri)
{
    return query->https && uri->https && query->request->version == HTTP_2;
}

/* The protocol that the client asks for, if it is one that may be switched to. A client that offers
 * a choice is answered in HTTP: the origin's choice would have to be compared with the offer. */
static struct span upgrade_of(const struct route_query *query)
{
    const struct settings *settings = query->settings;
    const struct http_head *request = query->request;
    struct list_members it = list_members(&request->fields, FIELD_UPGRADE);
    struct span protocol, more;

    if (!request->upgrade || request->method != METHOD_GET || request->framing != BODY_NONE ||
        !list_next(&it, &protocol) || list_next(&it, &more)) {
        return SPAN_EMPTY;
    }
    for (size_t i = 0; i < settings->upgrade_count; i++) {
        if (span_ieq(settings->upgrades[i], protocol)) {
            return settings->upgrades[i];
        }
    }
    return SPAN_EMPTY;
}

/* Is it an extended CONNECT of HTTP/2? It cannot be answered in HTTP, as a 2xx would mean that the
 * protocol was switched. */
static bool is_extended(const struct http_head *request)
{
    return request->upgrade && request->version == HTTP_2;
}

static void route_upgrade(const struct route_query *query, struct route *out)
{
    out->upgrade = upgrade_of(query);
    if (out->upgrade.len) {
        out->kind = ROUTE_UPGRADE;
        out->policy.lookup = false;
        out->policy.reason = REASON_UPGRADE;
    } else if (is_extended(query->request)) {
        refuse(out, 501, REASON_UPGRADE, "This proxy does not connect to such a protocol.");
    }
}

/* Requests with fields that name another place than the URL (such as X-Forwarded-Host) are not
 * shared. For configured sites the fields are removed (route_strip()), as the administrator knows
 * what they mean there. Other origins may need them, so they are forwarded, and the response is for
 * this client only. */
static void set_apart(const struct route_query *query, struct route *out)
{
    if (out->policy.lookup &&
        hop_says_other_place(&query->request->fields, &out->uri, query->arena)) {
        out->policy.lookup = false;
        out->policy.reason = REASON_PLACE;
    }
}

static void route_cache(const struct route_query *query, struct route *out)
{
    out->kind = ROUTE_CACHE;
    out->rules = target_rules(query->settings, out->site, out->uri.path);
    policy_read_request(query->request, &out->rules, &out->policy);
    if (out->site == NULL) {
        set_apart(query, out);
    }
}

static void make_https(struct uri *uri)
{
    uri->https = true;
    uri->port = uri->port == 80 ? 443 : uri->port;
}

/* If another server terminates TLS before us, the client has asked for the https URL: responses are
 * stored under it, and the origin is told the same (fetch_request.c). */
static void take_scheme(const struct http_head *request, struct route *out)
{
    if (!out->uri.https && hop_says_https(&request->fields)) {
        make_https(&out->uri);
        make_https(&out->key);
    }
}

void route_strip(const struct route *route, struct http_head *request)
{
    if (route->site && !route->site->mirror && route->policy.lookup) {
        hop_strip_places(&request->fields);
    }
}

static void route_site(const struct route_query *query, enum uri_form form, struct route *out)
{
    out->site = settings_site(query->settings, out->uri.host);
    if (out->site == NULL && form == URI_ASTERISK) {
        out->kind = ROUTE_HERE; /* the request is about this server in general (RFC 9110 9.3.7) */
    } else if (out->site == NULL && form == URI_ORIGIN) {
        refuse(out, 400, REASON_NO_SITE,
               "This is a proxy: ask for a full URL (\"GET http://host/path\"), or configure a "
               "site for this host.");
    } else if (out->site == NULL && is_misdirected(query, &out->uri)) {
        refuse(out, 421, REASON_NO_SITE, "No site with this name is served here.");
    } else if (out->site == NULL && !target_port_allowed(query->settings, out->uri.port, false)) {
        refuse(out, 403, REASON_TARGET_PORT, NULL);
    } else {
        if (out->site) {
            take_scheme(query->request, out);
        }
        route_cache(query, out);
        route_upgrade(query, out);
    }
}

static void route_mirror(const struct route_query *query, struct route *out)
{
    const struct mirrored *mirrored = &out->mirrored;

    out->site = mirrored->site;
    if (mirrored->wrong) {
        refuse(out, 400, REASON_BAD_REQUEST, mirrored->wrong);
    } else if (!mirror_takes(mirrored, query->request->method)) {
        refuse(out, 405, REASON_METHOD,
               "This is a mirror: it answers GET and HEAD. What is to be changed there is to be "
               "sent to the origin itself.");
    } else if (is_extended(query->request)) {
        refuse(out, 501, REASON_UPGRADE, "A mirror changes to no other protocol.");
    } else if (mirrored->is_ping) {
        out->kind = ROUTE_PING;
    } else {
        route_cache(query, out);
    }
}

static void take_mirrored(struct route *out)
{
    out->uri = out->mirrored.uri;
    out->key = out->mirrored.key;
}

/* A request in origin-form may be for a mirror. */
static bool find_mirror(const struct route_query *query, enum uri_form form, struct route *out)
{
    bool as_server = form == URI_ORIGIN || is_misdirected(query, &out->uri);

    if (query->settings->mirror_count == 0 || !as_server ||
        !mirror_find(query->settings, &out->uri, query->arena, &out->mirrored)) {
        return false;
    }
    take_mirrored(out);
    return true;
}

/* False: the request is refused, as described in *out. */
static bool is_let_in(const struct route_query *query, struct route *out)
{
    if (query->client == NULL) {
        return true;
    }
    access_decide(query->settings,
                  &(struct access_query){.client = query->client,
                                         .user = query->user,
                                         .request = query->request,
                                         .uri = &out->uri,
                                         .now = query->now},
                  &out->access);
    switch (out->access.verdict) {
    case ACCESS_ALLOWED:
        return true;
    case ACCESS_DENIED:
        refuse(out, 403, REASON_ACCESS, NULL);
        return false;
    case ACCESS_WHO:
        refuse(out, 407, REASON_CREDENTIALS, NULL);
        out->kind = ROUTE_WHO;
        return false;
    }
    UNREACHABLE();
}

static bool overrules_host(const struct route_query *query, const struct uri *uri)
{
    const struct http_fields *fields = &query->request->fields;

    if (query->request->version == HTTP_2) { /* Host and URI come from the same pseudo field */
        return false;
    }
    return fields_has(fields, FIELD_HOST) &&
           !uri_host_field_names(fields_get(fields, FIELD_HOST), uri, query->arena);
}

void route_request(const struct route_query *query, struct route *out)
{
    const struct settings *settings = query->settings;
    const struct http_head *request = query->request;
    enum uri_form form;
    const char *what = NULL;

    *out = (struct route){0};
    /* parsed first, so that the log shows the URL of refused requests, too */
    int err = uri_of_request(request, query->https, query->arena, &out->uri, &form, &what);

    out->has_uri = err == 0;
    out->key = out->uri;
    out->overrules = !err && form == URI_ABSOLUTE && overrules_host(query, &out->uri);
    bool mirror = !err && find_mirror(query, form, out);
    if (!is_let_in(query, out)) {
        return;
    }
    if (err) {
        refuse(out, 400, REASON_BAD_REQUEST, what);
    } else if (hop_is_loop(&request->fields, span_str(settings->name))) {
        refuse(out, 508, REASON_LOOP, NULL);
    } else if (ends_here(request)) {
        out->kind = ROUTE_HERE;
    } else if (request->method == METHOD_CONNECT) {
        route_connect(query, out);
    } else if (mirror) {
        route_mirror(query, out);
    } else {
        route_site(query, form, out);
    }
}

void route_to_mirror(const struct route_query *query, const struct mirrored *mirrored,
                     struct route *out)
{
    *out = (struct route){.has_uri = true, .mirrored = *mirrored};
    take_mirrored(out);
    if (!is_let_in(query, out)) {
        return;
    }
    if (hop_is_loop(&query->request->fields, span_str(query->settings->name))) {
        refuse(out, 508, REASON_LOOP, NULL);
    } else if (ends_here(query->request)) {
        out->kind = ROUTE_HERE;
    } else {
        route_mirror(query, out);
    }
}

/* A response to HEAD cannot answer GET requests, so those must not wait for it. */
bool route_is_alone(const struct http_head *request)
{
    return request->method == METHOD_HEAD;
}

/* Only GET and HEAD are looked up in the cache, and no switch of protocols. */
bool route_may_pass(const struct policy_request *policy)
{
    bool for_cache = policy->reason == REASON_CONDITIONAL || policy->reason == REASON_PLACE ||
                     policy->reason == REASON_REQUEST_BODY;

    return !for_cache || !policy->control.only_if_cached;
}

struct decision route_pass(const struct policy_request *policy)
{
    struct decision decision = DECISION_INIT;

    decision.outcome = OUTCOME_PASS;
    decision.reason = policy->reason;
    decision.forward = policy->reason == REASON_METHOD ? FORWARD_METHOD : FORWARD_BYPASS;
    return decision;
}
