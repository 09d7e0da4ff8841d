/*
 * batch - operations, and a group of them made durable by one commit.
 *
 * The writer's thread, but for making operations. Order of the commits: segments first, then the
 * index, so that a crash in between leaves bytes nobody points to and nothing else.
 */
#ifndef LARDER_CACHE_STORE_BATCH_H
#define LARDER_CACHE_STORE_BATCH_H

#include "cache/store/disk.h"
#include "cache/store/put.h"

enum op_kind {
    OP_CHUNK,   /* append a chunk of op->put */
    OP_FINISH,  /* write the record of op->put, point the index to it */
    OP_ABORT,   /* forget op->put */
    OP_UPDATE,  /* write a newer head for a stored object */
    OP_DROP,    /* delete an index record */
    OP_DISCARD, /* the same, unless it points somewhere else by now */
    OP_FLUSH,   /* nothing; its done says that what came before is committed */
};

struct op {
    struct list link;
    struct list pending; /* OP_DROP: in the writer's list */
    enum op_kind kind;
    int err;       /* the outcome */
    uint64_t cost; /* bytes it holds in memory */
    struct store_put *put;
    uint8_t hash[STORE_HASH];
    char *text; /* owned: key, then head */
    size_t key_len, head_len;
    uint8_t meta[STORE_META_MAX];
    size_t meta_len;
    uint64_t body_len;        /* OP_CHUNK: bytes of the pieces */
    struct store_chunk chunk; /* OP_CHUNK: the result; OP_DISCARD: segment and object */
    void (*done)(void *arg, int err);
    void (*chunk_done)(void *arg, int err, const struct store_chunk *chunk);
    void *arg;
    size_t piece_count;
    struct store_piece pieces[];
};

struct op *op_new(enum op_kind kind, const struct store_piece *pieces, size_t count);
/* Copies the bytes into op->text. */
void op_set_text(struct op *op, struct span key, struct span head);
void op_set_meta(struct op *op, const void *meta, size_t meta_len);
/* Releases the pieces, calls done, frees the operation, and the put with its last one. */
void op_end(struct op *op);

/* Writes all of `ops` and commits, or none: then every operation has the error. Operations that
 * fail alone have their own. Replays the batch once in a new segment when one was too full. *wrote:
 * something went to the disk, which took it. */
int batch_write(struct disk *disk, struct list *ops, bool *wrote);
/* Tells each of them and the puts they belong to; nothing is written. */
void batch_fail(struct list *ops, int err);
/* The last batch: what the disk should know of this run. */
void batch_close(struct disk *disk);

#endif
