/*
 * loop - what one event loop lends to everything that runs on it: the read buffer, the output
 * buffer, a coarse clock, coarse timeouts, and a mailbox through which other threads call in.
 *
 * Belongs to the thread that runs it, except loop_post().
 */
#ifndef LARDER_PROXY_STREAM_LOOP_H
#define LARDER_PROXY_STREAM_LOOP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/pages.h"
#include "base/pool.h"
#include "http/date.h"

#include <uv.h>

#define LOOP_READ_BUFFER 65536

struct timeout {
    struct list link;
    uint64_t due; /* loop milliseconds; 0 when not set */
    void (*fire)(struct timeout *timeout);
};

/* Something to be called on a loop. Embedded in its owner; may be posted again only after it was
 * called (posting a pending one is a no-op that returns false). */
struct letter {
    struct letter *next;
    _Atomic int pending;
    void (*call)(struct letter *letter);
};

struct loop;

/* Ignores SIGPIPE for the whole process: writes report a closed peer as an error. */
int loop_new(struct loop **out);
/* The loop must have no open handles but its own. Accepts NULL. */
void loop_free(struct loop **loop);
uv_loop_t *loop_uv(struct loop *loop);
/* Runs until loop_stop() and all handles are closed. Letters posted before that are called. */
void loop_run(struct loop *loop);
/* On the loop's own thread; from elsewhere post a letter that calls it. */
void loop_stop(struct loop *loop);

/* From any thread, lock-free: letter->call(letter) on the loop's thread, soon, outside any other
 * handler. False when it was pending already. */
bool loop_post(struct loop *loop, struct letter *letter);

/* One buffer per loop: valid only inside the read callback it was used in. */
char *loop_read_buffer(struct loop *loop);

/* Scratch space for corked output: emptied by whoever fills it before the handler returns. */
struct buf *loop_out(struct loop *loop);

/* What TLS needs beside: made at its first use, then kept. */
struct loop_tls {
    char plain[LOOP_READ_BUFFER]; /* decrypted; valid inside the read callback */
    char gathered[65536];         /* plaintext of records from several spans */
    struct buf sealed;            /* emptied before a handler returns */
    uint64_t turn;                /* of the loop, in which */
    unsigned begun;               /* so many handshakes were begun */
};
struct loop_tls *loop_tls(struct loop *loop);
/* Turns of the loop so far. */
uint64_t loop_turns(const struct loop *loop);

/* Scratch memory for parsing one message; reset by whoever uses it before the handler returns. */
struct arena *loop_arena(struct loop *loop);

/* Blocks that live as long as a request or a write. */
struct pool *loop_pool(struct loop *loop);
/* One of its own for who comes and goes: what it keeps is freed when the last has left. */
struct pool *loop_guests_come(struct loop *loop);
void loop_guests_leave(struct loop *loop);

/* Blocks that live as long as a connection, and rest while it does. */
struct pages *loop_pages(struct loop *loop);

/* Read once per loop turn. */
uint64_t loop_now_ms(const struct loop *loop); /* monotonic */
int64_t loop_wall(struct loop *loop);          /* seconds since 1970 */
int64_t loop_wall_ms(struct loop *loop);
/* The Date of now, DATE_LEN bytes, formatted once a second. */
struct span loop_date(struct loop *loop);

/* Coarse (100 ms) and cheap: setting, moving and clearing are O(1). 0 ms is exact: it fires when
 * the handlers of this turn are done, outside any of them. A timeout that fires is cleared first.
 * timeout_init() before the first use. */
void timeout_init(struct timeout *timeout, void (*fire)(struct timeout *timeout));
void timeout_set(struct loop *loop, struct timeout *timeout, uint64_t ms);
void timeout_clear(struct timeout *timeout);

#endif
