#include "proxy/roundtrips.h"

#include "base/check.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t network(unsigned number)
{
    return NETWORK_V4 | number;
}

static struct roundtrips *table;

static void set_up(void)
{
    table = roundtrips_new();
}

static void tear_down(void)
{
    roundtrips_free(&table);
}

TestSuite(roundtrips, .init = set_up, .fini = tear_down);

static uint32_t after(const char *samples)
{
    roundtrips_free(&table);
    table = roundtrips_new();
    while (*samples) {
        char *end;
        unsigned long us = strtoul(samples, &end, 10);
        roundtrips_note(table, network(1), (uint32_t)us, 100);
        samples = *end ? end + 1 : end;
    }
    return roundtrips_of(table, network(1));
}

Test(roundtrips, smoothing)
{
    static const struct {
        const char *what, *samples;
        uint32_t low, high;
    } cases[] = {
        {"one sample is all there is", "20000", 20000, 20000},
        {"of two it is the middle", "20000 30000", 25000, 25000},
        {"what waited for seconds moves little", "20000 20000 20000 20000 9000000", 20000, 24000},
        {"also as the first of many",
         "9000000 20000 20000 20000 20000 20000 20000 20000 20000 "
         "20000 20000 20000 20000 20000 20000 20000 20000 20000 20000 20000 20000 20000 20000 "
         "20000 20000",
         20000, 40000},
        {"queues are above the path",
         "20000 60000 20000 60000 20000 60000 20000 60000 20000 60000 "
         "20000 60000 20000 60000 20000 60000 20000 60000 20000 60000",
         20000, 32000},
        {"a path that became longer",
         "20000 20000 40000 40000 40000 40000 40000 40000 40000 40000 "
         "40000 40000 40000 40000 40000 40000 40000 40000 40000 40000 40000 40000 40000 40000 "
         "40000 40000 40000 40000 40000 40000 40000 40000 40000 40000",
         35000, 40000},
        {"nothing, and what cannot be, is no sample", "20000 0 60000001", 20000, 20000},
        {"never less than one", "1 1 1 1", 1, 1},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint32_t got = after(cases[i].samples);
        cr_expect(got >= cases[i].low && got <= cases[i].high, "%s: %" PRIu32, cases[i].what, got);
    }
}

Test(roundtrips, it_is_bounded)
{
    for (unsigned i = 0; i < 4 * ROUNDTRIPS_MAX; i++) {
        roundtrips_note(table, network(i), 1000, 1);
        roundtrips_note(table, NETWORK_V6 | i, 1000, 1);
        cr_assert_leq(roundtrips_count(table), ROUNDTRIPS_MAX);
    }
    cr_expect_gt(roundtrips_count(table), ROUNDTRIPS_MAX * 99 / 100);
}

static unsigned known(unsigned from, unsigned count)
{
    unsigned found = 0;

    for (unsigned i = from; i < from + count; i++) {
        found += roundtrips_of(table, network(i)) != 0;
    }
    return found;
}

Test(roundtrips, those_with_few_samples_leave)
{
    for (unsigned i = 0; i < 300; i++) {
        for (unsigned n = 0; n < 3; n++) {
            roundtrips_note(table, network(i), 1000, 1);
        }
    }
    for (unsigned i = 0; i < 4 * ROUNDTRIPS_MAX; i++) {
        roundtrips_note(table, network(100000 + i), 1000, 2);
    }
    /* All but those of a set in which they are eight, of which there is hardly ever one. */
    cr_expect_geq(known(0, 300), 290, "strangers pushed out what has more samples");
}

Test(roundtrips, the_silent_leave)
{
    for (unsigned i = 0; i < 1000; i++) {
        for (unsigned n = 0; n < 3; n++) {
            roundtrips_note(table, network(i), 1000, 1);
        }
    }
    for (unsigned i = 0; i < 4 * ROUNDTRIPS_MAX; i++) {
        roundtrips_note(table, network(100000 + i), 1000, 40 * 3600);
    }
    cr_expect_lt(known(0, 1000), 10);
}

Test(roundtrips, families_have_their_own_half)
{
    for (unsigned i = 0; i < 1000; i++) {
        roundtrips_note(table, network(i), 1000, 1);
    }
    for (unsigned i = 0; i < 8 * ROUNDTRIPS_MAX; i++) {
        roundtrips_note(table, NETWORK_V6 | i, 1000, 2);
        roundtrips_note(table, NETWORK_V6 | i, 1000, 2);
    }
    cr_expect_geq(known(0, 1000), 980);
}

/* ---- the report ---- */

struct report {
    uint64_t epoch, next;
    unsigned more, lines;
    size_t networks;
    char text[ROUNDTRIPS_LINES * ROUNDTRIPS_LINE_MAX + 200];
};

static void ask(struct report *report, uint64_t epoch, uint64_t since, uint64_t now)
{
    struct buf out = BUF_INIT;

    roundtrips_write(table, epoch, since, now, &out);
    cr_assert_lt(buf_len(&out), sizeof(report->text));
    memcpy(report->text, buf_span(&out).at, buf_len(&out));
    report->text[buf_len(&out)] = '\0';
    cr_assert_eq(sscanf(report->text,
                        "larder-rtt 1 epoch=%" SCNx64 " next=%" SCNu64 " more=%u networks=%zu",
                        &report->epoch, &report->next, &report->more, &report->networks),
                 4, "%.80s", report->text);
    report->lines = 0;
    for (const char *at = report->text; *at; at++) {
        report->lines += *at == '\n';
    }
    report->lines--;
    buf_fini(&out);
}

static const char *body_of(const struct report *report)
{
    return strchr(report->text, '\n') + 1;
}

Test(roundtrips, the_report)
{
    static struct report report;
    struct ip ip;

    cr_assert_eq(ip_parse(SPAN("192.0.2.77"), &ip), 0);
    roundtrips_note(table, network_of(&ip), 12345, 100);
    cr_assert_eq(ip_parse(SPAN("2001:db8:7:8::1"), &ip), 0);
    roundtrips_note(table, network_of(&ip), 20000, 103);
    roundtrips_note(table, network_of(&ip), 30000, 104);
    ask(&report, 0, 0, 105);
    cr_expect_str_eq(body_of(&report), "192.0.2.0/24 12345 1 5\n2001:db8:7::/48 25000 2 1\n");
    cr_expect_eq(report.more, 0);
    cr_expect_eq(report.networks, 2);

    struct report next = report;
    ask(&next, report.epoch, report.next, 106);
    cr_expect_str_eq(body_of(&next), "", "nothing is new");
    cr_expect_eq(next.next, report.next);
    ask(&next, report.epoch + 1, report.next, 106);
    cr_expect_eq(next.lines, 2, "of another life, all");
    ask(&next, report.epoch, report.next + 1, 106);
    cr_expect_eq(next.lines, 2, "from the future, all");
}

Test(roundtrips, only_news_is_told)
{
    static struct report report;

    for (unsigned i = 0; i < 1000; i++) {
        roundtrips_note(table, network(1), 20000, 100);
    }
    ask(&report, 0, 0, 100);
    roundtrips_note(table, network(1), 20100, 101);
    ask(&report, report.epoch, report.next, 101);
    cr_expect_eq(report.lines, 0, "about the same");
    for (unsigned i = 0; i < 100; i++) {
        roundtrips_note(table, network(1), 40000, 102);
    }
    ask(&report, report.epoch, report.next, 102);
    cr_expect_eq(report.lines, 1, "another time");
    roundtrips_note(table, network(1), 40000, 170);
    ask(&report, report.epoch, report.next, 170);
    cr_expect_eq(report.lines, 1, "it is still alive");
}

Test(roundtrips, a_large_table_comes_in_pieces)
{
    static struct report report;
    unsigned rounds = 0;
    unsigned lines = 0;

    for (unsigned i = 0; i < 3 * ROUNDTRIPS_LINES; i++) {
        roundtrips_note(table, NETWORK_V6 | UINT64_C(0xffffffff0000) | i, ROUNDTRIPS_US_MAX, 100);
    }
    size_t count = roundtrips_count(table);
    do {
        ask(&report, report.epoch, report.next, 1000000000);
        cr_assert_leq(report.lines, ROUNDTRIPS_LINES);
        lines += report.lines;
        rounds++;
    } while (report.more);
    cr_expect_eq(lines, count);
    cr_expect_eq(rounds, (count + ROUNDTRIPS_LINES - 1) / ROUNDTRIPS_LINES);
}
