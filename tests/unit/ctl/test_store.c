#include "ctl/verbs.h"

#include <criterion/criterion.h>

#include "base/err.h"

#define DIRECTORY                                                                                  \
    "{\"path\": \"/a\\u001b[31m\", \"state\": \"ok\", \"cause\": null, \"size\": 21474836480,"     \
    " \"used\": 15247653888, \"index_bytes\": 125829120, \"spare_bytes\": 0,"                      \
    " \"objects\": 1234567, \"dirty_bytes\": 2048, \"written_last\": 201326592,"                   \
    " \"written_last_seconds\": 60, \"written_bytes\": 9000, \"written_objects\": 12,"             \
    " \"commits\": 5000, \"commit_errors\": 1, \"evicted_segments\": 120,"                         \
    " \"recycled_segments\": 118, \"kept_objects\": 7, \"kept_bytes\": 1000, \"corrupt\": 3,"      \
    " \"segment_bytes\": 15032385536, \"dropped_bytes\": 167772160,"                               \
    " \"probation\": {\"segments\": 1, \"bytes\": 167772160, \"oldest_seconds\": 180,"             \
    "   \"newest_seconds\": 180},"                                                                 \
    " \"main\": {\"segments\": 89, \"bytes\": 14864613376, \"oldest_seconds\": 190000,"            \
    "   \"newest_seconds\": 59}, "

Test(store, a_table_for_people)
{
    static const char json[] =
        "{\"directories\": [" DIRECTORY
        " \"live\": {\"segments\": 90, \"objects\": 1000, \"bytes\": 512, \"of_bytes\": 1024},"
        " \"count\": {\"running\": false}, \"segments\": ["
        "  {\"id\": 7, \"log\": \"main\", \"state\": \"sealed\", \"age_seconds\": 190000,"
        "   \"capacity\": 167772160, \"used\": 160000000, \"live_objects\": 123456,"
        "   \"live_bytes\": 80000000, \"hot_objects\": 23456, \"pins\": 0},"
        "  {\"id\": 90000, \"log\": \"probation\", \"state\": \"open\", \"age_seconds\": 5,"
        "   \"capacity\": 167772160, \"used\": null, \"live_objects\": null, \"live_bytes\": null,"
        "   \"hot_objects\": 0, \"pins\": 12}]},"
        " {\"path\": \"/b\", \"state\": \"taken out\", \"cause\": \"cannot be read\"}]}";
    static const char want[] =
        "store       /a?[31m: ok\n"
        "used        14.2 GiB of 20.0 GiB: segments 14.0 GiB, index 120 MiB\n"
        "            spare files 0 B, dropped but still read 160 MiB\n"
        "objects     1,234,567 records in the index\n"
        "probation   1 segment, 160 MiB, 3 min 0 s to 3 min 0 s old\n"
        "main        89 segments, 13.8 GiB, 59 s to 2 d 4 h old\n"
        "live        50.0 % of 1.0 KiB in segments, 1,000 objects\n"
        "writes      3.2 MiB/s in the last 60 s; since the start 8.8 KiB of 12 objects\n"
        "commits     5,000, 1 failed; 2.0 KiB wait to be written\n"
        "evicted     120 segments, 118 files written over\n"
        "kept        7 objects, 1000 B copied, 10.0 % of what was written\n"
        "verified    not since the start; larderctl verify --online does it\n"
        "! dropped because a checksum did not hold: 3; see the log\n"
        "   id log                age     size     used   live   objects      hot pins\n"
        "    7 main           2 d 4 h  160 MiB  153 MiB   50 %   123,456   23,456    0\n"
        "90000 probation*         5 s  160 MiB        -      -         -        0   12\n"
        "(* is written to, x was dropped and is still read)\n"
        "\n"
        "store       /b: taken out, cannot be read\n";
    struct buf out = BUF_INIT;

    cr_assert_eq(store_render(span_str(json), &out), 0);
    buf_append(&out, SPAN("\0"));
    cr_expect_str_eq(out.data, want);
    buf_fini(&out);
}

Test(store, what_is_live_may_not_be_known_yet)
{
    static const char json[] =
        "{\"directories\": [" DIRECTORY " \"live\": null, \"count\": {\"running\": true},"
        " \"verify\": {\"running\": true, \"live\": 1000, \"dead\": 2, \"damaged\": 1, "
        "\"records\": 5000}}]}";
    struct buf out = BUF_INIT;

    cr_assert_eq(store_render(span_str(json), &out), 0);
    buf_append(&out, SPAN("\0"));
    cr_expect_neq(
        strstr(out.data, "live        not counted yet; a count is under way, ask again\n"), NULL);
    cr_expect_neq(strstr(out.data, "verified    under way, 1,003 of 5,000 objects\n"), NULL);
    buf_fini(&out);
}

Test(store, none_and_other_programs)
{
    struct buf out = BUF_INIT;

    cr_expect_eq(store_render(SPAN("{\"directories\": []}"), &out), 0);
    buf_append(&out, SPAN("\0"));
    cr_expect_str_eq(out.data, "no store: the proxy has its objects in memory only\n");
    cr_expect_eq(store_render(SPAN("{\"directories\": [1, {\"used\": \"x\"}]}"), &out), 0);
    cr_expect_eq(store_render(SPAN("{}"), &out), ERR_SYNTAX);
    cr_expect_eq(store_render(SPAN("<html>"), &out), ERR_SYNTAX);
    cr_expect_eq(store_render(SPAN(""), &out), ERR_SYNTAX);
    buf_fini(&out);
}
