#include "base/check.h"
#include "base/err.h"
#include "http/put.h"
#include "proxy/client/respond.h"
#include "tests/unit/cache/heads.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define TEN_MINUTES_AGO "Date: @-600"
#define STORED                                                                                     \
    TEN_MINUTES_AGO "|ETag: \"v1\"|Last-Modified: @-86400|Cache-Control: max-age=3600|"            \
                    "Content-Type: text/plain|Content-Length: 100|Age: 7|X-Own: a"

/* An object as the store or a flight would give it, and a request for it. */
struct scene {
    struct arena arena;
    struct http_head request, stored;
    struct policy_request policy;
    struct object object;
    struct decision decision;
    struct respond_input input;
    struct response out;
};

static void scene_init(struct scene *s, enum http_method method, const char *request, int status,
                       const char *stored)
{
    struct policy_times times = {.request = NOW - 600, .response = NOW - 600};

    *s = (struct scene){0};
    arena_init(&s->arena, NULL, 0);
    head_request(&s->request, &s->arena, method, request);
    policy_read_request(&s->request, &policy_defaults, &s->policy);
    head_response(&s->stored, &s->arena, status, stored);
    policy_freshness(&s->stored, times, &policy_defaults, &s->object.freshness);
    s->object.status = status;
    s->object.fields = s->stored.fields;
    s->object.framing = BODY_LENGTH;
    s->object.body_len = 100;
    s->decision = (struct decision){
        .outcome = OUTCOME_HIT, .reason = REASON_FRESH, .age = 607, .lifetime = 3600};
    s->input = (struct respond_input){
        .request = &s->request,
        .policy = &s->policy,
        .object = &s->object,
        .decision = &s->decision,
        .name = SPAN("larder"),
        .now = NOW,
        .evaluate = true,
        .arena = &s->arena,
    };
}

static void scene_fini(struct scene *s)
{
    arena_fini(&s->arena);
}

static void expect_field(const struct scene *s, enum http_field_id id, const char *want)
{
    struct span got = fields_get(&s->out.head.fields, id);

    cr_expect(want ? span_eq(got, span_str(want)) : got.at == NULL, "%.*s is %.*s, not %s",
              SPAN_ARGS(http_field_name(id)), SPAN_ARGS(got), want ? want : "absent");
}

static void expect_one_part(const struct scene *s, uint64_t from, uint64_t to)
{
    const struct body_part *part = &s->out.body.at[0];

    cr_assert_eq(s->out.body.count, 1);
    cr_expect(part->from == from && part->to == to, "%ju to %ju", (uintmax_t)part->from,
              (uintmax_t)part->to);
    cr_expect_eq(part->before.len, 0);
    cr_expect_eq(s->out.body.after.len, 0);
}

Test(respond_object, a_hit)
{
    struct scene s;

    scene_init(&s, METHOD_GET, "", 200, STORED);
    respond_object(&s.input, &s.out);
    cr_expect_eq(s.out.head.status, 200);
    cr_expect_eq(s.out.head.framing, BODY_LENGTH);
    cr_expect_eq(s.out.head.content_length, 100);
    expect_one_part(&s, 0, UINT64_MAX);
    expect_field(&s, FIELD_AGE, "607"); /* upstream Age plus residence */
    expect_field(&s, FIELD_VIA, "1.1 larder");
    expect_field(&s, FIELD_CACHE_STATUS, "larder; hit; ttl=2993");
    expect_field(&s, FIELD_CONTENT_TYPE, "text/plain");
    expect_field(&s, FIELD_DATE, "Fri, 15 Jan 2027 07:50:00 GMT");
    cr_expect_eq(fields_count(&s.out.head.fields, FIELD_AGE), 1);
    cr_expect_eq(fields_count(&s.out.head.fields, FIELD_DATE), 1);
    expect_field(&s, FIELD_CONTENT_LENGTH, NULL); /* the framing says it */
    scene_fini(&s);
}

Test(respond_object, a_miss_relays_upstreams_age_and_adds_to_via_and_cache_status)
{
    struct scene s;

    scene_init(&s, METHOD_GET, "", 200,
               "Age: 7|Via: 1.0 up|Cache-Status: up; hit|Date: not a date");
    s.decision = (struct decision){.outcome = OUTCOME_MISS,
                                   .reason = REASON_NOT_STORED,
                                   .store_reason = REASON_NO_LIFETIME,
                                   .forward = FORWARD_URI_MISS,
                                   .fwd_status = 200,
                                   .age = -1,
                                   .lifetime = -1};
    respond_object(&s.input, &s.out);
    expect_field(&s, FIELD_AGE, "7");
    expect_field(&s, FIELD_DATE, "not a date"); /* never changed */
    cr_expect_eq(fields_count(&s.out.head.fields, FIELD_VIA), 2);
    cr_expect_eq(fields_count(&s.out.head.fields, FIELD_CACHE_STATUS), 2);
    cr_expect(span_eq(s.out.head.fields.at[s.out.head.fields.count - 1].value,
                      SPAN("larder; fwd=uri-miss; fwd-status=200; detail=no-lifetime")));
    scene_fini(&s);
}

Test(respond_object, rfc9110_6_6_1_a_missing_date_is_the_time_of_receipt)
{
    struct scene s;

    scene_init(&s, METHOD_GET, "", 200, "Cache-Control: max-age=3600");
    respond_object(&s.input, &s.out);
    expect_field(&s, FIELD_DATE, "Fri, 15 Jan 2027 07:50:00 GMT");
    scene_fini(&s);
}

Test(respond_object, rfc9111_4_3_2_conditions)
{
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {"If-None-Match: \"v1\"", 304},
        {"If-None-Match: W/\"v1\"", 304},
        {"If-None-Match: \"x\", \"v1\", \"y\"", 304},
        {"If-None-Match: \"x\", \"y\", \"v1\"", 304},
        {"If-None-Match: *", 304},
        {"If-None-Match: \"v2\"", 200},
        {"If-Modified-Since: @-86400", 304},
        {"If-Modified-Since: @0", 304},
        {"If-Modified-Since: Friday, 15-Jan-27 08:00:00 GMT", 304},
        {"If-Modified-Since: Fri Jan 15 08:00:00 2027", 304},
        {"If-Modified-Since: @-86401", 200},
        {"If-Modified-Since: yesterday", 200},
        /* If-None-Match decides, whatever If-Modified-Since says */
        {"If-None-Match: \"v2\"|If-Modified-Since: @0", 200},
        {"If-None-Match: \"v1\"|If-Modified-Since: @-99999999", 304},
        /* conditions come before ranges */
        {"If-None-Match: \"v1\"|Range: bytes=0-1", 304},
        {"If-None-Match: \"v2\"|Range: bytes=0-1", 206},
        {"If-Match: \"v2\"", 412},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene s;
        scene_init(&s, METHOD_GET, cases[i].request, 200, STORED);
        respond_object(&s.input, &s.out);
        cr_expect_eq(s.out.head.status, cases[i].status, "%s: %d", cases[i].request,
                     s.out.head.status);
        s.input.evaluate = false;
        respond_object(&s.input, &s.out);
        cr_expect_eq(s.out.head.status, 200, "%s is the origin's to evaluate", cases[i].request);
        scene_fini(&s);
    }
}

Test(respond_object, rfc9110_15_4_5_a_304)
{
    struct scene s;

    scene_init(&s, METHOD_GET, "If-None-Match: \"v1\"", 200, STORED "|Vary: Accept|Expires: @9");
    respond_object(&s.input, &s.out);
    cr_expect_eq(s.out.head.status, 304);
    cr_expect_eq(s.out.head.framing, BODY_NONE);
    cr_expect_eq(s.out.head.content_length, -1);
    cr_expect_eq(s.out.body.count, 0);
    expect_field(&s, FIELD_ETAG, "\"v1\"");
    expect_field(&s, FIELD_CACHE_CONTROL, "max-age=3600");
    expect_field(&s, FIELD_VARY, "Accept");
    expect_field(&s, FIELD_AGE, "607");
    cr_expect(fields_has(&s.out.head.fields, FIELD_EXPIRES));
    cr_expect(fields_has(&s.out.head.fields, FIELD_DATE));
    expect_field(&s, FIELD_CONTENT_TYPE, NULL);
    expect_field(&s, FIELD_LAST_MODIFIED, NULL);
    scene_fini(&s);

    scene_init(&s, METHOD_GET, "If-Modified-Since: @0", 200, "Last-Modified: @-60");
    respond_object(&s.input, &s.out);
    cr_expect_eq(s.out.head.status, 304);
    cr_expect(fields_has(&s.out.head.fields, FIELD_LAST_MODIFIED)); /* the only validator */
    scene_fini(&s);
}

Test(respond_object, only_success_is_conditional_or_in_ranges)
{
    struct scene s;

    scene_init(&s, METHOD_GET, "If-None-Match: \"v1\"|Range: bytes=0-1", 404, STORED);
    respond_object(&s.input, &s.out);
    cr_expect_eq(s.out.head.status, 404);
    cr_expect_eq(s.out.head.content_length, 100);
    scene_fini(&s);
    scene_init(&s, METHOD_GET, "Range: bytes=0-1", 203, STORED);
    respond_object(&s.input, &s.out);
    cr_expect_eq(s.out.head.status, 203);
    scene_fini(&s);
}

Test(respond_object, rfc9110_14_ranges)
{
    static const struct {
        const char *request;
        int status;
        uint64_t from, to;
        const char *content_range;
    } cases[] = {
        {"Range: bytes=0-4", 206, 0, 5, "bytes 0-4/100"},
        {"Range: bytes=10-", 206, 10, 100, "bytes 10-99/100"},
        {"Range: bytes=-3", 206, 97, 100, "bytes 97-99/100"},
        {"Range: bytes=50-5000", 206, 50, 100, "bytes 50-99/100"},
        {"Range: bytes=0-99", 206, 0, 100, "bytes 0-99/100"},
        {"Range: bytes=100-", 416, 0, 0, "bytes */100"},
        {"Range: bytes=-0", 416, 0, 0, "bytes */100"},
        {"Range: bytes=5-4", 200, 0, UINT64_MAX, NULL},
        {"Range: lines=0-4", 200, 0, UINT64_MAX, NULL},
        {"Range: bytes=0-1,200-", 206, 0, 2, "bytes 0-1/100"},
        {"Range: bytes=2-3,0-1", 206, 0, 4, "bytes 0-3/100"},
        {"Range: bytes=0-59,40-99", 200, 0, UINT64_MAX, NULL},
        {"Range: bytes=0-1|Range: bytes=2-3", 200, 0, UINT64_MAX, NULL},
        {"Range: bytes=0-4|If-Range: \"v1\"", 206, 0, 5, "bytes 0-4/100"},
        {"Range: bytes=0-4|If-Range: \"v2\"", 200, 0, UINT64_MAX, NULL},
        {"Range: bytes=0-4|If-Range: W/\"v1\"", 200, 0, UINT64_MAX, NULL},
        {"Range: bytes=0-4|If-Range: @-86400", 206, 0, 5, "bytes 0-4/100"},
        {"Range: bytes=0-4|If-Range: @-86399", 200, 0, UINT64_MAX, NULL},
        {"Range: bytes=0-4|If-Range: @-86401", 200, 0, UINT64_MAX, NULL},
        {"Range: bytes=0-4|If-Range: v1", 200, 0, UINT64_MAX, NULL},
        {"Range: bytes=0-4|If-Range: \"v1\"|If-Range: \"v1\"", 200, 0, UINT64_MAX, NULL},
        {"Range: bytes=100-|If-Range: \"v2\"", 200, 0, UINT64_MAX, NULL},
        {"Range: bytes=100-|If-Range: \"v1\"", 416, 0, 0, "bytes */100"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene s;
        scene_init(&s, METHOD_GET, cases[i].request, 200, STORED);
        respond_object(&s.input, &s.out);
        cr_expect_eq(s.out.head.status, cases[i].status, "%s: %d", cases[i].request,
                     s.out.head.status);
        if (cases[i].status == 416) {
            cr_expect_eq(s.out.body.count, 0);
        } else {
            expect_one_part(&s, cases[i].from, cases[i].to);
        }
        expect_field(&s, FIELD_CONTENT_RANGE, cases[i].content_range);
        cr_expect(cases[i].status != 206 ||
                  s.out.head.content_length == (int64_t)(cases[i].to - cases[i].from));
        cr_expect(cases[i].status != 206 || fields_has(&s.out.head.fields, FIELD_ETAG));
        scene_fini(&s);
    }
}

/* The date form needs a Last-Modified that is strong, RFC 9110 8.8.2.2. */
Test(respond_object, rfc9110_13_1_5_if_range_with_a_weak_date)
{
    struct scene s;

    scene_init(&s, METHOD_GET, "Range: bytes=0-4|If-Range: @-630", 200,
               TEN_MINUTES_AGO "|Last-Modified: @-630");
    respond_object(&s.input, &s.out);
    cr_expect_eq(s.out.head.status, 200);
    scene_fini(&s);
}

/* All that the 200 would carry is there, but what is said of another content than this one. */
Test(respond_object, rfc9110_15_3_7_fields_of_a_206)
{
    static const struct {
        const char *request;
        const char *type;
    } cases[] = {
        {"Range: bytes=0-4", "text/plain"},
        {"Range: bytes=0-4|If-Range: \"v1\"", "text/plain"},
        {"Range: bytes=0-4,9-9", "multipart/byteranges; boundary="},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene s;
        scene_init(&s, METHOD_GET, cases[i].request, 200,
                   STORED "|Vary: Accept|Expires: @9|Content-Location: /x|Content-Encoding: gzip|"
                          "Content-Range: bytes 0-1/2|Content-Digest: sha-256=:AA==:|"
                          "Repr-Digest: sha-256=:AA==:|content-md5: AA==");
        respond_object(&s.input, &s.out);
        cr_expect_eq(s.out.head.status, 206);
        cr_expect(span_eq(s.out.head.reason, SPAN("Partial Content")));
        expect_field(&s, FIELD_ETAG, "\"v1\"");
        expect_field(&s, FIELD_CACHE_CONTROL, "max-age=3600");
        expect_field(&s, FIELD_DATE, "Fri, 15 Jan 2027 07:50:00 GMT");
        expect_field(&s, FIELD_VARY, "Accept");
        expect_field(&s, FIELD_CONTENT_LOCATION, "/x");
        expect_field(&s, FIELD_CONTENT_ENCODING, "gzip");
        expect_field(&s, FIELD_AGE, "607");
        cr_expect(fields_has(&s.out.head.fields, FIELD_EXPIRES));
        cr_expect(fields_has(&s.out.head.fields, FIELD_LAST_MODIFIED));
        expect_field(&s, FIELD_CONTENT_RANGE, i < 2 ? "bytes 0-4/100" : NULL);
        cr_expect(span_starts(fields_get(&s.out.head.fields, FIELD_CONTENT_TYPE),
                              span_str(cases[i].type)));
        cr_expect_eq(fields_count(&s.out.head.fields, FIELD_CONTENT_TYPE), 1);
        cr_expect_null(fields_find_name(&s.out.head.fields, SPAN("Content-Digest")));
        cr_expect_null(fields_find_name(&s.out.head.fields, SPAN("Content-MD5")));
        cr_expect_not_null(fields_find_name(&s.out.head.fields, SPAN("Repr-Digest")));
        scene_fini(&s);
    }
}

/* The whole body of a response, with a '.' for each byte of the object. */
static struct span spelled(const struct scene *s, char *out)
{
    char *at = out;

    for (size_t i = 0; i < s->out.body.count; i++) {
        const struct body_part *part = &s->out.body.at[i];
        at = put_span(at, part->before);
        memset(at, '.', (size_t)(part->to - part->from));
        at += part->to - part->from;
    }
    return span_from_to(out, put_span(at, s->out.body.after));
}

Test(respond_object, rfc9110_14_6_several_ranges)
{
    static const struct {
        const char *request, *stored, *body;
    } cases[] = {
        {"Range: bytes=0-1,50-52", STORED,
         "--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/100\r\n\r\n..\r\n"
         "--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 50-52/100\r\n\r\n...\r\n"
         "--B--\r\n"},
        {"Range: bytes=-1,0-0,200-", "Last-Modified: @-60",
         "--B\r\nContent-Range: bytes 99-99/100\r\n\r\n.\r\n"
         "--B\r\nContent-Range: bytes 0-0/100\r\n\r\n.\r\n--B--\r\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene s;
        char got[1024], want[1024];
        scene_init(&s, METHOD_GET, cases[i].request, 200, cases[i].stored);
        s.input.serial = i;
        respond_object(&s.input, &s.out);
        cr_assert_eq(s.out.head.status, 206);
        cr_expect_eq(s.out.head.framing, BODY_LENGTH);
        struct span type = fields_get(&s.out.head.fields, FIELD_CONTENT_TYPE);
        struct span start = SPAN("multipart/byteranges; boundary=");
        cr_assert(span_starts(type, start));
        struct span boundary = span_skip(type, start.len);
        cr_expect_eq(boundary.len, MULTIPART_BOUNDARY);
        struct span body = spelled(&s, got);
        cr_expect_eq(s.out.head.content_length, (int64_t)body.len);
        char *at = want;
        for (struct span rest = span_str(cases[i].body); rest.len;) {
            bool more = memchr(rest.at, 'B', rest.len) != NULL;
            at = put_span(at, span_cut(&rest, 'B'));
            at = more ? put_span(at, boundary) : at;
        }
        cr_expect(span_eq(body, span_from_to(want, at)), "%.*s", SPAN_ARGS(body));
        scene_fini(&s);
    }
}

Test(respond_object, several_ranges_need_a_body_that_stays)
{
    static const struct {
        enum reason stored;
        uint64_t keep; /* bytes */
        bool complete;
        int status;
    } cases[] = {
        {REASON_STORED, 100, true, 206},
        {REASON_STORED, 100, false, 200}, /* gives way if memory gets tight before its end */
        {REASON_STORED, 99, false, 200},  /* without a store, and too large for memory */
        {REASON_PRIVATE, 0, false, 200},
    };
    static const char body[100];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene s;
        struct spool *spool = spool_new(&(struct spool_options){.expected = 100, .limit = 100});
        scene_init(&s, METHOD_GET, "Range: bytes=50-52,0-1", 200, STORED);
        spool_keep(spool, cases[i].keep);
        if (cases[i].complete) {
            spool_append(spool, (struct span){body, sizeof(body)});
            spool_end(spool, 0);
        }
        s.object.spool = spool;
        s.object.stored_reason = cases[i].stored;
        respond_object(&s.input, &s.out);
        cr_expect_eq(s.out.head.status, cases[i].status, "case %zu: %d", i, s.out.head.status);
        if (!cases[i].complete) {
            spool_end(spool, ERR_TRUNCATED);
        }
        spool_unref(&spool);
        scene_fini(&s);
    }
}

Test(respond_object, boundaries_differ_and_follow_from_a_secret)
{
    struct arena arena;
    const struct sip_key one = {1, 2}, other = {1, 3};

    arena_init(&arena, NULL, 0);
    struct span boundary = multipart_boundary(&one, 7, &arena);
    cr_expect_eq(boundary.len, 32);
    for (size_t i = 0; i < boundary.len; i++) {
        cr_expect_not_null(strchr("0123456789abcdef", boundary.at[i]));
    }
    cr_expect(span_eq(boundary, multipart_boundary(&one, 7, &arena)));
    cr_expect(!span_eq(boundary, multipart_boundary(&one, 8, &arena)));
    cr_expect(!span_eq(boundary, multipart_boundary(&other, 7, &arena)));
    arena_fini(&arena);
}

/* What an origin controls makes neither the texts large nor the length overflow. */
Test(respond_object, several_ranges_of_what_does_not_suit_get_the_whole)
{
    struct scene s;
    char stored[1024], type[513];

    for (size_t len = 512; len <= 513; len++) {
        memset(type, 'x', sizeof(type));
        snprintf(stored, sizeof(stored), "Content-Type: %.*s", (int)len, type);
        scene_init(&s, METHOD_GET, "Range: bytes=0-1,4-5", 200, stored);
        respond_object(&s.input, &s.out);
        cr_expect_eq(s.out.head.status, len == 512 ? 206 : 200);
        scene_fini(&s);
    }
    scene_init(&s, METHOD_GET, "Range: bytes=0-0,2-", 200, STORED);
    s.object.body_len = INT64_MAX;
    respond_object(&s.input, &s.out);
    cr_expect_eq(s.out.head.status, 200);
    scene_fini(&s);
    scene_init(&s, METHOD_GET, "Range: bytes=0-0,2-", 200, STORED);
    s.object.body_len = INT64_MAX / 2;
    respond_object(&s.input, &s.out);
    cr_expect_eq(s.out.head.status, 206);
    cr_expect_gt(s.out.head.content_length, INT64_MAX / 2);
    scene_fini(&s);
}

Test(respond_object, a_416_is_ours_alone)
{
    struct scene s;

    scene_init(&s, METHOD_GET, "Range: bytes=500-", 200, STORED "|Set-Cookie: a=b");
    respond_object(&s.input, &s.out);
    cr_expect_eq(s.out.head.status, 416);
    cr_expect_eq(s.out.head.content_length, 0);
    expect_field(&s, FIELD_CACHE_CONTROL, NULL);
    expect_field(&s, FIELD_SET_COOKIE, NULL);
    expect_field(&s, FIELD_AGE, NULL);
    expect_field(&s, FIELD_DATE, "Fri, 15 Jan 2027 08:00:00 GMT");
    scene_fini(&s);
}

Test(respond_object, bodies_and_lengths)
{
    static const struct {
        const char *what;
        enum http_method method;
        const char *request;
        int status;
        const char *stored;
        enum http_framing framing;
        int64_t body_len;
        enum http_framing want;
        int64_t want_length;
        bool has_body;
    } cases[] = {
        {"HEAD from a stored GET", METHOD_HEAD, "", 200, STORED, BODY_LENGTH, 100, BODY_NONE, 100,
         false},
        {"HEAD ignores Range", METHOD_HEAD, "Range: bytes=0-1", 200, STORED, BODY_LENGTH, 100,
         BODY_NONE, 100, false},
        {"HEAD ignores several", METHOD_HEAD, "Range: bytes=0-1,9-9", 200, STORED, BODY_LENGTH, 100,
         BODY_NONE, 100, false},
        {"no ranges of an unknown length", METHOD_GET, "Range: bytes=0-1,4-5", 200, "",
         BODY_CHUNKED, -1, BODY_CHUNKED, -1, true},
        {"no last bytes of nothing", METHOD_GET, "Range: bytes=-5", 200, "", BODY_LENGTH, 0,
         BODY_LENGTH, 0, false},
        {"HEAD passed on", METHOD_HEAD, "", 200, "Content-Length: 5", BODY_NONE, -1, BODY_NONE, 5,
         false},
        {"HEAD passed on, its body known to be empty", METHOD_HEAD, "", 200, "Content-Length: 5",
         BODY_NONE, 0, BODY_NONE, 5, false},
        {"HEAD of unknown length", METHOD_HEAD, "", 200, "", BODY_CHUNKED, -1, BODY_NONE, -1,
         false},
        {"length unknown while it arrives", METHOD_GET, "", 200, "", BODY_CHUNKED, -1, BODY_CHUNKED,
         -1, true},
        {"until the connection closed", METHOD_GET, "", 200, "", BODY_CLOSE, -1, BODY_CHUNKED, -1,
         true},
        {"no range of an unknown length", METHOD_GET, "Range: bytes=0-1", 200, "", BODY_CHUNKED, -1,
         BODY_CHUNKED, -1, true},
        {"an empty body", METHOD_GET, "", 200, "", BODY_LENGTH, 0, BODY_LENGTH, 0, false},
        {"204 from the store", METHOD_GET, "", 204, "", BODY_LENGTH, 0, BODY_NONE, 0, false},
        {"304 passed on", METHOD_GET, "", 304, "ETag: \"a\"", BODY_NONE, -1, BODY_NONE, -1, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene s;
        scene_init(&s, cases[i].method, cases[i].request, cases[i].status, cases[i].stored);
        s.object.framing = cases[i].framing;
        s.object.body_len = cases[i].body_len;
        respond_object(&s.input, &s.out);
        cr_expect_eq(s.out.head.status, cases[i].status, "%s", cases[i].what);
        cr_expect_eq(s.out.head.framing, cases[i].want, "%s", cases[i].what);
        cr_expect_eq(s.out.head.content_length, cases[i].want_length, "%s", cases[i].what);
        cr_expect_eq(s.out.body.count, cases[i].has_body, "%s", cases[i].what);
        scene_fini(&s);
    }
}

/* ---- pages ---- */

static bool has_text(struct span text, const char *needle)
{
    return memmem(text.at, text.len, needle, strlen(needle)) != NULL;
}

Test(respond_error, rfc9209_types)
{
    static const struct {
        int status;
        enum reason reason;
        const char *proxy_status;
    } cases[] = {
        {502, REASON_DNS, "larder; error=dns_error"},
        {504, REASON_DNS, "larder; error=dns_timeout"},
        {502, REASON_CONNECT, "larder; error=connection_refused"},
        {504, REASON_CONNECT, "larder; error=connection_timeout"},
        {502, REASON_TLS_HANDSHAKE, "larder; error=tls_protocol_error"},
        {502, REASON_TLS_CERTIFICATE, "larder; error=tls_certificate_error"},
        {502, REASON_TLS_EXPIRED, "larder; error=tls_certificate_error"},
        {502, REASON_TLS_NAME, "larder; error=tls_certificate_error"},
        {504, REASON_ORIGIN_TIMEOUT, "larder; error=http_response_timeout"},
        {502, REASON_ORIGIN_CLOSED, "larder; error=connection_terminated"},
        {502, REASON_ORIGIN_BROKEN, "larder; error=http_protocol_error"},
        {502, REASON_INCOMPLETE, "larder; error=http_response_incomplete"},
        {403, REASON_TARGET_ADDRESS, "larder; error=destination_ip_prohibited"},
        {403, REASON_ACCESS, "larder; error=http_request_denied"},
        {400, REASON_NO_SITE, "larder; error=destination_not_found"},
        {508, REASON_LOOP, "larder; error=proxy_loop_detected"},
        {431, REASON_BAD_REQUEST, "larder; error=http_request_error"},
        {504, REASON_ONLY_IF_CACHED, "larder; error=proxy_internal_response"},
        {500, REASON_NONE, "larder; error=proxy_internal_error"},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct respond_error error = {.status = cases[i].status,
                                      .reason = cases[i].reason,
                                      .name = SPAN("larder"),
                                      .now = NOW,
                                      .arena = &arena};
        struct http_head head;
        struct span body;
        respond_error(&error, &head, &body);
        cr_expect_eq(head.status, cases[i].status);
        cr_expect(
            span_eq(fields_get(&head.fields, FIELD_PROXY_STATUS), span_str(cases[i].proxy_status)),
            "%.*s", SPAN_ARGS(fields_get(&head.fields, FIELD_PROXY_STATUS)));
        cr_expect_eq(head.content_length, (int64_t)body.len);
    }
    arena_fini(&arena);
}

Test(respond_error, the_page)
{
    struct arena arena;
    struct http_head head;
    struct span body;

    arena_init(&arena, NULL, 0);
    struct respond_error error = {.status = 502,
                                  .reason = REASON_DNS,
                                  .name = SPAN("larder"),
                                  .incident = SPAN("1-2f"),
                                  .host = SPAN("a<script>\"'&\r\n\xff"),
                                  .now = NOW,
                                  .arena = &arena};
    respond_error(&error, &head, &body);
    cr_expect(has_text(body, "<title>502 Bad Gateway</title>"));
    cr_expect(has_text(body, "<main>\n<h1>Bad Gateway</h1>")); /* a landmark, for screen readers */
    cr_expect(has_text(body, "<p>The server&#39;s name was not found."));
    cr_expect(has_text(body, "a&lt;script&gt;&quot;&#39;&amp;???\n"));
    cr_expect(has_text(body, "1-2f"));
    cr_expect(!has_text(body, "<script"));
    cr_expect(span_eq(fields_get(&head.fields, FIELD_CACHE_CONTROL), SPAN("no-store")));
    cr_expect(span_eq(fields_get(&head.fields, FIELD_CONTENT_LANGUAGE), SPAN("en")));
    cr_expect(span_eq(fields_get(&head.fields, FIELD_CACHE_STATUS), SPAN("larder; detail=dns")));
    cr_expect(span_eq(fields_get(&head.fields, FIELD_DATE), SPAN("Fri, 15 Jan 2027 08:00:00 GMT")));
    cr_expect_eq(head.framing, BODY_LENGTH);

    error.what = "Two Host fields.";
    error.head_only = true;
    size_t length = body.len;
    respond_error(&error, &head, &body);
    cr_expect_eq(body.len, 0);
    cr_expect_eq(head.framing, BODY_NONE);
    cr_expect_lt(head.content_length, (int64_t)length);
    cr_expect_gt(head.content_length, 500);
    arena_fini(&arena);
}
