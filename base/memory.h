/*
 * memory - what the process holds for its traffic, by purpose, and how much that may be. One
 * account for the whole process; any thread.
 *
 * Whoever takes memory that grows with the traffic says so, and says so again when it is given
 * back. Threads count on cache lines of their own; a total is kept beside, and is off by at most
 * MEMORY_STRIPES * MEMORY_SLACK bytes.
 *
 * Under the limit lie three marks, and each stands for what has to give way:
 *
 *   0            3/4          7/8          limit
 *   |-------------|------------|-------------|------------->
 *   | all is kept | hot objects| transfers   | what would take
 *   |             | make room  | are narrow, | more is refused
 *   |             |            | not stored  |
 */
#ifndef LARDER_BASE_MEMORY_H
#define LARDER_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* clang-format off */
/* id, word in metrics, counted against the limit?, what it is */
#define MEMORY_PURPOSES(X)                                                                         \
    X(BODIES,      "bodies",      true,  "bodies")                                                 \
    X(PROMISED,    "promised",    true,  "room kept for bodies that have begun to arrive")         \
    X(HEADS,       "heads",       true,  "heads of responses")                                     \
    X(ENTRIES,     "entries",     true,  "the table of what is in memory")                         \
    X(FLIGHTS,     "flights",     true,  "fetches that several requests may share")                \
    X(PARTS,       "parts",       true,  "tables of responses known in parts")                     \
    X(QUEUED,      "queued",      true,  "what waits for the disk, without bodies")                \
    X(REQUESTS,    "requests",    true,  "requests under way, to us and to origins")               \
    X(CONNECTIONS, "connections", true,  "connections")                                            \
    X(BUFFERS,     "buffers",     true,  "received and not parsed, sent and not taken")            \
    X(TLS,         "tls",         false, "OpenSSL, without its connections")                       \
    X(LOOPS,       "loops",       false, "event loops")                                            \
    X(NAMES,       "names",       false, "addresses of origins")                                   \
    X(LOG,         "log",         false, "lines of the access log")                                \
    X(STORE,       "store",       false, "tables of the store")                                    \
    X(DASHBOARD,   "dashboard",   false, "what the dashboard shows of the past")
/* clang-format on */

enum memory_purpose {
#define X(id, word, limited, text) MEMORY_##id,
    MEMORY_PURPOSES(X)
#undef X
        MEMORY_COUNT
};

#define MEMORY_STRIPES 16
#define MEMORY_SLACK 8192

void memory_take(enum memory_purpose purpose, size_t bytes);
void memory_give(enum memory_purpose purpose, size_t bytes);

/* ---- the limit ---- */

/* For what is counted against it. 0, as at the start of the process: none. */
void memory_set_limit(size_t bytes);
size_t memory_limit(void);
/* Of what is counted against the limit; cheap, a little behind. */
size_t memory_used(void);

/* Bytes above the first mark: what hot objects should give back. */
size_t memory_excess(void);
/* So many bytes more would still be below the first mark: nobody has to make room for them. */
bool memory_has_free(size_t bytes);
/* Above the second mark: whoever transfers makes do with the least that can move. */
bool memory_is_tight(void);
/* Above the limit: nothing may begin that would take more. */
bool memory_is_over(void);
/* An eighth above it: not even connections. */
bool memory_is_swamped(void);

/* Keeps room below the second mark as MEMORY_PROMISED, to be given back as such. False when there
 * is none, even after relief. */
bool memory_promise(size_t bytes);
/* The same below the limit, for the least with which something can begin. */
bool memory_begin(size_t bytes);

/* Whoever holds hot objects: relief(arg, bytes) gives back about so many bytes. Called from any
 * thread with no lock of the caller's that it could need. NULL: nobody. */
void memory_set_relief(void (*relief)(void *arg, size_t bytes), void *arg);
/* Above the first mark hot objects make room. To be called where much is taken. */
void memory_relieve(void);

/* To be called first in main. The heap grows by large steps, so that what is stored costs no system
 * call of its own, and gives back what is free at its end: left to itself glibc raises that mark
 * with every large block that is freed, up to 64 MiB for each thread. */
void memory_shape_heap(void);

/* So much was taken and freed again without being counted. Any thread. */
void memory_freed(size_t bytes);

/* After a burst the heap holds on to what was freed. Called now and then, by one thread: when much
 * less is used than at most since the last time, or much was freed that is not counted, it goes
 * back to the system as soon as no more of it comes, and true is returned. Takes some milliseconds
 * then, during which others may wait to allocate. */
bool memory_trim(void);
/* That at once, whatever is counted: for who has given back much at one time. */
void memory_give_back(void);

/* ---- looking ---- */

const char *memory_word(enum memory_purpose purpose);
const char *memory_text(enum memory_purpose purpose);
bool memory_is_limited(enum memory_purpose purpose);
/* Exact when nothing changes meanwhile. */
uint64_t memory_sum(enum memory_purpose purpose);
/* Bytes of all the process's memory that are in RAM and belong to no file: VmRSS without what is
 * mapped from disk. 0 when the system does not say. */
uint64_t memory_resident(void);

#endif
