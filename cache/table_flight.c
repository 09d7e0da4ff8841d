/* table_flight - flights and pass marks in the table: collapsed forwarding. */
#include "cache/table_parts.h"

static void start_flight(struct shard *shard, struct entry *entry, const struct cache_key *key,
                         const struct table_request *request, struct flight_member *member)
{
    entry->flight = flight_new(key, request->found);
    shard->flights++;
    flight_join(entry->flight, member, true, request->waker);
}

/* The failed flight that the request has waited for, if it was for this key. */
static struct flight *failed_before(const struct table_request *request,
                                    const struct cache_key *key)
{
    struct flight *failed = request->failed;

    return failed && span_eq(flight_key(failed)->text, key->text) ? failed : NULL;
}

/* The flight after the failed one, if it has failed, too. */
static struct flight *failed_again(const struct flight *failed)
{
    struct flight *next = failed ? flight_next(failed) : NULL;

    return next && flight_has_failed(next) ? next : NULL;
}

/* Is what the request has found, or that it has found nothing, no longer sure? */
static bool is_changed(const struct entry *entry, const struct cache_key *key,
                       const struct table_request *request)
{
    const struct object *object = entry->object;

    return (object && object != request->found && span_eq(object->key.text, key->text)) ||
           (request->changes && atomic_load(request->changes) != request->seen);
}

enum table_join table_join(struct table *table, const struct cache_key *key,
                           const struct table_request *request, struct flight_member *member)
{
    struct flight *failed = failed_before(request, key);
    struct shard *shard = table_lock(table, key->hash);
    struct entry *entry = table_entry_get(shard, key->hash);
    struct flight *second = failed_again(failed);
    enum table_join result = JOIN_LEAD;

    if (entry->flight && !span_eq(flight_key(entry->flight)->text, key->text)) {
        result = JOIN_PASS; /* another key with the same hash: the two never share a response */
    } else if (entry->flight) {
        flight_join(entry->flight, member, false, request->waker);
        result = JOIN_FOLLOW;
    } else if (entry->pass_until > request->now) {
        hot_use(&entry->hot, false);
        result = JOIN_PASS;
    } else if (is_changed(entry, key, request)) {
        table_entry_tidy(shard, entry);
        result = JOIN_CHANGED;
    } else if (second) {
        flight_join(second, member, false, request->waker);
        table_entry_tidy(shard, entry);
        result = JOIN_FOLLOW;
    } else {
        start_flight(shard, entry, key, request, member);
    }
    if (failed && (result == JOIN_LEAD || result == JOIN_FOLLOW)) {
        flight_set_next(failed, member->flight);
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

/* Takes the flight out of its entry, if it is there. */
static void take_out(struct table *table, struct shard *shard, struct flight *flight,
                     int64_t pass_until)
{
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
}

void table_land(struct table *table, struct flight *flight, int64_t pass_until)
{
    struct shard *shard = table_lock(table, flight_key(flight)->hash);

    take_out(table, shard, flight, pass_until);
    table_unlock(shard);
    table_trim(table, shard);
}

void table_fail(struct table *table, struct flight *flight, struct failure failure)
{
    struct shard *shard = table_lock(table, flight_key(flight)->hash);

    take_out(table, shard, flight, 0);
    flight_fail(flight, failure);
    table_unlock(shard);
}

void table_unmark(struct table *table, const struct cache_key *key)
{
    struct shard *shard = table_lock(table, key->hash);
    struct entry *entry = table_entry(shard, key->hash);

    table_entry_forget(table, shard, entry && entry->pass_until && !entry->object ? entry : NULL);
}
