/*
 * choice - which origin of a site is asked: the first one, but origins that were silent lately come
 * last. One per worker. Pure: the caller passes the time.
 *
 * Whoever asks a silent origin waits for a whole timeout. So only one request at a time finds out
 * whether it answers again. An origin is identified by its address in the settings; entries of
 * settings that are gone do no harm.
 */
#ifndef LARDER_PROXY_ORIGIN_CHOICE_H
#define LARDER_PROXY_ORIGIN_CHOICE_H

#include "proxy/directives.h"

#define CHOICE_ORIGINS_MAX 64 /* of a site; others are never asked */
#define CHOICE_SILENT_MAX 32  /* one more pushes an old one out */
#define CHOICE_SILENT_MS 30000

/* Zero: none. */
struct choice {
    struct silent_origin {
        const struct origin *origin;
        uint64_t until_ms;
    } at[CHOICE_SILENT_MAX];
    size_t count; /* of those that are filled */
    size_t next;  /* the place of the next one */
};

/* Nothing came from the origin before a timeout. */
void choice_silent(struct choice *choice, const struct origin *origin, uint64_t now_ms);
/* Something came from the origin: it is not silent. */
void choice_heard(struct choice *choice, const struct origin *origin);
bool choice_is_silent(const struct choice *choice, const struct origin *origin, uint64_t now_ms);

/* The index of the origin to ask next, of those whose bit in `asked` is not set.
 * site->origin_count: there is none. An origin that was silent CHOICE_SILENT_MS ago is given to one
 * caller only. */
size_t choice_next(struct choice *choice, const struct site *site, uint64_t asked, uint64_t now_ms);

#endif
