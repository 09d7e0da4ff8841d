/*
 * s3fifo - the eviction policy of the store: S3-FIFO over segments, by worth. Decisions only,
 * without segments or I/O, so that bench/hitratio can use it, too. docs/hitratio.md explains it,
 * adr/0004 gives the reasons.
 *
 * S3-FIFO (Yang et al., SOSP 2023): new objects are written to the probation log, which has a
 * fourteenth of the store. When the oldest segment of a log is evicted, its objects of the highest
 * worth are copied to the main log; the others leave the store and are remembered as ghosts. The
 * worth of an object is its use count in relation to its size (enum s3_favor). A use raises the
 * count; each turn, which is one passage through the main log, lowers it by a tenth. The bar is the
 * worth above which a fifth of the evicted bytes lie. So the bytes copied are always a quarter of
 * the bytes newly written, whatever is requested. An object that returns while its ghost is
 * remembered begins with a higher count, and in the main log if its worth is above the bar.
 *
 * An object that was not used during a turn (idle) may be requested again later or never. Which of
 * both is usual is learned from objects that were hot and then idle for a turn: the share of them
 * that is idle for the next turn, too. The larger this share is, the less idle objects are worth;
 * and the more of the hot objects die, the larger the probation log becomes.
 *
 * Belongs to one thread, except s3_hit…(), which are pure.
 */
#ifndef LARDER_CACHE_STORE_S3FIFO_H
#define LARDER_CACHE_STORE_S3FIFO_H

#include "cache/store/ghosts.h"

enum s3_log { S3_PROBATION, S3_MAIN, S3_LOGS };

/* What the store is optimised for. The fraction is the worth of one use of an object that is 16
 * times as large, in relation to the smaller one. */
enum s3_favor {
    S3_OBJECTS, /* many requests answered: an eighth */
    S3_BOTH,    /* a compromise: a quarter */
    S3_BYTES,   /* few bytes fetched from origins: the same worth */
};

#define S3_CLASSES 256

/* A histogram of the bytes evicted lately, by classes of worth. Each class is a quarter of a power
 * of two. */
struct s3_scale {
    uint64_t bytes[S3_CLASSES];
    uint64_t total;
    uint64_t kept;     /* bytes of `total` that were copied to the main log */
    uint64_t credit;   /* added to `total` when `kept` is judged, at the start */
    uint64_t since;    /* bytes counted since the bars were set */
    unsigned bar;      /* objects of higher classes are kept; 0: not known so far */
    unsigned high_bar; /* the bar for S3_PRESSED */
};

/* A share of the objects seen lately: `matching` of `all`. */
struct s3_share {
    unsigned matching, all;
    uint64_t since; /* value of drift.passed when both were halved */
};

/* How fast popularity changes, learned from objects evicted from the main log. */
struct s3_drift {
    struct s3_share idle;  /* of hot objects: not used during their last turn */
    struct s3_share again; /* of objects that were hot and then idle for a turn: idle once more */
    uint64_t passed;       /* bytes evicted from the main log so far */
};

struct s3fifo {
    uint64_t capacity; /* bytes of all segments together */
    uint64_t step;     /* bytes of one segment */
    enum s3_favor favor;
    struct ghosts ghosts;
    struct s3_scale scale;
    struct s3_drift drift;
};

/* An object in a segment that is being evicted. */
struct s3_object {
    enum s3_log log; /* the log of the segment */
    uint32_t tag;    /* 32 bits of the key's hash, always the same ones */
    uint8_t hits;    /* the counter, see below */
    uint64_t size;   /* bytes, head and body */
};

/* How urgently room is needed, which limits the share of the evicted bytes that is copied. */
enum s3_pressure {
    S3_CALM,    /* a fifth */
    S3_PRESSED, /* a twentieth: writing comes near the limit of the disk */
    S3_CRUSHED, /* nothing: there is no time to copy */
};

enum s3_fate {
    S3_KEEP,     /* copy it to the main log */
    S3_REMEMBER, /* it leaves the store; call s3fifo_remember() to leave a ghost */
};

/* Memory: 2 KiB, and 4 bytes for each ghost, counted as MEMORY_STORE. There are as many ghosts as
 * objects, or up to twice as many. */
void s3fifo_init(struct s3fifo *policy, uint64_t capacity, uint64_t step, enum s3_favor favor);
void s3fifo_fini(struct s3fifo *policy);

/* The log that a new object is written to; *hits is the initial value of its counter. Removes the
 * object's ghost. */
enum s3_log s3fifo_place(struct s3fifo *policy, uint32_t tag, uint64_t size, uint8_t *hits);

/* The log whose oldest segment is evicted next. `probation` and `main` are the bytes of their
 * segments. */
enum s3_log s3fifo_victim(const struct s3fifo *policy, uint64_t probation, uint64_t main);

/* Decides about an object whose segment is being evicted. *hits is the counter to begin with if it
 * is kept. Changes nothing, so it may be called again when more of the object is known. */
enum s3_fate s3fifo_judge(const struct s3fifo *policy, const struct s3_object *object,
                          enum s3_pressure pressure, uint8_t *hits);
/* Learns from an evicted object and its fate, and adapts the bar. To be called once for each object
 * whose segment is evicted. */
void s3fifo_weigh(struct s3fifo *policy, const struct s3_object *object, enum s3_fate fate);
/* Leaves a ghost. `objects`: how many the store has; about as many ghosts are remembered. */
void s3fifo_remember(struct s3fifo *policy, uint32_t tag, uint64_t objects);

/* ---- the counter ---- */

/* Bit 0: the object was used since it was written, or since its current turn began. The other bits
 * are the count, in sixths of a use. The remainder of the count modulo S3_HITS_USE marks an object
 * that was hot and then idle for a turn: it is S3_HITS_IDLE for those and for no others. Uses do
 * not change the remainder, so the mark lasts until the end of the turn. */
#define S3_HITS_MAX 127
#define S3_HITS_USED 1
#define S3_HITS_USE 12    /* added by a use */
#define S3_HITS_NEW 4     /* initial count of a new object */
#define S3_HITS_BACK 16   /* initial count of an object that had a ghost */
#define S3_HITS_HOT 78    /* least count of a hot object */
#define S3_HITS_IDLE 6    /* the remainder that marks hot and idle objects */
#define S3_HITS_BOUND 124 /* largest count; for a marked object it is 2 more */

static inline uint8_t s3_hits_count(uint8_t hits)
{
    return hits & (uint8_t)~S3_HITS_USED;
}

static inline bool s3_hits_was_idle(uint8_t hits)
{
    return s3_hits_count(hits) % S3_HITS_USE == S3_HITS_IDLE;
}

/* Adds two counters. */
static inline uint8_t s3_hits_add(uint8_t hits, uint8_t more)
{
    unsigned count = (unsigned)s3_hits_count(hits) + s3_hits_count(more);
    unsigned bound = s3_hits_was_idle(hits) ? S3_HITS_BOUND + 2 : S3_HITS_BOUND;

    return (uint8_t)((count < bound ? count : bound) | ((hits | more) & S3_HITS_USED));
}

_Static_assert((S3_HITS_BOUND + 2) % S3_HITS_USE == S3_HITS_IDLE,
               "the bound of marked objects keeps the mark");
_Static_assert(S3_HITS_BOUND % S3_HITS_USE == S3_HITS_NEW &&
                   S3_HITS_BACK % S3_HITS_USE == S3_HITS_NEW && S3_HITS_NEW != S3_HITS_IDLE,
               "unmarked objects have another remainder");

/* The counter after `uses` more uses. */
static inline uint8_t s3_hits_use(uint8_t hits, unsigned uses)
{
    bool is_count = uses <= S3_HITS_MAX / S3_HITS_USE;

    return s3_hits_add(hits, is_count ? (uint8_t)(uses * S3_HITS_USE | (uses > 0)) : S3_HITS_MAX);
}

/* The counter after one more use. */
static inline uint8_t s3_hit(uint8_t hits)
{
    return s3_hits_use(hits, 1);
}

#endif
