#include "ctl/verbs.h"

#include <criterion/criterion.h>

Test(check, a_file_tells_whose_it_is)
{
    static const struct {
        const char *yaml;
        enum ctl_program want;
    } cases[] = {
        {"listen: x\nzones:\n  - a\n", CTL_DNS},
        {"replicas: []\n", CTL_DNS},
        {"listen: x\nsites:\n  - zones: no\n", CTL_PROXY},
        {"# zones: no\n", CTL_PROXY},
        {"", CTL_PROXY},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(check_detect(span_str(cases[i].yaml)), cases[i].want, "%s", cases[i].yaml);
    }
}

Test(check, errors_become_json)
{
    static const struct {
        bool good;
        const char *lines, *want;
    } cases[] = {
        {true, "",
         "{\n  \"file\": \"a:b\",\n  \"good\": true,\n  \"errors\": [],\n  \"notes\": []\n}\n"},
        {true,
         "a:b:3:14: note: it works\n"
         "2026-11-29T20:32:02.728Z warn open_resolver allow=::/0\n",
         "{\n  \"file\": \"a:b\",\n  \"good\": true,\n  \"errors\": [],\n  \"notes\": [\n"
         "    {\n      \"line\": 3,\n      \"column\": 14,\n      \"text\": \"it works\"\n"
         "    },\n"
         "    {\n      \"text\": \"2026-11-29T20:32:02.728Z warn open_resolver allow=::/0\"\n"
         "    }\n  ]\n}\n"},
        {false, "a:b:3:14: what; \"x\"\na:b: unreadable\nother\n",
         "{\n  \"file\": \"a:b\",\n  \"good\": false,\n  \"errors\": [\n"
         "    {\n      \"line\": 3,\n      \"column\": 14,\n      \"text\": \"what; \\\"x\\\"\"\n"
         "    },\n"
         "    {\n      \"text\": \"unreadable\"\n    },\n"
         "    {\n      \"text\": \"other\"\n    }\n  ],\n  \"notes\": []\n}\n"},
        {false, "\xff\n",
         "{\n  \"file\": \"a:b\",\n  \"good\": false,\n  \"errors\": [\n    {\n"
         "      \"text\": \"(not UTF-8)\"\n    }\n  ],\n  \"notes\": []\n}\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = BUF_INIT;

        check_json("a:b", cases[i].good, span_str(cases[i].lines), &out);
        buf_append(&out, SPAN("\0"));
        cr_expect_str_eq(out.data, cases[i].want);
        buf_fini(&out);
    }
}
