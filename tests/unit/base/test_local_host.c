#include "base/local_host.h"

#include <criterion/criterion.h>
#include <unistd.h>

Test(local_host, whose_names_cannot_be_a_strangers)
{
    static const struct {
        struct span host;
        bool want;
    } cases[] = {
        {SPAN_INIT("127.0.0.1"), true},
        {SPAN_INIT("192.0.2.1"), true},
        {SPAN_INIT("::1"), true},
        {SPAN_INIT("2001:db8::1"), true},
        {SPAN_INIT("localhost"), true},
        {SPAN_INIT("LocalHost"), true},
        {SPAN_INIT("localhost.evil"), false},
        {SPAN_INIT("evil.example"), false},
        {SPAN_INIT("127.0.0.1.evil"), false},
        {SPAN_INIT("127.1"), false},
        {SPAN_INIT("[::1]"), false},
        {SPAN_INIT(""), false},
    };
    char machine[256] = "";

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_eq(local_host_is(cases[i].host), cases[i].want, "%.*s", SPAN_ARGS(cases[i].host));
    }
    gethostname(machine, sizeof(machine) - 1);
    cr_expect(!machine[0] || local_host_is(span_str(machine)), "%s", machine);
}
