/*
 * denial - records that prove what does not exist (RFC 4034 4, 4035 3.1.3), minimally covering (RFC
 * 4470): a name that is asked for is denied by an interval which holds it, what is below it, and
 * nothing else. Pure.
 *
 * All of it is made from the question and from one node, so no order of the zone's names is
 * needed, and none can be learned. Names that hold the byte 255 in a label could lie in such an
 * interval; denial_allows() keeps them out of signed zones.
 */
#ifndef LARDER_DNSREDIR_ZONE_DENIAL_H
#define LARDER_DNSREDIR_ZONE_DENIAL_H

#include "dnsredir/zone/zone.h"

#define DENIAL_TYPES_MAX 32

/* The types at a name, ascending. */
struct denial_types {
    unsigned count;
    uint16_t at[DENIAL_TYPES_MAX];
};

/* Adds one; beyond DENIAL_TYPES_MAX it is left out, and would be denied. */
void denial_add(struct denial_types *types, uint16_t type);
/* What a node has: at a delegation the parent's side of it. */
void denial_types_of(const struct node *node, struct denial_types *out);

/* An NSEC record. `room` has NSEC_MAX bytes and must outlive `out`. */
#define NSEC_MAX (RR_FIXED_LEN + NAME_MAX_LEN + DENIAL_TYPES_MAX * 34)
void denial_nsec(const struct name *next, const struct denial_types *types, uint32_t ttl,
                 uint8_t *room, struct rrset *out);

/* The first name behind `name`: nothing lies in between. `apex` when it is the zone's last. */
void denial_next(const struct name *name, const struct name *apex, struct name *out);

/* The ends of the smallest interval with `name`, which is below the apex, and all below it.
 * `before` does not exist, but when it is the name above `name`: then this returns true. */
bool denial_cover(const struct name *name, const struct name *apex, struct name *before,
                  struct name *after);

/* May the name be in a signed zone? */
bool denial_allows(const struct name *name);

#endif
