/*
 * recursor - resolves names by libunbound: from the root, or by asking others. The only file that
 * knows that library, which works in a thread of its own.
 *
 * One thread of ours asks, and takes the results whenever recursor_fd() is readable. What is asked
 * ends only with a result; whoever has waited long enough forgets about it by himself, so that
 * everything the library still works on stays counted.
 */
#ifndef LARDER_DNSREDIR_RESOLVER_RECURSOR_H
#define LARDER_DNSREDIR_RESOLVER_RECURSOR_H

#include "base/buf.h"
#include "dnsredir/resolver/resolved.h"

struct endpoint;

/* How names are resolved. */
struct recursor_plan {
    const struct endpoint *forward; /* asked instead of the root's servers */
    size_t forward_count;
    const char *root_hints;                 /* NULL: those of the library */
    const char *trust_anchor;               /* NULL: nothing is validated */
    uint64_t message_cache, record_cache;   /* bytes */
    uint64_t queries;                       /* at once */
    uint64_t timeout_ms;                    /* nobody waits longer */
    bool loopback;                          /* servers on this machine may be asked, too */
    const struct prefix *private_addresses; /* taken out of answers, */
    size_t private_count;
    char *const *private_names; /* but for names at and below these */
    size_t private_name_count;
};

struct recursor;

/* 0, or ERR_CONFIG: one line without newline is in `fault`, and *where is the name of the member of
 * the plan that it is about, as users write it; NULL: of none. Resolves nothing yet and starts no
 * thread. */
int recursor_open(const struct recursor_plan *plan, const char **where, struct buf *fault,
                  struct recursor **out);
/* Waits for the library's thread. Nothing more is answered. Accepts NULL; sets it to NULL. */
void recursor_close(struct recursor **recursor);

/* Would both resolve alike, as far as their settings go, and the files named there? */
bool recursor_same(const struct recursor *a, const struct recursor *b);

/* A question on its way. Belongs to who asks; lives until `done`. */
struct recursor_job {
    /* `resolution` is valid until it returns. */
    void (*done)(struct recursor_job *job, const struct resolution *resolution);
};

/* Asks; `done` is called by recursor_take(). 0, or ERR_IO: it never will. */
int recursor_ask(struct recursor *recursor, const struct name *name, uint16_t type,
                 struct recursor_job *job);
int recursor_fd(const struct recursor *recursor);
/* Calls `done` for all results that are there. 0, or ERR_IO: there will be no more. */
int recursor_take(struct recursor *recursor);

#endif
