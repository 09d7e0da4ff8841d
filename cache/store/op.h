/*
 * op - one operation for the writer, from its making to its end. Made by any thread, posted to the
 * writer (writer.h), applied and ended on the writer's thread.
 */
#ifndef LARDER_CACHE_STORE_OP_H
#define LARDER_CACHE_STORE_OP_H

#include "cache/store/disk.h"
#include "cache/store/put.h"

enum op_kind {
    OP_CHUNK,   /* append a chunk of op->put */
    OP_FINISH,  /* write the record of op->put, and point the index to it */
    OP_ABORT,   /* give up op->put */
    OP_UPDATE,  /* write a newer head for a stored object */
    OP_DROP,    /* delete an index record */
    OP_DISCARD, /* the same, if it still points to op->chunk */
    OP_FLUSH,   /* nothing: its `done` tells that everything before is committed */
};

struct op {
    struct list link;
    enum op_kind kind;
    int err;       /* the outcome */
    uint64_t cost; /* bytes of memory it holds */
    struct store_put *put;
    uint8_t hash[STORE_HASH];
    char *text; /* owned: key, then head */
    size_t key_len, head_len;
    uint8_t meta[STORE_META_MAX];
    size_t meta_len;
    uint64_t body_len;        /* OP_CHUNK: length of the pieces */
    struct store_chunk chunk; /* OP_CHUNK: result; OP_DISCARD: segment and object */
    void (*done)(void *arg, int err);
    void (*chunk_done)(void *arg, int err, const struct store_chunk *chunk);
    void *arg;
    size_t piece_count;
    struct store_piece pieces[];
};

struct op *op_new(enum op_kind kind, const struct store_piece *pieces, size_t count);
/* Copies key and head to op->text. */
void op_set_text(struct op *op, struct span key, struct span head);
void op_set_meta(struct op *op, const void *meta, size_t meta_len);
/* Releases the pieces, calls `done`, frees the operation, and with its last operation the put. */
void op_end(struct op *op);
/* Applies the operation in the open transactions. A result other than 0 makes the whole batch fail;
 * op->err is set if only this operation fails. May be called again for another attempt. */
int op_apply(struct disk *disk, struct op *op);

#endif
