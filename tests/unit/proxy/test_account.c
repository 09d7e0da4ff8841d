#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "proxy/access/account.h"
#include "proxy/access/ledger.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DAY = 86400, SECOND = 1000000 };

static struct ip ip_of(const char *text)
{
    struct ip ip;

    cr_assert_eq(ip_parse(span_str(text), &ip), 0);
    return ip;
}

static struct accounts *open_accounts(const char *folder)
{
    struct accounts *accounts;

    cr_assert_eq(accounts_open(folder, &accounts), 0);
    return accounts;
}

static struct account *take(struct accounts *accounts, const char *user, const char *client)
{
    struct ip ip = ip_of(client);
    struct account *account = account_take(accounts, span_str(user), &ip, ACCOUNT_LENGTHS);

    cr_assert_not_null(account);
    return account;
}

static void remove_folder(const char *folder)
{
    char path[128];
    static const char *const names[] = {LEDGER_FILE, LEDGER_FILE "-lock", "larder-quotas.lock"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

Test(account, one_for_each_user_and_for_each_address_without)
{
    struct accounts *accounts = open_accounts(NULL);
    static const struct {
        const char *user, *client, *same_user, *same_client;
        bool same;
    } cases[] = {
        {"anna", "10.0.0.1", "anna", "10.9.9.9", true},
        {"anna", "10.0.0.1", "bert", "10.0.0.1", false},
        {"anna", "10.0.0.1", "", "10.0.0.1", false},
        {"", "10.0.0.1", "", "10.0.0.2", false},
        {"", "10.0.0.1", "", "::ffff:10.0.0.1", true},
        {"", "2001:db8::1", "", "2001:db8::ffff:1", true},
        {"", "2001:db8::1", "", "2001:db8:0:1::1", false},
        {"10.0.0.1", "10.0.0.9", "", "10.0.0.1", false}, /* a user with such a name */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct account *a = take(accounts, cases[i].user, cases[i].client);
        struct account *b = take(accounts, cases[i].same_user, cases[i].same_client);
        cr_expect_eq(a == b, cases[i].same, "%zu", i);
        account_give(&a);
        account_give(&b);
        cr_expect_null(a);
    }
    accounts_close(&accounts);
}

Test(account, of_networks_of_any_length)
{
    struct accounts *accounts = open_accounts(NULL);
    static const struct {
        const char *a, *b;
        struct prefix_lengths lengths;
        const char *name;
        bool same;
    } cases[] = {
        {"10.0.0.1", "10.0.0.254", {24, 56}, "client 10.0.0.0/24", true},
        {"10.0.0.1", "10.0.1.1", {24, 56}, "client 10.0.0.0/24", false},
        {"10.0.0.1", "10.255.0.1", {8, 56}, "client 10.0.0.0/8", true},
        {"2001:db8:0:ff::1", "2001:db8::2", {24, 56}, "client 2001:db8::/56", true},
        {"2001:db8:0:100::1", "2001:db8::2", {24, 56}, "client 2001:db8:0:100::/56", false},
        {"2001:db8::1", "2001:db8::2", {24, 128}, "client 2001:db8::1/128", false},
        {"2001:db8::1", "2001:db8::2", {32, 64}, "client 2001:db8::", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip a = ip_of(cases[i].a), b = ip_of(cases[i].b);
        struct account *one = account_take(accounts, SPAN_EMPTY, &a, cases[i].lengths);
        struct account *other = account_take(accounts, SPAN_EMPTY, &b, cases[i].lengths);
        struct account_view view[32];
        bool named = false;
        cr_expect_eq(one == other, cases[i].same, "%zu", i);
        account_add(one, 1, 1784030400);
        size_t count = accounts_top(accounts, 1784030400, view, ARRAY_LEN(view));
        for (size_t n = 0; n < count; n++) {
            named |= strcmp(view[n].name, cases[i].name) == 0;
        }
        cr_expect(named, "%s", cases[i].name);
        account_give(&one);
        account_give(&other);
    }
    accounts_close(&accounts);
}

Test(account, counts_in_each_period_and_never_goes_back)
{
    struct accounts *accounts = open_accounts(NULL);
    struct account *account = take(accounts, "anna", "10.0.0.1");
    const int64_t monday = 1784030400 - DAY; /* 2026-07-13 */

    cr_assert_eq(setenv("TZ", "UTC0", 1), 0);
    account_add(account, 100, monday);
    account_add(account, 20, monday + 2 * DAY);
    cr_expect_eq(account_used(account, PERIOD_DAY, monday + 2 * DAY), 20);
    cr_expect_eq(account_used(account, PERIOD_WEEK, monday + 2 * DAY), 120);
    cr_expect_eq(account_used(account, PERIOD_MONTH, monday + 2 * DAY), 120);
    cr_expect_eq(account_used(account, PERIOD_DAY, monday), 20, "a clock that goes back");
    cr_expect_eq(account_used(account, PERIOD_DAY, monday + 3 * DAY), 0);
    cr_expect_eq(account_used(account, PERIOD_WEEK, monday + 7 * DAY), 0);
    cr_expect_eq(account_used(account, PERIOD_MONTH, monday + 7 * DAY), 120);
    cr_expect_eq(account_used(account, PERIOD_MONTH, monday + 30 * DAY), 0);
    account_give(&account);
    accounts_close(&accounts);
}

Test(account, is_kept_over_a_restart)
{
    char folder[] = "/tmp/larder-test-XXXXXX";
    struct accounts *other = NULL;
    int64_t now = clock_wall();

    cr_assert_not_null(mkdtemp(folder));
    struct accounts *accounts = open_accounts(folder);
    struct account *anna = take(accounts, "anna", "10.0.0.1");
    struct account *nobody = take(accounts, "", "10.0.0.1");
    account_add(anna, 12345, now);
    account_add(nobody, 7, now);
    account_give(&anna);
    account_give(&nobody);
    cr_expect_eq(accounts_open(folder, &other), ERR_BUSY, "one process at a time");
    cr_expect_null(other);
    accounts_close(&accounts);

    accounts = open_accounts(folder);
    anna = take(accounts, "anna", "10.0.0.2");
    nobody = take(accounts, "", "10.0.0.1");
    cr_expect_eq(account_used(anna, PERIOD_MONTH, now), 12345);
    cr_expect_eq(account_used(nobody, PERIOD_MONTH, now), 7);
    struct account_view top[1];
    cr_expect_eq(accounts_top(accounts, now, top, 1), 1);
    cr_expect_str_eq(top[0].name, "user anna");
    account_give(&anna);
    account_give(&nobody);
    accounts_close(&accounts);
    remove_folder(folder);
}

static bool is_late(struct accounts *accounts)
{
    struct accounts_stats stats;

    accounts_stats(accounts, &stats);
    return stats.late;
}

Test(account, a_ledger_that_another_has_is_added_once_it_can_be_had)
{
    char folder[] = "/tmp/larder-test-XXXXXX";
    int64_t now = clock_wall();
    struct accounts *late;

    cr_assert_not_null(mkdtemp(folder));
    struct accounts *older = open_accounts(folder);
    struct account *theirs = take(older, "anna", "10.0.0.2");
    account_add(theirs, 1000, now);
    account_give(&theirs);

    cr_assert_eq(accounts_open_late(folder, &late), 0);
    cr_expect(is_late(late));
    struct account *anna = take(late, "anna", "10.0.0.2"), *bert = take(late, "bert", "10.0.0.2");
    account_add(anna, 30, now);
    account_add(bert, 7, now);
    cr_expect_eq(account_used(anna, PERIOD_MONTH, now), 30, "counted without it");
    cr_expect_gt(account_allowance(bert, 1000, 1 << 20, 1), 0, "and paced");
    accounts_close(&older);
    while (is_late(late)) {
        usleep(1000);
    }
    cr_expect_eq(account_used(anna, PERIOD_MONTH, now), 1030);
    cr_expect_eq(account_used(bert, PERIOD_MONTH, now), 7);
    account_give(&anna);
    account_give(&bert);
    accounts_close(&late);

    late = open_accounts(folder);
    anna = take(late, "anna", "10.0.0.2");
    bert = take(late, "bert", "10.0.0.2");
    cr_expect_eq(account_used(anna, PERIOD_MONTH, now), 1030, "kept");
    cr_expect_eq(account_used(bert, PERIOD_MONTH, now), 7, "with what came before it");
    account_give(&anna);
    account_give(&bert);
    accounts_close(&late);
    remove_folder(folder);
}

/* ---- the ledger ---- */

struct seen {
    size_t rows;
    struct ledger_row last;
};

static bool see(void *arg, struct span key, const struct ledger_row *row)
{
    struct seen *seen = arg;

    seen->rows++;
    seen->last = *row;
    return true;
}

static struct seen put_and_see(struct ledger *ledger, const char *key, const struct ledger_row *row)
{
    struct seen seen = {0};

    cr_assert_eq(ledger_begin(ledger), 0);
    cr_assert_eq(ledger_put(ledger, span_str(key), row), 0);
    cr_assert_eq(ledger_commit(ledger), 0);
    cr_assert_eq(ledger_each(ledger, see, &seen), 0);
    return seen;
}

Test(ledger, a_row_never_goes_back)
{
    char folder[] = "/tmp/larder-test-XXXXXX";
    struct ledger *ledger;

    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(ledger_open(folder, &ledger), 0);
    struct ledger_row row = {.begin = {100, 50, 10}, .used = {5, 6, 7}};
    struct seen seen = put_and_see(ledger, "ua", &row);
    row = (struct ledger_row){.begin = {100, 40, 20}, .used = {4, 9, 1}};
    seen = put_and_see(ledger, "ua", &row);
    cr_expect_eq(seen.rows, 1);
    cr_expect_eq(seen.last.used[0], 5, "of one period the larger number");
    cr_expect_eq(seen.last.used[1], 6, "of two periods the later one");
    cr_expect_eq(seen.last.begin[1], 50);
    cr_expect_eq(seen.last.used[2], 1);

    cr_assert_eq(ledger_begin(ledger), 0);
    cr_assert_eq(ledger_put(ledger, SPAN("ub"), &row), 0);
    ledger_abort(ledger);
    seen = put_and_see(ledger, "ua", &row);
    cr_expect_eq(seen.rows, 1, "what is not committed was not");
    ledger_close(&ledger);
    remove_folder(folder);
}

Test(ledger, rows_of_long_ago_go)
{
    char folder[] = "/tmp/larder-test-XXXXXX", key[16];
    struct period_now now = {.begin = {1000, 1000, 1000}, .end = {2000, 2000, 2000}};
    struct seen seen = {0};
    struct ledger *ledger;

    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(ledger_open(folder, &ledger), 0);
    cr_assert_eq(ledger_begin(ledger), 0);
    for (int i = 0; i < 1000; i++) {
        struct ledger_row row = {.begin = {1, 1, i % 2 ? 1000 : 1}, .used = {1, 1, 1}};
        snprintf(key, sizeof(key), "u%04d", i);
        cr_assert_eq(ledger_put(ledger, span_str(key), &row), 0);
    }
    cr_assert_eq(ledger_commit(ledger), 0);
    for (int i = 0; i < 10; i++) { /* some at a time */
        cr_assert_eq(ledger_begin(ledger), 0);
        cr_assert_eq(ledger_tidy(ledger, &now), 0);
        cr_assert_eq(ledger_commit(ledger), 0);
    }
    cr_assert_eq(ledger_each(ledger, see, &seen), 0);
    cr_expect_eq(seen.rows, 500);
    ledger_close(&ledger);
    remove_folder(folder);
}

/* ---- the pace ---- */

/* Bytes that go in so many seconds when as many are wanted as may go, looked at each 10 ms. */
static uint64_t sent_in(struct account *account, uint64_t rate, uint64_t *now_us, unsigned seconds)
{
    uint64_t sent = 0, end = *now_us + (uint64_t)seconds * SECOND;

    for (; *now_us < end; *now_us += SECOND / 100) {
        uint64_t allowed = account_allowance(account, 1 << 20, rate, *now_us);
        cr_assert_leq(allowed, 1 << 20);
        account_spend(account, allowed, rate, *now_us);
        sent += allowed;
    }
    return sent;
}

Test(account, a_pace_is_kept_and_a_burst_is_bounded)
{
    struct accounts *accounts = open_accounts(NULL);
    static const uint64_t rates[] = {1000, 100000, 10000000};
    uint64_t now_us = 5 * SECOND;

    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        char name[8];
        snprintf(name, sizeof(name), "u%zu", i);
        struct account *account = take(accounts, name, "10.0.0.1");
        uint64_t burst = rates[i] / 4 > 16384 ? rates[i] / 4 : 16384;
        uint64_t sent = sent_in(account, rates[i], &now_us, 60);
        cr_expect_leq(sent, 60 * rates[i] + burst + 16384, "%lu", (unsigned long)sent);
        cr_expect_geq(sent, 58 * rates[i], "%lu", (unsigned long)sent);
        now_us += 3600ull * SECOND;
        sent = sent_in(account, rates[i], &now_us, 1);
        cr_expect_leq(sent, rates[i] + burst, "idle time is not saved up");
        account_give(&account);
    }
    accounts_close(&accounts);
}

Test(account, without_a_limit_all_may_go)
{
    struct accounts *accounts = open_accounts(NULL);
    struct account *account = take(accounts, "anna", "10.0.0.1");

    cr_expect_eq(account_allowance(account, UINT32_MAX, 0, 1), UINT32_MAX);
    account_spend(account, UINT32_MAX, 0, 1);
    cr_expect_eq(account_allowance(account, UINT32_MAX, 0, 1), UINT32_MAX);
    account_give(&account);
    accounts_close(&accounts);
}

/* What the accounts' thread makes of their wishes; it comes round five times a second. */
static uint64_t level_when(struct accounts *accounts, struct account **each, const uint64_t *rates,
                           size_t count, uint64_t low, uint64_t high)
{
    struct accounts_stats stats;

    do {
        for (size_t i = 0; i < count; i++) {
            account_allowance(each[i], UINT32_MAX, rates[i], 1);
        }
        usleep(1000);
        accounts_stats(accounts, &stats);
    } while (stats.level < low || stats.level > high);
    return stats.level;
}

Test(account, who_wants_more_than_others_has_the_same_share)
{
    struct accounts *accounts = open_accounts(NULL);
    struct account *each[4];
    char name[8];

    accounts_set_total(accounts, 1000000);
    for (size_t i = 0; i < ARRAY_LEN(each); i++) {
        snprintf(name, sizeof(name), "u%zu", i);
        each[i] = take(accounts, name, "10.0.0.1");
    }
    /* Four that want all there is. */
    level_when(accounts, each, (uint64_t[]){0, 0, 0, 0}, 4, 250000, 250000);
    /* Two that may not have more than 100,000: the others share what is left. */
    level_when(accounts, each, (uint64_t[]){100000, 0, 100000, 0}, 4, 400000, 400000);
    /* One alone. */
    level_when(accounts, each, (uint64_t[]){0}, 1, 1000000, 1000000);
    accounts_set_total(accounts, 0);
    level_when(accounts, each, (uint64_t[]){0}, 1, 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(each); i++) {
        account_give(&each[i]);
    }
    accounts_close(&accounts);
}
