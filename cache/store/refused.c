#include "cache/store/refused.h"

#include "base/err.h"
#include "base/log.h"
#include "cache/store/lookup.h"

#include <stdatomic.h>

/* How often deletions may be refused while the writer stops. */
#define LAST_TRIES 3

/* ---- before a batch ---- */

/* May refused deletions be tried again? Not if the disk accepts nothing any more; a few times while
 * stopping; otherwise after the pause. */
static bool may_retry(const struct writer *writer)
{
    if (writer_state(writer) != WRITER_WRITES) {
        return true;
    }
    return writer->stop ? writer->last_tries < LAST_TRIES : writer_health(writer) == 0;
}

bool refused_is_due(const struct writer *writer)
{
    return !list_empty(&writer->drops.refused) && may_retry(writer);
}

/* To be applied before everything else in the batch, which is newer. */
static void drop_again(struct writer *writer, const uint8_t hash[STORE_HASH], struct list *batch)
{
    struct op *op = op_new(OP_DROP, NULL, 0);

    memcpy(op->hash, hash, STORE_HASH);
    atomic_fetch_add_explicit(&writer->dirty, op->cost, memory_order_relaxed);
    list_push_front(batch, &op->link);
}

void refused_take(struct writer *writer, struct list *batch)
{
    uint8_t hash[STORE_HASH];

    for (size_t ops = 0; ops < WRITER_BATCH_OPS && drops_retry(&writer->drops, hash); ops++) {
        drop_again(writer, hash, batch);
    }
}

size_t refused_take_of(struct writer *writer, const struct op *op, struct list *batch)
{
    if (op->kind != OP_UPDATE || !drops_retry_this(&writer->drops, op->hash)) {
        return 0;
    }
    drop_again(writer, op->hash, batch);
    return 1;
}

/* ---- after a batch ---- */

/* Is there, or was there, a record under the key that must not be found again? */
static bool outdates(const struct op *op)
{
    return op->kind == OP_DROP || op->kind == OP_FINISH || op->kind == OP_UPDATE;
}

/* Could the outdated record be found? Not if the index, after the failed batch, has no record
 * under the key: then nothing has to be hidden, and keys of objects that were never stored would
 * pile up. */
static bool may_be_found(const struct writer *writer, const uint8_t hash[STORE_HASH])
{
    struct location location;
    uint64_t commit;

    return lookup_location(writer->disk->index, hash, WALK_MAP, &location, &commit) !=
           ERR_NOT_FOUND;
}

static bool must_retry(const struct writer *writer, const struct op *op)
{
    return outdates(op) && writer_state(writer) == WRITER_WRITES && may_be_found(writer, op->hash);
}

void refused_end(struct writer *writer, const struct op *op, bool failed)
{
    bool retry = failed && must_retry(writer, op);

    pthread_mutex_lock(&writer->lock);
    if (retry) {
        drops_refuse(&writer->drops, op->hash);
    }
    if (!failed && (op->kind == OP_DROP || op->kind == OP_FINISH)) {
        drops_settle(&writer->drops,
                     op->hash); /* the refused deletion was for the record before this one */
    }
    if (op->kind == OP_DROP) {
        drops_end(&writer->drops, op->hash);
    }
    pthread_mutex_unlock(&writer->lock);
}

void refused_leave(struct writer *writer)
{
    uint8_t hash[STORE_HASH];
    size_t records = 0;

    for (; drops_retry(&writer->drops, hash); records++) {
        drops_end(&writer->drops, hash);
    }
    if (records) {
        log_error("store_left_behind", "dir=%s records=%zu next=%s",
                  writer->disk->segments.home.dir, records,
                  "what is older than what was served is found after a restart");
    }
}
