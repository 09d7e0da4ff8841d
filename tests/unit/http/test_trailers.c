#include "http/trailers.h"

#include <criterion/criterion.h>

#include "base/check.h"

static bool passes(const char *name)
{
    struct span text = span_str(name);
    struct http_field field = {text, SPAN("x"), http_field_id(text)};

    return trailer_may_pass(&field);
}

Test(trailers, which_may_pass_rfc9110_6_5_1)
{
    static const char *const good[] = {"grpc-status", "grpc-message",   "Server-Timing",
                                       "X-Checksum",  "Content-Digest", "Repr-Digest",
                                       "ETag",        "Proxy-Status",   "X-"};
    static const char *const bad[] = {
        /* framing, routing */
        "Content-Length", "Transfer-Encoding", "Host", "Trailer", "TE", "Connection", "Upgrade",
        "Keep-Alive", "Proxy-Connection", "HTTP2-Settings", "Via", "Forwarded", "X-Forwarded-For",
        "X-Forwarded-Anything", "x-real-ip", "CDN-Loop",
        /* modifiers, control, authentication */
        "Cache-Control", "Expect", "Max-Forwards", "Pragma", "Range", "If-None-Match",
        "If-Anything", "Authorization", "Proxy-Authorization", "Proxy-Authentication-Info",
        "WWW-Authenticate", "Cookie", "Set-Cookie", "set-cookie2", "Age", "Date", "Expires",
        "Location", "Retry-After", "Vary", "Warning", "Cache-Status", "Surrogate-Key", "Cache-Tag",
        "CDN-Cache-Control", "Strict-Transport-Security", "Refresh", "Alt-Svc",
        "Access-Control-Allow-Origin", "Sec-WebSocket-Accept", "Accept-Language", "Accept-Patch",
        /* how content is read */
        "Content-Type", "Content-Encoding", "Content-Range", "Content-Security-Policy",
        /* what servers, caches, browsers and frameworks take orders or identities from */
        "Surrogate-Control", "X-Accel-Redirect", "X-Accel-Expires", "X-Sendfile", "X-Frame-Options",
        "Referrer-Policy", "Permissions-Policy", "Cross-Origin-Opener-Policy",
        "Cross-Origin-Resource-Policy", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP",
        "X-Cluster-Client-IP", "Client-Cert", "Client-Cert-Chain", "Early-Data",
        "X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL", "From"};

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        cr_expect(passes(good[i]), "%s", good[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_not(passes(bad[i]), "%s", bad[i]);
    }
}

Test(trailers, a_section_is_read_rfc9112_7_1_2)
{
    struct http_fields fields;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    fields_init(&fields, &arena, 0);
    trailers_read(SPAN("A: b\r\nContent-Length: 5\r\nX-C:\t d e \r\nEmpty:\r\nA: 2\r\n\r\n"),
                  &fields);
    cr_assert_eq(fields.count, 4);
    cr_expect(span_eq(fields.at[0].name, SPAN("A")) && span_eq(fields.at[0].value, SPAN("b")));
    cr_expect(span_eq(fields.at[1].name, SPAN("X-C")) && span_eq(fields.at[1].value, SPAN("d e")));
    cr_expect(span_eq(fields.at[2].name, SPAN("Empty")) && fields.at[2].value.len == 0);
    cr_expect(span_eq(fields.at[3].value, SPAN("2")));
    arena_fini(&arena);
}

Test(trailers, who_wants_them_rfc9110_10_1_4)
{
    static const struct {
        enum http_version version;
        const char *te, *connection;
        bool wanted;
    } cases[] = {
        {HTTP_1_1, "trailers", "TE", true},
        {HTTP_1_1, "gzip;q=0.5, trailers", "close, te", true},
        {HTTP_1_1, "trailers", "close", false},
        {HTTP_1_1, "gzip", "TE", false},
        {HTTP_1_0, "trailers", "TE", false},
        {HTTP_2, "trailers", NULL, true},
        {HTTP_2, "", NULL, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head head;
        struct arena arena;
        arena_init(&arena, NULL, 0);
        head_init(&head, &arena);
        head.version = cases[i].version;
        fields_add_id(&head.fields, FIELD_TE, span_str(cases[i].te));
        if (cases[i].connection) {
            fields_add_id(&head.fields, FIELD_CONNECTION, span_str(cases[i].connection));
        }
        cr_expect_eq(trailers_are_wanted(&head), cases[i].wanted, "%zu", i);
        arena_fini(&arena);
    }
}

Test(trailers, copies_outlive_what_they_are_of)
{
    char text[] = "name: value\r\n\r\n";
    struct http_fields fields, copy;
    struct arena arena, other;

    arena_init(&arena, NULL, 0);
    arena_init(&other, NULL, 0);
    fields_init(&fields, &arena, 0);
    fields_init(&copy, &other, 0);
    trailers_read(span_of(text, sizeof(text) - 1), &fields);
    trailers_copy(&copy, &fields);
    memset(text, 'x', sizeof(text) - 1);
    arena_fini(&arena);
    cr_assert_eq(copy.count, 1);
    cr_expect(span_eq(copy.at[0].name, SPAN("name")) && span_eq(copy.at[0].value, SPAN("value")));
    arena_fini(&other);
}
