/* table_look - shows the contents of the table without effects. */
#include "cache/table_parts.h"

void table_view(struct table *table, const struct cache_key *key, struct table_view *out)
{
    struct shard *shard = table_lock(table, key->hash);
    struct entry *entry = table_entry(shard, key->hash);

    *out = (struct table_view){0};
    if (entry && entry->object && span_eq(entry->object->key.text, key->text)) {
        out->object = object_ref(entry->object);
        out->pending = hot_is_held(&entry->hot);
    }
    if (entry && entry->flight) {
        out->fetching = true;
        out->waiting = flight_members(entry->flight);
    }
    if (entry && entry->object == NULL && entry->pass_until > 0) {
        out->pass_until = entry->pass_until;
        out->pass_reason = entry->pass_reason;
    }
    table_unlock(shard);
}

struct listing {
    struct span prefix;
    struct object **out;
    size_t count, max;
};

static void list_one(struct map_link *link, void *arg)
{
    struct entry *entry = container_of(link, struct entry, link);
    struct listing *listing = arg;

    if (entry->object == NULL || listing->count == listing->max ||
        !span_starts(entry->object->key.text, listing->prefix)) {
        return;
    }
    for (size_t i = 0; i < listing->count; i++) {
        if (listing->out[i] == entry->object) {
            return; /* listed before: the buckets were doubled during the walk */
        }
    }
    listing->out[listing->count++] = object_ref(entry->object);
}

size_t table_list(struct table *table, struct span prefix, struct object **out, size_t max)
{
    enum { STEP = 256 }; /* buckets visited while the lock is held */
    struct listing listing = {.prefix = prefix, .out = out, .max = max};
    size_t steps = TABLE_LIST_BUCKETS / STEP;

    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &table->shards[i];
        size_t bucket = 0;
        bool more = true;
        while (more && listing.count < max && steps > 0) {
            steps--;
            pthread_mutex_lock(&shard->lock);
            more = map_walk(&shard->map, &bucket, STEP, list_one, &listing);
            pthread_mutex_unlock(&shard->lock);
        }
    }
    return listing.count;
}

void table_stats(struct table *table, struct table_stats *out)
{
    *out = (struct table_stats){0};
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &table->shards[i];
        pthread_mutex_lock(&shard->lock);
        out->entries += shard->map.count;
        out->bytes += hot_bytes(&shard->hot);
        out->bodies += shard->bodies;
        out->heads +=
            hot_bytes(&shard->hot) - shard->bodies - shard->hot.count * sizeof(struct entry);
        out->flights += shard->flights;
        out->evicted += shard->evicted;
        pthread_mutex_unlock(&shard->lock);
    }
}
