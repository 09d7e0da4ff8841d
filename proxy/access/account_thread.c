/* account_thread - the thread that divides the total and writes counts; life of the accounts. */
#include "proxy/access/account_parts.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <time.h>

enum { TICKS_OF_WRITE = 5 };

/* ---- keeping ---- */

static int write_one(struct accounts *accounts, struct account *account)
{
    pthread_mutex_lock(&account->lock);
    struct ledger_row row = account->row;
    account->is_dirty = false;
    pthread_mutex_unlock(&account->lock);
    return ledger_put(accounts->ledger, span_of(account->name, account->name_len), &row);
}

/* The account will be written with the next group. */
static void mark_dirty(struct account *account)
{
    pthread_mutex_lock(&account->lock);
    if (!account->is_dirty) {
        account->is_dirty = true;
        accounts_list(account, &account->shard->accounts->dirty, &account->dirty);
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

/* Writes all changed accounts. What fails is tried again with the next group. */
static void write_group(struct accounts *accounts)
{
    size_t count = count_dirty(accounts), taken = 0;
    struct account **group = xcalloc(count, sizeof(struct account *));
    struct account *account;
    int err = count ? ledger_begin(accounts->ledger) : 0;

    while (!err && taken < count &&
           (account = accounts_pop(accounts, &accounts->dirty, offsetof(struct account, dirty)))) {
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

/* Without a ledger there is nothing to write. */
static void forget_dirty(struct accounts *accounts)
{
    struct account *account;

    while ((account = accounts_pop(accounts, &accounts->dirty, offsetof(struct account, dirty)))) {
        pthread_mutex_lock(&account->lock);
        account->is_dirty = false;
        pthread_mutex_unlock(&account->lock);
    }
}

/* ---- what is there ---- */

/* Adds what the ledger has. The account has counted something itself only if the ledger was opened
 * late. */
static void add_row(struct account *account, const struct ledger_row *row, int64_t now)
{
    pthread_mutex_lock(&account->lock);
    account_roll(account, now);
    for (int i = 0; i < PERIODS; i++) {
        if (row->begin[i] > account->row.begin[i]) {
            account->row.begin[i] = row->begin[i];
            account->row.used[i] = row->used[i];
        } else if (row->begin[i] == account->row.begin[i]) {
            account->row.used[i] += row->used[i];
        }
    }
    pthread_mutex_unlock(&account->lock);
}

static bool load_row(void *arg, struct span key, const struct ledger_row *row)
{
    struct accounts *accounts = arg;
    int64_t time = clock_wall();
    const struct period_now *now = period_at(time);
    bool is_over = true;

    for (int i = 0; i < PERIODS; i++) {
        is_over &= row->begin[i] < now->begin[i];
    }
    if (key.len == 0 || key.len >= LEDGER_KEY_MAX || is_over) {
        return true;
    }
    struct account *account = accounts_take(accounts, key);
    if (account == NULL) {
        return false;
    }
    add_row(account, row, time);
    account_give(&account);
    return true;
}

static int open_ledger(struct accounts *accounts, const char *folder)
{
    int err = ledger_open(folder, &accounts->ledger);

    return err ? err : ledger_each(accounts->ledger, load_row, accounts);
}

static void log_failure(const char *folder, int err)
{
    log_error("quotas_failed", "folder=%s err=%s", folder ? folder : "(memory)",
              err == ERR_BUSY ? "another process has it" : err_text(err));
}

/* Opens the ledger late. Rows must not be added twice, so a ledger that cannot be read is given
 * up. */
static void try_late(struct accounts *accounts)
{
    int err = open_ledger(accounts, accounts->folder);
    bool goes_on = err && accounts->ledger == NULL;

    if (err && err != accounts->late_err) {
        log_failure(accounts->folder, err);
    }
    accounts->late_err = err;
    if (goes_on) {
        return;
    }
    if (err) {
        ledger_close(&accounts->ledger);
    } else {
        log_info("quotas_late", "folder=%s what=%s", accounts->folder,
                 "the ledger is ours now, and what it had is added");
    }
    free(accounts->folder);
    accounts->folder = NULL;
    atomic_store(&accounts->late, false);
}

static bool await_tick(struct accounts *accounts)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ACCOUNT_TICK_MS * 1000000L;
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

/* Called once a second. Changes before a late ledger is opened wait for it. */
static void keep(struct accounts *accounts)
{
    if (accounts->folder) {
        try_late(accounts);
    }
    if (accounts->ledger) {
        write_group(accounts);
    }
}

static void *thread_main(void *arg)
{
    struct accounts *accounts = arg;
    unsigned tick = 0;
    bool go_on;

    do {
        go_on = await_tick(accounts);
        accounts_share(accounts);
        if (++tick % TICKS_OF_WRITE == 0 || !go_on) {
            keep(accounts);
        }
        if (accounts->ledger == NULL && accounts->folder == NULL) {
            forget_dirty(accounts);
        }
        if (atomic_load(&accounts->count) > ACCOUNTS_MANY) {
            accounts_make_room(accounts);
        }
    } while (go_on);
    return NULL;
}

/* ---- life ---- */

static void init(struct accounts *accounts)
{
    pthread_condattr_t monotonic;

    accounts->key = sip_key_random();
    for (size_t i = 0; i < ACCOUNT_SHARDS; i++) {
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

static int open_any(const char *folder, bool may_be_late, struct accounts **out)
{
    struct accounts *accounts = xcalloc(1, sizeof(*accounts));
    int err = 0;

    init(accounts);
    if (folder) {
        err = open_ledger(accounts, folder);
    }
    if (err == ERR_BUSY && may_be_late) {
        log_info("quotas_begin", "folder=%s what=%s", folder,
                 "another process still has it: from 0, until it has ended");
        accounts->folder = xspandup(span_str(folder));
        accounts->late_err = err;
        atomic_store(&accounts->late, true);
        err = 0;
    }
    if (!err) {
        err = thread_start(&accounts->thread, "accounts", thread_main, accounts);
        accounts->has_thread = !err;
    }
    if (err) {
        log_failure(folder, err);
        accounts_close(&accounts);
    }
    *out = accounts;
    return err;
}

int accounts_open(const char *folder, struct accounts **out)
{
    return open_any(folder, false, out);
}

int accounts_open_late(const char *folder, struct accounts **out)
{
    return open_any(folder, true, out);
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
    free(accounts->folder);
    for (size_t i = 0; i < ACCOUNT_SHARDS; i++) {
        map_each(&accounts->shards[i].map, drop, NULL);
        map_fini(&accounts->shards[i].map);
        pthread_mutex_destroy(&accounts->shards[i].lock);
    }
    pthread_mutex_destroy(&accounts->list_lock);
    pthread_cond_destroy(&accounts->tick);
    free(accounts);
}
