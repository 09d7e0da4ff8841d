/*
 * choose - which replicas a client gets. Pure; allocates nothing while it chooses.
 *
 * A *ranking* is an order of replicas: the leaf of the prefix map, of which there are few, shared
 * by many prefixes. A *policy* (policy.h) says how names choose. Both are immutable after load and
 * belong to the settings. The *standing* is what is known of the replicas at this moment.
 *
 * Every policy brings its candidates in an order of its own, and one walk takes the first that may
 * be given: open, and not too full for this client. How full decides a hash of name, leaf and
 * replica against a threshold, so the same clients stay while it stands, and a threshold that
 * moves takes or brings back only the difference.
 */
#ifndef LARDER_DNSREDIR_STEERING_CHOOSE_H
#define LARDER_DNSREDIR_STEERING_CHOOSE_H

#include "base/prefix.h"
#include "dnsredir/steering/policy.h"

struct ranking {
    bool ordered;    /* false: all are equally good, and take turns */
    uint16_t listed; /* the first so many are the decision; the others stand in when all of
                        these are down or too full */
    uint16_t count;
    uint16_t explorable;        /* behind the `count` ids, so many that may turn out to be nearer */
    const struct ranking *rest; /* when none of these may be given: those of this; or NULL */
    uint16_t ids[];
};

/* Thresholds are parts of this. */
#define STANDING_ALL 65536u

struct standing {
    struct replica_set open;  /* up, and not draining */
    struct replica_set alive; /* up, draining or not */
    struct replica_set eased; /* those that do not take all that comes: see below */
    bool any_eased;
    uint32_t keep[REPLICAS_MAX]; /* how much of what is its own by the order, */
    uint32_t take[REPLICAS_MAX]; /* and of what others are too full for: 0..STANDING_ALL */
};

/* How far a choice had to go; each is tried when the one before has nobody. */
enum choice_level {
    CHOICE_OPEN,     /* up, not draining, not too full */
    CHOICE_FULL,     /* all that are open are too full: the first of them */
    CHOICE_DRAINING, /* only draining ones are up */
    CHOICE_DOWN,     /* nobody is up: the best known all the same */
    CHOICE_LEVELS
};

/* What a choice depends on. */
struct choice_input {
    const struct ranking *ranking; /* POLICY_NEAREST */
    uint64_t name_hash;
    uint64_t leaf_hash; /* of the name and the client's leaf: choice_leaf_hash() */
    const struct standing *standing;
    bool v6;
    bool explores;     /* `explored` is tried first */
    uint16_t explored; /* choice_explore() */
    uint32_t turn;     /* for rotation: different for each query in all of its bits */
};

struct choice {
    unsigned count; /* records; 0: no member has an address of the family */
    enum choice_level level;
    bool spilled;    /* somebody before those picked was open, and too full */
    bool explored;   /* the first one was picked to be measured */
    uint16_t picked; /* replicas, the best first */
    uint16_t record_len;
    uint16_t ids[ANSWERS_MAX];
    const uint8_t *records[ANSWERS_MAX];
};

/* For a policy of targets, the choice is one replica and has no records. */
void choose(const struct policy *policy, const struct choice_input *input, struct choice *out);

/* Everybody in the first `bits` (of 128, see base/prefix.h) of `ip` has the same one. Stable: all
 * servers agree. */
uint64_t choice_leaf_hash(uint64_t name_hash, const struct ip *ip, unsigned bits);

/* Shall this client go to a replica that has not been measured from its leaf? A part `share` (of
 * STANDING_ALL) of all leaves does, drawn anew every `period` seconds, each leaf at a time of its
 * own; in between everybody in the leaf gets the same, as long as the ranking stands. The nearer in
 * the list, the more often. */
bool choice_explore(const struct ranking *ranking, uint64_t leaf_hash, uint32_t now,
                    uint32_t period, uint32_t share, uint16_t *out);

/* Does `replica` take this client, by its threshold? `own`: it is its own by the order. */
bool choice_accepts(const struct policy *policy, const struct choice_input *input, unsigned replica,
                    bool own);

#endif
