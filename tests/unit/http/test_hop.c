#include "http/hop.h"

#include <criterion/criterion.h>

#include "base/check.h"

static struct arena arena;
static struct http_fields fields;

static void setup(void)
{
    arena_init(&arena, NULL, 0);
    fields_init(&fields, &arena, 4);
}

static void teardown(void)
{
    arena_fini(&arena);
}

TestSuite(hop, .init = setup, .fini = teardown);

static void add(const char *name, const char *value)
{
    fields_add(&fields, span_str(name), span_str(value));
}

static bool has(const char *name)
{
    return fields_find_name(&fields, span_str(name)) != NULL;
}

Test(hop, one_hops_fields_go_rfc9110_7_6_1)
{
    static const char *const gone[] = {
        "Connection",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authentication-Info",
        "Proxy-Connection",
        "Transfer-Encoding",
        "TE",
        "Proxy-Authorization",
        "Trailer",
        "Upgrade",
        "HTTP2-Settings",
    };
    static const char *const kept[] = {
        "Content-Length", "Set-Cookie",      "Set-Cookie2",     "Content-Encoding", "Content-MD5",
        "Content-Range",  "Clear-Site-Data", "Public-Key-Pins", "X-Unknown",        "Host",
    };
    for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
        add(gone[i], "x");
        add(kept[i % ARRAY_LEN(kept)], "y");
    }
    hop_strip(&fields);
    for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
        cr_expect_not(has(gone[i]), "%s", gone[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        cr_expect(has(kept[i]), "%s", kept[i]);
    }
    cr_expect_eq(fields.count, ARRAY_LEN(gone));
}

Test(hop, listed_fields_go_rfc9110_7_6_1)
{
    add("A", "1");
    add("Connection", "close, a, X-Other");
    add("x-OTHER", "2");
    add("B", "3");
    add("connection", "b, nothing");
    add("C", "4");
    add("a", "5");
    hop_strip(&fields);
    cr_assert_eq(fields.count, 1);
    cr_expect(has("C"));
}

Test(hop, fields_for_all_recipients_stay_though_listed)
{
    static const char *const names[] = {
        "Host",
        "Content-Length",
        "Content-Type",
        "Cache-Control",
        "Authorization",
        "Cookie",
        "Set-Cookie",
        "ETag",
        "Vary",
        "Date",
        "Expires",
        "Age",
        "Via",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "Forwarded",
        "Range",
        "If-Range",
        "If-None-Match",
        "X-Real-IP",
        "CDN-Loop",
        "Content-Encoding",
        "Last-Modified",
        "Accept-Encoding",
        "Content-Range",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        add("Connection", names[i]);
        add(names[i], "x");
    }
    hop_strip(&fields);
    cr_expect_eq(fields.count, ARRAY_LEN(names));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        cr_expect(has(names[i]), "%s", names[i]);
    }
}

Test(hop, a_list_too_long_takes_all_unknown_fields)
{
    for (int i = 0; i < 65; i++) {
        add("Connection", "x-filler");
    }
    add("X-Whatever", "1");
    add("Cookie", "2");
    hop_strip(&fields);
    cr_expect_not(has("X-Whatever"));
    cr_expect(has("Cookie"));
}

Test(hop, of_a_new_request_only_the_listed_fields_go)
{
    add("Connection", "upgrade, X-Listed, Cookie");
    add("Upgrade", "websocket");
    add("X-Listed", "1");
    add("Cookie", "1");
    add("X-Other", "1");
    hop_strip_listed(&fields);
    cr_expect_not(has("X-Listed"));
    cr_expect(has("Connection"));
    cr_expect(has("Upgrade"));
    cr_expect(has("Cookie"));
    cr_expect(has("X-Other"));
}

Test(hop, listed_trailers_go_rfc9110_7_6_1)
{
    static const struct {
        const char *connection, *kept, *names;
    } cases[] = {
        {"", "XeY", "x-one, ETag, X-Two"}, {"close", "XeY", "x-one, ETag, X-Two"},
        {"X-ONE", "eY", "ETag, X-Two"},    {"keep-alive, X-Two, x-one", "e", "ETag"},
        {"etag", "XY", "x-one, X-Two"},    {"etag, x-one ,X-Two", "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct span connection = span_str(cases[i].connection);
        char kept[4] = "";
        fields.count = 0;
        add("X-One", "X");
        add("ETag", "e");
        add("x-two", "Y");
        hop_strip_trailers(&fields, connection);
        for (size_t k = 0; k < fields.count; k++) {
            kept[k] = fields.at[k].value.at[0];
        }
        cr_expect_str_eq(kept, cases[i].kept, "%s", cases[i].connection);
        struct span names =
            hop_trailer_names(SPAN("x-one,ETag, ,Content-Length,X-Two"), connection, &arena);
        cr_expect(span_eq(names, span_str(cases[i].names)), "%s: %.*s", cases[i].connection,
                  SPAN_ARGS(names));
    }
}

Test(hop, a_list_too_long_takes_all_trailers)
{
    char list[256] = "";

    for (int i = 0; i < 65; i++) {
        strcat(list, "a, ");
    }
    add("X-Whatever", "1");
    hop_strip_trailers(&fields, span_str(list));
    cr_expect_eq(fields.count, 0);
    cr_expect_eq(hop_trailer_names(SPAN("X-Whatever"), span_str(list), &arena).len, 0);
}

Test(hop, via_rfc9110_7_6_3)
{
    static const struct {
        enum http_version version;
        const char *want;
    } cases[] = {{HTTP_1_0, "1.0 larder"}, {HTTP_1_1, "1.1 larder"}, {HTTP_2, "2.0 larder"}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fields.count = 0;
        add("Via", "1.0 other");
        hop_add_via(&fields, cases[i].version, SPAN("larder"), &arena);
        cr_assert_eq(fields.count, 2);
        cr_expect_eq(fields.at[1].id, FIELD_VIA);
        cr_expect(span_eq(fields.at[1].value, span_str(cases[i].want)));
    }
}

Test(hop, loops_rfc9110_7_6_3_rfc8586)
{
    static const struct {
        const char *name, *value;
        bool loop;
    } cases[] = {
        {"Via", "1.1 larder", true},
        {"Via", "1.0 a, HTTP/1.1 Larder (comment, with comma), 1.1 b", true},
        {"Via", "1.1 a,1.1\tlarder", false},
        {"Via", "1.1 larder2", false},
        {"Via", "1.1 other (larder)", false},
        {"Via", "larder", false},
        {"Via", "", false},
        {"CDN-Loop", "larder", true},
        {"CDN-Loop", "a, larder; x=1, b", true},
        {"CDN-Loop", "LARDER;x", true},
        {"CDN-Loop", "a; larder", false},
        {"CDN-Loop", "larder.example", false},
        {"X-Via", "1.1 larder", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fields.count = 0;
        add(cases[i].name, cases[i].value);
        cr_expect_eq(hop_is_loop(&fields, SPAN("larder")), cases[i].loop, "%s", cases[i].value);
    }
    fields.count = 0;
    hop_add_cdn_loop(&fields, SPAN("larder"), &arena);
    cr_expect(hop_is_loop(&fields, SPAN("larder")));
}

Test(hop, forwarded_rfc7239)
{
    static const struct {
        const char *client, *host;
        bool https;
        const char *want;
    } cases[] = {
        {"192.0.2.1", "example.com", false, "for=192.0.2.1;host=example.com;proto=http"},
        {"2001:db8::1", "a:8080", true, "for=\"[2001:db8::1]\";host=\"a:8080\";proto=https"},
        {"192.0.2.1", "", false, "for=192.0.2.1;proto=http"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fields.count = 0;
        hop_add_forwarded(&fields, span_str(cases[i].client), span_str(cases[i].host),
                          cases[i].https, &arena);
        cr_expect(span_eq(fields_get(&fields, FIELD_FORWARDED), span_str(cases[i].want)));
        cr_expect_not(fields_has(&fields, FIELD_X_FORWARDED_FOR));
    }
}

Test(hop, https_is_what_one_line_says)
{
    cr_expect_not(hop_says_https(&fields));
    hop_say_https(&fields);
    cr_expect(hop_says_https(&fields));
    hop_say_https(&fields);
    cr_expect_eq(fields.count, 1, "once is enough");
    add("X-Forwarded-Proto", "https");
    cr_expect_not(hop_says_https(&fields), "two lines may be two hops");
    hop_strip_places(&fields);
    cr_expect_eq(fields.count, 0);
    add("X-Forwarded-Proto", "http");
    hop_say_https(&fields);
    cr_expect_not(hop_says_https(&fields), "what was said stays");
}

Test(hop, what_says_a_place_is_known_by_any_spelling)
{
    static const char *const gone[] = {
        "Forwarded",       "front-end-https",      "X-Forwarded-Path",   "X-Forwarded-Protocol",
        "X-Forwarded-Uri", "X-HTTP-Host-Override", "X-FORWARDED-PROTO",  "X-HTTP-Method-Override",
        "X-Url-Scheme",    "x-forwarded-host",     "X-Forwarded-Scheme", "X-Forwarded-Port",
        "X-Original-URL",  "X-Forwarded-Prefix",   "X-Forwarded-Server", "X-Forwarded-Ssl",
        "x-hOST",          "X-Original-Host",      "X-Rewrite-URL",      "X-HTTP-Method",
        "X-Original-Uri",  "X-Method-Override",    "X-Scheme",
    };
    static const char *const stay[] = {"X-Forwarded-For", "X-Hosts", "Host", "Front-End", "Accept"};

    for (size_t i = 0; i < ARRAY_LEN(stay); i++) {
        add(stay[i], "v");
    }
    cr_expect_not(hop_says_place(&fields));
    for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
        add(gone[i], "v");
        cr_expect(hop_says_place(&fields), "%s", gone[i]);
        hop_strip_places(&fields);
        cr_expect_eq(fields.count, ARRAY_LEN(stay), "%s", gone[i]);
    }
}

Test(hop, what_says_another_place_than_the_url)
{
    static const struct {
        const char *uri, *name, *value;
        bool other;
    } cases[] = {
        {"http://a/", "X-Forwarded-For", "192.0.2.1", false},
        {"http://a/", "X-Forwarded-Host", "A:80", false},
        {"http://a/", "X-Forwarded-Host", "b", true},
        {"http://a/", "X-Forwarded-Host", "a, b", true},
        {"http://a:8080/", "X-Forwarded-Host", "a", true},
        {"http://a/", "X-Forwarded-Proto", "HTTP", false},
        {"http://a/", "X-Forwarded-Proto", "https", true},
        {"https://a/", "X-Forwarded-Proto", "https", false},
        {"http://a/", "X-Original-URL", "/", true},
        {"http://a/", "x-rewrite-url", "/admin", true},
        {"http://a/", "X-HTTP-Method-Override", "GET", true},
        {"http://a/", "X-Host", "a", true},
        {"http://a/", "Front-End-Https", "on", true},
        {"http://a/", "Forwarded", "for=192.0.2.1, for=\"[2001:db8::1]:80\";by=_b", false},
        {"http://a:81/", "Forwarded", "for=192.0.2.1;host=\"a:81\";proto=http", false},
        {"http://a/", "Forwarded", "for=192.0.2.1; Host=a", false},
        {"http://a/", "Forwarded", "for=192.0.2.1;host=b", true},
        {"http://a/", "Forwarded", "for=192.0.2.1, host=b", true},
        {"http://a/", "Forwarded", "proto=https", true},
        {"http://a/", "Forwarded", "for=\"x;host=b\"", true},
        {"http://a/", "Forwarded", "host=\"\\a\"", true},
        {"http://a/", "Forwarded", "path=/x", true},
        {"http://a/", "Forwarded", "nonsense", true},
        {"http://a/", "Forwarded", "", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct uri uri;
        cr_assert_eq(uri_parse(span_str(cases[i].uri), &arena, &uri), 0);
        fields.count = 0;
        add("Accept", "*/*");
        add(cases[i].name, cases[i].value);
        cr_expect_eq(hop_says_other_place(&fields, &uri, &arena), cases[i].other, "%s: %s",
                     cases[i].name, cases[i].value);
    }
}

Test(hop, x_forwarded_for_becomes_one_line)
{
    add("X-Forwarded-For", "198.51.100.1");
    add("X-Forwarded-For", "198.51.100.2");
    hop_add_forwarded_for(&fields, SPAN("192.0.2.1"), &arena);
    cr_expect_not(fields_has(&fields, FIELD_FORWARDED));
    cr_expect_eq(fields_count(&fields, FIELD_X_FORWARDED_FOR), 1);
    cr_expect(span_eq(fields_get(&fields, FIELD_X_FORWARDED_FOR),
                      SPAN("198.51.100.1, 198.51.100.2, 192.0.2.1")));
}
