/*
 * meter - a source between a body and the stream that pulls it: counts its bytes for an account,
 * and lets them through at the account's pace, or no more of them when its quota is used up.
 * Belongs to one loop.
 *
 * Without limits no body has one.
 */
#ifndef LARDER_PROXY_CLIENT_METER_H
#define LARDER_PROXY_CLIENT_METER_H

#include "base/source.h"
#include "proxy/access/account.h"
#include "proxy/directives.h"
#include "proxy/stream/loop.h"

struct meter {
    struct source source;
    struct source *inner; /* NULL: none is pulled through it */
    struct loop *loop;
    struct account *account;            /* a reference; NULL: nothing is counted */
    const struct access_limits *limits; /* of the rule, or NULL: those of all alone */
    struct timeout timer;
    void (*on_cut)(void *arg); /* a tunnel has ended by its quota, and the client goes on sending */
    void *arg;
    uint64_t left;     /* of the quota, as far as is known; UINT64_MAX: no end in sight */
    uint64_t unbilled; /* bytes that the account has not been told yet */
    bool is_over;      /* the quota is used up */
    bool is_tunnel;    /* then it ends properly; a body would be taken for whole */
};

/* Zeroed before. Takes over the reference to the account. */
void meter_init(struct meter *meter, struct loop *loop, struct account *account,
                const struct access_limits *limits);
/* The source to pull from in place of `inner`. Once. */
struct source *meter_wrap(struct meter *meter, struct source *inner, bool is_tunnel);
/* Bytes that are to go the other way. False: the quota is used up, and they may not. */
bool meter_add(struct meter *meter, uint64_t bytes);
/* Tells the account the rest. Nothing is pulled any more. Also of one that was never made. */
void meter_fini(struct meter *meter);

/* Is so much used that nothing may begin? With what the page says: bytes used, and when the period
 * ends. */
bool meter_refuses(struct meter *meter, uint64_t *used, int64_t *until);

#endif
