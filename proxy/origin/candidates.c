#include "proxy/origin/candidates.h"

enum { FAILED_MS = 30000 };

void failures_init(struct failures *failures)
{
    *failures = (struct failures){.key = sip_key_random()};
}

static size_t slot_of(const struct failures *failures, const struct ip *ip, uint16_t port)
{
    uint8_t key[sizeof(ip->at) + sizeof(port)];

    memcpy(key, ip->at, sizeof(ip->at));
    memcpy(key + sizeof(ip->at), &port, sizeof(port));
    return sip_hash64(&failures->key, span_of(key, sizeof(key))) %
           (sizeof(failures->at) / sizeof(failures->at[0]));
}

void failures_add(struct failures *failures, const struct ip *ip, uint16_t port, uint64_t now_ms)
{
    failures->at[slot_of(failures, ip, port)] =
        (struct failed_address){.ip = *ip, .port = port, .until_ms = now_ms + FAILED_MS};
}

static bool is_slot_of(const struct failed_address *slot, const struct ip *ip, uint16_t port)
{
    return slot->until_ms != 0 && slot->port == port && ip_eq(&slot->ip, ip);
}

void failures_remove(struct failures *failures, const struct ip *ip, uint16_t port)
{
    struct failed_address *slot = &failures->at[slot_of(failures, ip, port)];

    if (is_slot_of(slot, ip, port)) {
        slot->until_ms = 0;
    }
}

bool failures_has(const struct failures *failures, const struct ip *ip, uint16_t port,
                  uint64_t now_ms)
{
    const struct failed_address *slot = &failures->at[slot_of(failures, ip, port)];

    return is_slot_of(slot, ip, port) && now_ms < slot->until_ms;
}

static bool has(const struct candidates *candidates, const struct ip *ip)
{
    for (size_t i = 0; i < candidates->count; i++) {
        if (ip_eq(&candidates->at[i], ip)) {
            return true;
        }
    }
    return false;
}

/* The first of `addresses` from *at on that has this family and is no candidate so far. */
static const struct ip *pick(const struct candidates *candidates, const struct ip *addresses,
                             size_t count, bool v4, size_t *at)
{
    for (; *at < count; ++*at) {
        if (ip_is_v4(&addresses[*at]) == v4 && !has(candidates, &addresses[*at])) {
            return &addresses[*at];
        }
    }
    return NULL;
}

static void alternate(struct candidates *candidates, const struct ip *addresses, size_t count)
{
    bool v4 = candidates->count > 0 && !ip_is_v4(&candidates->at[candidates->count - 1]);
    size_t at[2] = {0, 0};

    while (candidates->count < CANDIDATES_MAX) {
        const struct ip *ip = pick(candidates, addresses, count, v4, &at[v4]);
        if (ip == NULL) {
            v4 = !v4;
            ip = pick(candidates, addresses, count, v4, &at[v4]);
        }
        if (ip == NULL) {
            return;
        }
        candidates->at[candidates->count++] = *ip;
        v4 = !v4;
    }
}

void candidates_arrange(struct candidates *candidates, const struct ip *addresses, size_t count,
                        uint16_t port, const struct failures *failures, uint64_t now_ms)
{
    struct ip failed[CANDIDATES_MAX];
    size_t failed_count = 0;
    size_t kept = candidates->next;

    candidates->count = candidates->next;
    alternate(candidates, addresses, count);
    for (size_t i = candidates->next; i < candidates->count; i++) {
        if (failures_has(failures, &candidates->at[i], port, now_ms)) {
            failed[failed_count++] = candidates->at[i];
        } else {
            candidates->at[kept++] = candidates->at[i];
        }
    }
    memcpy(&candidates->at[kept], failed, failed_count * sizeof(failed[0]));
}
