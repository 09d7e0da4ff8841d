#include "base/mem.h"
#include "dnsredir/resolver/askers.h"

#include <criterion/criterion.h>

static struct ip ip_of(const char *text)
{
    struct ip ip;

    cr_assert_eq(ip_parse(span_str(text), &ip), 0);
    return ip;
}

static const struct askers_limits limits = {.waiting = 2, .open = 4};

/* Enters at `now`; what became of it: "asked", "refused", or the one that gave way. */
static const struct turn refused;

static const struct turn *enter(struct askers *askers, const char *client, uint64_t now,
                                struct turn *turn)
{
    struct ip ip = ip_of(client);
    struct turn *instead;

    askers_enter(askers, &ip, now, turn);
    bool may = turn_may(turn, &limits, now, &instead);
    if (!may) {
        cr_expect_null(instead);
        askers_leave(askers, turn);
        return &refused;
    }
    if (instead) {
        turn_answered(instead);
    }
    return instead;
}

Test(askers, one_client_has_its_part)
{
    struct askers askers;
    struct turn turns[6] = {0};

    askers_init(&askers);
    cr_expect_null(enter(&askers, "10.0.0.1", 1000, &turns[0]));
    cr_expect_null(enter(&askers, "10.0.0.1", 1000, &turns[1]));
    cr_expect_eq(enter(&askers, "10.0.0.1", 1000, &turns[2]), &refused);
    cr_expect_null(enter(&askers, "10.0.0.2", 1000, &turns[3])); /* another's */
    cr_expect_null(enter(&askers, "2001:db8::1", 1000, &turns[4]));
    cr_expect_null(enter(&askers, "2001:db8::2", 1000, &turns[5]));
    cr_expect_eq(enter(&askers, "2001:db8::ffff:3", 1000, &turns[2]), &refused); /* a /64 is one */
    askers_leave(&askers, &turns[0]);
    cr_expect_null(enter(&askers, "10.0.0.1", 1000, &turns[2]));
    for (size_t i = 0; i < ARRAY_LEN(turns); i++) {
        askers_leave(&askers, &turns[i]);
    }
    askers_leave(&askers, &turns[0]); /* harmless */
    askers_fini(&askers);
}

/* Names that nobody answers do not keep their client from asking for others. */
Test(askers, the_oldest_gives_way_after_a_fair_time)
{
    struct askers askers;
    struct turn turns[6] = {0};
    uint64_t now = 1000;

    askers_init(&askers);
    enter(&askers, "10.0.0.1", now, &turns[0]);
    enter(&askers, "10.0.0.1", now + 1, &turns[1]);
    now += ASKERS_FAIR_MS;
    cr_expect_eq(enter(&askers, "10.0.0.1", now - 1, &turns[2]), &refused);
    cr_expect_eq(enter(&askers, "10.0.0.1", now, &turns[2]), &turns[0]);
    cr_expect_eq(enter(&askers, "10.0.0.1", now, &turns[3]), &refused);
    cr_expect_eq(enter(&askers, "10.0.0.1", now + 1, &turns[3]), &turns[1]);
    now += 2 * ASKERS_FAIR_MS; /* four are open: until some end, no more */
    cr_expect_eq(enter(&askers, "10.0.0.1", now, &turns[4]), &refused);
    askers_leave(&askers, &turns[0]);
    cr_expect_eq(enter(&askers, "10.0.0.1", now, &turns[4]), &turns[2]);
    for (size_t i = 0; i < ARRAY_LEN(turns); i++) {
        askers_leave(&askers, &turns[i]);
    }
    askers_fini(&askers);
}

/* An answer, be it that it takes too long, gives the place back. */
Test(askers, who_was_answered_does_not_wait)
{
    struct askers askers;
    struct turn turns[4] = {0};

    askers_init(&askers);
    enter(&askers, "10.0.0.1", 1000, &turns[0]);
    enter(&askers, "10.0.0.1", 1000, &turns[1]);
    turn_answered(&turns[0]);
    turn_answered(&turns[0]); /* harmless */
    cr_expect_null(enter(&askers, "10.0.0.1", 1000, &turns[2]));
    cr_expect_eq(enter(&askers, "10.0.0.1", 1000, &turns[3]), &refused);
    for (size_t i = 0; i < 3; i++) {
        askers_leave(&askers, &turns[i]);
    }
    askers_fini(&askers);
}

Test(askers, limits_leave_something_to_others)
{
    static const struct {
        uint64_t outstanding, per_client, open;
    } cases[] = {{1000, 100, 200}, {1000, 400, 750}, {20, 15, 15}, {100, 100, 100}, {1, 1, 1}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct askers_limits got = askers_limits(cases[i].outstanding, cases[i].per_client);
        cr_expect_eq(got.waiting, cases[i].per_client);
        cr_expect_eq(got.open, cases[i].open, "case %zu", i);
    }
}
