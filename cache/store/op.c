#include "cache/store/op.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/memory.h"

struct op *op_new(enum op_kind kind, const struct store_piece *pieces, size_t count)
{
    struct op *op = xcalloc(1, sizeof(*op) + count * sizeof(*pieces));

    memory_take(MEMORY_QUEUED, sizeof(*op) + count * sizeof(*pieces));
    list_init(&op->link);
    op->kind = kind;
    op->cost = sizeof(*op) + count * sizeof(*pieces);
    op->piece_count = count;
    for (size_t i = 0; i < count; i++) {
        op->pieces[i] = pieces[i];
        op->body_len += pieces[i].bytes.len;
    }
    op->cost += op->body_len;
    return op;
}

void op_set_text(struct op *op, struct span key, struct span head)
{
    op->text = xmalloc(key.len + head.len);
    memory_take(MEMORY_QUEUED, key.len + head.len);
    op->key_len = key.len;
    op->head_len = head.len;
    op->cost += key.len + head.len;
    if (key.len) {
        memcpy(op->text, key.at, key.len);
    }
    if (head.len) {
        memcpy(op->text + key.len, head.at, head.len);
    }
}

void op_set_meta(struct op *op, const void *meta, size_t meta_len)
{
    CHECK(meta_len <= STORE_META_MAX);
    op->meta_len = meta_len;
    if (meta_len) {
        memcpy(op->meta, meta, meta_len);
    }
}

void op_end(struct op *op)
{
    for (size_t i = 0; i < op->piece_count; i++) {
        if (op->pieces[i].release) {
            op->pieces[i].release(op->pieces[i].arg);
        }
    }
    if (op->chunk_done) {
        op->chunk_done(op->arg, op->err, &op->chunk);
    }
    if (op->done) {
        op->done(op->arg, op->err);
    }
    if (op->kind == OP_FINISH || op->kind == OP_ABORT) {
        store_put_free(op->put);
    }
    memory_give(MEMORY_QUEUED,
                sizeof(*op) + op->piece_count * sizeof(op->pieces[0]) + op->key_len + op->head_len);
    free(op->text);
    free(op);
}
