#include "base/check.h"
#include "base/err.h"
#include "ctl/verbs.h"

#include <criterion/criterion.h>

Test(explain_path, what_was_written_is_encoded)
{
    struct ctl_options options = {.operand = "http://a/?q=1&r=ä",
                                  .method = "HEAD",
                                  .client = "192.0.2.7",
                                  .fields = {"A: b c", "D: +"},
                                  .field_count = 2};
    struct buf out = BUF_INIT;

    explain_path(&options, &out);
    cr_expect_str_eq(out.data, "/explain?url=http://a/%3Fq%3D1%26r%3D%C3%A4&method=HEAD"
                               "&client=192.0.2.7&header=A:%20b%20c&header=D:%20%2B");
    buf_fini(&out);
}

static const char answer[] =
    "{\"program\": \"larder-proxy\", \"now\": 1000100, \"key\": \"k\","
    " \"request\": {\"method\": \"GET\", \"url\": \"http://a/\", \"client\": null,"
    "  \"mirror\": \"/m\\u001b/\"}, \"access\": null,"
    " \"next\": {\"action\": \"validate\", \"reason\": \"stale\","
    "  \"because\": \"the stored response is stale\", \"what\": null, \"source\": \"RFC 9111 "
    "4.2.4\","
    "  \"rule\": \"a response whose age has reached its lifetime is validated with the origin\","
    "  \"status\": null, \"cache_status\": \"larder; fwd=stale\"},"
    " \"stored\": {\"status\": 200, \"bytes\": 2048, \"where\": \"parts\", \"received\": 1000000,"
    "  \"content_type\": \"text/css\", \"etag\": \"\\u001b[31mx\","
    "  \"selected_by\": {\"accept-encoding\": \"gzip\", \"cookie\": null},"
    "  \"parts\": {\"length\": 2048, \"present\": 1024, \"ranges\": [[0, 511], [1024, 1535]],"
    "   \"more\": false}},"
    " \"freshness\": {\"age\": {\"field\": 7, \"transit\": 1, \"transit_by_date\": false,"
    "   \"resident\": 100, \"current\": 108},"
    "  \"lifetime\": {\"seconds\": 8, \"source\": \"heuristic\", \"field\": \"Last-Modified\","
    "   \"directive\": null, \"date\": 1000000, \"last_modified\": 999920, \"percent\": 10},"
    "  \"remaining\": -100, \"stale_while_revalidate\": 5, \"stale_if_error\": null},"
    " \"variants\": {\"vary\": [\"accept-encoding,cookie\"], \"more\": true,"
    "  \"known\": [{\"status\": 200, \"bytes\": null, \"where\": \"store\","
    "   \"selected_by\": {\"accept-encoding\": \"br\", \"cookie\": \"\"}}]},"
    " \"fetching\": {\"waiting\": 3},"
    " \"pass_mark\": {\"seconds\": 61, \"reason\": \"private\", \"because\": \"it is private\"},"
    " \"last\": {\"time_ms\": 1000040999, \"method\": \"GET\", \"status\": 200, \"outcome\": "
    "\"miss\","
    "  \"reason\": \"absent\", \"fwd_status\": 200, \"stored\": false, \"store_reason\": "
    "\"private\","
    "  \"not_stored_because\": \"it is private\"},"
    " \"remedies\": [{\"text\": \"One thing.\"}, {\"text\": \"Another.\"}]}";

Test(explain_render, one_label_one_thing)
{
    static const char want[] =
        "GET http://a/ (mirror /m?/)\n"
        "\n"
        "next        the origin is asked whether the stored response is still valid\n"
        "because     the stored response is stale (stale)\n"
        "rule        RFC 9111 4.2.4: a response whose age has reached its lifetime is\n"
        "            validated with the origin\n"
        "field       Cache-Status: larder; fwd=stale\n"
        "access      not checked: add --client ADDRESS to apply the rules\n"
        "to change   One thing.\n"
        "            Another.\n"
        "\n"
        "stored      200, 2.0 KiB, text/css, in parts, 1 min 40 s ago\n"
        "            for accept-encoding: gzip, cookie: (none)\n"
        "            ETag: ?[31mx\n"
        "            1.0 KiB of 2.0 KiB: bytes 0-511, 1024-1535\n"
        "age             7 s  when it arrived (Age)\n"
        "            +   1 s  between request and response\n"
        "            + 100 s  since then\n"
        "            = 108 s\n"
        "lifetime        8 s  estimated: 10 % of Date - Last-Modified, 80 s\n"
        "stale for     100 s  lifetime - age, 1 min 40 s\n"
        "                5 s  used stale while it is validated\n"
        "variants    1 or more known, selected by accept-encoding,cookie\n"
        "            accept-encoding: br, cookie:   ->  200, of unknown length, on disk\n"
        "fetching    at the moment; 3 waiting\n"
        "pass mark   for 1 min 1 s: it is private\n"
        "last        1 min 0 s ago: GET, 200, miss (absent); the origin said 200; not\n"
        "            stored: it is private (private)\n";
    struct buf out = BUF_INIT;

    cr_assert_eq(explain_render(span_str(answer), &out), 0);
    buf_append(&out, SPAN("\0"));
    cr_expect_str_eq(out.data, want);
    buf_fini(&out);
}

Test(explain_render, how_long_the_last_one_waited_for_the_disk)
{
    static const char waited[] =
        "{\"program\": \"larder-proxy\", \"now\": 1000100, \"request\": {}, \"next\": {},"
        " \"last\": {\"time_ms\": 1000040999, \"method\": \"GET\", \"status\": 200,"
        "  \"outcome\": \"hit\", \"reason\": \"fresh\", \"served_from\": \"cold\","
        "  \"disk_wait_us\": 8123}}";
    struct buf out = BUF_INIT;

    cr_assert_eq(explain_render(span_str(waited), &out), 0);
    buf_append(&out, SPAN("\0"));
    cr_expect(strstr(out.data, "GET, 200, hit (fresh); waited 9 ms for the disk\n"), "%s",
              out.data);
    buf_fini(&out);
}

Test(explain_render, what_is_no_explanation_is_refused)
{
    static const char *const others[] = {"", "{}", "[]", "<html>", "{\"next\": 1}"};

    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct buf out = BUF_INIT;
        cr_expect_eq(explain_render(span_str(others[i]), &out), ERR_SYNTAX, "%s", others[i]);
        buf_fini(&out);
    }
}

Test(explain_render, missing_members_are_left_out)
{
    struct buf out = BUF_INIT;

    cr_assert_eq(explain_render(SPAN("{\"next\": {}, \"key\": \"k\", \"stored\": {},"
                                     " \"freshness\": {}, \"variants\": {}, \"last\": {}}"),
                                &out),
                 0);
    cr_expect_gt(buf_len(&out), 0);
    buf_fini(&out);
}
