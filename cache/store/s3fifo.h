/*
 * s3fifo - what leaves the store when room is needed: the policy alone, without segments or I/O.
 * The store asks it, and so does bench/hitratio. docs/hitratio.md explains it, and adr/0004 why.
 *
 * S3-FIFO (Yang et al., SOSP 2023) over segments, by worth. What is new is written to the probation
 * log, a fourteenth of the store. When a segment is given up, what in it is worth most is copied to
 * the main log, and the rest leaves, remembered as ghosts. An object's worth is its uses for its
 * size: a count that a use raises and that falls by a tenth each time the object has gone once
 * through the main log. The bar is where a fifth of the bytes that are given up lie above it, so
 * what is copied stays at a quarter of what is new, whatever is asked for. What comes back soon
 * begins with a use, and in the main log if that is above the bar.
 *
 * What goes through the main log without a use may be out of luck, or nobody will ask for it again.
 * That is seen by what was hot and then idle for a turn: the share of it that is idle for the next
 * one, too. The more that is, the less is the worth of all that is idle, and the more of the hot
 * ones are, the longer is the probation of what is new.
 *
 * Belongs to one thread, but for s3_hit…(), which are pure.
 */
#ifndef LARDER_CACHE_STORE_S3FIFO_H
#define LARDER_CACHE_STORE_S3FIFO_H

#include "cache/store/ghosts.h"

enum s3_log { S3_PROBATION, S3_MAIN, S3_LOGS };

/* What the store is for: the worth of a use of an object 16 times as large. */
enum s3_favor {
    S3_OBJECTS, /* many requests answered: an eighth */
    S3_BOTH,    /* a quarter */
    S3_BYTES,   /* few bytes fetched: the same */
};

#define S3_CLASSES 256

/* The bytes given up lately, by worth in quarters of a power of two. */
struct s3_scale {
    uint64_t bytes[S3_CLASSES];
    uint64_t total;
    uint64_t kept;     /* of these */
    uint64_t credit;   /* as though so much more had been given up, at the start */
    uint64_t since;    /* counted since the bars were set */
    unsigned bar;      /* what is above it is kept; 0: nothing is known yet */
    unsigned high_bar; /* the same under pressure */
};

/* How many of the objects seen lately. */
struct s3_share {
    unsigned these, all;
    uint64_t since; /* bytes of the main log, when they were halved */
};

/* How fast what is popular changes, by the objects that are given up by the main log. */
struct s3_drift {
    struct s3_share idle;  /* of the hot ones: not used for a turn */
    struct s3_share again; /* of those that were hot and idle a turn ago: idle once more */
    uint64_t passed;       /* bytes of the main log */
};

struct s3fifo {
    uint64_t capacity; /* bytes of all segments together */
    uint64_t step;     /* bytes of one segment */
    enum s3_favor favor;
    struct ghosts ghosts;
    struct s3_scale scale;
    struct s3_drift drift;
};

/* An object in a segment that is given up. */
struct s3_object {
    enum s3_log log; /* of its segment */
    uint32_t tag;    /* any 32 bits of its key's hash, always the same ones */
    uint8_t hits;    /* its counter */
    uint64_t size;   /* bytes, head and body */
};

/* How badly the disk wants the room back. */
enum s3_pressure {
    S3_CALM,    /* a fifth is copied */
    S3_PRESSED, /* writing comes near what the disk can do: a twentieth */
    S3_CRUSHED, /* there is no time: nothing */
};

enum s3_fate {
    S3_KEEP,     /* copy it to the main log */
    S3_REMEMBER, /* it leaves, as a ghost: s3fifo_remember() */
};

/* Ghosts are as many as objects, or twice as many, 4 bytes each; beside them 2 KiB. */
void s3fifo_init(struct s3fifo *policy, uint64_t capacity, uint64_t step, enum s3_favor favor);
void s3fifo_fini(struct s3fifo *policy);

/* Where a new object is written, and what its counter begins with. A ghost is taken away by it. */
enum s3_log s3fifo_place(struct s3fifo *policy, uint32_t tag, uint64_t size, uint8_t *hits);

/* The log whose oldest segment is to go next, by the bytes of their segments. */
enum s3_log s3fifo_victim(const struct s3fifo *policy, uint64_t probation, uint64_t main);

/* What becomes of an object whose segment goes. *hits is what the counter of a kept one begins
 * with. Changes nothing: it may be asked again when more is known. */
enum s3_fate s3fifo_judge(const struct s3fifo *policy, const struct s3_object *object,
                          enum s3_pressure pressure, uint8_t *hits);
/* Sets the bar by it, and learns what dies: once for each object whose segment goes, with what
 * became of it.
 */
void s3fifo_weigh(struct s3fifo *policy, const struct s3_object *object, enum s3_fate fate);
/* `objects`: how many there are in the store; ghosts are remembered for about as many. */
void s3fifo_remember(struct s3fifo *policy, uint32_t tag, uint64_t objects);

/* ---- the counter ---- */

/* Bit 0: it was used since it was written, or since its turn through the main log began. Above it,
 * uses in sixths. Of what was hot and then idle the count has a remainder by a use that no other
 * has; as uses do not change it, that is seen until the end of the turn. */
#define S3_HITS_MAX 127
#define S3_HITS_USED 1
#define S3_HITS_USE 12  /* what a use adds */
#define S3_HITS_NEW 4   /* what was asked for once */
#define S3_HITS_BACK 16 /* what was asked for again after it had left */
#define S3_HITS_HOT 78
#define S3_HITS_IDLE 6    /* the remainder */
#define S3_HITS_BOUND 124 /* of the count; of one with that remainder it is 2 more */

static inline uint8_t s3_hits_count(uint8_t hits)
{
    return hits & (uint8_t)~S3_HITS_USED;
}

static inline bool s3_hits_was_idle(uint8_t hits)
{
    return s3_hits_count(hits) % S3_HITS_USE == S3_HITS_IDLE;
}

/* `more` is a counter, too. */
static inline uint8_t s3_hits_add(uint8_t hits, uint8_t more)
{
    unsigned count = (unsigned)s3_hits_count(hits) + s3_hits_count(more);
    unsigned bound = s3_hits_was_idle(hits) ? S3_HITS_BOUND + 2 : S3_HITS_BOUND;

    return (uint8_t)((count < bound ? count : bound) | ((hits | more) & S3_HITS_USED));
}

_Static_assert((S3_HITS_BOUND + 2) % S3_HITS_USE == S3_HITS_IDLE, "the bound has it, too");
_Static_assert(S3_HITS_BOUND % S3_HITS_USE == S3_HITS_NEW &&
                   S3_HITS_BACK % S3_HITS_USE == S3_HITS_NEW && S3_HITS_NEW != S3_HITS_IDLE,
               "what is new has another");

/* The counter after so many more uses. */
static inline uint8_t s3_hits_use(uint8_t hits, unsigned uses)
{
    bool is_count = uses <= S3_HITS_MAX / S3_HITS_USE;

    return s3_hits_add(hits, is_count ? (uint8_t)(uses * S3_HITS_USE | (uses > 0)) : S3_HITS_MAX);
}

/* The same after one. */
static inline uint8_t s3_hit(uint8_t hits)
{
    return s3_hits_use(hits, 1);
}

#endif
