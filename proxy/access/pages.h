/*
 * pages - templates of pages made by ourselves, from a folder of the administrator's:
 *
 *   403.html        for answers with this status         407.txt        for clients that are no
 *   403.de.html     the same in German                                  browsers
 *   error.html      for every status that has none       error.fr.html
 *
 * In them {{what}} and its like stand for what the page is to say (page_hole below). Made at load,
 * never changed, read by any thread.
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

/* All of a folder. What is wrong is told in `errors`, by file and line; files that are no page in
 * `warnings`. 0 or ERR_CONFIG. Waits for the disk. */
int pages_load(const char *folder, struct buf *errors, struct buf *warnings, struct pages **out);
void pages_free(struct pages **pages); /* accepts NULL; sets *pages to NULL */

/* Languages that some template is in, for language_best(). */
const struct span *pages_languages(const struct pages *pages, size_t *count);

/* The template for an answer, as a text with holes; empty: there is none. The status counts more
 * than the language: 403.de, then 403, error.de, error. */
struct span pages_find(const struct pages *pages, int status, struct span language, bool html);

/* Writes a template with its holes filled. In HTML what fills them cannot become markup; elsewhere
 * no control character is left of it. */
void pages_fill(struct span text, const struct span holes[PAGE_HOLE_COUNT], bool html,
                struct buf *out);

/* Appends text in which no byte can become markup: UTF-8 stays as it is, what is none becomes "?".
 */
void pages_escape(struct buf *out, struct span text, bool html);

#endif
