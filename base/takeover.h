/*
 * takeover - a newer process takes over from an older one without refusing any client: the
 * listening sockets are passed through a unix socket. The reasons are in docs/adr/0011.
 *
 *     newer                                    older
 *     takeover_ask()      ---- hello ------>   checks that it is the same user and program
 *                         <-- gift, sockets --
 *     starts with them; when it serves:
 *     takeover_tell_ready()---- ready ------>   on_ready(): accepts no clients, drains
 *                         <--- released ----   takeover_release(): the store is no longer used
 *     on_released()
 *                         <--- (the end) ---   has ended
 *     on_ended()
 *
 * A newer process that ends before it is ready changes nothing for the older one. The newer half
 * exists once per process, on its first thread; the older half belongs to a loop.
 */
#ifndef LARDER_BASE_TAKEOVER_H
#define LARDER_BASE_TAKEOVER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define TAKEOVER_PROGRAM 16

/* What the older process passes on besides sockets. */
struct takeover_gift {
    char program[TAKEOVER_PROGRAM]; /* such as "larder-proxy"; NUL-terminated */
    uint32_t sockets;
    uint64_t watchdog_ms; /* base/notify.h */
    bool holds_store;     /* the store, to which `secret` belongs, follows with `released` */
    bool gives_streams;   /* its standard output and error are passed before the sockets */
    uint8_t secret[16];
};

/* ---- the older process ---- */

struct takeover;

struct takeover_events {
    /* Returns why taking over is impossible at the moment, for the log; NULL: it is possible. May
     * be NULL. */
    const char *(*refuses)(void *arg);
    void (*on_gift)(void *arg,
                    struct takeover_gift *gift); /* adds what the owner passes on; may be NULL */
    void (*on_ready)(void *arg);                 /* called once: the newer process serves now */
    void *arg;
};

/* Waits for a newer process of the same program at a unix socket, which is made or inherited,
 * and which is passed on with all of base/inherited.h. Returns 0, or a negative errno after
 * logging it. */
int takeover_open(uv_loop_t *loop, const char *path, const char *program,
                  const struct takeover_events *events, struct takeover **out);
/* Was on_ready() called? Accepts NULL. */
bool takeover_is_ready(const struct takeover *takeover);
/* Tells the newer process that the store is free. After on_ready(). Accepts NULL. */
void takeover_release(struct takeover *takeover);
/* Stops waiting. A newer process that is ready notices our end when this process ends. Accepts
 * NULL; sets *takeover to NULL. */
void takeover_close(struct takeover **takeover);

/* ---- the newer process ---- */

/* Asks the process at the path. Returns 0: its sockets are in base/inherited.h, and takeover_gift()
 * has the rest. Otherwise a negative code, and *why for people. Waits a while for the answer.
 * Raises the limit of descriptors first (files.h), as there may be many sockets. */
int takeover_ask(const char *path, const char *program, const char **why);
/* NULL: this process has not taken over from another. */
const struct takeover_gift *takeover_gift(void);
/* This process serves now: tells the service manager, the older process if there is one, and
 * whoever started us with LARDER_READY_FD, a descriptor to which a byte is written. In the last
 * case standard output and error are those of the older process from then on. */
void takeover_tell_ready(void);
/* For main(): asks, and prints on standard error why it failed. `path` may be NULL. */
int takeover_begin(const char *path, const char *program);

struct takeover_end {
    /* Called once: the store is free, at the latest when the older process has ended. May be
     * NULL. */
    void (*on_released)(void *arg);
    void (*on_ended)(void *arg); /* called once, after that; may be NULL */
    void *arg;
};
/* Reports from now on what the older process does; does nothing if there is none. The loop's handle
 * closes itself at the end, or by takeover_forget(). */
void takeover_watch(uv_loop_t *loop, const struct takeover_end *end);
void takeover_forget(void);

#endif
