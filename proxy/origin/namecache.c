#include "proxy/origin/namecache.h"

#include "base/mem.h"
#include "base/memory.h"

enum { STALE_MAX_MS = 3600 * 1000 };

void namecache_init(struct namecache *cache, size_t max, size_t asking_max)
{
    cache->key = sip_key_random();
    map_init(&cache->names, 0);
    list_init(&cache->recent);
    list_init(&cache->empty);
    cache->recent_count = 0;
    cache->max = max;
    cache->asking = 0;
    cache->asking_max = asking_max;
}

static struct name_entry *find(const struct namecache *cache, struct span name, uint64_t hash)
{
    struct map_link *link = map_first(&cache->names, hash);

    for (; link; link = map_next(link)) {
        struct name_entry *entry = container_of(link, struct name_entry, link);
        if (span_eq(span_of(entry->name, entry->name_len), name)) {
            return entry;
        }
    }
    return NULL;
}

static size_t entry_bytes(const struct name_entry *entry)
{
    return sizeof(*entry) + entry->name_len + 1 +
           (entry->at ? entry->count : 0) * sizeof(entry->at[0]);
}

/* ---- eviction ---- */

static void unlist(struct name_entry *entry)
{
    entry->cache->recent_count -= !list_empty(&entry->recent);
    list_remove(&entry->recent);
}

/* Names without an address have a list of their own, so that they do not evict names that have
 * some. */
static void enlist(struct name_entry *entry)
{
    struct namecache *cache = entry->cache;

    if (entry->pinned) {
        return;
    }
    list_push_front(entry->count > 0 ? &cache->recent : &cache->empty, &entry->recent);
    cache->recent_count++;
}

static void drop(struct name_entry *entry)
{
    unlist(entry);
    map_remove(&entry->cache->names, &entry->link);
    memory_give(MEMORY_NAMES, entry_bytes(entry));
    free(entry->at);
    free(entry);
}

static void visit_drop(struct map_link *link, void *arg)
{
    (void)arg;
    drop(container_of(link, struct name_entry, link));
}

void namecache_fini(struct namecache *cache)
{
    map_each(&cache->names, visit_drop, NULL);
    map_fini(&cache->names);
}

static void trim(struct namecache *cache)
{
    while (cache->recent_count > cache->max) {
        struct list *from = list_empty(&cache->empty) ? &cache->recent : &cache->empty;
        drop(list_entry(from->prev, struct name_entry, recent));
    }
}

/* ---- names ---- */

bool namecache_is_busy(const struct namecache *cache)
{
    return cache->asking >= cache->asking_max;
}

static struct name_entry *add(struct namecache *cache, struct span name, uint64_t hash, bool pinned)
{
    if (!pinned && namecache_is_busy(cache)) {
        return NULL;
    }
    struct name_entry *entry = xcalloc(1, sizeof(*entry) + name.len + 1);

    entry->cache = cache;
    entry->pinned = pinned;
    entry->name_len = name.len;
    memory_take(MEMORY_NAMES, entry_bytes(entry));
    memcpy(entry->name, name.at, name.len);
    list_init(&entry->recent);
    enlist(entry);
    map_insert(&cache->names, &entry->link, hash);
    return entry;
}

struct name_entry *namecache_find(struct namecache *cache, struct span name, bool pinned)
{
    struct name_entry *entry = find(cache, name, sip_hash64(&cache->key, name));

    if (entry == NULL) {
        return NULL;
    }
    entry->pinned |= pinned;
    if (entry->inquiry == NULL) {
        unlist(entry);
        enlist(entry);
    }
    return entry;
}

struct name_entry *namecache_get(struct namecache *cache, struct span name, bool pinned)
{
    struct name_entry *entry = namecache_find(cache, name, pinned);

    return entry ? entry : add(cache, name, sip_hash64(&cache->key, name), pinned);
}

static void visit_expire(struct map_link *link, void *arg)
{
    struct name_entry *entry = container_of(link, struct name_entry, link);
    uint64_t now_ms = *(const uint64_t *)arg;

    entry->expires_ms = entry->expires_ms < now_ms ? entry->expires_ms : now_ms;
}

void namecache_expire(struct namecache *cache, uint64_t now_ms)
{
    map_each(&cache->names, visit_expire, &now_ms);
}

void name_entry_ask(struct name_entry *entry, struct inquiry *inquiry)
{
    struct namecache *cache = entry->cache;

    cache->asking -= entry->inquiry != NULL;
    cache->asking += inquiry != NULL;
    entry->inquiry = inquiry;
    unlist(entry);
    if (inquiry == NULL) {
        enlist(entry);
        trim(cache);
    }
}

void name_entry_answer(const struct name_entry *entry, struct resolve_answer *answer)
{
    *answer = (struct resolve_answer){
        .err = entry->err,
        .stale = entry->stale,
        .count = entry->count,
    };
    if (entry->count > 0) {
        memcpy(answer->at, entry->at, entry->count * sizeof(answer->at[0]));
    }
}

void name_entry_keep(struct name_entry *entry, const struct resolve_answer *answer, uint64_t now_ms,
                     uint64_t ttl_ms)
{
    memory_give(MEMORY_NAMES, entry_bytes(entry));
    free(entry->at);
    entry->at = NULL;
    entry->err = answer->err;
    entry->stale = false;
    entry->count = answer->count;
    if (answer->count > 0) {
        entry->at = xmalloc(answer->count * sizeof(answer->at[0]));
        memcpy(entry->at, answer->at, answer->count * sizeof(answer->at[0]));
    }
    memory_take(MEMORY_NAMES, entry_bytes(entry));
    entry->expires_ms = now_ms + ttl_ms;
    entry->useless_ms = entry->expires_ms + STALE_MAX_MS;
}

bool name_entry_serves_stale(const struct name_entry *entry, uint64_t now_ms)
{
    return entry->count > 0 && now_ms < entry->useless_ms;
}

void name_entry_keep_stale(struct name_entry *entry, uint64_t now_ms, uint64_t ms)
{
    uint64_t until = now_ms + ms;

    entry->stale = true;
    entry->expires_ms = until < entry->useless_ms ? until : entry->useless_ms;
}
