/* What tail and top show of lines of JSON. */
#include "ctl/tail.h"
#include "ctl/top.h"
#include "ctl/watch.h"

#include "base/err.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const char line[] =
    "{\"time\":\"2026-11-22T12:34:56.789Z\",\"elapsed_us\":1500,\"client\":\"192.0.2.7\","
    "\"method\":\"GET\",\"url\":\"http://a.example:81/p\\u001b?q\",\"status\":200,\"bytes\":2048,"
    "\"content_type\":\"text/html\",\"outcome\":\"hit\",\"reason\":\"fresh\",\"stored\":false,"
    "\"end\":\"client-gone\"}";

Test(tail, a_line_for_people)
{
    static const struct {
        const char *json;
        bool color;
        int err;
        const char *want;
    } cases[] = {
        {line, false, 0,
         "12:34:56.789 192.0.2.7       hit         200   2.0 KiB   1.5 ms GET "
         "http://a.example:81/p??q fresh client-gone\n"},
        {line, true, 0,
         "12:34:56.789 192.0.2.7       \x1b[32mhit        \x1b[0m 200   2.0 KiB   1.5 ms GET "
         "http://a.example:81/p??q fresh client-gone\n"},
        {"{\"dropped\":7}", false, ERR_AGAIN,
         "(7 more not shown: the output is read too slowly)\n"},
        {"{}", false, ERR_SYNTAX, ""},
        {"[", false, ERR_SYNTAX, ""},
        {"{\"outcome\":\"miss\",\"reason\":\"absent\",\"store_reason\":\"private\","
         "\"end\":\"complete\"}",
         false, 0, " -               miss          0       0 B     0 us - - absent,private\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = BUF_INIT;
        cr_expect_eq(tail_render(span_str(cases[i].json), cases[i].color, &out), cases[i].err);
        buf_append(&out, SPAN("\0"));
        cr_expect_str_eq(out.data, cases[i].want);
        buf_fini(&out);
    }
}

static void frame(struct top *top, double since, double now, size_t width, size_t height,
                  const char *want)
{
    struct buf out = BUF_INIT;

    top_frame(top, since, now, width, height, true, &out);
    buf_append(&out, SPAN("\0"));
    cr_expect_str_eq(out.data, want);
    buf_fini(&out);
}

static void add(struct top *top, const char *host, const char *outcome, double now)
{
    char text[256];

    snprintf(text, sizeof(text),
             "{\"url\":\"http://%s/x\",\"outcome\":\"%s\",\"bytes\":1024,\"elapsed_us\":2000}",
             host, outcome);
    cr_expect_eq(top_add(top, span_str(text), now), 0);
}

Test(top, the_most_frequent_first)
{
    struct top *top = top_new(TOP_HOST, 0);

    add(top, "b", "hit", 1);
    add(top, "a", "miss", 1);
    add(top, "b", "miss", 2);
    cr_expect_eq(top_add(top, SPAN("{\"dropped\":5}"), 2), ERR_AGAIN);
    cr_expect_eq(top_add(top, SPAN("nonsense"), 2), ERR_SYNTAX);
    frame(top, 0, 2, 200, 10,
          "       1.5     1.5 KiB    33 %       2.0 ms  all of 3, 5 not counted\n"
          "requests/s       bytes/s  hits    mean time  host\n"
          "       1.0     1.0 KiB    50 %       2.0 ms  b\n"
          "       0.5       512 B     0 %       2.0 ms  a\n");
    frame(top, 0, 2, 72, 3,
          "       1.5     1.5 KiB    33 %       2.0 ms  all of 3, 5 not counted\n"
          "requests/s       bytes/s  hits    mean time  host\n"
          "       1.0     1.0 KiB    50 %       2.0 ms  b\n");
    frame(top, 0, 2, 20, 3, "     1.5   33 %  all\n  each s   hits  hos\n     1.0   50 %  b\n");
    top_by(top, TOP_OUTCOME);
    add(top, "a", "miss", 3);
    frame(top, 2, 3, 200, 10,
          "       1.0     1.0 KiB     0 %       2.0 ms  all of 1\n"
          "requests/s       bytes/s  hits    mean time  outcome\n"
          "       1.0     1.0 KiB     0 %       2.0 ms  miss\n");
    top_free(&top);
    cr_expect_null(top);
}

Test(top, a_narrow_screen_shows_what_is_counted)
{
    struct top *top = top_new(TOP_HOST, 0);
    struct buf out = BUF_INIT;

    add(top, "a.example", "hit", 0);
    add(top, "a.example", "miss", 0);
    top_frame(top, 0, 1, 38, 10, true, &out);
    buf_append(&out, SPAN("\0"));
    cr_expect_str_eq(out.data, "     2.0   50 %  all of 2\n"
                               "  each s   hits  host\n"
                               "     2.0   50 %  a.example\n");
    buf_fini(&out);
    top_free(&top);
}

Test(top, the_keys_are_named)
{
    struct buf out = BUF_INIT;

    top_keys(200, &out);
    cr_expect(span_eq(buf_span(&out), SPAN("[q]uit [h]ost [c]lient [u]rl [o]utcome [r]eason "
                                           "[s]tatus [t]ype [m]ethod")));
    buf_clear(&out);
    top_keys(17, &out);
    cr_expect(span_eq(buf_span(&out), SPAN("[q]uit [h]ost")));
    buf_clear(&out);
    top_keys(4, &out);
    cr_expect(span_eq(buf_span(&out), SPAN("")));
    buf_fini(&out);
}

Test(top, counts_fade)
{
    struct top *top = top_new(TOP_HOST, 10);

    for (int i = 0; i < 4; i++) {
        add(top, "old", "hit", 0);
    }
    add(top, "new", "hit", 30); /* three half-lives later: 4 have become 0.5 */
    struct buf out = BUF_INIT;
    top_frame(top, 0, 30, 200, 10, true, &out);
    buf_append(&out, SPAN("\0"));
    const char *new = strstr(out.data, "  new\n"), *old = strstr(out.data, "  old\n");
    cr_expect(new &&old &&new < old, "%s", out.data);
    buf_fini(&out);
    top_free(&top);
}

Test(top, strangers_keys_are_bounded)
{
    struct top *top = top_new(TOP_HOST, 0);
    char host[32];

    for (int i = 0; i < 40000; i++) {
        snprintf(host, sizeof(host), "h%d.example", i);
        add(top, host, "miss", i);
        add(top, "often", "miss", i);
    }
    struct buf out = BUF_INIT;
    top_frame(top, 0, 40000, 200, 3, true, &out);
    buf_append(&out, SPAN("\0"));
    cr_expect(strstr(out.data, "  often\n"), "%s", out.data);
    buf_fini(&out);
    top_free(&top);
}

Test(watch, filters_are_a_question)
{
    static const struct ctl_options options = {
        .host = "*.a b", .status = "5xx", .client = "10.0.0.0/8", .slower = "7"};
    struct buf out = BUF_INIT;

    watch_path(&options, &out);
    cr_expect_str_eq(out.data, "/tail?host=*.a%20b&client=10.0.0.0/8&status=5xx&slower=7");
    buf_fini(&out);
}
