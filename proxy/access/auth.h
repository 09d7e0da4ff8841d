/*
 * auth - who somebody is, by name and password. Comparing a password takes a tenth of a second of a
 * CPU on purpose, so threads of their own do it, once for all who ask the same at the same time,
 * and what came out is remembered: under a keyed hash of name, password and the stored hash, never
 * in clear. So it holds as long as the stored hash does, whatever is reloaded.
 *
 * Bounded: what waits, what is remembered, how much of what waits is one client's, and how fast one
 * client may guess. Thread-safe. The threads begin with the first question.
 */
#ifndef LARDER_PROXY_ACCESS_AUTH_H
#define LARDER_PROXY_ACCESS_AUTH_H

#include "base/list.h"
#include "base/prefix.h"
#include "proxy/access/credentials.h"
#include "proxy/access/users.h"

enum {
    AUTH_QUEUE_MAX = 1024,
    AUTH_CLIENT_MAX = 256, /* of these, of one client */
    AUTH_WRONG_BURST = 20, /* wrong passwords of one client at once, then one a second */
    AUTH_WRONG_MS = 10000, /* so long a wrong one is remembered */
};

struct auth;

enum auth_state {
    AUTH_RIGHT,
    AUTH_WRONG,
    AUTH_WAIT,   /* the ticket's wake follows; ask again then */
    AUTH_BUSY,   /* too many passwords wait to be compared */
    AUTH_GUESSER /* too many wrong ones from this client */
};

/* Of somebody who waits; embedded in its owner, zeroed at first. `wake` is called from any thread,
 * with locks held: it must only post. */
struct auth_ticket {
    struct list link;
    void (*wake)(void *arg);
    void *arg;
    struct auth_shard *shard; /* the owner's: where it may wait; NULL: nowhere */
    bool waits;               /* with the shard's lock */
};

struct auth_question {
    const struct users *users;
    struct credentials credentials;
    const struct ip *client;
    uint64_t now_ms; /* monotonic */
};

struct auth *auth_new(void);
/* Nobody waits any more. Sets *auth to NULL. */
void auth_free(struct auth **auth);

/* A client is an IPv4 address or an IPv6 /64. */
enum auth_state auth_ask(struct auth *auth, const struct auth_question *question,
                         struct auth_ticket *ticket);
/* Gives up waiting, if it does. */
void auth_forget(struct auth_ticket *ticket);

struct auth_stats {
    uint64_t checked, right, wrong; /* passwords compared */
    uint64_t busy, guesses;         /* questions refused */
    uint64_t waiting, remembered;
};
void auth_stats(struct auth *auth, struct auth_stats *out);

#endif
