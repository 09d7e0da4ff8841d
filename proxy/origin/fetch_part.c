/* fetch_part - responses known in parts: what is asked for them, and what a 206 brings. */
#include "proxy/origin/fetch_parts.h"

#include "base/err.h"
#include "http/range.h"
#include "http/validator.h"

enum {
    SMALL_MAX = 1024 * 1024 /* a response up to here is asked for as a whole when it is known */
};

/* ---- asking ---- */

/* The missing piece, or (If-Range) all of the representation if it is another one by now. */
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

/* What the client wants of something that is not known, or not as it is now. */
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
    if (fetch->claim.base) {
        ask_piece(fetch, fields);
    } else {
        ask_wish(fetch, fields);
    }
}

/* ---- a piece that was asked for ---- */

/* The 206 is about the piece: it begins where it should, has the length we know, and is of the same
 * representation. */
static bool is_of_piece(const struct fetch *fetch, const struct http_head *response)
{
    const struct claim *claim = &fetch->claim;
    struct byte_range range;
    int64_t length;
    bool unsatisfied;

    if (response->status != 206 || fields_count(&response->fields, FIELD_CONTENT_RANGE) != 1 ||
        !content_range_parse(fields_get(&response->fields, FIELD_CONTENT_RANGE), &range, &length,
                             &unsatisfied) ||
        unsatisfied) {
        return false;
    }
    return range.first == claim->range.from && length == claim->base->body_len &&
           (response->content_length < 0 ||
            (uint64_t)response->content_length == range.last - range.first + 1) &&
           validator_joins(&claim->base->fields, &response->fields, loop_wall(fetch->worker->loop));
}

void fetch_take_piece(struct fetch *fetch)
{
    enum reason why;

    fetch->object = cache_admit_piece(fetch->worker->cache, &fetch->claim, SPOOL_LIMIT_STORE,
                                      (struct waker){fetch_wake_writer, fetch}, &why);
    fetch_note(fetch, 206, why);
    fetch->waiting = false;
    flight_publish(fetch->flight, fetch->claim.base);
    fetch_post(fetch); /* everybody may have left before the head came */
}

/* The representation has changed, or the origin does not do ranges: what is known is of no use but
 * to those who need no more of it. */
static bool says_changed(int status)
{
    return status == 200 || status == 206 || status == 416 || status == 404 || status == 410;
}

enum piece_answer fetch_piece_answer(struct fetch *fetch, const struct http_head *response)
{
    if (is_of_piece(fetch, response)) {
        return PIECE_COMES;
    }
    if (says_changed(response->status)) {
        cache_refuse_claim(fetch->worker->cache, &fetch->claim);
    } else {
        cache_unclaim(fetch->worker->cache, &fetch->claim);
    }
    /* A 206 or 416 answers a range that nobody but us has asked for. */
    bool ours = response->status == 206 || response->status == 416;
    return ours ? PIECE_ASK_AGAIN : PIECE_OTHER;
}

/* ---- the first 206 ---- */

/* The head of the whole, of which the 206 is a part. False when it does not say so clearly. */
static bool head_of_whole(struct fetch *fetch, const struct http_head *response,
                          struct http_head *whole, struct piece_range *range)
{
    struct byte_range bytes;
    int64_t length;
    bool unsatisfied;

    if (fields_count(&response->fields, FIELD_CONTENT_RANGE) != 1 ||
        !content_range_parse(fields_get(&response->fields, FIELD_CONTENT_RANGE), &bytes, &length,
                             &unsatisfied) ||
        unsatisfied || length < 0) {
        return false;
    }
    *range = (struct piece_range){bytes.first, bytes.last + 1};
    if (response->content_length >= 0 &&
        (uint64_t)response->content_length != range->to - range->from) {
        return false;
    }
    *whole = *response;
    whole->status = 200;
    whole->reason = http_status_text(200);
    whole->framing = BODY_LENGTH;
    whole->content_length = length;
    fields_init(&whole->fields, &fetch->arena, response->fields.count);
    fields_append(&whole->fields, &response->fields);
    fields_remove_id(&whole->fields, FIELD_CONTENT_RANGE);
    fields_remove_id(&whole->fields, FIELD_CONTENT_LENGTH);
    return true;
}

/* What was asked for began at its beginning, too. */
static bool is_first_part(const struct fetch *fetch, const struct http_head *response)
{
    return fetch->shared && response->status == 206 && fields_has(&fetch->out.fields, FIELD_RANGE);
}

bool fetch_take_first_part(struct fetch *fetch, const struct http_head *response)
{
    struct http_head whole;
    struct piece_range range;
    struct freshness freshness;
    struct http_fields kept;
    struct cache *cache = fetch->worker->cache;

    if (!is_first_part(fetch, response) || !head_of_whole(fetch, response, &whole, &range)) {
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
    bool joins = validator_strong(&kept, loop_wall(fetch->worker->loop)) != FIELD_OTHER;
    if (!cache_admit_partial(cache, &admission, fetch->flight, range, joins, &fetch->claim, &why)) {
        return false;
    }
    fetch_take_piece(fetch);
    return true;
}

/* ---- bytes ---- */

enum stream_flow fetch_piece_data(struct fetch *fetch, struct span bytes)
{
    struct spool *spool = fetch->object->spool;
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
    cache_end_piece(fetch->worker->cache, fetch->flight, &fetch->claim, fetch->object, err);
    cache_abandon(fetch->worker->cache, fetch->flight, 0);
}
