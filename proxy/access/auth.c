/*
 * Answers and questions under way are entries of one table in shards, each with a lock that is held
 * for a few pointers. A question under way is in the queue of the threads, too. An entry goes from
 * ASKED to RIGHT or WRONG; RIGHT ones are dropped when there are too many, those unused longest
 * first.
 *
 * Locks: a shard's before the queue's; that of the clients alone.
 */
#include "proxy/access/auth.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "base/thread.h"
#include "proxy/access/passwords.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum {
    SHARDS = 16,
    RIGHT_MAX = 4096, /* remembered, of each shard */
    WRONG_MAX = 256,
    CLIENTS = 4096,
    THREADS_MAX = 4,
    WRONG_STEP_MS = 1000,
    KEY_LEN = 16,
};
_Static_assert((int)CREDENTIALS_PASSWORD_MAX <= (int)PASSWORD_MAX, "a password must fit");

enum entry_state { ENTRY_ASKED, ENTRY_RIGHT, ENTRY_WRONG };

/* A password that waits to be compared. */
struct job {
    struct list link; /* of the queue */
    struct entry *entry;
    struct client *client;
    bool nobody; /* the name is unknown: the hash is another's, and the answer no */
    size_t password_len, hash_len;
    char password[PASSWORD_MAX];
    char hash[PASSWORD_HASH_MAX];
};

struct entry {
    struct map_link map;
    struct list link; /* RIGHT, WRONG: of the shard's, the last used first */
    struct auth_shard *shard;
    uint8_t key[KEY_LEN];
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
struct client {
    unsigned waiting;
    uint64_t wrong_until_ms; /* each wrong password moves it on by WRONG_STEP_MS */
};

struct auth {
    struct sip_key key;
    struct auth_shard shards[SHARDS];

    pthread_mutex_t client_lock;
    struct client clients[CLIENTS];

    pthread_mutex_t queue_lock;
    pthread_cond_t work;
    struct list queue;
    size_t queued; /* and being compared */
    bool ending;
    pthread_t threads[THREADS_MAX];
    size_t thread_count;

    atomic_uint_fast64_t checked, right, wrong, busy, guesses;
};

/* ---- entries; with the shard's lock ---- */

static struct entry *entry_find(struct auth_shard *shard, const uint8_t key[KEY_LEN], uint64_t hash)
{
    struct map_link *link = map_first(&shard->map, hash);

    while (link && memcmp(container_of(link, struct entry, map)->key, key, KEY_LEN) != 0) {
        link = map_next(link);
    }
    return link ? container_of(link, struct entry, map) : NULL;
}

static struct entry *entry_new(struct auth_shard *shard, const uint8_t key[KEY_LEN], uint64_t hash)
{
    struct entry *entry = xcalloc(1, sizeof(*entry));

    entry->shard = shard;
    memcpy(entry->key, key, KEY_LEN);
    list_init(&entry->link);
    list_init(&entry->waiting);
    map_insert(&shard->map, &entry->map, hash);
    return entry;
}

static void entry_drop(struct entry *entry)
{
    struct auth_shard *shard = entry->shard;

    CHECK(list_empty(&entry->waiting));
    shard->right_count -= entry->state == ENTRY_RIGHT;
    shard->wrong_count -= entry->state == ENTRY_WRONG;
    list_remove(&entry->link);
    map_remove(&shard->map, &entry->map);
    free(entry);
}

static void drop_last(struct list *list)
{
    entry_drop(list_entry(list->prev, struct entry, link));
}

static void entry_answer(struct entry *entry, bool right, uint64_t now_ms)
{
    struct auth_shard *shard = entry->shard;

    entry->state = right ? ENTRY_RIGHT : ENTRY_WRONG;
    entry->until_ms = now_ms + AUTH_WRONG_MS;
    list_push_front(right ? &shard->right : &shard->wrong, &entry->link);
    if (right && ++shard->right_count > RIGHT_MAX) {
        drop_last(&shard->right);
    } else if (!right && ++shard->wrong_count > WRONG_MAX) {
        drop_last(&shard->wrong);
    }
}

static void wake_all(struct entry *entry)
{
    for (struct list *link; (link = list_pop_front(&entry->waiting));) {
        struct auth_ticket *ticket = list_entry(link, struct auth_ticket, link);
        ticket->waits = false;
        ticket->wake(ticket->arg);
    }
}

/* ---- clients ---- */

static struct client *client_of(struct auth *auth, const struct ip *ip)
{
    struct span bytes = span_of(ip->at, ip_is_v4(ip) ? 16 : 8);
    return &auth->clients[sip_hash64(&auth->key, bytes) % CLIENTS];
}

/* May the client have one more password compared? */
static enum auth_state client_admit(struct auth *auth, struct client *client, uint64_t now_ms)
{
    enum auth_state state = AUTH_WAIT;

    pthread_mutex_lock(&auth->client_lock);
    if (client->wrong_until_ms > now_ms + (AUTH_WRONG_BURST - 1) * WRONG_STEP_MS) {
        state = AUTH_GUESSER;
    } else if (client->waiting >= AUTH_CLIENT_MAX) {
        state = AUTH_BUSY;
    } else {
        client->waiting++;
    }
    pthread_mutex_unlock(&auth->client_lock);
    return state;
}

static void client_done(struct auth *auth, struct client *client, bool wrong, uint64_t now_ms)
{
    pthread_mutex_lock(&auth->client_lock);
    client->waiting--;
    if (wrong) {
        uint64_t from = client->wrong_until_ms > now_ms ? client->wrong_until_ms : now_ms;
        uint64_t most = now_ms + AUTH_WRONG_BURST * WRONG_STEP_MS;
        client->wrong_until_ms = from + WRONG_STEP_MS < most ? from + WRONG_STEP_MS : most;
    }
    pthread_mutex_unlock(&auth->client_lock);
}

/* ---- the threads ---- */

static struct job *take_job(struct auth *auth)
{
    struct job *job = NULL;

    pthread_mutex_lock(&auth->queue_lock);
    while (list_empty(&auth->queue) && !auth->ending) {
        pthread_cond_wait(&auth->work, &auth->queue_lock);
    }
    if (!auth->ending) {
        job = list_entry(list_pop_front(&auth->queue), struct job, link);
    }
    pthread_mutex_unlock(&auth->queue_lock);
    return job;
}

static void job_free(struct job *job)
{
    explicit_bzero(job, sizeof(*job));
    free(job);
}

static void do_job(struct auth *auth, struct password_room *room, struct job *job)
{
    struct auth_shard *shard = job->entry->shard;
    bool right = password_check(room, span_of(job->password, job->password_len),
                                span_of(job->hash, job->hash_len)) &&
                 !job->nobody;
    uint64_t now_ms = clock_mono_ms();

    atomic_fetch_add_explicit(&auth->checked, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(right ? &auth->right : &auth->wrong, 1, memory_order_relaxed);
    client_done(auth, job->client, !right, now_ms);
    pthread_mutex_lock(&auth->queue_lock);
    auth->queued--;
    pthread_mutex_unlock(&auth->queue_lock);
    pthread_mutex_lock(&shard->lock);
    struct entry *entry = job->entry;
    wake_all(entry);
    entry_answer(entry, right, now_ms);
    pthread_mutex_unlock(&shard->lock);
    job_free(job);
}

static void *thread_main(void *arg)
{
    struct auth *auth = arg;
    struct password_room *room = password_room_new();

    for (struct job *job; (job = take_job(auth));) {
        do_job(auth, room, job);
    }
    password_room_free(&room);
    return NULL;
}

/* With the queue's lock. So few that clients are served beside it. */
static void start_threads(struct auth *auth)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = cpus < 2 ? 1 : cpus / 2 < THREADS_MAX ? (size_t)cpus / 2 : THREADS_MAX;

    while (auth->thread_count < wanted) {
        int err = thread_start(&auth->threads[auth->thread_count], "password", thread_main, auth);
        if (err) {
            log_warn("password_thread_failed", "err=%d", err);
            return;
        }
        auth->thread_count++;
    }
}

/* ---- asking ---- */

static bool put_job(struct auth *auth, struct job *job)
{
    pthread_mutex_lock(&auth->queue_lock);
    if (auth->thread_count == 0) {
        start_threads(auth);
    }
    bool room = auth->queued < AUTH_QUEUE_MAX && auth->thread_count > 0 && !auth->ending;
    if (room) {
        auth->queued++;
        list_push_back(&auth->queue, &job->link);
        pthread_cond_signal(&auth->work);
    }
    pthread_mutex_unlock(&auth->queue_lock);
    return room;
}

static size_t keep(char *to, struct span bytes)
{
    if (bytes.len) {
        memcpy(to, bytes.at, bytes.len);
    }
    return bytes.len;
}

/* The hash that decides: the user's, or for nobody another one. */
static struct span hash_for(const struct auth_question *question, bool *nobody)
{
    const struct user *user = users_find(question->users, question->credentials.name);

    *nobody = user == NULL;
    return user ? user->hash : users_decoy(question->users, question->credentials.name);
}

/* Lengths stand in front, so that no two questions are one text. */
static void key_of(const struct auth *auth, const struct auth_question *question, struct span hash,
                   bool nobody, uint8_t out[KEY_LEN])
{
    char text[3 + CREDENTIALS_NAME_MAX + PASSWORD_MAX + PASSWORD_HASH_MAX];
    const struct credentials *asked = &question->credentials;
    size_t len = 3;

    text[0] = (char)asked->name.len;
    text[1] = (char)asked->password.len;
    text[2] = nobody;
    len += keep(text + len, asked->name);
    len += keep(text + len, asked->password);
    len += keep(text + len, hash);
    sip_hash128(&auth->key, span_of(text, len), out);
    explicit_bzero(text, len);
}

static struct job *job_new(const struct auth_question *question, struct span hash, bool nobody,
                           struct client *client)
{
    struct job *job = xcalloc(1, sizeof(*job));

    job->client = client;
    job->nobody = nobody;
    job->password_len = keep(job->password, question->credentials.password);
    job->hash_len = keep(job->hash, hash);
    list_init(&job->link);
    return job;
}

static void wait_for(struct entry *entry, struct auth_ticket *ticket)
{
    ticket->shard = entry->shard;
    ticket->waits = true;
    list_push_back(&entry->waiting, &ticket->link);
}

/* What is known, with the shard's lock. NULL: nothing, or not any more. */
static struct entry *look(struct auth_shard *shard, const uint8_t key[KEY_LEN], uint64_t hash,
                          uint64_t now_ms)
{
    struct entry *entry = entry_find(shard, key, hash);

    if (entry && entry->state == ENTRY_WRONG && entry->until_ms <= now_ms) {
        entry_drop(entry);
        entry = NULL;
    }
    if (entry && entry->state == ENTRY_RIGHT) {
        list_remove(&entry->link);
        list_push_front(&shard->right, &entry->link);
    }
    return entry;
}

/* A new question, with the shard's lock. */
static enum auth_state begin(struct auth_shard *shard, const uint8_t key[KEY_LEN], uint64_t hash,
                             struct job *job, struct auth_ticket *ticket)
{
    job->entry = entry_new(shard, key, hash);
    wait_for(job->entry, ticket);
    if (put_job(shard->auth, job)) {
        return AUTH_WAIT;
    }
    list_remove(&ticket->link);
    ticket->waits = false;
    entry_drop(job->entry);
    return AUTH_BUSY;
}

static enum auth_state ask_threads(struct auth_shard *shard, const struct auth_question *question,
                                   const uint8_t key[KEY_LEN], uint64_t hash,
                                   struct auth_ticket *ticket)
{
    struct auth *auth = shard->auth;
    struct client *client = client_of(auth, question->client);
    enum auth_state state = client_admit(auth, client, question->now_ms);
    bool nobody;

    if (state != AUTH_WAIT) {
        return state;
    }
    struct span stored = hash_for(question, &nobody);
    struct job *job = job_new(question, stored, nobody, client);
    state = begin(shard, key, hash, job, ticket);
    if (state != AUTH_WAIT) {
        job_free(job);
        client_done(auth, client, false, question->now_ms);
    }
    return state;
}

enum auth_state auth_ask(struct auth *auth, const struct auth_question *question,
                         struct auth_ticket *ticket)
{
    static const enum auth_state known[] = {AUTH_WAIT, AUTH_RIGHT, AUTH_WRONG};
    uint8_t key[KEY_LEN];
    uint64_t hash;
    bool nobody;
    struct span stored = hash_for(question, &nobody);
    enum auth_state state;

    if (stored.len == 0) {
        return AUTH_WRONG; /* there is nobody at all */
    }
    key_of(auth, question, stored, nobody, key);
    memcpy(&hash, key, sizeof(hash));
    struct auth_shard *shard = &auth->shards[key[KEY_LEN - 1] % SHARDS];
    pthread_mutex_lock(&shard->lock);
    struct entry *entry = look(shard, key, hash, question->now_ms);
    if (entry == NULL) {
        state = ask_threads(shard, question, key, hash, ticket);
    } else {
        state = known[entry->state];
        if (state == AUTH_WAIT) {
            wait_for(entry, ticket);
        }
    }
    pthread_mutex_unlock(&shard->lock);
    if (state == AUTH_BUSY || state == AUTH_GUESSER) {
        atomic_fetch_add_explicit(state == AUTH_BUSY ? &auth->busy : &auth->guesses, 1,
                                  memory_order_relaxed);
    }
    return state;
}

void auth_forget(struct auth_ticket *ticket)
{
    struct auth_shard *shard = ticket->shard;

    if (shard) {
        pthread_mutex_lock(&shard->lock);
        if (ticket->waits) { /* not woken meanwhile */
            list_remove(&ticket->link);
            ticket->waits = false;
        }
        pthread_mutex_unlock(&shard->lock);
        ticket->shard = NULL;
    }
}

/* ---- life ---- */

struct auth *auth_new(void)
{
    struct auth *auth = xcalloc(1, sizeof(*auth));

    auth->key = sip_key_random();
    for (size_t i = 0; i < SHARDS; i++) {
        struct auth_shard *shard = &auth->shards[i];
        shard->auth = auth;
        pthread_mutex_init(&shard->lock, NULL);
        map_init(&shard->map, 16);
        list_init(&shard->right);
        list_init(&shard->wrong);
    }
    pthread_mutex_init(&auth->client_lock, NULL);
    pthread_mutex_init(&auth->queue_lock, NULL);
    pthread_cond_init(&auth->work, NULL);
    list_init(&auth->queue);
    return auth;
}

static void drop_entry(struct map_link *link, void *arg)
{
    entry_drop(container_of(link, struct entry, map));
}

static void shard_fini(struct auth_shard *shard)
{
    map_each(&shard->map, drop_entry, NULL);
    map_fini(&shard->map);
    pthread_mutex_destroy(&shard->lock);
}

void auth_free(struct auth **slot)
{
    struct auth *auth = *slot;

    *slot = NULL;
    if (auth == NULL) {
        return;
    }
    pthread_mutex_lock(&auth->queue_lock);
    auth->ending = true;
    pthread_cond_broadcast(&auth->work);
    pthread_mutex_unlock(&auth->queue_lock);
    for (size_t i = 0; i < auth->thread_count; i++) {
        pthread_join(auth->threads[i], NULL);
    }
    for (struct list *link; (link = list_pop_front(&auth->queue));) {
        job_free(list_entry(link, struct job, link));
    }
    for (size_t i = 0; i < SHARDS; i++) {
        shard_fini(&auth->shards[i]);
    }
    pthread_mutex_destroy(&auth->client_lock);
    pthread_mutex_destroy(&auth->queue_lock);
    pthread_cond_destroy(&auth->work);
    explicit_bzero(&auth->key, sizeof(auth->key));
    free(auth);
}

void auth_stats(struct auth *auth, struct auth_stats *out)
{
    *out = (struct auth_stats){
        .checked = atomic_load(&auth->checked),
        .right = atomic_load(&auth->right),
        .wrong = atomic_load(&auth->wrong),
        .busy = atomic_load(&auth->busy),
        .guesses = atomic_load(&auth->guesses),
    };
    pthread_mutex_lock(&auth->queue_lock);
    out->waiting = auth->queued;
    pthread_mutex_unlock(&auth->queue_lock);
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&auth->shards[i].lock);
        out->remembered += auth->shards[i].right_count;
        pthread_mutex_unlock(&auth->shards[i].lock);
    }
}
