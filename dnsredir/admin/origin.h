/*
 * origin - from what the ranking for a client came: the settings' maps looked through the way they
 * were compiled (nearest.h). For people who ask why; not for answers.
 */
#ifndef LARDER_DNSREDIR_ADMIN_ORIGIN_H
#define LARDER_DNSREDIR_ADMIN_ORIGIN_H

#include "dnsredir/config/directives.h"

/* In the order in which they decide. */
enum origin_kind {
    ORIGIN_NAME_MAP, /* the map of the name itself */
    ORIGIN_MAP,      /* nearest.map or nearest.map-file */
    ORIGIN_MEASURED, /* round trips of the network's own connections */
    ORIGIN_DISTANCE, /* the place in the geoip database */
    ORIGIN_REGION,   /* the default of one of nearest.regions */
    ORIGIN_NONE,     /* nothing is known: all in turn */
    ORIGIN_KINDS
};
extern const char *const origin_words[ORIGIN_KINDS];

struct origin {
    enum origin_kind kind;
    bool has_prefix;
    struct prefix prefix; /* the one that decided */
    const char *region;   /* its name, or NULL */
    unsigned scope;       /* bits of the address' own family in which everybody has the same */
};

/* For a client of whom `bits` of its own family are known, and names with `policy`. `measured`: the
 * ranking was of the measurements, as answer() notes. */
struct origin origin_find(const struct settings *settings, const struct view *view,
                          const struct policy *policy, const struct ip *ip, unsigned bits,
                          bool measured);

#endif
