/*
 * s3fifo - what leaves the store when room is needed: the policy alone, without segments or I/O.
 * The store asks it, and so does bench/hitratio.
 *
 * S3-FIFO (Yang et al., SOSP 2023) over segments: what is new is written to the probation log, a
 * tenth of the store; what was used there is copied to the main log when its segment is given up;
 * what was not used leaves, and is remembered as a ghost: should it come back soon, it goes to the
 * main log at once. So what is asked for once takes room for a short time only.
 *
 * Belongs to one thread, but for s3_hit(), which is pure.
 */
#ifndef LARDER_CACHE_STORE_S3FIFO_H
#define LARDER_CACHE_STORE_S3FIFO_H

#include "cache/store/ghosts.h"

enum s3_log { S3_PROBATION, S3_MAIN, S3_LOGS };

struct s3fifo {
    uint64_t capacity; /* bytes of all segments together */
    uint64_t step;     /* bytes of one segment */
    struct ghosts ghosts;
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
    S3_CALM,    /* what is worth it is copied */
    S3_PRESSED, /* writing comes near what the disk can do: only what was used more than once */
    S3_CRUSHED, /* there is no time: nothing is copied */
};

enum s3_fate {
    S3_KEEP,     /* copy it to the main log */
    S3_REMEMBER, /* it leaves, as a ghost: s3fifo_remember() */
    S3_FORGET,   /* it leaves */
};

/* Memory for about `objects` ghosts is taken as they come, 4 bytes each. */
void s3fifo_init(struct s3fifo *policy, uint64_t capacity, uint64_t step);
void s3fifo_fini(struct s3fifo *policy);

/* Where a new object is written. A ghost is taken away by it. */
enum s3_log s3fifo_place(struct s3fifo *policy, uint32_t tag, uint64_t size);

/* The log whose oldest segment is to go next, by the bytes of their segments. */
enum s3_log s3fifo_victim(const struct s3fifo *policy, uint64_t probation, uint64_t main);

/* What becomes of an object whose segment goes. *hits is what the counter of a kept one begins
 * with. */
enum s3_fate s3fifo_judge(struct s3fifo *policy, const struct s3_object *object,
                          enum s3_pressure pressure, uint8_t *hits);
/* `objects`: how many there are in the store; ghosts are remembered for about as many. */
void s3fifo_remember(struct s3fifo *policy, uint32_t tag, uint64_t objects);

/* The counter after another use. */
#define S3_HITS_MAX 3
static inline uint8_t s3_hit(uint8_t hits)
{
    return hits < S3_HITS_MAX ? (uint8_t)(hits + 1) : S3_HITS_MAX;
}

#endif
