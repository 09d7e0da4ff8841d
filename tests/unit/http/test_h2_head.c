#include "http/h2_head.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/check.h"
#include "http/uri.h"

static struct arena arena;
static struct h2_block block;
static const struct h1_limits limits = {.target = 64, .head = 1024, .fields = 8};

static void setup(void)
{
    arena_init(&arena, NULL, 0);
}

static void teardown(void)
{
    arena_fini(&arena);
}

TestSuite(h2_head, .init = setup, .fini = teardown);

/* "name=value" each, the list ended by NULL. */
static bool read_block(enum h2_block_kind kind, bool is_last, const char *const *fields)
{
    h2_block_begin(&block, kind, &arena, &limits);
    for (; *fields; fields++) {
        struct span text = span_str(*fields);
        size_t at = 1 + span_find(span_skip(text, 1), '=');
        h2_block_add(&block, span_take(text, at), span_skip(text, at + 1));
    }
    return h2_block_end(&block, is_last);
}

#define FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define GET ":method=GET", ":scheme=http", ":authority=a", ":path=/"

static struct span field(enum http_field_id id)
{
    return fields_get(&block.head.fields, id);
}

Test(h2_head, a_request_rfc9113_8_3_1)
{
    cr_assert(read_block(H2_BLOCK_REQUEST, true, FIELDS(GET, "accept=*/*", "te=trailers")));
    cr_assert_eq(block.head.version, HTTP_2);
    cr_assert_eq(block.head.method, METHOD_GET);
    cr_assert(span_eq(block.head.target, SPAN("/")));
    cr_assert(span_eq(block.head.scheme, SPAN("http")));
    cr_assert(span_eq(field(FIELD_HOST), SPAN("a")));
    cr_assert(span_eq(field(FIELD_ACCEPT), SPAN("*/*")));
    cr_assert_eq(block.head.framing, BODY_NONE);
}

Test(h2_head, a_body_rfc9113_8_1)
{
    cr_assert(read_block(H2_BLOCK_REQUEST, false,
                         FIELDS(GET, "content-length=7", "expect=100-continue")));
    cr_assert_eq(block.head.framing, BODY_STREAM);
    cr_assert_eq(block.head.content_length, 7);
    cr_assert(block.head.expect_continue);
    cr_assert(read_block(H2_BLOCK_REQUEST, false, FIELDS(GET, "expect=x, 100-Continue")));
    cr_assert(block.head.expect_continue);
    cr_assert(read_block(H2_BLOCK_REQUEST, false, FIELDS(GET, "expect=x")));
    cr_assert_not(block.head.expect_continue);
}

Test(h2_head, crumbs_of_a_cookie_rfc9113_8_2_3)
{
    cr_assert(read_block(H2_BLOCK_REQUEST, true,
                         FIELDS(GET, "cookie=a=b", "accept=x", "cookie=", "cookie=c=d")));
    cr_assert_eq(fields_count(&block.head.fields, FIELD_COOKIE), 1);
    cr_assert(span_eq(field(FIELD_COOKIE), SPAN("a=b; ; c=d")));
    cr_assert(read_block(H2_BLOCK_REQUEST, true, FIELDS(GET, "cookie=a=b", "cookie=")));
    cr_assert(span_eq(field(FIELD_COOKIE), SPAN("a=b;")), "no value ends with a blank (8.2.1)");
}

Test(h2_head, host_stands_in_for_authority_rfc9113_8_3_1)
{
    cr_assert(read_block(H2_BLOCK_REQUEST, true,
                         FIELDS(":method=GET", ":scheme=http", ":path=/", "host=b")));
    cr_assert(span_eq(block.head.authority, SPAN("b")));
    cr_assert(read_block(H2_BLOCK_REQUEST, true, FIELDS(GET, "host=A")));
    cr_assert_eq(fields_count(&block.head.fields, FIELD_HOST), 1);
}

Test(h2_head, host_and_authority_are_normalized_to_be_compared_rfc9113_8_3_1)
{
    const struct {
        const char *scheme, *authority, *host;
        bool same;
    } cases[] = {
        {":scheme=http", ":authority=a", "host=a:80", true},
        {":scheme=http", ":authority=a:80", "host=A", true},
        {":scheme=http", ":authority=a:", "host=a", true},
        {":scheme=https", ":authority=a", "host=a:443", true},
        {":scheme=https", ":authority=[::1]", "host=[0:0::1]:443", true},
        {":scheme=http", ":authority=a", "host=a:443", false},
        {":scheme=https", ":authority=a", "host=a:80", false},
        {":scheme=http", ":authority=a:8080", "host=a", false},
        {":scheme=http", ":authority=a", "host=a.", false},
        {":scheme=http", ":authority=a", "host=", false},
        {":scheme=http", ":authority=a", "host=u@a", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool taken = read_block(
            H2_BLOCK_REQUEST, true,
            FIELDS(":method=GET", ":path=/", cases[i].scheme, cases[i].authority, cases[i].host));
        cr_expect_eq(taken, cases[i].same, "%s %s", cases[i].authority, cases[i].host);
        cr_expect(!taken || span_eq(field(FIELD_HOST), span_skip(span_str(cases[i].authority),
                                                                 sizeof(":authority=") - 1)));
    }
    cr_assert(read_block(H2_BLOCK_REQUEST, false,
                         FIELDS(":method=CONNECT", ":authority=a:443", "host=A:443")));
    cr_assert(!read_block(H2_BLOCK_REQUEST, false,
                          FIELDS(":method=CONNECT", ":authority=a:443", "host=a")));
}

Test(h2_head, connect_rfc9113_8_5)
{
    cr_assert(read_block(H2_BLOCK_REQUEST, false, FIELDS(":method=CONNECT", ":authority=a:443")));
    cr_assert_eq(block.head.method, METHOD_CONNECT);
    cr_assert_eq(block.head.framing, BODY_NONE);
    cr_assert(span_eq(block.head.target, SPAN("a:443")));
}

Test(h2_head, what_is_refused)
{
    const struct {
        const char *const *fields;
        int status;
    } cases[] = {
        {FIELDS(":method=GET", ":scheme=http", ":authority=a"), 400},
        {FIELDS(":method=GET", ":path=/", ":authority=a"), 400},
        {FIELDS(":scheme=http", ":path=/", ":authority=a"), 400},
        {FIELDS(GET, ":path=/"), 400},
        {FIELDS(GET, ":status=200"), 400},
        {FIELDS(GET, ":odd=1"), 400},
        {FIELDS(":method=GET", ":scheme=http", "accept=x", ":path=/"), 400},
        {FIELDS(":method=G ET", ":scheme=http", ":path=/"), 400},
        {FIELDS(":method=GET", ":scheme=http", ":path="), 400},
        {FIELDS(":method=GET", ":scheme=http", ":path=/a b"), 400},
        {FIELDS(":method=GET", ":scheme=http", ":path=/\x80"), 400},
        {FIELDS(GET, "Accept=x"), 400},
        {FIELDS(GET, "a b=x"), 400},
        {FIELDS(GET, "a=x\ry"), 400},
        {FIELDS(GET, "a=x\ny"), 400},
        {FIELDS(GET, "a= x"), 400},
        {FIELDS(GET, "a=x\t"), 400},
        {FIELDS(GET, "connection=close"), 400},
        {FIELDS(GET, "proxy-connection=close"), 400},
        {FIELDS(GET, "keep-alive=1"), 400},
        {FIELDS(GET, "transfer-encoding=chunked"), 400},
        {FIELDS(GET, "upgrade=websocket"), 400},
        {FIELDS(GET, "te=gzip"), 400},
        {FIELDS(GET, "te=trailers, gzip"), 400},
        {FIELDS(GET, "host=b"), 400},
        {FIELDS(GET, "host=a", "host=a"), 400},
        {FIELDS(GET, "content-length=1"), 400},
        {FIELDS(GET, "content-length=0", "content-length=0"), 400},
        {FIELDS(GET, "content-length=+1"), 400},
        {FIELDS(GET, "content-length=4099276460824344802"), 400}, /* as in HTTP/1 */
        {FIELDS(":method=CONNECT", ":scheme=http", ":authority=a:1", ":path=/"), 400},
        {FIELDS(":method=CONNECT"), 400},
        {FIELDS(GET, ":protocol=websocket"), 400},
        {FIELDS(GET, "a=1", "b=1", "c=1", "d=1", "e=1", "f=1", "g=1", "h=1", "i=1"), 431},
        {FIELDS(":method=GET", ":scheme=http", ":authority=a",
                ":path=/0123456789012345678901234567890123456789012345678901234567890123456789"),
         414},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect(!read_block(H2_BLOCK_REQUEST, true, cases[i].fields), "case %zu", i);
        cr_expect_eq(block.error.status, cases[i].status, "case %zu: %d", i, block.error.status);
        cr_expect(block.error.what != NULL);
    }
}

Test(h2_head, a_value_may_hold_no_nul)
{
    h2_block_begin(&block, H2_BLOCK_REQUEST, &arena, &limits);
    h2_block_add(&block, SPAN(":method"), SPAN("GET"));
    h2_block_add(&block, SPAN("a"), span_of("x\0y", 3));
    cr_assert_eq(block.error.status, 400);
}

Test(h2_head, what_is_too_large_is_only_counted)
{
    char big[600];

    memset(big, 'x', sizeof(big));
    h2_block_begin(&block, H2_BLOCK_REQUEST, &arena, &limits);
    for (int i = 0; i < 7; i++) {
        h2_block_add(&block, SPAN("a"), span_of(big, sizeof(big)));
        cr_assert_eq(h2_block_is_bomb(&block), i >= 6);
    }
    cr_assert_eq(block.error.status, 431);
    cr_assert_eq(block.head.fields.count, 1);
}

Test(h2_head, a_name_is_short_in_a_large_head)
{
    static const struct h1_limits large = {.target = 8192, .head = 1 << 20, .fields = 8};
    static char name[HEAD_NAME_MAX + 1];

    memset(name, 'n', sizeof(name));
    h2_block_begin(&block, H2_BLOCK_RESPONSE, &arena, &large);
    h2_block_add(&block, SPAN(":status"), SPAN("200"));
    h2_block_add(&block, span_of(name, HEAD_NAME_MAX), SPAN("x"));
    cr_assert_eq(block.error.status, 0);
    h2_block_add(&block, span_of(name, sizeof(name)), SPAN("x"));
    cr_assert_eq(block.error.status, 502);
}

Test(h2_head, a_response_rfc9113_8_3_2)
{
    cr_assert(read_block(H2_BLOCK_RESPONSE, false, FIELDS(":status=200", "etag=\"a\"")));
    cr_assert_eq(block.head.status, 200);
    cr_assert_eq(block.head.framing, BODY_STREAM);
    const char *const *refused[] = {
        FIELDS("etag=\"a\""),
        FIELDS(":status=20"),
        FIELDS(":status=2000"),
        FIELDS(":status=099"),
        FIELDS(":status=+20"),
        FIELDS(":status=101"),
        FIELDS(":status=200", ":status=200"),
        FIELDS(":status=200", ":path=/"),
        FIELDS(":status=200", "transfer-encoding=chunked"),
        FIELDS(":status=200", "connection=close"),
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        cr_expect(!read_block(H2_BLOCK_RESPONSE, true, refused[i]), "case %zu", i);
        cr_expect_eq(block.error.status, 502, "case %zu", i);
    }
}

Test(h2_head, trace_has_no_body_rfc9110_9_3_8)
{
    const char *const *trace = FIELDS(":method=TRACE", ":scheme=http", ":authority=a", ":path=/");

    cr_expect(read_block(H2_BLOCK_REQUEST, true, trace));
    cr_expect_not(read_block(H2_BLOCK_REQUEST, false, trace));
    cr_expect_eq(block.error.status, 400);
}

#define EXTENDED ":method=CONNECT", ":scheme=https", ":authority=a", ":path=/chat"

Test(h2_head, extended_connect_is_an_upgrade_rfc8441_4)
{
    const char *const *const refused[] = {
        FIELDS(":method=CONNECT", ":protocol=websocket", ":authority=a", ":path=/"),
        FIELDS(":method=CONNECT", ":protocol=websocket", ":scheme=http", ":authority=a"),
        FIELDS(EXTENDED, ":protocol="),
        FIELDS(EXTENDED, ":protocol=websocket, h2c"),
        FIELDS(EXTENDED, ":protocol=websocket/"),
        FIELDS(EXTENDED, ":protocol=websocket", ":protocol=websocket"),
        FIELDS(EXTENDED, ":protocol=websocket", "content-length=1"),
        FIELDS(EXTENDED, ":protocol=websocket", "upgrade=websocket"),
    };

    cr_assert(read_block(H2_BLOCK_REQUEST, false, FIELDS(EXTENDED, ":protocol=websocket", "a=b")));
    cr_expect(block.head.upgrade && block.head.method == METHOD_GET);
    cr_expect(span_eq(block.head.method_text, SPAN("GET")));
    cr_expect(span_eq(block.head.target, SPAN("/chat")));
    cr_expect(span_eq(field(FIELD_UPGRADE), SPAN("websocket")));
    cr_expect_eq(block.head.framing, BODY_NONE);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        cr_expect(!read_block(H2_BLOCK_REQUEST, false, refused[i]), "case %zu", i);
        cr_expect_eq(block.error.status, 400, "case %zu", i);
    }
}

Test(h2_head, trailers_rfc9113_8_1)
{
    cr_assert(read_block(H2_BLOCK_TRAILERS, true, FIELDS("x-sum=1", "age=5", "host=a")));
    cr_assert_eq(block.head.fields.count, 1);
    cr_expect(span_eq(block.head.fields.at[0].name, SPAN("x-sum")));
    cr_assert(!read_block(H2_BLOCK_TRAILERS, true, FIELDS(":path=/")));
    cr_assert(!read_block(H2_BLOCK_TRAILERS, true, FIELDS("connection=close")));
    cr_assert(!read_block(H2_BLOCK_TRAILERS, true, FIELDS("content-length=5")), "too late");
    cr_assert(!read_block(H2_BLOCK_TRAILERS, false, FIELDS("x-sum=1")), "more follows");
}

Test(h2_head, what_goes_out_rfc9113_8_2_2)
{
    struct http_fields fields;

    fields_init(&fields, &arena, 8);
    fields_add(&fields, SPAN("Connection"), SPAN("x"));
    fields_add(&fields, SPAN("Transfer-Encoding"), SPAN("chunked"));
    fields_add(&fields, SPAN("Content-Length"), SPAN("1"));
    fields_add(&fields, SPAN("Host"), SPAN("a"));
    fields_add(&fields, SPAN("TE"), SPAN("gzip"));
    fields_add(&fields, SPAN("Upgrade"), SPAN("x"));
    for (size_t i = 0; i < fields.count; i++) {
        cr_expect(!h2_sends_field(&fields.at[i], true), "%zu", i);
    }
    fields_add(&fields, SPAN("TE"), SPAN("trailers"));
    fields_add(&fields, SPAN("X-Any"), SPAN("1"));
    cr_expect(h2_sends_field(&fields.at[fields.count - 2], true));
    cr_expect_not(h2_sends_field(&fields.at[fields.count - 2], false));
    cr_expect(h2_sends_field(&fields.at[fields.count - 1], true));
    cr_expect(h2_sends_field(&fields.at[fields.count - 1], false));
}

Test(h2_head, who_is_asked_must_be_a_name_rfc9113_8_3_1)
{
    static const char *const bad[] = {"a b", "a/b", "a?b", "user@a", "a:b", "a\r\nx: y", "\x01"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char authority[32], host[32];
        snprintf(authority, sizeof(authority), ":authority=%s", bad[i]);
        snprintf(host, sizeof(host), "host=%s", bad[i]);
        cr_assert_not(read_block(H2_BLOCK_REQUEST, true,
                                 FIELDS(":method=GET", ":scheme=http", authority, ":path=/")));
        cr_assert_not(read_block(H2_BLOCK_REQUEST, true,
                                 FIELDS(":method=GET", ":scheme=http", ":path=/", host)));
        cr_assert_not(read_block(H2_BLOCK_REQUEST, false, FIELDS(":method=CONNECT", authority)));
        cr_assert_eq(block.error.status, 400);
    }
}

/* Reads a request of a connection whose latest authority is *known. */
static bool read_behind(struct h2_authority *known, const char *scheme, const char *authority)
{
    h2_block_begin(&block, H2_BLOCK_REQUEST, &arena, &limits);
    block.known = known;
    h2_block_add(&block, SPAN(":method"), SPAN("GET"));
    h2_block_add(&block, SPAN(":scheme"), span_str(scheme));
    h2_block_add(&block, SPAN(":path"), SPAN("/"));
    h2_block_add(&block, SPAN(":authority"), span_str(authority));
    return h2_block_end(&block, true);
}

static int uri_of_block(struct uri *uri)
{
    enum uri_form form;
    const char *what;

    return uri_of_request(&block.head, false, &arena, uri, &form, &what);
}

Test(h2_head, an_authority_is_understood_whatever_came_before_rfc9113_8_3_1)
{
    static const char long_host[] = "a-name-that-is-longer-than-what-is-kept-of-it-by-a-connection."
                                    "and-has-a-second-label.example";
    static const struct {
        const char *scheme, *authority, *host;
        unsigned port;
        bool is_ipv6;
    } asked[] = {
        {"http", "a", "a", 80, false},
        {"http", "a", "a", 80, false},
        {"https", "a", "a", 443, false},
        {"HTTPS", "a", "a", 443, false},
        {"http", "a:8080", "a", 8080, false},
        {"http", "A", "a", 80, false},
        {"http", "A", "a", 80, false},
        {"http", "a b", NULL, 0, false},
        {"http", "A", "a", 80, false},
        {"http", "[2001:DB8::0:1]:81", "2001:db8::1", 81, true},
        {"http", "[2001:DB8::0:1]:81", "2001:db8::1", 81, true},
        {"http", long_host, long_host, 80, false},
        {"http", long_host, long_host, 80, false},
        {"http", "[2001:DB8::0:1]:81", "2001:db8::1", 81, true},
        {"http", "a:", "a", 80, false},
        {"http", "a:0", NULL, 0, false},
        {"http", "a", "a", 80, false},
    };
    struct h2_authority known = {0};
    struct uri uri;

    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        cr_assert_eq(read_behind(&known, asked[i].scheme, asked[i].authority),
                     asked[i].host != NULL, "row %zu", i);
        if (asked[i].host) {
            cr_assert_eq(uri_of_block(&uri), 0);
            cr_assert(span_eq(uri.host, span_str(asked[i].host)), "row %zu", i);
            cr_assert_eq(uri.port, asked[i].port, "row %zu", i);
            cr_assert_eq(uri.is_ipv6, asked[i].is_ipv6, "row %zu", i);
        }
    }
}

Test(h2_head, a_scheme_is_one_word_rfc9113_8_3_1)
{
    cr_assert_not(read_block(H2_BLOCK_REQUEST, true,
                             FIELDS(":method=GET", ":scheme=ht tp", ":authority=a", ":path=/")));
    cr_assert_eq(block.error.status, 400);
}

Test(h2_head, connect_has_no_body_rfc9110_9_3_6)
{
    cr_assert_not(read_block(H2_BLOCK_REQUEST, false,
                             FIELDS(":method=CONNECT", ":authority=a:1", "content-length=5")));
    cr_assert(read_block(H2_BLOCK_REQUEST, false,
                         FIELDS(":method=CONNECT", ":authority=a:1", "content-length=0")));
}
