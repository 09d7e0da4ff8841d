#include "base/mem.h"
#include "dnsredir/resolver/client_quota.h"

#include <criterion/criterion.h>

static struct ip ip_of(const char *text)
{
    struct ip ip;

    cr_assert_eq(ip_parse(span_str(text), &ip), 0);
    return ip;
}

static const struct client_quota limits = {.waiting = 2, .open = 4};

/* Enters at `now`; what became of it: "asked", "refused", or the one that gave way. */
static const struct client_question refused;

static const struct client_question *enter(struct client_quotas *quotas, const char *client,
                                           uint64_t now, struct client_question *question)
{
    struct ip ip = ip_of(client);
    struct client_question *instead;

    client_quotas_enter(quotas, &ip, now, question);
    bool may = client_question_allowed(question, &limits, now, &instead);
    if (!may) {
        cr_expect_null(instead);
        client_quotas_leave(quotas, question);
        return &refused;
    }
    if (instead) {
        client_question_answered(instead);
    }
    return instead;
}

Test(client_quota, one_client_has_its_part)
{
    struct client_quotas quotas;
    struct client_question questions[6] = {0};

    client_quotas_init(&quotas);
    cr_expect_null(enter(&quotas, "10.0.0.1", 1000, &questions[0]));
    cr_expect_null(enter(&quotas, "10.0.0.1", 1000, &questions[1]));
    cr_expect_eq(enter(&quotas, "10.0.0.1", 1000, &questions[2]), &refused);
    cr_expect_null(enter(&quotas, "10.0.0.2", 1000, &questions[3])); /* another's */
    cr_expect_null(enter(&quotas, "2001:db8::1", 1000, &questions[4]));
    cr_expect_null(enter(&quotas, "2001:db8::2", 1000, &questions[5]));
    cr_expect_eq(enter(&quotas, "2001:db8::ffff:3", 1000, &questions[2]),
                 &refused); /* a /64 is one */
    client_quotas_leave(&quotas, &questions[0]);
    cr_expect_null(enter(&quotas, "10.0.0.1", 1000, &questions[2]));
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        client_quotas_leave(&quotas, &questions[i]);
    }
    client_quotas_leave(&quotas, &questions[0]); /* harmless */
    client_quotas_fini(&quotas);
}

/* Names that nobody answers do not keep their client from asking for others. */
Test(client_quota, the_oldest_gives_way_after_a_fair_time)
{
    struct client_quotas quotas;
    struct client_question questions[6] = {0};
    uint64_t now = 1000;

    client_quotas_init(&quotas);
    enter(&quotas, "10.0.0.1", now, &questions[0]);
    enter(&quotas, "10.0.0.1", now + 1, &questions[1]);
    now += CLIENT_QUOTA_FAIR_MS;
    cr_expect_eq(enter(&quotas, "10.0.0.1", now - 1, &questions[2]), &refused);
    cr_expect_eq(enter(&quotas, "10.0.0.1", now, &questions[2]), &questions[0]);
    cr_expect_eq(enter(&quotas, "10.0.0.1", now, &questions[3]), &refused);
    cr_expect_eq(enter(&quotas, "10.0.0.1", now + 1, &questions[3]), &questions[1]);
    now += 2 * CLIENT_QUOTA_FAIR_MS; /* four are open: until some end, no more */
    cr_expect_eq(enter(&quotas, "10.0.0.1", now, &questions[4]), &refused);
    client_quotas_leave(&quotas, &questions[0]);
    cr_expect_eq(enter(&quotas, "10.0.0.1", now, &questions[4]), &questions[2]);
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        client_quotas_leave(&quotas, &questions[i]);
    }
    client_quotas_fini(&quotas);
}

/* An answer, be it that it takes too long, gives the place back. */
Test(client_quota, who_was_answered_does_not_wait)
{
    struct client_quotas quotas;
    struct client_question questions[4] = {0};

    client_quotas_init(&quotas);
    enter(&quotas, "10.0.0.1", 1000, &questions[0]);
    enter(&quotas, "10.0.0.1", 1000, &questions[1]);
    client_question_answered(&questions[0]);
    client_question_answered(&questions[0]); /* harmless */
    cr_expect_null(enter(&quotas, "10.0.0.1", 1000, &questions[2]));
    cr_expect_eq(enter(&quotas, "10.0.0.1", 1000, &questions[3]), &refused);
    for (size_t i = 0; i < 3; i++) {
        client_quotas_leave(&quotas, &questions[i]);
    }
    client_quotas_fini(&quotas);
}

Test(client_quota, limits_leave_something_to_others)
{
    static const struct {
        uint64_t outstanding, per_client, open;
    } cases[] = {{1000, 100, 200}, {1000, 400, 750}, {20, 15, 15}, {100, 100, 100}, {1, 1, 1}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct client_quota got = client_quota(cases[i].outstanding, cases[i].per_client);
        cr_expect_eq(got.waiting, cases[i].per_client);
        cr_expect_eq(got.open, cases[i].open, "case %zu", i);
    }
}
