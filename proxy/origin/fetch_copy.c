/* fetch_copy - a variant selected by a 304 becomes a response of its own (RFC 9111 4.3.4). Its body
 * is copied, as both are stored and evicted separately. */
#include "proxy/origin/fetch_parts.h"

#include "base/err.h"

/* ---- the body ---- */

/* Ends the fetch together with the copy, whatever happens to the stream of the 304. */
static void end_copy(struct fetch *fetch, int err)
{
    if (err) {
        fetch_fail(fetch, 502, REASON_INCOMPLETE);
        return;
    }
    fetch_complete(fetch);
    if (fetch->stream == NULL) {
        fetch_finish(fetch);
    }
}

void fetch_copy_on(struct fetch *fetch)
{
    struct source *from = &fetch->copied.source;
    struct span bytes;
    int err;

    if (fetch->state != FETCH_BODY || fetch->body_complete) {
        return;
    }
    while ((err = source_peek(from, &bytes)) == 0 && bytes.len > 0) {
        enum spool_flow flow = spool_append(fetch->object->spool, bytes);
        source_advance(from, bytes.len);
        if (flow == SPOOL_PAUSE) {
            return;
        }
    }
    if (err != ERR_AGAIN) {
        end_copy(fetch, err);
    }
}

/* ---- the head ---- */

/* Only the requester gets it; the variant stays unchanged. */
static void show(struct fetch *fetch, struct object *variant, const struct http_head *merged,
                 const struct freshness *freshness, enum reason why)
{
    struct object *object = object_updated(variant, &merged->fields, freshness);

    object->stored_reason = why;
    fetch_note(fetch, 304, why);
    fetch->waiting = false;
    flight_publish_solo(fetch->flight, object);
    cache_abandon(fetch->worker->cache, fetch->flight, 0);
    object_unref(&object);
}

static enum reason admit_copy(struct fetch *fetch, const struct http_head *merged,
                              const struct freshness *freshness)
{
    enum reason why = REASON_STORED;

    fetch->object = cache_admit(fetch->worker->cache,
                                &(struct admission){
                                    .primary = &fetch->primary,
                                    .request = &fetch->client,
                                    .response = merged,
                                    .fields = &merged->fields,
                                    .freshness = freshness,
                                    .store = true,
                                    .promised = fetch_promised(fetch),
                                    .spool_limit = SPOOL_LIMIT_STORE,
                                    .writer = {fetch_wake_writer, fetch},
                                    .arena = &fetch->arena,
                                },
                                &why);
    fetch->object->updated = true;
    return why;
}

/* Publishes the copy to all followers, or only to the requester if it cannot be stored. */
static void publish(struct fetch *fetch, enum reason why)
{
    fetch_note(fetch, 304, why == REASON_STORED ? REASON_VALIDATED : why);
    fetch->waiting = false;
    if (why == REASON_STORED) {
        flight_publish(fetch->flight, fetch->object);
    } else {
        flight_publish_solo(fetch->flight, fetch->object);
        cache_abandon(fetch->worker->cache, fetch->flight, 0);
    }
}

bool fetch_chose_variant(struct fetch *fetch, const struct http_head *response)
{
    struct policy_stored stored[POLICY_STORED_MAX];
    struct http_head merged;
    struct freshness freshness;
    size_t count = fetch_stored_variants(fetch, stored);
    int use = policy_304_confirms(stored, count, &response->fields).use;

    if (use < 0) {
        return false;
    }
    struct object *variant = flight_variants(fetch->flight, &count)[use];
    enum reason why = fetch_merge(fetch, variant, response, &merged, &freshness);
    struct waker waker = {fetch_wake_writer, fetch};
    if (object_reader_init(&fetch->copied, variant, 0, UINT64_MAX, waker) != 0) {
        return false; /* the variant has been evicted meanwhile */
    }
    fetch_set_state(fetch, FETCH_BODY);
    if (why != REASON_STORED) {
        show(fetch, variant, &merged, &freshness, why);
        return true;
    }
    merged.framing = BODY_LENGTH;
    merged.content_length = variant->body_len;
    fetch->copying = true;
    publish(fetch, admit_copy(fetch, &merged, &freshness));
    fetch_copy_on(fetch);
    return true;
}
