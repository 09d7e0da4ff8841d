/* fetch_interest - decides whether a fetch should go on. */
#include "proxy/origin/fetch_parts.h"

enum {
    WORTH_FINISHING =
        16 * 1024 * 1024, /* most missing bytes of a body that are fetched although nobody waits */
    UNAWAITED_MAX = 64,   /* most such fetches of a worker */
    SILENT_MS = 5000,     /* an origin that sends nothing for so long is silent */
    LOOKED_AT = 64,       /* most fetches examined for a silent origin */
    YIELDING_MAX = 8,     /* most fetches given up at a time */
};

/* Should the rest of a response that will be stored be fetched although nobody waits? Yes, if it is
 * small. */
static bool worth_finishing(struct fetch *fetch)
{
    const struct object *object = fetch->object;

    if (object->stored_reason != REASON_STORED || !spool_is_wanted(object->spool)) {
        return false;
    }
    if (object->body_len < 0) {
        return fetch->background || spool_length(object->spool) <= WORTH_FINISHING;
    }
    uint64_t have = spool_length(object->spool);
    uint64_t left = fetch->claim.base ? cache_piece_room(&fetch->claim, have)
                                      : (uint64_t)object->body_len - have;
    return fetch->background || left <= WORTH_FINISHING;
}

void fetch_stop(struct fetch *fetch)
{
    if (fetch->claim.base) {
        fetch_end_piece(fetch, 0);
    }
    fetch_fail(fetch, 502, REASON_CLIENT_GONE);
}

static bool is_read(struct fetch *fetch)
{
    if (fetch->claim.base &&
        partial_is_wanted(object_parts(fetch->claim.base), fetch->claim.piece)) {
        return true;
    }
    return spool_readers(fetch->object->spool) > 0 || flight_members(fetch->flight) > 0;
}

/* May the fetch go on although nobody waits? Others may want the response, but clients that ask and
 * leave must not cause many such fetches. */
static bool may_go_on_unawaited(struct fetch *fetch)
{
    if (fetch->background || fetch->unawaited) {
        return true;
    }
    fetch->unawaited = fetch->worker->unawaited < UNAWAITED_MAX;
    fetch->worker->unawaited += fetch->unawaited;
    return fetch->unawaited;
}

/* Somebody waits for it again, so it does not count as unawaited any more. */
static void note_awaited(struct fetch *fetch)
{
    fetch->worker->unawaited -= fetch->unawaited;
    fetch->unawaited = false;
}

/* May the fetch go on before the head has arrived? What it brings is for others, too, except for a
 * token. After the flight is abandoned, no request can join it. */
static bool may_fly_on(struct fetch *fetch)
{
    if (!fetch->shared) {
        return false;
    }
    if (!fetch->mirror.asks_token && may_go_on_unawaited(fetch)) {
        return true;
    }
    cache_abandon(fetch->worker->cache, fetch->flight, 0);
    return flight_members(fetch->flight) > 0;
}

bool fetch_is_awaited(struct fetch *fetch)
{
    if (fetch->state == FETCH_BODY) {
        return fetch->object && !fetch->body_complete && is_read(fetch);
    }
    if (fetch->waiting && flight_members(fetch->flight) == 0) {
        /* no request can join the flight any more */
        cache_abandon(fetch->worker->cache, fetch->flight, 0);
    }
    return flight_members(fetch->flight) > 0;
}

void fetch_check_interest(struct fetch *fetch)
{
    if (fetch->state == FETCH_BODY) {
        if (fetch->object == NULL || fetch->body_complete || is_read(fetch)) {
            note_awaited(fetch);
        } else if (!worth_finishing(fetch) || !may_go_on_unawaited(fetch)) {
            fetch_stop(fetch);
        }
    } else if (flight_members(fetch->flight) > 0 || !fetch->waiting || fetch->owner) {
        note_awaited(fetch);
    } else if (!fetch->background && !may_fly_on(fetch)) {
        fetch_fail(fetch, 502, REASON_CLIENT_GONE);
    }
}

/* ---- where memory is short ---- */

/* Has the origin sent nothing for a while, although its bytes would be taken? */
static bool is_silent(const struct fetch *fetch, uint64_t read_ms)
{
    if (read_ms < fetch->moved_ms + SILENT_MS) {
        return false;
    }
    if (fetch->state == FETCH_BODY) {
        return fetch->object && !fetch->body_complete && !fetch->copying &&
               !spool_is_paused(fetch->object->spool);
    }
    return fetch->state == FETCH_SEND;
}

/* Each fetch reserves room for a body, so a few thousand that wait for a silent origin would keep
 * all others out for `timeouts.first-byte`. */
bool fetches_yield_memory(struct worker *worker)
{
    uint64_t read = loop_read_ms(worker->loop);
    int count = 0;

    for (int i = 0; i < LOOKED_AT && count < YIELDING_MAX && !list_empty(&worker->fetches); i++) {
        struct fetch *fetch = list_entry(list_rotate(&worker->fetches), struct fetch, link);
        if (is_silent(fetch, read)) {
            fetch_fail(fetch, 503, REASON_MEMORY);
            count++;
        }
    }
    return count > 0;
}
