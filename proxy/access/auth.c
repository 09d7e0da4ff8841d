/* auth - remembered answers, and tickets that wait for one. */
#include "proxy/access/auth_parts.h"

#include "base/check.h"
#include "base/mem.h"

#include <unistd.h>

/* ---- entries; with the shard's lock ---- */

static struct auth_entry *entry_find(struct auth_shard *shard, const uint8_t key[AUTH_KEY_LEN],
                                     uint64_t hash)
{
    struct map_link *link = map_first(&shard->map, hash);

    while (link &&
           memcmp(container_of(link, struct auth_entry, map)->key, key, AUTH_KEY_LEN) != 0) {
        link = map_next(link);
    }
    return link ? container_of(link, struct auth_entry, map) : NULL;
}

static struct auth_entry *entry_new(struct auth_shard *shard, const uint8_t key[AUTH_KEY_LEN],
                                    uint64_t hash)
{
    struct auth_entry *entry = xcalloc(1, sizeof(*entry));

    entry->shard = shard;
    memcpy(entry->key, key, AUTH_KEY_LEN);
    list_init(&entry->link);
    list_init(&entry->waiting);
    map_insert(&shard->map, &entry->map, hash);
    return entry;
}

static void entry_drop(struct auth_entry *entry)
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
    entry_drop(list_entry(list->prev, struct auth_entry, link));
}

static void wake_all(struct auth_entry *entry)
{
    for (struct list *link; (link = list_pop_front(&entry->waiting));) {
        struct auth_ticket *ticket = list_entry(link, struct auth_ticket, link);
        ticket->waits = false;
        ticket->wake(ticket->arg);
    }
}

void auth_entry_answer(struct auth_entry *entry, bool right, uint64_t now_ms)
{
    struct auth_shard *shard = entry->shard;

    wake_all(entry);
    entry->state = right ? ENTRY_RIGHT : ENTRY_WRONG;
    entry->until_ms = now_ms + AUTH_WRONG_MS;
    list_push_front(right ? &shard->right : &shard->wrong, &entry->link);
    if (right && ++shard->right_count > AUTH_RIGHT_MAX) {
        drop_last(&shard->right);
    } else if (!right && ++shard->wrong_count > AUTH_WRONG_MAX) {
        drop_last(&shard->wrong);
    }
}

/* ---- asking ---- */

static size_t keep(char *to, struct span bytes)
{
    if (bytes.len) {
        memcpy(to, bytes.at, bytes.len);
    }
    return bytes.len;
}

/* The hash to compare with: the user's, or a decoy for an unknown name. */
static struct span hash_for(const struct auth_question *question, bool *nobody)
{
    const struct user *user = users_find(question->users, question->credentials.name);

    *nobody = user == NULL;
    return user ? user->hash : users_decoy(question->users, question->credentials.name);
}

/* Lengths come first, so that no two questions make the same text. */
static void key_of(const struct auth *auth, const struct auth_question *question, struct span hash,
                   bool nobody, uint8_t out[AUTH_KEY_LEN])
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

static struct auth_job *job_new(const struct auth_question *question, struct span hash, bool nobody,
                                struct auth_client *client)
{
    struct auth_job *job = xcalloc(1, sizeof(*job));

    job->client = client;
    job->nobody = nobody;
    job->password_len = keep(job->password, question->credentials.password);
    job->hash_len = keep(job->hash, hash);
    list_init(&job->link);
    return job;
}

static void wait_for(struct auth_entry *entry, struct auth_ticket *ticket)
{
    ticket->shard = entry->shard;
    ticket->waits = true;
    list_push_back(&entry->waiting, &ticket->link);
}

/* The remembered answer, under the shard's lock. NULL: there is none, or it has expired. */
static struct auth_entry *look(struct auth_shard *shard, const uint8_t key[AUTH_KEY_LEN],
                               uint64_t hash, uint64_t now_ms)
{
    struct auth_entry *entry = entry_find(shard, key, hash);

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

/* Queues a new question, under the shard's lock. */
static enum auth_state begin(struct auth_shard *shard, const uint8_t key[AUTH_KEY_LEN],
                             uint64_t hash, struct auth_job *job, struct auth_ticket *ticket)
{
    job->entry = entry_new(shard, key, hash);
    wait_for(job->entry, ticket);
    if (auth_job_put(shard->auth, job)) {
        return AUTH_WAIT;
    }
    list_remove(&ticket->link);
    ticket->waits = false;
    entry_drop(job->entry);
    return AUTH_BUSY;
}

static enum auth_state ask_threads(struct auth_shard *shard, const struct auth_question *question,
                                   const uint8_t key[AUTH_KEY_LEN], uint64_t hash,
                                   struct auth_ticket *ticket)
{
    struct auth *auth = shard->auth;
    struct auth_client *client = auth_client_of(auth, question->client);
    enum auth_state state = auth_client_admit(auth, client, question->now_ms);
    bool nobody;

    if (state != AUTH_WAIT) {
        return state;
    }
    struct span stored = hash_for(question, &nobody);
    struct auth_job *job = job_new(question, stored, nobody, client);
    state = begin(shard, key, hash, job, ticket);
    if (state != AUTH_WAIT) {
        auth_job_free(job);
        auth_client_done(auth, client, false, question->now_ms);
    }
    return state;
}

enum auth_state auth_ask(struct auth *auth, const struct auth_question *question,
                         struct auth_ticket *ticket)
{
    static const enum auth_state known[] = {AUTH_WAIT, AUTH_RIGHT, AUTH_WRONG};
    uint8_t key[AUTH_KEY_LEN];
    uint64_t hash;
    bool nobody;
    struct span stored = hash_for(question, &nobody);
    enum auth_state state;

    if (stored.len == 0) {
        return AUTH_WRONG; /* there are no users at all */
    }
    key_of(auth, question, stored, nobody, key);
    memcpy(&hash, key, sizeof(hash));
    struct auth_shard *shard = &auth->shards[key[AUTH_KEY_LEN - 1] % AUTH_SHARDS];
    pthread_mutex_lock(&shard->lock);
    struct auth_entry *entry = look(shard, key, hash, question->now_ms);
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
        if (ticket->waits) { /* it was not woken meanwhile */
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
    for (size_t i = 0; i < AUTH_SHARDS; i++) {
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
    entry_drop(container_of(link, struct auth_entry, map));
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
    auth_threads_end(auth);
    for (size_t i = 0; i < AUTH_SHARDS; i++) {
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
    for (size_t i = 0; i < AUTH_SHARDS; i++) {
        pthread_mutex_lock(&auth->shards[i].lock);
        out->remembered += auth->shards[i].right_count;
        pthread_mutex_unlock(&auth->shards[i].lock);
    }
}
