/*
 * loop - an event loop and what it offers to everything that runs on it: a read buffer, an output
 * buffer, a coarse clock, coarse timeouts, and a mailbox through which other threads call in.
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
    uint64_t due; /* loop milliseconds; 0: not set */
    void (*fire)(struct timeout *timeout);
};

/* A call to be made on a loop. Part of its owner. Posting a pending letter does nothing and returns
 * false; it may be posted again once it was called. */
struct letter {
    struct letter *next;
    _Atomic int pending;
    void (*call)(struct letter *letter);
};

struct loop;

/* Ignores SIGPIPE for the whole process: writes report a closed peer as an error. */
int loop_new(struct loop **out);
/* The loop may have no open handles but its own. Accepts NULL; sets *loop to NULL. */
void loop_free(struct loop **loop);
uv_loop_t *loop_uv(struct loop *loop);
/* Runs until loop_stop() was called and all handles are closed. Letters posted before that are
 * called. */
void loop_run(struct loop *loop);
/* Only for the loop's own thread; other threads post a letter that calls it. */
void loop_stop(struct loop *loop);

/* Calls letter->call(letter) on the loop's thread, soon, outside any other handler. Thread-safe and
 * lock-free. False: it was pending already. */
bool loop_post(struct loop *loop, struct letter *letter);

/* The read buffer of the loop: valid inside one read callback only. */
char *loop_read_buffer(struct loop *loop);

/* The output buffer for corked bytes: whoever fills it must empty it before its handler returns. */
struct buf *loop_out(struct loop *loop);

/* Buffers for TLS: made at their first use, then kept. */
struct loop_tls {
    char plain[LOOP_READ_BUFFER]; /* decrypted; valid inside the read callback */
    char gathered[65536];         /* plaintext of records from several spans */
    struct buf sealed;            /* ciphertext; emptied before a handler returns */
    struct list row;              /* handshakes that wait for their turn to begin */
    struct timeout next;          /* the next turn, while some wait */
    uint64_t turn;                /* the loop turn in which */
    unsigned begun;               /* so many handshakes began */
};
struct loop_tls *loop_tls(struct loop *loop);
/* How many turns the loop has made. */
uint64_t loop_turns(const struct loop *loop);

/* A pipe for what goes from socket to socket; empty between two calls. NULL: none can be had. */
struct loop_pipe {
    int in, out;
};
const struct loop_pipe *loop_pipe(struct loop *loop);

/* Scratch memory for parsing a message: whoever uses it resets it before its handler returns. */
struct arena *loop_arena(struct loop *loop);

/* For blocks that live as long as a request or a write. */
struct pool *loop_pool(struct loop *loop);
/* A pool for temporary guests of the loop: it is freed when the last one has left. */
struct pool *loop_guests_come(struct loop *loop);
void loop_guests_leave(struct loop *loop);

/* For blocks that live as long as a connection. */
struct pages *loop_pages(struct loop *loop);

/* The clock is read once per loop turn. */
uint64_t loop_now_ms(const struct loop *loop); /* monotonic */
/* The same clock, but for what peers have not done: what had come by then was read. By
 * loop_now_ms() they seem to have been silent, too, while this process could not run. */
uint64_t loop_read_ms(const struct loop *loop);
int64_t loop_wall(struct loop *loop); /* seconds since 1970 */
int64_t loop_wall_ms(struct loop *loop);
/* The clock in microseconds, monotonic: read anew each time, but for what happens between
 * loop_clock_hold() and loop_clock_go() at the same time: it came by one read, or left by one
 * write. */
uint64_t loop_now_us(const struct loop *loop);
void loop_clock_hold(struct loop *loop);
void loop_clock_go(struct loop *loop);
/* The current Date, DATE_LEN bytes; formatted once a second. */
struct span loop_date(struct loop *loop);

/* Timeouts are coarse (100 ms) and cheap: setting, moving and clearing are O(1). 0 ms is exact: it
 * fires after the handlers of this turn, outside any of them. A timeout is cleared before it fires.
 * Call timeout_init() before the first use. */
void timeout_init(struct timeout *timeout, void (*fire)(struct timeout *timeout));
void timeout_set(struct loop *loop, struct timeout *timeout, uint64_t ms);
void timeout_clear(struct timeout *timeout);

#endif
