#include "cache/store/drops.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/memory.h"

struct entry {
    struct map_link link;
    struct list refused;   /* in drops->refused, or in no list */
    unsigned on_their_way; /* posted operations that delete the record */
    uint8_t hash[STORE_HASH];
};

void drops_init(struct drops *drops)
{
    *drops = (struct drops){0};
    map_init(&drops->entries, 0);
    list_init(&drops->refused);
}

void drops_fini(struct drops *drops)
{
    CHECK(drops->entries.count == 0);
    map_fini(&drops->entries);
}

/* The hashes are keyed, so a peer cannot choose them and their bits serve as they are. */
static uint64_t place_of(const uint8_t hash[STORE_HASH])
{
    uint64_t place;

    memcpy(&place, hash, sizeof(place));
    return place;
}

static _Atomic uint32_t *hint_of(struct drops *drops, const uint8_t hash[STORE_HASH])
{
    uint16_t bits;

    memcpy(&bits, hash, sizeof(bits));
    return &drops->hints[bits % DROPS_HINTS];
}

static struct entry *find(const struct drops *drops, const uint8_t hash[STORE_HASH])
{
    struct map_link *link = map_first(&drops->entries, place_of(hash));

    while (link && memcmp(container_of(link, struct entry, link)->hash, hash, STORE_HASH) != 0) {
        link = map_next(link);
    }
    return link ? container_of(link, struct entry, link) : NULL;
}

static struct entry *need(struct drops *drops, const uint8_t hash[STORE_HASH])
{
    struct entry *entry = find(drops, hash);

    if (entry == NULL) {
        entry = xcalloc(1, sizeof(*entry));
        memory_take(MEMORY_QUEUED, sizeof(*entry));
        memcpy(entry->hash, hash, STORE_HASH);
        list_init(&entry->refused);
        map_insert(&drops->entries, &entry->link, place_of(hash));
        atomic_fetch_add(hint_of(drops, hash), 1);
    }
    return entry;
}

void drops_begin(struct drops *drops, const uint8_t hash[STORE_HASH])
{
    need(drops, hash)->on_their_way++;
}

static void forget_if_done(struct drops *drops, struct entry *entry)
{
    if (entry->on_their_way == 0 && list_empty(&entry->refused)) {
        map_remove(&drops->entries, &entry->link);
        atomic_fetch_sub(hint_of(drops, entry->hash), 1);
        memory_give(MEMORY_QUEUED, sizeof(*entry));
        free(entry);
    }
}

void drops_end(struct drops *drops, const uint8_t hash[STORE_HASH])
{
    struct entry *entry = find(drops, hash);

    CHECK(entry && entry->on_their_way > 0);
    entry->on_their_way--;
    forget_if_done(drops, entry);
}

void drops_settle(struct drops *drops, const uint8_t hash[STORE_HASH])
{
    struct entry *entry = drops_may_have(drops, hash) ? find(drops, hash) : NULL;

    if (entry) {
        list_remove(&entry->refused);
        forget_if_done(drops, entry);
    }
}

void drops_refuse(struct drops *drops, const uint8_t hash[STORE_HASH])
{
    struct entry *entry = need(drops, hash);

    if (list_empty(&entry->refused)) {
        list_push_back(&drops->refused, &entry->refused);
    }
}

bool drops_retry(struct drops *drops, uint8_t hash[STORE_HASH])
{
    struct list *link = list_pop_front(&drops->refused);

    if (link == NULL) {
        return false;
    }
    struct entry *entry = list_entry(link, struct entry, refused);
    entry->on_their_way++;
    memcpy(hash, entry->hash, STORE_HASH);
    return true;
}

bool drops_retry_this(struct drops *drops, const uint8_t hash[STORE_HASH])
{
    struct entry *entry = drops_may_have(drops, hash) ? find(drops, hash) : NULL;

    if (entry == NULL || list_empty(&entry->refused)) {
        return false;
    }
    list_remove(&entry->refused);
    entry->on_their_way++;
    return true;
}

bool drops_has(const struct drops *drops, const uint8_t hash[STORE_HASH])
{
    return find(drops, hash) != NULL;
}
