#include "base/log.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

__attribute__((format(printf, 3, 4))) static const char *
line(unsigned suppressed, const char *event, const char *format, ...)
{
    static char out[LOG_LINE_MAX + 1];
    va_list args;

    va_start(args, format);
    size_t len = log_line(out, 1763798107123, LOG_LEVEL_WARN, event, suppressed, format, args);
    va_end(args);
    out[len] = '\0';
    return out;
}

#define HEAD "2025-11-22T07:55:07.123Z warn "

Test(log, a_line_is_time_level_event_and_pairs)
{
    cr_expect_str_eq(line(0, "draining", "connections=%zu", (size_t)7),
                     HEAD "draining connections=7\n");
    cr_expect_str_eq(line(0, "x", "a=%d b=%u c=%ld d=%llu e=%jd f=%x g=%c h=%.*s i=%.2f j=100%%",
                          -1, 2u, -3l, 4ull, (intmax_t)-5, 0xau, 'g', 2, "hij", 1.239),
                     HEAD "x a=-1 b=2 c=-3 d=4 e=-5 f=a g=g h=hi i=1.24 j=100%\n");
    cr_expect_str_eq(line(0, "x", "at=%s:%d", "a", 80), HEAD "x at=a:80\n");
    cr_expect_str_eq(line(3, "x", "a=%s", "b"), HEAD "x a=b suppressed=3\n");
}

Test(log, values_cannot_forge_lines_or_fields)
{
    static const struct {
        const char *value, *want;
    } cases[] = {
        {"", "a=\"\""},
        {"two words", "a=\"two words\""},
        {"x\n2025 error forged", "a=\"x\\x0a2025 error forged\""},
        {"x err=ok", "a=\"x err=ok\""},
        {"b=c", "a=\"b=c\""},
        {"say \"hi\"\\", "a=\"say \\\"hi\\\"\\\\\""},
        {"\x1b[31m\x7f\x9b", "a=\"\\x1b[31m\\x7f\\x9b\""},
        {"%s%n", "a=%s%n"},
        {NULL, "a=(null)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char want[256];
        snprintf(want, sizeof(want), HEAD "x %s\n", cases[i].want);
        cr_expect_str_eq(line(0, "x", "a=%s", cases[i].value), want);
    }
    cr_expect_str_eq(line(0, "x", "a=%c", 0), HEAD "x a=\"\\x00\"\n");
}

Test(log, long_lines_are_cut_and_stay_lines)
{
    char longest[2 * LOG_LINE_MAX];

    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    const char *got = line(1, "x", "a=%s b=%s", longest, longest);
    cr_expect_lt(strlen(got), (size_t)LOG_LINE_MAX);
    cr_expect_str_eq(got + strlen(got) - 4, "...\n");
    memset(longest, '\n', sizeof(longest) - 1);
    got = line(1, "x", "a=%s", longest);
    cr_expect_eq(strchr(got, '\n'), got + strlen(got) - 1);
}

Test(log, a_call_site_is_limited_and_tells_what_was_lost)
{
    struct log_site site = {0};
    unsigned suppressed;

    for (unsigned i = 0; i < LOG_BURST; i++) {
        cr_expect(log_admit(&site, 5, &suppressed));
    }
    cr_expect_not(log_admit(&site, 6, &suppressed));
    cr_expect_not(log_admit(&site, LOG_WINDOW_MS - 1, &suppressed));
    cr_expect(log_admit(&site, LOG_WINDOW_MS, &suppressed));
    cr_expect_eq(suppressed, 2);
    cr_expect(log_admit(&site, LOG_WINDOW_MS, &suppressed));
    cr_expect_eq(suppressed, 0);
}

Test(log, levels_are_set_at_run_time)
{
    int ends[2];
    char got[512];

    cr_assert_eq(pipe(ends), 0);
    log_to(ends[1]);
    log_debug("unseen", "n=%d", 1);
    log_level_set(LOG_LEVEL_DEBUG);
    log_debug("seen", "n=%d", 2);
    log_level_set(LOG_LEVEL_ERROR);
    log_warn("unseen", "n=%d", 3);
    log_error("seen", "n=%d", 4);
    close(ends[1]);
    ssize_t n = read(ends[0], got, sizeof(got) - 1);
    log_to(2);
    cr_assert_gt(n, 0);
    got[n] = '\0';
    cr_expect_eq(strstr(got, "unseen"), NULL);
    cr_expect_neq(strstr(got, "debug seen n=2\n"), NULL);
    cr_expect_neq(strstr(got, "error seen n=4\n"), NULL);
    close(ends[0]);
}

/* What an error and an informational line begin with, written to a pipe while JOURNAL_STREAM names
 * the pipe, or what is `off` beside it. */
static void expect_heads(ino_t off, const char *error, const char *info)
{
    int ends[2];
    char got[512], stream[64];
    struct stat status;

    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(fstat(ends[1], &status), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev,
             (uintmax_t)(status.st_ino + off));
    setenv("JOURNAL_STREAM", stream, 1);
    log_to(ends[1]);
    log_begin();
    log_error("bad", "n=%d", 1);
    log_info("good", "n=%d", 2);
    close(ends[1]);
    ssize_t n = read(ends[0], got, sizeof(got) - 1);
    log_to(2);
    unsetenv("JOURNAL_STREAM");
    log_begin();
    close(ends[0]);
    cr_assert_gt(n, 0);
    got[n] = '\0';
    char *second = strchr(got, '\n') + 1;
    cr_expect_eq(strncmp(got, error, strlen(error)), 0, "%s", got);
    cr_expect_eq(strncmp(second, info, strlen(info)), 0, "%s", second);
    cr_expect(memcmp(second + strlen(second) - 4, "n=2\n", 4) == 0, "%s", second);
}

Test(log, the_journal_is_told_the_level)
{
    expect_heads(0, "<3>2", "<6>2");
    expect_heads(1, "2", "2"); /* the journal has another output than this */
}
