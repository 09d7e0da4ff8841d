/*
 * ranking_source - what decided the ranking for a client: it looks through the settings' maps
 * again, in the order in which they were compiled (nearest.h). For people who ask why, not for
 * answers. Pure.
 */
#ifndef LARDER_DNSREDIR_ADMIN_RANKING_SOURCE_H
#define LARDER_DNSREDIR_ADMIN_RANKING_SOURCE_H

#include "dnsredir/config/directives.h"

/* The sources in the order in which they decide. */
enum ranking_source_kind {
    RANKING_SOURCE_NAME_MAP, /* the map of the name itself */
    RANKING_SOURCE_MAP,      /* nearest.map or nearest.map-file */
    RANKING_SOURCE_MEASURED, /* round trips of the network's own connections */
    RANKING_SOURCE_DISTANCE, /* the place in the geoip database */
    RANKING_SOURCE_REGION,   /* the default of one of nearest.regions */
    RANKING_SOURCE_NONE,     /* nothing is known: all replicas in turn */
    RANKING_SOURCE_KINDS
};
extern const char *const ranking_source_words[RANKING_SOURCE_KINDS];

struct ranking_source {
    enum ranking_source_kind kind;
    bool has_prefix;
    struct prefix prefix; /* the one that decided */
    const char *region;   /* its name, or NULL */
    unsigned scope;       /* all clients in these first bits of the address have the same ranking */
};

/* Returns what decided the ranking for names with `policy` and a client at `ip`, of whose address
 * the first `bits` are known. `measured` says that the ranking came from the measurements, as
 * answer() has noted. */
struct ranking_source ranking_source_find(const struct settings *settings, const struct view *view,
                                          const struct policy *policy, const struct ip *ip,
                                          unsigned bits, bool measured);

#endif
