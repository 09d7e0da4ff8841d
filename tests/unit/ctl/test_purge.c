#include "ctl/verbs.h"

#include "base/err.h"

#include <criterion/criterion.h>

static void expect_line(const char *json, const char *what, const char *want)
{
    struct buf out = BUF_INIT;

    cr_assert_eq(purge_render(span_str(json), what, &out), 0, "%s", json);
    buf_append(&out, SPAN("\0"));
    cr_expect_str_eq(out.data, want);
    buf_fini(&out);
}

Test(purge_render, what_was_found_is_said_in_a_line)
{
    expect_line("{\"program\": \"larder-proxy\", \"stored\": true, \"varies\": true,"
                " \"responses\": 2, \"bytes\": 48211, \"fetches\": 0}",
                "http://a/x", "http://a/x: purged: 2 variants, 48,211 bytes\n");
    expect_line("{\"program\": \"larder-proxy\", \"stored\": true, \"varies\": false,"
                " \"responses\": 1, \"bytes\": 7, \"fetches\": 1}",
                "http://a/x",
                "http://a/x: purged: 1 response, 7 bytes; what is on its way will not be stored\n");
    expect_line("{\"program\": \"larder-proxy\", \"stored\": true, \"responses\": 2, \"bytes\": 7,"
                " \"mirrors\": [\"/npm/\", \"/m\\u001b/\"]}",
                "http://a/x", "http://a/x: purged: 2 responses, 7 bytes (mirror /npm/, /m?/)\n");
    expect_line("{\"program\": \"larder-proxy\", \"stored\": false, \"responses\": 0}",
                "http://a/\x1b", "http://a/?: was not stored\n");
    expect_line("{\"program\": \"larder-proxy\", \"scope\": \"prefix\"}", "http://a/",
                "http://a/: purged: everything with this prefix\n");
    expect_line("{\"program\": \"larder-proxy\", \"scope\": \"host\"}", "a",
                "a: purged: everything of this host\n");
    expect_line("{\"program\": \"larder-proxy\", \"scope\": \"all\"}", NULL,
                "purged: everything\n");
}

Test(purge_render, what_is_no_answer_is_refused)
{
    static const char *const others[] = {"", "{}", "[]", "<html>", "{\"program\": \"larder-dns\"}"};

    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct buf out = BUF_INIT;
        cr_expect_eq(purge_render(span_str(others[i]), NULL, &out), ERR_SYNTAX, "%s", others[i]);
        buf_fini(&out);
    }
}

Test(purge_path, the_question_is_percent_encoded)
{
    struct ctl_options options = {.fields = {"Host: a b"}, .field_count = 1};
    struct buf out = BUF_INIT;

    purge_path(&options, "url", "http://a/x?y=1&z", &out);
    cr_expect_str_eq(out.data, "/purge?url=http://a/x%3Fy%3D1%26z&header=Host:%20a%20b");
    buf_clear(&out);
    options.field_count = 0;
    purge_path(&options, "all", NULL, &out);
    cr_expect_str_eq(out.data, "/purge?all=yes");
    buf_fini(&out);
}
