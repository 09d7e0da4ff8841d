/* status_access - users, passwords, quotas and host lists in /status and /metrics. */
#include "base/clock.h"
#include "proxy/access/account.h"
#include "proxy/access/auth.h"
#include "proxy/access/set.h"
#include "proxy/admin/decision_json.h"
#include "proxy/admin/status_parts.h"

enum { ACCOUNTS_SHOWN = 20 };

static void sample(struct buf *out, enum metric_kind kind, const char *name, const char *help,
                   uint64_t value)
{
    metrics_head(out, "larder_", name, kind, help);
    metrics_sample(out, "larder_", name, kind, NULL, SPAN_EMPTY, value);
}

static void account_metrics(struct accounts *accounts, struct buf *out)
{
    struct accounts_stats stats = {0}; /* zeros while nobody has limits */

    if (accounts) {
        accounts_stats(accounts, &stats);
    }
    sample(out, METRIC_GAUGE, "accounts", "Users and addresses whose bytes are counted",
           stats.accounts);
    sample(out, METRIC_COUNTER, "accounts_refused",
           "Requests refused because too many accounts were counted", stats.refused);
    sample(out, METRIC_COUNTER, "accounts_written", "Accounts written to the disk", stats.written);
    sample(out, METRIC_COUNTER, "accounts_write_errors",
           "Failed writes of accounts to the disk, which are retried", stats.failures);
    sample(out, METRIC_GAUGE, "share_bytes_per_second",
           "Current fair share of one client of shares.total; 0: not configured", stats.level);
}

/* The accounts that have used most today. */
static json_t *accounts_json(struct accounts *accounts)
{
    struct account_view top[ACCOUNTS_SHOWN];
    size_t count = accounts_top(accounts, clock_wall(), top, ACCOUNTS_SHOWN);
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *row = json_object();
        json_object_set_new(row, "who", text_json(span_str(top[i].name)));
        json_object_set_new(row, "day", json_integer((json_int_t)top[i].used[PERIOD_DAY]));
        json_object_set_new(row, "week", json_integer((json_int_t)top[i].used[PERIOD_WEEK]));
        json_object_set_new(row, "month", json_integer((json_int_t)top[i].used[PERIOD_MONTH]));
        json_array_append_new(list, row);
    }
    return list;
}

void status_access_metrics(struct server *server, struct buf *out)
{
    struct access_set_stats set;
    struct auth_stats auth;

    access_set_stats(server_settings(server), &set);
    auth_stats(server_auth(server), &auth);
    sample(out, METRIC_GAUGE, "access_users", "Users in the password file", set.users);
    sample(out, METRIC_GAUGE, "access_host_files", "Host lists read from files", set.files);
    sample(out, METRIC_GAUGE, "access_host_names", "Names in host lists from files", set.names);
    sample(out, METRIC_GAUGE, "access_host_bytes", "Memory used by host lists from files",
           set.bytes);
    sample(out, METRIC_COUNTER, "auth_checked", "Passwords verified against their hashes",
           auth.checked);
    sample(out, METRIC_COUNTER, "auth_right", "Passwords verified and correct", auth.right);
    sample(out, METRIC_COUNTER, "auth_busy",
           "Requests refused because too many passwords were waiting to be verified", auth.busy);
    sample(out, METRIC_COUNTER, "auth_guesses",
           "Requests refused because their client had sent too many wrong passwords", auth.guesses);
    sample(out, METRIC_GAUGE, "auth_waiting", "Passwords waiting to be verified", auth.waiting);
    sample(out, METRIC_GAUGE, "auth_remembered", "Verified passwords in the cache",
           auth.remembered);
    account_metrics(server_accounts(server), out);
}

json_t *status_access_json(struct server *server)
{
    struct access_set_stats set;
    struct auth_stats auth;
    json_t *json = json_object(), *passwords = json_object();

    access_set_stats(server_settings(server), &set);
    auth_stats(server_auth(server), &auth);
    json_object_set_new(json, "rules",
                        json_integer((json_int_t)server_settings(server)->access_count));
    json_object_set_new(json, "users", json_integer((json_int_t)set.users));
    json_object_set_new(json, "host_files", json_integer((json_int_t)set.files));
    json_object_set_new(json, "host_names", json_integer((json_int_t)set.names));
    json_object_set_new(passwords, "checked", json_integer((json_int_t)auth.checked));
    json_object_set_new(passwords, "right", json_integer((json_int_t)auth.right));
    json_object_set_new(passwords, "busy", json_integer((json_int_t)auth.busy));
    json_object_set_new(passwords, "guesses", json_integer((json_int_t)auth.guesses));
    json_object_set_new(passwords, "waiting", json_integer((json_int_t)auth.waiting));
    json_object_set_new(passwords, "remembered", json_integer((json_int_t)auth.remembered));
    json_object_set_new(json, "passwords", passwords);
    if (server_accounts(server)) {
        json_object_set_new(json, "accounts", accounts_json(server_accounts(server)));
    }
    return json;
}
