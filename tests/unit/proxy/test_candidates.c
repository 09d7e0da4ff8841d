#include "base/buf.h"
#include "base/check.h"
#include "proxy/origin/candidates.h"

#include <criterion/criterion.h>

/* Parses words into addresses. */
static size_t addresses(const char *words, struct ip *out)
{
    struct span rest = span_str(words);
    size_t count = 0;

    while (rest.len > 0) {
        cr_assert_eq(ip_parse(span_cut(&rest, ' '), &out[count++]), 0);
    }
    return count;
}

static void expect_order(const struct candidates *candidates, const char *what, const char *wanted)
{
    char text[IP_TEXT_MAX];
    struct buf all = BUF_INIT;

    for (size_t i = 0; i < candidates->count; i++) {
        buf_printf(&all, "%s%s", i ? " " : "", ip_text(&candidates->at[i], text));
    }
    cr_expect(span_eq(buf_span(&all), span_str(wanted)), "%s: %.*s instead of %s", what,
              SPAN_ARGS(buf_span(&all)), wanted);
    buf_fini(&all);
}

Test(candidates, families_alternate_ipv6_first_rfc8305_4)
{
    static const struct {
        const char *what, *in, *failed, *want;
    } cases[] = {
        {"one", "192.0.2.1", "", "192.0.2.1"},
        {"none", "", "", ""},
        {"alternate", "::1 ::2 ::3 192.0.2.1 192.0.2.2", "", "::1 192.0.2.1 ::2 192.0.2.2 ::3"},
        {"whatever the order", "192.0.2.1 192.0.2.2 ::1", "", "::1 192.0.2.1 192.0.2.2"},
        {"one family keeps its order", "192.0.2.3 192.0.2.1", "", "192.0.2.3 192.0.2.1"},
        {"twice the same", "192.0.2.1 192.0.2.1 192.0.2.1", "", "192.0.2.1"},
        {"failed ones last", "::1 192.0.2.1 192.0.2.2", "::1", "192.0.2.1 192.0.2.2 ::1"},
        {"all failed", "::1 192.0.2.1", "::1 192.0.2.1", "::1 192.0.2.1"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip in[CANDIDATES_MAX];
        struct ip failed[CANDIDATES_MAX];
        struct candidates candidates = {0};
        struct failures failures;
        failures_init(&failures);
        size_t failed_count = addresses(cases[i].failed, failed);
        for (size_t f = 0; f < failed_count; f++) {
            failures_add(&failures, &failed[f], 80, 1000);
        }
        candidates_arrange(&candidates, in, addresses(cases[i].in, in), 80, &failures, 1001);
        expect_order(&candidates, cases[i].what, cases[i].want);
    }
}

Test(candidates, what_comes_later_goes_behind_what_was_tried)
{
    struct candidates candidates = {0};
    struct failures failures;
    struct ip in[CANDIDATES_MAX];

    failures_init(&failures);
    candidates_arrange(&candidates, in, addresses("::1 ::2 ::3", in), 80, &failures, 0);
    candidates.next = 1;
    candidates_arrange(&candidates, in, addresses("::1 ::2 ::3 192.0.2.1 192.0.2.2", in), 80,
                       &failures, 0);
    expect_order(&candidates, "after ::1", "::1 192.0.2.1 ::2 192.0.2.2 ::3");
    cr_expect_eq(candidates.next, 1);
}

Test(candidates, more_than_fit_are_left_out)
{
    struct candidates candidates = {0};
    struct failures failures;
    struct ip in[CANDIDATES_MAX * 2] = {0};

    failures_init(&failures);
    for (size_t i = 0; i < ARRAY_LEN(in); i++) {
        in[i].at[15] = (uint8_t)(i + 1);
    }
    candidates_arrange(&candidates, in, ARRAY_LEN(in), 80, &failures, 0);
    cr_expect_eq(candidates.count, CANDIDATES_MAX);
}

Test(failures, are_by_address_and_port_and_forgotten)
{
    struct failures failures;
    struct ip ip;
    struct ip other;

    failures_init(&failures);
    cr_assert_eq(ip_parse(SPAN("192.0.2.1"), &ip), 0);
    cr_assert_eq(ip_parse(SPAN("192.0.2.2"), &other), 0);
    cr_expect_not(failures_has(&failures, &ip, 80, 0));
    failures_add(&failures, &ip, 80, 5000);
    cr_expect(failures_has(&failures, &ip, 80, 5000));
    cr_expect_not(failures_has(&failures, &ip, 443, 5000));
    cr_expect_not(failures_has(&failures, &other, 80, 5000));
    cr_expect_not(failures_has(&failures, &ip, 80, 5000 + 3600 * 1000));
    failures_remove(&failures, &other, 80);
    cr_expect(failures_has(&failures, &ip, 80, 5000));
    failures_remove(&failures, &ip, 80);
    cr_expect_not(failures_has(&failures, &ip, 80, 5000));
}
