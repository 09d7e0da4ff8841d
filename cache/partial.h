/*
 * partial - one representation known in parts (RFC 9111 3.3, 3.4): which of its bytes are here,
 * which are on their way, which nobody has asked for yet. Thread-safe; counted.
 *
 *   0                                                                      length
 *   |=== stored ===|....hole....|=== arriving ->     |....hole....|= stored =|
 *
 * A piece is [from, to). Pieces never overlap, but for one that is claimed inside of what arrives
 * too slowly, until its own bytes come; each has its bytes in an object of its own: arriving
 * in a spool, kept in memory, or in the store under a key made from the representation's key, its
 * version and `from`. So the store knows nothing of parts: a piece is written, checked, evicted and
 * found like any other object, and one that is gone is a hole again.
 *
 * The version is random and made with the partial: whatever replaces the representation makes the
 * pieces of the old one unreachable, and bytes of two versions never meet. Only pieces of a
 * representation with a strong validator are joined: without one there is a single piece.
 */
#ifndef LARDER_CACHE_PARTIAL_H
#define LARDER_CACHE_PARTIAL_H

#include "cache/object.h"

#define PIECES_MAX 4096 /* more are fetched, but not kept */
/* Bytes asked for in one piece: less to throw away when somebody else needs the end of it first.
 * Where the origin ignores ranges each piece costs all that is before it: there all is asked for.
 */
#define CLAIM_MAX (UINT64_C(8) << 20)

struct piece_range {
    uint64_t from, to; /* exclusive */
};

struct partial_options {
    const struct stores *stores;  /* NULL: memory only */
    const struct cache_key *key;  /* of the representation; copied */
    const struct sip_key *secret; /* for keys of pieces; outlives the partial */
    uint64_t length;              /* of the whole representation */
    bool joins;                   /* it has a strong validator */
    bool ranges;                  /* the origin is thought to answer ranges */
};

struct partial *partial_new(const struct partial_options *options);
struct partial *partial_ref(struct partial *partial);
void partial_unref(struct partial **partial);

uint64_t partial_length(const struct partial *partial);
bool partial_joins(const struct partial *partial);
/* Both are about one representation, and their pieces have the same keys. */
bool partial_is_same(const struct partial *partial, const struct partial *other);
size_t partial_memory(struct partial *partial);

/* All bytes of [from, to) are here; with `arriving`: or on their way. */
bool partial_covers(struct partial *partial, uint64_t from, uint64_t to, bool arriving);

/* What is here, as ranges that neither overlap nor touch, in order: at most `max`; returns how many
 * were written. */
size_t partial_ranges(struct partial *partial, struct piece_range *out, size_t max);

/* So many bytes are here. */
uint64_t partial_present(struct partial *partial);
/* Where the pieces begin that are stored: at most `max`; how many. None while somebody reads. */
size_t partial_unread(struct partial *partial, uint64_t *from, size_t max);

/* ---- fetching what is missing ---- */

struct piece; /* counted: the partial holds it, and who fetches it */

/* What is to be claimed of [from, to). */
enum claim_where {
    CLAIM_HERE, /* from `from` on: somebody waits for this very byte. When a piece is under way that
                   would come to it much later, it is claimed all the same, as an overlap: that
                   piece is cut short there when this one arrives, and not before */
    CLAIM_AHEAD, /* the first hole, wherever it begins */
};
/* Claims a hole, or its beginning: the caller is to fetch it, and end with partial_stored(),
 * partial_held() or partial_forget(). NULL when there is nothing to claim. Times in milliseconds of
 * a clock that does not jump. */
struct piece *partial_claim(struct partial *partial, uint64_t from, uint64_t to,
                            enum claim_where where, uint64_t now_ms);
/* The same for a range that arrives without having been asked for: NULL unless all of it is new. */
struct piece *partial_claim_all(struct partial *partial, uint64_t from, uint64_t to);
/* The origin has answered a Range with the whole: what is claimed is not cut, nor divided. */
void partial_ignores_ranges(struct partial *partial);
struct piece *piece_ref(struct piece *piece);
void piece_unref(struct piece **piece); /* accepts NULL */
/* The origin gives it to nobody but the client whose request has claimed it: it comes in parts of
 * his own, which `own` has. Once, and before the claim is given back: whoever has a reference finds
 * it there. */
void piece_set_own(struct piece *piece, struct object *own);
struct object *piece_own(const struct piece *piece); /* borrowed, or NULL */

struct piece_range partial_range(struct partial *partial, const struct piece *piece);
/* All pieces lie where the representation does. */
struct shelf partial_shelf(const struct partial *partial);
void partial_piece_key(const struct partial *partial, uint64_t from, struct arena *arena,
                       struct cache_key *out);

/* It is claimed inside of what arrives already. Nobody misses it if it does not come. */
bool partial_is_overlap(struct partial *partial, const struct piece *piece);
/* Its first bytes are here: `object` has them, a reference is taken. False when what it overlaps is
 * to stay as it is, because it has come so far by now, or can no longer be joined to anything. */
bool partial_arrives(struct partial *partial, struct piece *piece, struct object *object,
                     uint64_t now_ms);
/* It has ended after `length` bytes and goes to the store: partial_stored() follows. */
void partial_ends(struct partial *partial, struct piece *piece, uint64_t length);
/* The store has it; true when it was not removed meanwhile. */
bool partial_stored(struct partial *partial, struct piece *piece);
/* It stays where it is, in memory, `length` bytes of it. */
void partial_held(struct partial *partial, struct piece *piece, uint64_t length);
/* It is a hole again. Who reads it reads on. */
void partial_forget(struct partial *partial, struct piece *piece);

/* A claim came to nothing because of a trouble at the origin, which wishes for a pause of `wish_ms`
 * (0: it says nothing). Call it before the claim is given back. */
void partial_failed(struct partial *partial, uint64_t now_ms, uint64_t wish_ms);
/* How long, because of that, who can wait should wait with his next claim: pauses grow from half a
 * second to eight until bytes come, one for all who read. */
uint64_t partial_pause(struct partial *partial, uint64_t now_ms);

/* The origin has another representation by now: holes will never be filled. What arrives does. */
void partial_kill(struct partial *partial);
bool partial_is_dead(struct partial *partial);
/* It was killed, and what arrives will be at `offset` much later than somebody waits. */
bool partial_comes_late(struct partial *partial, uint64_t offset, uint64_t now_ms);
/* It has as many pieces as are kept. */
bool partial_is_full(struct partial *partial);
/* Nothing is being fetched or stored. */
bool partial_is_settled(struct partial *partial);

/* ---- reading ---- */

/* Somebody who reads. Lives in the reader. */
struct partial_reader {
    struct list link,
        waiting; /* of all, of those who wait for a change: of anything, so look again */
    struct piece_range wants; /* what he has still to read */
    struct waker waker; /* called once, from any thread, with a lock held: it must only post */
    struct cold cold;   /* the piece he has come to, when it is to be read from the disk */
};
void partial_join(struct partial *partial, struct partial_reader *reader, struct piece_range wants,
                  struct waker waker);
void partial_leave(struct partial *partial, struct partial_reader *reader);
/* Somebody has still to read bytes of this piece. */
bool partial_is_wanted(struct partial *partial, const struct piece *piece);

/* Where the bytes at an offset are. */
struct partial_view {
    struct object *object;    /* counted */
    struct piece_range range; /* of its bytes */
    struct piece *piece;      /* counted */
};

enum partial_look {
    PARTIAL_HERE, /* *view is set */
    PARTIAL_WAIT, /* somebody fetches it; the reader will be woken */
    PARTIAL_COLD, /* it comes from the disk; the reader will be woken */
    PARTIAL_HOLE, /* nobody does; the reader will be woken when that changes */
    PARTIAL_DEAD, /* nobody ever will: killed, or not to be joined */
};
/* The reader has come to `offset`. */
enum partial_look partial_look(struct partial *partial, struct partial_reader *reader,
                               uint64_t offset, struct partial_view *view);
/* The reader waits for a byte of the piece he has looked at, which is far from there. True: the
 * piece was cut short before it, so look again. Else he will be woken when that happens, too. */
bool partial_is_cut(struct partial *partial, struct partial_reader *reader,
                    const struct piece *piece, uint64_t offset);
void partial_view_fini(struct partial_view *view);

/* ---- to and from the store ---- */

/* The pieces that are stored, as bytes. */
void partial_encode(struct partial *partial, struct buf *out);
/* NULL when the bytes are not such. options->length and what follows are not looked
 * at. */
struct partial *partial_decode(const struct partial_options *options, struct span bytes);

/* What is stored is behind, for a reason that lies outside. */
void partial_touch(struct partial *partial);
/* One writer at a time: true when the caller is to store the table of pieces now. It must call
 * partial_table_stored() afterwards, which is true when it has changed meanwhile and is to be
 * stored again. */
bool partial_table_begin(struct partial *partial);
bool partial_table_stored(struct partial *partial);

#endif
