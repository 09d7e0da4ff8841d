/*
 * memory - how much memory the process uses for its traffic, by purpose, and limits for it. For the
 * whole process; thread-safe.
 *
 * Whoever allocates memory that grows with the traffic counts it, and counts it again when it is
 * freed. Threads count on their own cache lines; a total is kept besides, with an error of at most
 * MEMORY_STRIPES * MEMORY_SLACK bytes.
 *
 * Below the limit there are marks at which something has to give way:
 *
 *   0            3/4          7/8          15/16        limit
 *   |-------------|------------|-------------|-------------|------------->
 *   | all is kept | hot objects| transfers   | who does    | what would take
 *   |             | make room  | are narrow, | nothing     | more is refused
 *   |             |            | not stored  | gives way   |
 */
#ifndef LARDER_BASE_MEMORY_H
#define LARDER_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* clang-format off */
/* id, word in metrics, counted against the limit?, description */
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

/* Sets the limit; 0 (initially): none. */
void memory_set_limit(size_t bytes);
size_t memory_limit(void);
/* Bytes counted against the limit; cheap, slightly outdated. */
size_t memory_used(void);

/* Bytes above the first mark, which hot objects should free. */
size_t memory_excess(void);
/* Would `bytes` more still be below the first mark? */
bool memory_has_free(size_t bytes);
/* Is it above the second mark? Then transfers use as little memory as they can. */
bool memory_is_tight(void);
/* Is it above the third mark? Then clients that hold memory and do nothing with it give way. */
bool memory_is_scarce(void);
/* Is it above the limit? Then nothing may begin that needs more. */
bool memory_is_over(void);
/* Would so much more be above the limit? Then whoever begins something that needs it is refused. */
bool memory_lacks(size_t bytes);
/* Is it an eighth above the limit? Then connections are accepted only where others give way. */
bool memory_is_swamped(void);

/* Reserves room below the second mark as MEMORY_PROMISED, under which it must be given back. False:
 * there is none, even after freeing hot objects. */
bool memory_promise(size_t bytes);
/* The same below the limit, for the minimum that something needs to begin. */
bool memory_begin(size_t bytes);

/* Sets who frees hot objects: relief(arg, bytes) frees about so many bytes. It is called from any
 * thread, without locks. NULL: nobody. */
void memory_set_relief(void (*relief)(void *arg, size_t bytes), void *arg);
/* Frees hot objects if memory is above the first mark. To be called where much is allocated. */
void memory_relieve(void);

/* To be called first in main(). Lets the heap grow in large steps, which saves system calls, and
 * return free memory at its end. By default glibc raises the threshold for that with every large
 * block freed, up to 64 MiB for each thread. */
void memory_shape_heap(void);

/* So much was allocated and freed without being counted. Thread-safe. */
void memory_freed(size_t bytes);

/* Returns freed memory to the system after a burst: when much less is used than at the peak since
 * the last time, or much was freed uncounted, and no more is being freed. Returns true then, after
 * some milliseconds in which allocations of others may wait. To be called now and then by one
 * thread. */
bool memory_trim(void);
/* Does that at once, after freeing much. */
void memory_give_back(void);

/* ---- looking ---- */

const char *memory_word(enum memory_purpose purpose);
const char *memory_text(enum memory_purpose purpose);
bool memory_is_limited(enum memory_purpose purpose);
/* Exact unless it changes meanwhile. */
uint64_t memory_sum(enum memory_purpose purpose);
/* Bytes of the process in RAM that belong to no file: VmRSS without mapped files. 0: unknown. */
uint64_t memory_resident(void);

#endif
