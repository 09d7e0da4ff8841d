/*
 * directives_dnssec - the part of the configuration that is about signed zones: its tables, and
 * the keys that they name. Load time only.
 */
#ifndef LARDER_DNSREDIR_CONFIG_DIRECTIVES_DNSSEC_H
#define LARDER_DNSREDIR_CONFIG_DIRECTIVES_DNSSEC_H

#include "dnsredir/config/compile_parts.h"

extern const struct conf_table zone_dnssec_table; /* of a zone */
extern const struct conf_table dnssec_table;      /* of the root */

/* Loads the keys of a zone and publishes them. Complains. */
void compile_signing(struct compiler *c, const struct zone_row *row, struct zone *zone);
/* Frees what it loaded. */
void signing_free(struct settings *settings);

/* The DS record of every key of every signed zone, as lines of a master file. */
void settings_ds(const struct settings *settings, struct buf *out);

/* Makes what the settings' zones need to be answered, but for what is right in `old` (NULL: none).
 * NULL: no zone is signed. Takes seconds for many names; any thread. */
struct signatures *settings_sign(const struct settings *settings, const struct signatures *old);

#endif
