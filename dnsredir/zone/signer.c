#include "dnsredir/zone/signer.h"

#include "base/mem.h"

#define WAYS 4
#define SETS 2048 /* sets of WAYS entries: 8192 signatures of each kind, 0.7 MB */
#define BURST_PART 16
#define BURST_LEAST 8
#define TCP_PART 4
/* Zones with a bucket of their own; more share them. */
#define ZONES 64
#define ZONE_BURST_LEAST 4
#define SHARED_PART UINT64_C(2)
#define SECOND_US 1000000u
/* A signature is kept until so much of its validity is left, if it can be made anew; if it cannot,
 * until it would expire in caches at once. */
#define FRESH_PART 2
#define LEFT_LEAST 5

struct entry {
    uint8_t id[DNSSEC_ID_LEN];
    unsigned zone;
    struct signature signature;
};

/* Tokens are signatures, in parts of SECOND_US. */
struct bucket {
    uint64_t tokens;
    uint64_t filled_us;
    bool begun;
};

struct signer {
    struct bucket buckets[SIGNER_KINDS]; /* shared by all zones */
    struct bucket zones[SIGNER_KINDS][ZONES];
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

/* A bucket's part of the budget, and what it holds at least. */
struct share {
    uint64_t rate, part, least;
};

/* May one more be made now? */
static bool spend(struct bucket *bucket, const struct share *share, const struct signer_case *when)
{
    uint64_t even = share->rate / share->part / BURST_PART;
    uint64_t full = (even > share->least ? even : share->least) * SECOND_US;
    uint64_t passed = when->now_us > bucket->filled_us ? when->now_us - bucket->filled_us : 0;
    uint64_t kept = when->tcp ? 0 : full / TCP_PART;

    passed = passed < SECOND_US ? passed : SECOND_US;
    bucket->tokens = bucket->begun ? bucket->tokens + passed * share->rate / share->part : full;
    bucket->tokens = bucket->tokens < full ? bucket->tokens : full;
    bucket->filled_us = when->now_us > bucket->filled_us ? when->now_us : bucket->filled_us;
    bucket->begun = true;
    if (bucket->tokens < kept + SECOND_US) {
        return false;
    }
    bucket->tokens -= SECOND_US;
    return true;
}

/* As above, for a zone: takes from its own part or, when that is used up, from the shared part. */
static bool spend_for(struct signer *signer, const struct signatures *ready, unsigned zone,
                      const struct signer_case *when)
{
    struct bucket *all = &signer->buckets[when->kind];
    uint64_t rate = signatures_rate(ready);
    unsigned zones = signatures_zone_count(ready);

    if (zones < 2) {
        return spend(all, &(struct share){rate, 1, BURST_LEAST}, when);
    }
    uint64_t parts = SHARED_PART * (zones < ZONES ? zones : ZONES);
    return spend(&signer->zones[when->kind][zone % ZONES],
                 &(struct share){rate, parts, ZONE_BURST_LEAST}, when) ||
           spend(all, &(struct share){rate, SHARED_PART, BURST_LEAST}, when);
}

/* Is `a` rather to be used than `b` by a zone? One that is empty or expired; one of its own; the
 * one that expires first. */
static bool is_better(const struct entry *a, const struct entry *b, unsigned zone, uint32_t now)
{
    uint32_t left_a = dnssec_left(&a->signature, now);
    uint32_t left_b = dnssec_left(&b->signature, now);

    if (left_a && left_b && (a->zone == zone) != (b->zone == zone)) {
        return a->zone == zone;
    }
    return left_a < left_b;
}

/* The entry of this id or, when there is none, the one of its row to be used. */
static struct entry *find(struct entry *row, const uint8_t id[DNSSEC_ID_LEN], unsigned zone,
                          uint32_t now, bool *known)
{
    struct entry *best = row;

    *known = true;
    for (unsigned i = 0; i < WAYS; i++) {
        if (memcmp(row[i].id, id, DNSSEC_ID_LEN) == 0) {
            return &row[i];
        }
        best = is_better(&row[i], best, zone, now) ? &row[i] : best;
    }
    *known = false;
    return best;
}

static enum signed_how get_kept(struct signer *signer, const struct signatures *ready,
                                const struct signer_case *when, const struct signable *what,
                                const uint8_t id[DNSSEC_ID_LEN], struct signature *out)
{
    uint16_t place;
    bool known;

    memcpy(&place, id, sizeof(place));
    unsigned zone = what->zone->number;
    struct entry *entry =
        find(signer->entries[when->kind][place % SETS], id, zone, when->now, &known);
    uint32_t left = known ? dnssec_left(&entry->signature, when->now) : 0;
    if (left > what->zone->validity / FRESH_PART) {
        *out = entry->signature;
        return SIGNED_CACHED;
    }
    if (spend_for(signer, ready, zone, when) && dnssec_sign(what, when->now, out) == 0) {
        memcpy(entry->id, id, DNSSEC_ID_LEN);
        entry->zone = zone;
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
    return signer ? get_kept(signer, ready, when, what, id, out) : SIGNED_REFUSED;
}
