/* Configurations of Squid: what they become is good, and what is lost is said. */
#include "ctl/squid.h"
#include "proxy/directives.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct import {
    struct buf yaml, notes;
    size_t lost;
};

static void import_init(struct import *import, struct span text)
{
    *import = (struct import){.yaml = BUF_INIT, .notes = BUF_INIT};
    import->lost = squid_import("squid.conf", text, &import->yaml, &import->notes);
    buf_append(&import->yaml, SPAN("\0"));
    buf_append(&import->notes, SPAN("\0"));
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
    cr_assert_eq(settings->access_count, 2);
    cr_expect(settings->access[0].allow);
    cr_expect_eq(settings->access[0].from_count, 2);
    cr_expect_not(settings->access[1].allow);
    cr_expect_eq(settings->access[1].from_count, 0);
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

Test(squid, ranges_become_networks)
{
    struct import import;

    import_init(&import, SPAN("acl a src 10.0.0.1-10.0.0.10 0.0.0.0-255.255.255.255\n"
                              "http_access allow a\n"));
    cr_expect_eq(import.lost, 0, "%s", import.notes.data);
    cr_expect(strstr(import.yaml.data,
                     "from: [\"10.0.0.1/32\", \"10.0.0.2/31\", \"10.0.0.4/30\", \"10.0.0.8/31\", "
                     "\"10.0.0.10/32\", \"0.0.0.0/0\"]"),
              "%s", import.yaml.data);
    import_fini(&import);
}

Test(squid, rules_of_a_school)
{
    static const char text[] =
        "auth_param basic program /usr/lib/squid/basic_ncsa_auth /etc/squid/passwd\n"
        "acl people proxy_auth REQUIRED\n"
        "acl bad dstdomain .bad.example only.example\n"
        "acl work time MTD 08:00-17:00\n"
        "acl web port 80 8000-8080\n"
        "acl change method PUT POST\n"
        "http_access deny bad\n"
        "http_access deny change web\n"
        "http_access allow localhost CONNECT\n"
        "http_access allow people work\n"
        "http_access deny all\n";
    static const char want[] =
        "users:\n"
        "  file: \"/etc/squid/passwd\"  # squid.conf:1\n"
        "access:\n"
        "  - deny: {hosts: [\"bad.example\", \"=only.example\"]}  # squid.conf:7\n"
        "  - deny: {ports: [\"80\", \"8000-8080\"], methods: [\"PUT\", \"POST\"]}  # squid.conf:8\n"
        "  - allow: {from: [\"127.0.0.0/8\", \"::1\"], methods: [\"CONNECT\"]}  # squid.conf:9\n"
        "  - allow: {users: [\"*\"], hours: [\"mon 08:00-17:00\", \"tue 08:00-17:00\", "
        "\"mon-fri 08:00-17:00\"]}  # squid.conf:10\n"
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
        {"cache_peer proxy parent 3128 0 default\n", "there are no parents", 1},
        {"acl a url_regex ^http\nhttp_access deny a\nhttp_access allow all\n",
         ":2: not translated: http_access deny a: LOOK AT THIS", 2},
        {"acl a dstdom_regex x\nhttp_access allow a\n",
         ":2: not translated: http_access allow a: "
         "whom it lets in stays out",
         2},
        {"acl a dstdomain \"/etc/squid/bad\"\nhttp_access deny a\nhttp_access deny all\n",
         ":2: not translated: http_access deny a: LOOK AT THIS", 1},
        {"acl a src 10.0.0.0/8\nacl b src 10.1.0.0/16\nhttp_access allow a b\n",
         ":3: not translated: http_access allow a b", 1},
        {"acl a proxy_auth REQUIRED\nhttp_access allow a\n", ":2: not translated", 1},
        {"acl a time MTWHF 8:00-17:00\nhttp_access allow a\n", ":2: not translated", 1},
        {"acl a src 10.0.0.0/8\nhttp_access deny a\n", "http_access ends in a rule that denies", 1},
        {"acl a src 10.0.0.0/255.0.255.0\nhttp_access deny a\nhttp_access deny all\n",
         "LOOK AT THIS", 1},
        {"refresh_pattern -i \\.jpg$ 10080 90% 43200 override-expire\n", "lifetimes come from", 1},
        {"access_log udp://192.0.2.1:99 squid\n", "logs go to files", 1},
        {"logformat x %ssl::>cert_subject\naccess_log /a x\n", "%ssl::>cert_subject has no", 2},
        {"delay_pools 1\n", "delay_pools 1:", 1},
        {"coredump_dir /x\n", ":1: coredump_dir /x: not needed", 0},
        {"flubber on\n", "not known", 1},
        {"via off\n", "Via is always sent: loops", 1},
        {"cache_mem lots\n", "no value that is understood", 1},
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
