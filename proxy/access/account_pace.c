/* account_pace - rates: a token bucket for each account, and fair shares of a total. */
#include "proxy/access/account_parts.h"

#include "base/mem.h"

enum {
    BURST_PART = 4,      /* the burst is this part of a second's bytes */
    STEP_MIN = 4 * 1024, /* fewer bytes are not worth a write */
};

/* ---- the pace ---- */

/* 0: no limit. */
static uint64_t rate_of(const struct account *account, uint64_t own)
{
    uint64_t level = atomic_load_explicit(&account->shard->accounts->level, memory_order_relaxed);
    return own && (level == 0 || own < level) ? own : level;
}

static uint64_t burst_of(uint64_t rate)
{
    return rate / BURST_PART > ACCOUNT_BURST_MIN ? rate / BURST_PART : ACCOUNT_BURST_MIN;
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
        accounts_list(account, &account->shard->accounts->active, &account->active);
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
    if (allowed < wanted) { /* it could use more, up to its own limit */
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

/* The level at which all wishes up to it add up to the total. */
static uint64_t level_of(uint64_t total, uint64_t *wishes, size_t count)
{
    uint64_t left = total;

    if (count > 0) { /* qsort() does not accept NULL */
        qsort(wishes, count, sizeof(*wishes), by_amount);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t share = left / (count - i);
        if (wishes[i] >= share) {
            return share ? share : 1;
        }
        left -= wishes[i];
    }
    return total; /* all get what they wish */
}

/* What the account could have used since the last tick; it is no longer active. */
static uint64_t take_wish(struct account *account)
{
    pthread_mutex_lock(&account->lock);
    uint64_t moved = account->moved * (1000 / ACCOUNT_TICK_MS);
    uint64_t wish = account->wish > moved ? account->wish : moved;
    account->moved = 0;
    account->wish = 0;
    account->is_active = false;
    pthread_mutex_unlock(&account->lock);
    return wish;
}

void accounts_share(struct accounts *accounts)
{
    uint64_t total = atomic_load(&accounts->total);
    uint64_t *wishes = NULL;
    size_t count = 0, room = 0;
    struct account *account;

    while (
        (account = accounts_pop(accounts, &accounts->active, offsetof(struct account, active)))) {
        if (count == room) {
            room = room ? 2 * room : 64;
            wishes = xrealloc(wishes, room * sizeof(*wishes));
        }
        wishes[count++] = take_wish(account);
        if (count == ACCOUNTS_MAX) {
            break; /* they are refilled as fast as they are used */
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
