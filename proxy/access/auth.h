/*
 * auth - authenticates users by name and password.
 *
 * Comparing a password takes a tenth of a second of CPU time on purpose, so threads of its own do
 * it, once for all who ask the same at the same time. Results are remembered under a keyed hash of
 * name, password and stored hash, never in clear text; so they stay valid as long as the stored
 * hash does, also across reloads.
 *
 * Bounded: the queue, what is remembered, a client's part of the queue, and how fast a client may
 * guess. Thread-safe. The threads are started by the first question.
 */
#ifndef LARDER_PROXY_ACCESS_AUTH_H
#define LARDER_PROXY_ACCESS_AUTH_H

#include "base/list.h"
#include "base/prefix.h"
#include "proxy/access/credentials.h"
#include "proxy/access/users.h"

enum {
    AUTH_QUEUE_MAX = 1024,
    AUTH_CLIENT_MAX = 256, /* most entries of the queue for one client */
    AUTH_WRONG_BURST = 20, /* wrong passwords that a client may try at once; then one a second */
    AUTH_WRONG_MS = 10000, /* how long a wrong password is remembered */
};

struct auth;

enum auth_state {
    AUTH_RIGHT,
    AUTH_WRONG,
    AUTH_WAIT,   /* the ticket is woken when the answer is known: ask again then */
    AUTH_BUSY,   /* the queue is full */
    AUTH_GUESSER /* this client has tried too many wrong passwords */
};

/* Waits for an answer. Part of its owner, zeroed before use. `wake` is called from any thread, with
 * locks held: it may only post. */
struct auth_ticket {
    struct list link;
    void (*wake)(void *arg);
    void *arg;
    struct auth_shard *shard; /* set by the owner of the ticket's queue; NULL: it does not wait */
    bool waits;               /* under the shard's lock */
};

struct auth_question {
    const struct users *users;
    struct credentials credentials;
    const struct ip *client;
    uint64_t now_ms; /* monotonic */
};

struct auth *auth_new(void);
/* Nobody may wait any more. Sets *auth to NULL. */
void auth_free(struct auth **auth);

/* Asks whether the password is right. A client is an IPv4 address or an IPv6 /64. */
enum auth_state auth_ask(struct auth *auth, const struct auth_question *question,
                         struct auth_ticket *ticket);
/* Stops waiting. Does nothing when it does not wait. */
void auth_forget(struct auth_ticket *ticket);

struct auth_stats {
    uint64_t checked, right, wrong; /* passwords compared, and with which result */
    uint64_t busy, guesses;         /* questions refused with AUTH_BUSY and AUTH_GUESSER */
    uint64_t waiting, remembered;
};
void auth_stats(struct auth *auth, struct auth_stats *out);

#endif
