#include "bench/hitratio/input.h"

#include "base/err.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

static struct format_counts read_text(enum format format, const void *bytes, size_t len,
                                      uint64_t limit, struct trace *trace)
{
    FILE *from = tmpfile();

    cr_assert(from && fwrite(bytes, 1, len, from) == len);
    rewind(from);
    trace_init(trace);
    struct format_counts counts = format_read(format, from, limit, trace);
    fclose(from);
    return counts;
}

static void expect_requests(const struct trace *trace, const char *want)
{
    cr_assert_eq(trace->count, strlen(want));
    for (size_t i = 0; i < trace->count; i++) {
        cr_expect_eq(trace->requests[i], (uint32_t)(want[i] - '0'), "request %zu", i);
    }
}

Test(hitratio_formats, object_numbers)
{
    static const uint8_t bytes[] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 9, 9};
    struct trace trace;

    struct format_counts counts = read_text(FORMAT_U32, bytes, sizeof(bytes), 0, &trace);
    expect_requests(&trace, "010");
    cr_expect_eq(counts.taken, 3);
    cr_expect_eq(counts.bad, 1, "half a number at the end");
    cr_expect_not(trace_is_sized(&trace));
    trace_fini(&trace);
}

Test(hitratio_formats, text)
{
    static const char text[] = "# time id size\n"
                               "1 a 100\n"
                               "2.5   b  0\n"
                               "3 a 100\r\n"
                               "\n"
                               "4 a 200\n" /* it has changed: another object */
                               "5 a\n"
                               "6 a -1\n"
                               "7 b 0";
    struct trace trace;

    struct format_counts counts = read_text(FORMAT_TEXT, text, strlen(text), 0, &trace);
    expect_requests(&trace, "01021");
    cr_expect_eq(counts.bad, 2);
    cr_expect_eq(counts.skipped, 1);
    cr_expect_eq(trace.sizes[0], 100);
    cr_expect_eq(trace.sizes[1], 1, "an object takes room");
    cr_expect_eq(trace.bytes, 301);
    trace_fini(&trace);
}

Test(hitratio_formats, a_line_that_never_ends_is_one_bad_line)
{
    size_t len = 300000;
    char *text = malloc(len + 10);
    struct trace trace;

    cr_assert(text);
    memset(text, 'x', len);
    memcpy(text + len, "\n1 a 5\n", 8);
    struct format_counts counts = read_text(FORMAT_TEXT, text, len + 7, 0, &trace);
    cr_expect_eq(counts.bad, 1);
    expect_requests(&trace, "0");
    trace_fini(&trace);
    free(text);
}

Test(hitratio_formats, stops_at_its_limit)
{
    struct trace trace;

    read_text(FORMAT_TEXT, "1 a 1\n2 b 1\n3 c 1\n", 18, 2, &trace);
    expect_requests(&trace, "01");
    trace_fini(&trace);
}

#define LINE(code, bytes, method, url)                                                             \
    "1286536308.779    180 192.0.2.1 " code " " bytes " " method " " url                           \
    " - HIER_DIRECT/a text/html\n"

Test(hitratio_formats, squid)
{
    static const char text[] =
        LINE("TCP_IMS_HIT/304", "300", "GET", "http://a/1") /* of a size nobody has told */
        LINE("TCP_MISS/200", "1000", "GET", "http://a/1")
            LINE("TCP_HIT/200", "2000", "GET", "http://a/2")
                LINE("TCP_MEM_HIT/200", "1000", "GET", "http://a/1")
                    LINE("TCP_IMS_HIT/304", "300", "GET", "http://a/2")
                        LINE("TCP_MISS/200", "1000", "POST", "http://a/1")
                            LINE("TCP_TUNNEL/200", "9000", "CONNECT", "a:443")
                                LINE("TCP_MISS_ABORTED/200", "10", "GET", "http://a/1")
                                    LINE("TCP_DENIED/403", "10", "GET", "http://a/1")
                                        LINE("TCP_MISS/206", "10", "GET", "http://a/1")
                                            LINE("TCP_MISS/503", "10", "GET", "http://a/1")
                                                LINE("TCP_MISS/404", "500", "GET", "http://a/3")
                                                    LINE("TCP_MISS/200", "many", "GET",
                                                         "http://a/1") "half a line\n";
    struct trace trace;

    struct format_counts counts = read_text(FORMAT_SQUID, text, strlen(text), 0, &trace);
    expect_requests(&trace, "01012");
    cr_expect_eq(counts.skipped, 7);
    cr_expect_eq(counts.bad, 2);
    cr_expect_eq(trace.sizes[1], 2000);
    trace_fini(&trace);
}

Test(hitratio_formats, by_the_name)
{
    cr_expect_eq(input_format(SPAN("x/web.trace")), FORMAT_U32);
    cr_expect_eq(input_format(SPAN("x/web.trace.xz")), FORMAT_U32);
    cr_expect_eq(input_format(SPAN("access.log.gz")), FORMAT_SQUID);
    cr_expect_eq(input_format(SPAN("access.txt")), FORMAT_TEXT);
}

Test(hitratio_formats, unpacks)
{
    char dir[] = "/tmp/larder-hitratio-XXXXXX", command[256], path[64];
    struct format_counts counts;
    struct trace trace;

    cr_assert(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/a.txt.gz", dir);
    snprintf(command, sizeof(command), "printf '1 a 7\\n2 b 8\\n' | gzip > %s", path);
    cr_assert_eq(system(command), 0);
    trace_init(&trace);
    cr_expect_eq(input_read(path, FORMAT_TEXT, 0, &trace, &counts), 0);
    expect_requests(&trace, "01");
    trace_fini(&trace);

    cr_assert_eq(truncate(path, 15), 0);
    trace_init(&trace);
    cr_expect_eq(input_read(path, FORMAT_TEXT, 0, &trace, &counts), ERR_CORRUPT);
    trace_fini(&trace);
    unlink(path);
    rmdir(dir);
}

Test(hitratio_formats, no_such_file)
{
    struct format_counts counts;
    struct trace trace;

    trace_init(&trace);
    cr_expect_eq(input_read("/nowhere/at/all", FORMAT_TEXT, 0, &trace, &counts), -2);
    trace_fini(&trace);
}
