/*
 * object - one response as the cache knows it: status, fields, times, body. The head is immutable
 * and complete. The body may be arriving (in a spool), in memory, or in the store. Counted;
 * thread-safe.
 *
 * The same struct is used for a fetched response that may not be shared, for a hot object, and for
 * one read back from the store; whoever delivers it need not know which. A response known in parts
 * is an object, too: it has the head of the complete response (status 200) and a `partial` as its
 * body.
 *
 * A Vary base is an object without a body. It lists the Vary specifications under which variants of
 * its URL are stored, the latest variants, and the generation that is part of their keys.
 */
#ifndef LARDER_CACHE_OBJECT_H
#define LARDER_CACHE_OBJECT_H

#include "base/buf.h"
#include "base/source.h"
#include "cache/cold.h"
#include "cache/disk_wait.h"
#include "cache/key.h"
#include "cache/policy.h"
#include "cache/spool.h"

enum object_kind { OBJECT_RESPONSE = 1, OBJECT_VARY = 2, OBJECT_PARTIAL = 3 };

#define OBJECT_VARY_MAX 8

struct partial;      /* cache/partial.h */
struct parts_reader; /* cache/object_reader.c */

struct object {
    atomic_int refs;
    enum object_kind kind;
    struct cache_key key; /* owns its text */
    int status;
    enum reason stored_reason; /* of a fetched response: REASON_STORED, or why it is not stored */

    struct spool *spool;    /* the body, or NULL */
    struct partial *parts;  /* or its parts */
    struct object *body_of; /* or the object that has the body (after a 304); counted */

    struct span reason;
    struct http_fields fields; /* end-to-end fields as the origin sent them; read only */
    struct freshness freshness;
    _Atomic int64_t body_len;   /* -1: unknown while it arrives */
    enum http_framing framing;  /* of the origin's response: BODY_NONE for HEAD, 304 … */
    enum http_version received; /* version of the origin's response, for Via */
    bool from_store;
    bool updated;        /* the head is from a 304, the body from an earlier response */
    atomic_bool held;    /* since it was looked up, the origin was asked about it */
    atomic_bool damaged; /* part of the body could not be read: must not be found again */

    size_t size; /* bytes of memory without the spool; a hit in memory reads nothing below */
    /* Place of its record, also when the body was copied to memory; 0, 0: unknown. */
    uint32_t segment, number;
    /* Response time of the head on disk, which differs from this one by nothing that counts
     * (policy_only_confirms()); 0: unknown, or none is there. */
    _Atomic int64_t saved;
    struct store *store; /* without a spool the body is here: */
    struct store_object stored;
};

/* A response that is arriving. `spool` (taken over; NULL: no body) receives the body. Fields,
 * reason and key are copied. */
struct object *object_new(const struct cache_key *key, const struct http_head *head,
                          const struct http_fields *fields, const struct freshness *freshness,
                          struct spool *spool);
/* The same body under a new head, after a 304. */
struct object *object_updated(struct object *old, const struct http_fields *fields,
                              const struct freshness *freshness);
/* A response known in parts: `head` is that of the complete response; `parts` is taken over. */
struct object *object_new_partial(const struct cache_key *key, const struct http_head *head,
                                  const struct http_fields *fields,
                                  const struct freshness *freshness, struct partial *parts);
/* A Vary base. Its lines are ETag, the generation; up to OBJECT_VARY_MAX times Vary, the
 * specifications; and as many other lines, what selects each of the listed variants; oldest
 * first. */
struct object *object_new_vary(const struct cache_key *key, const struct http_fields *lines);

struct object *object_ref(struct object *object);
void object_unref(struct object **object);

enum object_use { OBJECT_USED, OBJECT_PEEKED }; /* does loading count as a use? */
/* Loads what `shelf` has under the key. Returns 0, ERR_NOT_FOUND, or ERR_CORRUPT (the record is
 * deleted). A body of at most `copy_max` bytes is copied to memory, so that nothing stays
 * pinned. */
int object_load(struct shelf shelf, const struct cache_key *key, enum object_use use,
                size_t copy_max, struct cold *cold, struct object **out);

/* What the store keeps of an object: the head as bytes, and this. */
struct object_meta {
    struct freshness freshness; /* reserved[0] is the kind and the version */
};
_Static_assert(sizeof(struct object_meta) <= STORE_META_MAX, "meta must fit the index record");
/* Encodes the head. Returns 0, or ERR_TOO_LARGE when the format has no room for it (more than 65535
 * fields, or a name or reason of more bytes); then nothing was written. */
int object_encode(const struct object *object, struct buf *head, struct object_meta *meta);
/* The reverse, without the body. NULL: the bytes are corrupt. */
struct object *object_decode(const struct cache_key *key, struct span head, struct span meta,
                             uint64_t body_len);

/* Is the whole body in memory, to stay there? */
bool object_in_memory(const struct object *object);
/* The same in one piece: a hot object. *body is set. */
bool object_whole(const struct object *object, struct span *body);

/* Do they have the same body: the same memory, or the same record on disk? False if that is
 * unknown. */
bool object_same_body(const struct object *a, const struct object *b);

/* The object that has the body: this one, or the one that a 304 updated. */
static inline const struct object *object_owner(const struct object *object)
{
    return object->body_of ? object->body_of : object;
}

/* The parts if it is known in parts, else NULL. */
static inline struct partial *object_parts(const struct object *object)
{
    return object_owner(object)->parts;
}

/* Where the bytes of one body come from. Part of a reader. */
struct plain_reader {
    enum { PLACE_NONE, PLACE_SPAN, PLACE_SPOOL, PLACE_CHUNKS } place;
    const struct object *owner;
    struct span rest;      /* in memory, or lent by the store */
    uint64_t offset, end;  /* in chunks of the store */
    struct store_pin *pin; /* for bytes lent from a mapping; NULL: they are in our memory */
    bool moved;            /* lent bytes may have left memory since they were looked at */
    struct waker waker;
    struct ahead *ahead; /* for CHUNKS, and for SPAN when not all was sent at once */
    struct spool_reader spool;
};

/* Reads the bytes [from, to) of a body, wherever it is. Belongs to one loop. */
struct object_reader {
    struct source source;
    struct object *object;
    struct plain_reader plain; /* for the object, or for the piece being read */
    struct parts_reader *parts;
    struct waker waker;
    struct disk_wait waited; /* for the disk; still valid after object_reader_fini() */
};

/*
 * Begins to read; `to` UINT64_MAX: to the end. Takes a reference. `waker` is called when there is
 * more; it must lead to the source's wake on the right loop. Returns 0, or ERR_NOT_FOUND: the
 * beginning is gone.
 *
 * Bytes of a body known in parts may be missing. Then peek() returns ERR_AGAIN, `waker` is called,
 * and object_reader_waits() tells from where somebody has to fetch; or peek() returns ERR_NOT_FOUND
 * when nobody can.
 */
int object_reader_init(struct object_reader *reader, struct object *object, uint64_t from,
                       uint64_t to, struct waker waker);
void object_reader_fini(struct object_reader *reader);
/* Continues a reader of a body known in parts in `object`, which is the same representation. */
void object_reader_go_on(struct object_reader *reader, struct object *object);
/* Requests the first bytes if they are in a large body of the store. Returns 0; ERR_AGAIN: they are
 * being read from disk; or an error of peek(): the body is damaged. */
int object_reader_begin(struct object_reader *reader);
/* Did the last peek() in a body known in parts find that a byte has not come from the origin? Then
 * *from is that byte, and *to the end of what is wanted. */
bool object_reader_waits(const struct object_reader *reader, uint64_t *from, uint64_t *to);

#endif
