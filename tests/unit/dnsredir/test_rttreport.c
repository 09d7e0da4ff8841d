#include "base/check.h"
#include "base/err.h"
#include "dnsredir/health/rttpull.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define HEAD "larder-rtt 1 epoch=2a next=7 more=0 networks=3\n"

/* The lines that were told, as text. */
struct told {
    char text[512];
    size_t len;
};

static void on_line(void *arg, const struct rtt_line *line)
{
    struct told *told = arg;
    struct prefix prefix = network_prefix(line->network);
    char text[PREFIX_TEXT_MAX];

    told->len += (size_t)snprintf(told->text + told->len, sizeof(told->text) - told->len,
                                  "%s %" PRIu32 " %" PRIu32 " %" PRIu32 ";",
                                  prefix_text(&prefix, text), line->us, line->samples, line->age);
}

static const struct {
    const char *what, *text;
    int err; /* of taking, or of the end */
    const char *told;
} cases[] = {
    {"nothing new", HEAD, 0, ""},
    {"two networks", HEAD "192.0.2.0/24 12345 37 5\n2001:db8:7::/48 1 1 0\n", 0,
     "192.0.2.0/24 12345 37 5;2001:db8:7::/48 1 1 0;"},
    {"columns for later versions", HEAD "192.0.2.0/24 1 1 0 x y\n", 0, "192.0.2.0/24 1 1 0;"},
    {"words for later versions", "larder-rtt 1 now=1 epoch=2a x next=7\n", 0, ""},
    {"the bounds", HEAD "192.0.2.0/24 60000000 65535 2592000\n", 0,
     "192.0.2.0/24 60000000 65535 2592000;"},
    {"what stands before a fault", HEAD "192.0.2.0/24 1 1 0\nx\n192.0.3.0/24 1 1 0\n", ERR_SYNTAX,
     "192.0.2.0/24 1 1 0;"},
    {"empty", "", ERR_TRUNCATED, ""},
    {"no end", HEAD "192.0.2.0/24 1 1 0", ERR_TRUNCATED, ""},
    {"another format", "larder-rtt 2 epoch=2a next=7\n", ERR_SYNTAX, ""},
    {"a page", "<html>\n", ERR_SYNTAX, ""},
    {"no epoch", "larder-rtt 1 next=7\n", ERR_SYNTAX, ""},
    {"no next", "larder-rtt 1 epoch=2a\n", ERR_SYNTAX, ""},
    {"epoch is no number", "larder-rtt 1 epoch=2A next=7\n", ERR_SYNTAX, ""},
    {"epoch is too long", "larder-rtt 1 epoch=00000000000000001 next=7\n", ERR_SYNTAX, ""},
    {"next is too large", "larder-rtt 1 epoch=2a next=18446744073709551616\n", ERR_SYNTAX, ""},
    {"an address", HEAD "192.0.2.1 1 1 0\n", ERR_SYNTAX, ""},
    {"a larger network", HEAD "192.0.0.0/16 1 1 0\n", ERR_SYNTAX, ""},
    {"bits behind the length", HEAD "192.0.2.1/24 1 1 0\n", ERR_SYNTAX, ""},
    {"no time", HEAD "192.0.2.0/24 0 1 0\n", ERR_SYNTAX, ""},
    {"more than a minute", HEAD "192.0.2.0/24 60000001 1 0\n", ERR_SYNTAX, ""},
    {"no samples", HEAD "192.0.2.0/24 1 0 0\n", ERR_SYNTAX, ""},
    {"more samples than are counted", HEAD "192.0.2.0/24 1 65536 0\n", ERR_SYNTAX, ""},
    {"older than a month", HEAD "192.0.2.0/24 1 1 2592001\n", ERR_SYNTAX, ""},
    {"a negative number", HEAD "192.0.2.0/24 1 1 -1\n", ERR_SYNTAX, ""},
    {"a column is missing", HEAD "192.0.2.0/24 1 1\n", ERR_SYNTAX, ""},
};

static int read_all(const char *text, size_t piece, struct rtt_reader *reader, struct told *told)
{
    struct span rest = span_str(text);
    int err = 0;

    *told = (struct told){.len = 0};
    rtt_reader_begin(reader, on_line, told);
    while (rest.len && !err) {
        err = rtt_reader_take(reader, span_take(rest, piece));
        rest = span_skip(rest, piece);
    }
    return err ? err : rtt_reader_end(reader);
}

Test(rttreport, whole_and_in_pieces)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t piece = 1; piece < 200; piece += piece < 9 ? 1 : 60) {
            struct rtt_reader reader;
            struct told told;
            int err = read_all(cases[i].text, piece, &reader, &told);
            cr_expect_eq(err, cases[i].err, "%s: %d", cases[i].what, err);
            cr_expect_str_eq(told.text, cases[i].told, "%s", cases[i].what);
            cr_expect(err || (reader.epoch == 0x2a && reader.next == 7), "%s", cases[i].what);
        }
    }
}

static void count(void *arg, const struct rtt_line *line)
{
    ++*(unsigned *)arg;
}

Test(rttreport, lines_are_bounded)
{
    static const char line[] = "192.0.2.0/24 1 1 0\n";
    struct rtt_reader reader;
    unsigned lines = 0;

    rtt_reader_begin(&reader, count, &lines);
    cr_assert_eq(rtt_reader_take(&reader, SPAN(HEAD)), 0);
    for (unsigned i = 0; i < RTT_LINES_MAX; i++) {
        cr_assert_eq(rtt_reader_take(&reader, span_str(line)), 0);
    }
    cr_expect_eq(rtt_reader_take(&reader, span_str(line)), ERR_TOO_LARGE);
    cr_expect_eq(lines, RTT_LINES_MAX);

    static char text[100000];
    memset(text, '1', sizeof(text));
    rtt_reader_begin(&reader, count, &lines);
    cr_expect_eq(rtt_reader_take(&reader, span_of(text, sizeof(text))), ERR_SYNTAX,
                 "a line without an end");
}

/* ---- pulls ---- */

/* A reply that says so; what the pull makes of it. */
static const char *pulled(struct rtt_pull *pull, const char *head, const char *body, size_t piece)
{
    static struct reply reply;
    struct told told = {.len = 0};
    char text[2048];
    struct span rest;
    bool over = false;

    snprintf(text, sizeof(text), "%sContent-Length: %zu\r\n\r\n%s", head, strlen(body), body);
    rest = span_str(text);
    reply_begin(&reply);
    rtt_pull_begin(pull, "192.0.2.1:3129", on_line, &told);
    while (rest.len && !over) {
        int done = reply_take(&reply, span_take(rest, piece));
        rest = span_skip(rest, piece);
        over = rtt_pull_take(pull, &reply, done, 1000, 100);
    }
    cr_expect(over);
    cr_expect_not(pull->under_way);
    return pull->fault ? pull->fault : "";
}

Test(rttpull, from_one_report_to_the_next)
{
    struct rtt_pull pull = {.under_way = false};

    for (size_t piece = 1; piece < 1000; piece += piece < 4 ? 1 : 333) {
        pull = (struct rtt_pull){.under_way = false};
        cr_expect_str_eq(pulled(&pull, "HTTP/1.1 200 OK\r\n", HEAD "192.0.2.0/24 1 1 0\n", piece),
                         "");
        cr_expect_eq(pull.due, 1100);
        cr_expect_eq(pull.reports, 1);
        cr_expect_eq(pull.lines, 1);
        rtt_pull_begin(&pull, "192.0.2.1:3129", on_line, NULL);
        cr_expect_str_eq(pull.request, "GET /rtt?epoch=000000000000002a&since=7 HTTP/1.1\r\n"
                                       "Host: 192.0.2.1:3129\r\nUser-Agent: larder-dns\r\n\r\n");
    }
    cr_expect_str_eq(
        pulled(&pull, "HTTP/1.1 200 OK\r\n", "larder-rtt 1 epoch=2b next=9 more=1\n", 7), "");
    cr_expect_eq(pull.due, 1000, "more is due at once");
    cr_expect_eq(pull.epoch, 0x2b);
    cr_expect_eq(pull.next, 9);
}

Test(rttpull, faults)
{
    static const struct {
        const char *head, *body, *fault;
    } rows[] = {
        {"HTTP/1.1 404 Not Found\r\n", "no\n", "it reports no round trips"},
        {"HTTP/1.1 403 Forbidden\r\n", "no\n", "it refuses to report round trips"},
        {"HTTP/1.1 200 OK\r\n", "<html>\n", "its report of round trips makes no sense"},
        {"HTTP/1.1 200 OK\r\n", "", "its report of round trips is cut off"},
        {"HTTP/1.1 200 OK\r\n", HEAD "192", "its report of round trips is cut off"},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n", HEAD,
         "its report of round trips has no length, or is too long"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", HEAD,
         "its report of round trips has no length, or is too long"},
        {"SSH-2.0-x\r\n", "", "its report of round trips makes no sense"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rtt_pull pull = {.epoch = 5, .next = 6};
        cr_expect_str_eq(pulled(&pull, rows[i].head, rows[i].body, 1000), rows[i].fault);
        cr_expect_eq(pull.due, 1000 + 100 * RTT_PULL_PATIENCE, "%s", rows[i].fault);
        cr_expect(pull.epoch == 5 && pull.next == 6, "%s: asks for the same again", rows[i].fault);
    }
    struct rtt_pull pull = {.under_way = false};
    rtt_pull_break(&pull, "x", 1, 1);
    cr_expect_null(pull.fault, "there was none under way");
}
