/*
 * mirror - where a request below a mirror's path goes, and what is known about the URL there. Pure;
 * borrows the settings.
 *
 * A mirror uses its origin like a site (struct mirror, site), so that everything behind the route
 * treats it like one. docs/mirrors.md has the table of classes.
 */
#ifndef LARDER_PROXY_MIRROR_MIRROR_H
#define LARDER_PROXY_MIRROR_MIRROR_H

#include "cache/policy.h"
#include "proxy/config/directives.h"
#include "proxy/mirror/rewrite.h"

/* Path of the files' origin below a mirror with `files`. No package name begins like this. */
#define MIRROR_FILES "_files/"

/* A request as a mirror sees it. */
struct mirrored {
    const struct mirror *mirror;
    struct uri asked;        /* URL that the client asks for */
    const struct site *site; /* of the mirror, or of its files */
    struct uri uri;          /* URL at the origin */
    struct uri key; /* URL that the cache key is made from: `uri`, but the same for all copies of a
                       shared blob */
    bool is_ping;   /* OCI: "is there a registry?", which is answered here */
    const char *wrong; /* why it cannot be fetched, as a sentence for people; else NULL */
};

/* Finds the mirror that a URL belongs to. False: none. A site for the host has precedence, unless
 * it is for every host. Spans are borrowed from `asked`, the settings, or the arena. */
bool mirror_find(const struct settings *settings, const struct uri *asked, struct arena *arena,
                 struct mirrored *out);

/* Has this host a site, which takes precedence over mirrors? */
bool mirror_gives_way(const struct settings *settings, struct span host);

/* Finds what this mirror calls a URL of its origin, or (`files`) of its files' origin. False: the
 * mirror has no such URL. */
bool mirror_of_origin(const struct mirror *mirror, bool files, const struct uri *at,
                      struct arena *arena, struct mirrored *out);

enum mirror_kind {
    MIRROR_RELAY,    /* fresh as long as the origin says */
    MIRROR_CHECKED,  /* validated before each use */
    MIRROR_DOCUMENT, /* fresh for minutes; links are rewritten for npm and pip */
    MIRROR_FILE,     /* never changes */
    MIRROR_DIGEST,   /* never changes, and the digest in its URL is verified */
};

struct mirror_class {
    enum mirror_kind kind;
    struct policy_known known;
};

/* The class of a URL, by its path at the origin. */
const struct mirror_class *mirror_class(const struct site *site, struct span path);

/* Does the mirror accept this method? For npm also that of `npm audit`. */
bool mirror_takes(const struct mirrored *mirrored, enum http_method method);

/* The repository that a token is for, as a URL. */
struct span mirror_repository(const struct uri *uri, struct arena *arena);

/* Are links rewritten in resources of this kind? */
bool mirror_rewrites(const struct site *site, enum mirror_kind kind);

/* The links to rewrite in its documents, for clients that ask as in `asked`. From the arena. */
void mirror_links(const struct mirrored *mirrored, struct arena *arena, struct rewrite_links *out);

/* Cache-Status with the mirror's path appended, if there is a mirror. */
struct span mirror_status(struct span cache_status, struct span mirror, struct arena *arena);

/* The SHA-256 in the URL of a MIRROR_DIGEST, as hex digits. */
struct span mirror_digest(struct span path);

#endif
