/*
 * directives_dnssec - directives for signed zones: their tables, and the keys that they name. Load
 * time only.
 */
#ifndef LARDER_DNSREDIR_CONFIG_DIRECTIVES_DNSSEC_H
#define LARDER_DNSREDIR_CONFIG_DIRECTIVES_DNSSEC_H

#include "dnsredir/config/compile_parts.h"

extern const struct conf_table zone_dnssec_table; /* directives of a zone */
extern const struct conf_table dnssec_table;      /* directives at the top level */

/* Loads the keys of a zone and adds their DNSKEY records. Reports errors. */
void compile_signing(struct compiler *c, const struct zone_row *row, struct zone *zone);
/* Frees the keys. */
void signing_free(struct settings *settings);

/* Writes the DS record of every key of every signed zone, as lines of a master file. */
void settings_ds(const struct settings *settings, struct buf *out);

/* Makes the signatures of all signed zones, except those that are still valid in `old` (NULL:
 * none). NULL: no zone is signed. Takes seconds for many names; on any thread. */
struct signatures *settings_sign(const struct settings *settings, const struct signatures *old);

#endif
