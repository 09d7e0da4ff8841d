#include "http/uri.h"

#include <criterion/criterion.h>

#include "base/check.h"
#include "base/err.h"

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, NULL, 0);
}

static void teardown(void)
{
    arena_fini(&arena);
}

TestSuite(uri, .init = setup, .fini = teardown);

Test(uri, absolute_rfc3986)
{
    static const struct {
        const char *text;
        const char *want; /* uri_text(); NULL: refused */
    } cases[] = {
        {"http://example.com", "http://example.com:80/"},
        {"http://Example.COM/A?B", "http://example.com:80/A?B"},
        {"HTTPS://example.com:8443/a", "https://example.com:8443/a"},
        {"http://example.com?q", "http://example.com:80/?q"},
        {"http://example.com:/", "http://example.com:80/"},
        {"http://[2001:DB8::0:1]/", "http://[2001:db8::1]:80/"},
        {"http://192.0.2.1/", "http://192.0.2.1:80/"},
        {"http://example.com./", "http://example.com.:80/"},
        {"http://a_b/", "http://a_b:80/"},
        {"http://a/%zz|\"<>{}^`\\", "http://a:80/%zz|\"<>{}^`\\"},
        {"http://a/../b/./c", "http://a:80/../b/./c"},
        {"http://a//b?c??d", "http://a:80//b?c??d"},
        {"", NULL},
        {"example.com", NULL},
        {"http:/example.com", NULL},
        {"http:///path", NULL},
        {"http://?q", NULL},
        {"ftp://example.com/", NULL},
        {"http://user@example.com/", NULL},
        {"http://user:pw@example.com/", NULL},
        {"http://example.com/#f", NULL},
        {"http://example.com#f", NULL},
        {"http://example.com/a b", NULL},
        {"http://example.com/\x7f", NULL},
        {"http://example.com/\xc3\xa4", NULL},
        {"http://ex\xc3\xa4mple.com/", NULL},
        {"http://exa mple.com/", NULL},
        {"http://example.com:0/", NULL},
        {"http://example.com:65536/", NULL},
        {"http://example.com:000080/", NULL},
        {"http://example.com:80a/", NULL},
        {"http://example.com:-1/", NULL},
        {"http://[::1/", NULL},
        {"http://[::1]x/", NULL},
        {"http://[::1%25eth0]/", NULL},
        {"http://[fe80::1%eth0]/", NULL},
        {"http://[v1.a]/", NULL},
        {"http://[127.0.0.1]/", NULL},
        {"http://::1/", NULL},
        {"http://127.1/", NULL},
        {"http://2130706433/", NULL},
        {"http://0x7f000001/", NULL},
        {"http://0x7f.0.0.0x1/", NULL},
        {"http://127.0.0.01/", NULL},
        {"http://1.2.3.4.5/", NULL},
        {"http://256.1.1.1/", NULL},
        {"http://a.b.123/", NULL},
        {"http://127.0.0.1./", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct uri uri;
        int err = uri_parse(span_str(cases[i].text), &arena, &uri);
        cr_expect_eq(err, cases[i].want ? 0 : ERR_SYNTAX, "%s", cases[i].text);
        if (!err && cases[i].want) {
            struct span text = uri_text(&uri, &arena);
            cr_expect(span_eq(text, span_str(cases[i].want)), "%s: %.*s", cases[i].text,
                      SPAN_ARGS(text));
        }
    }
}
