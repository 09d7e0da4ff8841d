/*
 * partial - one representation known in parts (RFC 9111 3.3, 3.4): which of its bytes are here,
 * which are on their way, and which nobody has asked for yet. Thread-safe; counted.
 *
 *   0                                                                      length
 *   |=== stored ===|....hole....|=== arriving ->     |....hole....|= stored =|
 *
 * A piece is the range [from, to). Each has its bytes in an object of its own: arriving in a spool,
 * kept in memory, or in the store under a key made from the representation's key, its version and
 * `from`. So the store knows nothing of parts: a piece is written, checked, evicted and found like
 * any other object, and one that is gone is a hole again.
 *
 * Pieces do not overlap. The one exception is a claim inside a piece that arrives too slowly: it
 * stands beside the row (partial_overlap.c) until its own bytes come.
 *
 * The version is random and made with the partial: a representation that replaces this one makes
 * its pieces unreachable, so bytes of two versions never meet. Pieces are joined only if the
 * representation has a strong validator; without one there is a single piece.
 */
#ifndef LARDER_CACHE_PARTIAL_H
#define LARDER_CACHE_PARTIAL_H

#include "cache/object.h"

/* Pieces that are kept. More of them are fetched, but only passed on. */
#define PIECES_MAX 4096
/* Bytes claimed at once: the less, the less is thrown away when somebody else needs the end of them
 * first. An origin that ignores ranges sends all that is before a piece with it, so there all that
 * is wanted is claimed. */
#define CLAIM_MAX (UINT64_C(8) << 20)

struct piece_range {
    uint64_t from, to; /* exclusive */
};

struct partial_options {
    const struct stores *stores;  /* NULL: memory only */
    const struct cache_key *key;  /* of the representation; copied */
    const struct sip_key *secret; /* for the keys of pieces; outlives the partial */
    uint64_t length;              /* of the whole representation */
    bool joins;                   /* it has a strong validator */
    bool ranges;                  /* the origin is thought to answer range requests */
};

struct partial *partial_new(const struct partial_options *options);
struct partial *partial_ref(struct partial *partial);
void partial_unref(struct partial **partial);

/* ---- what is here ---- */

uint64_t partial_length(const struct partial *partial);
bool partial_joins(const struct partial *partial);
/* Both are of the same version, so their pieces have the same keys. */
bool partial_is_same(const struct partial *partial, const struct partial *other);
/* Bytes of memory it takes, with pieces kept in memory. */
size_t partial_memory(struct partial *partial);

/* All bytes of [from, to) are here or, if `arriving`, here or on their way. */
bool partial_covers(struct partial *partial, uint64_t from, uint64_t to, bool arriving);

/* The ranges that are here, in order; adjacent pieces make one range. Writes at most `max` of them
 * and returns how many. */
size_t partial_ranges(struct partial *partial, struct piece_range *out, size_t max);

/* How many bytes are here. */
uint64_t partial_present(struct partial *partial);
/* Where stored pieces begin, if nobody reads the representation now. Writes at most `max` offsets
 * and returns how many. */
size_t partial_unread(struct partial *partial, uint64_t *from, size_t max);

/* ---- fetching what is missing ---- */

/* Counted: held by the partial and by who fetches it. */
struct piece;

/* Which bytes of [from, to) to claim. */
enum claim_where {
    CLAIM_HERE,  /* those at `from`: somebody waits for that byte. If a piece that arrives would
                    reach  it much later, it is claimed all the same, as an overlap: when its first
                    bytes  come, the arriving piece is cut short there, and not before */
    CLAIM_AHEAD, /* the first hole, wherever it begins */
};
/* Claims a hole, or the beginning of one. The caller must fetch it, and end with partial_stored(),
 * partial_held() or partial_forget(). NULL when there is nothing to claim. `now_ms` here and below
 * is of a clock that does not jump. */
struct piece *partial_claim(struct partial *partial, uint64_t from, uint64_t to,
                            enum claim_where where, uint64_t now_ms);
/* Claims a range that arrives without having been asked for. NULL unless all of it is a hole. */
struct piece *partial_claim_all(struct partial *partial, uint64_t from, uint64_t to);
/* The origin has answered a range request with the whole: from now on claims are neither limited to
 * CLAIM_MAX nor made inside what arrives. */
void partial_ignores_ranges(struct partial *partial);
struct piece *piece_ref(struct piece *piece);
void piece_unref(struct piece **piece); /* accepts NULL */
/* The origin gives the bytes only to the client whose request claimed them: they come in `own`, a
 * response known in parts that no table has. Once, and before the claim is given back: who holds a
 * reference to the piece finds `own` there. */
void piece_set_own(struct piece *piece, struct object *own);
struct object *piece_own(const struct piece *piece); /* borrowed, or NULL */

struct piece_range partial_range(struct partial *partial, const struct piece *piece);
/* Where the representation is stored, and so all its pieces. */
struct shelf partial_shelf(const struct partial *partial);
/* The key under which the piece that begins at `from` is stored. */
void partial_piece_key(const struct partial *partial, uint64_t from, struct arena *arena,
                       struct cache_key *out);

/* It is an overlap still: nobody but its claimant misses it if it does not come. */
bool partial_is_overlap(struct partial *partial, const struct piece *piece);
/* Its first bytes are here, in `object` (a reference is taken). False: it is an overlap of no use
 * any more, because the piece around it has come that far, or the representation is dead. */
bool partial_arrives(struct partial *partial, struct piece *piece, struct object *object,
                     uint64_t now_ms);
/* It has ended after `length` bytes and goes to the store: partial_stored() follows. */
void partial_ends(struct partial *partial, struct piece *piece, uint64_t length);
/* The store has it. False: it was removed meanwhile. */
bool partial_stored(struct partial *partial, struct piece *piece);
/* It has ended after `length` bytes and stays in memory, where it is. */
void partial_held(struct partial *partial, struct piece *piece, uint64_t length);
/* It is a hole again. Whoever reads it reads on. */
void partial_forget(struct partial *partial, struct piece *piece);

/* A claim came to nothing because the origin is in trouble; it has asked for a pause of `wish_ms`
 * (0: it has not). To be called before the claim is given back. */
void partial_failed(struct partial *partial, uint64_t now_ms, uint64_t wish_ms);
/* Milliseconds that readers who can wait should wait before the next claim. After failures the
 * pause grows from half a second to eight, until bytes come; all readers share it. */
uint64_t partial_pause(struct partial *partial, uint64_t now_ms);

/* The origin has another representation by now: holes will never be filled, but what arrives still
 * does. */
void partial_kill(struct partial *partial);
bool partial_is_dead(struct partial *partial);
/* It is dead, and what arrives will reach `offset` so late that asking anew is better. */
bool partial_comes_late(struct partial *partial, uint64_t offset, uint64_t now_ms);
/* It has more pieces than are kept. */
bool partial_is_full(struct partial *partial);
/* Nothing of it is being fetched or stored. */
bool partial_is_settled(struct partial *partial);

/* ---- reading ---- */

/* One who reads. Lives in the reader's own struct. */
struct partial_reader {
    struct list link;         /* of all readers */
    struct list waiting;      /* of those to be woken at the next change, whatever it is */
    struct piece_range wants; /* what is still to be read */
    struct waker waker; /* called once, from any thread, with a lock held: it must only post */
    struct cold cold;   /* the piece at hand, when it has to be read from the disk */
};
void partial_join(struct partial *partial, struct partial_reader *reader, struct piece_range wants,
                  struct waker waker);
void partial_leave(struct partial *partial, struct partial_reader *reader);
/* Some reader has still to read bytes of this piece. */
bool partial_is_wanted(struct partial *partial, const struct piece *piece);

/* Where the bytes at an offset are. */
struct partial_view {
    struct object *object;    /* counted */
    struct piece_range range; /* of its bytes */
    struct piece *piece;      /* counted */
};

enum partial_look {
    PARTIAL_HERE, /* *view is set */
    PARTIAL_WAIT, /* it is being fetched; the reader will be woken */
    PARTIAL_COLD, /* it is being read from the disk; the reader will be woken */
    PARTIAL_HOLE, /* it is not being fetched; the reader will be woken when that changes */
    PARTIAL_DEAD, /* it will never come: no more pieces are taken */
};
/* The reader has come to `offset`. */
enum partial_look partial_look(struct partial *partial, struct partial_reader *reader,
                               uint64_t offset, struct partial_view *view);
/* The reader waits for the byte at `offset`, which the piece it has looked at has not reached.
 * True: the piece was cut short before that byte, so look again. False: the reader will also be
 * woken when that happens. */
bool partial_is_cut(struct partial *partial, struct partial_reader *reader,
                    const struct piece *piece, uint64_t offset);
void partial_view_fini(struct partial_view *view);

/* ---- the table of pieces in the store ---- */

/* The pieces that are stored, as bytes. */
void partial_encode(struct partial *partial, struct buf *out);
/* NULL when the bytes are no such table. Length, joins and ranges come from the bytes; those of
 * `options` are ignored. */
struct partial *partial_decode(const struct partial_options *options, struct span bytes);

/* The table in the store is out of date, for a reason that lies outside the partial. */
void partial_touch(struct partial *partial);
/* True: the caller is to store the table now, as the only one, and must call partial_table_stored()
 * afterwards. False: it is up to date, or somebody stores it. */
bool partial_table_begin(struct partial *partial);
/* True: it has changed meanwhile, and is to be stored again. */
bool partial_table_stored(struct partial *partial);

#endif
