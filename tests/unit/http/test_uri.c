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

Test(uri, authorities_rfc3986_3_2)
{
    static const struct {
        const char *text;
        uint16_t default_port;
        const char *host; /* NULL: refused */
        uint16_t port;
        bool is_ipv6;
    } cases[] = {
        {"Example.com", 80, "example.com", 80, false},
        {"example.com:8080", 80, "example.com", 8080, false},
        {"example.com:", 443, "example.com", 443, false},
        {"[::1]", 80, "::1", 80, true},
        {"[::FFFF:192.0.2.1]:1", 0, "::ffff:192.0.2.1", 1, true},
        {"example.com:443", 0, "example.com", 443, false},
        {"example.com", 0, NULL, 0, false},
        {"example.com:", 0, NULL, 0, false},
        {"[::1]", 0, NULL, 0, false},
        {"example.com:0", 0, NULL, 0, false},
        {"", 80, NULL, 0, false},
        {":80", 80, NULL, 0, false},
        {"[]", 80, NULL, 0, false},
        {"a:1:2", 80, NULL, 0, false},
        {"a/b", 80, NULL, 0, false},
        {"a@b", 80, NULL, 0, false},
        {"a b", 80, NULL, 0, false},
        {"a\\b", 80, NULL, 0, false},
        {"a#", 80, NULL, 0, false},
        {"a?", 80, NULL, 0, false},
        {"[::1]:80:80", 80, NULL, 0, false},
        {"::1", 80, NULL, 0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct uri uri;
        int err = uri_parse_authority(span_str(cases[i].text), cases[i].default_port, &arena, &uri);
        cr_expect_eq(err, cases[i].host ? 0 : ERR_SYNTAX, "%s", cases[i].text);
        if (err || !cases[i].host) {
            continue;
        }
        cr_expect(span_eq(uri.host, span_str(cases[i].host)), "%s", cases[i].text);
        cr_expect_eq(uri.port, cases[i].port, "%s", cases[i].text);
        cr_expect_eq(uri.is_ipv6, cases[i].is_ipv6, "%s", cases[i].text);
    }
}

Test(uri, hosts_have_255_bytes_at_most)
{
    char text[256];
    struct uri uri;

    memset(text, 'a', sizeof(text));
    cr_expect_eq(uri_parse_authority(span_of(text, 255), 80, &arena, &uri), 0);
    cr_expect_eq(uri_parse_authority(span_of(text, 256), 80, &arena, &uri), ERR_SYNTAX);
}

Test(uri, host_is_never_scanned_to_a_nul)
{
    struct uri uri;

    cr_expect_eq(uri_parse_authority(span_of("a\0b", 3), 80, &arena, &uri), ERR_SYNTAX);
    cr_expect_eq(uri_parse_authority(span_of("[::1\0]", 6), 80, &arena, &uri), ERR_SYNTAX);
    cr_expect_eq(uri_parse_authority(span_of("127.0.0.1\0", 10), 80, &arena, &uri), ERR_SYNTAX);
}

Test(uri, of_a_request_rfc9110_7_1)
{
    static const struct {
        const char *what;
        enum http_version version;
        enum http_method method;
        const char *target, *host, *scheme, *authority;
        bool https;
        enum uri_form form;
        const char *want; /* NULL: refused */
    } cases[] = {
        {"origin-form", HTTP_1_1, METHOD_GET, "/a?b", "A.example", "", "", false, URI_ORIGIN,
         "http://a.example:80/a?b"},
        {"origin-form on a TLS listener", HTTP_1_1, METHOD_GET, "/", "a", "", "", true, URI_ORIGIN,
         "https://a:443/"},
        {"origin-form with a port", HTTP_1_1, METHOD_GET, "/", "a:8080", "", "", false, URI_ORIGIN,
         "http://a:8080/"},
        {"origin-form with a URI inside", HTTP_1_1, METHOD_GET, "/http://b/", "a", "", "", false,
         URI_ORIGIN, "http://a:80/http://b/"},
        {"two slashes are a path", HTTP_1_1, METHOD_GET, "//b/c", "a", "", "", false, URI_ORIGIN,
         "http://a:80//b/c"},
        {"no Host", HTTP_1_0, METHOD_GET, "/", NULL, "", "", false, URI_ORIGIN, NULL},
        {"empty Host", HTTP_1_1, METHOD_GET, "/", "", "", "", false, URI_ORIGIN, NULL},
        {"bad Host", HTTP_1_1, METHOD_GET, "/", "a/b", "", "", false, URI_ORIGIN, NULL},
        {"fragment", HTTP_1_1, METHOD_GET, "/a#b", "a", "", "", false, URI_ORIGIN, NULL},
        {"absolute-form wins over Host", HTTP_1_1, METHOD_GET, "http://b/c", "a", "", "", true,
         URI_ABSOLUTE, "http://b:80/c"},
        {"absolute-form without Host", HTTP_1_0, METHOD_GET, "http://b", NULL, "", "", false,
         URI_ABSOLUTE, "http://b:80/"},
        {"absolute-form, https", HTTP_1_1, METHOD_GET, "https://b/", "b", "", "", false,
         URI_ABSOLUTE, "https://b:443/"},
        {"absolute-form, other scheme", HTTP_1_1, METHOD_GET, "ftp://b/", "b", "", "", false,
         URI_ABSOLUTE, NULL},
        {"absolute-form, userinfo", HTTP_1_1, METHOD_GET, "http://u@b/", "b", "", "", false,
         URI_ABSOLUTE, NULL},
        {"neither form", HTTP_1_1, METHOD_GET, "a", "a", "", "", false, URI_ABSOLUTE, NULL},
        {"authority-form is for CONNECT", HTTP_1_1, METHOD_GET, "a:443", "a", "", "", false,
         URI_ABSOLUTE, NULL},
        {"CONNECT", HTTP_1_1, METHOD_CONNECT, "A:443", "a:443", "", "", false, URI_AUTHORITY,
         "https://a:443"},
        {"CONNECT elsewhere than Host", HTTP_1_1, METHOD_CONNECT, "b:22", "a", "", "", true,
         URI_AUTHORITY, "http://b:22"},
        {"CONNECT without a port", HTTP_1_1, METHOD_CONNECT, "a", "a", "", "", false, URI_AUTHORITY,
         NULL},
        {"CONNECT to a path", HTTP_1_1, METHOD_CONNECT, "/", "a", "", "", false, URI_AUTHORITY,
         NULL},
        {"CONNECT to a URI", HTTP_1_1, METHOD_CONNECT, "http://a:80/", "a", "", "", false,
         URI_AUTHORITY, NULL},
        {"OPTIONS *", HTTP_1_1, METHOD_OPTIONS, "*", "a", "", "", false, URI_ASTERISK,
         "http://a:80"},
        {"GET *", HTTP_1_1, METHOD_GET, "*", "a", "", "", false, URI_ASTERISK, NULL},
        {"OPTIONS for a whole server", HTTP_1_1, METHOD_OPTIONS, "http://b", "a", "", "", false,
         URI_ABSOLUTE, "http://b:80"},
        {"OPTIONS for its root", HTTP_1_1, METHOD_OPTIONS, "http://b/", "a", "", "", false,
         URI_ABSOLUTE, "http://b:80/"},
        {"OPTIONS for a query", HTTP_1_1, METHOD_OPTIONS, "http://b?c", "a", "", "", false,
         URI_ABSOLUTE, "http://b:80/?c"},
        {"HTTP/2", HTTP_2, METHOD_GET, "/a", NULL, "https", "B:8443", false, URI_ABSOLUTE,
         "https://b:8443/a"},
        {"HTTP/2, plain", HTTP_2, METHOD_GET, "/a", "x", "http", "b", true, URI_ABSOLUTE,
         "http://b:80/a"},
        {"HTTP/2 with Host only", HTTP_2, METHOD_GET, "/a", "b", "http", "", false, URI_ABSOLUTE,
         "http://b:80/a"},
        {"HTTP/2 without a host", HTTP_2, METHOD_GET, "/a", NULL, "http", "", false, URI_ABSOLUTE,
         NULL},
        {"HTTP/2, other scheme", HTTP_2, METHOD_GET, "/a", NULL, "ftp", "b", false, URI_ABSOLUTE,
         NULL},
        {"HTTP/2, no path", HTTP_2, METHOD_GET, "", NULL, "http", "b", false, URI_ABSOLUTE, NULL},
        {"HTTP/2, path not rooted", HTTP_2, METHOD_GET, "a", NULL, "http", "b", false, URI_ABSOLUTE,
         NULL},
        {"HTTP/2 CONNECT", HTTP_2, METHOD_CONNECT, "", NULL, "", "b:443", false, URI_AUTHORITY,
         "https://b:443"},
        {"HTTP/2 extended CONNECT", HTTP_2, METHOD_CONNECT, "/chat", NULL, "https", "b", false,
         URI_ABSOLUTE, "https://b:443/chat"},
        {"HTTP/2 OPTIONS *", HTTP_2, METHOD_OPTIONS, "*", NULL, "http", "b", false, URI_ABSOLUTE,
         "http://b:80"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head head;
        struct uri uri;
        enum uri_form form = URI_ORIGIN;
        const char *what = NULL;
        head_init(&head, &arena);
        head.version = cases[i].version;
        head.method = cases[i].method;
        head.target = span_str(cases[i].target);
        head.scheme = span_str(cases[i].scheme);
        head.authority = span_str(cases[i].authority);
        if (cases[i].host) {
            fields_add_id(&head.fields, FIELD_HOST, span_str(cases[i].host));
        }
        int err = uri_of_request(&head, cases[i].https, &arena, &uri, &form, &what);
        cr_expect_eq(err, cases[i].want ? 0 : ERR_SYNTAX, "%s", cases[i].what);
        if (err || !cases[i].want) {
            cr_expect_not_null(what, "%s", cases[i].what);
            continue;
        }
        struct span text = uri_text(&uri, &arena);
        cr_expect(span_eq(text, span_str(cases[i].want)), "%s: %.*s", cases[i].what,
                  SPAN_ARGS(text));
        cr_expect_eq(form, cases[i].form, "%s", cases[i].what);
    }
}

Test(uri, a_host_field_names_a_uri_in_whatever_spelling)
{
    static const struct {
        const char *uri, *host;
        bool names;
    } cases[] = {
        {"http://a/", "a", true},          {"http://a/", "A:80", true},
        {"https://a/", "a:443", true},     {"http://a:8080/", "a:8080", true},
        {"http://a:8080/", "a", false},    {"http://a/", "a:8080", false},
        {"https://a/", "a:80", false},     {"http://a/", "a.", false},
        {"http://a:81/", "a:8", false},    {"http://a:81/", "a:081", true},
        {"http://ab/", "a", false},        {"http://a/", "ab", false},
        {"http://a/", "b", false},         {"http://a/", "", false},
        {"http://[::1]/", "[::1]", true},  {"http://[::1]/", "[0:0::1]:80", true},
        {"http://[::1]/", "[::2]", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct uri uri;
        cr_assert_eq(uri_parse(span_str(cases[i].uri), &arena, &uri), 0);
        cr_expect_eq(uri_host_field_names(span_str(cases[i].host), &uri, &arena), cases[i].names,
                     "%s %s", cases[i].uri, cases[i].host);
    }
}

/* The examples of RFC 3986 5.4 with a base of our scheme, and some of our own. */
Test(uri, references_rfc3986_5_4)
{
    static const struct {
        const char *reference;
        const char *want; /* NULL: refused */
    } cases[] = {
        {"g:h", NULL},
        {"g", "http://a:80/b/c/g"},
        {"./g", "http://a:80/b/c/g"},
        {"g/", "http://a:80/b/c/g/"},
        {"/g", "http://a:80/g"},
        {"//g", "http://g:80/"},
        {"?y", "http://a:80/b/c/d;p?y"},
        {"g?y", "http://a:80/b/c/g?y"},
        {"#s", "http://a:80/b/c/d;p?q"},
        {"g#s", "http://a:80/b/c/g"},
        {"g?y#s", "http://a:80/b/c/g?y"},
        {";x", "http://a:80/b/c/;x"},
        {"g;x", "http://a:80/b/c/g;x"},
        {"", "http://a:80/b/c/d;p?q"},
        {".", "http://a:80/b/c/"},
        {"./", "http://a:80/b/c/"},
        {"..", "http://a:80/b/"},
        {"../", "http://a:80/b/"},
        {"../g", "http://a:80/b/g"},
        {"../..", "http://a:80/"},
        {"../../g", "http://a:80/g"},
        {"../../../g", "http://a:80/g"},
        {"../../../../g", "http://a:80/g"},
        {"/./g", "http://a:80/g"},
        {"/../g", "http://a:80/g"},
        {"g.", "http://a:80/b/c/g."},
        {".g", "http://a:80/b/c/.g"},
        {"g..", "http://a:80/b/c/g.."},
        {"..g", "http://a:80/b/c/..g"},
        {"./../g", "http://a:80/b/g"},
        {"./g/.", "http://a:80/b/c/g/"},
        {"g/./h", "http://a:80/b/c/g/h"},
        {"g/../h", "http://a:80/b/c/h"},
        {"g;x=1/../y", "http://a:80/b/c/y"},
        {"g?y/../x", "http://a:80/b/c/g?y/../x"},
        {"https://b/c#d", "https://b:443/c"},
        {"//user@g/", NULL},
        {"a b", NULL},
        {"javascript:alert(1)", NULL},
    };
    struct uri base;

    cr_assert_eq(uri_parse(SPAN("http://a/b/c/d;p?q"), &arena, &base), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct uri uri;
        int err = uri_resolve(&base, span_str(cases[i].reference), &arena, &uri);
        cr_expect_eq(err, cases[i].want ? 0 : ERR_SYNTAX, "%s", cases[i].reference);
        if (!err && cases[i].want) {
            struct span text = uri_text(&uri, &arena);
            cr_expect(span_eq(text, span_str(cases[i].want)), "%s: %.*s", cases[i].reference,
                      SPAN_ARGS(text));
        }
    }
}

Test(uri, written_for_host_and_for_people)
{
    static const struct {
        const char *text, *authority, *display;
    } cases[] = {
        {"http://a:80/b", "a", "http://a/b"},
        {"https://a:443/b", "a", "https://a/b"},
        {"http://a:443/", "a:443", "http://a:443/"},
        {"https://a:1/", "a:1", "https://a:1/"},
        {"http://a:65535/", "a:65535", "http://a:65535/"},
        {"http://[::1]/", "[::1]", "http://[::1]/"},
        {"http://[::1]:81/", "[::1]:81", "http://[::1]:81/"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct uri uri;
        cr_assert_eq(uri_parse(span_str(cases[i].text), &arena, &uri), 0);
        cr_expect(span_eq(uri_authority(&uri, &arena), span_str(cases[i].authority)));
        cr_expect(span_eq(uri_display(&uri, &arena), span_str(cases[i].display)));
    }
}

Test(uri, origins_rfc6454)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"http://a/", "http://A:80/b", true},   {"http://a/", "https://a/", false},
        {"http://a/", "http://a:81/", false},   {"http://a/", "http://b/", false},
        {"http://a/", "http://a./", false},     {"http://[::1]/", "http://[0::1]/", true},
        {"http://a:443/", "https://a/", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct uri a, b;
        cr_assert_eq(uri_parse(span_str(cases[i].a), &arena, &a), 0);
        cr_assert_eq(uri_parse(span_str(cases[i].b), &arena, &b), 0);
        cr_expect_eq(uri_same_origin(&a, &b), cases[i].same, "%s %s", cases[i].a, cases[i].b);
    }
}
