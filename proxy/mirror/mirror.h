/*
 * mirror - where a request under a mirror's path goes, and what is known of what is there. Pure;
 * the settings are borrowed.
 *
 * A mirror asks its origin as a site of its own (struct mirror, site), so that everything behind
 * the route treats it like one. docs/mirrors.md has the table of classes.
 */
#ifndef LARDER_PROXY_MIRROR_MIRROR_H
#define LARDER_PROXY_MIRROR_MIRROR_H

#include "cache/policy.h"
#include "proxy/directives.h"
#include "proxy/mirror/rewrite.h"

/* Below the path of a mirror with `files`. No name of a package begins so. */
#define MIRROR_FILES "_files/"

/* Where it goes. */
struct mirrored {
    const struct mirror *mirror;
    struct uri asked;        /* by the client */
    const struct site *site; /* the mirror's own, or that of its files */
    struct uri uri;          /* at the origin */
    struct uri key;          /* under which it is kept: the same, but for shared blobs */
    bool is_ping;            /* OCI: "is there a registry?", which we know */
    const char *wrong;       /* it goes nowhere: a sentence for people; else NULL */
};

/* The mirror for what is asked for, or none: false. A site for the host goes first, unless it is
 * for every host. Spans are from `asked`, from the settings, or from the arena. */
bool mirror_find(const struct settings *settings, const struct uri *asked, struct arena *arena,
                 struct mirrored *out);

/* Has this host a site of its own, which goes first? */
bool mirror_gives_way(const struct settings *settings, struct span host);

/* What this mirror has of a URL at its origin, or (`files`) at that of its files; false: nothing.
 */
bool mirror_of_origin(const struct mirror *mirror, bool files, const struct uri *at,
                      struct arena *arena, struct mirrored *out);

enum mirror_kind {
    MIRROR_RELAY,    /* the origin says how long it is good */
    MIRROR_CHECKED,  /* validated before each use */
    MIRROR_DOCUMENT, /* good for some minutes; of npm and pip: its links are rewritten */
    MIRROR_FILE,     /* never changes */
    MIRROR_DIGEST,   /* the same, and the digest in its URL is checked */
};

struct mirror_class {
    enum mirror_kind kind;
    struct policy_known known;
};

/* Of the URL at the origin. */
const struct mirror_class *mirror_class(const struct site *site, struct span path);

/* May a mirror be asked so? Of npm the requests of `npm audit` are passed on, too. */
bool mirror_takes(const struct mirrored *mirrored, enum http_method method);

/* What a token is for: the repository's URL. */
struct span mirror_repository(const struct uri *uri, struct arena *arena);

/* Its documents have links, and the class is that of documents. */
bool mirror_rewrites(const struct site *site, enum mirror_kind kind);

/* What links of its documents become, for clients that ask as in `asked`. From the arena. */
void mirror_links(const struct mirrored *mirrored, struct arena *arena, struct rewrite_links *out);

/* Cache-Status with the mirror's path, when there is one. */
struct span mirror_status(struct span cache_status, struct span mirror, struct arena *arena);

/* The hex digits of the SHA-256 in the URL of a MIRROR_DIGEST. */
struct span mirror_digest(struct span path);

#endif
