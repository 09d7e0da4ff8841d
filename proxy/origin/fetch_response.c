/* fetch_response - decides what a response of the origin means: it is stored, updates a stored
 * response, is for one request only, or is an error. */
#include "proxy/origin/fetch_parts.h"

#include "base/err.h"
#include "http/hop.h"
#include "http/websocket.h"

void fetch_note(struct fetch *fetch, int status, enum reason store_reason)
{
    if (fetch->decision && fetch->owner) {
        fetch->decision->fwd_status = status;
        fetch->decision->store_reason = store_reason;
        fetch->decision->stored = store_reason == REASON_STORED;
    }
}

void fetch_note_lost(struct fetch *fetch, enum reason why)
{
    if (fetch->decision && fetch->owner && fetch->decision->stored) {
        fetch->decision->store_reason = why;
        fetch->decision->stored = false;
    }
}

/* Adds Date to a response without one: the time of receipt (RFC 9110 6.6.1). */
static void add_date(struct fetch *fetch, const struct http_head *response, struct http_head *dated)
{
    *dated = *response;
    if (fields_has(&response->fields, FIELD_DATE)) {
        return;
    }
    fields_init(&dated->fields, &fetch->arena, response->fields.count + 1);
    fields_append(&dated->fields, &response->fields);
    fields_add_id(&dated->fields, FIELD_DATE, loop_date(fetch->worker->loop));
}

void fetch_wake_writer(void *arg) /* any thread, with the spool's lock held */
{
    struct fetch *fetch = arg;

    atomic_store(&fetch->response_wake, true);
    fetch_post(fetch);
}

/* A POST response that represents its own URI answers later GETs (RFC 9110 9.3.3), unless the
 * client could influence it. It is stored as something newer than the invalidation that the POST
 * caused. */
static enum reason may_store_post(struct fetch *fetch, const struct http_head *response,
                                  const struct freshness *freshness)
{
    enum reason why = hop_says_place(&fetch->client.fields)
                          ? REASON_METHOD
                          : policy_may_store_post(&fetch->client, response, freshness,
                                                  &fetch->rules, &fetch->uri, &fetch->arena);

    if (why == REASON_STORED) {
        cache_adopt(fetch->worker->cache, fetch->flight, &fetch->uri, target_zone(fetch->site),
                    &fetch->arena, &fetch->primary);
    }
    return why;
}

static enum reason may_store(struct fetch *fetch, const struct http_head *response,
                             const struct freshness *freshness)
{
    if (fetch->shared) {
        return policy_may_store(&fetch->client, response, freshness, &fetch->rules);
    }
    if (!fetch->policy.lookup) {
        return fetch->client.method == METHOD_POST ? may_store_post(fetch, response, freshness)
                                                   : fetch->policy.reason;
    }
    enum reason own = policy_may_store(&fetch->client, response, freshness, &fetch->rules);
    if (own == REASON_STORED) {
        cache_unmark(fetch->worker->cache,
                     /* removes the pass mark, so that requests share fetches again */
                     flight_key(fetch->flight));
    }
    if (fetch->policy.has_range) {
        return REASON_RANGE;
    }
    if (fetch->client.method == METHOD_HEAD) {
        return REASON_METHOD;
    }
    return own == REASON_STORED ? REASON_PASS_MARK : own;
}

/* Until when requests for the URL should not wait for each other: only if the response itself
 * forbids sharing, not the request, or an error status. */
static int64_t mark_until(const struct fetch *fetch, enum reason why, int status)
{
    static const enum reason lasting[] = {
        REASON_RESPONSE_NO_STORE, REASON_PRIVATE,         REASON_NO_LIFETIME, REASON_STATUS,
        REASON_PARTIAL,           REASON_MUST_UNDERSTAND, REASON_VARY_STAR,   REASON_SET_COOKIE,
        REASON_TOO_LARGE,
    };

    for (size_t i = 0; i < ARRAY_LEN(lasting); i++) {
        if (why == lasting[i] && fetch->shared && status < 400) {
            return loop_wall(fetch->worker->loop) + PASS_MARK_SECONDS;
        }
    }
    return 0;
}

/* The object for other requests: a large response becomes one known in parts while it arrives. */
static struct object *shared_object(struct fetch *fetch)
{
    bool large = fetch->object->body_len > SMALL_MAX;

    return large && fetch_becomes_parts(fetch) ? fetch->claim.base : fetch->object;
}

/* The object is published to the flight; its body, if any, follows. */
static void admitted(struct fetch *fetch, const struct http_head *response)
{
    struct freshness freshness;
    struct http_fields kept;

    policy_freshness(response, fetch->times, &fetch->rules, &freshness);
    fields_init(&kept, &fetch->arena, response->fields.count);
    policy_stored_fields(response, &kept);
    enum reason why = may_store(fetch, response, &freshness);
    bool share = why == REASON_STORED;
    fetch->object = cache_admit(fetch->worker->cache,
                                &(struct admission){
                                    .primary = &fetch->primary,
                                    .request = &fetch->client,
                                    .response = response,
                                    .fields = &kept,
                                    .freshness = &freshness,
                                    .store = share,
                                    .promised = fetch_promised(fetch),
                                    .spool_limit = share ? SPOOL_LIMIT_STORE : SPOOL_LIMIT_PASS,
                                    .writer = {fetch_wake_writer, fetch},
                                    .arena = &fetch->arena,
                                },
                                &why);
    fetch_note(fetch, response->status, why);
    fetch->waiting = false;
    if (why == REASON_STORED) {
        flight_publish(fetch->flight, shared_object(fetch));
    } else {
        flight_publish_solo(fetch->flight, fetch->object);
        cache_abandon(fetch->worker->cache, fetch->flight,
                      mark_until(fetch, why, response->status));
    }
    if (flight_members(fetch->flight) == 0) {
        fetch_post(fetch); /* all followers may have left before the head arrived: decide whether to
                              go on */
    }
}

/* Fetches again without validators, as the 304 matched nothing stored. */
static void ask_again(struct fetch *fetch)
{
    fetch->unconditional = true; /* RFC 9111 4.3.4 */
    stream_close(fetch->stream, ERR_CLOSED);
    fetch->stream = NULL;
    fetch_set_state(fetch, FETCH_CONNECT);
    fetch_make_request(fetch);
    fetch_connect(fetch, false);
}

/* Is it a 304 to a request without conditions? It is meaningless, as the client may have nothing
 * stored (RFC 9110 15.4.5). */
static bool is_unasked_304(const struct fetch *fetch, int status)
{
    return status == 304 && !fields_has(&fetch->out.fields, FIELD_IF_NONE_MATCH) &&
           !fields_has(&fetch->out.fields, FIELD_IF_MODIFIED_SINCE);
}

/* Handles the response to a claim. False: it is an ordinary response. */
static bool took_piece(struct fetch *fetch, const struct http_head *response)
{
    switch (fetch_piece_answer(fetch, response)) {
    case PIECE_COMES:
        fetch_set_state(fetch, FETCH_BODY);
        if (!fetch_take_piece(fetch, response->status)) {
            fetch_fail(fetch, 502, REASON_CLIENT_GONE);
        }
        return true;
    case PIECE_ASK_AGAIN:
        ask_again(fetch);
        return true;
    case PIECE_OTHER:
        return false;
    case PIECE_USELESS:
        fetch_fail(fetch, 502, REASON_CLIENT_GONE);
        return true;
    }
    UNREACHABLE();
}

/* Handles a 304 about what is stored. False: it answers a condition of the client. */
static bool took_304(struct fetch *fetch, const struct http_head *response)
{
    struct policy_stored stored[POLICY_STORED_MAX];
    bool known = false;

    if (fetch_is_validating(fetch)) {
        known = fetch_confirmed(fetch, response);
    } else if (fetch_stored_variants(fetch, stored) > 0) {
        known = fetch_chose_variant(fetch, response);
    } else {
        return false;
    }
    if (!known) {
        ask_again(fetch);
    }
    return true;
}

/* RFC 9111 4.4: invalidates what an unsafe method has changed. */
static void invalidate(struct fetch *fetch, const struct http_head *response)
{
    struct uri also[POLICY_ALSO_MAX];
    struct span zone = target_zone(fetch->site);

    if (!policy_invalidates(fetch->client.method, response->status)) {
        return;
    }
    cache_invalidate(fetch->worker->cache, &fetch->uri, zone, &fetch->arena);
    size_t count = policy_also_invalidates(&fetch->uri, &response->fields, &fetch->arena, also);
    for (size_t i = 0; i < count; i++) {
        cache_invalidate(fetch->worker->cache, &also[i], zone, &fetch->arena);
    }
}

/* May a stale response replace this one? Yes for 500, 502, 503 and 504 (RFC 5861 4), and for
 * unknown 5xx, which count as 500 (RFC 9110 15). Others answer this request. */
static bool is_failure(int status)
{
    switch (status) {
    case 501:
    case 505:
    case 506:
    case 507:
    case 508:
    case 510:
    case 511:
        return false;
    default:
        return status >= 500;
    }
}

void fetch_response(struct fetch *fetch, const struct http_head *head)
{
    bool validating = fetch_is_validating(fetch);
    struct http_head response;

    fetch->times.response = loop_wall(fetch->worker->loop);
    add_date(fetch, head, &response);
    if (fetch_is_mirror(fetch) && fetch_mirror_response(fetch, &response)) {
        return;
    }
    invalidate(fetch, &response);
    if (fetch->claim.base && took_piece(fetch, &response)) {
        return;
    }
    if (is_unasked_304(fetch, response.status)) {
        fetch_fail(fetch, 502, REASON_ORIGIN_BROKEN);
        return;
    }
    if (response.status == 304 && took_304(fetch, &response)) {
        return;
    }
    if (validating && is_failure(response.status) &&
        fetch_use_stale(fetch, REASON_STALE_IF_ERROR)) {
        fetch_note(fetch, response.status, REASON_STALE_IF_ERROR);
        fetch_finish(fetch);
        return;
    }
    fetch_set_state(fetch, FETCH_BODY);
    if (validating && fetch->client.method == METHOD_HEAD && fetch_head_renews(fetch, &response)) {
        return;
    }
    if (fetch_take_first_part(fetch, &response)) {
        return;
    }
    if (fetch->owner) {
        fetch->owner->on_response(fetch->owner, &response);
    }
    admitted(fetch, &response);
}

/* Has the origin answered the key that was made here (RFC 6455 4.1)? */
static bool has_answered_key(const struct fetch *fetch, const struct http_head *head)
{
    const struct http_field *field = fields_find_name(&head->fields, SPAN("Sec-WebSocket-Accept"));
    char accept[WEBSOCKET_ACCEPT];

    if (fetch->websocket_key.len == 0) {
        return true; /* the client has made the key, and checks the answer itself */
    }
    websocket_accept(fetch->websocket_key, accept);
    return field && span_eq(field->value, span_of(accept, sizeof(accept)));
}

/* Does the 101 name the protocol that was asked for (RFC 9110 7.8, 15.2.2)? */
static bool is_as_asked(const struct fetch *fetch, const struct http_head *head)
{
    struct list_members it = list_members(&head->fields, FIELD_UPGRADE);
    struct span protocol, more;

    return head->upgrade && fetch->upgrade.protocol.len && list_next(&it, &protocol) &&
           span_ieq(protocol, fetch->upgrade.protocol) && !list_next(&it, &more) &&
           has_answered_key(fetch, head);
}

void fetch_switch(struct fetch *fetch, const struct http_head *head)
{
    struct fetch_link *owner = fetch->owner;
    struct stream *stream = fetch->stream;

    if (owner == NULL || !is_as_asked(fetch, head)) {
        fetch_fail(fetch, 502, REASON_ORIGIN_BROKEN);
        return;
    }
    fetch_note(fetch, head->status, REASON_UPGRADE);
    owner->fetch = NULL;
    fetch->owner = NULL;
    fetch->stream = NULL;
    owner->on_upgrade(owner, head, stream);
    fetch_fail(fetch, 502, REASON_CLIENT_GONE); /* nobody is waiting for the flight any more */
}

/* The object is complete: stores it, or just ends it. */
void fetch_complete(struct fetch *fetch)
{
    fetch->body_complete = true;
    if (fetch->object == NULL) {
        return;
    }
    if (fetch->claim.base) {
        fetch_end_piece(fetch, 0);
        return;
    }
    spool_writer_gone(fetch->object->spool);
    if (fetch->object->stored_reason == REASON_STORED) {
        enum reason why = cache_commit(fetch->worker->cache, fetch->flight, fetch->object);
        if (why != REASON_STORED) {
            fetch_note_lost(fetch, why);
        }
        return;
    }
    spool_end(fetch->object->spool, 0);
    cache_abandon(fetch->worker->cache, fetch->flight, 0);
}
