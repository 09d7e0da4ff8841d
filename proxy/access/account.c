/*
 * Accounts stand in a table in shards, each with a lock that is held to find one, once for a
 * request. What it counts has a lock of its own, which only the streams of one user can meet at.
 *
 * Locks: a shard's, then an account's, then that of the lists of accounts that have changed.
 */
#include "proxy/access/account.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "base/thread.h"
#include "proxy/access/ledger.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum {
    SHARDS = 64,
    TICK_MS = 200,
    TICKS_OF_WRITE = 5,
    BURST_PART = 4, /* of a second's bytes */
    BURST_MIN = 16 * 1024,
    STEP_MIN = 4 * 1024, /* less is not worth a write */
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
    struct shard shards[SHARDS];
    atomic_size_t count;
    atomic_uint_fast64_t refused, written, failures;
    atomic_uint_fast64_t total, level;

    pthread_mutex_t list_lock;
    pthread_cond_t tick;
    struct list dirty, active;
    bool ending;

    struct ledger *ledger; /* the thread's; NULL: not kept */
    pthread_t thread;
    bool has_thread;
};

/* ---- one account ---- */

static void add_to(struct account *account, struct list *list, struct list *link)
{
    struct accounts *accounts = account->shard->accounts;

    pthread_mutex_lock(&accounts->list_lock);
    list_push_back(list, link);
    pthread_mutex_unlock(&accounts->list_lock);
}

/* A period that is over counts from 0 again. When the clock goes back, the later one stays. */
static void roll(struct account *account, int64_t now)
{
    const struct period_now *period = period_at(now);

    for (int i = 0; i < PERIODS; i++) {
        if (period->begin[i] > account->row.begin[i]) {
            account->row.begin[i] = period->begin[i];
            account->row.used[i] = 0;
        }
    }
}

void account_add(struct account *account, uint64_t bytes, int64_t now)
{
    pthread_mutex_lock(&account->lock);
    roll(account, now);
    for (int i = 0; i < PERIODS; i++) {
        account->row.used[i] += bytes;
    }
    if (!account->is_dirty) {
        account->is_dirty = true;
        add_to(account, &account->shard->accounts->dirty, &account->dirty);
    }
    pthread_mutex_unlock(&account->lock);
}

uint64_t account_used(struct account *account, enum period period, int64_t now)
{
    pthread_mutex_lock(&account->lock);
    roll(account, now);
    uint64_t used = account->row.used[period];
    pthread_mutex_unlock(&account->lock);
    return used;
}

/* ---- the pace ---- */

/* 0: no limit. */
static uint64_t rate_of(const struct account *account, uint64_t own)
{
    uint64_t level = atomic_load_explicit(&account->shard->accounts->level, memory_order_relaxed);
    return own && (level == 0 || own < level) ? own : level;
}

static uint64_t burst_of(uint64_t rate)
{
    return rate / BURST_PART > BURST_MIN ? rate / BURST_PART : BURST_MIN;
}

static void fill(struct account *account, uint64_t rate, uint64_t now_us)
{
    uint64_t gone = now_us > account->filled_us ? now_us - account->filled_us : 0;
    uint64_t most = burst_of(rate);

    gone = gone < 1000000 ? gone : 1000000;
    account->tokens += (int64_t)((double)rate * (double)gone / 1e6);
    account->tokens = account->tokens < (int64_t)most ? account->tokens : (int64_t)most;
    account->filled_us = now_us;
}

static void activate(struct account *account)
{
    if (!account->is_active) {
        account->is_active = true;
        add_to(account, &account->shard->accounts->active, &account->active);
    }
}

uint64_t account_allowance(struct account *account, uint64_t wanted, uint64_t own, uint64_t now_us)
{
    uint64_t allowed = wanted;

    pthread_mutex_lock(&account->lock);
    uint64_t rate = rate_of(account, own);
    if (rate) {
        fill(account, rate, now_us);
        uint64_t least = wanted < STEP_MIN ? wanted : STEP_MIN;
        uint64_t there = account->tokens > 0 ? (uint64_t)account->tokens : 0;
        allowed = there < least ? 0 : there < wanted ? there : wanted;
    }
    if (allowed < wanted) { /* it could use more: as much as its own limit lets it */
        account->wish = own ? own : UINT64_MAX;
        activate(account);
    }
    pthread_mutex_unlock(&account->lock);
    return allowed;
}

void account_spend(struct account *account, uint64_t bytes, uint64_t own, uint64_t now_us)
{
    pthread_mutex_lock(&account->lock);
    uint64_t rate = rate_of(account, own);
    if (rate) {
        fill(account, rate, now_us);
        account->tokens -= (int64_t)bytes;
    }
    account->moved += bytes;
    activate(account);
    pthread_mutex_unlock(&account->lock);
}

/* ---- fair shares ---- */

static int by_amount(const void *a, const void *b)
{
    uint64_t x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

/* The level up to which all wishes are filled, so that together they are the total. */
static uint64_t level_of(uint64_t total, uint64_t *wishes, size_t count)
{
    uint64_t left = total;

    qsort(wishes, count, sizeof(*wishes), by_amount);
    for (size_t i = 0; i < count; i++) {
        uint64_t share = left / (count - i);
        if (wishes[i] >= share) {
            return share ? share : 1;
        }
        left -= wishes[i];
    }
    return total; /* all have what they want */
}

static struct account *pop(struct accounts *accounts, struct list *list, size_t at)
{
    pthread_mutex_lock(&accounts->list_lock);
    struct list *link = list_pop_front(list);
    pthread_mutex_unlock(&accounts->list_lock);
    return link ? (struct account *)(void *)((char *)link - at) : NULL;
}

/* What one account could have used since the last tick; it is not active any more. */
static uint64_t take_wish(struct account *account)
{
    pthread_mutex_lock(&account->lock);
    uint64_t moved = account->moved * (1000 / TICK_MS);
    uint64_t wish = account->wish > moved ? account->wish : moved;
    account->moved = 0;
    account->wish = 0;
    account->is_active = false;
    pthread_mutex_unlock(&account->lock);
    return wish;
}

static void share_out(struct accounts *accounts)
{
    uint64_t total = atomic_load(&accounts->total);
    uint64_t *wishes = NULL;
    size_t count = 0, room = 0;
    struct account *account;

    while ((account = pop(accounts, &accounts->active, offsetof(struct account, active)))) {
        if (count == room) {
            room = room ? 2 * room : 64;
            wishes = xrealloc(wishes, room * sizeof(*wishes));
        }
        wishes[count++] = take_wish(account);
        if (count == ACCOUNTS_MAX) {
            break; /* they come back as fast as they are taken */
        }
    }
    atomic_store(&accounts->level, total ? level_of(total, wishes, count) : 0);
    free(wishes);
}

void accounts_set_total(struct accounts *accounts, uint64_t total)
{
    uint64_t old = atomic_exchange(&accounts->total, total);

    if (old != total) {
        atomic_store(&accounts->level, total); /* until the next tick */
    }
}

/* ---- the table ---- */

static struct account *find(struct shard *shard, uint64_t hash, struct span name)
{
    for (struct map_link *link = map_first(&shard->map, hash); link; link = map_next(link)) {
        struct account *account = container_of(link, struct account, link);
        if (span_eq(span_of(account->name, account->name_len), name)) {
            return account;
        }
    }
    return NULL;
}

static struct account *account_new(struct shard *shard, uint64_t hash, struct span name)
{
    struct account *account = xcalloc(1, sizeof(*account));

    account->shard = shard;
    account->name_len = name.len;
    memcpy(account->name, name.at, name.len);
    account->tokens = BURST_MIN;
    pthread_mutex_init(&account->lock, NULL);
    list_init(&account->dirty);
    list_init(&account->active);
    map_insert(&shard->map, &account->link, hash);
    atomic_fetch_add(&shard->accounts->count, 1);
    return account;
}

/* The account of this name, made if need be. */
static struct account *take(struct accounts *accounts, struct span name)
{
    uint64_t hash = sip_hash64(&accounts->key, name);
    struct shard *shard = &accounts->shards[hash >> 58 & (SHARDS - 1)];

    pthread_mutex_lock(&shard->lock);
    struct account *account = find(shard, hash, name);
    if (account == NULL && atomic_load(&accounts->count) < ACCOUNTS_MAX) {
        account = account_new(shard, hash, name);
    }
    if (account) {
        account->refs++;
    }
    pthread_mutex_unlock(&shard->lock);
    if (account == NULL) {
        atomic_fetch_add(&accounts->refused, 1);
    }
    return account;
}

struct account *account_take(struct accounts *accounts, struct span user, const struct ip *client)
{
    char name[LEDGER_KEY_MAX], text[IP_TEXT_MAX];
    struct ip ip = *client;
    int len;

    if (user.len) {
        len = snprintf(name, sizeof(name), "u%.*s", (int)user.len, user.at);
    } else {
        if (!ip_is_v4(&ip)) {
            memset(ip.at + 8, 0, 8);
        }
        len = snprintf(name, sizeof(name), "c%s", ip_text(&ip, text));
    }
    return take(accounts, span_of(name, len < LEDGER_KEY_MAX ? (size_t)len : LEDGER_KEY_MAX - 1));
}

void account_give(struct account **slot)
{
    struct account *account = *slot;

    *slot = NULL;
    if (account) {
        pthread_mutex_lock(&account->shard->lock);
        account->refs--;
        pthread_mutex_unlock(&account->shard->lock);
    }
}

/* ---- room ----
 *
 * An account that nobody holds, and that has used nothing in any period of now, is as good as none:
 * it goes when a table is nearly full. */

struct sweep {
    struct shard *shard;
    int64_t now;
};

static void account_free(struct account *account)
{
    map_remove(&account->shard->map, &account->link);
    atomic_fetch_sub(&account->shard->accounts->count, 1);
    pthread_mutex_destroy(&account->lock);
    free(account);
}

/* With the shard's lock; only the thread takes accounts off the lists. */
static void visit_for_room(struct map_link *link, void *arg)
{
    struct account *account = container_of(link, struct account, link);
    const struct sweep *sweep = arg;

    pthread_mutex_lock(&account->lock);
    roll(account, sweep->now);
    bool is_blank = account->refs == 0 && !account->is_dirty && !account->is_active;
    for (int i = 0; i < PERIODS; i++) {
        is_blank &= account->row.used[i] == 0;
    }
    pthread_mutex_unlock(&account->lock);
    if (is_blank) {
        account_free(account);
    }
}

static void make_room(struct accounts *accounts)
{
    struct sweep sweep = {.now = clock_wall()};

    for (size_t i = 0; i < SHARDS && atomic_load(&accounts->count) > ACCOUNTS_MAX / 8 * 7; i++) {
        struct shard *shard = &accounts->shards[i];
        pthread_mutex_lock(&shard->lock);
        map_each(&shard->map, visit_for_room, &sweep);
        pthread_mutex_unlock(&shard->lock);
    }
}

/* ---- keeping ---- */

static int write_one(struct accounts *accounts, struct account *account)
{
    pthread_mutex_lock(&account->lock);
    struct ledger_row row = account->row;
    account->is_dirty = false;
    pthread_mutex_unlock(&account->lock);
    return ledger_put(accounts->ledger, span_of(account->name, account->name_len), &row);
}

/* It will be written with the next group. */
static void mark_dirty(struct account *account)
{
    pthread_mutex_lock(&account->lock);
    if (!account->is_dirty) {
        account->is_dirty = true;
        add_to(account, &account->shard->accounts->dirty, &account->dirty);
    }
    pthread_mutex_unlock(&account->lock);
}

static size_t count_dirty(struct accounts *accounts)
{
    size_t count = 0;

    pthread_mutex_lock(&accounts->list_lock);
    list_each(link, &accounts->dirty)
    {
        count++;
    }
    pthread_mutex_unlock(&accounts->list_lock);
    return count;
}

/* A group: all that has changed. What the disk does not take is tried again with the next one. */
static void write_group(struct accounts *accounts)
{
    size_t count = count_dirty(accounts), taken = 0;
    struct account **group = xcalloc(count, sizeof(struct account *));
    struct account *account;
    int err = count ? ledger_begin(accounts->ledger) : 0;

    while (!err && taken < count &&
           (account = pop(accounts, &accounts->dirty, offsetof(struct account, dirty)))) {
        group[taken++] = account;
        err = write_one(accounts, account);
    }
    if (count && !err) {
        err = ledger_tidy(accounts->ledger, period_at(clock_wall()));
        int last = err ? err : ledger_commit(accounts->ledger);
        err = err ? err : last;
    }
    if (!err) {
        atomic_fetch_add(&accounts->written, taken);
    }
    if (err) {
        ledger_abort(accounts->ledger);
        atomic_fetch_add(&accounts->failures, 1);
        log_warn("quotas_not_written", "rows=%zu err=%s", taken, err_text(err));
        for (size_t i = 0; i < taken; i++) {
            mark_dirty(group[i]);
        }
    }
    free(group);
}

/* Without a ledger nobody is told of changes. */
static void forget_dirty(struct accounts *accounts)
{
    struct account *account;

    while ((account = pop(accounts, &accounts->dirty, offsetof(struct account, dirty)))) {
        pthread_mutex_lock(&account->lock);
        account->is_dirty = false;
        pthread_mutex_unlock(&account->lock);
    }
}

static bool await_tick(struct accounts *accounts)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&accounts->list_lock);
    if (!accounts->ending) {
        pthread_cond_timedwait(&accounts->tick, &accounts->list_lock, &until);
    }
    bool go_on = !accounts->ending;
    pthread_mutex_unlock(&accounts->list_lock);
    return go_on;
}

static void *thread_main(void *arg)
{
    struct accounts *accounts = arg;
    unsigned tick = 0;
    bool go_on;

    do {
        go_on = await_tick(accounts);
        share_out(accounts);
        if (accounts->ledger == NULL) {
            forget_dirty(accounts);
        } else if (++tick % TICKS_OF_WRITE == 0 || !go_on) {
            write_group(accounts);
        }
        if (atomic_load(&accounts->count) > ACCOUNTS_MAX / 8 * 7) {
            make_room(accounts);
        }
    } while (go_on);
    return NULL;
}

/* ---- life ---- */

static bool load_row(void *arg, struct span key, const struct ledger_row *row)
{
    struct accounts *accounts = arg;
    const struct period_now *now = period_at(clock_wall());
    bool is_over = true;

    for (int i = 0; i < PERIODS; i++) {
        is_over &= row->begin[i] < now->begin[i];
    }
    if (key.len == 0 || key.len >= LEDGER_KEY_MAX || is_over) {
        return true;
    }
    struct account *account = take(accounts, key);
    if (account == NULL) {
        return false;
    }
    account->row = *row;
    account_give(&account);
    return true;
}

static void init(struct accounts *accounts)
{
    pthread_condattr_t monotonic;

    accounts->key = sip_key_random();
    for (size_t i = 0; i < SHARDS; i++) {
        accounts->shards[i].accounts = accounts;
        pthread_mutex_init(&accounts->shards[i].lock, NULL);
        map_init(&accounts->shards[i].map, 16);
    }
    pthread_mutex_init(&accounts->list_lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&accounts->tick, &monotonic);
    pthread_condattr_destroy(&monotonic);
    list_init(&accounts->dirty);
    list_init(&accounts->active);
}

int accounts_open(const char *folder, struct accounts **out)
{
    struct accounts *accounts = xcalloc(1, sizeof(*accounts));
    int err = 0;

    init(accounts);
    if (folder) {
        err = ledger_open(folder, &accounts->ledger);
        err = err ? err : ledger_each(accounts->ledger, load_row, accounts);
    }
    if (!err) {
        err = thread_start(&accounts->thread, "accounts", thread_main, accounts);
        accounts->has_thread = !err;
    }
    if (err) {
        log_error("quotas_failed", "folder=%s err=%s", folder ? folder : "(memory)",
                  err == ERR_BUSY ? "another process has it" : err_text(err));
        accounts_close(&accounts);
    }
    *out = accounts;
    return err;
}

static void drop(struct map_link *link, void *arg)
{
    account_free(container_of(link, struct account, link));
}

void accounts_close(struct accounts **slot)
{
    struct accounts *accounts = *slot;

    *slot = NULL;
    if (accounts == NULL) {
        return;
    }
    if (accounts->has_thread) {
        pthread_mutex_lock(&accounts->list_lock);
        accounts->ending = true;
        pthread_cond_signal(&accounts->tick);
        pthread_mutex_unlock(&accounts->list_lock);
        pthread_join(accounts->thread, NULL);
    }
    ledger_close(&accounts->ledger);
    for (size_t i = 0; i < SHARDS; i++) {
        map_each(&accounts->shards[i].map, drop, NULL);
        map_fini(&accounts->shards[i].map);
        pthread_mutex_destroy(&accounts->shards[i].lock);
    }
    pthread_mutex_destroy(&accounts->list_lock);
    pthread_cond_destroy(&accounts->tick);
    free(accounts);
}

/* ---- looking ---- */

void accounts_stats(struct accounts *accounts, struct accounts_stats *out)
{
    *out = (struct accounts_stats){
        .accounts = atomic_load(&accounts->count),
        .refused = atomic_load(&accounts->refused),
        .written = atomic_load(&accounts->written),
        .failures = atomic_load(&accounts->failures),
        .level = atomic_load(&accounts->level),
    };
}

struct top {
    struct account_view *views;
    size_t count, max;
    int64_t now;
};

static void visit_for_top(struct map_link *link, void *arg)
{
    struct account *account = container_of(link, struct account, link);
    struct top *top = arg;
    struct account_view view;

    pthread_mutex_lock(&account->lock);
    roll(account, top->now);
    memcpy(view.used, account->row.used, sizeof(view.used));
    pthread_mutex_unlock(&account->lock);
    size_t at = top->count;
    while (at > 0 && top->views[at - 1].used[PERIOD_DAY] < view.used[PERIOD_DAY]) {
        at--;
    }
    if (view.used[PERIOD_MONTH] == 0 || at == top->max) {
        return;
    }
    snprintf(view.name, sizeof(view.name), "%s %.*s", account->name[0] == 'u' ? "user" : "client",
             (int)(account->name_len - 1), account->name + 1);
    size_t behind = (top->count < top->max ? top->count : top->max - 1) - at;
    memmove(&top->views[at + 1], &top->views[at], behind * sizeof(view));
    top->views[at] = view;
    top->count += top->count < top->max;
}

size_t accounts_top(struct accounts *accounts, int64_t now, struct account_view *out, size_t max)
{
    struct top top = {.views = out, .max = max, .now = now};

    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&accounts->shards[i].lock);
        map_each(&accounts->shards[i].map, visit_for_top, &top);
        pthread_mutex_unlock(&accounts->shards[i].lock);
    }
    return top.count;
}
