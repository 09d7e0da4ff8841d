/* directives_access - the rows that say who may use the proxy, and for what. */
#include "proxy/config/directives_table.h"

#include "base/err.h"
#include "http/hostlist.h"
#include "http/names.h"

/* ---- values of rules ---- */

static int keep_span(struct span text, struct arena *arena, void *out)
{
    struct span copy = arena_copy(arena, text);

    memcpy(out, &copy, sizeof(copy));
    return 0;
}

static int parse_host_pattern(struct span text, struct arena *arena, void *out, const char **what)
{
    static const struct sip_key key = {0, 0};
    struct hostlist *list = hostlist_new(&key);
    int err = hostlist_add(list, text, what);

    hostlist_unref(&list);
    return err ? err : keep_span(text, arena, out);
}

static const struct conf_custom host_pattern_type = {
    .expected = "a host such as example.net (and all below it), =example.net (alone) or "
                "*.example.net (what is below)",
    .size = sizeof(struct span),
    .parse = parse_host_pattern,
};

/* A user name that both a field and a password file can hold. */
static int parse_user(struct span text, struct arena *arena, void *out, const char **what)
{
    if (text.len == 0 || text.len > 255 || span_find(text, ':') < text.len) {
        return ERR_SYNTAX;
    }
    return keep_span(text, arena, out);
}

static const struct conf_custom user_type = {
    .expected = "a name without a colon, or \"*\" for everybody who has one",
    .size = sizeof(struct span),
    .parse = parse_user,
};

static const struct conf_custom group_type = {
    .expected = "the name of a group",
    .size = sizeof(struct span),
    .parse = parse_user,
};

/* The known method that differs only in case; NULL: there is none. */
static const char *meant_method(struct span text, struct arena *arena)
{
    char capitals[16];

    for (size_t i = 0; i < text.len && i < sizeof(capitals); i++) {
        bool small = text.at[i] >= 'a' && text.at[i] <= 'z';
        capitals[i] = (char)(small ? text.at[i] - 'a' + 'A' : text.at[i]);
    }
    struct span meant = span_of(capitals, text.len < sizeof(capitals) ? text.len : 0);
    return http_method_id(meant) != METHOD_OTHER ? arena_printf(arena, "%.*s", SPAN_ARGS(meant)).at
                                                 : NULL;
}

/* Methods are case-sensitive (RFC 9110 9.1): a rule about "delete" would never match. */
static int parse_method(struct span text, struct arena *arena, void *out, const char **what)
{
    if (!http_is_token(text)) {
        return ERR_SYNTAX;
    }
    const char *meant = http_method_id(text) == METHOD_OTHER ? meant_method(text, arena) : NULL;
    if (meant) {
        *what = arena_printf(arena, "methods are case-sensitive; did you mean \"%s\"?", meant).at;
        return ERR_SYNTAX;
    }
    return keep_span(text, arena, out);
}

static const struct conf_custom method_type = {
    .expected = "a method such as CONNECT or GET, in capitals as it is sent",
    .size = sizeof(struct span),
    .parse = parse_method,
};

static int parse_hours(struct span text, struct arena *arena, void *out, const char **what)
{
    return hours_parse(text, out, what);
}

static const struct conf_custom hours_type = {
    .expected = "days, times or both such as \"mon-fri 08:00-18:00\"",
    .size = sizeof(struct hours),
    .parse = parse_hours,
};

/* Refuses empty lists: they would match everybody, which is hardly intended. */
static void who_finish(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct access_rule *rule = bound;
    const struct {
        const char *name;
        size_t count;
        const char *items, *all;
    } lists[] = {
        {"from", rule->from_count, "prefixes", "everybody"},
        {"users", rule->user_count, "names", "everybody"},
        {"groups", rule->group_count, "names", "everybody"},
        {"hosts", rule->host_count, "names", "every host"},
        {"host-files", rule->host_file_count, "paths", "every host"},
        {"ports", rule->port_count, "ports", "every port"},
        {"methods", rule->method_count, "methods", "every method"},
        {"hours", rule->hour_count, "times", "any time"},
    };
    rule->needs_user = rule->user_count || rule->group_count;
    rule->is_plain = true;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        rule->is_plain &= i == 0 || lists[i].count == 0;
        if (conf_given(at, lists[i].name) && lists[i].count == 0) {
            conf_complain(at, lists[i].name, 0,
                          "an empty list; expected %s, or no \"%s\" at all for %s", lists[i].items,
                          lists[i].name, lists[i].all);
        }
    }
}

/* Refuses an exception that matches everything: the rule would never match. */
static void except_finish(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct access_rule *except = bound;

    who_finish(bound, arena, at);
    except->place = conf_place(at, arena);
    bool says_all = except->is_plain && except->from_count == 0 && !except->needs_user;
    if (says_all && conf_is_whole(at)) {
        conf_complain(at, NULL, 0,
                      "an exception of everything; expected what it is about, such as "
                      "\"from\" or \"hosts\"");
    }
}

static void rule_finish(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct access_rule *rule = bound;

    rule->place = conf_place(at, arena);
    rule->allow = conf_given(at, "allow");
    bool neither = !rule->allow && !conf_given(at, "deny");
    if (rule->allow == conf_given(at, "deny") && (!neither || conf_is_whole(at))) {
        conf_complain(at, NULL, 0, "a rule with %s; expected one of allow, deny",
                      rule->allow ? "allow and deny" : "neither allow nor deny");
    }
}

static const char *const period_words[] = {"day", "week", "month", NULL};

static void limits_finish(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct access_rule *rule = bound;
    struct access_limits *limits = &rule->limits;

    limits->given = limits->quota || limits->rate;
    if (conf_given(at, "slow") && !conf_given(at, "quota")) {
        conf_complain(at, "slow", 0,
                      "\"slow\" applies once a quota is used up, and there is none; expected "
                      "\"quota\", too, or \"rate\" alone");
    }
}

/* clang-format off */
#define LIMIT(member) CONF_FIELD(struct access_rule, limits.member)
static const struct conf_directive limits_rows[] = {
    {"quota", CONF_SIZE, LIMIT(quota), NULL, "1KiB", "1024TiB", CONF_RELOAD,
     "Bytes each may transfer in a period, both directions; then 403. Needs \"state\"."},
    {"per", CONF_ENUM(period_words), LIMIT(per), "day", NULL, NULL, CONF_RELOAD,
     "The period, in the time zone of this machine; weeks begin on Monday."},
    {"rate", CONF_SIZE, LIMIT(rate), NULL, "1KiB", "1TiB", CONF_RELOAD,
     "Bytes per second for each, over all of its requests."},
    {"slow", CONF_SIZE, LIMIT(slow), NULL, "1KiB", "1TiB", CONF_RELOAD,
     "Bytes per second once the quota is used up, instead of 403 and closed tunnels."},
    {0},
};
static const struct conf_table limits_table = {
    .rows = limits_rows, .finish = limits_finish, .finish_always = true};

#define RULE(member, count) CONF_LIST(struct access_rule, member, count)
/* Rows for what a rule matches. */
#define WHO_ROWS \
    {"from", CONF_PREFIX, RULE(from, from_count), NULL, NULL, NULL, CONF_RELOAD, \
     "Client addresses. Of each list in a rule one item must match; a list that is left out " \
     "matches everything."}, \
    {"users", CONF_CUSTOM(user_type), RULE(users, user_count), NULL, NULL, NULL, CONF_RELOAD, \
     "User names, after Basic authentication; \"*\" is any known user. See users."}, \
    {"groups", CONF_CUSTOM(group_type), RULE(groups, group_count), NULL, NULL, NULL, CONF_RELOAD, \
     "Groups of users. A user matches by users or by groups."}, \
    {"hosts", CONF_CUSTOM(host_pattern_type), RULE(hosts, host_count), NULL, NULL, NULL, \
     CONF_RELOAD, "Requested hosts: NAME with all subdomains, =NAME alone, *.NAME subdomains only."}, \
    {"host-files", CONF_PATH, RULE(host_files, host_file_count), NULL, NULL, NULL, CONF_RELOAD, \
     "Files of hosts, one per line or in the format of /etc/hosts. Changed files are read " \
     "again on reload."}, \
    {"ports", CONF_CUSTOM(port_range_type), RULE(ports, port_count), NULL, NULL, NULL, CONF_RELOAD, \
     "Requested ports."}, \
    {"methods", CONF_CUSTOM(method_type), RULE(methods, method_count), NULL, NULL, NULL, \
     CONF_RELOAD, "Request methods."}, \
    {"hours", CONF_CUSTOM(hours_type), RULE(hours, hour_count), NULL, NULL, NULL, CONF_RELOAD, \
     "Times at which the rule applies, in the time zone of this machine."},

static const struct conf_directive except_rows[] = {WHO_ROWS {0}};
static const struct conf_table except_table = {
    .rows = except_rows, .shorthand = "from", .size = sizeof(struct access_rule), .finish = except_finish,
    .finish_always = true};

#define EXCEPT_ROW \
    {"except", CONF_MAP(except_table), RULE(except, except_count), NULL, NULL, NULL, CONF_RELOAD, \
     "Exceptions: the rule does not apply to what matches one of these, and later rules " \
     "decide."},

static const struct conf_directive deny_rows[] = {WHO_ROWS EXCEPT_ROW {0}};
static const struct conf_table deny_table = {
    .rows = deny_rows, .shorthand = "from", .finish = who_finish, .finish_always = true};

/* The same for rules that allow, with limits. */
static const struct conf_directive allow_rows[] = {
    WHO_ROWS EXCEPT_ROW
    {"limits", CONF_MAP(limits_table), CONF_SAME, NULL, NULL, NULL, CONF_RELOAD | CONF_OPTIONAL,
     "Limits per user, or per address if the user is not known."},
    {0},
};
static const struct conf_table allow_table = {
    .rows = allow_rows, .shorthand = "from", .finish = who_finish, .finish_always = true};

static const struct conf_directive access_rows[] = {
    {"allow", CONF_MAP(allow_table), CONF_SAME, NULL, NULL, NULL, CONF_RELOAD | CONF_OPTIONAL,
     "Allow requests that match all of this; {} matches everything. See docs/access.md."},
    {"deny", CONF_MAP(deny_table), CONF_SAME, NULL, NULL, NULL, CONF_RELOAD | CONF_OPTIONAL,
     "Deny requests that match all of this; {} matches everything."},
    {0},
};
const struct conf_table access_table = {
    .rows = access_rows, .size = sizeof(struct access_rule), .finish = rule_finish,
    .finish_always = true};

static const struct conf_directive users_rows[] = {
    {"file", CONF_PATH, CONF_FIELD(struct settings, users.file), NULL, NULL, NULL, CONF_RELOAD,
     "User names and password hashes in htpasswd format: bcrypt, yescrypt, SHA-crypt or apr1."},
    {"groups", CONF_PATH, CONF_FIELD(struct settings, users.groups), NULL, NULL, NULL, CONF_RELOAD,
     "Groups, one per line: \"GROUP: NAME NAME...\"."},
    {"realm", CONF_STRING, CONF_FIELD(struct settings, users.realm), "Larder", "1", "128", CONF_RELOAD,
     "Shown by clients when they ask for the password."},
    {0},
};
const struct conf_table users_table = {.rows = users_rows, .shorthand = "file"};

static const struct conf_directive shares_rows[] = {
    {"total", CONF_SIZE, CONF_FIELD(struct settings, shares.total), NULL, "10KiB", "1TiB", CONF_RELOAD,
     "Bytes per second to all clients together, shared fairly."},
    {"free-hits", CONF_BOOL, CONF_FIELD(struct settings, shares.free_hits), "no", NULL, NULL, CONF_RELOAD,
     "Cache hits count for no quota and are not slowed down."},
    {"client", CONF_LENGTHS, CONF_FIELD(struct settings, shares.client), "32/64", NULL, NULL, CONF_RELOAD,
     "Clients without a user name are counted per network with these prefix lengths, for quotas, "
     "rates and shares."},
    {0},
};
const struct conf_table shares_table = {.rows = shares_rows, .shorthand = "total"};
/* clang-format on */
