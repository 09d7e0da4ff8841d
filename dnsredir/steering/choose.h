/*
 * choose - which replicas a client gets. Pure; allocates nothing while it chooses.
 *
 * A *ranking* is an order of replicas: the value of a leaf of the prefix map, shared by many
 * prefixes. A *policy* (policy.h) says how names choose. Both are immutable after load and belong
 * to the settings. The *standing* is what is known of the replicas at this moment.
 *
 * Every policy puts its candidates into an order of its own, and one walk takes the first that may
 * be given: open, and not too full for this client. Whether a replica is too full for a client is
 * decided by comparing a hash of name, leaf and replica with a threshold. So the same clients stay
 * while the threshold stands, and a threshold that moves takes away or brings back only the
 * difference.
 */
#ifndef LARDER_DNSREDIR_STEERING_CHOOSE_H
#define LARDER_DNSREDIR_STEERING_CHOOSE_H

#include "base/prefix.h"
#include "dnsredir/steering/policy.h"

struct ranking {
    bool ordered;    /* false: all are equally good, and take turns */
    uint16_t listed; /* how many of the ids are the decision; the others stand in when all
                        of these are down or too full */
    uint16_t count;
    uint16_t explorable;        /* how many ids behind the `count` may turn out to be nearer */
    const struct ranking *rest; /* used when none of these may be given; or NULL */
    uint16_t ids[];
};

/* Thresholds are fractions of this. */
#define STANDING_ALL 65536u

struct standing {
    struct replica_set open;  /* up, and not draining */
    struct replica_set alive; /* up, draining or not */
    /* Those that do not take all clients: `keep` and `take` say how many. */
    struct replica_set throttled;
    bool any_throttled;
    /* 0..STANDING_ALL: how many of the clients a replica takes that are its own by the order, and
     * of those for whom others are too full. */
    uint32_t keep[REPLICAS_MAX];
    uint32_t take[REPLICAS_MAX];
};

/* How far a choice had to go: each level is tried if the one before has no replica. */
enum choice_level {
    CHOICE_OPEN,     /* up, not draining, not too full */
    CHOICE_FULL,     /* all open ones are too full: the first of them */
    CHOICE_DRAINING, /* only draining ones are up */
    CHOICE_DOWN,     /* none is up: the best one nevertheless */
    CHOICE_LEVELS
};

/* What a choice depends on. */
struct choice_input {
    const struct ranking *ranking; /* POLICY_NEAREST */
    uint64_t name_hash;
    uint64_t leaf_hash; /* choice_leaf_hash() of the name and the client's leaf */
    const struct standing *standing;
    bool v6;
    bool explores;     /* `explored` is tried first */
    uint16_t explored; /* choice_explore() */
    uint32_t turn;     /* for rotation: different for each query in all of its bits */
};

struct choice {
    unsigned count; /* records; 0: no member has an address of the family */
    enum choice_level level;
    bool spilled;    /* a better replica was open, but too full */
    bool explored;   /* the first one was picked to be measured */
    uint16_t picked; /* replicas, the best first */
    uint16_t record_len;
    uint16_t ids[ANSWERS_MAX];
    const uint8_t *records[ANSWERS_MAX];
};

/* Chooses. With a policy of targets the choice is one replica, and has no records. */
void choose(const struct policy *policy, const struct choice_input *input, struct choice *out);

/* A hash that is the same for all addresses with the first `bits` of `ip` (of 128, see
 * base/prefix.h). It is stable, so that all servers agree. */
uint64_t choice_leaf_hash(uint64_t name_hash, const struct ip *ip, unsigned bits);

/* Shall this client be sent to a replica that has not been measured from its leaf? A fraction
 * `share` (of STANDING_ALL) of all leaves is, drawn anew every `period` seconds, each leaf at a
 * time of its own. In between all clients of a leaf get the same answer, as long as the ranking
 * stands. Replicas at the front of the list are drawn more often. Returns true with the replica in
 * *out. */
bool choice_explore(const struct ranking *ranking, uint64_t leaf_hash, uint32_t now,
                    uint32_t period, uint32_t share, uint16_t *out);

/* Does `replica` take this client, by its threshold? `own`: the client is its own by the order. */
bool choice_accepts(const struct policy *policy, const struct choice_input *input, unsigned replica,
                    bool own);

#endif
