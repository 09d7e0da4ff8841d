#include "proxy/config/directives.h"
#include "proxy/config/directives_table.h"
#include "proxy/server.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"

/* "--a|b|--c" as a command line. */
static int load(const char *line, struct buf *errors, struct settings **out)
{
    char copy[512], *argv[48] = {copy};
    int argc = 1;

    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word = strtok(copy, "|"); word && argc < 48; word = strtok(NULL, "|")) {
        argv[argc++] = word;
    }
    int err = settings_load(argc, argv, errors, out);
    buf_append(errors, SPAN("\0"));
    return err;
}

/* The same with `yaml` as the --config file. */
static int load_file(const char *yaml, struct buf *errors, struct settings **out)
{
    char path[] = "/tmp/larder-test-XXXXXX", line[64];
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
    close(fd);
    snprintf(line, sizeof(line), "--config|%s", path);
    int err = load(line, errors, out);
    unlink(path);
    return err;
}

static bool from_has(const struct access_rule *rule, const char *text)
{
    struct ip ip;

    cr_assert_eq(ip_parse(span_str(text), &ip), 0);
    for (size_t i = 0; i < rule->from_count; i++) {
        if (prefix_has(&rule->from[i], &ip)) {
            return true;
        }
    }
    return false;
}

Test(directives, without_anything_the_defaults_hold)
{
    struct buf errors = BUF_INIT;
    struct settings *s;

    cr_assert_eq(load("", &errors, &s), 0, "%s", errors.data);
    cr_expect_eq(s->listen_count, 1);
    cr_expect_str_eq(s->listen[0].at.text, "127.0.0.1:3128");
    cr_expect_str_eq(s->admin.text, "127.0.0.1:3129");
    cr_expect_geq(s->workers, 1);
    cr_expect_leq(s->workers, 8);
    cr_expect_eq(s->store_count, 0);
    cr_expect_eq(s->memory_size, 256 << 20);
    cr_assert_eq(s->access_count, 1);
    cr_expect(s->access[0].allow);
    cr_expect(from_has(&s->access[0], "127.0.0.1"));
    cr_expect(from_has(&s->access[0], "::1"));
    cr_expect_not(from_has(&s->access[0], "10.0.0.1"));
    cr_expect_eq(s->connect_port_count, 1);
    cr_expect_eq(s->connect_ports[0].first, 443);
    cr_expect_eq(s->site_count, 0);
    cr_expect_eq(s->limits.head, 32 << 10);
    cr_expect_eq(s->timeouts.connect, 10000);
    cr_expect_eq(s->cache.heuristic_percent, 10);
    cr_expect_eq(s->cache.heuristic_max, 7 * 86400);
    cr_expect(s->cache.clients_may_bypass);
    cr_expect_eq(s->forwarded, FORWARDED_OFF);
    cr_expect_eq(s->log_level, LOG_LEVEL_INFO);
    cr_expect_eq(s->access_log_count, 0);
    cr_expect_eq(strlen(s->name), strlen("larder-01234567"));
    settings_unref(&s);
    cr_expect_eq(s, NULL);
    buf_fini(&errors);
}

Test(directives, options_make_a_whole_configuration)
{
    struct buf errors = BUF_INIT;
    struct settings *s;

    cr_assert_eq(load("--listen|127.0.0.1:1|--listen|[::1]:1|--admin|unix:/run/a|--store|d|"
                      "--store-size|16MiB|--memory|1MiB|--workers|2|--allow|10.0.0.0/8,::1|--allow|"
                      "all|--site|www.example.net=http://127.0.0.1:8080|--site|*=http://[::1]:81|"
                      "--allow-target|127.0.0.0/8|--connect-ports|443,1024-65535|--access-log|-|"
                      "--nameserver|192.0.2.53|--set|timeouts.connect=250ms|--set|name=a.b",
                      &errors, &s),
                 0, "%s", errors.data);
    cr_expect_eq(s->listen_count, 2);
    cr_expect_str_eq(s->admin.unix_path, "/run/a");
    cr_expect_eq(s->store_count, 1);
    cr_expect_str_eq(s->stores[0].path, "d");
    cr_expect_eq(s->stores[0].size, 16 << 20);
    cr_expect_eq(s->workers, 2);
    cr_assert_eq(s->access_count, 2);
    cr_expect_eq(s->access[0].from_count, 2);
    cr_expect(s->access[1].allow);
    cr_expect_eq(s->access[1].from_count, 0);
    cr_assert_eq(s->site_count, 2);
    cr_expect(span_eq(s->sites[0].origins[0].uri.host, SPAN("127.0.0.1")));
    cr_assert_eq(s->sites[0].targeted_count, 1);
    cr_expect(span_eq(s->sites[0].targeted[0], SPAN("CDN-Cache-Control")));
    cr_expect(s->sites[0].store_set_cookie);
    cr_expect_eq(s->sites[1].origins[0].uri.port, 81);
    cr_expect_eq(s->allow_target_count, 1);
    cr_assert_eq(s->connect_port_count, 2);
    cr_expect_eq(s->connect_ports[1].first, 1024);
    cr_expect_eq(s->connect_ports[1].last, 65535);
    cr_assert_eq(s->access_log_count, 1);
    cr_expect_str_eq(s->access_logs[0].to, "-");
    cr_expect_eq(s->nameserver_count, 1);
    cr_expect_eq(s->timeouts.connect, 250);
    cr_expect_str_eq(s->name, "a.b");
    settings_unref(&s);
    buf_fini(&errors);
}

Test(directives, a_file_as_the_design_has_it)
{
    struct buf errors = BUF_INIT;
    struct settings *s;

    cr_assert_eq(load_file("listen:\n"
                           "  - { address: \"0.0.0.0:3128\" }\n"
                           "admin: { address: \"127.0.0.1:0\" }\n"
                           "store: { path: cache, size: 50GiB }\n"
                           "memory: { size: 512MiB }\n"
                           "access:\n"
                           "  - deny: 10.9.0.0/16\n"
                           "  - allow: { from: [10.0.0.0/8, 192.168.0.0/16] }\n"
                           "sites:\n"
                           "  - { hosts: [WWW.example.net, \"*.cdn.example.net\"],\n"
                           "      origins: [\"http://origin.example.net\"] }\n",
                           &errors, &s),
                 0, "%s", errors.data);
    cr_expect_eq(s->store_count, 1);
    cr_expect_str_eq(s->stores[0].path, "/tmp/cache");
    cr_assert_eq(s->access_count, 2);
    cr_expect_not(s->access[0].allow);
    cr_expect(from_has(&s->access[0], "10.9.1.1"));
    cr_expect(s->access[1].allow);
    cr_expect_str_eq(s->sites[0].hosts[0], "www.example.net");
    settings_unref(&s);
    buf_fini(&errors);
}

Test(directives, several_folders_for_the_store)
{
    struct buf errors = BUF_INIT, printed = BUF_INIT;
    struct settings *s;

    cr_assert_eq(load_file("store: [/mnt/a, {path: b, size: 50GiB}]\n", &errors, &s), 0, "%s",
                 errors.data);
    cr_assert_eq(s->store_count, 2);
    cr_expect_str_eq(s->stores[0].path, "/mnt/a");
    cr_expect_eq(s->stores[0].size, UINT64_C(10) << 30, "the default of store.size");
    cr_expect_str_eq(s->stores[1].path, "/tmp/b");
    cr_expect_eq(s->stores[1].size, UINT64_C(50) << 30);
    settings_print(s, &printed);
    buf_append(&printed, SPAN("\0"));
    settings_unref(&s);
    cr_assert_eq(load_file(printed.data, &errors, &s), 0, "%s", errors.data);
    cr_expect_eq(s->store_count, 2);
    cr_expect_eq(s->store_favor, FAVOR_OBJECTS);
    settings_unref(&s);
    cr_assert_eq(
        load_file("store: {size: 1GiB, object-max: 1MiB, favor: bytes, directories: [/a, /b]}\n",
                  &errors, &s),
        0);
    cr_expect_eq(s->store_favor, FAVOR_BYTES);
    cr_expect_eq(s->stores[1].size, UINT64_C(1) << 30);
    settings_unref(&s);
    buf_fini(&errors);
    buf_fini(&printed);
}

Test(directives, the_most_specific_site_wins)
{
    static const struct {
        const char *host;
        int port; /* of the site's origin; 0: none */
    } cases[] = {
        {"www.a.net", 1}, {"x.a.net", 2},    {"y.x.a.net", 3}, {"z.y.x.a.net", 3}, {"a.net", 4},
        {"b.net", 4},     {"www.a.net.", 1}, {"::1", 5},       {"*", 4},           {".a.net", 2},
    };
    struct buf errors = BUF_INIT;
    struct settings *s;

    cr_assert_eq(load("--site|www.a.net=http://o:1|--site|*.a.net=http://o:2|--site|*.x.a.net="
                      "http://o:3|--site|*=http://o:4|--site|[0:0::1]=http://o:5",
                      &errors, &s),
                 0, "%s", errors.data);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct site *site = settings_site(s, span_str(cases[i].host));
        cr_assert_neq(site, NULL, "%s", cases[i].host);
        cr_expect_eq(site->origins[0].uri.port, cases[i].port, "%s", cases[i].host);
    }
    settings_unref(&s);
    buf_clear(&errors);
    cr_assert_eq(load("--site|*.a.net=http://o:2", &errors, &s), 0);
    cr_expect_eq(settings_site(s, SPAN("a.net")), NULL);
    cr_expect_eq(settings_site(s, SPAN("ba.net")), NULL);
    cr_expect_eq(settings_site(s, SPAN("")), NULL);
    settings_unref(&s);
    buf_clear(&errors);
    cr_assert_eq(load("--site|a.net=http://o:2|--site|*=http://o:4", &errors, &s), 0);
    cr_expect_eq(settings_site(s, SPAN("a.net."))->origins[0].uri.port, 2);
    cr_expect_eq(settings_site(s, SPAN("www.a.net"))->origins[0].uri.port, 4);
    settings_unref(&s);
    buf_fini(&errors);
}

Test(directives, errors_of_options_are_exact)
{
    static const struct {
        const char *line, *want;
    } cases[] = {
        {"--listen-tls|127.0.0.1:1",
         "--listen-tls: 127.0.0.1:1 has no certificate; expected \"certificate\" and \"key\" in "
         "its \"tls\", or in \"tls\" for all\n"},
        {"--listen-tls|127.0.0.1:1|--certificate|a.pem",
         "--certificate: a certificate without its key; expected both\n"},
        {"--listen-tls|127.0.0.1:1|--key|a.key",
         "--key: a key without its certificate; expected both\n"},
        {"--listen|127.0.0.1", "--listen: \"listen\" cannot be \"127.0.0.1\"; expected "
                               "ADDRESS:PORT such as 127.0.0.1:3128 or [::1]:3128\n"},
        {"--listen|127.0.0.1:9|--listen|127.0.0.1:9",
         "--listen: address 127.0.0.1:9 is listed twice; expected different ones\n"},
        {"--listen|127.0.0.1:3129",
         "--listen: address 127.0.0.1:3129 is listed twice; expected different ones\n"},
        {"--allow|10.0.0.1/8", "--allow: \"from\" cannot be \"10.0.0.1/8\": bits are set after the "
                               "prefix length; expected a prefix such as 10.0.0.0/8 or "
                               "2001:db8::/32\n"},
        {"--allow|everybody", "--allow: \"from\" cannot be \"everybody\": not an IP address; "
                              "expected a prefix such as 10.0.0.0/8 or 2001:db8::/32\n"},
        {"--allow|\"]}", "--allow: \"from\" cannot be \"\"]}\": not an IP address; expected a "
                         "prefix such as 10.0.0.0/8 or 2001:db8::/32\n"},
        {"--site|www.example.net", "--site: \"www.example.net\" is no site; expected HOST=ORIGIN "
                                   "such as www.example.net=http://127.0.0.1:8080\n"},
        {"--site|a=ftp://b", "--site: \"origins\" cannot be \"ftp://b\"; expected scheme, host "
                             "and port such as https://origin.example.net:8443\n"},
        {"--site|a=http://b/c",
         "--site: \"origins\" cannot be \"http://b/c\": it has a path; expected scheme, host and "
         "port such as https://origin.example.net:8443\n"},
        {"--site|a:80=http://b", "--site: \"hosts\" cannot be \"a:80\": it has a port; expected a "
                                 "host name, *.NAME or *\n"},
        {"--site|a.*=http://b",
         "--site: \"hosts\" cannot be \"a.*\"; expected a host name, *.NAME or *\n"},
        {"--site|a=http://b|--site|A=http://c",
         "--site: host \"a\" is listed twice; expected one site with all its origins\n"},
        {"--connect-ports|443,0", "--connect-ports: \"connect-ports\" cannot be \"0\": there is no "
                                  "port 0; expected a port or range such as 443 or 1024-65535\n"},
        {"--connect-ports|9-8",
         "--connect-ports: \"connect-ports\" cannot be \"9-8\": the range ends before it begins; "
         "expected a port or range such as 443 or 1024-65535\n"},
        {"--store-size|15MiB",
         "--store-size: \"size\" cannot be \"15MiB\": it is out of range; expected a "
         "size such as 64KiB or 10GiB from 16MiB to 64TiB\n"},
        {"--workers|65",
         "--workers: \"workers\" cannot be \"65\": it is out of range; expected a whole "
         "number of at most 64\n"},
        {"--set|name=a b", "--set name: \"name\" cannot be \"a b\"; expected 1 to 64 letters, "
                           "digits, \".\", \"-\" and \"_\", first a letter\n"},
        {"--set|nameservers=dns", "--set nameservers: \"nameservers\" cannot be \"dns\"; expected "
                                  "an address such as 192.0.2.53, 192.0.2.53:5353 or "
                                  "[2001:db8::53]\n"},
        {"--set|log.level=wran", "--set log.level: \"level\" cannot be \"wran\"; expected one of "
                                 "error, warn, info, debug; did you mean \"warn\"?\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf errors = BUF_INIT;
        struct settings *s;

        cr_expect_eq(load(cases[i].line, &errors, &s), ERR_CONFIG, "%s", cases[i].line);
        cr_expect_str_eq(errors.data, cases[i].want);
        settings_unref(&s);
        buf_fini(&errors);
    }
}

Test(directives, errors_of_a_file_have_line_and_column)
{
    static const struct {
        const char *yaml, *want; /* without the file's name */
    } cases[] = {
        {"acess: []\n", ":1:1: unknown directive \"acess\"; did you mean \"access\"?\n"},
        {"access: [{allow: all}]\n",
         ":1:18: \"allow\" cannot be \"all\": not an IP address; expected a prefix such as "
         "10.0.0.0/8 or 2001:db8::/32\n"},
        {"access: [{deny: [10.0.0.0/8, any]}]\n",
         ":1:30: \"deny\" cannot be \"any\": not an IP address; expected a prefix such as "
         "10.0.0.0/8 or 2001:db8::/32\n"},
        {"listen: [\"0.0.0.0\"]\n",
         ":1:10: \"listen\" cannot be \"0.0.0.0\"; expected ADDRESS:PORT such as 127.0.0.1:3128 "
         "or [::1]:3128\n"},
        {"memory: 512\n", ":1:9: \"memory\" cannot be \"512\": it is out of range; expected a size "
                          "such as 64KiB or 10GiB "
                          "from 1MiB to 16TiB\n"},
        {"store:\n  path:/srv/larder\n",
         ":2:3: no space after \"path:\"; expected \"path: VALUE\"\n"},
        {"store: [/a, {path: /b, sise: 1GiB}]\n",
         ":1:24: unknown directive \"sise\"; did you mean \"size\"?\n"},
        {"store:\n  - /a\n  - {path: /b/../a}\n",
         ":3:12: \"/b/../a\" is listed twice; expected different folders\n"},
        {"store: [/a/b, /ab, /a/]\n", ":1:20: one of \"/a/b\" and \"/a/\" lies inside the other; "
                                      "expected folders beside each other\n"},
        {"store: {path: /a, directories: [/b]}\n",
         ":1:33: \"path\" and \"directories\" are both given; expected one of them\n"},
        {"store: /etc/passwd\n",
         ":1:8: /etc/passwd is not a folder; expected one, or an unused name\n"},
        {"state: /etc/passwd\n",
         ":1:8: /etc/passwd is not a folder; expected one, or an unused name\n"},
        {"store: [{size: 1GiB}]\n", ":1:9: \"path\" is missing; expected a path\n"},
        {"store: [{path: /a, size: 1MiB}]\n",
         ":1:26: \"size\" cannot be \"1MiB\": it is out of range; "
         "expected a size such as 64KiB or 10GiB from "
         "16MiB to 64TiB\n"},
        {"access:\n  - {}\n",
         ":2:5: a rule with neither allow nor deny; expected one of allow, deny\n"},
        {"access:\n  - {allow: {}, deny: {}}\n",
         ":2:5: a rule with allow and deny; expected one of allow, deny\n"},
        {"access:\n  - deny: {except: {}}\n",
         ":2:20: an exception of everything; expected what it is about, such as \"from\" or "
         "\"hosts\"\n"},
        {"access:\n  - deny: {except: [{users: anna}]}\n",
         ":2:5: a rule about users, but no users are configured; expected \"users: {file: ...}\" "
         "with "
         "names and passwords\n"},
        {"access:\n  - allow: {from: []}\n", ":2:19: an empty list; expected prefixes, or no "
                                             "\"from\" at all for everybody\n"},
        {"access:\n  - deny: {methods: [PURGE, delete]}\n",
         ":2:29: \"methods\" cannot be \"delete\": methods are case-sensitive; did you mean "
         "\"DELETE\"?; expected a method such as CONNECT or GET, in capitals as it is sent\n"},
        {"access:\n  - allow: {except: {methods: Connect}}\n",
         ":2:31: \"methods\" cannot be \"Connect\": methods are case-sensitive; did you mean "
         "\"CONNECT\"?; expected a method such as CONNECT or GET, in capitals as it is sent\n"},
        {"sites:\n  - {hosts: [], origins: [\"http://a\"]}\n",
         ":2:13: \"hosts\" has no value; expected a host name, *.NAME or *\n"},
        {"sites:\n  - {hosts: a}\n", ":2:5: \"origins\" is missing; expected scheme, host and port "
                                     "such as https://origin.example.net:8443\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf errors = BUF_INIT;
        struct settings *s;

        cr_expect_eq(load_file(cases[i].yaml, &errors, &s), ERR_CONFIG, "%s", cases[i].yaml);
        char *colon = strchr(errors.data, ':');
        cr_assert_neq(colon, NULL);
        cr_expect_str_eq(colon, cases[i].want);
        settings_unref(&s);
        buf_fini(&errors);
    }
}

Test(directives, listeners_for_tls_have_their_certificates_or_those_for_all)
{
    static const char yaml[] =
        "tls: {certificate: /c/all.pem, key: /c/all.key}\n"
        "listen:\n"
        "  - 127.0.0.1:1\n"
        "  - {address: '127.0.0.1:2', tls: {}}\n"
        "  - {address: '127.0.0.1:3', tls: {certificate: /c/own.pem, key: /c/own.key}}\n"
        "  - address: 127.0.0.1:4\n"
        "    tls:\n"
        "      certificates:\n"
        "        - {certificate: /c/a.pem, key: /c/a.key}\n"
        "        - {certificate: /c/b.pem, key: /c/b.key}\n";
    struct buf errors = BUF_INIT;
    struct settings *s;

    cr_assert_eq(load_file(yaml, &errors, &s), 0, "%s", errors.data);
    cr_assert_eq(s->listen_count, 4);
    cr_expect_not(s->listen[0].is_tls);
    cr_expect(s->listen[1].is_tls);
    cr_assert_eq(s->listen[1].tls.count, 1);
    cr_expect_str_eq(s->listen[1].tls.list[0].file, "/c/all.pem");
    cr_assert_eq(s->listen[2].tls.count, 1);
    cr_expect_str_eq(s->listen[2].tls.list[0].key, "/c/own.key");
    cr_assert_eq(s->listen[3].tls.count, 2);
    cr_expect_str_eq(s->listen[3].tls.list[1].file, "/c/b.pem");
    settings_unref(&s);
    buf_fini(&errors);
    cr_assert_eq(load("--listen-tls|127.0.0.1:5|--certificate|x.pem|--key|x.key", &errors, &s), 0);
    cr_assert_eq(s->listen_count, 1);
    cr_expect(s->listen[0].is_tls);
    cr_expect_str_eq(s->listen[0].tls.list[0].file, "x.pem");
    settings_unref(&s);
    buf_fini(&errors);
}

Test(directives, what_is_printed_is_read_again)
{
    struct buf errors = BUF_INIT, first = BUF_INIT, second = BUF_INIT;
    struct settings *s;

    cr_assert_eq(load("--site|*.a=http://b|--allow|10.0.0.0/8|--store|/s|--set|forwarded=forwarded",
                      &errors, &s),
                 0);
    settings_print(s, &first);
    buf_append(&first, SPAN("\0"));
    cr_expect_neq(strstr(first.data, "store:\n  path: /s  # --store\n  size: 10GiB  # default\n"),
                  NULL);
    settings_unref(&s);
    cr_assert_eq(load_file(first.data, &errors, &s), 0, "%s", errors.data);
    cr_expect(s->access[0].allow);
    cr_expect_eq(s->forwarded, FORWARDED_RFC7239);
    settings_print(s, &second);
    cr_expect_neq(buf_len(&second), 0);
    cr_expect_neq(settings_site(s, SPAN("x.a")), NULL);
    settings_unref(&s);
    buf_fini(&first);
    buf_fini(&second);
    buf_fini(&errors);
}

Test(directives, help_has_options_and_directives)
{
    struct buf out = BUF_INIT;

    settings_help(&out);
    settings_manual(&out);
    buf_append(&out, SPAN("\0"));
    cr_expect_neq(strstr(out.data, "--store-size SIZE"), NULL);
    cr_expect_neq(strstr(out.data, "timeouts.first-byte"), NULL);
    cr_expect_neq(strstr(out.data, "| `sites[].hosts` | list of a host name, *.NAME or * | "),
                  NULL);
    cr_expect_neq(strstr(out.data, "--listen-tls ADDRESS"), NULL);
    buf_fini(&out);
}

/* docs/adr/0016: whoever reads the reference should be able to read all of it. */
Test(directives, are_few)
{
    struct conf_counts counts = conf_count(&settings_table);

    cr_expect_leq(counts.directives, 60, "%zu directives", counts.directives);
    cr_expect_gt(counts.directives, 50, "those in maps count, too");
    cr_expect_leq(counts.parameters, 40, "%zu parameters", counts.parameters);
    cr_expect_gt(counts.parameters, 30, "of rules, sites and mirrors");
}

/* ---- beside settings in force ---- */

/* Do both have the same there? Of lists the numbers. */
static bool same_field(const struct conf_directive *row, const struct settings *a,
                       const struct settings *b)
{
    const char *left = (const char *)a, *right = (const char *)b;
    const struct conf_field *field = &row->field;

    if (field->list) {
        return memcmp(left + field->count_at, right + field->count_at, sizeof(size_t)) == 0;
    }
    left += field->at;
    right += field->at;
    if (row->type.is == CONF_IS_PATH) {
        const char *texts[2];
        memcpy(&texts[0], left, sizeof(texts[0]));
        memcpy(&texts[1], right, sizeof(texts[1]));
        return texts[0] && texts[1] ? strcmp(texts[0], texts[1]) == 0 : texts[0] == texts[1];
    }
    if (row->type.is == CONF_IS_ENDPOINT) {
        return strcmp(((const struct endpoint *)(const void *)left)->text,
                      ((const struct endpoint *)(const void *)right)->text) == 0;
    }
    return memcmp(left, right, field->size) == 0;
}

static size_t expect_held(const struct conf_table *table, const struct settings *running,
                          const struct settings *next, const struct settings *fresh)
{
    size_t count = 0;

    for (const struct conf_directive *row = table->rows; row->name; row++) {
        bool inner = row->type.is == CONF_IS_MAP && !row->field.list;
        if (inner && row->field.size == 0) {
            count += expect_held(row->type.table, running, next, fresh);
        } else if (!inner && !(row->flags & CONF_RELOAD)) {
            count++;
            cr_expect(same_field(row, running, next), "%s is not that of the start", row->name);
            cr_expect_not(same_field(row, running, fresh), "%s: the case tells nothing", row->name);
        }
    }
    return count;
}

Test(directives, what_only_a_restart_changes_is_that_in_force)
{
    static const char before[] = "listen: [127.0.0.1:1, 127.0.0.1:2]\nadmin: \"unix:/old\"\n"
                                 "workers: 3\nmemory: 7MiB\nstate: /old\nsandbox: log\n"
                                 "takeover: /old.sock\ntimeouts: {connect: 1s}\n"
                                 "store: {path: /old, size: 1GiB, favor: bytes}\n";
    static const char files[] = "listen: [127.0.0.1:3]\nadmin: 127.0.0.1:4\nworkers: 5\n"
                                "memory: 9MiB\nstate: /new\nsandbox: off\ntakeover: /new.sock\n"
                                "store: {directories: [/new, /newer], size: 2GiB, favor: both}\n"
                                "timeouts: {connect: 2s}\n";
    char path[] = "/tmp/larder-test-XXXXXX", program[] = "p", option[] = "--config";
    char *argv[] = {program, option, path, NULL};
    struct buf errors = BUF_INIT, shown = BUF_INIT;
    struct settings *running, *next, *fresh, *later;
    int fd = mkstemp(path);

    cr_assert_eq(load_file(before, &errors, &running), 0, "%s", errors.data);
    cr_assert_eq(load_file(files, &errors, &fresh), 0, "%s", errors.data);
    cr_assert_eq(write(fd, files, strlen(files)), (ssize_t)strlen(files));
    cr_assert_eq(settings_load_beside(3, argv, running, &errors, &next), 0, "%s", errors.data);
    cr_expect_geq(expect_held(&settings_table, running, next, fresh), 11);
    cr_expect_str_eq(next->listen[1].at.text, "127.0.0.1:2");
    cr_expect_str_eq(next->admin.unix_path, "/old");
    cr_expect_eq(next->store_count, 1);
    cr_expect_str_eq(next->stores[0].path, "/old");
    cr_expect_eq(next->stores[0].size, 1ull << 30);
    cr_expect_str_eq(next->name, running->name, "it is made from the address in force");
    cr_expect_eq(next->timeouts.connect, 2000);
    cr_expect_eq(next->wanted_count, 1);
    settings_unref(&running); /* nothing of it is left in the next ones */
    settings_print(next, &shown);
    buf_append(&shown, SPAN("\0"));
    cr_expect(strstr(shown.data, "127.0.0.1:2  # ") && !strstr(shown.data, "127.0.0.1:3"), "%s",
              shown.data);
    cr_expect(strstr(shown.data, "size: 7MiB") && strstr(shown.data, "connect: 2s"));
    cr_assert_eq(settings_load_beside(3, argv, next, &errors, &later), 0);
    settings_unref(&next);
    cr_expect_str_eq(later->listen[0].at.text, "127.0.0.1:1");
    cr_expect_eq(later->memory_size, 7 << 20);
    settings_unref(&later);
    settings_unref(&fresh);
    unlink(path);
    close(fd);
    buf_fini(&errors);
    buf_fini(&shown);
}

/* ---- all errors at once ---- */

/* A folder with the files; the configuration is proxy.yaml in it. `errors` without the folder. */
static void load_in_folder(const char *yaml, const char *list, struct buf *errors)
{
    char folder[] = "/tmp/larder-test-XXXXXX", path[64], program[] = "p", option[] = "--config";
    char *argv[] = {program, option, path, NULL};
    struct buf raw = BUF_INIT;
    struct settings *settings;

    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/list.txt", folder);
    FILE *file = fopen(path, "w");
    fputs(list, file);
    fclose(file);
    snprintf(path, sizeof(path), "%s/proxy.yaml", folder);
    file = fopen(path, "w");
    fputs(yaml, file);
    fclose(file);
    int err = server_load(3, argv, NULL, &raw, &settings);
    cr_expect_eq(err != 0, buf_len(&raw) > 0, "%s", yaml);
    settings_unref(&settings);
    snprintf(path, sizeof(path), "rm -r %s", folder);
    cr_assert_eq(system(path), 0);
    buf_append(&raw, SPAN("\0"));
    for (const char *at = raw.data; *at; at++) {
        bool here = strncmp(at, folder, strlen(folder)) == 0;
        at += here ? strlen(folder) + 1 : 0;
        buf_append(errors, span_of(at, 1));
    }
    buf_append(errors, SPAN("\0"));
    buf_fini(&raw);
}

Test(directives, what_can_be_checked_by_itself_is_told_at_once)
{
    static const char yaml[] =
        "listen: [127.0.0.1:1, 127.0.0.1:1, {address: 127.0.0.1:2, tls: {certificate: no.pem, key: "
        "no.key}}, {address: 127.0.0.1:3, tls: {key: some.key}}]\n"
        "timeouts: {connect: soon}\n"
        "users: {file: nobody, groups: none}\n"
        "pages: nopages\n"
        "access:\n"
        "  - allow: {from: [], users: [anna]}\n"
        "  - deny: {hosts: [\"a b\"], methods: []}\n"
        "  - deny: {host-files: [nothere.txt, list.txt]}\n"
        "sites:\n"
        "  - {hosts: [a.test], origins: [\"http://a\"], ca: noca.pem}\n"
        "  - {hosts: [a.test], origins: [\"ftp://a\"]}\n"
        "mirrors:\n"
        "  - {path: /npm/, origin: \"https://r.test/\"}\n"
        "  - {path: /npm/x/, origin: \"https://r.test/\"}\n"
        "  - {path: npm, origin: x}\n"
        "store: [/a, {size: 1GiB}, /a]\n";
    static const char *const wants[] = {
        "proxy.yaml:1:23: address 127.0.0.1:1 is listed twice",
        "proxy.yaml:1:78: no.pem: No such file",
        "proxy.yaml:1:91: no.key: No such file",
        "proxy.yaml:1:135: a key without its certificate",
        "proxy.yaml:2:21: \"connect\" cannot be \"soon\"",
        "proxy.yaml:3:15: nobody: cannot be read: No such file",
        "proxy.yaml:3:31: none: cannot be read",
        "proxy.yaml:4:8: nopages: cannot be read",
        "proxy.yaml:6:19: an empty list; expected prefixes",
        "proxy.yaml:7:20: \"hosts\" cannot be \"a b\"",
        "proxy.yaml:7:37: an empty list; expected methods",
        "proxy.yaml:8:25: nothere.txt: cannot be read",
        "list.txt:2: \"x/y\" is not a host",
        "proxy.yaml:10:50: noca.pem: No such file",
        "proxy.yaml:11:5: host \"a.test\" is listed twice",
        "proxy.yaml:11:33: \"origins\" cannot be",
        "proxy.yaml:14:12: one of \"/npm/\" and \"/npm/x/\" lies inside",
        "proxy.yaml:15:12: \"path\" cannot be",
        "proxy.yaml:15:25: \"origin\" cannot be",
        "proxy.yaml:16:13: \"path\" is missing",
        "proxy.yaml:16:27: \"/a\" is listed twice",
    };
    struct buf errors = BUF_INIT;
    size_t lines = 0;

    load_in_folder(yaml, "good.test\nx/y\n", &errors);
    for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
        cr_expect(strstr(errors.data, wants[i]), "%s is not in\n%s", wants[i], errors.data);
    }
    for (const char *at = errors.data; *at; at++) {
        lines += *at == '\n';
    }
    cr_expect_eq(lines, ARRAY_LEN(wants), "and nothing else:\n%s", errors.data);
    buf_fini(&errors);
}

/* Whatever could not be bound is zero in what looks at it. */
Test(directives, any_value_may_be_wrong)
{
    static const char *const lines[] = {
        "listen:\n  - address: 127.0.0.1:1\n    tls:\n      certificate: a\n      key: b\n",
        "  - address: 127.0.0.1:2\n    tls:\n      certificates:\n        - certificate: a\n",
        "          key: b\n",
        "tls:\n  certificate: c\n  key: d\n",
        "store:\n  directories:\n    - path: /a\n    - path: /b\n",
        "access:\n  - allow:\n      from: 10.0.0.0/8\n      users: anna\n      groups: us\n",
        "      hosts: a.test\n      host-files: list.txt\n      ports: 80\n      methods: GET\n",
        "      hours: mon\n      except:\n        from: 10.1.0.0/16\n        hosts: b.test\n",
        "      limits:\n        quota: 1GiB\n        rate: 1MiB\n        slow: 1KiB\n",
        "users:\n  file: list.txt\n  groups: list.txt\n",
        "state: /s\n",
        "pages: pages\n",
        "sites:\n  - hosts: a.test\n    origins: http://a\n    ca: ca.pem\n    verify: no\n",
        "mirrors:\n  - path: /npm/\n    origin: http://a/\n    preset: npm\n    files: http://f/\n",
        "  - path: /pip/\n    origin: http://b/\n    preset: pip\n    ca: ca.pem\n",
        "log:\n  access:\n    - to: a.log\n      format: json\n      fields: client\n",
        "    - to: b.log\n",
        "pac:\n  proxies: p.test:1\n  direct: 10.0.0.0/8\n",
        "name: x\n",
        "connect-ports: 443\n",
        "upgrades: websocket\n",
        "nameservers: 192.0.2.1\n",
    };
    static const char *const values[] = {"\"?/ \"", "{}", "[]", "{zz: 1}", "[[]]", ""};
    struct buf whole = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        buf_append(&whole, span_str(lines[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct span rest = buf_span(&whole);
        while (rest.len) {
            const char *begin = rest.at;
            struct span line = span_cut(&rest, '\n');
            struct span front = span_take(line, span_find(line, ':') + 1);
            struct buf yaml = BUF_INIT, errors = BUF_INIT;
            buf_append(&yaml, span_from_to(whole.data + whole.start, begin));
            buf_printf(&yaml, "%.*s %s\n%.*s%c", SPAN_ARGS(front), values[i], SPAN_ARGS(rest),
                       '\0');
            load_in_folder(yaml.data, "a.test\n", &errors);
            cr_expect(strlen(errors.data) > 0);
            buf_fini(&yaml);
            buf_fini(&errors);
        }
    }
    buf_fini(&whole);
}
