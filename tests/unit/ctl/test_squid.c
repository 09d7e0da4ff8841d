/* Configurations of Squid: what they become is good, and what is lost is said. */
#include "ctl/squid.h"
#include "proxy/config/directives.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct import {
    struct buf yaml, notes;
    size_t lost;
};

/* Files that there are in these tests; lists that are kept go to `kept`. */
struct shelf {
    struct {
        const char *path, *text;
    } files[8];
    struct buf kept;
};

static int shelf_read(void *arg, const char *path, struct buf *out)
{
    const struct shelf *shelf = arg;

    for (size_t i = 0; i < ARRAY_LEN(shelf->files) && shelf->files[i].path; i++) {
        if (strcmp(shelf->files[i].path, path) == 0) {
            buf_append(out, span_str(shelf->files[i].text));
            return 0;
        }
    }
    return -ENOENT;
}

/* "x*" matches what begins with x. */
static void shelf_match(void *arg, const char *pattern, struct buf *out)
{
    const struct shelf *shelf = arg;
    size_t len = strcspn(pattern, "*");

    for (size_t i = 0; i < ARRAY_LEN(shelf->files) && shelf->files[i].path; i++) {
        const char *path = shelf->files[i].path;
        if (strncmp(path, pattern, len) == 0 && (pattern[len] == '*' || path[len] == '\0')) {
            buf_append(out, span_str(path));
            buf_append(out, SPAN("\0"));
        }
    }
}

static int shelf_keep(void *arg, const char *name, struct span text, struct buf *path)
{
    struct shelf *shelf = arg;

    buf_append(&shelf->kept, text);
    buf_printf(path, "/lists/%s", name);
    buf_append(path, SPAN("\0"));
    return 0;
}

static void import_with(struct import *import, struct span text, const struct squid_io *io)
{
    *import = (struct import){.yaml = BUF_INIT, .notes = BUF_INIT};
    import->lost = squid_import("squid.conf", text, io, &import->yaml, &import->notes);
    buf_append(&import->yaml, SPAN("\0"));
    buf_append(&import->notes, SPAN("\0"));
}

static void import_init(struct import *import, struct span text)
{
    import_with(import, text, NULL);
}

static void import_fini(struct import *import)
{
    buf_fini(&import->yaml);
    buf_fini(&import->notes);
}

/* By the rules of the daemon; to be given back. */
static struct settings *settings_of(const struct import *import)
{
    char program[] = "test", option[] = "--config", path[] = "/tmp/larder-squid-XXXXXX";
    char *arguments[] = {program, option, path, NULL};
    struct buf errors = BUF_INIT;
    struct settings *settings = NULL;
    size_t len = strlen(import->yaml.data);

    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, import->yaml.data, len) == (ssize_t)len);
    close(fd);
    cr_expect_eq(settings_load(3, arguments, &errors, &settings), 0, "%.*s\n%s",
                 SPAN_ARGS(buf_span(&errors)), import->yaml.data);
    unlink(path);
    buf_fini(&errors);
    return settings;
}

/* What Debian 12 ships, without its comments. */
static const char debian[] = "acl localnet src 0.0.0.1-0.255.255.255\n"
                             "acl localnet src 10.0.0.0/8\n"
                             "acl localnet src 100.64.0.0/10\n"
                             "acl localnet src 169.254.0.0/16\n"
                             "acl localnet src 172.16.0.0/12\n"
                             "acl localnet src 192.168.0.0/16\n"
                             "acl localnet src fc00::/7\n"
                             "acl localnet src fe80::/10\n"
                             "acl SSL_ports port 443\n"
                             "acl Safe_ports port 80\t\t# http\n"
                             "acl Safe_ports port 21\t\t# ftp\n"
                             "acl Safe_ports port 443\t\t# https\n"
                             "acl Safe_ports port 1025-65535\t# unregistered ports\n"
                             "http_access deny !Safe_ports\n"
                             "http_access deny CONNECT !SSL_ports\n"
                             "http_access allow localhost manager\n"
                             "http_access deny manager\n"
                             "include /etc/squid/conf.d/*.conf\n"
                             "http_access allow localhost\n"
                             "http_access deny all\n"
                             "http_port 3128\n"
                             "coredump_dir /var/spool/squid\n"
                             "refresh_pattern ^ftp:\t\t1440\t20%\t10080\n"
                             "refresh_pattern ^gopher:\t1440\t0%\t1440\n"
                             "refresh_pattern -i (/cgi-bin/|\\?) 0\t0%\t0\n"
                             "refresh_pattern .\t\t0\t20%\t4320\n"
                             "logfile_rotate 0\n";

Test(squid, what_debian_ships)
{
    struct import import;

    import_init(&import, span_str(debian));
    struct settings *settings = settings_of(&import);
    cr_assert_not_null(settings);
    cr_expect_eq(import.lost, 1, "%s", import.notes.data);
    cr_expect(strstr(import.notes.data, "squid.conf:18: not translated: include"), "%s",
              import.notes.data);
    cr_expect_str_eq(settings->listen[0].at.text, "[::]:3128");
    cr_assert_eq(settings->access_count, 3);
    cr_assert_eq(settings->access[0].except_count, 1);
    cr_expect_eq(settings->access[0].except[0].port_count, 4);
    cr_expect(settings->access[1].allow);
    cr_expect_eq(settings->access[1].from_count, 2);
    cr_expect_not(settings->access[2].allow);
    cr_expect_eq(settings->access[2].from_count, 0);
    cr_expect_eq(settings->connect_port_count, 1);
    cr_expect_eq(settings->connect_ports[0].first, 443);
    cr_expect_eq(settings->cache.heuristic_percent, 20);
    cr_expect_eq(settings->cache.heuristic_max, 4320 * 60);
    settings_unref(&settings);
    import_fini(&import);
}

Test(squid, an_institutions)
{
    static const char text[] = "http_port 192.0.2.1:8080\n"
                               "https_port 3130 tls-cert=/etc/ssl/a.pem tls-key=/etc/ssl/a.key\n"
                               "cache_dir aufs /var/spool/squid 20000 16 256\n"
                               "cache_dir rock /mnt/rock 5000\n"
                               "cache_mem 512 MB\n"
                               "maximum_object_size 4 GB\n"
                               "visible_hostname proxy.example.net\n"
                               "dns_nameservers 192.0.2.53 2001:db8::53\n"
                               "forwarded_for on\n"
                               "connect_timeout 30 seconds\n"
                               "read_timeout 5 minutes\n"
                               "shutdown_lifetime 10 seconds\n"
                               "workers 2\n"
                               "acl campus src 10.1.0.0/255.255.0.0 2001:db8::/32\n"
                               "acl bad src 10.1.9.9\n"
                               "http_access deny bad\n"
                               "http_access allow campus\n"
                               "http_access deny all\n"
                               "logformat mine %ts.%03tu %6tr %>a \"%{User-Agent}>h\" %ru \\\n"
                               "   %{X-Id}>h\n"
                               "access_log stdio:/var/log/squid/access.log\n"
                               "access_log daemon:/var/log/squid/mine.log mine\n"
                               "access_log syslog:daemon.info combined\n";
    struct import import;

    import_init(&import, span_str(text));
    struct settings *s = settings_of(&import);
    cr_assert_not_null(s);
    cr_expect_eq(import.lost, 0, "%s", import.notes.data);
    cr_expect_eq(s->listen_count, 2);
    cr_expect(s->listen[1].is_tls);
    cr_expect_eq(s->store_count, 2);
    cr_expect_str_eq(s->stores[0].path, "/var/spool/squid/larder");
    cr_expect_eq(s->stores[1].size, 5000ull << 20);
    cr_expect_eq(s->memory_size, 512 << 20);
    cr_expect_eq(s->object_max, 4ull << 30);
    cr_expect_str_eq(s->name, "proxy.example.net");
    cr_expect_eq(s->nameserver_count, 2);
    cr_expect_eq(s->forwarded, FORWARDED_X);
    cr_expect_eq(s->timeouts.connect, 30000);
    cr_expect_eq(s->timeouts.origin_body, 300000);
    cr_expect_eq(s->timeouts.drain, 10000);
    cr_expect_eq(s->workers, 2);
    cr_assert_eq(s->access_count, 3);
    cr_expect_not(s->access[0].allow);
    cr_expect_eq(s->access[1].from_count, 2);
    cr_expect_eq(s->access[1].from[0].bits, 112);
    cr_assert_eq(s->access_log_count, 3);
    cr_expect_eq(s->access_logs[0].style.format, ACCESS_SQUID);
    cr_expect_eq(s->access_logs[1].style.format, ACCESS_TEMPLATE);
    cr_expect_str_eq(s->access_logs[2].to, "syslog");
    cr_expect(strstr(import.yaml.data, "\"{epoch} {elapsed_ms} {client} \\\"{user_agent}\\\" {url} "
                                       "{request.X-Id}\"}  # squid.conf:22"),
              "%s", import.yaml.data);
    settings_unref(&s);
    import_fini(&import);
}

/* Of Squid 2 and 3.1: they stand in files for decades. */
Test(squid, names_of_long_ago)
{
    static const char text[] =
        "http_access deny all\n"
        "no_cache deny all\n"
        "redirect_children 5\n"
        "httpd_accel_uses_host_header on\n"
        "logformat old %ts.%03tu %6tr %>A %Ss/%03Hs %<st %rm %ru %un %Sh/%<A %mt\n"
        "cache_access_log /var/log/squid/access.log\n"
        "access_log /var/log/squid/old.log old\n";
    struct import import;

    import_init(&import, span_str(text));
    struct settings *s = settings_of(&import);
    cr_assert_not_null(s);
    cr_expect_eq(import.lost, 2, "%s", import.notes.data);
    cr_expect(strstr(import.notes.data, ":2: not translated: no_cache deny all: responses decide"));
    cr_expect(strstr(import.notes.data, ":3: not translated: redirect_children 5: Larder has no"));
    cr_expect(strstr(import.notes.data, ":4: httpd_accel_uses_host_header on: not needed"));
    cr_assert_eq(s->access_log_count, 2, "%s", import.yaml.data);
    cr_expect_eq(s->access_logs[0].style.format, ACCESS_SQUID);
    cr_expect(strstr(import.yaml.data, "\"{epoch} {elapsed_ms} {client} {result}/{status} {bytes} "
                                       "{method} {url} {user} {hierarchy} {content_type}\""),
              "%s", import.yaml.data);
    settings_unref(&s);
    import_fini(&import);
}

Test(squid, ranges_become_networks)
{
    struct import import;

    import_init(&import, SPAN("acl a src 10.0.0.1-10.0.0.10 0.0.0.0-255.255.255.255\n"
                              "http_access allow a\n"));
    cr_expect_eq(import.lost, 0, "%s", import.notes.data);
    cr_expect(strstr(import.yaml.data,
                     "from: [\"10.0.0.1\", \"10.0.0.2/31\", \"10.0.0.4/30\", \"10.0.0.8/31\", "
                     "\"10.0.0.10\", \"0.0.0.0/0\"]"),
              "%s", import.yaml.data);
    import_fini(&import);
}

Test(squid, rules_of_a_school)
{
    static const char text[] =
        "auth_param basic program /usr/lib/squid/basic_ncsa_auth /etc/squid/passwd\n"
        "acl people proxy_auth REQUIRED\n"
        "acl bad dstdomain .bad.example only.example\n"
        "acl work time MTA 8:00-16:59\n"
        "acl web port 80 8000-8080\n"
        "acl change method PUT POST\n"
        "http_access deny bad\n"
        "http_access deny change web\n"
        "http_access allow localhost CONNECT\n"
        "http_access allow people work\n"
        "http_access deny all\n";
    static const char want[] =
        "connect-ports: [1-65535]  # squid.conf:11\n"
        "users:\n"
        "  file: \"/etc/squid/passwd\"  # squid.conf:1\n"
        "access:\n"
        "  - deny: {hosts: [\"bad.example\", \"=only.example\"]}  # squid.conf:7\n"
        "  - deny: {ports: [\"80\", \"8000-8080\"], methods: [\"PUT\", \"POST\"]}  # squid.conf:8\n"
        "  - allow: {from: [\"127.0.0.1\", \"::1\"], methods: [\"CONNECT\"]}  # squid.conf:9\n"
        "  - allow: {users: [\"*\"], hours: [\"mon-tue,sat 08:00-17:00\"]}  # squid.conf:10\n"
        "  - deny: {}  # squid.conf:11\n";
    struct import import;

    import_init(&import, span_str(text));
    cr_expect_eq(import.lost, 0, "%s", import.notes.data);
    cr_expect(strstr(import.yaml.data, want), "%s", import.yaml.data);
    struct settings *settings = settings_of(&import);
    cr_assert_not_null(settings);
    cr_expect_eq(settings->access_count, 5);
    settings_unref(&settings);
    import_fini(&import);
}

/* A mode that there is not costs nobody the port. */
Test(squid, ports_of_other_modes)
{
    struct import import;

    import_init(&import, SPAN("http_port 3128 ssl-bump cert=/etc/squid/ca.pem "
                              "generate-host-certificates=on\n"
                              "http_port 192.0.2.1:3129 intercept\nhttp_port 3130 transparent\n"
                              "https_port 3131 intercept ssl-bump tls-cert=/etc/squid/ca.pem\n"
                              "http_port 80 accel vhost\nhttp_access allow all\n"));
    struct settings *s = settings_of(&import);
    cr_assert_not_null(s);
    cr_expect_eq(import.lost, 5, "%s", import.notes.data);
    cr_assert_eq(s->listen_count, 4);
    cr_expect_str_eq(s->listen[0].at.text, "[::]:3128");
    cr_expect_str_eq(s->listen[1].at.text, "192.0.2.1:3129");
    cr_expect_str_eq(s->listen[3].at.text, "[::]:80");
    for (size_t i = 0; i < s->listen_count; i++) {
        cr_expect_not(s->listen[i].is_tls, "%zu", i);
    }
    cr_expect(strstr(import.notes.data, ":1: not translated: http_port 3128 ssl-bump"));
    cr_expect(strstr(import.notes.data, "the port is kept for those that are\n"), "%s",
              import.notes.data);
    settings_unref(&s);
    import_fini(&import);
}

Test(squid, an_accelerator)
{
    struct import import;

    import_init(&import, SPAN("http_port 80 accel defaultsite=www.example.net vhost\n"
                              "cache_peer 192.0.2.10 parent 8080 0 no-query originserver\n"
                              "http_access allow all\n"));
    struct settings *s = settings_of(&import);
    cr_assert_not_null(s);
    cr_expect_eq(import.lost, 0, "%s", import.notes.data);
    cr_assert_eq(s->site_count, 1);
    cr_expect_str_eq(s->sites[0].hosts[0], "www.example.net");
    cr_expect_eq(s->sites[0].origins[0].uri.port, 8080);
    cr_expect_eq(s->access_count, 1);
    cr_expect_eq(s->access[0].from_count, 0);
    settings_unref(&s);
    import_fini(&import);
}

Test(squid, what_is_lost_is_said)
{
    static const struct {
        const char *text, *note;
        size_t lost;
    } cases[] = {
        {"http_port 3128 intercept\n",
         ":1: not translated: http_port 3128 intercept: intercept:", 1},
        {"\n# c\nhttp_port x\n", ":3: not translated: http_port x: \"x\" is no port", 1},
        {"https_port 443\n", "it names no certificate", 1},
        {"cache_peer proxy parent 3128 0 default\n", "Larder has no parents", 1},
        {"acl a url_regex ^http\nhttp_access deny a\nhttp_access allow all\n",
         ":2: not translated: http_access deny a: a (squid.conf, line 1) cannot be translated: "
         "LOOK AT",
         2},
        {"acl a dstdom_regex x\nhttp_access allow a\n",
         ":2: not translated: http_access allow a: a (squid.conf, line 1) cannot be translated: "
         "the clients that it allows are denied",
         2},
        {"acl a dstdomain \"/etc/squid/bad\"\nhttp_access deny a\nhttp_access deny all\n",
         ":1: not translated: acl a dstdomain /etc/squid/bad: \"/etc/squid/bad\": No such file", 2},
        {"acl a proxy_auth REQUIRED\nhttp_access allow a\n",
         ":2: not translated: http_access allow a: it needs users, and no htpasswd file", 1},
        {"acl a time MTWHX 8:00-17:00\nhttp_access allow a\n", ":1: not translated: acl a time", 2},
        {"acl a time MTWHF 8:00-17:00\nhttp_access allow a\n", "which includes the last minute", 0},
        {"acl a src 10.0.0.0/8\nhttp_access deny a\n", "the last rule denies, so Squid allows", 0},
        {"acl a browser x\nhttp_access deny a\nhttp_access deny localhost\n",
         "Larder does not, as not all deny rules are here", 3},
        {"acl a src 10.0.0.0/255.0.255.0\nhttp_access deny a\nhttp_access deny all\n",
         "LOOK AT THIS", 2},
        {"acl a url_regex ^http://(www\\.)?a\\.example/\nhttp_access allow a\n",
         ":2: not translated: http_access allow a: Larder's would let in more", 1},
        {"acl a url_regex ^http://(www\\.)?a\\.example/\nhttp_access deny a\n",
         ":2: http_access deny a: it denies more than in Squid", 0},
        {"acl a dstdom_regex ^a\\.example$ ads\nhttp_access deny a\nhttp_access deny all\n",
         ":2: not translated: http_access deny a: only partly", 2},
        {"acl a src b.example\nacl a src 10.0.0.1\nhttp_access allow !a\n",
         ":3: not translated: http_access allow !a: Larder's would let in more", 2},
        {"acl a time A\nacl b time S\nhttp_access deny a b\nhttp_access deny all\n",
         ":3: not translated: http_access deny a b: two conditions about hours at once", 1},
        {"http_access allow nobody\n", "there is no acl nobody", 1},
        {"http_access allow to_localhost\n", "see allow-targets", 1},
        {"if ${process_number} = 1\nworkers 2\nendif\n", ":1: not translated: if ${process_", 1},
        {"if true\n", "an if has no endif", 1},
        {"endif\n", ":1: not translated: endif: no if is open", 1},
        {"include /etc/x.conf\n", ":1: not translated: include /etc/x.conf: the file cannot", 1},
        {"refresh_pattern -i \\.jpg$ 10080 90% 43200 override-expire\n", "origins decide lifetimes",
         1},
        {"access_log udp://192.0.2.1:99 squid\n", "logs go to files", 1},
        {"logformat x %ssl::>cert_subject\naccess_log /a x\n", "%ssl::>cert_subject has no", 2},
        {"delay_pools 1\n", "delay pool 1 has no delay_class", 0},
        {"delay_pools 1\ndelay_class 1 1\ndelay_parameters 1 64000/64000\ndelay_access 1 allow "
         "localhost\n",
         ":3: not translated: delay_parameters 1 64000/64000: a rate shared by some", 1},
        {"delay_pools 1\ndelay_class 1 3\ndelay_parameters 1 -1/-1 9000/9000 9000/9000\n"
         "delay_access 1 allow all\n",
         "there are no rates of networks", 1},
        {"delay_pools 1\ndelay_class 1 2\ndelay_parameters 1 -1/-1\n",
         "a class 2 has 2 parameters such as", 1},
        {"delay_class 2 2\n", "no such pool", 1},
        {"coredump_dir /x\n", ":1: coredump_dir /x: not needed", 0},
        {"flubber on\n", "unknown directive", 1},
        {"via off\n", "Via is always sent, to detect loops", 1},
        {"cache_mem lots\n", "not a valid value", 1},
        {"auth_param basic program /usr/lib/squid/basic_ldap_auth -b x\n", "htpasswd", 1},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct import import;
        import_init(&import, span_str(cases[i].text));
        cr_expect(strstr(import.notes.data, cases[i].note), "%s: %s", cases[i].text,
                  import.notes.data);
        cr_expect_eq(import.lost, cases[i].lost, "%s: %zu: %s", cases[i].text, import.lost,
                     import.notes.data);
        struct settings *settings = settings_of(&import);
        settings_unref(&settings);
        import_fini(&import);
    }
}

Test(squid, rules_stay_what_they_mean)
{
    static const struct {
        const char *text, *rules;
    } cases[] = {
        {"acl a src 10.0.0.0/8\nacl b src 10.1.0.0/16 192.0.2.1\nhttp_access allow a b\n",
         "  - allow: {from: [\"10.1.0.0/16\"]}  # squid.conf:3\n"},
        {"acl a port 1-100\nacl b port 80-200 443\nhttp_access allow a b\n",
         "  - allow: {ports: [\"80-100\"]}  # squid.conf:3\n"},
        {"acl a dstdomain .example www.example.net\nacl b dstdomain .x.example .example.net\n"
         "http_access allow a b\n",
         "  - allow: {hosts: [\"x.example\", \"=www.example.net\"]}  # squid.conf:3\n"},
        {"acl a method GET PUT\nacl b method PUT\nhttp_access allow a b\n",
         "  - allow: {methods: [\"PUT\"]}  # squid.conf:3\n"},
        {"acl a src 10.0.0.0/8\nacl b src 192.0.2.1\nhttp_access allow a b\n"
         "http_access allow localhost\n",
         "access:\n  - allow: {from: [\"127.0.0.1\", \"::1\"]}  # squid.conf:4\n"},
        {"acl a src 10.0.0.0/8\nacl b src 10.0.0.1\nacl c src 192.0.2.0/24\n"
         "http_access allow a !b !c\n",
         "  - allow: {from: [\"10.0.0.0/8\"], except: [{from: [\"10.0.0.1\"]}]}  # "
         "squid.conf:4\n"},
        {"acl a src 10.0.0.0/8\nhttp_access deny a !all\nhttp_access allow !manager a\n",
         "access:\n  - allow: {from: [\"10.0.0.0/8\"]}  # squid.conf:3\n"},
        /* What a name stands for may come behind the rule. */
        {"acl a src 10.0.0.1\nhttp_access allow a\nacl a src 10.0.0.2\n",
         "  - allow: {from: [\"10.0.0.1\", \"10.0.0.2\"]}  # squid.conf:2\n"},
        {"acl ssl port 443 8443\nhttp_access deny CONNECT !ssl\nhttp_access allow all\n",
         "connect-ports: [443, 8443]  # squid.conf:2\naccess:\n  - allow: {}  # squid.conf:3\n"},
        {"acl ssl port 443\nhttp_access allow localhost\nhttp_access deny CONNECT !ssl\n"
         "http_access allow all\n",
         "  - deny: {methods: [\"CONNECT\"], except: [{ports: [\"443\"]}]}  # squid.conf:3\n"},
        {"acl a src 10.0.0.0/8\nhttp_access deny a\n",
         "  - deny: {from: [\"10.0.0.0/8\"]}  # squid.conf:2\n"
         "  - allow: {}  # the end: the last http_access of Squid denies\n"},
        {"http_port 3128\n", "access: [{deny: {}}]  # there is no rule that allows\n"},
        {"acl a browser x\nhttp_access allow a\n",
         "  # not translated: http_access allow a  # squid.conf:2\naccess: [{deny: {}}]"},
        {"acl t time MTWHF 8:00-11:59 12:30-18:00 A\nhttp_access allow t\n",
         "hours: [\"mon-fri 08:00-12:00\", \"12:30-18:00\", \"sat\"]"},
        {"acl a proto FTP\nhttp_access deny a\nhttp_access allow localhost\n",
         "access:\n  - allow: {from: [\"127.0.0.1\", \"::1\"]}  # squid.conf:3\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct import import;
        import_init(&import, span_str(cases[i].text));
        cr_expect(strstr(import.yaml.data, cases[i].rules), "%s: %s", cases[i].text,
                  import.yaml.data);
        struct settings *settings = settings_of(&import);
        settings_unref(&settings);
        import_fini(&import);
    }
}

Test(squid, pools_become_rates)
{
    static const char text[] = "acl a src 10.0.0.0/8\n"
                               "acl b src 10.1.0.0/16\n"
                               "http_access allow a\n"
                               "delay_pools 2\n"
                               "delay_class 1 2\n"
                               "delay_class 2 1\n"
                               "delay_parameters 1 -1/-1 64000/64000\n"
                               "delay_parameters 2 none\n"
                               "delay_access 1 allow b\n"
                               "delay_access 1 deny all\n"
                               "delay_access 2 allow all\n";
    struct import import;

    import_init(&import, span_str(text));
    cr_expect_eq(import.lost, 0, "%s", import.notes.data);
    cr_expect(strstr(import.yaml.data,
                     "access:\n"
                     "  - allow: {from: [\"10.1.0.0/16\"], limits: {rate: 64000}}  # squid.conf:3\n"
                     "  - allow: {from: [\"10.0.0.0/8\"]}  # squid.conf:3\n"),
              "%s", import.yaml.data);
    import_fini(&import);
    import_init(&import, SPAN("http_access allow all\ndelay_pools 1\ndelay_class 1 4\n"
                              "delay_parameters 1 900000/1 -1/-1 -1/-1 64000/64000\n"
                              "delay_access 1 allow all\n"));
    cr_expect_eq(import.lost, 0, "%s", import.notes.data);
    cr_expect(
        strstr(import.yaml.data, "shares:\n  total: 900000  # squid.conf:4\n  free-hits: yes"));
    cr_expect(strstr(import.yaml.data, "  - allow: {limits: {rate: 64000}}  # squid.conf:1\n"));
    struct settings *settings = settings_of(&import);
    cr_expect_eq(settings->shares.total, 900000);
    settings_unref(&settings);
    import_fini(&import);
    /* Whom the pool has wholly is not let in once more without a rate. */
    import_init(&import, SPAN("acl a src 10.0.0.0/8 192.0.2.0/24\nacl h dstdomain .x.example\n"
                              "acl n src 10.9.0.0/16\nhttp_access allow a h !n\n"
                              "http_access allow a\ndelay_pools 1\ndelay_class 1 2\n"
                              "delay_parameters 1 -1/-1 64000/64000\n"
                              "delay_access 1 allow a h !n\ndelay_access 1 deny all\n"));
    cr_expect_eq(import.lost, 0, "%s", import.notes.data);
    cr_expect(
        strstr(import.yaml.data,
               "access:\n"
               "  - allow: {from: [\"10.0.0.0/8\", \"192.0.2.0/24\"], hosts: [\"x.example\"], "
               "except: [{from: [\"10.9.0.0/16\"]}], limits: {rate: 64000}}  # squid.conf:4\n"
               "  - allow: {from: [\"10.0.0.0/8\", \"192.0.2.0/24\"], hosts: [\"x.example\"], "
               "except: [{from: [\"10.9.0.0/16\"]}], limits: {rate: 64000}}  # squid.conf:5\n"
               "  - allow: {from: [\"10.0.0.0/8\", \"192.0.2.0/24\"]}  # squid.conf:5\n"),
        "%s", import.yaml.data);
    import_fini(&import);
}

Test(squid, files_that_are_named)
{
    struct shelf shelf = {.files = {{"/a/dots", "# c\n.x.example\n\n192.0.2.1 # old\n"},
                                    {"/a/mixed", ".x.example\nalone.example\r\n-bad\n"},
                                    {"/a/nets", "10.0.0.0/8\n  10.9.0.1  \n"},
                                    {"/a/conf.d/1", "include /a/conf.d/1\nworkers 3\n"},
                                    {"/a/conf.d/2", "http_access allow nets\n"}}};
    struct squid_io io = {.arg = &shelf, .read = shelf_read, .match = shelf_match};
    struct buf text = BUF_INIT;
    struct import import;

    import_with(&import,
                SPAN("acl dots dstdomain \"/a/dots\"\n"
                     "acl mixed dstdomain \"/a/mixed\"\n"
                     "acl nets src \"/a/nets\"\n"
                     "http_access deny dots\nhttp_access deny mixed\n"
                     "include /a/conf.d/*\nhttp_access deny all\n"),
                &io);
    cr_expect(strstr(import.yaml.data, "  - deny: {host-files: [\"/a/dots\"]}  # squid.conf:4\n"
                                       "  - deny: {hosts: [\"x.example\", \"=alone.example\"]}  # "
                                       "squid.conf:5\n"
                                       "  - allow: {from: [\"10.0.0.0/8\", \"10.9.0.1\"]}  # "
                                       "/a/conf.d/2:1\n"
                                       "  - deny: {}  # squid.conf:7\n"),
              "%s", import.yaml.data);
    cr_expect(strstr(import.yaml.data, "workers: 3  # /a/conf.d/1:2\n"));
    cr_expect(strstr(import.notes.data, "more than 16 files, one inside the other"));
    cr_expect(strstr(import.notes.data, "\"-bad\" in /a/mixed: not a host name"));
    import_fini(&import);

    for (int i = 0; i <= SQUID_ITEMS_MAX; i++) {
        buf_printf(&text, "h%d.example\n", i);
    }
    buf_append(&text, SPAN("\0"));
    shelf.files[0].text = text.data;
    import_with(&import, SPAN("acl many dstdomain \"/a/dots\"\nhttp_access deny many\n"), &io);
    cr_expect(strstr(import.notes.data, "with --lists DIR it becomes a list there"));
    import_fini(&import);
    io.keep = shelf_keep;
    import_with(&import, SPAN("acl many dstdomain \"/a/dots\"\nhttp_access deny many\n"), &io);
    cr_expect(strstr(import.yaml.data, "  - deny: {host-files: [\"/lists/many\"]}"));
    buf_append(&shelf.kept, SPAN("\0"));
    cr_expect(strstr(shelf.kept.data, "/a/dots, of Squid's acl many. =NAME is the name alone.\n"
                                      "=h0.example\n=h1.example\n"),
              "%s", shelf.kept.data);
    import_fini(&import);
    buf_fini(&shelf.kept);
    buf_fini(&text);
}

Test(squid, ifs_are_followed_where_they_can_be)
{
    struct import import;

    import_init(&import, SPAN("if 1 = 2\nworkers 2\nif true\nworkers 3\nendif\nelse\nworkers 4\n"
                              "endif\nif false\nvisible_hostname x\nendif\n"));
    cr_expect_eq(import.lost, 0, "%s", import.notes.data);
    cr_expect(strstr(import.yaml.data, "workers: 4  # squid.conf:7\n"));
    cr_expect_null(strstr(import.yaml.data, "name:"));
    import_fini(&import);
}

Test(squid, patterns_that_are_lists_of_names)
{
    static const struct {
        const char *pattern;
        bool is_url;
        const char *want; /* with blanks for NUL; NULL: it cannot be said */
    } cases[] = {
        {"^www\\.example\\.net$", false, "=www.example.net "},
        {"\\.example\\.net$", false, "*.example.net "},
        {".*\\.example\\.net$", false, "*.example.net "},
        {"(^|\\.)example\\.(net|org)$", false, "example.net example.org "},
        {"^(.*\\.)?example\\.net$", false, "example.net "},
        {"^(www\\.)?example\\.net$", false, "=www.example.net =example.net "},
        {"^(a|b)-(c|d)\\.net$", false, "=a-c.net =a-d.net =b-c.net =b-d.net "},
        {"^https?://www\\.example\\.net/", true, "=www.example.net "},
        {"^http://([^/]*\\.)?example\\.net(:|/|$)", true, "example.net "},
        {"example\\.net$", false, NULL}, /* notexample.net, too */
        {"^www\\.example\\.net", false, NULL},
        {"^www.example.net$", false, NULL},
        {"^www[0-9]\\.example\\.net$", false, NULL},
        {"^Www\\.example\\.net$", false, NULL},
        {"^a\\.example\\.net\\$", false, NULL},
        {"^((a|b)|c)\\.net$", false, NULL},
        {"^(a\\.net$", false, NULL},
        {"^(a|b)*\\.net$", false, NULL},
        {"^a\\.\\.net$", false, NULL},
        {"^$", false, NULL},
        {"(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)$", false, NULL},
        {"^(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)$", false, NULL},
        {"^http://www\\.example\\.net/ads/", true, NULL},
        {"^http://www\\.example\\.net", true, NULL},
        {"\\.exe$", true, NULL},
        {"", true, NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf items = BUF_INIT;
        bool wider = false;
        const char *why =
            squid_regex_hosts(span_str(cases[i].pattern), false, cases[i].is_url, &items, &wider);
        cr_expect_eq(why == NULL, cases[i].want != NULL, "%s: %s", cases[i].pattern, why);
        for (size_t at = items.start; at < items.end; at++) {
            items.data[at] = items.data[at] ? items.data[at] : ' ';
        }
        cr_expect(span_eq(buf_span(&items), span_str(cases[i].want ? cases[i].want : "")),
                  "%s: %.*s", cases[i].pattern, SPAN_ARGS(buf_span(&items)));
        cr_expect_eq(wider, cases[i].is_url && cases[i].want);
        buf_fini(&items);
    }
}
