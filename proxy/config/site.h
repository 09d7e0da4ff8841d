/* site - what is served from configured origins: sites, and mirrors. Part of the settings. */
#ifndef LARDER_PROXY_CONFIG_SITE_H
#define LARDER_PROXY_CONFIG_SITE_H

#include "http/uri.h"

struct origin {
    struct uri uri; /* its spans live as long as the settings */
};

struct mirror;

struct site {
    const struct mirror *mirror; /* the mirror that it is an origin of; NULL: one of `sites` */
    char **hosts;                /* lower case; "*.x" matches all names below x, "*" every host */
    size_t host_count;
    struct origin *origins;
    size_t origin_count;
    struct span *targeted; /* names of targeted Cache-Control fields (RFC 9213), by precedence */
    size_t targeted_count;
    bool store_set_cookie;
    char *ca;    /* certificates to trust instead of the system's, or NULL */
    bool verify; /* false: certificates of https:// origins are not checked */
};

enum mirror_preset { PRESET_PLAIN, PRESET_APT, PRESET_NPM, PRESET_PIP, PRESET_OCI };

/* An origin that clients reach under a path of ours (proxy/mirror/mirror.h). */
struct mirror {
    struct span path;   /* "/npm/"; also its name */
    struct span origin; /* as written, with "/" at its end */
    struct span files;  /* the other origin that links in its documents lead to; empty: none */
    struct span url; /* URL of `path` as clients see it; empty: made from the Host of the request */
    enum mirror_preset preset;
    char *ca;
    bool verify;
    /* Made from the above: sites by which origin and files are fetched, and their parsed URLs. */
    struct site site, files_site;
    struct uri origin_uri, files_uri;
    struct span zone; /* prefix of its cache keys */
    char *name[1];
};

struct site_host {
    struct span pattern;
    const struct site *site;
};

#endif
