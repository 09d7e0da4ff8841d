/* status_access - what /status and /metrics say of users, their passwords, and lists of hosts. */
#include "proxy/access/auth.h"
#include "proxy/access/set.h"
#include "proxy/status_parts.h"

static void sample(struct buf *out, enum metric_kind kind, const char *name, const char *help,
                   uint64_t value)
{
    metrics_head(out, "larder_", name, kind, help);
    metrics_sample(out, "larder_", name, kind, NULL, SPAN_EMPTY, value);
}

void status_access_metrics(struct server *server, struct buf *out)
{
    struct access_set_stats set;
    struct auth_stats auth;

    access_set_stats(server_settings(server), &set);
    auth_stats(server_auth(server), &auth);
    sample(out, METRIC_GAUGE, "access_users", "Users that are known", set.users);
    sample(out, METRIC_GAUGE, "access_host_files", "Lists of hosts from files", set.files);
    sample(out, METRIC_GAUGE, "access_host_names", "Names in these", set.names);
    sample(out, METRIC_GAUGE, "access_host_bytes", "Memory that these take", set.bytes);
    sample(out, METRIC_COUNTER, "auth_checked", "Passwords compared with their hashes",
           auth.checked);
    sample(out, METRIC_COUNTER, "auth_right", "Passwords of these that were right", auth.right);
    sample(out, METRIC_COUNTER, "auth_busy", "Requests refused because too many passwords waited",
           auth.busy);
    sample(out, METRIC_COUNTER, "auth_guesses",
           "Requests refused because their client had sent too many wrong passwords", auth.guesses);
    sample(out, METRIC_GAUGE, "auth_waiting", "Passwords that wait to be compared", auth.waiting);
    sample(out, METRIC_GAUGE, "auth_remembered", "Right passwords that are remembered",
           auth.remembered);
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
    return json;
}
