/*
 * pages - the administrator's templates of error pages, from a folder:
 *
 *   403.html        for this status                     407.txt        for clients that do
 *   403.de.html     the same in German                                 not accept HTML
 *   error.html      for any other status                error.fr.html
 *
 * In a template {{what}} and other names in braces (page_hole below) are replaced. Immutable,
 * thread-safe.
 */
#ifndef LARDER_PROXY_ACCESS_PAGES_H
#define LARDER_PROXY_ACCESS_PAGES_H

#include "base/buf.h"

/* clang-format off */
/* id, its name in braces */
#define PAGE_HOLES(X)                                                                              \
    X(STATUS,   "status")   /* 403 */                                                              \
    X(TITLE,    "title")    /* what the status means, in few words */                              \
    X(WHAT,     "what")     /* what has happened, a sentence */                                    \
    X(TODO,     "todo")     /* what can be done about it; may be empty */                          \
    X(REASON,   "reason")   /* one word, as in the log */                                          \
    X(INCIDENT, "incident") /* a number that is in the log, too */                                 \
    X(PROXY,    "proxy")    /* this proxy's name */                                                \
    X(LANGUAGE, "language") /* of the page: de */
/* clang-format on */

enum page_hole {
#define X(id, word) PAGE_##id,
    PAGE_HOLES(X)
#undef X
        PAGE_HOLE_COUNT
};

struct pages;

/* Loads all templates of a folder. Faults go to `errors`, with file and line; other files go to
 * `warnings`. Returns 0 or ERR_CONFIG. Waits for the disk. */
int pages_load(const char *folder, struct buf *errors, struct buf *warnings, struct pages **out);
void pages_free(struct pages **pages); /* accepts NULL; sets *pages to NULL */

/* The languages of the templates, for language_best(). */
const struct span *pages_languages(const struct pages *pages, size_t *count);

/* Finds the template for an answer: 403.de, 403, error.de, error, in this order. Returns its text;
 * empty: there is none. */
struct span pages_find(const struct pages *pages, int status, struct span language, bool html);

/* Writes a template with its holes filled. The fillings are escaped in HTML; in text their control
 * characters are removed. */
void pages_fill(struct span text, const struct span holes[PAGE_HOLE_COUNT], bool html,
                struct buf *out);

/* Appends text, escaped for HTML. Bytes that are not UTF-8 become "?". */
void pages_escape(struct buf *out, struct span text, bool html);

#endif
