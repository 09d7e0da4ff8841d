#include "base/check.h"
#include "base/err.h"
#include "proxy/access/open.h"
#include "proxy/access/set.h"
#include "proxy/client/access.h"
#include "proxy/origin/target.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static struct ip ip_of(const char *text)
{
    struct ip ip;

    cr_assert_eq(ip_parse(span_str(text), &ip), 0, "%s", text);
    return ip;
}

static struct prefix prefix_of(const char *text)
{
    struct prefix prefix;
    const char *what = "";

    cr_assert_eq(prefix_parse(span_str(text), &prefix, &what), 0, "%s: %s", text, what);
    return prefix;
}

static enum access_verdict verdict_of(const struct settings *settings, const char *client)
{
    struct ip ip = ip_of(client);
    struct http_head request = {.version = HTTP_1_1,
                                .method = METHOD_GET,
                                .method_text = SPAN("GET"),
                                .target = SPAN("http://a/")};
    struct uri uri = {.host = SPAN("a"), .port = 80};
    struct access_answer answer;

    access_decide(settings, &(struct access_query){.client = &ip, .request = &request, .uri = &uri},
                  &answer);
    return answer.verdict;
}

Test(access_decide, the_first_rule_that_names_the_client_decides)
{
    struct prefix bad[] = {prefix_of("10.1.0.0/16"), prefix_of("2001:db8:1::/48")};
    struct prefix good[] = {prefix_of("10.0.0.0/8"), prefix_of("2001:db8::/32")};
    struct access_rule rules[] = {
        {.allow = false, .is_plain = true, .from = bad, .from_count = ARRAY_LEN(bad)},
        {.allow = true, .is_plain = true, .from = good, .from_count = ARRAY_LEN(good)},
    };
    struct settings settings = {.access = rules, .access_count = ARRAY_LEN(rules)};
    static const struct {
        const char *client;
        bool allowed;
    } cases[] = {
        {"10.0.0.1", true},     {"10.1.2.3", false},       {"10.2.0.1", true},
        {"11.0.0.1", false},    {"2001:db8::1", true},     {"2001:db8:1::1", false},
        {"2001:db9::1", false}, {"::ffff:10.0.0.1", true}, {"::ffff:10.1.0.1", false},
        {"::a00:1", false},     {"127.0.0.1", false},      {"::1", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(verdict_of(&settings, cases[i].client),
                     cases[i].allowed ? ACCESS_ALLOWED : ACCESS_DENIED, "%s", cases[i].client);
    }
}

Test(access_decide, a_rule_without_prefixes_is_for_everybody_and_the_end_is_deny)
{
    struct access_rule rules[] = {{.allow = true, .is_plain = true},
                                  {.allow = false, .is_plain = true}};
    struct settings settings = {.access = rules, .access_count = 1};

    cr_expect_eq(verdict_of(&settings, "192.0.2.1"), ACCESS_ALLOWED);
    settings.access = rules + 1;
    cr_expect_eq(verdict_of(&settings, "192.0.2.1"), ACCESS_DENIED);
    settings.access_count = 0;
    cr_expect_eq(verdict_of(&settings, "192.0.2.1"), ACCESS_DENIED);
}

/* ---- all that a rule can name, from a file ---- */

#define HASH "$apr1$x$16j9.5e7KiXmuYFAYpPJM/"

/* A file of its own; gone with the folder. */
Test(access_may_use, some_rule_lets_the_client_in_for_something)
{
    struct prefix guests[] = {prefix_of("10.1.0.0/16")}, house[] = {prefix_of("10.0.0.0/8")};
    struct access_rule but_guests = {.is_plain = true, .from = guests, .from_count = 1};
    struct access_rule but_hosts = {.is_plain = false};
    const struct access_rule about_hosts = {.allow = false, .is_plain = false};
    const struct access_rule no_guests = {
        .allow = false, .is_plain = true, .from = guests, .from_count = 1};
    const struct access_rule no_guests_but_for_hosts = {.allow = false,
                                                        .is_plain = true,
                                                        .from = guests,
                                                        .from_count = 1,
                                                        .except = &but_hosts,
                                                        .except_count = 1};
    const struct access_rule people = {
        .allow = true, .is_plain = true, .from = house, .from_count = 1, .needs_user = true};
    const struct access_rule house_but_guests = {.allow = true,
                                                 .is_plain = true,
                                                 .from = house,
                                                 .from_count = 1,
                                                 .except = &but_guests,
                                                 .except_count = 1};
    const struct {
        const char *what;
        struct access_rule rules[2];
        bool house, guest;
    } cases[] = {
        {"who is asked for a name may", {about_hosts, people}, true, true},
        {"who is denied everything may not", {no_guests, people}, true, false},
        {"unless it comes too late", {people, no_guests}, true, true},
        {"what a denial excepts is left", {no_guests_but_for_hosts, people}, true, true},
        {"an exception", {about_hosts, house_but_guests}, true, false},
        {"nobody", {about_hosts, no_guests}, false, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct access_rule rules[] = {cases[i].rules[0], cases[i].rules[1]};
        struct settings settings = {.access = rules, .access_count = ARRAY_LEN(rules)};
        struct ip inside = ip_of("10.2.0.1"), guest = ip_of("10.1.0.1"), far = ip_of("192.0.2.1");

        cr_expect_eq(access_may_use(&settings, &inside), cases[i].house, "%s", cases[i].what);
        cr_expect_eq(access_may_use(&settings, &guest), cases[i].guest, "%s", cases[i].what);
        cr_expect_not(access_may_use(&settings, &far), "%s", cases[i].what);
    }
}

Test(access_open_rule, everybody_for_any_host)
{
    static const struct {
        const char *rules;
        const char *listen;
        bool open;
    } cases[] = {
        {"[{allow: {}}]", "0.0.0.0:3128", true},
        {"[{allow: {}}]", "3128", true},
        {"[{allow: {}}]", "192.0.2.1:3128", true},
        {"[{allow: {}}]", "127.0.0.1:3128", false},
        {"[{allow: {}}]", "[::1]:3128", false},
        {"[{allow: [10.0.0.0/8, 0.0.0.0/0]}]", "0.0.0.0:3128", true},
        {"[{allow: [\"::/0\"]}]", "0.0.0.0:3128", true},
        {"[{allow: 10.0.0.0/8}]", "0.0.0.0:3128", false},
        {"[{deny: {methods: CONNECT}}, {allow: {ports: 80}}]", "0.0.0.0:3128", true},
        {"[{deny: {methods: CONNECT}}, {allow: {hosts: a.example}}]", "0.0.0.0:3128", false},
        {"[{allow: {users: \"*\"}}]", "0.0.0.0:3128", false},
        {"[{deny: {}}, {allow: {}}]", "0.0.0.0:3128", false},
        {"[{deny: {except: {hosts: a.example}}}, {allow: {}}]", "0.0.0.0:3128", false},
        {"[{deny: {except: {from: 10.0.0.0/8}}}, {allow: {}}]", "0.0.0.0:3128", false},
        {"[{deny: {except: {ports: 80}}}, {allow: {}}]", "0.0.0.0:3128", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char rules[256], at[64], program[] = "larder-proxy", set[] = "--set";
        char users[] = "users.file=/dev/null", listen[] = "--listen";
        char *argv[] = {program, set, rules, set, users, listen, at};
        struct buf errors = BUF_INIT;
        struct settings *settings;

        snprintf(rules, sizeof(rules), "access=%s", cases[i].rules);
        snprintf(at, sizeof(at), "%s", cases[i].listen);
        cr_assert_eq(settings_load(ARRAY_LEN(argv), argv, &errors, &settings), 0, "%s: %.*s",
                     cases[i].rules, SPAN_ARGS(buf_span(&errors)));
        cr_expect_eq(access_open_rule(settings) != NULL, cases[i].open, "%s on %s", cases[i].rules,
                     cases[i].listen);
        settings_unref(&settings);
        buf_fini(&errors);
    }
}

static void put_file(const char *folder, const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
}

static const char config[] =
    "users: {file: passwd, groups: groups}\n"
    "access:\n"
    "  - deny: {hosts: [blocked.example, \"*.below.example\", \"=alone.example\", 192.0.2.1]}\n"
    "  - deny: {host-files: [list, list], from: 10.0.0.0/8}\n"
    "  - deny: {methods: [PUT, CONNECT], ports: [25, 8000-8999]}\n"
    "  - deny: {groups: pupils, hosts: games.example}\n"
    "  - allow: {users: [anna, bert], hosts: users.example}\n"
    "  - deny: {hosts: users.example}\n"
    "  - allow: {users: \"*\", hosts: any.example}\n"
    "  - deny: {hours: \"mon 00:00-24:00\", hosts: hours.example}\n"
    "  - allow: {from: [10.0.0.0/8, \"2001:db8::/32\"]}\n";

struct world {
    char folder[32];
    struct settings *settings;
};

static void world_begin_with(struct world *world, const char *text)
{
    char path[64], option[] = "--config", *argv[] = {path, option, path};
    struct buf errors = BUF_INIT, warnings = BUF_INIT;

    snprintf(world->folder, sizeof(world->folder), "/tmp/larder-test-XXXXXX");
    cr_assert_not_null(mkdtemp(world->folder));
    put_file(world->folder, "passwd", "anna:" HASH "\nbert:" HASH "\npaul:" HASH "\n");
    put_file(world->folder, "groups", "pupils: paul\n");
    put_file(world->folder, "list", "listed.example\n0.0.0.0 hosts.example\n");
    put_file(world->folder, "larder.yaml", text);
    snprintf(path, sizeof(path), "%s/larder.yaml", world->folder);
    int err = settings_load(ARRAY_LEN(argv), argv, &errors, &world->settings);
    cr_assert_eq(err, 0, "%.*s", SPAN_ARGS(buf_span(&errors)));
    err = access_set_make(world->settings, NULL, &errors, &warnings);
    cr_assert_eq(err, 0, "%.*s", SPAN_ARGS(buf_span(&errors)));
    cr_expect_eq(buf_len(&warnings), 0);
    buf_fini(&errors);
    buf_fini(&warnings);
}

static void world_begin(struct world *world)
{
    world_begin_with(world, config);
}

static void world_end(struct world *world)
{
    static const char *const names[] = {"passwd", "groups", "list", "larder.yaml"};
    char path[256];

    settings_unref(&world->settings);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", world->folder, names[i]);
        unlink(path);
    }
    rmdir(world->folder);
}

enum { MONDAY = 4 * 86400 }; /* 1970-01-05 */

struct decision_case {
    const char *client, *user, *method, *target;
    enum access_verdict verdict;
    unsigned rule;
};

static void decide_case(struct world *world, struct arena *arena, const struct decision_case *c,
                        struct access_answer *answer)
{
    const struct users *users = access_set_users(world->settings);
    struct ip ip = ip_of(c->client);
    struct http_head request;
    struct uri uri;
    enum uri_form form;
    const char *what;

    head_init(&request, arena);
    request.version = HTTP_1_1;
    request.method = http_method_id(span_str(c->method));
    request.method_text = span_str(c->method);
    request.target = span_str(c->target);
    fields_add_id(&request.fields, FIELD_HOST, SPAN("games.example"));
    uri_of_request(&request, false, arena, &uri, &form, &what);
    access_decide(world->settings,
                  &(struct access_query){
                      .client = &ip,
                      .user = c->user ? users_find(users, span_str(c->user)) : NULL,
                      .request = &request,
                      .uri = &uri,
                      .now = MONDAY + 60,
                  },
                  answer);
}

static void decide_cases(const char *text, const struct decision_case *cases, size_t count)
{
    struct world world;
    struct arena arena;

    cr_assert_eq(setenv("TZ", "UTC0", 1), 0);
    world_begin_with(&world, text);
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < count; i++) {
        struct access_answer answer;
        decide_case(&world, &arena, &cases[i], &answer);
        cr_expect_eq(answer.verdict, cases[i].verdict, "%zu: %s %s %d", i, cases[i].method,
                     cases[i].target, answer.verdict);
        cr_expect_eq(answer.number, cases[i].rule, "%zu: %s %s %u", i, cases[i].method,
                     cases[i].target, answer.number);
        cr_expect_eq(answer.rule != NULL, cases[i].rule > 0);
    }
    arena_fini(&arena);
    world_end(&world);
}

Test(access_decide, what_is_excepted_is_for_later_rules)
{
    static const char text[] =
        "users: {file: passwd, groups: groups}\n"
        "access:\n"
        "  - deny: {except: [{ports: [80, 443]}, {from: 10.9.0.0/16}]}\n"
        "  - deny: {hosts: example, except: [{hosts: good.example, methods: GET}, {host-files: "
        "list}]}\n"
        "  - deny: {hosts: games.test, except: {groups: pupils}}\n"
        "  - deny: {users: \"*\", hosts: staff.test, except: [{users: anna}, {from: "
        "10.1.0.0/16}]}\n"
        "  - deny: {hosts: time.test, except: {hours: \"mon 00:00-24:00\"}}\n"
        "  - allow: {from: 10.0.0.0/8, except: 10.2.0.0/16, limits: {rate: 1MiB}}\n";
    static const struct decision_case cases[] = {
        {"10.0.0.1", NULL, "GET", "http://a.test/", ACCESS_ALLOWED, 6},
        {"10.0.0.1", NULL, "GET", "http://a.test:81/", ACCESS_DENIED, 1},
        {"10.9.0.1", NULL, "GET", "http://a.test:81/", ACCESS_ALLOWED, 6},
        {"10.2.0.1", NULL, "GET", "http://a.test/", ACCESS_DENIED, 0},
        {"10.0.0.1", NULL, "GET", "http://bad.example/", ACCESS_DENIED, 2},
        {"10.0.0.1", NULL, "GET", "http://www.good.example/", ACCESS_ALLOWED, 6},
        {"10.0.0.1", NULL, "PUT", "http://www.good.example/", ACCESS_DENIED, 2},
        {"10.0.0.1", NULL, "PUT", "http://listed.example/", ACCESS_ALLOWED, 6},
        {"10.0.0.1", NULL, "GET", "http://games.test/", ACCESS_WHO, 3},
        {"10.0.0.1", "paul", "GET", "http://games.test/", ACCESS_ALLOWED, 6},
        {"10.0.0.1", "anna", "GET", "http://games.test/", ACCESS_DENIED, 3},
        {"10.0.0.1", NULL, "GET", "http://staff.test/", ACCESS_WHO, 4},
        {"10.1.0.1", NULL, "GET", "http://staff.test/", ACCESS_ALLOWED, 6},
        {"10.0.0.1", "anna", "GET", "http://staff.test/", ACCESS_ALLOWED, 6},
        {"10.0.0.1", "bert", "GET", "http://staff.test/", ACCESS_DENIED, 4},
        {"10.0.0.1", NULL, "GET", "http://time.test/", ACCESS_ALLOWED, 6},
    };

    decide_cases(text, cases, ARRAY_LEN(cases));
}

Test(access_decide, everything_that_a_rule_can_name)
{
    static const struct decision_case cases[] = {
        {"10.0.0.1", NULL, "GET", "http://free.example/", ACCESS_ALLOWED, 9},
        {"192.0.2.9", NULL, "GET", "http://free.example/", ACCESS_DENIED, 0},
        {"10.0.0.1", NULL, "GET", "http://blocked.example/", ACCESS_DENIED, 1},
        {"10.0.0.1", NULL, "GET", "http://BLOCKED.Example:8080/", ACCESS_DENIED, 1},
        {"10.0.0.1", NULL, "GET", "http://www.blocked.example./", ACCESS_DENIED, 1},
        {"10.0.0.1", NULL, "GET", "http://notblocked.example/", ACCESS_ALLOWED, 9},
        {"10.0.0.1", NULL, "CONNECT", "blocked.example:443", ACCESS_DENIED, 1},
        {"10.0.0.1", NULL, "CONNECT", "blocked.example.:443", ACCESS_DENIED, 1},
        {"10.0.0.1", NULL, "GET", "http://below.example/", ACCESS_ALLOWED, 9},
        {"10.0.0.1", NULL, "GET", "http://x.below.example/", ACCESS_DENIED, 1},
        {"10.0.0.1", NULL, "GET", "http://alone.example/", ACCESS_DENIED, 1},
        {"10.0.0.1", NULL, "GET", "http://x.alone.example/", ACCESS_ALLOWED, 9},
        {"10.0.0.1", NULL, "GET", "http://192.0.2.1/", ACCESS_DENIED, 1},
        {"10.0.0.1", NULL, "GET", "http://[::ffff:192.0.2.1]/", ACCESS_DENIED, 1},
        {"10.0.0.1", NULL, "GET", "http://[::ffff:c000:201]/", ACCESS_DENIED, 1},
        {"10.0.0.1", NULL, "GET", "http://listed.example/", ACCESS_DENIED, 2},
        {"::ffff:10.0.0.1", NULL, "GET", "http://a.hosts.example/", ACCESS_DENIED, 2},
        {"2001:db8::1", NULL, "GET", "http://listed.example/", ACCESS_ALLOWED, 9},
        {"10.0.0.1", NULL, "PUT", "http://free.example:25/", ACCESS_DENIED, 3},
        {"10.0.0.1", NULL, "PUT", "http://free.example:8999/", ACCESS_DENIED, 3},
        {"10.0.0.1", NULL, "PUT", "http://free.example:9000/", ACCESS_ALLOWED, 9},
        {"10.0.0.1", NULL, "put", "http://free.example:25/", ACCESS_ALLOWED, 9},
        {"10.0.0.1", NULL, "CONNECT", "free.example:8443", ACCESS_DENIED, 3},
        {"10.0.0.1", NULL, "GET", "http://free.example:8443/", ACCESS_ALLOWED, 9},
        {"10.0.0.1", NULL, "GET", "http://games.example/", ACCESS_WHO, 4},
        {"10.0.0.1", "paul", "GET", "http://games.example/", ACCESS_DENIED, 4},
        {"10.0.0.1", "anna", "GET", "http://games.example/", ACCESS_ALLOWED, 9},
        {"10.0.0.1", NULL, "GET", "/", ACCESS_ALLOWED, 9}, /* a site's client cannot be asked */
        {"192.0.2.9", NULL, "GET", "http://users.example/", ACCESS_WHO, 5},
        {"192.0.2.9", "bert", "GET", "http://users.example/", ACCESS_ALLOWED, 5},
        {"192.0.2.9", "paul", "GET", "http://users.example/", ACCESS_DENIED, 6},
        {"192.0.2.9", "paul", "GET", "http://any.example/", ACCESS_ALLOWED, 7},
        {"192.0.2.9", NULL, "CONNECT", "any.example:443", ACCESS_WHO, 7},
        {"10.0.0.1", NULL, "GET", "http://hours.example/", ACCESS_DENIED, 8},
        {"10.0.0.1", NULL, "GET", "no URL", ACCESS_ALLOWED, 9},
    };

    decide_cases(config, cases, ARRAY_LEN(cases));
}

Test(access_set, long_lists_of_networks_decide_as_short_ones)
{
    static const char text[] =
        "access:\n"
        "  - deny: {from: [10.3.0.0/16, 10.1.0.0/16, \"2001:db8:1::/48\", 10.1.2.0/24, 192.0.2.7,\n"
        "      10.9.0.0/16], except: {from: [10.1.7.0/24, 10.3.7.0/24, 10.9.7.7, 10.9.7.8,\n"
        "      10.9.7.9]}}\n"
        "  - allow: {from: [\"::/0\", 10.0.0.0/8, 192.0.2.0/24, 172.16.0.0/12, 127.0.0.1]}\n";
    static const struct decision_case cases[] = {
        {"10.1.2.3", NULL, "GET", "http://a.example/", ACCESS_DENIED, 1},
        {"10.1.3.3", NULL, "GET", "http://a.example/", ACCESS_DENIED, 1},
        {"10.1.7.1", NULL, "GET", "http://a.example/", ACCESS_ALLOWED, 2},
        {"10.2.0.1", NULL, "GET", "http://a.example/", ACCESS_ALLOWED, 2},
        {"10.9.7.8", NULL, "GET", "http://a.example/", ACCESS_ALLOWED, 2},
        {"10.9.7.10", NULL, "GET", "http://a.example/", ACCESS_DENIED, 1},
        {"192.0.2.7", NULL, "GET", "http://a.example/", ACCESS_DENIED, 1},
        {"192.0.2.8", NULL, "GET", "http://a.example/", ACCESS_ALLOWED, 2},
        {"2001:db8:1::1", NULL, "GET", "http://a.example/", ACCESS_DENIED, 1},
        {"2001:db8:2::1", NULL, "GET", "http://a.example/", ACCESS_ALLOWED, 2},
        {"198.51.100.1", NULL, "GET", "http://a.example/", ACCESS_DENIED, 0},
    };

    decide_cases(text, cases, ARRAY_LEN(cases));
}

Test(access_set, a_reload_reads_only_what_has_changed)
{
    struct buf errors = BUF_INIT, warnings = BUF_INIT;
    struct access_set_stats stats;
    struct world world;

    world_begin(&world);
    struct settings *old = world.settings;
    char path[64], option[] = "--config", *argv[] = {path, option, path};
    snprintf(path, sizeof(path), "%s/larder.yaml", world.folder);
    struct settings *next;
    cr_assert_eq(settings_load(ARRAY_LEN(argv), argv, &errors, &next), 0);
    cr_assert_eq(access_set_make(next, old, &errors, &warnings), 0);
    cr_expect_eq(next->access[1].lists[0], old->access[1].lists[0], "the same list");
    cr_expect_eq(next->access[1].lists[0], next->access[1].lists[1], "read once");
    cr_expect_eq(access_set_users(next), access_set_users(old));
    settings_unref(&old);
    access_set_stats(next, &stats);
    cr_expect_eq(stats.files, 1);
    cr_expect_eq(stats.names, 2);
    cr_expect_eq(stats.users, 3);

    put_file(world.folder, "list", "another.example\n");
    put_file(world.folder, "passwd", "anna:" HASH "\n");
    cr_assert_eq(settings_load(ARRAY_LEN(argv), argv, &errors, &world.settings), 0);
    cr_assert_eq(access_set_make(world.settings, next, &errors, &warnings), 0);
    cr_expect_neq(next->access[1].lists[0], world.settings->access[1].lists[0]);
    cr_expect_eq(users_count(access_set_users(world.settings)), 1);
    cr_expect_gt(buf_len(&warnings), 0); /* bert and paul are named, and gone */
    settings_unref(&next);

    put_file(world.folder, "list", "another.example\nnot a host\n");
    cr_assert_eq(settings_load(ARRAY_LEN(argv), argv, &errors, &next), 0);
    cr_expect_eq(access_set_make(next, world.settings, &errors, &warnings), ERR_CONFIG);
    buf_append(&errors, SPAN("\0"));
    cr_expect_not_null(
        strstr(errors.data, "/list:2: \"not a host\" is not a host: more than one word"), "%s",
        errors.data);
    settings_unref(&next);
    buf_fini(&errors);
    buf_fini(&warnings);
    world_end(&world);
}

/* ---- targets ---- */

Test(target_allowed, addresses_of_ourselves_in_every_disguise)
{
    struct ip own[] = {ip_of("192.0.2.80"), ip_of("2001:db8::80")};
    struct settings settings = {0};
    struct target_check check = {.settings = &settings,
                                 .own_addrs =
                                     &(struct own_addrs){.at = own, .count = ARRAY_LEN(own)}};
    static const struct {
        const char *ip;
        bool allowed;
    } cases[] = {
        {"198.51.100.1", true},
        {"10.0.0.1", true},
        {"2001:db8::1", true},
        {"127.0.0.1", false},
        {"127.255.255.254", false},
        {"0.0.0.0", false},
        {"0.1.2.3", false},
        {"169.254.169.254", false},
        {"100.100.100.200", false},
        {"fd00:ec2::254", false},
        {"64:ff9b::100.100.100.200", false},
        {"224.0.0.1", false},
        {"255.255.255.255", false},
        {"192.0.2.80", false},
        {"192.0.2.81", true},
        {"::", false},
        {"::1", false},
        {"::127.0.0.1", false},
        {"fe80::1", false},
        {"ff02::1", false},
        {"2001:db8::80", false},
        {"::ffff:127.0.0.1", false},
        {"::ffff:192.0.2.80", false},
        {"::ffff:198.51.100.1", true},
        /* 6to4 */
        {"2002:7f00:1::", false},
        {"2002:a9fe:a9fe::1", false},
        {"2002:c000:250::1", false},
        {"2002:c633:6401::1", true},
        /* NAT64 */
        {"64:ff9b::127.0.0.1", false},
        {"64:ff9b::169.254.169.254", false},
        {"64:ff9b::192.0.2.80", false},
        {"64:ff9b::198.51.100.1", true},
        {"64:ff9b:1::198.51.100.1", false},
        /* SIIT */
        {"::ffff:0:127.0.0.1", false},
        {"::ffff:0:198.51.100.1", true},
        /* Teredo: the server, and the client's address inverted */
        {"2001:0:7f00:1::", false},
        {"2001:0:c633:6401::80ff:fffe", false},
        {"2001:0:c633:6401::39cc:9bfe", true},
        /* ISATAP */
        {"2001:db8::5efe:127.0.0.1", false},
        {"2001:db8::200:5efe:169.254.169.254", false},
        {"2001:db8::5efe:198.51.100.1", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip ip = ip_of(cases[i].ip);
        cr_expect_eq(target_allowed(&check, &ip, 80), cases[i].allowed, "%s", cases[i].ip);
        cr_expect(!target_allowed(&check, &ip, 0), "%s port 0", cases[i].ip);
    }
    check.configured = true;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip ip = ip_of(cases[i].ip);
        cr_expect(target_allowed(&check, &ip, 80), "configured %s", cases[i].ip);
    }
}

Test(target_allowed, allow_targets_opens_exactly_what_it_names)
{
    struct prefix open[] = {prefix_of("127.0.0.0/8"), prefix_of("64:ff9b:1::/96")};
    struct settings settings = {.allow_targets = open, .allow_target_count = ARRAY_LEN(open)};
    struct target_check check = {.settings = &settings, .own_addrs = &(struct own_addrs){0}};
    static const struct {
        const char *ip;
        bool allowed;
    } cases[] = {
        {"127.0.0.1", true},      {"::ffff:127.0.0.1", true},    {"169.254.0.1", false},
        {"::1", false},           {"64:ff9b::127.0.0.1", false}, {"64:ff9b:1::10.0.0.1", true},
        {"2002:7f00:1::", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip ip = ip_of(cases[i].ip);
        cr_expect_eq(target_allowed(&check, &ip, 80), cases[i].allowed, "%s", cases[i].ip);
    }
}

Test(target_allowed, no_way_leads_to_doors_of_ours_whatever_is_open)
{
    struct own_listener listeners[] = {{ip_of("127.0.0.1"), 3128}, {ip_of("127.0.0.1"), 3129}};
    struct own_addrs own = {.listeners = listeners, .listener_count = ARRAY_LEN(listeners)};
    struct prefix open[] = {prefix_of("127.0.0.0/8"), prefix_of("0.0.0.0/8"),
                            prefix_of("198.51.100.0/24")};
    struct settings settings = {.allow_targets = open, .allow_target_count = ARRAY_LEN(open)};
    struct target_check check = {.settings = &settings, .own_addrs = &own};
    struct upstream_result refused = {.err = ERR_REFUSED};
    struct upstream_result nobody = {.err = -ECONNREFUSED, .resolved = true};
    struct ip there = ip_of("127.0.0.1"), any = ip_of("0.0.0.0"), dns = ip_of("198.51.100.1");

    cr_expect(target_allowed(&check, &there, 3130));
    cr_expect_eq(target_failure(&check, &refused).reason, REASON_TARGET_ADDRESS);
    cr_expect(!target_allowed(&check, &there, 3128));
    cr_expect(!target_allowed(&check, &any, 3129));
    cr_expect_eq(target_failure(&check, &refused).reason, REASON_TARGET_OWN);
    cr_expect_eq(target_failure(&check, &refused).status, 403);
    /* "localhost" without a hosts file: nobody is at ::1 */
    cr_expect_eq(target_failure(&check, &nobody).reason, REASON_TARGET_OWN);
    cr_expect_eq(target_failure(&check, &nobody).status, 403);

    cr_expect(target_allowed(&check, &dns, 5380));
    settings.admin_dns.len = ip_to_sockaddr(&dns, 5380, &settings.admin_dns.address);
    cr_expect(!target_allowed(&check, &dns, 5380));
    cr_expect(target_allowed(&check, &dns, 5381));

    check.configured = true;
    cr_expect(target_allowed(&check, &there, 3128), "the administrator has written it");
}

Test(target_allowed, private_networks_where_they_are_denied)
{
    struct prefix open[] = {prefix_of("10.20.0.0/16")};
    struct settings settings = {.allow_targets = open, .allow_target_count = ARRAY_LEN(open)};
    struct target_check check = {.settings = &settings, .own_addrs = &(struct own_addrs){0}};
    struct upstream_result refused = {.err = ERR_REFUSED};
    static const char *const inside[] = {
        "10.0.0.1",
        "10.255.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "100.64.0.1",
        "100.127.0.1",
        "fc00::1",
        "fdff::1",
        "::ffff:10.0.0.1",
        "2002:a00:1::1",
        "64:ff9b::192.168.1.1",
        "2001:db8::5efe:10.1.1.1",
    };
    static const char *const outside[] = {
        "10.20.3.4",   "11.0.0.1",    "172.15.0.1",   "172.32.0.1",
        "192.167.0.1", "192.169.0.1", "100.63.0.1",   "100.128.0.1",
        "fe00::1",     "fb00::1",     "198.51.100.1", "2002:c633:6401::1",
    };

    for (size_t i = 0; i < ARRAY_LEN(inside); i++) {
        struct ip ip = ip_of(inside[i]);
        settings.private_targets = PRIVATE_ALLOW;
        cr_expect(target_allowed(&check, &ip, 80), "%s", inside[i]);
        settings.private_targets = PRIVATE_DENY;
        cr_expect(!target_allowed(&check, &ip, 80), "%s", inside[i]);
        cr_expect_eq(target_failure(&check, &refused).reason, REASON_TARGET_PRIVATE);
    }
    for (size_t i = 0; i < ARRAY_LEN(outside); i++) {
        struct ip ip = ip_of(outside[i]);
        cr_expect(target_allowed(&check, &ip, 80), "%s", outside[i]);
    }
    struct ip loopback = ip_of("127.0.0.1"), site = ip_of("10.0.0.1");
    cr_expect(!target_allowed(&check, &loopback, 80));
    cr_expect_eq(target_failure(&check, &refused).reason, REASON_TARGET_ADDRESS);
    check.configured = true;
    cr_expect(target_allowed(&check, &site, 80), "an origin of the configuration");
}

Test(target_port_allowed, listed_ports_for_connect_safe_ports_for_the_rest)
{
    struct port_range ranges[] = {{443, 443}, {8000, 8100}, {0, 10}};
    struct settings settings = {.connect_ports = ranges, .connect_port_count = ARRAY_LEN(ranges)};
    static const struct {
        uint16_t port;
        bool connect, allowed;
    } cases[] = {
        {443, true, true},   {80, true, false},    {8000, true, true},   {8100, true, true},
        {8101, true, false}, {0, true, false},     {25, true, false},    {80, false, true},
        {443, false, true},  {25, false, false},   {1023, false, false}, {1024, false, true},
        {0, false, false},   {65535, false, true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(target_port_allowed(&settings, cases[i].port, cases[i].connect),
                     cases[i].allowed, "%u %d", cases[i].port, cases[i].connect);
    }
}

Test(target_policy, what_is_made_for_each_client_selects_nothing)
{
    struct settings settings = {.forwarded = FORWARDED_OFF};

    cr_expect_eq(target_policy(&settings, NULL).per_client.len, 0);
    settings.forwarded = FORWARDED_X;
    cr_expect(span_eq(target_policy(&settings, NULL).per_client, SPAN("X-Forwarded-For")));
    settings.forwarded = FORWARDED_RFC7239;
    cr_expect(span_eq(target_policy(&settings, NULL).per_client, SPAN("Forwarded")));
}

Test(target_policy, targeted_fields_and_cookies_are_the_sites_own_matter)
{
    struct settings settings = {
        .cache = {.heuristic_percent = 20, .heuristic_max = 3600, .clients_may_bypass = true}};
    struct span targeted[] = {SPAN("CDN-Cache-Control"), SPAN("X-Cache-Control")};
    struct site site = {.targeted = targeted, .targeted_count = ARRAY_LEN(targeted)};
    struct policy_settings rules = target_policy(&settings, NULL);

    cr_expect_eq(rules.targeted_count, 0);
    cr_expect(!rules.refuse_set_cookie);
    cr_expect_eq(rules.heuristic_percent, 20);
    cr_expect_eq(rules.heuristic_max, 3600);
    cr_expect(!rules.ignore_client_control);
    settings.cache.clients_may_bypass = false;
    rules = target_policy(&settings, &site);
    cr_assert_eq(rules.targeted_count, 2);
    cr_expect(span_eq(rules.targeted[1], SPAN("X-Cache-Control")));
    cr_expect(rules.refuse_set_cookie);
    site.store_set_cookie = true;
    cr_expect(!target_policy(&settings, &site).refuse_set_cookie);
    cr_expect(rules.ignore_client_control);
}
