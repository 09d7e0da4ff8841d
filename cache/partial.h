/*
 * partial - one representation known in parts (RFC 9111 3.3, 3.4): which of its bytes are present,
 * which are arriving, and which nobody has asked for. Thread-safe; counted.
 *
 *   0                                                                      length
 *   |=== stored ===|....hole....|=== arriving ->     |....hole....|= stored =|
 *
 * A piece is a range [from, to), with its bytes in an object of its own: arriving in a spool, held
 * in memory, or in the store under a key made from the representation's key, its version and
 * `from`. So the store knows nothing about parts: a piece is written, checked, evicted and found
 * like any other object, and an evicted one is a hole again.
 *
 * Pieces do not overlap, with one exception: a claim inside a piece that arrives too slowly is kept
 * apart (partial_overlap.c) until its own bytes arrive.
 *
 * The version is random. A representation that replaces this one has another version, which makes
 * the old pieces unreachable, so bytes of two versions never mix. Pieces are combined only if the
 * representation has a strong validator; otherwise there is only one.
 */
#ifndef LARDER_CACHE_PARTIAL_H
#define LARDER_CACHE_PARTIAL_H

#include "cache/object.h"

/* Most pieces that are stored. Further ones are fetched, but only passed on. */
#define PIECES_MAX 4096
/* Most bytes claimed at once. With fewer, fewer are wasted when somebody else needs the end of them
 * first. An origin that ignores ranges sends everything before a piece too, so there all wanted
 * bytes are claimed at once. */
#define CLAIM_MAX (UINT64_C(8) << 20)

struct piece_range {
    uint64_t from, to; /* exclusive */
};

struct partial_options {
    const struct stores *stores;  /* NULL: memory only */
    const struct cache_key *key;  /* of the representation; copied */
    const struct sip_key *secret; /* for the keys of pieces; must outlive the partial */
    uint64_t length;              /* of the whole representation */
    bool joins;                   /* it has a strong validator */
    bool ranges;                  /* the origin seems to support range requests */
};

struct partial *partial_new(const struct partial_options *options);
struct partial *partial_ref(struct partial *partial);
void partial_unref(struct partial **partial);

/* ---- what is present ---- */

uint64_t partial_length(const struct partial *partial);
bool partial_joins(const struct partial *partial);
/* Do both have the same version, and so the same keys of pieces? */
bool partial_is_same(const struct partial *partial, const struct partial *other);
/* Bytes of memory it uses, including pieces held in memory. */
size_t partial_memory(struct partial *partial);

/* Are all bytes of [from, to) present or, if `arriving`, present or arriving? */
bool partial_covers(struct partial *partial, uint64_t from, uint64_t to, bool arriving);

/* The ranges that are present, in order, with adjacent pieces joined. Writes at most `max` and
 * returns how many. */
size_t partial_ranges(struct partial *partial, struct piece_range *out, size_t max);

/* How many bytes are present. */
uint64_t partial_present(struct partial *partial);
/* Where stored pieces begin, if the representation has no readers. Writes at most `max` offsets and
 * returns how many. */
size_t partial_unread(struct partial *partial, uint64_t *from, size_t max);

/* ---- fetching what is missing ---- */

/* Counted: held by the partial and by the fetch. */
struct piece;

/* Which bytes of [from, to) to claim. */
enum claim_where {
    CLAIM_HERE,  /* those at `from`, which somebody waits for. If an arriving piece would bring them
                    much later, they are claimed as an overlap: the arriving piece is cut short once
                    their first bytes come */
    CLAIM_AHEAD, /* those of the first hole */
};
/* Claims a hole, or the beginning of one. The caller must fetch it, and end with partial_stored(),
 * partial_held() or partial_forget(). NULL: there is nothing to claim. `now_ms`, here and below, is
 * of a monotonic clock. */
struct piece *partial_claim(struct partial *partial, uint64_t from, uint64_t to,
                            enum claim_where where, uint64_t now_ms);
/* Claims a range that arrives without having been requested. NULL unless all of it is a hole. */
struct piece *partial_claim_all(struct partial *partial, uint64_t from, uint64_t to);
/* The origin answered a range request with the complete response: claims are no longer limited to
 * CLAIM_MAX, nor made inside arriving pieces. */
void partial_ignores_ranges(struct partial *partial);
struct piece *piece_ref(struct piece *piece);
void piece_unref(struct piece **piece); /* accepts NULL */
/* The bytes that the origin sends are for the claiming client only: they go to `own`, a response
 * known in parts outside the table. To be called once, before the claim ends; whoever has a
 * reference to the piece finds `own` there. */
void piece_set_own(struct piece *piece, struct object *own);
struct object *piece_own(const struct piece *piece); /* borrowed, or NULL */

struct piece_range partial_range(struct partial *partial, const struct piece *piece);
/* Where the representation, and so each piece, is stored. */
struct shelf partial_shelf(const struct partial *partial);
/* The key of the piece that begins at `from`. */
void partial_piece_key(const struct partial *partial, uint64_t from, struct arena *arena,
                       struct cache_key *out);

/* Is it still an overlap, which only its claimant needs? */
bool partial_is_overlap(struct partial *partial, const struct piece *piece);
/* The first bytes of a piece arrive in `object`; a reference is taken. False: it is an overlap that
 * is no longer needed, because the surrounding piece has come that far, or the representation is
 * dead. */
bool partial_arrives(struct partial *partial, struct piece *piece, struct object *object,
                     uint64_t now_ms);
/* The piece has ended after `length` bytes and is being stored; partial_stored() follows. */
void partial_ends(struct partial *partial, struct piece *piece, uint64_t length);
/* The piece is stored. False: it was removed meanwhile. */
bool partial_stored(struct partial *partial, struct piece *piece);
/* The piece has ended after `length` bytes and stays in memory. */
void partial_held(struct partial *partial, struct piece *piece, uint64_t length);
/* The piece becomes a hole again. Its readers go on. */
void partial_forget(struct partial *partial, struct piece *piece);

/* A claim failed because of the origin, which asks for a pause of `wish_ms` (0: it does not). To be
 * called before the claim ends. */
void partial_failed(struct partial *partial, uint64_t now_ms, uint64_t wish_ms);
/* How many ms readers should wait before the next claim. After failures the pause grows from half a
 * second to eight, until bytes arrive; it is the same for all readers. */
uint64_t partial_pause(struct partial *partial, uint64_t now_ms);

/* The origin has another representation by now: holes will never be filled; arriving pieces still
 * are. */
void partial_kill(struct partial *partial);
bool partial_is_dead(struct partial *partial);
/* Is it dead, and will arriving bytes reach `offset` so late that a new request is better? */
bool partial_comes_late(struct partial *partial, uint64_t offset, uint64_t now_ms);
/* Does it have the most pieces that are stored? */
bool partial_is_full(struct partial *partial);
/* Is no piece being fetched or stored? */
bool partial_is_settled(struct partial *partial);

/* ---- reading ---- */

/* One reader. Part of the owner's struct. */
struct partial_reader {
    struct list link;         /* in partial->readers */
    struct list waiting;      /* in partial->waiting: to be woken by any change */
    struct piece_range wants; /* range still to be read */
    struct waker waker;       /* called once, from any thread, with a lock held: it may only post */
    struct cold cold;         /* read of the current piece from disk */
};
void partial_join(struct partial *partial, struct partial_reader *reader, struct piece_range wants,
                  struct waker waker);
void partial_leave(struct partial *partial, struct partial_reader *reader);
/* Does a reader still want bytes of this piece? */
bool partial_is_wanted(struct partial *partial, const struct piece *piece);

/* Where the bytes at an offset are; object and piece are counted. */
struct partial_view {
    struct object *object;    /* counted */
    struct piece_range range; /* of its bytes in the representation */
    struct piece *piece;      /* counted */
};

enum partial_look {
    PARTIAL_HERE, /* *view is set */
    PARTIAL_WAIT, /* it is being fetched; the reader will be woken */
    PARTIAL_COLD, /* it is being read from the disk; the reader will be woken */
    PARTIAL_HOLE, /* nobody fetches it; the reader will be woken when that changes */
    PARTIAL_DEAD, /* it will never come, as no more pieces are accepted */
};
/* Looks for the byte at `offset`, which the reader has come to. */
enum partial_look partial_look(struct partial *partial, struct partial_reader *reader,
                               uint64_t offset, struct partial_view *view);
/* The reader waits for the byte at `offset`, which the piece it reads has not reached. True: the
 * piece was cut short before that byte, so look again. False: the reader will also be woken when
 * that happens. */
bool partial_is_cut(struct partial *partial, struct partial_reader *reader,
                    const struct piece *piece, uint64_t offset);
void partial_view_fini(struct partial_view *view);

/* ---- the table of pieces in the store ---- */

/* Encodes the table of stored pieces. */
void partial_encode(struct partial *partial, struct buf *out);
/* Decodes it. NULL: the bytes are corrupt. Length, joins and ranges come from the bytes, not from
 * `options`. */
struct partial *partial_decode(const struct partial_options *options, struct span bytes);

/* The stored table is outdated, for a reason outside the partial. */
void partial_touch(struct partial *partial);
/* True: the caller, and nobody else, must store the table now, and then call
 * partial_table_stored(). False: it is up to date, or being stored. */
bool partial_table_begin(struct partial *partial);
/* True: it has changed meanwhile, and must be stored again. */
bool partial_table_stored(struct partial *partial);

#endif
