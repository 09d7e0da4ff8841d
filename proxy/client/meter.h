/*
 * meter - a source between a body and the stream that pulls it. It counts bytes for an account,
 * limits them to the account's rate, and ends when the quota is used up. Used only where there are
 * limits. Belongs to one loop.
 */
#ifndef LARDER_PROXY_CLIENT_METER_H
#define LARDER_PROXY_CLIENT_METER_H

#include "base/source.h"
#include "proxy/access/account.h"
#include "proxy/config/directives.h"
#include "proxy/stream/loop.h"

struct meter {
    struct source source;
    struct source *inner; /* the body; NULL: not wrapped */
    struct loop *loop;
    struct account *account;            /* counted reference; NULL: nothing is counted */
    const struct access_limits *limits; /* limits of the rule; NULL: only the shared rate applies */
    struct timeout timer;
    /* Called when the client has used the quota up by what it sends, while nothing is pulled. */
    void (*on_cut)(void *arg);
    void *arg;
    uint64_t left;     /* of the quota, as far as is known; UINT64_MAX: unlimited */
    uint64_t unbilled; /* bytes not reported to the account so far */
    bool is_over;      /* the quota is used up */
    bool is_tunnel;    /* at the end of the quota a tunnel ends; a body breaks, or it would seem
                          complete */
};

/* Initialises a zeroed meter. Takes over the reference to the account. */
void meter_init(struct meter *meter, struct loop *loop, struct account *account,
                const struct access_limits *limits);
/* Returns the source to pull from instead of `inner`. To be called once. */
struct source *meter_wrap(struct meter *meter, struct source *inner, bool is_tunnel);
/* Counts bytes of the other direction. False: the quota is used up, and they go no further. */
bool meter_add(struct meter *meter, uint64_t bytes);
/* Reports the remaining bytes to the account. Nothing may be pulled any more. Accepts a zeroed
 * meter. */
void meter_fini(struct meter *meter);

/* Is the quota used up already? Then *used is the number of bytes used, and *until is when the
 * period ends. */
bool meter_refuses(struct meter *meter, uint64_t *used, int64_t *until);

#endif
