#include "cache/hot.h"

#include "base/check.h"
#include "base/memory.h"

enum {
    NEW_SHARE = 10, /* the small queue gets 1/NEW_SHARE of all bytes */
    /* most entries that one eviction may move to another round, as the shard is locked meanwhile */
    MOVES_MAX = 64,
    HITS_MAX = 3, /* most uses counted between two rounds */
};

void hot_init(struct hot *hot)
{
    *hot = (struct hot){0};
    for (size_t i = 0; i < HOT_QUEUES; i++) {
        list_init(&hot->queues[i]);
    }
}

void hot_fini(struct hot *hot)
{
    CHECK(hot->count == 0);
    memory_give(MEMORY_ENTRIES, ghosts_bytes(&hot->ghosts));
    ghosts_fini(&hot->ghosts);
}

void hot_entry_init(struct hot_entry *entry, uint32_t tag)
{
    *entry = (struct hot_entry){.tag = tag};
    list_init(&entry->link);
}

/* ---- queues ---- */

static void push(struct hot *hot, struct hot_entry *entry, enum hot_queue queue)
{
    entry->queue = queue;
    list_push_front(&hot->queues[queue], &entry->link);
    hot->bytes[queue] += entry->bytes;
    hot->count++;
}

static void take_out(struct hot *hot, struct hot_entry *entry)
{
    if (entry->queue == HOT_OUT) {
        return;
    }
    list_remove(&entry->link);
    hot->bytes[entry->queue] -= entry->bytes;
    hot->count--;
    entry->queue = HOT_OUT;
}

void hot_put(struct hot *hot, struct hot_entry *entry, size_t bytes, bool held)
{
    if (entry->queue == HOT_OUT && hot_was_seen(hot, entry->tag)) {
        entry->proven = true;
    }
    take_out(hot, entry);
    entry->bytes = bytes;
    push(hot, entry, held ? HOT_HELD : entry->proven ? HOT_MAIN : HOT_NEW);
}

void hot_remove(struct hot *hot, struct hot_entry *entry)
{
    take_out(hot, entry);
    hot_entry_init(entry, entry->tag);
}

unsigned hot_use(struct hot_entry *entry, bool has)
{
    uint32_t uses = ++entry->uses;
    unsigned untold = entry->untold < UINT8_MAX ? entry->untold + 1u : UINT8_MAX;
    bool tell = has && (untold >= HOT_TELL || 2 * untold >= uses);

    entry->hits = (uint8_t)(entry->hits + (entry->hits < HITS_MAX));
    entry->untold = tell ? 0 : (uint8_t)untold;
    return tell ? untold : 0;
}

size_t hot_bytes(const struct hot *hot)
{
    return hot->bytes[HOT_HELD] + hot->bytes[HOT_NEW] + hot->bytes[HOT_MAIN];
}

/* ---- eviction ---- */

/* How many uses buy another round in the main queue; larger entries need more. */
static uint8_t price(const struct hot_entry *entry)
{
    if (entry->bytes <= 8ul * 1024) {
        return 1;
    }
    return entry->bytes <= 64ul * 1024 ? 2 : HITS_MAX;
}

enum hot_queue hot_victim(size_t new_bytes, size_t both_bytes)
{
    return new_bytes > both_bytes / NEW_SHARE ? HOT_NEW : HOT_MAIN;
}

/* Is the entry kept for another round in the main queue? */
static bool stays(struct hot_entry *entry)
{
    if (entry->queue == HOT_NEW) {
        entry->proven = entry->hits >= price(entry);
        entry->hits = 0;
        return entry->proven;
    }
    if (entry->hits == 0) {
        return false;
    }
    entry->hits = entry->hits > price(entry) ? (uint8_t)(entry->hits - price(entry)) : 0;
    return true;
}

struct hot_entry *hot_evict(struct hot *hot, enum hot_queue from)
{
    for (int moves = 0; !list_empty(&hot->queues[from]); moves++) {
        struct hot_entry *entry = list_entry(hot->queues[from].prev, struct hot_entry, link);
        bool again = stays(entry) && moves < MOVES_MAX;
        take_out(hot, entry);
        if (!again) {
            if (from == HOT_NEW) {
                hot_remember(hot, entry->tag);
            }
            return entry;
        }
        push(hot, entry, HOT_MAIN);
    }
    return NULL;
}

/* ---- ghosts ---- */

bool hot_was_seen(struct hot *hot, uint32_t tag)
{
    return ghosts_take(&hot->ghosts, tag);
}

void hot_remember(struct hot *hot, uint32_t tag)
{
    size_t before = ghosts_bytes(&hot->ghosts);

    ghosts_put(&hot->ghosts, tag, hot->count);
    memory_take(MEMORY_ENTRIES, ghosts_bytes(&hot->ghosts) - before);
}
