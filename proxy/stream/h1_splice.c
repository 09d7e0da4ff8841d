/*
 * In a tunnel with much traffic bytes go from one socket to the other by splice(2), without a copy,
 * as long as the other socket takes them. What it does not take goes the ordinary way: to on_data,
 * and from the owner's source to the other stream; nothing more is read until that is empty again.
 *
 * With little traffic reading and writing costs no more, and saves a turn of the loop.
 */
#include "proxy/stream/h1_conn.h"

enum {
    FLOW_LEAST = 16384, /* bytes moved at once from which splicing is worth while */
    ROUNDS = 16,        /* moves after which other connections get their turn */
};

bool h1_wants_splice(const struct h1 *h1)
{
    const struct h1_turn *turn = h1->turn;

    return turn && turn->in == H1_IN_RAW && turn->is_flowing && !turn->is_detached &&
           turn->stream.events->sink && buf_len(&h1->in) == 0 && !transport_tls(h1->transport);
}

void h1_note_flow(struct h1_turn *turn, size_t bytes)
{
    turn->is_flowing = bytes >= FLOW_LEAST;
}

/* Was everything sent, so that the turn waits for its source? */
static bool is_open(const struct h1_turn *turn)
{
    const struct h1 *h1 = turn->h1;

    return h1->state == H1_OPEN && !h1->is_pumping && turn->out == H1_OUT_RAW && turn->is_starved &&
           !turn->held && transport_takes_splice(h1->transport);
}

static struct h1_turn *open_sink(struct h1_turn *turn)
{
    struct stream *sink;

    turn->is_paused = turn->stream.events->sink(turn->stream.owner, &sink) == STREAM_PAUSE;
    if (turn->is_paused || !sink || sink->ops != &h1_stream_ops) {
        return NULL;
    }
    struct h1_turn *to = container_of(sink, struct h1_turn, stream);
    return is_open(to) ? to : NULL;
}

static void count(struct h1_turn *turn, struct h1_turn *to, size_t bytes)
{
    uint64_t now = loop_now_ms(turn->h1->loop);

    turn->stream.received += bytes;
    turn->in_since = now;
    pace_in_add(&turn->in_pace, bytes, now);
    to->stream.sent += bytes;
    to->out_since = now;
}

/* Moves some bytes. Returns true if there may be more. */
static bool splice_some(struct h1 *h1, struct h1_turn *turn, struct h1_turn *to)
{
    ssize_t n = transport_splice(h1->transport, to->h1->transport, &h1->rest);

    if (n < 0) {
        h1_fail(h1, (int)n);
        return false;
    }
    h1_note_flow(turn, (size_t)n);
    if (n > 0) {
        count(turn, to, (size_t)n - h1->rest.len);
    }
    return n == LOOP_READ_BUFFER && h1->rest.len == 0;
}

void h1_splice(struct h1 *h1)
{
    struct h1_turn *turn = h1->turn;
    struct h1_turn *to = open_sink(turn);

    turn->is_flowing = to != NULL || turn->is_paused;
    for (int i = 0; to && i < ROUNDS && splice_some(h1, turn, to); i++) {
    }
}
