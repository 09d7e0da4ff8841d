#include "dnsredir/signer.h"

#include "base/mem.h"

#define WAYS 4
#define SETS 2048 /* of WAYS entries: 8192 signatures of a kind, 0.7 MB */
#define BURST_PART 16
#define BURST_LEAST 8
#define TCP_PART 4
#define SECOND_US 1000000u
/* A signature is kept until so much of its validity is left, if it can be made anew; if it cannot,
 * until it would expire in caches at once. */
#define FRESH_PART 2
#define LEFT_LEAST 5

struct entry {
    uint8_t id[DNSSEC_ID_LEN];
    struct signature signature;
};

/* Tokens are signatures, in parts of SECOND_US. */
struct bucket {
    uint64_t tokens;
    uint64_t filled_us;
    bool begun;
};

struct signer {
    struct bucket buckets[SIGNER_KINDS];
    struct entry entries[SIGNER_KINDS][SETS][WAYS];
};

struct signer *signer_new(void)
{
    return xcalloc(1, sizeof(struct signer));
}

void signer_free(struct signer **signer)
{
    free(*signer);
    *signer = NULL;
}

/* May one more be made now? */
static bool spend(struct bucket *bucket, uint64_t rate, const struct signer_case *when)
{
    uint64_t burst = rate / BURST_PART > BURST_LEAST ? rate / BURST_PART : BURST_LEAST;
    uint64_t full = burst * SECOND_US;
    uint64_t passed = when->now_us > bucket->filled_us ? when->now_us - bucket->filled_us : 0;
    uint64_t kept = when->tcp ? 0 : full / TCP_PART;

    passed = passed < SECOND_US ? passed : SECOND_US;
    bucket->tokens = bucket->begun ? bucket->tokens + passed * rate : full;
    bucket->tokens = bucket->tokens < full ? bucket->tokens : full;
    bucket->filled_us = when->now_us > bucket->filled_us ? when->now_us : bucket->filled_us;
    bucket->begun = true;
    if (bucket->tokens < kept + SECOND_US) {
        return false;
    }
    bucket->tokens -= SECOND_US;
    return true;
}

/* The entry of this id or, when there is none, the one of its row that expires first. */
static struct entry *find(struct entry *row, const uint8_t id[DNSSEC_ID_LEN], uint32_t now,
                          bool *known)
{
    struct entry *oldest = row;

    *known = true;
    for (unsigned i = 0; i < WAYS; i++) {
        if (memcmp(row[i].id, id, DNSSEC_ID_LEN) == 0) {
            return &row[i];
        }
        if (dnssec_left(&row[i].signature, now) < dnssec_left(&oldest->signature, now)) {
            oldest = &row[i];
        }
    }
    *known = false;
    return oldest;
}

static enum signed_how get_kept(struct signer *signer, uint64_t rate,
                                const struct signer_case *when, const struct signable *what,
                                const uint8_t id[DNSSEC_ID_LEN], struct signature *out)
{
    uint16_t place;
    bool known;

    memcpy(&place, id, sizeof(place));
    struct entry *entry = find(signer->entries[when->kind][place % SETS], id, when->now, &known);
    uint32_t left = known ? dnssec_left(&entry->signature, when->now) : 0;
    if (left > what->zone->validity / FRESH_PART) {
        *out = entry->signature;
        return SIGNED_CACHED;
    }
    if (spend(&signer->buckets[when->kind], rate, when) && dnssec_sign(what, when->now, out) == 0) {
        memcpy(entry->id, id, DNSSEC_ID_LEN);
        entry->signature = *out;
        return SIGNED_NEW;
    }
    if (left < LEFT_LEAST) {
        return SIGNED_REFUSED;
    }
    *out = entry->signature;
    return SIGNED_CACHED;
}

enum signed_how signer_get(struct signer *signer, const struct signatures *ready,
                           const struct signer_case *when, const struct signable *what,
                           struct signature *out)
{
    uint8_t id[DNSSEC_ID_LEN];

    if (!ready) {
        return SIGNED_REFUSED;
    }
    dnssec_id(what, id);
    const struct signature *made = signatures_find(ready, id);
    if (made && dnssec_left(made, when->now)) {
        *out = *made;
        return SIGNED_READY;
    }
    return signer ? get_kept(signer, signatures_rate(ready), when, what, id, out) : SIGNED_REFUSED;
}
