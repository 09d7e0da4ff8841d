/*
 * dynamic - the records set by dynamic update: how those of one name are stored, and the table of
 * all of them that answers are made from. A table is immutable once it is published, so any thread
 * may look things up.
 *
 * Stored form: the records of a name one behind the other, each its type, TTL, length of data and
 * data. Names in the data are uncompressed and in lower case; anything else is not read.
 */
#ifndef LARDER_DNSREDIR_ZONE_DYNAMIC_H
#define LARDER_DNSREDIR_ZONE_DYNAMIC_H

#include "dnsredir/message/rrset.h"

#define DYNAMIC_DATA_MAX 1024 /* bytes of data of one record */
#define DYNAMIC_NAMES_MAX 10000

struct dynamic_record {
    uint16_t type;
    uint32_t ttl;
    struct span data;
};

/* Reads the next record. Returns false if there is none, or if it is damaged (in->failed). */
bool dynamic_next(struct wire_in *in, struct dynamic_record *out);
/* Writes a record in the stored form. */
void dynamic_put(struct wire_out *out, const struct dynamic_record *record);
/* Is the data valid for its type, which is one that updates can set? */
bool dynamic_data_is_valid(uint16_t type, struct span data);

struct dynamic_records;

/* Building a table. dynamic_add() adds the stored records of a name, and dynamic_add_serial() the
 * serial of a zone. What is damaged is left out, and false is returned. If a set of a name would
 * not fit a message, nothing is known of that name. */
struct dynamic_records *dynamic_new(void);
bool dynamic_add(struct dynamic_records *dynamic, struct span owner, struct span records);
bool dynamic_add_serial(struct dynamic_records *dynamic, struct span apex, uint32_t serial);
/* Notes that something was, or may have been, left out: then nothing is known of names that are not
 * in the table. */
void dynamic_set_damaged(struct dynamic_records *dynamic);

/* Makes a copy. Both share what they have in common; a change in one is not seen in the other,
 * whatever threads they belong to. */
struct dynamic_records *dynamic_copy(const struct dynamic_records *dynamic);
/* Renews `name` in a copy that is not published yet: removes its part of the table, about a
 * hundredth of all names, and calls `add` for each name of it, which must add the records that the
 * name has now. Each part is renewed once at most until the next copy. */
void dynamic_renew(struct dynamic_records *dynamic, const struct name *name,
                   void (*add)(void *arg, struct dynamic_records *dynamic, const struct name *name),
                   void *arg);

/* References, counted by one thread at a time; a new table has one. */
struct dynamic_records *dynamic_ref(struct dynamic_records *dynamic);
void dynamic_unref(struct dynamic_records **dynamic); /* accepts NULL; sets *dynamic to NULL */

/* The dynamic sets of a name, or NULL. `dynamic` may be NULL. */
const struct rrset *dynamic_find(const struct dynamic_records *dynamic, const struct name *name);
/* The serial of the zone with this apex. Returns false if updates have never changed the zone. */
bool dynamic_serial(const struct dynamic_records *dynamic, const struct name *apex, uint32_t *out);
size_t dynamic_count(const struct dynamic_records *dynamic); /* names with records */
bool dynamic_is_damaged(const struct dynamic_records *dynamic);
/* May the name have dynamic records that are not in the table? */
bool dynamic_is_unknown(const struct dynamic_records *dynamic, const struct name *name);
/* Visits every name with records, in no order. */
void dynamic_each(const struct dynamic_records *dynamic,
                  void (*visit)(void *arg, const struct name *name, const struct rrset *sets),
                  void *arg);

#endif
