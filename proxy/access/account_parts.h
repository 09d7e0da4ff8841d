/*
 * account_parts - the inside of accounts, for the files they are made of: account.c (one account,
 * and the table), account_pace.c (how fast), account_thread.c (keeping, beginning and ending).
 *
 * Accounts stand in a table in shards, each with a lock that is held to find one, once for a
 * request. What it counts has a lock of its own, which only the streams of one user can meet at.
 *
 * Locks: a shard's, then an account's, then that of the lists of accounts that have changed.
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
    ACCOUNT_BURST_MIN = 16 * 1024, /* bytes that may go at once at the slowest pace */
};

struct account {
    struct map_link link;
    struct shard *shard;
    size_t name_len;
    char name[LEDGER_KEY_MAX];
    size_t refs; /* with the shard's lock */

    pthread_mutex_t lock; /* over everything below, but the links */
    struct ledger_row row;
    int64_t tokens;     /* bytes; below 0: owed */
    uint64_t filled_us; /* when tokens were added last */
    uint64_t moved;     /* bytes since the last tick */
    uint64_t wish;      /* bytes a second it could have used; UINT64_MAX: all there are */
    bool is_dirty, is_active;
    struct list dirty, active; /* with the lists' lock */
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

    struct ledger *ledger; /* the thread's; NULL: not kept, or not yet */
    char *folder;          /* the ledger's, which is still to come; NULL: none is. The thread's */
    int late_err;          /* why it has not come: what the log has last */
    atomic_bool late;
    pthread_t thread;
    bool has_thread;
};

/* ---- account.c ---- */

/* Puts it on a list of what has changed; with the account's lock. */
void accounts_list(struct account *account, struct list *list, struct list *link);
/* Takes the first off such a list; `at` is the offset of the link. NULL: it is empty. */
struct account *accounts_pop(struct accounts *accounts, struct list *list, size_t at);
/* A period that is over counts from 0 again. With the account's lock. */
void account_roll(struct account *account, int64_t now);
/* The account of this name, made if need be, with one more reference. */
struct account *accounts_take(struct accounts *accounts, struct span name);
/* With the shard's lock. */
void account_free(struct account *account);
/* Accounts that nobody holds and that have used nothing go, when there are many. Only the thread.
 */
void accounts_make_room(struct accounts *accounts);

/* ---- account_pace.c ---- */

/* Once a tick: what each may have of the total. Only the thread. */
void accounts_share(struct accounts *accounts);

#endif
