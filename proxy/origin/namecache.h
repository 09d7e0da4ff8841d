/*
 * namecache - host names and what name servers said about them: bounded, the least recently used
 * leaves first. A name for which nothing is known yet takes no other's place: those being asked for
 * are bounded by themselves. Belongs to one loop; it is told the time.
 */
#ifndef LARDER_PROXY_ORIGIN_NAMECACHE_H
#define LARDER_PROXY_ORIGIN_NAMECACHE_H

#include "base/list.h"
#include "base/map.h"
#include "base/prefix.h"
#include "base/siphash.h"

#define RESOLVE_ADDRESSES_MAX 32

struct inquiry;
struct namecache;

struct resolve_answer {
    int err;      /* 0, ERR_NO_ADDRESS (also: servers fail, or no name at all), ERR_TIMEOUT */
    bool partial; /* one family is missing: another answer, with both, follows */
    bool stale;   /* expired, and the name servers are away */
    size_t count; /* at least 1 when err is 0 */
    struct ip at[RESOLVE_ADDRESSES_MAX]; /* IPv6 first, each family in the server's order */
};

struct name_entry {
    struct map_link link;
    struct list recent; /* in one of the cache's lists, unless it is being asked for, or pinned */
    struct namecache *cache;
    struct inquiry *inquiry; /* set while the name is being asked for: it cannot be evicted */
    bool pinned;             /* of an origin of the configuration: it never is */
    uint64_t expires_ms;
    uint64_t useless_ms; /* not even stale any more */
    int err;
    bool stale; /* serves beyond its TTL */
    size_t count;
    struct ip *at;
    size_t name_len;
    char name[]; /* lower case, NUL-terminated */
};

struct namecache {
    struct sip_key key;
    struct map names;
    struct list recent; /* the most recently used first */
    struct list empty;  /* likewise, those without an address: they leave before the others */
    size_t recent_count, max;
    size_t asking, asking_max;
};

/* `max` names that are known, `asking_max` that are being asked for. */
void namecache_init(struct namecache *cache, size_t max, size_t asking_max);
void namecache_fini(struct namecache *cache);

/* The entry of `name`, or NULL. It stays as long as one of namecache_get(). */
struct name_entry *namecache_find(struct namecache *cache, struct span name, bool pinned);
/* The entry of `name`, added when there is none: an added one has expired, and must be asked for.
 * It stays until the next call, and for as long as it has an inquiry. `pinned`: it stays for ever.
 * NULL when it is not known, is not pinned, and too many others are being asked for. */
struct name_entry *namecache_get(struct namecache *cache, struct span name, bool pinned);
/* Too many are being asked for. */
bool namecache_is_busy(const struct namecache *cache);
/* Nothing is fresh any more; it may still serve stale. */
void namecache_expire(struct namecache *cache, uint64_t now_ms);

/* The name is being asked for from now on; NULL: no more. */
void name_entry_ask(struct name_entry *entry, struct inquiry *inquiry);
void name_entry_answer(const struct name_entry *entry, struct resolve_answer *answer);
void name_entry_keep(struct name_entry *entry, const struct resolve_answer *answer, uint64_t now_ms,
                     uint64_t ttl_ms);
/* Has addresses, and their TTL ended less than an hour ago (RFC 8767). */
bool name_entry_serves_stale(const struct name_entry *entry, uint64_t now_ms);
/* Goes on serving them for `ms`. */
void name_entry_keep_stale(struct name_entry *entry, uint64_t now_ms, uint64_t ms);

#endif
