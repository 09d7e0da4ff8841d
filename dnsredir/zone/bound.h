/*
 * bound - the records that updates have bound: how those of one name are stored, and the table of
 * all of them that answers are made from. A table is immutable, so any thread may look things up.
 *
 * Stored are the records of a name one behind the other: type and TTL, then the length of the data
 * and the data, names in it whole and in lower case. What cannot be so is not read.
 */
#ifndef LARDER_DNSREDIR_ZONE_BOUND_H
#define LARDER_DNSREDIR_ZONE_BOUND_H

#include "dnsredir/message/rrset.h"

#define BOUND_DATA_MAX 1024 /* of one record */
#define BOUND_NAMES_MAX 10000

struct bound_record {
    uint16_t type;
    uint32_t ttl;
    struct span data;
};

/* Takes the next record. False: there is none, or it is damaged (in->failed). */
bool bound_next(struct wire_in *in, struct bound_record *out);
void bound_put(struct wire_out *out, const struct bound_record *record);
/* Is the data what its type asks for? Only of types that can be bound. */
bool bound_data_is_valid(uint16_t type, struct span data);

struct bound;

/* Building. Whatever is damaged is left out; false then. Of a name with a set that no message holds
 * nothing is known; of all others what there is. */
struct bound *bound_new(void);
bool bound_add(struct bound *bound, struct span owner, struct span records);
bool bound_add_serial(struct bound *bound, struct span apex, uint32_t serial);
/* Something was, or may have been, left out: of names that are not there nothing is known. */
void bound_set_damaged(struct bound *bound);

/* The same once more: what both have is shared, and what is changed in one is not seen in the
 * other, whatever threads they belong to. */
struct bound *bound_copy(const struct bound *bound);
/* Of what was copied and is not shared yet: has `name` added anew, and some hundredth of all other
 * names; once, until it is copied again. */
void bound_renew(struct bound *bound, const struct name *name,
                 void (*add)(void *arg, struct bound *bound, const struct name *name), void *arg);

/* Counted by one thread at a time; a new one counts once. */
struct bound *bound_ref(struct bound *bound);
void bound_unref(struct bound **bound); /* accepts NULL; sets *bound to NULL */

/* The sets of a name; NULL: none. `bound` may be NULL. */
const struct rrset *bound_find(const struct bound *bound, const struct name *name);
/* Of the zone with this apex; false: it was never changed. */
bool bound_serial(const struct bound *bound, const struct name *apex, uint32_t *out);
size_t bound_count(const struct bound *bound); /* names with records */
bool bound_is_damaged(const struct bound *bound);
/* May the name have something bound that is not here? */
bool bound_is_unknown(const struct bound *bound, const struct name *name);
/* Every name with records, in no order. */
void bound_each(const struct bound *bound,
                void (*visit)(void *arg, const struct name *name, const struct rrset *sets),
                void *arg);

#endif
