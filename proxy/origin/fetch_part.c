/* fetch_part - responses known in parts: requests for missing pieces, and 206 responses. */
#include "proxy/origin/fetch_parts.h"

#include "base/err.h"
#include "http/date.h"
#include "http/range.h"
#include "http/validator.h"

enum { RETRY_AFTER_MAX = 86400 }; /* seconds; no reader waits longer anyway */

/* ---- asking ---- */

/* Asks for the missing piece, or (If-Range) for the complete representation if it has changed. */
static void ask_piece(struct fetch *fetch, struct http_fields *fields)
{
    const struct claim *claim = &fetch->claim;
    const struct http_fields *known = &claim->base->fields;
    enum http_field_id id = validator_strong(known, loop_wall(fetch->worker->loop));
    bool to_the_end = claim->range.to == (uint64_t)claim->base->body_len;
    struct range_wish wish = {
        .form = to_the_end ? RANGE_FORM_OPEN : RANGE_FORM_CLOSED,
        .first = claim->range.from,
        .last = claim->range.to - 1,
    };

    fields_add_id(fields, FIELD_RANGE, range_format(&wish, &fetch->arena));
    fields_add_id(fields, FIELD_IF_RANGE, fields_get(known, id));
}

/* Asks for the range that the client wants, when the representation is unknown or outdated. */
static void ask_wish(struct fetch *fetch, struct http_fields *fields)
{
    const struct object *stale = flight_stale(fetch->flight);
    struct range_wish wish = range_read(fields_get(&fetch->client.fields, FIELD_RANGE));
    bool single = wish.form == RANGE_FORM_CLOSED || wish.form == RANGE_FORM_OPEN ||
                  wish.form == RANGE_FORM_SUFFIX;

    if (fetch->policy.has_range && single && (stale == NULL || stale->body_len > SMALL_MAX)) {
        fields_add_id(fields, FIELD_RANGE, range_format(&wish, &fetch->arena));
    }
}

void fetch_ask_range(struct fetch *fetch, struct http_fields *fields)
{
    if (fetch->claim.base == NULL) {
        ask_wish(fetch, fields);
    } else if (!fetch->ask_whole) {
        ask_piece(fetch, fields);
    }
}

/* ---- a requested piece ---- */

static bool read_content_range(const struct http_head *response, struct piece_range *range,
                               int64_t *length)
{
    struct byte_range bytes;
    bool unsatisfied;

    if (response->status != 206 || fields_count(&response->fields, FIELD_CONTENT_RANGE) != 1 ||
        !content_range_parse(fields_get(&response->fields, FIELD_CONTENT_RANGE), &bytes, length,
                             &unsatisfied) ||
        unsatisfied) {
        return false;
    }
    *range = (struct piece_range){bytes.first, bytes.last + 1};
    return response->content_length < 0 ||
           (uint64_t)response->content_length == range->to - range->from;
}

/* Which bytes of the representation does a response bring? */
static bool brings(const struct http_head *response, struct piece_range *range, int64_t *length)
{
    if (response->status == 200 && response->content_length >= 0) {
        *length = response->content_length;
        *range = (struct piece_range){0, (uint64_t)*length};
        return true;
    }
    return read_content_range(response, range, length);
}

/* Does the response begin with the claimed bytes, and have the known length and validator? */
static bool has_piece(struct fetch *fetch, const struct http_head *response)
{
    const struct claim *claim = &fetch->claim;
    struct piece_range range;
    int64_t length;

    if (!brings(response, &range, &length) || length != claim->base->body_len ||
        claim->range.from < range.from || claim->range.from >= range.to ||
        !validator_joins(&claim->base->fields, &response->fields, loop_wall(fetch->worker->loop))) {
        return false;
    }
    fetch->skip = claim->range.from - range.from; /* bytes before the claimed range are skipped */
    return true;
}

/* Does the status mean that the representation has changed? All except the origin's own failures
 * do. */
static bool says_changed(int status)
{
    return status == 200 || status == 206 || status == 416 || status == 404 || status == 410;
}

/* Retry-After (RFC 9110 10.2.3) in ms; 0: absent. */
static uint64_t retry_after_ms(const struct http_head *response, int64_t now)
{
    struct span text = fields_get(&response->fields, FIELD_RETRY_AFTER);
    uint64_t seconds;

    if (span_to_u64(text, RETRY_AFTER_MAX, &seconds)) {
        return seconds * 1000;
    }
    int64_t when = date_parse(text, now);
    if (when <= now) { /* in the past, or not a date */
        return 0;
    }
    return (when - now < RETRY_AFTER_MAX ? (uint64_t)(when - now) : RETRY_AFTER_MAX) * 1000;
}

void fetch_give_back(struct fetch *fetch, uint64_t wish_ms)
{
    if (fetch->claim.base && !cache_claim_overlaps(&fetch->claim)) {
        partial_failed(object_parts(fetch->claim.base), loop_now_ms(fetch->worker->loop), wish_ms);
    }
    cache_unclaim(fetch->worker->cache, &fetch->claim);
}

/* May the piece be stored? As for any response, the origin or the client's credentials may forbid
 * it (RFC 9111 3). A piece that may not be stored is not shared while it arrives, either. */
static bool may_share_piece(const struct fetch *fetch, const struct http_head *response)
{
    struct http_head whole = *response;
    struct freshness freshness;

    whole.status = 200;
    policy_freshness(&whole, fetch->times, &fetch->rules, &freshness);
    return policy_may_store(&fetch->client, &whole, &freshness, &fetch->rules) == REASON_STORED;
}

/* Removes fields about the bytes of this message, not of the whole (RFC 9110 14.4, 8.6; RFC 9530 2;
 * RFC 2616 14.15). Repr-Digest is about the whole. */
static void drop_fields_of_part(struct http_fields *fields)
{
    static const struct span digests[] = {SPAN_INIT("Content-Digest"), SPAN_INIT("Content-MD5")};

    fields_remove_id(fields, FIELD_CONTENT_RANGE);
    fields_remove_id(fields, FIELD_CONTENT_LENGTH);
    fields_remove_names(fields, digests, ARRAY_LEN(digests));
}

/* Updates the stored head with the fields of a part (RFC 9111 3.4, 3.2). */
static void renew_base(struct fetch *fetch, const struct http_head *response)
{
    struct object *base = fetch->claim.base;
    struct http_head part = *response;
    struct http_head merged;
    struct freshness freshness;

    fields_init(&part.fields, &fetch->arena, response->fields.count);
    fields_append(&part.fields, &response->fields);
    drop_fields_of_part(&part.fields);
    if (fetch_merge(fetch, base, &part, &merged, &freshness) != REASON_STORED ||
        !key_same_vary(&base->fields, &merged.fields, &fetch->arena)) {
        return;
    }
    struct object *object = object_updated(base, &merged.fields, &freshness);
    object->stored_reason = REASON_STORED;
    cache_renew_claim(fetch->worker->cache, &fetch->claim, object);
    object_unref(&object);
}

/* Notes what the response says besides its bytes. */
static void note_piece(struct fetch *fetch, const struct http_head *response)
{
    if (fetch->skip > 0 && response->status == 200) {
        partial_ignores_ranges(object_parts(fetch->claim.base));
    }
    if (fetch->claim.kept) {
        renew_base(fetch, response);
    }
}

/* Is a response to an overlap useful? A failure of the origin, or a response that begins before the
 * piece, only means that the arriving piece goes on; a changed representation, that it is the last
 * of this one. */
static bool is_of_use(struct fetch *fetch, const struct http_head *response, bool has)
{
    if (has || response->status == 206 || response->status == 416) {
        return has && response->status == 206;
    }
    return says_changed(response->status) &&
           !(response->status == 200 &&
             validator_joins(&fetch->claim.base->fields, &response->fields,
                             loop_wall(fetch->worker->loop)));
}

/* Has the origin answered with another range, or without any? Then it may still send the whole. A
 * 304 was not asked for, as there was no condition but If-Range (RFC 9110 13.1.5). */
static bool fails_at_ranges(int status)
{
    return status == 206 || status == 416 || status == 304;
}

enum piece_answer fetch_piece_answer(struct fetch *fetch, const struct http_head *response)
{
    bool overlaps = cache_claim_overlaps(&fetch->claim);
    bool has = has_piece(fetch, response);
    bool shared = !has || may_share_piece(fetch, response);

    if (has) {
        fetch->claim.kept = fetch->claim.kept && shared;
        note_piece(fetch, response);
    }
    if (overlaps && (!is_of_use(fetch, response, has) || !shared)) {
        return PIECE_USELESS;
    }
    if (has && !shared) {
        cache_unshare_claim(fetch->worker->cache, &fetch->claim);
    }
    if (has) {
        return PIECE_COMES;
    }
    if (fails_at_ranges(response->status) && !fetch->ask_whole) {
        fetch->ask_whole = true;
        return PIECE_ASK_AGAIN;
    }
    if (says_changed(response->status)) {
        cache_refuse_claim(fetch->worker->cache, &fetch->claim);
    } else {
        fetch_give_back(fetch, retry_after_ms(response, fetch->times.response));
    }
    return PIECE_OTHER;
}

bool fetch_take_piece(struct fetch *fetch, int status)
{
    enum reason why;

    fetch->claim.now_ms = loop_now_ms(fetch->worker->loop);
    fetch->claim.promised = fetch_promised(fetch);
    fetch->object = cache_admit_piece(fetch->worker->cache, &fetch->claim, SPOOL_LIMIT_STORE,
                                      (struct waker){fetch_wake_writer, fetch}, &why);
    if (fetch->object == NULL) {
        return false;
    }
    fetch_note(fetch, status, why);
    fetch->waiting = false;
    flight_publish(fetch->flight, fetch->claim.base);
    fetch_post(fetch); /* all followers may have left before the head arrived */
    return true;
}

/* ---- the first 206 ---- */

/* Makes the head of the complete response from a 206. False: the 206 is unclear. */
static bool head_of_whole(struct fetch *fetch, const struct http_head *response,
                          struct http_head *whole, struct piece_range *range)
{
    int64_t length;

    if (!read_content_range(response, range, &length) || length < 0) {
        return false;
    }
    *whole = *response;
    whole->status = 200;
    whole->reason = http_status_text(200);
    whole->framing = BODY_LENGTH;
    whole->content_length = length;
    fields_init(&whole->fields, &fetch->arena, response->fields.count);
    fields_append(&whole->fields, &response->fields);
    drop_fields_of_part(&whole->fields);
    return true;
}

static bool is_first_part(const struct fetch *fetch, const struct http_head *response)
{
    return fetch->shared && response->status == 206 && fields_has(&fetch->out.fields, FIELD_RANGE);
}

/* Is the range the one that the client asked for? A shorter one is fine if the rest can be added
 * (RFC 9110 15.3.7); otherwise the client has to judge. */
static bool is_as_asked(const struct fetch *fetch, const struct http_head *whole,
                        struct piece_range range)
{
    struct byte_ranges asked;
    struct span wish = fields_get(&fetch->out.fields, FIELD_RANGE);
    bool joins = validator_strong(&whole->fields, fetch->times.response) != FIELD_OTHER;

    if (range_parse(wish, (uint64_t)whole->content_length, &asked) != RANGE_OK ||
        asked.count != 1) {
        return false;
    }
    uint64_t to = asked.at[0].last + 1;
    return range.from == asked.at[0].first && (range.to == to || (joins && range.to < to));
}

bool fetch_take_first_part(struct fetch *fetch, const struct http_head *response)
{
    struct http_head whole;
    struct piece_range range;
    struct freshness freshness;
    struct http_fields kept;
    struct cache *cache = fetch->worker->cache;

    if (!is_first_part(fetch, response) || !head_of_whole(fetch, response, &whole, &range) ||
        !is_as_asked(fetch, &whole, range)) {
        return false;
    }
    policy_freshness(&whole, fetch->times, &fetch->rules, &freshness);
    enum reason why = policy_may_store(&fetch->client, &whole, &freshness, &fetch->rules);
    if (why != REASON_STORED) {
        return false;
    }
    fields_init(&kept, &fetch->arena, whole.fields.count);
    policy_stored_fields(&whole, &kept);
    struct admission admission = {
        .primary = &fetch->primary,
        .request = &fetch->client,
        .response = &whole,
        .fields = &kept,
        .freshness = &freshness,
        .store = true,
        .arena = &fetch->arena,
    };
    if (!cache_admit_partial(cache, &admission, fetch->flight, range, &fetch->claim, &why)) {
        return false;
    }
    return fetch_take_piece(fetch, response->status);
}

/* ---- a whole response ---- */

bool fetch_becomes_parts(struct fetch *fetch)
{
    struct object *object = fetch->object;
    int64_t now = loop_wall(fetch->worker->loop);

    if (!fetch->shared || fetch->mirror.digest ||
        validator_strong(&object->fields, now) == FIELD_OTHER) {
        return false;
    }
    fetch->claim = (struct claim){.now_ms = loop_now_ms(fetch->worker->loop)};
    return cache_admit_as_parts(fetch->worker->cache, fetch->flight, object, &fetch->claim);
}

/* ---- bytes ---- */

enum stream_flow fetch_piece_data(struct fetch *fetch, struct span bytes)
{
    struct spool *spool = fetch->object->spool;
    size_t skipped = fetch->skip < bytes.len ? (size_t)fetch->skip : bytes.len;

    fetch->skip -= skipped;
    bytes = span_skip(bytes, skipped);
    uint64_t room = cache_piece_room(&fetch->claim, spool_length(spool));
    struct span part = span_take(bytes, room < bytes.len ? (size_t)room : bytes.len);
    enum spool_flow flow = part.len ? spool_append(spool, part) : SPOOL_MORE;

    if (part.len < bytes.len) {
        fetch->cut = true; /* another piece begins here */
    }
    if (fetch->cut || flow == SPOOL_PAUSE || spool_readers(spool) == 0) {
        fetch_post(fetch);
    }
    return fetch->cut || flow == SPOOL_PAUSE ? STREAM_PAUSE : STREAM_MORE;
}

void fetch_end_piece(struct fetch *fetch, int err)
{
    spool_writer_gone(fetch->object->spool);
    fetch->body_complete = true;
    if (err && spool_length(fetch->object->spool) == 0) { /* only the head has arrived */
        partial_failed(object_parts(fetch->claim.base), loop_now_ms(fetch->worker->loop), 0);
    }
    enum reason why =
        cache_end_piece(fetch->worker->cache, fetch->flight, &fetch->claim, fetch->object, err);
    if (why != REASON_STORED) {
        fetch_note_lost(fetch, why);
    }
    cache_abandon(fetch->worker->cache, fetch->flight, 0);
}
