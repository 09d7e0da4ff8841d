/*
 * choose - which replicas a client gets. Pure; allocates nothing while it chooses.
 *
 * A *ranking* is an order of replicas: the leaf of the prefix map, of which there are few, shared
 * by many prefixes. A *policy* says how names choose: from which replicas, how many addresses,
 * for how long. Both are immutable after load and belong to the settings.
 */
#ifndef LARDER_DNSREDIR_CHOOSE_H
#define LARDER_DNSREDIR_CHOOSE_H

#include "base/arena.h"
#include "base/prefix.h"

#define REPLICAS_MAX 1024
#define ANSWERS_MAX 16

struct replica {
    char *name;
    struct ip *addresses;
    size_t address_count;
    bool has_location;
    double latitude, longitude; /* degrees */
    uint64_t hash;              /* of the name: its place in rendezvous hashing */
};

/* One bit per replica. */
struct replica_set {
    uint64_t words[REPLICAS_MAX / 64];
};

static inline bool replica_set_has(const struct replica_set *set, unsigned replica)
{
    return set->words[replica / 64] >> (replica % 64) & 1;
}

static inline void replica_set_put(struct replica_set *set, unsigned replica, bool in)
{
    uint64_t bit = UINT64_C(1) << (replica % 64);
    uint64_t *word = &set->words[replica / 64];

    *word = in ? *word | bit : *word & ~bit;
}

struct ranking {
    bool ordered;    /* false: all are equally good, and take turns */
    uint16_t listed; /* the first so many are the decision; the others stand in when all of
                        these are down */
    uint16_t count;
    uint16_t ids[];
};

/* The ready records of one address family: those of replica r are first[r] up to first[r+1]. */
struct address_records {
    uint8_t *wire;
    uint32_t *first;
    uint16_t record_len;
};

enum policy_kind { POLICY_NEAREST, POLICY_HASHED };

struct policy {
    enum policy_kind kind;
    uint16_t answers; /* addresses in an answer; 0: those of the best replica */
    uint16_t member_count;
    uint16_t replica_count;
    uint16_t *members; /* ascending */
    uint64_t *hashes;  /* of every replica */
    struct replica_set member_set;
    struct address_records v4, v6;
};

/* Makes a policy from members of `replicas`; everything in `arena`. The order of `members` does
 * not matter. */
struct policy *policy_new(struct arena *arena, enum policy_kind kind, unsigned answers,
                          uint32_t ttl, const struct replica *replicas, size_t replica_count,
                          const struct replica_set *members);

/* What a choice depends on. */
struct choice_input {
    const struct ranking *ranking; /* POLICY_NEAREST */
    uint64_t name_hash;            /* POLICY_HASHED */
    const struct replica_set *up;
    bool v6;
    uint32_t turn; /* for rotation: different for each query in all of its bits */
};

struct choice {
    unsigned count; /* 0: no member has an address of the family */
    bool all_down;  /* nobody is up: the best known was chosen all the same */
    const uint8_t *records[ANSWERS_MAX];
    uint16_t record_len;
};

void choose(const struct policy *policy, const struct choice_input *input, struct choice *out);

/* Does the policy have an address of the family at all? */
bool policy_has(const struct policy *policy, bool v6);

#endif
