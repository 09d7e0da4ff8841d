/*
 * partial_parts - the inside of a partial, shared by the files that it is made of:
 *
 * partial.c          its life, and which pieces are present
 * partial_claim.c    claims
 * partial_overlap.c  claims of what is arriving already
 * partial_reader.c   readers
 * partial_table.c    to and from the store
 */
#ifndef LARDER_CACHE_PARTIAL_PARTS_H
#define LARDER_CACHE_PARTIAL_PARTS_H

#include "cache/partial.h"

#include <pthread.h>

/* More pieces than are stored may be in progress. */
#define PIECES_LIMIT (PIECES_MAX + 256)

enum piece_state {
    PIECE_CLAIMED,  /* being requested from the origin */
    PIECE_ARRIVING, /* being received */
    PIECE_SAVING,   /* complete, and being stored */
    PIECE_STORED,   /* stored under its own key; has no object */
    PIECE_HELD,     /* complete, stays in memory */
};

struct piece {
    atomic_int refs;
    enum piece_state state; /* from here on under the partial's lock */
    struct piece_range range;
    struct object *object;
    struct object *_Atomic own; /* its bytes for one client only; counted, or NULL */
    uint64_t began_ms;          /* when it began to arrive; of an overlap: when it was claimed */
    uint64_t refused_ms;        /* when an overlap of it failed last; 0: never */
};

struct partial {
    atomic_int refs;
    pthread_mutex_t lock;
    const struct stores *stores;
    const struct sip_key *secret;
    struct cache_key key; /* owns its text */
    uint64_t length;
    uint64_t version;
    bool joins, ranges;

    struct piece **pieces; /* sorted by offset, without overlaps */
    size_t count, cap;
    struct piece **overlaps; /* claims inside arriving pieces */
    size_t overlap_count, overlap_cap;
    struct list readers, waiting;
    bool dead;
    unsigned failures;      /* failed claims since bytes arrived last */
    uint64_t calm_until_ms; /* until then readers claim nothing */
    bool changed;           /* the stored table is outdated */
    bool storing;
};

static inline void partial_lock(struct partial *partial)
{
    pthread_mutex_lock(&partial->lock);
}

static inline void partial_unlock(struct partial *partial)
{
    pthread_mutex_unlock(&partial->lock);
}

/* A partial with this version and no pieces. */
struct partial *partial_make(const struct partial_options *options, uint64_t version);

struct piece *piece_new(uint64_t from, uint64_t to, enum piece_state state);

/* ---- under the lock ---- */

/* Index of the first piece that ends behind `offset`; `count` if there is none. */
size_t partial_piece_after(const struct partial *partial, uint64_t offset);
/* The piece that covers `offset`, or NULL. */
struct piece *partial_at(const struct partial *partial, uint64_t offset);
/* Inserts a piece at index `i`, and takes over the reference. */
void partial_insert(struct partial *partial, size_t i, struct piece *piece);
/* Removes a piece and its reference. False: it is not among `pieces`. */
bool partial_take_out(struct partial *partial, struct piece *piece);
/* Is it among `pieces`? */
bool partial_holds(const struct partial *partial, const struct piece *piece);
/* Wakes the readers that wait for a change. */
void partial_wake_all(struct partial *partial);
/* May more pieces be claimed? Without a strong validator there is only what one response has
 * brought. */
bool partial_takes_pieces(const struct partial *partial);
/* Adds a piece that begins in a hole, cut where the next piece begins. Takes over the reference. */
void partial_put_in(struct partial *partial, struct piece *piece);

/* Claims what would arrive too late in `piece`, which covers `from`; counted. NULL: wait for the
 * piece. */
struct piece *partial_overlap(struct partial *partial, struct piece *piece, uint64_t from,
                              uint64_t to, uint64_t now_ms);
/* Overlaps that no piece covers any more become ordinary pieces. */
void partial_settle_overlaps(struct partial *partial);
/* The first bytes of an overlap arrive: cuts the surrounding piece there. False: it is no longer
 * needed. True also for an ordinary piece. */
bool partial_overlap_joins(struct partial *partial, struct piece *overlap);
/* An overlap has failed. False: it is an ordinary piece. */
bool partial_drop_overlap(struct partial *partial, struct piece *overlap);

#endif
