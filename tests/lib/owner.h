/*
 * owner - the owner of a stream, played by a test: it writes down every event and does what it was
 * told to do in each.
 *
 * The log is one letter an event: "h" head (with its status or method), "d" data (pieces in a row
 * are one), "e" end, "s" sent, "c" close (with its code). A typical server log is "hGET e s c0".
 */
#ifndef LARDER_TESTS_LIB_OWNER_H
#define LARDER_TESTS_LIB_OWNER_H

#include "base/buf.h"
#include "proxy/stream/loop.h"
#include "proxy/stream/stream.h"

struct owner {
    struct stream *stream; /* NULL once it is dead */
    char log[256];
    struct buf data;         /* body bytes so far */
    uint64_t got;            /* their number */
    bool keeps_data;         /* else only counted */
    bool is_closed;          /* on_close came */
    int err;                 /* with this code */
    uint64_t sent, received; /* as the stream counted them until then */
    int depth;               /* events running: more than one is a bug */
    struct http_head head;   /* the last one; its spans are dead */
    bool is_chunked;

    enum stream_flow flow; /* what on_data answers */
    struct stream *sink;   /* where a tunnel's bytes may go at once, when sink_flow is MORE */
    enum stream_flow sink_flow;
    int asked_for_sink;
    char acts_in; /* the event (its letter) in which act() is called */
    void (*act)(struct owner *owner);
    void *arg;
};

void owner_init(struct owner *owner, struct stream *stream);
void owner_fini(struct owner *owner);
bool owner_log_is(const struct owner *owner, const char *log);

/* For act(): stream_close(), as its owner. */
void owner_gives_up(struct owner *owner);

/* A response or request head on the stack, with one field "X-Test: yes". */
struct test_head {
    struct http_head head;
    struct arena arena;
};
void test_response(struct test_head *made, int status, enum http_framing framing, int64_t length);
void test_request(struct test_head *made, enum http_method method, const char *target,
                  enum http_framing framing, int64_t length);
void test_head_fini(struct test_head *made);

/* ---- a body ---- */

/*
 * A source of `total` bytes in pieces of `piece`, whose every byte tells its position.
 */
struct feed {
    struct source source;
    struct loop *loop;
    struct letter letter;
    uint64_t total;
    uint64_t pos;
    size_t piece;
    bool starves; /* says ERR_AGAIN before every piece and wakes through the loop */
    bool is_held; /* and does not wake until feed_go() */
    bool is_ready;
    int err; /* returned at the end instead of a proper end */
    int drops;
};

void feed_init(struct feed *feed, struct loop *loop, uint64_t total, size_t piece);
void feed_go(struct feed *feed);
/* `bytes` are those of a feed from position `at` on. */
bool feed_is(struct span bytes, uint64_t at);

#endif
