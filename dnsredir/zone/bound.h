/*
 * bound - the records that updates have bound: how those of one name are stored, and the table of
 * all of them that answers are made from. A table is immutable once it is published, so any thread
 * may look things up.
 *
 * Stored form: the records of a name one behind the other, each its type, TTL, length of data and
 * data. Names in the data are uncompressed and in lower case; anything else is not read.
 */
#ifndef LARDER_DNSREDIR_ZONE_BOUND_H
#define LARDER_DNSREDIR_ZONE_BOUND_H

#include "dnsredir/message/rrset.h"

#define BOUND_DATA_MAX 1024 /* bytes of data of one record */
#define BOUND_NAMES_MAX 10000

struct bound_record {
    uint16_t type;
    uint32_t ttl;
    struct span data;
};

/* Reads the next record. Returns false if there is none, or if it is damaged (in->failed). */
bool bound_next(struct wire_in *in, struct bound_record *out);
/* Writes a record in the stored form. */
void bound_put(struct wire_out *out, const struct bound_record *record);
/* Is the data valid for its type, which is one that can be bound? */
bool bound_data_is_valid(uint16_t type, struct span data);

struct bound;

/* Building a table. bound_add() adds the stored records of a name, and bound_add_serial() the
 * serial of a zone. What is damaged is left out, and false is returned. If a set of a name would
 * not fit a message, nothing is known of that name. */
struct bound *bound_new(void);
bool bound_add(struct bound *bound, struct span owner, struct span records);
bool bound_add_serial(struct bound *bound, struct span apex, uint32_t serial);
/* Notes that something was, or may have been, left out: then nothing is known of names that are not
 * in the table. */
void bound_set_damaged(struct bound *bound);

/* Makes a copy. Both share what they have in common; a change in one is not seen in the other,
 * whatever threads they belong to. */
struct bound *bound_copy(const struct bound *bound);
/* Renews `name` in a copy that is not published yet: removes its part of the table, about a
 * hundredth of all names, and calls `add` for each name of it, which must add what is bound to it
 * now. Each part is renewed once at most until the next copy. */
void bound_renew(struct bound *bound, const struct name *name,
                 void (*add)(void *arg, struct bound *bound, const struct name *name), void *arg);

/* References, counted by one thread at a time; a new table has one. */
struct bound *bound_ref(struct bound *bound);
void bound_unref(struct bound **bound); /* accepts NULL; sets *bound to NULL */

/* The sets bound to a name, or NULL. `bound` may be NULL. */
const struct rrset *bound_find(const struct bound *bound, const struct name *name);
/* The serial of the zone with this apex. Returns false if updates have never changed the zone. */
bool bound_serial(const struct bound *bound, const struct name *apex, uint32_t *out);
size_t bound_count(const struct bound *bound); /* names with records */
bool bound_is_damaged(const struct bound *bound);
/* May the name have records bound to it that are not in the table? */
bool bound_is_unknown(const struct bound *bound, const struct name *name);
/* Visits every name with records, in no order. */
void bound_each(const struct bound *bound,
                void (*visit)(void *arg, const struct name *name, const struct rrset *sets),
                void *arg);

#endif
