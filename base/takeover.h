/*
 * takeover - a newer process takes the place of an older one, and nobody is refused meanwhile: the
 * listening sockets go from one to the other through a unix socket. docs/adr/0011 says why so.
 *
 *     newer                                    older
 *     takeover_ask()      ---- hello ------>   the same user and program, or nobody
 *                         <-- gift, sockets --
 *     starts with them; when it serves:
 *     takeover_tell_ready()---- ready ------>   on_ready(): accepts nobody any more, drains
 *                         <--- released ----   takeover_release(): nothing of the store is in use
 *     on_released()
 *                         <--- (the end) ---   has ended
 *     on_ended()
 *
 * A newer one that ends before it is ready changes nothing for the older one. The newer half is one
 * for the process, and its first thread's; the older one belongs to a loop.
 */
#ifndef LARDER_BASE_TAKEOVER_H
#define LARDER_BASE_TAKEOVER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define TAKEOVER_PROGRAM 16

/* What the older one tells beside its sockets. */
struct takeover_gift {
    char program[TAKEOVER_PROGRAM]; /* such as "larder-proxy"; ended by NUL */
    uint32_t sockets;
    uint64_t watchdog_ms; /* base/notify.h */
    bool holds_store;     /* it comes with `released`, not before; so does `secret` belong to it */
    bool gives_streams;   /* its standard output and error are what it gives first */
    uint8_t secret[16];
};

/* ---- the older one ---- */

struct takeover;

struct takeover_events {
    /* Why nobody may take over at the moment, for the log; NULL: who asks may. May be NULL. */
    const char *(*refuses)(void *arg);
    void (*on_gift)(void *arg, struct takeover_gift *gift); /* fills what is its own. May be NULL */
    void (*on_ready)(void *arg);                            /* once: another serves now */
    void *arg;
};

/* Waits for a newer one of the same program at a unix socket, which is made, or inherited, and is
 * offered with all that is in base/inherited.h. 0 or a negative errno, with a line in the log. */
int takeover_open(uv_loop_t *loop, const char *path, const char *program,
                  const struct takeover_events *events, struct takeover **out);
/* on_ready() was called. Accepts NULL. */
bool takeover_is_ready(const struct takeover *takeover);
/* Tells the newer one that the store is free. After on_ready(). Accepts NULL. */
void takeover_release(struct takeover *takeover);
/* Stops waiting. Who has become ready learns of our end by the end of the process. Accepts NULL;
 * sets it to NULL. */
void takeover_close(struct takeover **takeover);

/* ---- the newer one ---- */

/* Asks at the path. 0: its sockets are in base/inherited.h, and takeover_gift() is what it told.
 * Otherwise a negative code, and *why for people. Waits a while for the answer. Takes all
 * descriptors that the system gives (files.h): there may be many sockets. */
int takeover_ask(const char *path, const char *program, const char **why);
/* NULL: we began by ourselves. */
const struct takeover_gift *takeover_gift(void);
/* We serve: the service manager learns it, the older process, if there is one, and who started us
 * with LARDER_READY_FD, the number of a descriptor, to which a byte is written. With that one our
 * standard output and error are those of the older process from then on. */
void takeover_tell_ready(void);
/* For main(): asks, and tells on standard error what kept it from being given. `path` may be NULL.
 */
int takeover_begin(const char *path, const char *program);

struct takeover_end {
    /* Once: the store is free, be it by the end of the process. May be NULL. */
    void (*on_released)(void *arg);
    void (*on_ended)(void *arg); /* once, after that. May be NULL */
    void *arg;
};
/* Listens for what becomes of the older one, from now on; nothing when we began by ourselves. The
 * loop's handle closes itself in the end, or with takeover_forget(). */
void takeover_watch(uv_loop_t *loop, const struct takeover_end *end);
void takeover_forget(void);

#endif
