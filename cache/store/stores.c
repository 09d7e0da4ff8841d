#include "cache/store/stores_parts.h"

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/store/directory.h"

#include <stdio.h>
#include <xxhash.h>

/* A quarter of a store, so that a large object does not evict everything. */
#define OBJECT_SHARE 4

void stores_close(struct stores **slot)
{
    struct stores *stores = *slot;

    *slot = NULL;
    if (stores == NULL) {
        return;
    }
    pthread_mutex_lock(&stores->lock);
    /* first, so that writers that still run do not use the other members */
    atomic_store(&stores->ready, false);
    pthread_mutex_unlock(&stores->lock);
    for (size_t i = 0; i < stores->count; i++) {
        store_close(&stores->members[i].store);
        free(stores->members[i].path);
    }
    for (struct table *table = stores->table; table;) {
        struct table *older = table->older;
        free(table);
        table = older;
    }
    pthread_mutex_destroy(&stores->lock);
    free(stores->placement);
    free(stores->members);
    free(stores);
}

const struct sip_key *stores_secret(const struct stores *stores)
{
    return &stores->secret;
}

/* ---- members and shares ---- */

void stores_describe(const struct member *member, struct placement_member *out)
{
    *out = (struct placement_member){
        .seat = XXH3_64bits(member->path, strlen(member->path)),
        .size = member->size,
    };
    store_uuid(member->store, out->uuid);
}

size_t stores_in(const struct stores *stores, struct placement_member out[PLACEMENT_MEMBERS])
{
    size_t count = 0;

    for (size_t i = 0; i < stores->count; i++) {
        const struct member *member = &stores->members[i];
        if (!atomic_load(&member->out)) {
            stores_describe(member, &out[count++]);
        }
    }
    return count;
}

void stores_record(struct stores *stores)
{
    struct buf bytes = BUF_INIT;

    placement_encode(stores->placement, &bytes);
    for (size_t i = 0; i < stores->count; i++) {
        const struct member *member = &stores->members[i];
        int err = atomic_load(&member->out)
                      ? 0
                      : directory_write(member->path, PLACEMENT_FILE, buf_span(&bytes));
        if (err) {
            log_error("store_placement_lost", "dir=%s err=%s", member->path, err_text(err));
        }
    }
    buf_fini(&bytes);
}

void stores_begin_era(struct stores *stores, bool forget)
{
    struct placement_member members[PLACEMENT_MEMBERS];
    struct sip_key random = sip_key_random();
    size_t count = stores_in(stores, members);

    placement_begin(stores->placement, random.k0 | 1, members, count, forget);
    stores_record(stores);
}

/* The number of our member with this uuid. */
static uint32_t number_of(const struct stores *stores, const uint8_t uuid[16])
{
    for (size_t i = 0; i < stores->count; i++) {
        uint8_t own[16];
        if (!atomic_load(&stores->members[i].out)) {
            store_uuid(stores->members[i].store, own);
            if (memcmp(own, uuid, sizeof(own)) == 0) {
                return (uint32_t)i;
            }
        }
    }
    return PLACEMENT_NOBODY;
}

void stores_publish(struct stores *stores)
{
    const struct placement *placement = stores->placement;
    struct table *table = xcalloc(1, sizeof(*table));
    uint32_t numbers[PLACEMENT_NOBODY + 1];

    for (size_t i = 0; i <= PLACEMENT_NOBODY; i++) {
        numbers[i] =
            i < placement->count ? number_of(stores, placement->members[i].uuid) : PLACEMENT_NOBODY;
    }
    for (size_t i = 0; i < PLACEMENT_SHARES; i++) {
        const struct placement_share *share = &placement->shares[i];
        table->shares[i] = share->since << 8 | numbers[share->member];
    }
    table->older = atomic_load(&stores->table);
    atomic_store_explicit(&stores->table, table, memory_order_release);
}

/* ---- removing a failing disk ---- */

/* Failures before a disk is taken out, if there are others. Failed commits are one second apart,
 * then two, four, eight. */
#define COMMITS_BEAR 5
#define READS_BEAR 16

static bool tell_cause(const struct store_trouble *trouble, char out[CAUSE_MAX])
{
    if (trouble->lost) {
        snprintf(out, CAUSE_MAX, "it could not be read while it was written, or is damaged");
        return true;
    }
    if (trouble->reads >= READS_BEAR) {
        snprintf(out, CAUSE_MAX, "%u pages could not be read within a minute", trouble->reads);
        return true;
    }
    snprintf(out, CAUSE_MAX, "%u commits in a row failed: %s", trouble->commits,
             err_text(trouble->err));
    return trouble->commits >= COMMITS_BEAR;
}

static size_t count_others(const struct stores *stores, const struct member *but)
{
    size_t count = 0;

    for (size_t i = 0; i < stores->count; i++) {
        const struct member *member = &stores->members[i];
        count += member != but && !atomic_load(&member->out) && store_health(member->store) == 0;
    }
    return count;
}

/* A single member has no placement so far. */
static void begin_placement(struct stores *stores)
{
    struct placement_member alone;

    stores->placement = xmalloc(sizeof(*stores->placement));
    placement_init(stores->placement, &stores->secret);
    stores_describe(&stores->members[0], &alone);
    placement_alone(stores->placement, &alone);
}

/* Tries to record the placement on the failing disk, too, in case it is used alone later. */
static void record_at(const struct stores *stores, const struct member *member)
{
    struct buf bytes = BUF_INIT;

    placement_encode(stores->placement, &bytes);
    int err = directory_write(member->path, PLACEMENT_FILE, buf_span(&bytes));
    if (err) {
        log_warn("store_placement_lost", "dir=%s err=%s", member->path, err_text(err));
    }
    buf_fini(&bytes);
}

/* Under the lock. The other members record the new placement before they get any of the shares. */
static void take_out(struct stores *stores, struct member *member, const char *cause, size_t others)
{
    memcpy(member->cause, cause, sizeof(member->cause));
    atomic_store(&member->out, true);
    if (stores->placement == NULL) {
        begin_placement(stores);
    }
    stores_begin_era(stores, false);
    stores_publish(stores);
    log_error("store_taken_out", "dir=%s cause=%s others=%zu next=%s", member->path, cause, others,
              others ? "the others take over; repair it and start again, it will begin empty"
                     : "nothing is stored on disk; repair it and start again");
    record_at(stores, member);
}

void stores_on_trouble(void *arg, const struct store_trouble *trouble)
{
    struct member *member = arg;
    struct stores *stores = member->stores;
    char cause[CAUSE_MAX] = "";

    pthread_mutex_lock(&stores->lock);
    if (atomic_load(&stores->ready) && !atomic_load(&member->out) && tell_cause(trouble, cause)) {
        size_t others = count_others(stores, member);
        if (others || trouble->lost) {
            store_retire(member->store);
            take_out(stores, member, cause, others);
        }
    }
    pthread_mutex_unlock(&stores->lock);
}

/* ---- shelves ---- */

struct shelf stores_shelf(const struct stores *stores, const uint8_t hash[STORE_HASH])
{
    struct shelf shelf = {.stores = stores};

    if (stores == NULL) {
        return shelf;
    }
    const struct table *table = atomic_load_explicit(&stores->table, memory_order_acquire);
    uint32_t share = table ? table->shares[placement_share_of(hash)] : 0;
    uint8_t member = (uint8_t)share;
    if (member != PLACEMENT_NOBODY) {
        shelf.store = stores->members[member].store;
        shelf.tenure = share >> 8;
    }
    return shelf;
}

/* The hash with the tenure mixed in: what was stored in an earlier tenure is not found in this
 * one. */
static const uint8_t *tenured(struct shelf shelf, const uint8_t hash[STORE_HASH],
                              uint8_t out[STORE_HASH])
{
    uint32_t word;

    memcpy(out, hash, STORE_HASH);
    memcpy(&word, out + STORE_HASH - sizeof(word), sizeof(word));
    word ^= shelf.tenure;
    memcpy(out + STORE_HASH - sizeof(word), &word, sizeof(word));
    return out;
}

int shelf_find(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
               struct store_object *out)
{
    uint8_t own[STORE_HASH];

    return shelf.store ? store_find(shelf.store, tenured(shelf, hash, own), key, out)
                       : ERR_NOT_FOUND;
}

int shelf_find_now(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
                   struct store_read *read, struct store_object *out)
{
    uint8_t own[STORE_HASH];

    return shelf.store ? store_find_now(shelf.store, tenured(shelf, hash, own), key, read, out)
                       : ERR_NOT_FOUND;
}

bool shelf_read_object(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
                       bool anyway, struct store_waiter *waiter)
{
    uint8_t own[STORE_HASH];

    return store_read_object(shelf.store, tenured(shelf, hash, own), key, anyway, waiter);
}

bool shelf_read_is_of(struct shelf shelf, const struct store_read *read,
                      const uint8_t hash[STORE_HASH], struct span key)
{
    uint8_t own[STORE_HASH];

    return store_read_is_of(read, tenured(shelf, hash, own), key);
}

int shelf_put_begin(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
                    struct store_put **out)
{
    uint8_t own[STORE_HASH];

    *out = NULL;
    return shelf.store ? store_put_begin(shelf.store, tenured(shelf, hash, own), key, out) : ERR_IO;
}

int shelf_put_begin_anyway(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
                           struct store_put **out)
{
    uint8_t own[STORE_HASH];

    *out = NULL;
    return shelf.store ? store_put_begin_anyway(shelf.store, tenured(shelf, hash, own), key, out)
                       : ERR_IO;
}

void shelf_put_rename(struct shelf shelf, struct store_put *put, const uint8_t hash[STORE_HASH],
                      struct span key)
{
    uint8_t own[STORE_HASH];

    store_put_rename(put, tenured(shelf, hash, own), key);
}

/* NOLINTNEXTLINE(readability-function-size): bytes by their place and length, and who is told */
void shelf_update(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
                  struct span head, const void *meta, size_t meta_len,
                  void (*done)(void *arg, int err), void *arg)
{
    uint8_t own[STORE_HASH];

    if (shelf.store) {
        store_update(shelf.store, tenured(shelf, hash, own), key, head, meta, meta_len, done, arg);
    } else if (done) {
        done(arg, ERR_NOT_FOUND);
    }
}

void shelf_drop(struct shelf shelf, const uint8_t hash[STORE_HASH],
                void (*done)(void *arg, int err), void *arg)
{
    uint8_t own[STORE_HASH];

    if (shelf.store) {
        store_drop(shelf.store, tenured(shelf, hash, own), done, arg);
    } else if (done) {
        done(arg, 0);
    }
}

void shelf_touch(struct shelf shelf, const uint8_t hash[STORE_HASH], unsigned uses)
{
    uint8_t own[STORE_HASH];

    if (shelf.store) {
        store_touch(shelf.store, tenured(shelf, hash, own), uses);
    }
}

bool shelf_is_behind(struct shelf shelf)
{
    return shelf.store && store_is_behind(shelf.store);
}

/* ---- all members ---- */

void stores_flush(struct stores *stores)
{
    for (size_t i = 0; i < stores->count; i++) {
        if (stores->members[i].store) {
            store_flush(stores->members[i].store);
        }
    }
}

int stores_health(const struct stores *stores)
{
    int err = ERR_IO;

    for (size_t i = 0; i < stores->count && err; i++) {
        const struct member *member = &stores->members[i];
        err = atomic_load(&member->out) ? err : store_health(member->store);
    }
    return err;
}

static void add(struct store_stats *sum, const struct store_stats *one)
{
    sum->size += one->size;
    sum->used += one->used;
    sum->objects += one->objects;
    sum->segments += one->segments;
    sum->dirty += one->dirty;
    sum->deletions += one->deletions;
    sum->written_bytes += one->written_bytes;
    sum->written_objects += one->written_objects;
    sum->commits += one->commits;
    sum->commit_errors += one->commit_errors;
    sum->evicted_segments += one->evicted_segments;
    sum->recycled_segments += one->recycled_segments;
    sum->kept_objects += one->kept_objects;
    sum->kept_bytes += one->kept_bytes;
    sum->corrupt += one->corrupt;
    sum->stored_finds += one->stored_finds;
    sum->missed_finds += one->missed_finds;
    sum->reads_waiting += one->reads_waiting;
    sum->reads += one->reads;
    sum->read_bytes += one->read_bytes;
    sum->read_errors += one->read_errors;
    sum->reads_shared += one->reads_shared;
    sum->reads_refused += one->reads_refused;
    sum->read_us += one->read_us;
    sum->unreadable += one->unreadable;
}

void stores_stats(struct stores *stores, struct store_stats *out)
{
    struct store_member one;

    *out = (struct store_stats){0};
    for (size_t i = 0; i < stores->count; i++) {
        stores_member(stores, i, &one);
        add(out, &one.stats);
    }
}

size_t stores_count(const struct stores *stores)
{
    return stores->count;
}

struct store *stores_store(const struct stores *stores, size_t number)
{
    CHECK(number < stores->count);
    return stores->members[number].store;
}

void stores_member(struct stores *stores, size_t number, struct store_member *out)
{
    struct member *member = &stores->members[number];

    CHECK(number < stores->count);
    *out = (struct store_member){.path = member->path, .size = member->size};
    if (atomic_load(&member->out)) {
        out->cause = member->cause;
    }
    if (member->store) {
        store_stats(member->store, &out->stats);
        out->failing = store_health(member->store) != 0;
    }
}

uint64_t stores_object_max(const struct stores *stores)
{
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < stores->count; i++) {
        least = stores->members[i].size < least ? stores->members[i].size : least;
    }
    return least / OBJECT_SHARE;
}
