#include "ctl/show.h"
#include "ctl/verbs.h"

#include <criterion/criterion.h>

#include "base/err.h"

Test(status, a_table_for_people)
{
    static const char json[] =
        "{\"program\": \"larder-proxy\", \"version\": \"1.2.3\", \"name\": \"larder-x\","
        " \"state\": \"ready\\u001b[31m\", \"uptime_seconds\": 3723, \"workers\": 2,"
        " \"listen\": [\"127.0.0.1:3128\", \"[::1]:3128\"],"
        " \"connections\": {\"open\": 3, \"accepted\": 1234567, \"refused\": 0, \"tunnels\": 9},"
        " \"requests\": {\"total\": 2000, \"hits\": 1500,"
        "   \"by_outcome\": {\"hit\": 1500, \"miss\": 500}},"
        " \"bytes\": {\"sent_to_clients\": 1073741824, \"sent_from_cache\": 536870912,"
        "   \"received_from_origins\": 999},"
        " \"latency_us\": {\"hits\": {\"p50\": 250, \"p99\": 1000},"
        "   \"misses\": {\"p50\": 50000, \"p99\": 2500000}},"
        " \"mirrors\": [{\"path\": \"/npm/\", \"requests\": 2000, \"hits\": 1500,"
        "   \"bytes\": 2048, \"hit_bytes\": 1024}, {\"path\": \"/debian/\", \"requests\": 0,"
        "   \"hits\": 0, \"bytes\": 0, \"hit_bytes\": 0}],"
        " \"memory\": {\"limit\": 268435456, \"used\": 1572864, \"hot\": 1024,"
        "   \"hot_entries\": 12},"
        " \"store\": {\"path\": \"/s\", \"size\": 10737418240, \"used\": 161061273600,"
        "   \"objects\": 1000, \"commit_errors\": 2, \"corrupt\": 1}}";
    static const char want[] =
        "larder-proxy 1.2.3, ready?[31m, up 1 h 2 min, workers: 2\n"
        "name        larder-x\n"
        "listens     127.0.0.1:3128, [::1]:3128\n"
        "clients     3 connected, 1,234,567 in all, 0 refused, 9 tunnels\n"
        "requests    2,000, from the cache 75.0 %\n"
        "  hit                        1,500  75.0 %\n"
        "  miss                         500  25.0 %\n"
        "bytes       1.0 GiB to clients, 50.0 % from the cache; 999 B from origins\n"
        "latency     hits: half below 0.25 ms, 99 % below 1 ms\n"
        "            misses: half below 50 ms, 99 % below 2500 ms\n"
        "mirrors     /npm/: 2,000 requests, 75.0 % from the cache\n"
        "            2.0 KiB to clients, 1.0 KiB of them saved\n"
        "            /debian/: no requests yet\n"
        "memory      1.5 MiB of 256 MiB; 12 hot objects, 1.0 KiB\n"
        "store       150 GiB of 10.0 GiB, 1,000 objects, in /s\n"
        "! failed writes to the store: 2; see the log\n"
        "! stored objects dropped because of a wrong checksum: 1\n";
    struct buf out = BUF_INIT;

    cr_assert_eq(status_render(span_str(json), &out), 0);
    buf_append(&out, SPAN("\0"));
    cr_expect_str_eq(out.data, want);
    buf_fini(&out);
}

Test(status, where_stored_responses_were_served_from)
{
    static const struct {
        const char *json, *want;
    } cases[] = {
        {"{\"program\": \"larder-proxy\", \"requests\": {\"by_served_from\": {\"none\": 5,"
         " \"memory\": 1000, \"disk\": 20, \"cold\": 3}}, \"latency_us\": {\"disk_waits\":"
         " {\"p50\": 5000, \"p99\": 10000}}}",
         "stored      1,000 served from memory, 20 from the mapped store, 3 from disk\n"
         "            waits for the disk: half below 5 ms, 99 % below 10 ms\n"},
        {"{\"program\": \"larder-proxy\", \"latency_us\": {\"hits\": {\"p50\": 0, \"p99\": 0},"
         " \"misses\": {\"p50\": 100, \"p99\": 250}}}",
         "latency     hits: none yet\n"
         "            misses: half below 0.1 ms, 99 % below 0.25 ms\n"},
        {"{\"program\": \"larder-proxy\", \"requests\": {\"by_served_from\": {\"disk\": 1}}}",
         "stored      0 served from memory, 1 from the mapped store, 0 from disk\nmemory"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = BUF_INIT;
        cr_expect_eq(status_render(span_str(cases[i].json), &out), 0);
        buf_append(&out, SPAN("\0"));
        cr_expect(strstr(out.data, cases[i].want), "%s", out.data);
        buf_fini(&out);
    }
}

Test(status, other_versions_and_other_programs)
{
    struct buf out = BUF_INIT;

    cr_expect_eq(status_render(SPAN("{\"program\": \"larder-proxy\", \"store\": null,"
                                    " \"requests\": [1], \"listen\": [7]}"),
                               &out),
                 0);
    buf_append(&out, SPAN("\0"));
    cr_expect_neq(strstr(out.data, "store       none, memory only\n"), NULL);
    buf_clear(&out);
    cr_expect_eq(
        status_render(SPAN("{\"program\": \"larder-proxy\", \"store\": {\"path\": \"/a\", "
                           "\"directories\": [{\"path\": \"/a\", \"state\": \"in\"}, {\"path\": "
                           "\"/b\", \"state\": \"out\", \"cause\": \"5 commits in a row failed\", "
                           "\"size\": 1048576}]}}"),
                      &out),
        0);
    buf_append(&out, SPAN("\0"));
    cr_expect_neq(strstr(out.data, "0 objects, in 2 directories\n"), NULL, "%s", out.data);
    cr_expect_neq(strstr(out.data, "! /b is out: 5 commits in a row failed\n"), NULL);
    cr_expect_eq(status_render(SPAN("{}"), &out), ERR_SYNTAX);
    cr_expect_eq(status_render(SPAN("[]"), &out), ERR_SYNTAX);
    cr_expect_eq(status_render(SPAN("<html>"), &out), ERR_SYNTAX);
    cr_expect_eq(status_render(SPAN(""), &out), ERR_SYNTAX);
    buf_fini(&out);
}

Test(status, what_a_daemon_has_given_up)
{
    static const struct {
        const char *json, *want;
    } cases[] = {
        {"{\"filter\": \"on\", \"why\": null, \"no_capabilities\": true}",
         "sandbox     forbidden system calls fail; no capabilities\n"},
        {"{\"filter\": \"log\", \"no_capabilities\": true}",
         "sandbox     forbidden system calls are only logged; no capabilities\n"},
        {"{\"filter\": \"off\", \"why\": \"no\\nkernel\", \"no_capabilities\": false}",
         "sandbox     system calls are not filtered (no?kernel); capabilities are kept\n"},
        {"{}", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = BUF_INIT;
        json_t *sandbox = json_loads(cases[i].json, 0, NULL);
        show_sandbox(sandbox, &out);
        buf_append(&out, SPAN("\0"));
        cr_expect_str_eq(out.data, cases[i].want);
        json_decref(sandbox);
        buf_fini(&out);
    }
}
