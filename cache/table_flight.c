/* table_flight - flights and pass marks in the table: collapsed forwarding. */
#include "cache/table_parts.h"

static void start_flight(struct shard *shard, struct entry *entry, const struct cache_key *key,
                         struct object *stale, struct flight_member *member, struct waker waker)
{
    entry->flight = flight_new(key, stale);
    shard->flights++;
    flight_join(entry->flight, member, true, waker);
}

enum table_join table_join(struct table *table, const struct cache_key *key, struct object *found,
                           int64_t now, struct flight_member *member, struct waker waker)
{
    struct shard *shard = table_lock(table, key->hash);
    struct entry *entry = table_entry_get(shard, key->hash);
    enum table_join result = JOIN_LEAD;

    if (entry->flight && !span_eq(flight_key(entry->flight)->text, key->text)) {
        result = JOIN_PASS; /* another key with the same hash: the two never share a response */
    } else if (entry->flight) {
        flight_join(entry->flight, member, false, waker);
        result = JOIN_FOLLOW;
    } else if (entry->pass_until > now) {
        hot_use(&entry->hot, false);
        result = JOIN_PASS;
    } else if (entry->object && entry->object != found &&
               span_eq(entry->object->key.text, key->text)) {
        result = JOIN_CHANGED;
    } else {
        start_flight(shard, entry, key, found, member, waker);
    }
    table_unlock(shard);
    return result;
}

bool table_follow(struct table *table, const struct cache_key *key, const struct cache_key *wanted,
                  struct flight_member *member, struct waker waker)
{
    struct shard *shard = table_lock(table, key->hash);
    struct entry *entry = table_entry(shard, key->hash);
    struct flight *flight = entry ? entry->flight : NULL;
    bool follows =
        flight && span_eq(flight_key(flight)->text, key->text) && flight_may_bring(flight, wanted);

    if (follows) {
        flight_join(flight, member, false, waker);
    }
    table_unlock(shard);
    return follows;
}

void table_land(struct table *table, struct flight *flight, int64_t pass_until)
{
    struct shard *shard = table_lock(table, flight_key(flight)->hash);
    struct entry *entry = table_entry(shard, flight_key(flight)->hash);

    if (entry && entry->flight == flight) {
        entry->pass_reason = flight_why(flight);
        flight_unref(&entry->flight);
        shard->flights--;
        if (pass_until > 0 && entry->object == NULL) {
            entry->pass_until = pass_until;
            table_entry_put(table, shard, entry, false);
        } else {
            table_entry_tidy(shard, entry);
        }
    }
    table_unlock(shard);
    table_trim(table);
}

void table_unmark(struct table *table, const struct cache_key *key)
{
    struct shard *shard = table_lock(table, key->hash);
    struct entry *entry = table_entry(shard, key->hash);

    table_entry_forget(table, shard, entry && entry->pass_until && !entry->object ? entry : NULL);
}
