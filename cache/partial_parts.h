/*
 * partial_parts - the inside of a partial, for the files it is made of: partial.c (its life, the
 * row of pieces, what is here), partial_claim.c (what is fetched), partial_overlap.c (claims of
 * what arrives already), partial_reader.c (who reads), partial_table.c (to and from the store).
 */
#ifndef LARDER_CACHE_PARTIAL_PARTS_H
#define LARDER_CACHE_PARTIAL_PARTS_H

#include "cache/partial.h"

#include <pthread.h>

/* More pieces than are kept may be under way. */
#define PIECES_LIMIT (PIECES_MAX + 256)

enum piece_state {
    PIECE_CLAIMED,  /* somebody has asked the origin for it */
    PIECE_ARRIVING, /* its object's spool fills */
    PIECE_SAVING,   /* whole, on its way to the store */
    PIECE_STORED,   /* under its own key; no object */
    PIECE_HELD,     /* whole, where it arrived */
};

struct piece {
    atomic_int refs;
    enum piece_state state; /* this and what follows: under the partial's lock */
    struct piece_range range;
    struct object *object;
    struct object *_Atomic own; /* where it is instead, for one client; counted, or NULL */
    uint64_t began_ms;          /* to arrive; an overlap: when it was claimed */
    uint64_t refused_ms; /* when an overlap of it was claimed that came to nothing; 0: never */
};

struct partial {
    atomic_int refs;
    pthread_mutex_t lock;
    const struct stores *stores;
    const struct sip_key *secret;
    struct cache_key key; /* text is owned */
    uint64_t length;
    uint64_t version;
    bool joins, ranges;

    struct piece **pieces; /* by offset */
    size_t count, cap;
    struct piece **overlaps; /* claimed inside pieces of the row that arrive */
    size_t overlap_count, overlap_cap;
    struct list readers, waiting;
    bool dead;
    unsigned failures;      /* of claims, since bytes came last */
    uint64_t calm_until_ms; /* who has begun to read asks for nothing before */
    bool changed;           /* the table in the store is behind */
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

/* A partial with this version, without pieces. */
struct partial *partial_make(const struct partial_options *options, uint64_t version);

struct piece *piece_new(uint64_t from, uint64_t to, enum piece_state state);

/* ---- under the lock ---- */

/* Where in the row the first piece is that ends behind `offset`; the count of pieces if none does.
 */
size_t partial_piece_after(const struct partial *partial, uint64_t offset);
/* The piece that covers `offset`, or NULL. */
struct piece *partial_at(const struct partial *partial, uint64_t offset);
/* Makes it number `i` of the row; the reference is the row's. */
void partial_insert(struct partial *partial, size_t i, struct piece *piece);
/* Takes it out of the row, whose reference ends. False when it is not in it. */
bool partial_take_out(struct partial *partial, struct piece *piece);
/* It is in the row. */
bool partial_holds(const struct partial *partial, const struct piece *piece);
/* Wakes the readers that wait for a change, which are to look again. */
void partial_wake_all(struct partial *partial);
/* More may be claimed. One that cannot be joined is what one response brought: nothing can be asked
 * for later. */
bool partial_takes_pieces(const struct partial *partial);
/* Puts one that begins in a hole into the row, without what others have behind it; the reference is
 * the row's. */
void partial_put_in(struct partial *partial, struct piece *piece);

/* Claims what comes too late in `piece`, which covers `from`; counted. NULL: wait for the piece. */
struct piece *partial_overlap(struct partial *partial, struct piece *piece, uint64_t from,
                              uint64_t to, uint64_t now_ms);
/* Those that nothing of the row covers any more become part of it. */
void partial_settle_overlaps(struct partial *partial);
/* Its first bytes have come: what arrives is cut short there. False: it is of no use any more. True
 * for a piece of the row. */
bool partial_overlap_joins(struct partial *partial, struct piece *overlap);
/* It will not come. False for what is none. */
bool partial_drop_overlap(struct partial *partial, struct piece *overlap);

#endif
