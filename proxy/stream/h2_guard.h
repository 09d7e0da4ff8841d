/*
 * h2_guard - limits how often a peer may do things on an HTTP/2 connection that cost us something
 * and achieve nothing. Counts by kind in windows of time. Pure.
 */
#ifndef LARDER_PROXY_STREAM_H2_GUARD_H
#define LARDER_PROXY_STREAM_H2_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#define H2_GUARD_WINDOW_MS 10000

/* clang-format off */
/* id, how many in a window, word in logs and metrics, what the peer is told */
#define H2_OFFENCES(X)                                                                             \
    X(RESETS,         300,  "rapid-reset",   "too many streams reset")                             \
    X(OUR_RESETS,     100,  "made-reset",    "too many streams that had to be reset")              \
    X(SETTINGS,       50,   "settings",      "too many SETTINGS")                                  \
    X(PINGS,          200,  "ping",          "too many PINGs")                                     \
    X(EMPTY,          100,  "empty-frames",  "too many empty frames")                              \
    X(CONTINUATIONS,  200,  "continuation",  "too many CONTINUATIONs")                             \
    X(PRIORITIES,     1000, "priority",      "too many changes of priority")                       \
    X(WINDOW_UPDATES, 2000, "window-update", "too many WINDOW_UPDATEs")                            \
    X(UNKNOWN,        1000, "unknown-frame", "too many frames of unknown types")                   \
    X(GOAWAYS,        50,   "goaway",        "too many GOAWAYs")                                   \
    X(REUSE,          300,  "stream-reuse",  "too many HEADERS of streams that are over")          \
    X(HEADER_LIST,    0,    "header-list",   "a list of fields far above the limit")               \
    X(MEMORY,         0,    "memory",        "more is kept for this connection than allowed")      \
    X(PROTOCOL,       0,    "protocol",      "this is not HTTP/2")
/* clang-format on */

enum h2_offence {
#define X(id, most, word, text) H2_OFFENCE_##id,
    H2_OFFENCES(X)
#undef X
        H2_OFFENCE_COUNT
};

struct h2_guard {
    uint64_t since_ms; /* when the current window began */
    uint16_t count[H2_OFFENCE_COUNT];
    uint16_t sent; /* DATA frames sent in this window, which may cause WINDOW_UPDATEs and PINGs */
};

/* Counts one event. False: the limit is exceeded. */
bool h2_guard_allows(struct h2_guard *guard, enum h2_offence offence, uint64_t now_ms);
/* Notes that a DATA frame was sent. */
void h2_guard_sent(struct h2_guard *guard);

const char *h2_offence_word(enum h2_offence offence);
const char *h2_offence_text(enum h2_offence offence);

#endif
