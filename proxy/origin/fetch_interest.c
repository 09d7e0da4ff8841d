/* fetch_interest - decides whether a fetch should go on. */
#include "proxy/origin/fetch_parts.h"

enum {
    WORTH_FINISHING =
        16 * 1024 * 1024, /* most missing bytes of a body that are fetched although nobody waits */
    UNAWAITED_MAX = 64,   /* most such fetches of a worker */
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

static void is_awaited(struct fetch *fetch)
{
    fetch->worker->unawaited -= fetch->unawaited;
    fetch->unawaited = false;
}

/* May the fetch go on before the head has arrived? After the flight is abandoned, no request can
 * join it. */
static bool may_fly_on(struct fetch *fetch)
{
    if (!fetch->shared) {
        return false;
    }
    if (!fetch->mirror.asks_token && may_go_on_unawaited(fetch)) {
        return true; /* the response is a token for this client only */
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
            is_awaited(fetch);
        } else if (!worth_finishing(fetch) || !may_go_on_unawaited(fetch)) {
            fetch_stop(fetch);
        }
    } else if (flight_members(fetch->flight) > 0 || !fetch->waiting || fetch->owner) {
        is_awaited(fetch);
    } else if (!fetch->background && !may_fly_on(fetch)) {
        fetch_fail(fetch, 502, REASON_CLIENT_GONE);
    }
}
