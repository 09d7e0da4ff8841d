#include "dnsredir/answer/ratelimit.h"

#include "base/mem.h"
#include "base/siphash.h"

#include <endian.h>

#define WAYS 4
#define SETS 16384 /* number of sets; each is a cache line of 64 bytes, 1 MiB in total */
#define SECOND UINT32_C(1000000)

/* A token bucket, kept as the time at which it will be full (the "generic cell rate algorithm"). A
 * time in the past: it is full. */
struct bucket {
    uint64_t tag;
    uint64_t full_us;
};

struct limiter {
    uint64_t key[2];
    struct bucket sets[SETS][WAYS];
};

struct limiter *limiter_new(void)
{
    struct limiter *limiter = xcalloc(1, sizeof(*limiter));
    struct sip_key key = sip_key_random();

    limiter->key[0] = key.k0;
    limiter->key[1] = key.k1;
    return limiter;
}

void limiter_free(struct limiter **limiter)
{
    free(*limiter);
    *limiter = NULL;
}

static uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

/* An attacker who could aim for collisions could as well forge the address, so a strong hash is not
 * needed; the key makes collisions hard all the same. */
static uint64_t hash_network(const struct limiter *limiter, const struct ip *client)
{
    const uint64_t all_but_last = htobe64(~UINT64_C(0xff));
    uint64_t net[2];

    memcpy(net, client->at, sizeof(net));
    if (ip_is_v4(client)) {
        net[1] &= all_but_last;
    } else {
        net[0] &= all_but_last;
        net[1] = 0;
    }
    uint64_t h = mix(net[0] ^ limiter->key[0]);
    return mix(h ^ net[1] ^ limiter->key[1]);
}

static uint64_t hash_case(uint64_t network, const struct limit_case *what)
{
    return mix(network ^ (uint64_t)(uintptr_t)what->subject ^ (uint64_t)what->class << 63);
}

/* The bucket of this hash; if it has none, the one that is full soonest becomes it. */
static struct bucket *find_bucket(struct limiter *limiter, uint64_t hash)
{
    struct bucket *set = limiter->sets[hash % SETS];
    struct bucket *least = set;

    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].tag == hash) {
            return &set[i];
        }
        least = set[i].full_us < least->full_us ? &set[i] : least;
    }
    *least = (struct bucket){.tag = hash};
    return least;
}

static bool is_exempt(const struct rate_limit *limit, const struct ip *client)
{
    for (size_t i = 0; i < limit->exempt_count; i++) {
        if (prefix_has(&limit->exempt[i], client)) {
            return true;
        }
    }
    return false;
}

/* Takes one answer out of a bucket, if it is in there. */
static bool take(struct limiter *limiter, uint64_t hash, uint32_t rate, uint64_t now_us)
{
    struct bucket *bucket = find_bucket(limiter, hash);
    uint64_t from = bucket->full_us > now_us ? bucket->full_us : now_us;
    uint64_t full = from + SECOND / rate;

    if (full > now_us + SECOND) {
        return false;
    }
    bucket->full_us = full;
    return true;
}

enum limit_verdict limiter_ask(struct limiter *limiter, const struct rate_limit *limit,
                               const struct limit_case *what)
{
    uint32_t rate = what->class == LIMIT_ERROR ? limit->errors : limit->responses;
    uint64_t network = hash_network(limiter, what->client);
    uint64_t now_us = what->now_us;

    if ((rate == 0 || take(limiter, hash_case(network, what), rate, now_us)) &&
        (limit->network == 0 || take(limiter, network, limit->network, now_us))) {
        return LIMIT_PASS;
    }
    if (is_exempt(limit, what->client)) {
        return LIMIT_PASS;
    }
    return limit->slip && what->turn % limit->slip == 0 ? LIMIT_SLIP : LIMIT_DROP;
}
