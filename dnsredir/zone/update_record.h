/*
 * update_record - the records of an update message, for update.c and update_apply.c.
 */
#ifndef LARDER_DNSREDIR_ZONE_UPDATE_RECORD_H
#define LARDER_DNSREDIR_ZONE_UPDATE_RECORD_H

#include "dnsredir/zone/dynamic.h"
#include "dnsredir/zone/update.h"

struct update_record {
    struct name owner;
    uint16_t type, class;
    uint32_t ttl;
    size_t data_at;   /* its offset in the message */
    struct span data; /* as received: names may be compressed */
};

/* A cursor at the first record of the message. */
struct wire_in update_records(struct span packet, const struct update *update);
/* Reads the next record. Returns 0 or ERR_SYNTAX. */
int update_record_read(struct wire_in *in, struct update_record *out);
/* Writes the data with its names uncompressed and in lower case. Returns 0, ERR_SYNTAX, or
 * ERR_TOO_LARGE if there is no room. */
int update_data_read(struct span packet, const struct update_record *record, struct wire_out *out);

/* The rule that opens the name for updates, or NULL. Wildcards open all names that they stand for.
 */
const struct update_rule *update_rule_of(const struct zones *zones, const struct name *name);

#endif
