#include "http/names.h"

#include <criterion/criterion.h>

#include "base/check.h"
#include "http/chars.h"

Test(names, every_known_field_is_found_in_any_case)
{
    for (unsigned id = FIELD_OTHER + 1; id < FIELD_COUNT; id++) {
        struct span name = http_field_name((enum http_field_id)id);
        char upper[32], lower[32];
        cr_assert_leq(name.len, sizeof(upper));
        for (size_t i = 0; i < name.len; i++) {
            lower[i] = ascii_lower(name.at[i]);
            upper[i] = (char)(lower[i] >= 'a' && lower[i] <= 'z' ? lower[i] - 32 : lower[i]);
        }
        cr_expect_eq(http_field_id(name), id, "%.*s", SPAN_ARGS(name));
        cr_expect_eq(http_field_id(span_of(upper, name.len)), id, "%.*s", SPAN_ARGS(name));
        cr_expect_eq(http_field_id(span_of(lower, name.len)), id, "%.*s", SPAN_ARGS(name));
        struct span small = http_field_name_small((enum http_field_id)id);
        cr_expect(span_eq(small, span_of(lower, name.len)), "%.*s", SPAN_ARGS(name));
    }
}

Test(names, a_name_one_byte_off_is_another)
{
    for (unsigned id = FIELD_OTHER + 1; id < FIELD_COUNT; id++) {
        struct span name = http_field_name((enum http_field_id)id);
        char copy[33];
        memcpy(copy, name.at, name.len);
        for (size_t i = 0; i < name.len; i++) {
            char kept = copy[i];
            /* The same low bits as the letter: a careless fold would take them for equal. */
            copy[i] = (char)(kept ^ 0x40);
            cr_expect_eq(http_field_id(span_of(copy, name.len)), FIELD_OTHER);
            copy[i] = (char)(kept ^ 0x80);
            cr_expect_eq(http_field_id(span_of(copy, name.len)), FIELD_OTHER);
            if (kept == '-') {
                copy[i] = '\r';
                cr_expect_eq(http_field_id(span_of(copy, name.len)), FIELD_OTHER);
            }
            copy[i] = kept;
        }
        copy[name.len] = 'x';
        cr_expect_eq(http_field_id(span_of(copy, name.len + 1)), FIELD_OTHER);
    }
    cr_expect_eq(http_field_id(SPAN_EMPTY), FIELD_OTHER);
    cr_expect_eq(http_field_id(SPAN("X-Something-Else")), FIELD_OTHER);
}

Test(names, methods_rfc9110_9)
{
    static const struct {
        const char *text;
        enum http_method method;
        bool safe, idempotent;
    } cases[] = {
        {"GET", METHOD_GET, true, true},          {"HEAD", METHOD_HEAD, true, true},
        {"POST", METHOD_POST, false, false},      {"PUT", METHOD_PUT, false, true},
        {"DELETE", METHOD_DELETE, false, true},   {"CONNECT", METHOD_CONNECT, false, false},
        {"OPTIONS", METHOD_OPTIONS, true, true},  {"TRACE", METHOD_TRACE, true, true},
        {"PATCH", METHOD_PATCH, false, false},    {"PURGE", METHOD_PURGE, false, true},
        {"get", METHOD_OTHER, false, false},      {"GETS", METHOD_OTHER, false, false},
        {"M-SEARCH", METHOD_OTHER, false, false}, {"", METHOD_OTHER, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum http_method method = http_method_id(span_str(cases[i].text));
        cr_expect_eq(method, cases[i].method, "%s", cases[i].text);
        cr_expect_eq(http_method_is_safe(method), cases[i].safe, "%s", cases[i].text);
        cr_expect_eq(http_method_is_idempotent(method), cases[i].idempotent, "%s", cases[i].text);
        if (method != METHOD_OTHER) {
            cr_expect(span_eq(http_method_text(method), span_str(cases[i].text)));
        }
    }
}

Test(names, status_texts_rfc9110_15)
{
    cr_expect(span_eq(http_status_text(200), SPAN("OK")));
    cr_expect(span_eq(http_status_text(504), SPAN("Gateway Timeout")));
    cr_expect_eq(http_status_text(299).len, 0);
    cr_expect_eq(http_status_text(0).len, 0);
    cr_expect_eq(http_status_text(-1).len, 0);
}

static bool one_of(int c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

static bool alnum(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Test(chars, classes_are_those_of_the_grammar)
{
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        cr_expect_eq(char_is(byte, CHAR_TOKEN), alnum(c) || one_of(c, "!#$%&'*+-.^_`|~"), "%d", c);
        cr_expect_eq(char_is(byte, CHAR_VALUE), c == '\t' || (c >= ' ' && c != 127), "%d", c);
        cr_expect_eq(char_is(byte, CHAR_VISIBLE), c > ' ' && c < 127, "%d", c);
        cr_expect_eq(char_is(byte, CHAR_HOST), alnum(c) || one_of(c, "-._~!$&'()*+,;=%"), "%d", c);
        cr_expect_eq(char_is(byte, CHAR_HEX), hex, "%d", c);
    }
}

Test(names, tokens_rfc9110_5_6_2)
{
    cr_expect(http_is_token(SPAN("a-b_c.~")));
    cr_expect_not(http_is_token(SPAN("")));
    cr_expect_not(http_is_token(SPAN("a b")));
    cr_expect_not(http_is_token(SPAN("a\"")));
    cr_expect_not(http_is_token(span_of("a\0b", 3)));
    cr_expect_not(http_is_token(SPAN("caf\xc3\xa9")));
}

Test(chars, by_words_they_are_the_same)
{
    char bytes[25];

    memset(bytes, 'a', sizeof(bytes));
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        for (size_t at = 0; at < len; at++) {
            for (int c = 0; c < 256; c++) {
                struct span text = span_of(bytes, len);
                bytes[at] = (char)c;
                cr_assert_eq(chars_are_value(text), chars_are(text, CHAR_VALUE), "%zu %zu %d", len,
                             at, c);
                cr_assert_eq(chars_are_visible(text), chars_are(text, CHAR_VISIBLE), "%zu %zu %d",
                             len, at, c);
            }
            bytes[at] = '\t';
        }
        memset(bytes, 'a', sizeof(bytes));
    }
}
