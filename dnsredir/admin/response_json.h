/*
 * response_json - a response of ours as JSON, for people and scripts. Pure.
 */
#ifndef LARDER_DNSREDIR_ADMIN_RESPONSE_JSON_H
#define LARDER_DNSREDIR_ADMIN_RESPONSE_JSON_H

#include "base/span.h"
#include "dnsredir/message/proto.h"

#include <jansson.h>

/* Reads a type: "AAAA", or "TYPE28" for any number. Returns false if it is neither. */
bool response_type(struct span text, uint16_t *out);
/* A type as such a text. */
json_t *response_type_json(uint16_t type);

/* {"rcode", "flags", "records": [{"name", "type", "ttl", "data"}]}, with the records of the answer
 * section. Never NULL. */
json_t *response_json(struct span packet);

#endif
