/*
 * denial - records that prove what does not exist (RFC 4034 4, 4035 3.1.3), minimally covering (RFC
 * 4470): a name is denied by an interval that holds the name, what is below it, and nothing else.
 * Pure.
 *
 * Proofs are made from the question and one node, so the zone's names need not be sorted, and
 * nobody can learn them from the proofs. Names with the byte 255 in a label could lie in such an
 * interval; denial_allows() keeps them out of signed zones.
 */
#ifndef LARDER_DNSREDIR_ZONE_DENIAL_H
#define LARDER_DNSREDIR_ZONE_DENIAL_H

#include "dnsredir/zone/zone.h"

#define DENIAL_TYPES_MAX 32

/* The types at a name, in ascending order. */
struct denial_types {
    unsigned count;
    uint16_t at[DENIAL_TYPES_MAX];
};

/* Adds a type. Beyond DENIAL_TYPES_MAX it is left out, and would be denied. */
void denial_add(struct denial_types *types, uint16_t type);
/* The types that a node has; at a delegation those of the parent's side. */
void denial_types_of(const struct node *node, struct denial_types *out);

/* Makes a set of one NSEC record. `room` has NSEC_MAX bytes and must outlive `out`. */
#define NSEC_MAX (RR_FIXED_LEN + NAME_MAX_LEN + DENIAL_TYPES_MAX * 34)
void denial_nsec(const struct name *next, const struct denial_types *types, uint32_t ttl,
                 uint8_t *room, struct rrset *out);

/* The name directly behind `name` in canonical order, or `apex` if `name` is the last of the zone.
 */
void denial_next(const struct name *name, const struct name *apex, struct name *out);

/* The ends of the smallest interval that holds `name`, which is below the apex, and everything
 * below it. The name `before` does not exist in the zone, unless it is the name above `name`; then
 * true is returned. */
bool denial_cover(const struct name *name, const struct name *apex, struct name *before,
                  struct name *after);

/* May the name be in a signed zone? */
bool denial_allows(const struct name *name);

#endif
