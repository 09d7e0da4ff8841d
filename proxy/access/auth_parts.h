/*
 * auth_parts - the inside of auth, for the files it is made of: auth.c (what is asked, known and
 * remembered), auth_thread.c (comparing), auth_client.c (how much one client may have compared).
 *
 * Answers and questions under way are entries of one table in shards, each with a lock that is held
 * for a few pointers. A question under way is in the queue of the threads, too. An entry goes from
 * ASKED to RIGHT or WRONG; RIGHT ones are dropped when there are too many, those unused longest
 * first.
 *
 * Locks: a shard's before the queue's; that of the clients alone.
 */
#ifndef LARDER_PROXY_ACCESS_AUTH_PARTS_H
#define LARDER_PROXY_ACCESS_AUTH_PARTS_H

#include "base/list.h"
#include "base/map.h"
#include "base/siphash.h"
#include "proxy/access/auth.h"
#include "proxy/access/passwords.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    AUTH_SHARDS = 16,
    AUTH_RIGHT_MAX = 4096, /* remembered, of each shard */
    AUTH_WRONG_MAX = 256,
    AUTH_CLIENTS = 4096,
    AUTH_THREADS_MAX = 4,
    AUTH_WRONG_STEP_MS = 1000,
    AUTH_KEY_LEN = 16,
};
_Static_assert((int)CREDENTIALS_PASSWORD_MAX <= (int)PASSWORD_MAX, "a password must fit");

enum entry_state { ENTRY_ASKED, ENTRY_RIGHT, ENTRY_WRONG };

/* A password that waits to be compared. */
struct auth_job {
    struct list link; /* of the queue */
    struct auth_entry *entry;
    struct auth_client *client;
    bool nobody; /* the name is unknown: the hash is another's, and the answer no */
    size_t password_len, hash_len;
    char password[PASSWORD_MAX];
    char hash[PASSWORD_HASH_MAX];
};

struct auth_entry {
    struct map_link map;
    struct list link; /* RIGHT, WRONG: of the shard's, the last used first */
    struct auth_shard *shard;
    uint8_t key[AUTH_KEY_LEN];
    enum entry_state state;
    uint64_t until_ms;   /* WRONG: forgotten then */
    struct list waiting; /* ASKED: tickets */
};

struct auth_shard {
    pthread_mutex_t lock;
    struct auth *auth;
    struct map map;
    struct list right, wrong;
    size_t right_count, wrong_count;
};

/* One for all clients whose hash is the same. */
struct auth_client {
    unsigned waiting;
    uint64_t wrong_until_ms; /* each wrong password moves it on by AUTH_WRONG_STEP_MS */
};

struct auth {
    struct sip_key key;
    struct auth_shard shards[AUTH_SHARDS];

    pthread_mutex_t client_lock;
    struct auth_client clients[AUTH_CLIENTS];

    pthread_mutex_t queue_lock;
    pthread_cond_t work;
    struct list queue;
    size_t queued; /* and being compared */
    bool ending;
    pthread_t threads[AUTH_THREADS_MAX];
    size_t thread_count;

    atomic_uint_fast64_t checked, right, wrong, busy, guesses;
};

/* Of a question under way, with its shard's lock: whoever waits is woken, and the answer kept. */
void auth_entry_answer(struct auth_entry *entry, bool right, uint64_t now_ms);

/* auth_client.c */
struct auth_client *auth_client_of(struct auth *auth, const struct ip *ip);
/* May the client have one more password compared? AUTH_WAIT: yes, until auth_client_done(). */
enum auth_state auth_client_admit(struct auth *auth, struct auth_client *client, uint64_t now_ms);
void auth_client_done(struct auth *auth, struct auth_client *client, bool wrong, uint64_t now_ms);

/* auth_thread.c: false: the queue is full, and the job stays the caller's. */
bool auth_job_put(struct auth *auth, struct auth_job *job);
void auth_job_free(struct auth_job *job);
/* Ends the threads, and forgets what waits for them. */
void auth_threads_end(struct auth *auth);

#endif
