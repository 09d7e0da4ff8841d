#include "dnsredir/querylog.h"

#include "base/buf.h"
#include "base/check.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define ENTRIES_MAX 4000

static const char *line_of(const struct query_entry *entry)
{
    static char line[QUERY_LINE_MAX];
    size_t len = query_entry_format(entry, line);

    cr_assert_lt(len, sizeof(line));
    cr_assert_eq(line[len - 1], '\n');
    line[len - 1] = '\0';
    return line;
}

Test(querylog, a_line)
{
    static const struct policy policy;
    struct query_entry entry = {
        .when_ms = 1559731985123,
        .client = {{[10] = 0xff, [11] = 0xff, 192, 0, 2, 7}},
        .type = 28,
        .class = 1,
        .bytes = 61,
        .note = {.rcode = 3, .scope = 16, .cookie = COOKIE_GOOD, .policy = &policy},
        .ecs = {true, 1, 24, {{[10] = 0xff, [11] = 0xff, 10, 1, 2, 0}}},
    };

    cr_assert_eq(name_parse_absolute(SPAN("www.example"), &entry.name), 0);
    cr_expect_str_eq(line_of(&entry),
                     "{\"time\":\"2019-06-05T10:53:05.123Z\",\"client\":\"192.0.2.7\","
                     "\"proto\":\"udp\",\"name\":\"www.example.\",\"type\":\"AAAA\",\"class\":1,"
                     "\"rcode\":\"NXDOMAIN\",\"bytes\":61,\"subnet\":\"10.1.2.0/24\",\"scope\":16,"
                     "\"cookie\":\"good\",\"limited\":\"no\",\"truncated\":false,\"steered\":true,"
                     "\"all_down\":false}");
}

/* No byte of a name can end the text or the line, and the longest fits. */
Test(querylog, names_are_escaped)
{
    static const struct {
        const char *wire, *want;
    } rows[] = {
        {"\3a\"b", "\"name\":\"a\\\\\\\"b.\""},
        {"\3a\nb", "\"name\":\"a\\\\010b.\""},
        {"\2\xff\\", "\"name\":\"\\\\255\\\\\\\\.\""},
        {"\3a.b", "\"name\":\"a\\\\.b.\""},
        {"", "\"name\":\".\""},
    };
    struct query_entry entry = {.type = 65535};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        name_load(&entry.name, (const uint8_t *)rows[i].wire);
        const char *line = line_of(&entry);
        cr_expect_not_null(strstr(line, rows[i].want), "%s in %s", rows[i].want, line);
        cr_expect_not_null(strstr(line, "\"TYPE65535\""));
    }
    uint8_t longest[NAME_MAX_LEN] = {0};
    for (size_t at = 0; at < 4; at++) {
        longest[at * 64] = at == 3 ? 61 : 63;
        memset(longest + at * 64 + 1, '\\', at == 3 ? 61 : 63);
    }
    name_load(&entry.name, longest);
    cr_expect_eq(entry.name.len, NAME_MAX_LEN);
    line_of(&entry);
}

/* As many lines as were taken, in order, and none of what was no query. */
Test(querylog, what_was_put_is_in_the_file)
{
    char path[] = "/tmp/larder-querylog-XXXXXX";
    static const char query[] = "\x12\x34\0\0\0\1\0\0\0\0\0\0\3www\2ex\0\0\1\0\1";
    static const char response[] = "\x12\x34\x80\0\0\1\0\0\0\0\0\0\3www\2ex\0\0\1\0\1";
    struct client client = {.tcp = true};
    struct answer_note note = {0};
    struct querylog *log;
    size_t taken = 0;

    close(mkstemp(path));
    cr_assert_eq(querylog_open(path, 2, &log), 0);
    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        taken += querylog_put(log, 1, &client, &note, span_of(query, sizeof(query) - 1), i);
        cr_expect(querylog_put(log, 0, &client, &note, span_of(response, sizeof(query) - 1), 0));
    }
    cr_expect_geq(taken, 1024, "the ring holds so many");
    querylog_close(&log);
    FILE *file = fopen(path, "r");
    char line[QUERY_LINE_MAX];
    size_t lines = 0;
    long last = -1;
    cr_assert_not_null(file);
    while (fgets(line, sizeof(line), file)) {
        long bytes = strtol(strstr(line, "\"bytes\":") + 8, NULL, 10);
        cr_expect_gt(bytes, last);
        last = bytes;
        lines++;
    }
    fclose(file);
    unlink(path);
    cr_expect_eq(lines, taken);
}

Test(querylog, a_file_that_cannot_be)
{
    struct querylog *log;

    cr_expect_lt(querylog_open("/nonexistent/file", 1, &log), 0);
    cr_expect_null(log);
    cr_expect_eq(querylog_open(NULL, 1, &log), 0);
    cr_expect_null(log);
    querylog_reopen(log);
    querylog_close(&log);
}
