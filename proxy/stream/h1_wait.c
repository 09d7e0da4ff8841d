/*
 * What an HTTP/1 connection waits for, and how long. There is one timeout for all of it: the
 * stamps of the last progress are plain stores, and only when the timeout fires is it decided
 * which wait has lasted too long.
 */
#include "proxy/stream/h1_conn.h"

#include "base/check.h"
#include "base/err.h"
#include "base/minmax.h"
#include "proxy/stream/pace.h"

enum wait {
    WAIT_NONE,
    WAIT_IDLE,     /* for the next message */
    WAIT_HEAD,     /* server: for the rest of a request head */
    WAIT_CLOSE,    /* for the peer to take the last bytes */
    WAIT_RESPONSE, /* client: for the response head */
    WAIT_IN,       /* for body bytes */
    WAIT_OUT,      /* for the peer to take body bytes */
    WAIT_REST,     /* for the peer to take what is queued, although the turn has ended */
    WAIT_TUNNEL,   /* for any byte, either way */
};

struct deadline {
    enum wait wait;
    uint64_t due; /* loop milliseconds */
};

/* The end of a wait; with a `limit` of 0 there is none. */
static struct deadline deadline(enum wait wait, uint64_t since, uint64_t limit)
{
    return limit ? (struct deadline){wait, since + limit} : (struct deadline){WAIT_NONE, 0};
}

static struct deadline sooner(struct deadline a, struct deadline b)
{
    if (a.wait == WAIT_NONE || (b.wait != WAIT_NONE && b.due < a.due)) {
        return b;
    }
    return a;
}

static struct deadline wait_in(const struct h1 *h1, const struct h1_turn *turn)
{
    const struct h1_limits_time *times = &h1->settings->times;

    switch (turn->in) {
    case H1_IN_HEAD:
        if (turn->out == H1_OUT_DONE || turn->out == H1_OUT_HOLD) {
            return deadline(WAIT_RESPONSE, max_u64(turn->in_since, turn->out_since),
                            times->first_byte_ms);
        }
        break;
    case H1_IN_BODY:
        if (!turn->is_paused) {
            return deadline(WAIT_IN, turn->in_since, times->body_ms);
        }
        break;
    case H1_IN_DISCARD:
        if (transport_queued(h1->transport) == 0) { /* otherwise wait_out() */
            return deadline(WAIT_CLOSE, max_u64(turn->in_since, turn->out_since), H1_LINGER_MS);
        }
        break;
    case H1_IN_HOLD:
    case H1_IN_RAW:
    case H1_IN_DONE:
        break;
    }
    return (struct deadline){WAIT_NONE, 0};
}

static uint64_t out_limit(const struct h1 *h1, const struct h1_turn *turn)
{
    return h1->settings->times.body_ms * (turn->is_tunnel ? TUNNEL_PATIENCE : 1);
}

/* May something be queued that the peer has to take? The turn of a complete message goes on only
 * for a tunnel, or while the rest of the request is discarded. */
static bool is_sending(const struct h1_turn *turn)
{
    if (turn->out == H1_OUT_DONE) {
        return turn->is_tunnel || turn->in == H1_IN_DISCARD;
    }
    return turn->out == H1_OUT_BODY || turn->out == H1_OUT_RAW;
}

/* The wait for the peer to take bytes. Bytes that it sends are no sign that it takes any. */
static struct deadline wait_out(const struct h1 *h1, const struct h1_turn *turn)
{
    if (!is_sending(turn) || transport_queued(h1->transport) == 0) {
        return (struct deadline){WAIT_NONE, 0};
    }
    return deadline(WAIT_OUT, turn->out_since, out_limit(h1, turn));
}

static struct deadline wait_of_turn(const struct h1 *h1, const struct h1_turn *turn)
{
    struct deadline in = turn->is_tunnel
                             ? deadline(WAIT_TUNNEL, max_u64(turn->in_since, turn->out_since),
                                        h1->settings->times.tunnel_ms)
                             : wait_in(h1, turn);

    return sooner(in, wait_out(h1, turn));
}

static uint64_t idle_limit(const struct h1 *h1)
{
    uint64_t limit = h1->settings->times.idle_ms;
    uint64_t last = h1->is_fresh ? H1_LAST_MS : H1_LAST_KEPT_MS;

    return h1->is_last && (limit == 0 || limit > last) ? last : limit;
}

/* The connection is not idle before the peer has taken the last response. */
static struct deadline wait_between_turns(const struct h1 *h1)
{
    const struct h1_limits_time *times = &h1->settings->times;

    if (transport_queued(h1->transport) > 0) {
        return deadline(WAIT_REST, h1->since, times->body_ms);
    }
    return h1->is_partial ? deadline(WAIT_HEAD, h1->since, times->head_ms)
                          : deadline(WAIT_IDLE, h1->since, idle_limit(h1));
}

static struct deadline next_deadline(const struct h1 *h1)
{
    switch (h1->state) {
    case H1_OPEN:
        return h1->turn ? wait_of_turn(h1, h1->turn) : wait_between_turns(h1);
    case H1_FLUSH:
        return deadline(WAIT_REST, h1->since, h1->settings->times.body_ms);
    case H1_LINGER:
        return deadline(WAIT_CLOSE, h1->since, H1_LINGER_MS);
    case H1_GONE:
        break;
    }
    return (struct deadline){WAIT_NONE, 0};
}

void h1_arm(struct h1 *h1)
{
    struct deadline next = next_deadline(h1);
    uint64_t now = loop_now_ms(h1->loop);

    if (h1->is_kicked) {
        timeout_set(h1->loop, &h1->timeout, 0);
    } else if (next.wait == WAIT_NONE) {
        timeout_clear(&h1->timeout);
    } else {
        timeout_set(h1->loop, &h1->timeout, next.due > now ? next.due - now : 1);
    }
}

/* Has the peer taken at least so many of the *seen bytes that were queued at *since? Both are moved
 * on: *since only if it has. */
static bool has_moved(const struct h1 *h1, uint64_t *since, size_t *seen, uint64_t least)
{
    size_t queued = transport_queued(h1->transport);
    bool moved = queued < *seen && *seen - queued >= least;

    *seen = queued;
    if (moved) {
        *since = loop_now_ms(h1->loop);
    }
    return moved;
}

static bool turn_has_moved(struct h1_turn *turn, uint64_t least)
{
    return has_moved(turn->h1, &turn->out_since, &turn->out_seen, least);
}

/* The same for what is queued between two turns, and after the last one; that may still be there,
 * if the rest of its request is not read any more. */
static bool rest_has_moved(struct h1 *h1)
{
    size_t *seen = h1->turn ? &h1->turn->out_seen : &h1->left;

    return has_moved(h1, &h1->since, seen, pace_least(h1->settings->times.body_ms));
}

/* Has the peer taken next to nothing of what was queued at *since? What it has taken is noted, as
 * the socket may have taken a part at once, which says nothing about the time since then. */
static bool takes_nothing(const struct h1 *h1, uint64_t *since, size_t *seen)
{
    return transport_queued(h1->transport) > 0 && loop_read_ms(h1->loop) >= *since + PACE_LOOK_MS &&
           !has_moved(h1, since, seen, pace_least(PACE_LOOK_MS));
}

/* The end of the last response, too, may still wait to be taken. */
bool h1_is_stalled(struct h1 *h1)
{
    if (h1->state != H1_OPEN && h1->state != H1_FLUSH) {
        return false;
    }
    return h1->turn ? takes_nothing(h1, &h1->turn->out_since, &h1->turn->out_seen)
                    : takes_nothing(h1, &h1->since, &h1->left);
}

static void refuse_late(struct h1 *h1)
{
    static const struct h1_error late = {.status = 408, .what = "The request took too long"};

    if (!h1->turn) {
        h1_refuse(h1, &late);
    } else if (h1->role == H1_SERVER && h1->turn->out == H1_OUT_WAIT) {
        h1_refuse_turn(h1, ERR_TIMEOUT, &late);
    } else {
        h1_fail(h1, ERR_TIMEOUT);
    }
}

void h1_expire(struct h1 *h1)
{
    struct deadline passed = next_deadline(h1);

    if (passed.wait == WAIT_NONE || passed.due > loop_now_ms(h1->loop)) {
        return;
    }
    switch (passed.wait) {
    case WAIT_NONE:
        break;
    case WAIT_IDLE:
    case WAIT_CLOSE:
        h1_cut(h1);
        break;
    case WAIT_HEAD:
    case WAIT_IN:
        refuse_late(h1);
        break;
    case WAIT_RESPONSE:
        h1_fail(h1, ERR_TIMEOUT);
        break;
    case WAIT_OUT:
        if (!turn_has_moved(h1->turn, pace_least(out_limit(h1, h1->turn)))) {
            h1_fail(h1, ERR_TIMEOUT);
        }
        break;
    case WAIT_REST:
        if (!rest_has_moved(h1)) {
            h1_cut(h1);
        }
        break;
    case WAIT_TUNNEL:
        if (!turn_has_moved(h1->turn, 1)) {
            h1_fail(h1, ERR_TIMEOUT);
        }
        break;
    }
}
