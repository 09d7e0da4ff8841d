#include "http/hpack.h"

#include <criterion/criterion.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

/* What is written here is read by another implementation. */
static struct hpack_table table;
static nghttp2_hd_inflater *inflater;

static void setup(void)
{
    hpack_table_init(&table);
    cr_assert_eq(nghttp2_hd_inflate_new(&inflater), 0);
}

static void teardown(void)
{
    nghttp2_hd_inflate_del(inflater);
}

TestSuite(hpack, .init = setup, .fini = teardown);

static struct http_field field(const char *name, const char *value)
{
    struct span text = span_str(name);

    return (struct http_field){text, span_str(value), http_field_id(text)};
}

static size_t encode_with(struct hpack_table *with, const struct http_field *fields, size_t count,
                          char *out)
{
    static char kept[65536];
    char *end = kept;

    for (size_t i = 0; i < count; i++) {
        char *begin = end;
        end = hpack_keep(end, &fields[i]);
        cr_assert_leq((size_t)(end - begin), HPACK_KEPT + fields[i].name.len + fields[i].value.len);
    }
    return (size_t)(hpack_encode(with, span_from_to(kept, end), out) - out);
}

static size_t encode(const struct http_field *fields, size_t count, char *out)
{
    return encode_with(&table, fields, count, out);
}

static bool equals(const uint8_t *at, size_t len, struct span text)
{
    return span_ieq(span_of((const char *)at, len), text);
}

/* The bytes are a block of exactly these fields. */
static void check(const char *bytes, size_t len, const struct http_field *fields, size_t count)
{
    size_t i = 0;

    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t n = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, (const uint8_t *)bytes, len, 1);
        cr_assert_geq(n, 0, "%s", nghttp2_strerror((int)n));
        bytes += n;
        len -= (size_t)n;
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            cr_assert_lt(i, count);
            cr_assert(equals(nv.name, nv.namelen, fields[i].name));
            cr_assert(span_eq(span_of((const char *)nv.value, nv.valuelen), fields[i].value));
            i++;
        }
        if (flags & NGHTTP2_HD_INFLATE_FINAL) {
            break;
        }
    }
    cr_assert_eq(i, count);
    cr_assert_eq(len, 0);
    nghttp2_hd_inflate_end_headers(inflater);
}

static size_t send_one(const char *name, const char *value)
{
    struct http_field one = field(name, value);
    char out[4096];
    size_t len = encode(&one, 1, out);

    check(out, len, &one, 1);
    return len;
}

Test(hpack, what_comes_again_is_indexed)
{
    size_t first = send_one("Via", "1.1 larder");

    cr_assert_eq(send_one("Via", "1.1 larder"), first - 1, "an index of a name takes less, then");
    cr_assert_eq(send_one("Via", "1.1 larder"), 1);
    cr_assert_eq(send_one("X-Frame-Options", "DENY"), 22);
    cr_assert_eq(send_one("X-Frame-Options", "DENY"), 22);
    cr_assert_eq(send_one("X-Frame-Options", "DENY"), 1);
    cr_assert_eq(send_one("Via", "1.1 larder"), 1);
}

Test(hpack, names_are_told_apart_in_small_letters)
{
    for (int i = 0; i < 3; i++) {
        send_one("X-One", "same");
        send_one("X-Two", "same");
        send_one("x-ONE", "same");
        send_one("Server", "same");
    }
    cr_assert_eq(send_one("x-one", "same"), 1);
}

Test(hpack, what_is_different_each_time_is_not_indexed)
{
    cr_assert_eq(send_one("ETag", "\"a\""), send_one("ETag", "\"a\""));
    cr_assert_eq(send_one("ETag", "\"a\""), 6);
    cr_assert_eq(table.inserted, 0);
}

Test(hpack, secrets_are_never_indexed_rfc7541_7_1_3)
{
    for (int i = 0; i < 3; i++) {
        struct http_field one = field("Set-Cookie", "a=b");
        char out[64];
        size_t len = encode(&one, 1, out);
        check(out, len, &one, 1);
        cr_assert_eq(out[0] & 0xf0, 0x10);
    }
    cr_assert_eq(table.inserted, 0);
}

Test(hpack, without_a_table_nothing_is_indexed)
{
    for (int i = 0; i < 3; i++) {
        struct http_field one = field("Server", "nginx");
        char out[64];
        cr_assert_eq(encode_with(NULL, &one, 1, out), 2 + 1 + 5);
        check(out, 8, &one, 1);
    }
}

Test(hpack, ends_alike_but_not_the_same)
{
    for (int i = 0; i < 3; i++) {
        send_one("Content-Security-Policy", "default-src self; script-src self");
        send_one("Content-Security-Policy", "default-src self; connect-src self");
        send_one("Content-Security-Policy", "default-src SELF; script-src self");
    }
}

Test(hpack, forgotten_is_not_used)
{
    for (int i = 0; i < 3; i++) {
        send_one("Via", "1.1 larder");
        send_one("Server", "nginx");
    }
    hpack_table_init(&table);
    for (int i = 0; i < 3; i++) {
        send_one("Server", "nginx");
        send_one("Via", "1.1 other");
        send_one("Via", "1.1 larder");
    }
    cr_assert_eq(send_one("Via", "1.1 larder"), 1);
}

Test(hpack, status)
{
    for (int status = 100; status < 1000; status++) {
        char out[HPACK_FRAMING], text[4];
        size_t len = (size_t)(hpack_put_status(out, status) - out);
        snprintf(text, sizeof(text), "%d", status);
        struct http_field want = field(":status", text);
        check(out, len, &want, 1);
        bool is_short = status == 200 || status == 204 || status == 206 || status == 304 ||
                        status == 400 || status == 404 || status == 500;
        cr_assert_eq(len, is_short ? 1 : 5);
    }
}

/* They are small, so their text is still known when the decoder has no room for them any more. */
Test(hpack, entries_leave_the_table_rfc7541_4_4)
{
    enum { ENTRIES = 160 };
    char value[16];

    for (int i = 0; i < 4 * ENTRIES; i++) {
        snprintf(value, sizeof(value), "%d", i % ENTRIES);
        send_one("Server", value);
        send_one("Server", value);
    }
    cr_assert_gt(table.inserted, ENTRIES);
}

/* Values of all lengths, some of which come often: entries leave the decoder's table and what is
 * known of it here in the same order. */
Test(hpack, a_long_connection)
{
    enum { MESSAGES = 20000, FIELDS = 12, VALUE_MAX = 700 };
    static const char *const names[] = {"Date",       "Server",       "Vary", "X-A", "X-Other-B",
                                        "Set-Cookie", "Cache-Status", "ETag", "Age", "Expires"};
    static char values[FIELDS][VALUE_MAX + 1], out[FIELDS * (VALUE_MAX + 64)];
    size_t all = 0;

    srand(1);
    for (int message = 0; message < MESSAGES; message++) {
        struct http_field fields[FIELDS];
        size_t count = (size_t)rand() % (FIELDS + 1), most = 0;
        for (size_t i = 0; i < count; i++) {
            int kind = rand() % 40;
            size_t len = (size_t)(rand() % 8 ? rand() % 40 : rand() % VALUE_MAX);
            if (kind < 30) { /* one of few */
                srand((unsigned)kind);
                len = (size_t)(kind == 0 ? VALUE_MAX : kind * 3);
            }
            for (size_t c = 0; c < len; c++) {
                values[i][c] = (char)('a' + rand() % 26);
            }
            srand((unsigned)(message * FIELDS) + (unsigned)i);
            values[i][len] = 0;
            fields[i] = field(names[rand() % (int)ARRAY_LEN(names)], values[i]);
            most += HPACK_FRAMING + fields[i].name.len + fields[i].value.len;
        }
        size_t len = encode(fields, count, out);
        cr_assert_leq(len, most);
        check(out, len, fields, count);
        all += len;
    }
    cr_assert_gt(table.inserted, 1000);
    cr_assert_gt(all, MESSAGES);
}

Test(hpack, counters_begin_again_before_they_are_full)
{
    for (int i = 0; i < 3; i++) {
        send_one("Via", "1.1 larder");
    }
    table.bytes += 1u << 30;
    table.text_len += 1u << 30;
    cr_assert_gt(send_one("Via", "1.1 larder"), 1);
    cr_assert_lt(table.bytes, 4096);
    send_one("Via", "1.1 larder");
    cr_assert_eq(send_one("Via", "1.1 larder"), 1);
}
