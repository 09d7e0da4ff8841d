#include "base/check.h"
#include "dnsredir/health.h"

#include <criterion/criterion.h>

/* '+' and '-' are probes; the row below each says whether the replica is up after it. */
Test(health, rise_and_fall)
{
    static const struct {
        const char *what, *probes, *up;
        unsigned rise, fall;
    } cases[] = {
        {"the first probe decides alone", "-", "-", 2, 2},
        {"one failure is forgiven", "+-+-+", "+++++", 2, 2},
        {"two in a row are not", "+--", "++-", 2, 2},
        {"coming back takes as many", "--+++", "---++", 2, 2},
        {"a failure on the way back starts anew", "-+-++", "----+", 2, 2},
        {"thresholds of one", "+-+-", "+-+-", 1, 1},
        {"slow to rise", "-+++", "---+", 3, 1},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct health health = HEALTH_INIT;
        bool was = true;
        for (size_t n = 0; cases[i].probes[n]; n++) {
            bool changed =
                health_note(&health, cases[i].probes[n] == '+', cases[i].rise, cases[i].fall);
            cr_expect_eq(health.up, cases[i].up[n] == '+', "%s: probe %zu", cases[i].what, n);
            cr_expect_eq(changed, health.up != was, "%s: probe %zu", cases[i].what, n);
            was = health.up;
        }
    }
}
