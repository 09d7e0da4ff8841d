/*
 * account_parts - the inside of accounts, shared by account.c (one account, and the table),
 * account_pace.c (rates) and account_thread.c (disk, life).
 *
 * Accounts are in a table of shards. A shard's lock is taken once per request, to find the account.
 * Each account has its own lock, where only streams of the same user meet. Lock order: shard,
 * account, list_lock.
 */
#ifndef LARDER_PROXY_ACCESS_ACCOUNT_PARTS_H
#define LARDER_PROXY_ACCESS_ACCOUNT_PARTS_H

#include "base/list.h"
#include "base/map.h"
#include "base/siphash.h"
#include "proxy/access/account.h"
#include "proxy/access/ledger.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    ACCOUNT_SHARDS = 64,
    ACCOUNT_TICK_MS = 200,
    ACCOUNT_BURST_MIN = 16 * 1024, /* burst in bytes at the lowest rate */
};

struct account {
    struct map_link link;
    struct shard *shard;
    size_t name_len;
    char name[LEDGER_KEY_MAX];
    size_t refs; /* under the shard's lock */

    pthread_mutex_t lock; /* of everything below but the links */
    struct ledger_row row;
    int64_t tokens;     /* bytes; below 0: owed */
    uint64_t filled_us; /* when tokens were added last */
    uint64_t moved;     /* bytes since the last tick */
    uint64_t wish;      /* bytes a second it would have used; UINT64_MAX: more than it got */
    bool is_dirty, is_active;
    struct list dirty, active; /* under list_lock */
};

struct shard {
    pthread_mutex_t lock;
    struct accounts *accounts;
    struct map map;
};

struct accounts {
    struct sip_key key;
    struct shard shards[ACCOUNT_SHARDS];
    atomic_size_t count;
    atomic_uint_fast64_t refused, written, failures;
    atomic_uint_fast64_t total, level;

    pthread_mutex_t list_lock;
    pthread_cond_t tick;
    struct list dirty, active;
    bool ending;

    struct ledger *ledger; /* used by the thread; NULL: nothing is kept, or not opened so far */
    char *folder; /* of the ledger that is still to be opened; NULL: none. Used by the thread */
    int late_err; /* last error of opening it, as logged */
    atomic_bool late;
    pthread_t thread;
    bool has_thread;
};

/* ---- account.c ---- */

/* Puts an account on one of the lists. Called with the account's lock. */
void accounts_list(struct account *account, struct list *list, struct list *link);
/* Takes the first account off a list; `at` is the offset of its link. NULL: the list is empty. */
struct account *accounts_pop(struct accounts *accounts, struct list *list, size_t at);
/* Starts new periods at 0. Called with the account's lock. */
void account_roll(struct account *account, int64_t now);
/* The account of this name, with a new reference; made if there is none. */
struct account *accounts_take(struct accounts *accounts, struct span name);
/* Called with the shard's lock. */
void account_free(struct account *account);
/* When there are many accounts, removes those without references that have used nothing. Only for
 * the thread. */
void accounts_make_room(struct accounts *accounts);

/* ---- account_pace.c ---- */

/* Divides the total rate among the accounts, once a tick. Only for the thread. */
void accounts_share(struct accounts *accounts);

#endif
