/* table_shed - evicts hot objects when the table or the process uses too much memory. */
#include "base/memory.h"
#include "cache/table_parts.h"

enum {
    SHED_STEP = 8,  /* most objects evicted while a shard is locked */
    SHED_MAX = 256, /* most objects evicted by one call, as an event loop waits for it */
};

/* Evicts objects of about `bytes` bytes from one queue of the shard, at most SHED_STEP and at most
 * *left, which is reduced. Returns the bytes freed. */
static size_t shed_some(struct table *table, struct shard *shard, enum hot_queue from, size_t bytes,
                        size_t *left)
{
    struct object *gone[SHED_STEP];
    size_t count = 0, freed = 0;

    pthread_mutex_lock(&shard->lock);
    while (*left > 0 && count < SHED_STEP && freed < bytes) {
        struct hot_entry *hot = hot_evict(&shard->hot, from);
        if (hot == NULL) {
            break;
        }
        struct entry *entry = container_of(hot, struct entry, hot);
        freed += hot->bytes;
        gone[count++] = table_entry_clear(table, shard, entry);
        table_entry_tidy(shard, entry);
        shard->evicted++;
        --*left;
    }
    table_publish_queues(table, shard);
    pthread_mutex_unlock(&shard->lock);
    for (size_t i = 0; i < count; i++) {
        object_unref(&gone[i]);
    }
    return freed;
}

/* Objects that wait for the disk cannot be evicted, so they do not count when the small queue gets
 * its share of the bytes. */
static enum hot_queue victim(struct table *table)
{
    size_t bytes = atomic_load_explicit(&table->bytes, memory_order_relaxed);
    size_t held = atomic_load_explicit(&table->held_bytes, memory_order_relaxed);

    return hot_victim(atomic_load_explicit(&table->new_bytes, memory_order_relaxed),
                      bytes > held ? bytes - held : 0);
}

static struct shard *next_shard(struct table *table)
{
    unsigned turn = atomic_fetch_add_explicit(&table->turn, 1, memory_order_relaxed);

    return &table->shards[turn % SHARDS];
}

/* Evicts hot objects of about `bytes` bytes, a few from each shard in turn, and from the shard
 * `spared` (NULL: none) only what the others do not have. When no shard has an object in the queue
 * that should shrink, objects leave the other queue. */
static void shed(struct table *table, size_t bytes, const struct shard *spared)
{
    size_t left = SHED_MAX;

    for (unsigned fruitless = 0; bytes > 0 && left > 0 && fruitless < 2 * SHARDS;) {
        struct shard *shard = next_shard(table);
        if (shard == spared && fruitless % SHARDS < SHARDS - 1) {
            continue;
        }
        enum hot_queue from = victim(table);
        if (fruitless >= SHARDS) {
            from = from == HOT_NEW ? HOT_MAIN : HOT_NEW;
        }
        size_t freed = shed_some(table, shard, from, bytes, &left);
        bytes -= freed < bytes ? freed : bytes;
        fruitless = freed ? 0 : fruitless + 1;
    }
}

static void on_relief(void *arg, size_t bytes)
{
    shed(arg, bytes, NULL);
}

void table_relieve_memory(struct table *table)
{
    memory_set_relief(on_relief, table);
}

void table_trim(struct table *table, const struct shard *grown)
{
    size_t bytes = atomic_load_explicit(&table->bytes, memory_order_relaxed);
    size_t above = bytes > table->limit ? bytes - table->limit : 0;
    size_t excess = memory_excess();

    shed(table, excess > above ? excess : above, grown);
}
