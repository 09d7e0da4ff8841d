#include "base/check.h"
#include "proxy/origin/choice.h"

#include <criterion/criterion.h>

static struct origin origins[] = {
    {{.host = SPAN_INIT("a.test"), .port = 80}},
    {{.host = SPAN_INIT("a.test"), .port = 81}},
    {{.host = SPAN_INIT("b.test"), .port = 80}},
};
static const struct site site = {.origins = origins, .origin_count = ARRAY_LEN(origins)};

static void expect_next(struct choice *choice, uint64_t asked, uint64_t now, size_t next,
                        bool silent)
{
    bool is_silent;

    cr_expect_eq(choice_next(choice, &site, asked, now, &is_silent), next, "of %x at %u",
                 (unsigned)asked, (unsigned)now);
    cr_expect_eq(is_silent, silent);
}

Test(choice, in_their_order)
{
    struct choice choice;

    choice_init(&choice);
    expect_next(&choice, 0, 1000, 0, false);
    expect_next(&choice, 1, 1000, 1, false);
    expect_next(&choice, 1 | 2, 1000, 2, false);
    expect_next(&choice, 1 | 2 | 4, 1000, 3, false);
    expect_next(&choice, 4, 1000, 0, false);
}

Test(choice, the_silent_come_last)
{
    struct choice choice;

    choice_init(&choice);
    choice_silent(&choice, &origins[0].uri, 1000);
    cr_expect_not(choice_may_ask(&choice, &origins[0].uri, 1000));
    expect_next(&choice, 0, 1000, 1, false);
    expect_next(&choice, 2, 1000, 2, false);
    expect_next(&choice, 2 | 4, 1000, 0, true);
    choice_silent(&choice, &origins[1].uri, 1000);
    choice_silent(&choice, &origins[2].uri, 1000);
    expect_next(&choice, 0, 1000, 0, true);
    choice_heard(&choice, &origins[2].uri);
    expect_next(&choice, 0, 1000, 2, false);
    cr_expect(choice_may_ask(&choice, &origins[2].uri, 1000));
}

Test(choice, an_origin_is_scheme_host_and_port)
{
    const struct uri same = {.host = SPAN("a.test"), .port = 80, .path = SPAN("/x")};
    const struct uri secure = {.host = SPAN("a.test"), .port = 80, .https = true};
    struct choice choice;

    choice_init(&choice);
    choice_silent(&choice, &origins[0].uri, 1000);
    cr_expect_not(choice_may_ask(&choice, &same, 1000));
    cr_expect(choice_may_ask(&choice, &secure, 1000));
    cr_expect(choice_may_ask(&choice, &origins[1].uri, 1000));
    cr_expect(choice_may_ask(&choice, &origins[2].uri, 1000));
}

Test(choice, one_request_in_a_while_tries_a_silent_one)
{
    uint64_t later = 1000 + CHOICE_SILENT_MS;
    struct choice choice;

    choice_init(&choice);
    choice_silent(&choice, &origins[0].uri, 1000);
    expect_next(&choice, 0, later - 1, 1, false);
    expect_next(&choice, 0, later, 0, false);
    expect_next(&choice, 0, later, 1, false);
    cr_expect_not(choice_may_ask(&choice, &origins[0].uri, later));
    expect_next(&choice, 0, later + CHOICE_SILENT_MS, 0, false);
    choice_heard(&choice, &origins[0].uri);
    expect_next(&choice, 0, later, 0, false);
    expect_next(&choice, 0, later, 0, false);
}

Test(choice, memory_is_bounded)
{
    struct choice choice;
    struct uri many[CHOICE_SILENT_MAX + 1];

    choice_init(&choice);
    for (size_t i = 0; i <= CHOICE_SILENT_MAX; i++) {
        many[i] = (struct uri){.host = SPAN("a.test"), .port = (uint16_t)(i + 1)};
    }
    for (size_t i = 0; i < CHOICE_SILENT_MAX; i++) {
        choice_silent(&choice, &many[i], 1000);
        choice_silent(&choice, &many[i], 1000);
    }
    cr_expect_not(choice_may_ask(&choice, &many[0], 1000));
    choice_silent(&choice, &many[CHOICE_SILENT_MAX], 1000);
    cr_expect(choice_may_ask(&choice, &many[0], 1000));
    cr_expect_not(choice_may_ask(&choice, &many[1], 1000));
    cr_expect_not(choice_may_ask(&choice, &many[CHOICE_SILENT_MAX], 1000));
    for (size_t i = 0; i <= CHOICE_SILENT_MAX; i++) {
        choice_heard(&choice, &many[i]);
    }
    cr_expect_eq(choice.count, 0);
}

Test(choice, more_than_can_be_counted)
{
    static struct origin many[CHOICE_ORIGINS_MAX + 1];
    const struct site large = {.origins = many, .origin_count = ARRAY_LEN(many)};
    struct choice choice;
    bool silent;

    choice_init(&choice);
    cr_expect_eq(choice_next(&choice, &large, UINT64_MAX >> 1, 1000, &silent),
                 CHOICE_ORIGINS_MAX - 1);
    cr_expect_eq(choice_next(&choice, &large, UINT64_MAX, 1000, &silent), large.origin_count);
    cr_expect_not(silent);
}
