/*
 * recursor - resolves names with libunbound: from the root, or by asking other resolvers. This is
 * the only module that knows that library, which works in a thread of its own.
 *
 * One thread of ours asks questions, and takes the results whenever recursor_fd() is readable. A
 * question ends only with a result. A client that has waited long enough is answered without it;
 * the question stays counted, so that everything the library still works on is bounded.
 */
#ifndef LARDER_DNSREDIR_RESOLVER_RECURSOR_H
#define LARDER_DNSREDIR_RESOLVER_RECURSOR_H

#include "base/buf.h"
#include "dnsredir/resolver/resolved.h"

struct endpoint;

/* How names are resolved. */
struct recursor_plan {
    const struct endpoint *forward; /* resolvers to ask instead of the root's servers */
    size_t forward_count;
    const char *root_hints;                 /* NULL: those of the library */
    const char *trust_anchor;               /* NULL: nothing is validated */
    uint64_t message_cache, record_cache;   /* bytes */
    uint64_t queries;                       /* questions at once */
    uint64_t timeout_ms;                    /* what a question may take */
    bool loopback;                          /* servers on this machine may be asked, too */
    const struct prefix *private_addresses; /* removed from answers (rebinding), */
    size_t private_count;
    char *const *private_names; /* but not for names at and below these */
    size_t private_name_count;
};

struct recursor;

/* Makes a recursor; it resolves nothing yet and starts no thread. Returns 0, or ERR_CONFIG with one
 * line without a newline in `fault`, and in *where the directive that it is about, or NULL. */
int recursor_open(const struct recursor_plan *plan, const char **where, struct buf *fault,
                  struct recursor **out);
/* Waits for the library's thread; open questions get no result. Accepts NULL; sets *recursor to
 * NULL. */
void recursor_close(struct recursor **recursor);

/* Would both resolve alike, by their settings and the files that these name? */
bool recursor_same(const struct recursor *a, const struct recursor *b);

/* An open question. It belongs to the caller, and must live until `done` is called. */
struct recursor_job {
    /* `resolution` is valid until it returns. */
    void (*done)(struct recursor_job *job, const struct resolution *resolution);
};

/* Asks a question; recursor_take() will call job->done(). Returns 0, or ERR_IO: it never will. */
int recursor_ask(struct recursor *recursor, const struct name *name, uint16_t type,
                 struct recursor_job *job);
/* The descriptor that is readable when there are results. */
int recursor_fd(const struct recursor *recursor);
/* Calls `done` for all results that are there. Returns 0, or ERR_IO: there will be no more. */
int recursor_take(struct recursor *recursor);

#endif
