/*
 * auth_parts - the inside of auth, shared by auth.c (questions, and remembered answers),
 * auth_thread.c (comparing) and auth_client.c (limits for each client).
 *
 * Answers and open questions are entries of one table in shards, each with a lock that is held
 * briefly. An open question is also in the queue of the threads. An entry goes from ASKED to RIGHT
 * or WRONG. When there are too many RIGHT ones, the least recently used is dropped.
 *
 * Lock order: shard, then clients or queue, of which no thread holds both.
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
    AUTH_RIGHT_MAX = 4096, /* entries remembered in each shard */
    AUTH_WRONG_MAX = 256,
    AUTH_CLIENTS = 4096,
    AUTH_THREADS_MAX = 4,
    AUTH_WRONG_STEP_MS = 1000,
    AUTH_KEY_LEN = 16,
};
_Static_assert((int)CREDENTIALS_PASSWORD_MAX <= (int)PASSWORD_MAX, "a password must fit");

enum entry_state { ENTRY_ASKED, ENTRY_RIGHT, ENTRY_WRONG };

/* A password to be compared. */
struct auth_job {
    struct list link; /* in the queue */
    struct auth_entry *entry;
    struct auth_client *client;
    bool nobody; /* the name is unknown: the hash is a decoy, and the answer is no */
    size_t password_len, hash_len;
    char password[PASSWORD_MAX];
    char hash[PASSWORD_HASH_MAX];
};

struct auth_entry {
    struct map_link map;
    struct list link; /* RIGHT, WRONG: in the shard's list, most recently used first */
    struct auth_shard *shard;
    uint8_t key[AUTH_KEY_LEN];
    enum entry_state state;
    uint64_t until_ms;   /* WRONG: when it is forgotten */
    struct list waiting; /* ASKED: tickets that wait */
};

struct auth_shard {
    pthread_mutex_t lock;
    struct auth *auth;
    struct map map;
    struct list right, wrong;
    size_t right_count, wrong_count;
};

/* Limits of a client, or of several with the same hash. */
struct auth_client {
    unsigned waiting;
    uint64_t wrong_until_ms; /* moved on by AUTH_WRONG_STEP_MS with each wrong password */
};

struct auth {
    struct sip_key key;
    struct auth_shard shards[AUTH_SHARDS];

    pthread_mutex_t client_lock;
    struct auth_client clients[AUTH_CLIENTS];

    pthread_mutex_t queue_lock;
    pthread_cond_t work;
    struct list queue;
    size_t queued; /* in the queue or being compared */
    bool ending;
    pthread_t threads[AUTH_THREADS_MAX];
    size_t thread_count;

    atomic_uint_fast64_t checked, right, wrong, busy, guesses;
};

/* Answers an open question: remembers the answer and wakes who waits. Called with the shard's
 * lock. */
void auth_entry_answer(struct auth_entry *entry, bool right, uint64_t now_ms);

/* auth_client.c */
struct auth_client *auth_client_of(struct auth *auth, const struct ip *ip);
/* May the client have one more password compared? AUTH_WAIT: yes; call auth_client_done()
 * afterwards. */
enum auth_state auth_client_admit(struct auth *auth, struct auth_client *client, uint64_t now_ms);
void auth_client_done(struct auth *auth, struct auth_client *client, bool wrong, uint64_t now_ms);

/* auth_thread.c. False: the queue is full, and the caller keeps the job. */
bool auth_job_put(struct auth *auth, struct auth_job *job);
void auth_job_free(struct auth_job *job);
/* Ends the threads, and drops the queue. */
void auth_threads_end(struct auth *auth);

#endif
