/*
 * policy - how names choose: among which replicas, in which order, how many addresses, for how
 * long. Made at load, off the serving threads, with every record rendered; immutable after that.
 */
#ifndef LARDER_DNSREDIR_STEERING_POLICY_H
#define LARDER_DNSREDIR_STEERING_POLICY_H

#include "base/arena.h"
#include "base/prefix.h"

#define REPLICAS_MAX 1024
#define ANSWERS_MAX 16

struct name;
struct netmap;
struct rrset;

struct replica {
    char *name;
    struct ip *addresses;
    size_t address_count;
    const struct name *target; /* given as a CNAME instead of addresses; NULL: none */
    bool has_location;
    double latitude, longitude; /* degrees */
    uint64_t hash;              /* of the name, for rendezvous hashing */
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

/* The rendered records of one address family. Those of replica r have the numbers first[r] up to,
 * not including, first[r+1]. */
struct address_records {
    uint8_t *wire;
    uint32_t *first;
    uint16_t record_len;
};

enum policy_kind {
    POLICY_NEAREST,  /* by the client's ranking */
    POLICY_HASHED,   /* by the name: rendezvous hashing */
    POLICY_WEIGHTED, /* by the client's leaf, in proportion to weights */
    POLICY_FAILOVER, /* in the order written */
    POLICY_STATIC,   /* all of them, in turn */
    POLICY_KINDS
};
extern const char *const policy_words[POLICY_KINDS + 1]; /* ends with NULL */

/* A policy as the configuration has it. */
struct policy_plan {
    enum policy_kind kind;
    unsigned answers; /* addresses in an answer; 0: those of the best replica */
    uint32_t ttl;
    bool fixed_order;        /* do not rotate the addresses */
    const uint16_t *members; /* each once, in the order written */
    size_t member_count;
    const uint64_t *weights;    /* of the members, 1..POLICY_WEIGHT_MAX; NULL: all are equal */
    struct prefix_lengths leaf; /* the shortest prefixes that count as one leaf */
};

#define POLICY_WEIGHT_MAX UINT32_MAX

struct policy {
    enum policy_kind kind;
    uint16_t answers;
    uint16_t member_count;
    uint16_t replica_count;
    bool fixed_order;
    struct prefix_lengths leaf;
    uint32_t ttl;
    uint16_t *members; /* in the order written */
    uint32_t *weights; /* of the members */
    uint64_t *hashes;  /* of every replica */
    struct replica_set member_set;
    struct address_records v4, v6;
    struct rrset **targets;         /* by replica: its CNAME; NULL: addresses */
    const struct netmap *overrides; /* address → ranking, before the common map; or NULL */
};

/* Makes a policy, with all its memory in `arena`. Either all members have targets, or none has. */
struct policy *policy_new(struct arena *arena, const struct policy_plan *plan,
                          const struct replica *replicas, size_t replica_count);

/* Would policy_new() make the same policy of the plan, with the same replicas? Overrides are not
 * compared. */
bool policy_is_of(const struct policy *policy, const struct policy_plan *plan);

/* Does the policy have an address of the family at all, or a target? */
bool policy_has(const struct policy *policy, bool v6);
/* How many records of the family this replica has. */
unsigned policy_record_count(const struct policy *policy, bool v6, unsigned replica);

#endif
