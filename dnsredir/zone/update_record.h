/*
 * update_record - the records of an update message, for update.c and update_apply.c.
 */
#ifndef LARDER_DNSREDIR_ZONE_UPDATE_RECORD_H
#define LARDER_DNSREDIR_ZONE_UPDATE_RECORD_H

#include "dnsredir/zone/bound.h"
#include "dnsredir/zone/update.h"

struct update_record {
    struct name owner;
    uint16_t type, class;
    uint32_t ttl;
    size_t data_at;   /* in the message */
    struct span data; /* as it came: names may be compressed */
};

/* At the first record of the message. */
struct wire_in update_records(struct span packet, const struct update *update);
/* 0 or ERR_SYNTAX. */
int update_record_read(struct wire_in *in, struct update_record *out);
/* The data with its names whole and in lower case. 0, ERR_SYNTAX, or ERR_TOO_LARGE: no room. */
int update_data_read(struct span packet, const struct update_record *record, struct wire_out *out);

/* What opens the name for updates; NULL: nothing. Wildcards open the names they stand for. */
const struct update_rule *update_rule_of(const struct zones *zones, const struct name *name);

#endif
