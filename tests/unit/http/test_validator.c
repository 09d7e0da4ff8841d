#include "http/validator.h"

#include <criterion/criterion.h>

#include "base/check.h"

#define NOW INT64_C(1795334400)
#define OLD "Sun, 06 Nov 1994 08:49:37 GMT"
#define OLD_850 "Sunday, 06-Nov-94 08:49:37 GMT"
#define OLD_ASCTIME "Sun Nov  6 08:49:37 1994"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, NULL, 0);
}

static void teardown(void)
{
    arena_fini(&arena);
}

TestSuite(validator, .init = setup, .fini = teardown);

Test(validator, etags_rfc9110_8_8_3)
{
    static const struct {
        const char *text;
        bool valid, weak;
    } cases[] = {
        {"\"a\"", true, false},     {"W/\"a\"", true, true},       {"\"\"", true, false},
        {"\"a,b\\\"", true, false}, {"\"\xc3\xa4\"", true, false}, {"\"!#~\"", true, false},
        {"a", false, false},        {"w/\"a\"", false, false},     {"W/a", false, true},
        {"\"a", false, false},      {"a\"", false, false},         {"\"", false, false},
        {"\"a b\"", false, false},  {"\"a\"b\"", false, false},    {"\"a\t\"", false, false},
        {"\"a\" ", false, false},   {"W/ \"a\"", false, true},     {"", false, false},
        {"*", false, false},        {"\"a\x7f\"", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(etag_is_valid(span_str(cases[i].text)), cases[i].valid, "%s", cases[i].text);
        cr_expect_eq(etag_is_weak(span_str(cases[i].text)), cases[i].weak, "%s", cases[i].text);
    }
}

/* The table of RFC 9110 8.8.3.2, and what is no entity-tag. */
Test(validator, etag_comparison_rfc9110_8_8_3_2)
{
    static const struct {
        const char *a, *b;
        bool strong, weak;
    } cases[] = {
        {"W/\"1\"", "W/\"1\"", false, true},
        {"W/\"1\"", "W/\"2\"", false, false},
        {"W/\"1\"", "\"1\"", false, true},
        {"\"1\"", "\"1\"", true, true},
        {"\"1\"", "\"2\"", false, false},
        {"\"a\"", "\"A\"", false, false},
        {"1", "1", false, true},
        {"1", "\"1\"", false, false},
        {"", "", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct span a = span_str(cases[i].a), b = span_str(cases[i].b);
        cr_expect_eq(etag_strong_match(a, b), cases[i].strong, "%s %s", cases[i].a, cases[i].b);
        cr_expect_eq(etag_strong_match(b, a), cases[i].strong, "%s %s", cases[i].a, cases[i].b);
        cr_expect_eq(etag_weak_match(a, b), cases[i].weak, "%s %s", cases[i].a, cases[i].b);
        cr_expect_eq(etag_weak_match(b, a), cases[i].weak, "%s %s", cases[i].a, cases[i].b);
    }
}

/* Names and values in turn, ended by NULL. */
static struct http_fields make(const char *const *texts)
{
    struct http_fields fields;

    fields_init(&fields, &arena, 4);
    for (size_t i = 0; texts[i]; i += 2) {
        fields_add(&fields, span_str(texts[i]), span_str(texts[i + 1]));
    }
    return fields;
}

/* clang-format off */
#define ETAG(text) "ETag", text
#define INM(text) "If-None-Match", text
#define IMS(text) "If-Modified-Since", text
#define LM(text) "Last-Modified", text

static const struct {
    const char *what;
    const char *request[6], *stored[6];
    enum precondition want;
} preconditions[] = {
    {"nothing asked", {NULL}, {ETAG("\"a\"")}, PRECONDITION_NONE},
    {"the only tag", {INM("\"a\"")}, {ETAG("\"a\"")}, PRECONDITION_NOT_MODIFIED},
    {"first of several", {INM("\"a\", \"b\", \"c\"")}, {ETAG("\"a\"")}, PRECONDITION_NOT_MODIFIED},
    {"in the middle", {INM("\"b\", \"a\", \"c\"")}, {ETAG("\"a\"")}, PRECONDITION_NOT_MODIFIED},
    {"last", {INM("\"b\",\"c\",\"a\"")}, {ETAG("\"a\"")}, PRECONDITION_NOT_MODIFIED},
    {"on the second line", {INM("\"b\""), INM("\"a\"")}, {ETAG("\"a\"")}, PRECONDITION_NOT_MODIFIED},
    {"weak asked", {INM("W/\"a\"")}, {ETAG("\"a\"")}, PRECONDITION_NOT_MODIFIED},
    {"weak stored", {INM("\"a\"")}, {ETAG("W/\"a\"")}, PRECONDITION_NOT_MODIFIED},
    {"both weak", {INM("\"x\", W/\"a\"")}, {ETAG("W/\"a\"")}, PRECONDITION_NOT_MODIFIED},
    {"a comma inside", {INM("\"x,y\", \"a\"")}, {ETAG("\"a\"")}, PRECONDITION_NOT_MODIFIED},
    {"a comma inside the one", {INM("\"b,\\\", \"c\"")}, {ETAG("\"b,\\\"")}, PRECONDITION_NOT_MODIFIED},
    {"no escapes in tags", {INM("\"\\\", \"a\"")}, {ETAG("\"a\"")}, PRECONDITION_NOT_MODIFIED},
    {"empty members", {INM(", ,\"a\",")}, {ETAG("\"a\"")}, PRECONDITION_NOT_MODIFIED},
    {"any", {INM("*")}, {ETAG("\"a\"")}, PRECONDITION_NOT_MODIFIED},
    {"any without a tag", {INM("*")}, {NULL}, PRECONDITION_NOT_MODIFIED},
    {"a star in quotes", {INM("\"*\"")}, {ETAG("\"a\"")}, PRECONDITION_OK},
    {"none of them", {INM("\"b\", \"c\"")}, {ETAG("\"a\"")}, PRECONDITION_OK},
    {"part of a tag", {INM("\"ab\"")}, {ETAG("\"a\"")}, PRECONDITION_OK},
    {"other case", {INM("\"A\"")}, {ETAG("\"a\"")}, PRECONDITION_OK},
    {"nothing stored", {INM("\"a\"")}, {NULL}, PRECONDITION_OK},
    {"garbage before", {INM("x y, \"a\"")}, {ETAG("\"a\"")}, PRECONDITION_NOT_MODIFIED},
    {"without quotes on both sides", {INM("a")}, {ETAG("a")}, PRECONDITION_NOT_MODIFIED},
    {"without quotes on one side", {INM("a")}, {ETAG("\"a\"")}, PRECONDITION_OK},
    {"empty", {INM("")}, {ETAG("\"a\"")}, PRECONDITION_OK},

    {"same date", {IMS(OLD)}, {LM(OLD)}, PRECONDITION_NOT_MODIFIED},
    {"same date, RFC 850", {IMS(OLD_850)}, {LM(OLD)}, PRECONDITION_NOT_MODIFIED},
    {"same date, asctime", {IMS(OLD_ASCTIME)}, {LM(OLD)}, PRECONDITION_NOT_MODIFIED},
    {"later date", {IMS(AFTER)}, {LM(OLD)}, PRECONDITION_NOT_MODIFIED},
    {"earlier date", {IMS(BEFORE)}, {LM(OLD)}, PRECONDITION_OK},
    {"no date", {IMS("yesterday")}, {LM(OLD)}, PRECONDITION_NONE},
    {"two dates", {IMS(OLD), IMS(OLD)}, {LM(OLD)}, PRECONDITION_NONE},
    {"Date for want of Last-Modified", {IMS(OLD)}, {"Date", OLD}, PRECONDITION_NOT_MODIFIED},
    {"Date is no use beside Last-Modified", {IMS(OLD)}, {LM(AFTER), "Date", OLD}, PRECONDITION_OK},
    {"nothing to compare", {IMS(OLD)}, {NULL}, PRECONDITION_OK},

    {"tag differs, date says unmodified", {INM("\"b\""), IMS(OLD)}, {ETAG("\"a\""), LM(OLD)},
     PRECONDITION_OK},
    {"tag matches, date says modified", {INM("\"a\""), IMS(BEFORE)}, {ETAG("\"a\""), LM(OLD)},
     PRECONDITION_NOT_MODIFIED},
    {"tag asked, only a date stored", {INM("\"b\""), IMS(OLD)}, {LM(OLD)}, PRECONDITION_OK},

    {"If-Match holds", {"If-Match", "\"a\""}, {ETAG("\"a\"")}, PRECONDITION_OK},
    {"If-Match is strong", {"If-Match", "W/\"a\""}, {ETAG("W/\"a\"")}, PRECONDITION_FAILED},
    {"If-Match fails", {"If-Match", "\"b\""}, {ETAG("\"a\"")}, PRECONDITION_FAILED},
    {"If-Match any", {"If-Match", "*"}, {NULL}, PRECONDITION_OK},
    {"If-Match holds, If-None-Match too", {"If-Match", "\"a\"", INM("\"a\"")}, {ETAG("\"a\"")},
     PRECONDITION_NOT_MODIFIED},
    {"unmodified since", {"If-Unmodified-Since", OLD}, {LM(OLD)}, PRECONDITION_OK},
    {"modified since", {"If-Unmodified-Since", BEFORE}, {LM(OLD)}, PRECONDITION_FAILED},
    {"If-Match goes before If-Unmodified-Since", {"If-Match", "\"a\"", "If-Unmodified-Since", BEFORE},
     {ETAG("\"a\""), LM(OLD)}, PRECONDITION_OK},
};
/* clang-format on */

Test(validator, preconditions_rfc9110_13_2_2)
{
    for (size_t i = 0; i < ARRAY_LEN(preconditions); i++) {
        struct http_fields request = make(preconditions[i].request);
        struct http_fields stored = make(preconditions[i].stored);
        enum precondition got = validator_evaluate(&request, &stored, NOW);
        cr_expect_eq(got, preconditions[i].want, "%s: %d", preconditions[i].what, got);
    }
}

Test(validator, if_range_rfc9110_13_1_5)
{
    static const struct {
        const char *what;
        const char *request[4], *stored[6];
        bool want;
    } cases[] = {
        {"absent", {NULL}, {ETAG("\"a\"")}, true},
        {"the tag", {"If-Range", "\"a\""}, {ETAG("\"a\"")}, true},
        {"another tag", {"If-Range", "\"b\""}, {ETAG("\"a\"")}, false},
        {"a weak tag", {"If-Range", "W/\"a\""}, {ETAG("W/\"a\"")}, false},
        {"a list of tags", {"If-Range", "\"a\", \"b\""}, {ETAG("\"a\"")}, false},
        {"no tag stored", {"If-Range", "\"a\""}, {NULL}, false},
        {"without quotes", {"If-Range", "a"}, {ETAG("a")}, false},
        {"the date", {"If-Range", OLD}, {LM(OLD), "Date", "Sun, 06 Nov 1994 08:50:37 GMT"}, true},
        {"in another form",
         {"If-Range", OLD_850},
         {LM(OLD), "Date", "Sun, 06 Nov 1994 08:50:37 GMT"},
         true},
        {"a date too young",
         {"If-Range", OLD},
         {LM(OLD), "Date", "Sun, 06 Nov 1994 08:50:36 GMT"},
         false},
        {"a later date",
         {"If-Range", AFTER},
         {LM(OLD), "Date", "Mon, 07 Nov 1994 08:50:37 GMT"},
         false},
        {"no Date", {"If-Range", OLD}, {LM(OLD)}, false},
        {"two conditions", {"If-Range", "\"a\"", "If-Range", "\"a\""}, {ETAG("\"a\"")}, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_fields request = make(cases[i].request);
        struct http_fields stored = make(cases[i].stored);
        cr_expect_eq(validator_if_range_holds(&request, &stored, NOW), cases[i].want, "%s",
                     cases[i].what);
    }
}
