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

/* RFC 9110 15.5.20: in HTTP/2 a replica's client says as much as a proxy's does. But who has a
 * proxy on TLS asks it for https by CONNECT, so this one takes us for the site. */
static bool is_misdirected(const struct route_query *query, const struct uri *uri)
{
    return query->https && uri->https && query->request->version == HTTP_2;
}

/* The one protocol that is asked for, if the connection may be changed to it. Whoever offers a
 * choice is answered in HTTP: which of them was taken would have to be compared with care. */
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

/* Nothing that could be answered in HTTP: a 2xx would mean that it has been changed to. */
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

/* For a site such fields are dropped (route_strip()): it is the administrator who knows what they
 * mean there. Of other origins nobody here knows whether they need them, so they go on, and what
 * comes of it is for this client alone. */
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

/* Behind who ends TLS it is the https URL that is asked for and kept; the origin is told the same
 * (fetch_request.c). */
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
        out->kind = ROUTE_HERE; /* of this server in general (RFC 9110 9.3.7) */
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

/* Who asks us as a server, and not as a proxy, may mean a mirror. */
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

/* False: it goes no further, which is said in *out. */
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

    if (query->request->version == HTTP_2) { /* its Host was made of what the URI is made of */
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
    /* Read first: the log is to say what a client that is not let in wanted. */
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

/* What a HEAD brings is no response to GET, for which others may wait. */
bool route_is_alone(const struct http_head *request)
{
    return request->method == METHOD_HEAD;
}

/* Other methods are not asked of a cache, nor is another protocol. */
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
