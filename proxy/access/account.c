#include "proxy/access/account_parts.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>

/* ---- one account ---- */

void accounts_list(struct account *account, struct list *list, struct list *link)
{
    struct accounts *accounts = account->shard->accounts;

    pthread_mutex_lock(&accounts->list_lock);
    list_push_back(list, link);
    pthread_mutex_unlock(&accounts->list_lock);
}

/* If the clock goes back, the later period is kept. */
void account_roll(struct account *account, int64_t now)
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
    account_roll(account, now);
    for (int i = 0; i < PERIODS; i++) {
        account->row.used[i] += bytes;
    }
    if (!account->is_dirty) {
        account->is_dirty = true;
        accounts_list(account, &account->shard->accounts->dirty, &account->dirty);
    }
    pthread_mutex_unlock(&account->lock);
}

uint64_t account_used(struct account *account, enum period period, int64_t now)
{
    pthread_mutex_lock(&account->lock);
    account_roll(account, now);
    uint64_t used = account->row.used[period];
    pthread_mutex_unlock(&account->lock);
    return used;
}

struct account *accounts_pop(struct accounts *accounts, struct list *list, size_t at)
{
    pthread_mutex_lock(&accounts->list_lock);
    struct list *link = list_pop_front(list);
    pthread_mutex_unlock(&accounts->list_lock);
    return link ? (struct account *)(void *)((char *)link - at) : NULL;
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
    account->tokens = ACCOUNT_BURST_MIN;
    pthread_mutex_init(&account->lock, NULL);
    list_init(&account->dirty);
    list_init(&account->active);
    map_insert(&shard->map, &account->link, hash);
    atomic_fetch_add(&shard->accounts->count, 1);
    return account;
}

/* The account of this name; made if there is none. */
struct account *accounts_take(struct accounts *accounts, struct span name)
{
    uint64_t hash = sip_hash64(&accounts->key, name);
    struct shard *shard = &accounts->shards[hash >> 58 & (ACCOUNT_SHARDS - 1)];

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

/* "c10.0.0.1", "c2001:db8::", "c10.0.0.0/24". Names of the default prefix lengths have no length,
 * as in older versions. */
static int name_network(const struct ip *client, struct prefix_lengths lengths, char *name)
{
    struct prefix_lengths usual = ACCOUNT_LENGTHS;
    bool v4 = ip_is_v4(client);
    unsigned bits = v4 ? lengths.v4 : lengths.v6, from = bits + (v4 ? 96 : 0);
    char text[IP_TEXT_MAX];
    struct ip ip = *client;

    for (unsigned i = from; i < 128; i++) {
        ip.at[i / 8] &= (uint8_t) ~(0x80 >> (i % 8));
    }
    if (bits == (v4 ? usual.v4 : usual.v6)) {
        return snprintf(name, LEDGER_KEY_MAX, "c%s", ip_text(&ip, text));
    }
    return snprintf(name, LEDGER_KEY_MAX, "c%s/%u", ip_text(&ip, text), bits);
}

struct account *account_take(struct accounts *accounts, struct span user, const struct ip *client,
                             struct prefix_lengths lengths)
{
    char name[LEDGER_KEY_MAX];
    int len;

    if (user.len) {
        len = snprintf(name, sizeof(name), "u%.*s", (int)user.len, user.at);
    } else {
        len = name_network(client, lengths, name);
    }
    return accounts_take(accounts,
                         span_of(name, len < LEDGER_KEY_MAX ? (size_t)len : LEDGER_KEY_MAX - 1));
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

void account_free(struct account *account)
{
    map_remove(&account->shard->map, &account->link);
    atomic_fetch_sub(&account->shard->accounts->count, 1);
    pthread_mutex_destroy(&account->lock);
    free(account);
}

/* Under the shard's lock; only the thread takes accounts off the lists. */
static void visit_for_room(struct map_link *link, void *arg)
{
    struct account *account = container_of(link, struct account, link);
    const struct sweep *sweep = arg;

    pthread_mutex_lock(&account->lock);
    account_roll(account, sweep->now);
    bool is_blank = account->refs == 0 && !account->is_dirty && !account->is_active;
    for (int i = 0; i < PERIODS; i++) {
        is_blank &= account->row.used[i] == 0;
    }
    pthread_mutex_unlock(&account->lock);
    if (is_blank) {
        account_free(account);
    }
}

void accounts_make_room(struct accounts *accounts)
{
    struct sweep sweep = {.now = clock_wall()};

    for (size_t i = 0; i < ACCOUNT_SHARDS && atomic_load(&accounts->count) > ACCOUNTS_MANY; i++) {
        struct shard *shard = &accounts->shards[i];
        pthread_mutex_lock(&shard->lock);
        map_each(&shard->map, visit_for_room, &sweep);
        pthread_mutex_unlock(&shard->lock);
    }
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
        .late = atomic_load(&accounts->late),
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
    account_roll(account, top->now);
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

    for (size_t i = 0; i < ACCOUNT_SHARDS; i++) {
        pthread_mutex_lock(&accounts->shards[i].lock);
        map_each(&accounts->shards[i].map, visit_for_top, &top);
        pthread_mutex_unlock(&accounts->shards[i].lock);
    }
    return top.count;
}
