/*
 * TLS below a transport. Ciphertext comes in the loop's read buffer and leaves from one buffer of
 * the loop by one write; plaintext is decrypted into another one and handed up at once. So a
 * connection that waits holds nothing but what its engine has of an incomplete record.
 *
 * Records grow with the transfer: the first ones fit a packet, so that a browser can use what has
 * come; after 64 KiB they are as large as they may be. A second of silence makes them small again,
 * since the network's window is, too.
 */
#include "proxy/stream/transport_parts.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/memory.h"
#include "base/touch.h"

enum {
    RECORD_SMALL = 1300,
    GROWN = 65536,     /* bytes after which records are large */
    SILENCE_MS = 1000, /* silence after which records are small again */
    STEP = 65536,      /* bytes of a lent span that are encrypted at once */
    STEP_TIGHT = 16384,
    /* bytes of a lent span that are sent in one call, so that other connections get their turn */
    BUDGET = 262144,
    ANSWERS_MAX = 1 << 20, /* most bytes queued when OpenSSL has written an answer by itself */
    /* handshakes begun per turn of the loop: each may cost a millisecond for the private key */
    HANDSHAKES_A_TURN = 4,
};

/* ---- sealed bytes out ---- */

static struct buf *sealed_of(struct transport *transport)
{
    return &loop_tls(transport_loop(transport))->sealed;
}

/* Writes what is sealed, or queues it; `later`: queues all of it, so that others have their turn
 * first. */
static int flush(struct transport *transport, bool later)
{
    struct buf *sealed = sealed_of(transport);
    struct span bytes = buf_span(sealed);
    int err = 0;

    if (bytes.len) {
        ssize_t n = later ? 0 : transport_try(transport, &bytes, 1);
        err = n < 0 ? (int)n : 0;
        if (!err && (size_t)n < bytes.len) {
            err = transport_queue(transport, &bytes, 1, (size_t)n, SPAN_EMPTY);
        }
    }
    buf_clear(sealed);
    return err;
}

/* Tries to write what is sealed, and forgets the rest: the connection is about to be closed. */
static void flush_last(struct transport *transport)
{
    struct buf *sealed = sealed_of(transport);
    struct span bytes = buf_span(sealed);

    if (bytes.len) {
        transport_try(transport, &bytes, 1);
    }
    buf_clear(sealed);
}

/* ---- life ---- */

void transport_failed(struct transport *transport, int err)
{
    struct transport_tls *tls = transport->tls;

    transport_read_stop(transport);
    if (!tls || !tls->done) {
        transport->events->on_error(transport->owner, err);
        return;
    }
    void (*done)(void *owner, int err) = tls->done;
    tls->done = NULL;
    timeout_clear(&tls->limit);
    done(tls->owner, err);
}

static void on_limit(struct timeout *timeout)
{
    transport_failed(container_of(timeout, struct transport_tls, limit)->transport, ERR_TIMEOUT);
}

/* A client begins as soon as no handler runs. */
static void on_begin(struct timeout *timeout)
{
    struct transport_tls *tls = container_of(timeout, struct transport_tls, limit);
    struct transport *transport = tls->transport;

    timeout->fire = on_limit;
    if (tls->limit_ms) {
        timeout_set(transport_loop(transport), timeout, tls->limit_ms);
    }
    tls_handshake(tls->engine, sealed_of(transport));
    int err = flush(transport, false);
    if (err) {
        transport_failed(transport, err);
    }
}

void transport_start_tls(struct transport *transport, struct tls_context *context,
                         const struct handshake *handshake)
{
    const struct tls_peer *peer = handshake->peer;
    struct loop *loop = transport_loop(transport);
    struct transport_tls *tls = xcalloc(1, sizeof(*tls));

    CHECK(!transport->events && !transport->tls);
    memory_take(MEMORY_CONNECTIONS, sizeof(*tls));
    tls->engine = tls_new(context, peer);
    tls->transport = transport;
    tls->has_room = handshake->may_begin;
    tls->done = handshake->done;
    tls->owner = handshake->owner;
    tls->limit_ms = handshake->limit_ms;
    tls->may_begin = peer != NULL; /* our own requests are few enough */
    transport->tls = tls;
    list_init(&tls->row);
    timeout_init(&tls->limit, peer ? on_begin : on_limit);
    if (peer) {
        timeout_set(loop, &tls->limit, 0);
    } else if (tls->limit_ms) {
        timeout_set(loop, &tls->limit, tls->limit_ms);
    }
    uv_tcp_nodelay(&transport->tcp, 1);
    transport_read_start(transport);
}

void transport_tls_free(struct transport *transport)
{
    struct transport_tls *tls = transport->tls;

    transport->tls = NULL;
    timeout_clear(&tls->limit);
    list_remove(&tls->row);
    tls_free(&tls->engine);
    memory_give(MEMORY_CONNECTIONS, sizeof(*tls));
    free(tls);
}

void transport_tls_part(struct transport *transport)
{
    struct transport_tls *tls = transport->tls;

    if (!tls->done && transport_queued(transport) == 0) {
        tls_end(tls->engine, sealed_of(transport));
        flush_last(transport);
    }
}

/* ---- reading ---- */

/* Only a few handshakes of clients begin in one turn of the loop, so that others are served in
 * between. The rest stand in a row, and are not read meanwhile: what has come waits in the socket,
 * which poll would report again and again. */
static bool has_turn(struct loop *loop)
{
    struct loop_tls *space = loop_tls(loop);

    if (space->turn != loop_turns(loop)) {
        space->turn = loop_turns(loop);
        space->begun = 0;
    }
    return space->begun < HANDSHAKES_A_TURN;
}

static void on_turn(struct timeout *timeout)
{
    struct loop_tls *space = container_of(timeout, struct loop_tls, next);

    while (!list_empty(&space->row)) {
        struct list *first = space->row.next;
        struct transport_tls *tls = list_entry(first, struct transport_tls, row);
        struct loop *loop = transport_loop(tls->transport);
        if (!has_turn(loop)) {
            timeout_set(loop, timeout, 0);
            return;
        }
        list_remove(first);
        space->begun++;
        tls->may_begin = true;
        transport_read_start(tls->transport);
    }
}

void transport_tls_wait(struct transport *transport)
{
    struct loop *loop = transport_loop(transport);
    struct loop_tls *space = loop_tls(loop);

    transport_read_stop(transport);
    list_push_back(&space->row, &transport->tls->row);
    space->next.fire = on_turn;
    timeout_set(loop, &space->next, 0);
}

bool transport_awaits_turn(const struct transport *transport)
{
    return transport->tls && !list_empty(&transport->tls->row);
}

static bool may_begin(struct transport *transport)
{
    struct transport_tls *tls = transport->tls;
    struct loop *loop = transport_loop(transport);

    if (!tls->may_begin && list_empty(&loop_tls(loop)->row) && has_turn(loop)) {
        loop_tls(loop)->begun++;
        tls->may_begin = true;
    }
    return tls->may_begin;
}

size_t transport_tls_room(struct transport *transport)
{
    if (transport->tls->done && !may_begin(transport)) {
        return 0;
    }
    return LOOP_READ_BUFFER - TLS_RECORD_MAX - TLS_RECORD_OVERHEAD;
}

/* Answers a client that speaks HTTP to a TLS port with a sentence. */
static void answer_http(struct transport *transport)
{
    struct span sentence = SPAN("This port speaks TLS: use https:// for it.\n");

    buf_printf(sealed_of(transport),
               "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nCache-Control: no-store\r\n"
               "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%.*s",
               sentence.len, SPAN_ARGS(sentence));
}

/* Goes on with the handshake. Returns true if it is complete and the owner has kept the connection.
 */
static bool shake(struct transport *transport)
{
    struct transport_tls *tls = transport->tls;
    int err = tls_handshake(tls->engine, sealed_of(transport));

    if (err && err != ERR_AGAIN) {
        if (tls_met_http(tls->engine)) {
            answer_http(transport);
        }
        flush_last(transport);
        transport_failed(transport, err);
        return false;
    }
    int broken = flush(transport, false);
    if (broken) {
        transport_failed(transport, broken);
        return false;
    }
    if (err == ERR_AGAIN) {
        return false;
    }
    void (*done)(void *owner, int err) = tls->done;
    tls->done = NULL;
    timeout_clear(&tls->limit);
    transport_read_stop(transport); /* as transport_start() promises */
    done(tls->owner, 0);
    return !transport_is_closing(transport);
}

/* Decrypts as much as there is and fits. *next is what tls_read() has returned last. */
static size_t decrypt(struct transport *transport, char *to, ssize_t *next)
{
    size_t len = 0;

    do {
        *next = tls_read(transport->tls->engine, to + len, LOOP_READ_BUFFER - len,
                         sealed_of(transport));
        len += *next > 0 ? (size_t)*next : 0;
    } while (*next > 0 && len < LOOP_READ_BUFFER);
    return len;
}

/* Sends what the engine itself answers (alerts, KeyUpdates). A peer that causes such answers and
 * does not read them is cut off. */
static int flush_answers(struct transport *transport)
{
    bool has_any = buf_len(sealed_of(transport)) > 0;
    int err = flush(transport, false);

    return !err && has_any && transport_queued(transport) > ANSWERS_MAX ? ERR_TOO_LARGE : err;
}

static void end_input(struct transport *transport)
{
    if (!transport->tls->is_eof) {
        transport->tls->is_eof = true;
        transport_read_stop(transport);
        transport->events->on_eof(transport->owner);
    }
}

/* Hands decrypted bytes to the owner until all are taken, or the owner has closed. */
static void deliver(struct transport *transport)
{
    char *plain = loop_tls(transport_loop(transport))->plain;
    ssize_t next;

    do {
        size_t len = decrypt(transport, plain, &next);
        int err = flush_answers(transport);
        if (len) {
            transport->events->on_bytes(transport->owner, span_of(plain, len));
        }
        if (transport_is_closing(transport)) {
            return;
        }
        if (err || (next < 0 && next != ERR_AGAIN)) {
            transport_failed(transport, err ? err : (int)next);
            return;
        }
    } while (next > 0);
    if (next == 0) {
        end_input(transport);
    }
}

static void take_end(struct transport *transport, int err)
{
    struct transport_tls *tls = transport->tls;

    if (tls->done) {
        transport_failed(transport, err == UV_EOF ? ERR_CLOSED : err);
    } else if (err != UV_EOF) {
        transport_failed(transport, err);
    } else if (tls_is_server(tls->engine)) {
        end_input(transport);
    } else {
        transport_failed(transport, ERR_TRUNCATED);
    }
}

/* Is there room for a handshake that begins? Asked once. */
static bool has_room(struct transport_tls *tls)
{
    bool (*ask)(void *owner) = tls->has_room;

    tls->has_room = NULL;
    return ask == NULL || ask(tls->owner);
}

void transport_tls_read(struct transport *transport, ssize_t n, const char *bytes)
{
    struct transport_tls *tls = transport->tls;

    if (n == 0 || tls->is_eof) {
        return;
    }
    if (n < 0) {
        take_end(transport, (int)n);
        return;
    }
    if (!has_room(tls)) {
        transport_failed(transport, ERR_FULL);
        return;
    }
    tls_feed(tls->engine, span_of(bytes, (size_t)n));
    if (!tls->done || shake(transport)) {
        deliver(transport);
    }
}

/* ---- writing ---- */

/* How much plaintext is encrypted next: one small record, or several large ones, for which the
 * engine sets its buffers up once. */
static size_t record_room(struct transport *transport)
{
    struct transport_tls *tls = transport->tls;
    uint64_t now = loop_now_ms(transport_loop(transport));

    if (now - tls->written_ms >= SILENCE_MS) {
        tls->grown = 0;
    }
    tls->written_ms = now;
    return tls->grown < GROWN ? RECORD_SMALL
                              : sizeof(loop_tls(transport_loop(transport))->gathered);
}

/* Takes up to `room` bytes from the front of the spans: as they lie there, or, where they go over
 * the end of one, as a copy. */
static struct span take_plain(struct transport *transport, struct span *spans, size_t count,
                              size_t room)
{
    char *copy = loop_tls(transport_loop(transport))->gathered;
    size_t len = 0;

    for (size_t i = 0; i < count && len < room; i++) {
        struct span part = span_take(spans[i], room - len);
        spans[i] = span_skip(spans[i], part.len);
        if (len == 0 && (part.len == room || i + 1 == count)) {
            return part;
        }
        memcpy(copy + len, part.at ? part.at : "", part.len);
        len += part.len;
    }
    return span_of(copy, len);
}

/* Encrypts all of the spans behind what is sealed, and takes them. */
static int seal(struct transport *transport, struct span *spans, size_t count)
{
    struct transport_tls *tls = transport->tls;
    int err = 0;

    for (size_t left = transport_total(spans, count); !err && left > 0;) {
        struct span plain = take_plain(transport, spans, count, record_room(transport));
        left -= plain.len;
        tls->grown += plain.len;
        err = tls_write(tls->engine, plain, sealed_of(transport));
    }
    return err;
}

/* The next piece of what is lent, which may lie in a file whose disk fails just now. */
static int next_piece(struct transport *transport, struct span *piece)
{
    struct span *lent = &transport->tls->lent;

    *piece = span_take(*lent, memory_is_tight() ? STEP_TIGHT : STEP);
    *lent = span_skip(*lent, piece->len);
    return touch(*piece) ? ERR_TRUNCATED : 0;
}

/* Sends as much of what is lent as the socket takes. */
static int send_lent(struct transport *transport)
{
    struct transport_tls *tls = transport->tls;
    int err = 0;

    for (size_t spent = 0; !err && tls->lent.len > 0 && transport->pending == 0;) {
        struct span piece;
        err = next_piece(transport, &piece);
        spent += piece.len;
        err = err ? err : seal(transport, &piece, 1);
        err = err ? err : flush(transport, spent >= BUDGET && tls->lent.len > 0);
    }
    return err;
}

/* Sends the head and the beginning of what is lent in one record and one write. */
static int send_first(struct transport *transport, const struct span *given, size_t count,
                      bool keep)
{
    struct span spans[TRANSPORT_SPANS_MAX];
    int err = 0;

    memcpy(spans, given, count * sizeof(*given));
    if (keep) {
        transport->tls->lent = spans[count - 1];
        err = next_piece(transport, &spans[count - 1]);
    }
    err = err ? err : seal(transport, spans, count);
    return err ? err : flush(transport, false);
}

ssize_t transport_tls_write(struct transport *transport, const struct span *spans, size_t count,
                            bool keep)
{
    struct transport_tls *tls = transport->tls;
    int err = send_first(transport, spans, count, keep);

    err = err ? err : send_lent(transport);
    if (err) {
        tls->lent = SPAN_EMPTY;
        buf_clear(sealed_of(transport));
        return err;
    }
    return (ssize_t)(transport_total(spans, count) - tls->lent.len);
}

int transport_tls_written(struct transport *transport)
{
    int err = send_lent(transport);

    if (!err && transport->is_shutdown_due && transport->tls->lent.len == 0) {
        err = transport_tls_end(transport);
    }
    if (err) {
        transport->tls->lent = SPAN_EMPTY;
        buf_clear(sealed_of(transport));
    }
    return err;
}

int transport_tls_end(struct transport *transport)
{
    tls_end(transport->tls->engine, sealed_of(transport));
    return flush(transport, false);
}

/* ---- facts ---- */

const struct tls *transport_tls(const struct transport *transport)
{
    return transport->tls ? transport->tls->engine : NULL;
}

enum alpn transport_alpn(const struct transport *transport)
{
    return transport->tls ? tls_alpn(transport->tls->engine) : ALPN_NONE;
}
