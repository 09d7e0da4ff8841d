/* exchange_deliver - DELIVER, and what it needs: the response's head, the first bytes of its body,
 * and for missing bytes the origin's confirmation that the representation is unchanged. */
#include "proxy/client/exchange_parts.h"

#include "base/err.h"
#include "http/trailers.h"
#include "proxy/client/coverage.h"
#include "proxy/client/respond.h"

/* ---- the response ---- */

void exchange_note_disk(struct exchange *x)
{
    decision_note_disk(&x->decision,
                       disk_wait_so_far(&x->waited) + disk_wait_so_far(&x->reader.waited));
}

static void describe(struct exchange *x, struct response *response)
{
    exchange_note_disk(x);
    respond_object(
        &(struct respond_input){
            .request = &x->request,
            .policy = &x->policy,
            .object = x->object,
            .decision = &x->decision,
            .name = span_str(x->settings->name),
            .key = x->settings->cache.status_key ? x->lookup.key.text : SPAN_EMPTY,
            .mirror = exchange_mirror(x),
            .now = loop_wall(x->worker->loop),
            .secret = x->worker->secret,
            .serial = x->serial,
            .evaluate = x->evaluate,
            .arena = &x->arena,
        },
        response);
    if (x->rewrite) {
        exchange_rewrite_head(x, &response->head);
    }
}

/* Trailers need a body of unknown length (RFC 9112 7.1.2), and an HTTP/1.1 client that accepts
 * them. Stored responses, and those fetched for others, have none. */
static void frame_for_trailers(struct exchange *x, struct response *response)
{
    struct http_head *head = &response->head;

    if (x->fetch.fetch == NULL && x->trailers.count == 0) {
        return; /* a hit */
    }
    x->is_whole = head->status == x->object->status && !object_parts(x->object) &&
                  !exchange_is_rewritten(x) &&
                  (x->request.version == HTTP_2 || trailers_are_wanted(&x->request));
    if (x->is_whole && x->trailers.count && head->framing == BODY_LENGTH) {
        head->framing = BODY_CHUNKED;
        head->content_length = -1;
    }
    if (x->is_whole && x->trailer_names.len && head->framing == BODY_CHUNKED) {
        fields_add_id(&head->fields, FIELD_TRAILER, x->trailer_names);
    }
}

void exchange_drop_fetch(struct exchange *x)
{
    fetch_unlink(&x->fetch);
    x->trailers.count = 0;
    x->trailer_names = x->trailer_hop = SPAN_EMPTY;
}

/* Several parts need a source of their own, which uses the same reader. */
static int open_body(struct exchange *x, const struct body_parts *body)
{
    const struct body_part *first = &body->at[0];
    struct waker waker = {exchange_wake_source, x};

    if (x->body) {
        return 0; /* it has waited for its first bytes already */
    }
    if (body->count > 1) {
        struct parts_source *parts = arena_alloc(&x->arena, sizeof(*parts));
        x->body = &parts->source;
        return parts_source_init(parts, body, x->object, &x->reader, waker);
    }
    x->body = &x->reader.source;
    return object_reader_init(&x->reader, x->object, first->from, first->to, waker);
}

void exchange_close_body(struct exchange *x)
{
    object_reader_fini(&x->reader);
    x->waited.us += x->reader.waited.us;
    x->reader.waited = (struct disk_wait){0};
    x->body = NULL;
}

/* The client forbids asking the origin for missing bytes (only-if-cached, RFC 9111 5.2.1.7). */
static enum exchange_state refuse_to_ask(struct exchange *x)
{
    x->decision = DECISION_INIT;
    return exchange_refuse(x, 504, REASON_ONLY_IF_CACHED, NULL);
}

/* May the request be repeated? Not if it is unsafe, or if its body is no longer in memory (RFC 9110
 * 9.2.1). */
static bool may_start_over(const struct exchange *x)
{
    return http_method_is_safe(x->request.method) && x->request_body == NULL;
}

/* Looks up again, because the object cannot be delivered: it has left memory and store meanwhile,
 * missing parts cannot be fetched, or the origin has broken off after the head. */
static enum exchange_state start_over(struct exchange *x)
{
    exchange_close_body(x);
    /* the time waited for the disk belongs to the response that is given up */
    x->waited = (struct disk_wait){0};
    if (!may_start_over(x)) {
        exchange_drop_fetch(x);
        return exchange_refuse(x, 502, REASON_INCOMPLETE, NULL);
    }
    if (x->policy.control.only_if_cached) {
        return refuse_to_ask(x);
    }
    piece_unref(&x->asked);
    object_unref(&x->useless);
    x->useless = x->object;
    x->object = NULL;
    lookup_fini(&x->lookup);
    exchange_drop_fetch(x);
    x->decision = DECISION_INIT;
    x->confirmed = false;
    if (x->attempts++ >= ATTEMPTS_MAX) {
        x->decision.reason = REASON_NOT_STORED;
        x->decision.forward = FORWARD_MISS;
        return exchange_go_alone(x);
    }
    return x->state == EX_LOOKUP ? exchange_lookup(x) : EX_LOOKUP;
}

/* The origin has answered this very request with a part that is no use: If-Range names another
 * representation, and there is nothing to combine the part with. The same request would get the
 * same answer, so now the client's own request is sent unchanged. The decision stays a miss. */
static enum exchange_state ask_in_its_words(struct exchange *x)
{
    enum reason reason = x->decision.reason;
    enum forward forward = x->decision.forward;

    exchange_close_body(x);
    object_unref(&x->object);
    lookup_fini(&x->lookup);
    x->decision = DECISION_INIT;
    x->decision.reason = reason;
    x->decision.forward = forward;
    return exchange_go_alone(x);
}

/* The rest cannot be proved to be of the same representation (RFC 9111 3.4). */
static enum exchange_state replace_part(struct exchange *x)
{
    bool own = x->lookup.member.leader && x->decision.outcome == OUTCOME_MISS;

    return own ? ask_in_its_words(x) : start_over(x);
}

/* ---- missing bytes ---- */

enum {
    AHEAD_MAX = 3,      /* most pieces fetched at the same time besides the awaited one */
    HOLE_TRIES_MAX = 3, /* attempts without a pause */
    HOLE_PAUSE_MS = 500,
};

/* Fetches a claimed piece. `linked`: this request waits for its head. */
static void fetch_piece(struct exchange *x, const struct claim *claim, bool linked)
{
    struct flight *flight = flight_new(&claim->base->key, NULL);

    flight_set_mark(flight, claim->mark);
    if (linked) {
        flight_leave(&x->lookup.member);
        exchange_drop_fetch(x);
        flight_join(flight, &x->lookup.member, true, (struct waker){exchange_wake_flight, x});
    }
    exchange_fetch_piece(x, flight, claim, linked);
    flight_unref(&flight);
}

/* Fetches the piece that this request waits for. */
static void fetch_awaited(struct exchange *x, const struct claim *claim, bool linked)
{
    piece_unref(&x->asked);
    x->asked = piece_ref(claim->piece);
    fetch_piece(x, claim, linked);
}

static bool claim(struct exchange *x, uint64_t from, uint64_t to, enum claim_where where,
                  struct claim *out)
{
    return !x->policy.control.only_if_cached &&
           cache_claim(x->worker->cache,
                       &(struct claim_order){
                           .lookup = &x->lookup,
                           .base = x->object,
                           .from = from,
                           .to = to,
                           .where = where,
                           .now_ms = loop_now_ms(x->worker->loop),
                       },
                       out);
}

/* Fetches up to `max` further holes of the wanted range, so that they do not wait for each other.
 * Returns how many. */
static int fill_ahead(struct exchange *x, uint64_t from, uint64_t to, int max)
{
    struct claim hole;
    int count;

    for (count = 0; count < max && claim(x, from, to, CLAIM_AHEAD, &hole); count++) {
        fetch_piece(x, &hole, false);
    }
    return count;
}

enum try { TRY_NOW, TRY_LATER, TRY_NO_MORE };

static void on_pause(struct timeout *timeout)
{
    exchange_wake_source(container_of(timeout, struct exchange, hole_pause));
}

void exchange_init_pause(struct exchange *x)
{
    timeout_init(&x->hole_pause, on_pause);
}

/* How long to wait before trying the same hole again: the pause shared by all readers, or our own
 * if what arrives can repeatedly not be read. */
static uint64_t pause_of(struct exchange *x, uint64_t now)
{
    uint64_t all = partial_pause(object_parts(x->object), now);
    uint64_t until = x->hole_tries < HOLE_TRIES_MAX ? 0 : x->hole_tried_ms + HOLE_PAUSE_MS;

    return until > now + all ? until - now : all;
}

/* May the hole be tried again? No client may be kept waiting by a piece that never comes, and
 * waiting clients may not flood an origin. Before the head was sent, a few failures show that
 * another response is needed. Afterwards there is no alternative, so the origin gets as much time
 * to recover as a response may take. */
static enum try may_try(struct exchange *x, uint64_t hole)
{
    uint64_t now = loop_now_ms(x->worker->loop);

    if (x->hole != hole || x->hole_tries == 0) {
        x->hole = hole;
        x->hole_tries = 0;
        x->hole_since_ms = now;
    }
    if (x->sent) {
        uint64_t pause = pause_of(x, now);
        if (now + pause > x->hole_since_ms + x->settings->timeouts.first_byte) {
            return TRY_NO_MORE;
        }
        if (pause) {
            timeout_set(x->worker->loop, &x->hole_pause, pause);
            return TRY_LATER;
        }
    } else if (x->hole_tries == HOLE_TRIES_MAX) {
        return TRY_NO_MORE;
    }
    x->hole_tries++;
    x->hole_tried_ms = now;
    return TRY_NOW;
}

/* Fetches the missing byte at `from`, and maybe others before `to`. */
static bool fill_hole(struct exchange *x, uint64_t from, uint64_t to)
{
    enum try may = x->policy.control.only_if_cached ? TRY_NO_MORE : may_try(x, from);
    bool alone = exchange_is_alone(x);
    struct claim hole;

    if (may == TRY_NOW && claim(x, from, to, CLAIM_HERE, &hole)) {
        fetch_awaited(x, &hole, false);
        /* further holes are fetched only from an origin that has not failed */
        if (x->hole_tries == 1 && !alone) {
            fill_ahead(x, from, to, AHEAD_MAX);
        }
    }
    return may != TRY_NO_MORE;
}

bool exchange_is_alone(const struct exchange *x)
{
    return x->asked && piece_own(x->asked);
}

static bool is_known(const struct object *object, uint64_t offset)
{
    return partial_covers(object_parts(object), offset, offset + 1, true);
}

/* Pieces that the origin has sent to this client only are read from the private response; then
 * reading continues in the shared one. True: the reader has moved. */
static bool goes_elsewhere(struct exchange *x, uint64_t offset)
{
    struct object *own = x->asked ? piece_own(x->asked) : NULL;
    bool in_own = x->reader.object == own;

    if (own == NULL || is_known(own, offset) == in_own) {
        return false;
    }
    object_reader_go_on(&x->reader, in_own ? x->object : own);
    return true;
}

bool exchange_fill(struct exchange *x)
{
    uint64_t from, to;
    struct span next;
    struct claim overlap;

    /* while it does not wait, the client's socket may be sending what it has got */
    if (x->body == NULL || !object_reader_waits(&x->reader, &from, &to)) {
        return true;
    }
    /* the awaited bytes may have come, or may never come: the end of a broken piece is no hole */
    if (source_peek(x->body, &next) != ERR_AGAIN || !object_reader_waits(&x->reader, &from, &to)) {
        return true;
    }
    if (goes_elsewhere(x, from)) {
        x->confirmed = true;
        exchange_wake_source(x); /* posted, so that the reader looks at the new position */
        return true;
    }
    if (!is_known(x->reader.object, from)) {
        return fill_hole(x, from, to);
    }
    if (x->reader.object == x->object && claim(x, from, to, CLAIM_HERE, &overlap)) {
        fetch_piece(x, &overlap, false);
    }
    return true;
}

/* Before the head is sent, the origin must have confirmed with one hole that it still has the same
 * representation, so that no response begins which cannot be completed. True: wait for that. */
static bool ask_first(struct exchange *x, const struct body_parts *body)
{
    struct claim hole;

    for (size_t i = 0; i < body->count && !x->confirmed; i++) {
        if (claim(x, body->at[i].from, body->at[i].to, CLAIM_AHEAD, &hole)) {
            fetch_awaited(x, &hole, true);
            return true;
        }
    }
    return false;
}

/* Is it better to fetch again? The arriving bytes are outdated, and far before the awaited one. */
static bool is_better_asked_anew(struct exchange *x)
{
    uint64_t from, to;

    return object_reader_waits(&x->reader, &from, &to) &&
           partial_comes_late(object_parts(x->reader.object), from, loop_now_ms(x->worker->loop));
}

/* The first bytes are missing or arriving: waits for them. */
static enum exchange_state await_first(struct exchange *x)
{
    return exchange_fill(x) && !is_better_asked_anew(x) ? EX_AWAIT : start_over(x);
}

static enum exchange_state send_parts(struct exchange *x, struct response *response)
{
    struct partial *parts = object_parts(x->object);
    enum coverage coverage = coverage_of(parts, &response->body);
    struct span first;
    int left = AHEAD_MAX; /* shared by all ranges */

    if (coverage != COVERS_ALL && x->policy.control.only_if_cached) {
        return refuse_to_ask(x);
    }
    coverage_note(coverage, &x->decision);
    if (coverage == COVERS_SOME) {
        if (!partial_joins(parts)) {
            return replace_part(x);
        }
        if (ask_first(x, &response->body)) {
            return EX_AWAIT;
        }
    }
    int err = open_body(x, &response->body);
    if (!err) {
        err = source_peek(x->body, &first);
    }
    if (err) {
        return err == ERR_AGAIN ? await_first(x) : start_over(x);
    }
    for (size_t i = 0; i < response->body.count && !exchange_is_alone(x); i++) {
        left -= fill_ahead(x, response->body.at[i].from, response->body.at[i].to, left);
    }
    if (coverage != COVERS_ALL) {
        describe(x, response); /* the decision has changed */
    }
    return exchange_reply(x, &response->head, exchange_rewrite_body(x, x->body));
}

/* ---- sending ---- */

enum exchange_state exchange_send(struct exchange *x)
{
    struct response response;
    struct span first;

    x->is_whole = false;
    if (x->body) { /* it has waited for its first bytes already */
        int err = source_peek(x->body, &first);
        if (err) {
            return err == ERR_AGAIN ? await_first(x) : start_over(x);
        }
    }
    describe(x, &response);
    if (object_parts(x->object) == NULL) {
        frame_for_trailers(x, &response);
    }
    if (response.body.count == 0) {
        source_memory_init(&x->page, SPAN_EMPTY);
        return exchange_reply(x, &response.head,
                              response.head.framing == BODY_CHUNKED ? &x->page.source : NULL);
    }
    if (object_parts(x->object)) {
        return send_parts(x, &response);
    }
    if (open_body(x, &response.body) != 0) {
        return start_over(x);
    }
    int err = response.body.count == 1 ? object_reader_begin(&x->reader) : 0;
    if (err && err != ERR_AGAIN) {
        return start_over(x); /* the object is damaged, and no head was sent so far */
    }
    if (err) {
        describe(x, &response); /* Cache-Status says that the body had to be waited for */
        frame_for_trailers(x, &response);
    }
    return exchange_reply(x, &response.head, exchange_rewrite_body(x, x->body));
}

enum exchange_state exchange_deliver(struct exchange *x, struct object *object, bool evaluate)
{
    bool means_tunnel = x->upgrade.len && x->request.version == HTTP_2;

    if (means_tunnel &&
        object->status / 100 == 2) { /* the client would take it for the beginning of a tunnel */
        object_unref(&object);
        return exchange_refuse(x, 502, REASON_UPGRADE,
                               "The origin has answered, but not changed to the protocol.");
    }
    x->object = object;
    x->evaluate = evaluate;
    x->serial = ++x->worker->responses;
    return exchange_send(x);
}
