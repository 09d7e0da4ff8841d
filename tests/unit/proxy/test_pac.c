/* What clients are told of the proxy. */
#include "proxy/client/pac.h"

#include <criterion/criterion.h>
#include <unistd.h>

static struct settings *load(const char *yaml)
{
    char path[] = "/tmp/larder-test-XXXXXX", program[] = "p", option[] = "--config";
    char *argv[] = {program, option, path, NULL};
    struct buf errors = BUF_INIT;
    struct settings *settings;
    int fd = mkstemp(path);

    cr_assert_eq(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
    close(fd);
    int err = settings_load(3, argv, &errors, &settings);
    buf_append(&errors, SPAN("\0"));
    cr_assert_eq(err, 0, "%s: %s", yaml, errors.data);
    unlink(path);
    buf_fini(&errors);
    return settings;
}

#define TLS ", tls: {certificate: a, key: b}}"

Test(pac, a_plain_port_that_can_be_reached_is_preferred)
{
    static const struct {
        const char *listen, *host;
        bool tls;
        const char *choice, *by_hand, *script;
    } cases[] = {
        {"[10.0.0.1:1]", "p.test:9", false, "PROXY p.test:1; DIRECT", "http://p.test:1",
         "http://p.test:9/proxy.pac"},
        {"[{address: 10.0.0.1:1" TLS ", 10.0.0.1:2, 10.0.0.1:3]", "p.test:2", false,
         "PROXY p.test:2; DIRECT", "http://p.test:2", "http://p.test:2/proxy.pac"},
        /* Asked on the port that speaks TLS, the script is there. */
        {"[{address: 10.0.0.1:1" TLS ", 10.0.0.1:2]", "p.test:1", true, "PROXY p.test:2; DIRECT",
         "http://p.test:2", "https://p.test:1/proxy.pac"},
        {"[{address: 10.0.0.1:1" TLS "]", "p.test:1", true, "HTTPS p.test:1; DIRECT",
         "https://p.test:1", "https://p.test:1/proxy.pac"},
        /* Without a name that could stand in a script. */
        {"[{address: 10.0.0.1:1" TLS "]", "\"", false, "HTTPS 127.0.0.1:1; DIRECT",
         "https://127.0.0.1:1", "https://127.0.0.1:1/proxy.pac"},
        /* A plain port of this machine alone is of no use to others. */
        {"[127.0.0.1:2, {address: 10.0.0.1:1" TLS "]", "p.test:1", true, "HTTPS p.test:1; DIRECT",
         "https://p.test:1", "https://p.test:1/proxy.pac"},
        {"[{address: 10.0.0.1:1" TLS ", \"[::1]:2\"]", "[::1]:2", false, "PROXY [::1]:2; DIRECT",
         "http://[::1]:2", "http://[::1]:2/proxy.pac"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf yaml = BUF_INIT, script = BUF_INIT, page = BUF_INIT, want = BUF_INIT;
        buf_printf(&yaml, "listen: %s\npac: {}\n%c", cases[i].listen, '\0');
        struct settings *settings = load(yaml.data);
        struct pac_asker asker = {span_str(cases[i].host), cases[i].tls};

        pac_script(settings, &asker, &script);
        buf_append(&script, SPAN("\0"));
        buf_printf(&want, "    return \"%s\";\n}\n%c", cases[i].choice, '\0');
        cr_expect(strstr(script.data, want.data), "%zu: %s", i, script.data);
        pac_setup(settings, &asker, &page);
        buf_append(&page, SPAN("\0"));
        buf_clear(&want);
        buf_printf(&want, "<code>%s</code></dl>%c", cases[i].by_hand, '\0');
        cr_expect(strstr(page.data, want.data), "%zu: %s", i, page.data);
        buf_clear(&want);
        buf_printf(&want, "<code>%s</code><small>%c", cases[i].script, '\0');
        cr_expect(strstr(page.data, want.data), "%zu: %s", i, page.data);
        cr_expect(strstr(page.data, "<main>\n<h1>"), "a landmark, for screen readers");
        settings_unref(&settings);
        buf_fini(&yaml);
        buf_fini(&script);
        buf_fini(&page);
        buf_fini(&want);
    }
}

Test(pac, the_page_for_people_goes_by_the_configuration)
{
    struct settings *settings =
        load("pac: {proxies: [\"https://one.test:1\", two.test:2], direct: [10.0.0.0/8, "
             "\"2001:db8::/32\", 192.0.2.7, \"*.in.test\", x.test]}\n");
    struct pac_asker asker = {SPAN("p.test:1"), false};
    struct buf page = BUF_INIT, script = BUF_INIT;

    pac_setup(settings, &asker, &page);
    buf_append(&page, SPAN("\0"));
    cr_expect(strstr(page.data, "http_proxy=http://two.test:2 "), "%s", page.data);
    cr_expect(strstr(page.data, "no_proxy=localhost,127.0.0.1,::1,10.0.0.0/8,2001:db8::/32,"
                                "192.0.2.7,.in.test,x.test</pre>"),
              "%s", page.data);
    pac_script(settings, &asker, &script);
    buf_append(&script, SPAN("\0"));
    cr_expect(strstr(script.data, "\"HTTPS one.test:1; PROXY two.test:2; DIRECT\""), "%s",
              script.data);
    settings_unref(&settings);
    buf_fini(&page);
    buf_fini(&script);
}
