/*
 * choice - which origins are silent, and which one of a site is asked: the first one, but silent
 * ones come last. One per upstreams. Pure: the caller passes the time.
 *
 * Whoever asks a silent origin waits for a whole timeout. So only one request at a time finds out
 * whether it answers again.
 */
#ifndef LARDER_PROXY_ORIGIN_CHOICE_H
#define LARDER_PROXY_ORIGIN_CHOICE_H

#include "base/siphash.h"
#include "proxy/config/directives.h"

#define CHOICE_ORIGINS_MAX 64 /* of a site; others are never asked */
#define CHOICE_SILENT_MAX 32  /* one more replaces the oldest */
#define CHOICE_SILENT_MS 30000

struct choice {
    struct sip_key key;
    struct silent_origin {
        uint64_t origin; /* a hash of scheme, host and port; 0: free */
        uint64_t until_ms;
    } at[CHOICE_SILENT_MAX];
    size_t count; /* of entries in use */
    size_t next;  /* the entry to fill next */
};

void choice_init(struct choice *choice);

/* Nothing came from the origin before a timeout. Of the URI, the path does not matter. */
void choice_silent(struct choice *choice, const struct uri *origin, uint64_t now_ms);
/* Something came from the origin: it is not silent. */
void choice_heard(struct choice *choice, const struct uri *origin);

/* Whether it is worth asking the origin. Of one that was silent CHOICE_SILENT_MS ago, one caller
 * only is told so, until the origin was heard, or for as long again. */
bool choice_may_ask(struct choice *choice, const struct uri *origin, uint64_t now_ms);

/* The index of the site's origin to ask next, of those whose bit in `asked` is not set, and whether
 * it is not worth asking. site->origin_count: there is none. */
size_t choice_next(struct choice *choice, const struct site *site, uint64_t asked, uint64_t now_ms,
                   bool *silent);

#endif
