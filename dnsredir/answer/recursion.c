#include "dnsredir/answer/recursion.h"

#include "base/err.h"

#include <stdlib.h>

#define BUCKETS 1024

struct entry {
    struct entry *next;
    uint64_t hash;
    bool below; /* a wildcard: for the names below `name` */
    struct name name;
    const struct redirect_rule *rule;
};

struct recursion {
    const struct prefix *allow;
    size_t allow_count;
    struct ip *ours; /* addresses of replicas, sorted */
    size_t our_count;
    size_t entry_count;
    struct entry *buckets[BUCKETS];
};

static int compare_ips(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct ip));
}

static void take_addresses(struct arena *arena, struct recursion *r, const struct replica *replicas,
                           size_t replica_count)
{
    size_t count = 0;

    for (size_t i = 0; i < replica_count; i++) {
        count += replicas[i].address_count;
    }
    r->ours = arena_zalloc(arena, (count + 1) * sizeof(*r->ours));
    for (size_t i = 0; i < replica_count; i++) {
        for (size_t n = 0; n < replicas[i].address_count; n++) {
            r->ours[r->our_count++] = replicas[i].addresses[n];
        }
    }
    qsort(r->ours, r->our_count, sizeof(*r->ours), compare_ips);
}

struct recursion *recursion_new(struct arena *arena, const struct prefix *allow, size_t allow_count,
                                const struct replica *replicas, size_t replica_count)
{
    struct recursion *r = arena_zalloc(arena, sizeof(*r));

    r->allow = allow;
    r->allow_count = allow_count;
    take_addresses(arena, r, replicas, replica_count);
    return r;
}

/* The entry for `name` without its first `skip` labels, whose hash is `hash`. */
static const struct entry *find(const struct recursion *r, const struct name *name, unsigned skip,
                                uint64_t hash, bool below)
{
    size_t start = skip == name->labels ? name->len - 1u : name->label[skip];
    size_t len = name->len - start;
    const struct entry *at = r->buckets[hash % BUCKETS];

    while (at && !(at->hash == hash && at->below == below && at->name.len == len &&
                   memcmp(at->name.at, name->at + start, len) == 0)) {
        at = at->next;
    }
    return at;
}

int recursion_redirect_add(struct arena *arena, struct recursion *r, const struct name *pattern,
                           const struct redirect_rule *rule)
{
    bool below = pattern->labels && pattern->at[0] == 1 && pattern->at[1] == '*';
    struct name name;

    name_suffix(pattern, below ? 1 : 0, &name);
    if (name.labels == 0) {
        return ERR_SYNTAX;
    }
    uint64_t hash = name_hash(&name);
    if (find(r, &name, 0, hash, below)) {
        return ERR_BUSY;
    }
    struct entry *entry = arena_zalloc(arena, sizeof(*entry));
    *entry = (struct entry){r->buckets[hash % BUCKETS], hash, below, name, rule};
    r->buckets[hash % BUCKETS] = entry;
    r->entry_count++;
    return 0;
}

static bool is_in(const struct prefix *prefixes, size_t count, const struct ip *ip)
{
    for (size_t i = 0; i < count; i++) {
        if (prefix_has(&prefixes[i], ip)) {
            return true;
        }
    }
    return false;
}

bool recursion_allows(const struct recursion *r, const struct ip *client)
{
    return is_in(r->allow, r->allow_count, client);
}

const struct policy *recursion_redirect(const struct recursion *r, const struct name *name,
                                        const struct ip *client)
{
    uint64_t hashes[NAME_MAX_LABELS + 1];
    const struct entry *entry = NULL;

    if (r->entry_count == 0) {
        return NULL;
    }
    name_hash_suffixes(name, hashes);
    entry = find(r, name, 0, hashes[0], false);
    for (unsigned skip = 1; skip <= name->labels && !entry; skip++) {
        entry = find(r, name, skip, hashes[skip], true);
    }
    if (!entry || is_in(entry->rule->except, entry->rule->except_count, client) ||
        bsearch(client, r->ours, r->our_count, sizeof(*r->ours), compare_ips)) {
        return NULL;
    }
    return entry->rule->policy;
}
