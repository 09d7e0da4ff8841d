/*
 * object - one response as the cache knows it: status, fields, times, body. The head is immutable
 * and complete; the body may still be arriving (a spool), be in memory, or be in the store.
 * Counted; thread-safe.
 *
 * The same struct serves a fetched response nobody may share, a hot object, and a stored one read
 * back; whoever delivers it need not know which.
 *
 * A response that is known in parts only is one, too: with the head of the whole (status 200) and a
 * `partial` for its body.
 *
 * A Vary base is an object without a body that lists the Vary specifications under which variants
 * of its URL are kept, the last of the variants, and the generation that is part of their keys.
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
    struct cache_key key; /* text is the object's own copy */
    int status;
    enum reason stored_reason; /* of a fetched one: REASON_STORED, or why it is not kept */

    struct spool *spool;    /* the body, or NULL */
    struct partial *parts;  /* or here, as far as it is known */
    struct object *body_of; /* or another object's (after a 304); counted */

    struct span reason;
    struct http_fields fields; /* end-to-end fields as the origin sent them; read only */
    struct freshness freshness;
    _Atomic int64_t body_len;   /* -1: not known while it arrives */
    enum http_framing framing;  /* how the origin ended it: BODY_NONE for HEAD, 304 … */
    enum http_version received; /* in which it came, for Via */
    bool from_store;
    bool updated;        /* its head came with a 304, its body earlier */
    atomic_bool held;    /* since it was looked up it has waited for the origin's word */
    atomic_bool damaged; /* a part of its body could not be read: not to be found again */

    size_t size; /* bytes of memory, without a spool's; a hit in memory looks at nothing below */
    /* Where its record was found, also when its body was copied from there; 0, 0: not known. */
    uint32_t segment, number;
    struct store *store; /* without a spool the body is here: */
    struct store_object stored;
};

/* A response that arrives; its body goes to `spool` (taken over; NULL: no body). Fields, reason and
 * key are copied. */
struct object *object_new(const struct cache_key *key, const struct http_head *head,
                          const struct http_fields *fields, const struct freshness *freshness,
                          struct spool *spool);
/* The same body under a new head: what a 304 makes. */
struct object *object_updated(struct object *old, const struct http_fields *fields,
                              const struct freshness *freshness);
/* A response known in parts: `head` is that of the whole, and `parts` (taken over) its body. */
struct object *object_new_partial(const struct cache_key *key, const struct http_head *head,
                                  const struct http_fields *fields,
                                  const struct freshness *freshness, struct partial *parts);
/* A Vary base. Its lines are ETag, the generation; up to OBJECT_VARY_MAX Vary, the specifications;
 * and as many others, what selects each of the variants listed; oldest first. */
struct object *object_new_vary(const struct cache_key *key, const struct http_fields *lines);

struct object *object_ref(struct object *object);
void object_unref(struct object **object);

enum object_use { OBJECT_USED, OBJECT_PEEKED }; /* does it count as a use? */
/* What `shelf` has under the key, as an object. ERR_NOT_FOUND, or ERR_CORRUPT (the record is
 * dropped). A body up to `copy_max` bytes is copied to memory, so that nothing stays pinned. */
int object_load(struct shelf shelf, const struct cache_key *key, enum object_use use,
                size_t copy_max, struct cold *cold, struct object **out);

/* What is stored of an object: head bytes into `head`, times and kind into `meta`. */
struct object_meta {
    struct freshness freshness; /* reserved[0] is the kind, and how it came */
};
_Static_assert(sizeof(struct object_meta) <= STORE_META_MAX, "meta must fit the index record");
/* 0, or ERR_TOO_LARGE when the format has no room for it: more than 65535 fields, a name or a
 * reason of more bytes. Then nothing was written. */
int object_encode(const struct object *object, struct buf *head, struct object_meta *meta);
/* The same back again, still without its body; NULL when the bytes are not what was stored. */
struct object *object_decode(const struct cache_key *key, struct span head, struct span meta,
                             uint64_t body_len);

/* The whole body is in memory, and stays there. */
bool object_in_memory(const struct object *object);
/* The same in one piece: a hot object. */
bool object_whole(const struct object *object, struct span *body);

/* They have one body: it is the same in memory, or the same record on disk. False also when that is
 * not known. */
bool object_same_body(const struct object *a, const struct object *b);

/* Whose body it is: the object itself, or the one a 304 confirmed. */
static inline const struct object *object_owner(const struct object *object)
{
    return object->body_of ? object->body_of : object;
}

/* Its parts when it is known in parts, else NULL. */
static inline struct partial *object_parts(const struct object *object)
{
    return object_owner(object)->parts;
}

/* Where the bytes of one body come from. Part of a reader. */
struct plain_reader {
    enum { PLACE_NONE, PLACE_SPAN, PLACE_SPOOL, PLACE_CHUNKS } place;
    const struct object *owner;
    struct span rest;      /* in memory, or lent */
    uint64_t offset, end;  /* in chunks of the store */
    struct store_pin *pin; /* what is lent lies in a mapping; NULL: in memory of our own */
    bool moved;            /* or time has passed, since what is lent was seen to be in memory */
    struct waker waker;
    struct ahead *ahead; /* CHUNKS; SPAN: when all did not go at once */
    struct spool_reader spool;
};

/* Reads [from, to) of a body wherever it is. Belongs to one loop. */
struct object_reader {
    struct source source;
    struct object *object;
    struct plain_reader plain; /* of the object, or of the piece being read */
    struct parts_reader *parts;
    struct waker waker;
    struct disk_wait waited; /* for bytes that were on disk only; stays after _fini */
};

/* `to` UINT64_MAX: to the end. Takes its own reference. `waker` is called when there is more; it
 * must end in the source's wake on the right loop. 0 or ERR_NOT_FOUND (the beginning is gone).
 *
 * Of a body known in parts bytes may be missing. Then peek says ERR_AGAIN, `waker` is called, and
 * object_reader_waits() says where: somebody must fetch from there on. ERR_NOT_FOUND when nobody
 * can. */
int object_reader_init(struct object_reader *reader, struct object *object, uint64_t from,
                       uint64_t to, struct waker waker);
void object_reader_fini(struct object_reader *reader);
/* A reader of a body known in parts goes on in `object`, which is the same representation. */
void object_reader_go_on(struct object_reader *reader, struct object *object);
/* Asks for the first bytes if they are in a large body of the store. 0; ERR_AGAIN: they are on disk
 * only, and waited for; else as a peek fails: the body is not as it was written. */
int object_reader_begin(struct object_reader *reader);
/* The reader of a body known in parts waits for the byte at *from, and still wants what comes
 * before *to. */
bool object_reader_waits(const struct object_reader *reader, uint64_t *from, uint64_t *to);

#endif
