/*
 * namecache - host names and their addresses. Bounded: the least recently used name is evicted
 * first. Names without an answer so far are bounded separately and evict none with one. Belongs to
 * one loop; the time is a parameter.
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
    int err; /* 0; ERR_NO_ADDRESS: no address, no such name, or the servers fail; ERR_TIMEOUT */
    bool partial;                        /* one family is missing; a complete answer follows */
    bool stale;                          /* expired, as no name server answers */
    size_t count;                        /* at least 1 if err is 0 */
    struct ip at[RESOLVE_ADDRESSES_MAX]; /* IPv6 first; each family in the order of the server */
};

struct name_entry {
    struct map_link link;
    struct list recent; /* in one of the cache's lists, unless it is being asked for or is pinned */
    struct namecache *cache;
    struct inquiry *inquiry; /* NULL: it is not being asked for. With one it cannot be evicted */
    bool pinned;             /* for an origin of the configuration: never evicted */
    uint64_t expires_ms;
    uint64_t useless_ms; /* until then it may be used stale */
    int err;
    bool stale; /* may be used after it has expired */
    size_t count;
    struct ip *at;
    size_t name_len;
    char name[]; /* lower case, NUL-terminated */
};

struct namecache {
    struct sip_key key;
    struct map names;
    struct list recent; /* most recently used first */
    struct list empty;  /* the same for names without addresses, which are evicted first */
    size_t recent_count, max;
    size_t asking, asking_max;
};

/* At most `max` names with an answer, and `asking_max` without. */
void namecache_init(struct namecache *cache, size_t max, size_t asking_max);
void namecache_fini(struct namecache *cache);

/* The entry of `name`, or NULL. Valid like that of namecache_get(). */
struct name_entry *namecache_find(struct namecache *cache, struct span name, bool pinned);
/* The entry of `name`, which is added if it is missing; then it is expired, and must be asked for.
 * Valid until the next call, and while it has an inquiry; a `pinned` one for ever. NULL: it is
 * missing, not pinned, and too many names are being asked for. */
struct name_entry *namecache_get(struct namecache *cache, struct span name, bool pinned);
/* Are too many names being asked for? */
bool namecache_is_busy(const struct namecache *cache);
/* Expires all names; they may still be used stale. */
void namecache_expire(struct namecache *cache, uint64_t now_ms);

/* Sets the inquiry of an entry; NULL: it has ended. */
void name_entry_ask(struct name_entry *entry, struct inquiry *inquiry);
void name_entry_answer(const struct name_entry *entry, struct resolve_answer *answer);
void name_entry_keep(struct name_entry *entry, const struct resolve_answer *answer, uint64_t now_ms,
                     uint64_t ttl_ms);
/* Does it have addresses that expired less than an hour ago (RFC 8767)? */
bool name_entry_serves_stale(const struct name_entry *entry, uint64_t now_ms);
/* Lets it be used stale for `ms` more. */
void name_entry_keep_stale(struct name_entry *entry, uint64_t now_ms, uint64_t ms);

#endif
