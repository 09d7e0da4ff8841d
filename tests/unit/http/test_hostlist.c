#include "base/check.h"
#include "base/err.h"
#include "http/hostlist.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const struct sip_key key = {1, 2};

static struct hostlist *list_of(const char *const *patterns, size_t count)
{
    struct hostlist *list = hostlist_new(&key);

    for (size_t i = 0; i < count; i++) {
        const char *what = NULL;
        cr_assert_eq(hostlist_add(list, span_str(patterns[i]), &what), 0, "%s: %s", patterns[i],
                     what);
    }
    hostlist_finish(list);
    return list;
}

Test(hostlist, what_each_pattern_means)
{
    static const char *const patterns[] = {
        "Plain.Example",
        ".dotted.example",
        "*.below.example",
        "=alone.example",
        "192.0.2.1",
        "2001:DB8:0:0::1",
        "[2001:db8::2]",
        "ends.example.",
        "xn--mller-kva.example",
        "_srv.example",
        "zip",
    };
    static const struct {
        const char *host;
        bool has;
    } cases[] = {
        {"plain.example", true},
        {"www.plain.example", true},
        {"a.b.c.plain.example", true},
        {"notplain.example", false},
        {"plain.example.", true},
        {"plain.example...", true},
        {"plain.example.net", false},
        {"example", false},
        {"dotted.example", true},
        {"www.dotted.example", true},
        {"below.example", false},
        {"below.example.", false},
        {"www.below.example", true},
        {"alone.example", true},
        {"www.alone.example", false},
        {"ends.example", true},
        {"www.ends.example", true},
        {"xn--mller-kva.example", true},
        {"_srv.example", true},
        {"any.zip", true},
        {"zip", true},
        {"192.0.2.1", true},
        {"192.0.2.10", false},
        {"1.192.0.2.1", false},
        {"::ffff:192.0.2.1", true},
        {"::ffff:c000:201", true},
        {"2001:db8::1", true},
        {"2001:db8::2", true},
        {"2001:db8::3", false},
        {"", false},
        {".", false},
        {"..plain.example", true},
        {"a..plain.example", true},
        {"p%6cain.example", false},
    };
    struct hostlist *list = list_of(patterns, ARRAY_LEN(patterns));

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(hostlist_has(list, span_str(cases[i].host)), cases[i].has, "%s",
                     cases[i].host);
    }
    cr_expect_eq(hostlist_count(list), ARRAY_LEN(patterns));
    hostlist_unref(&list);
    cr_expect_null(list);
    hostlist_unref(&list);
}

Test(hostlist, patterns_for_one_name_add_up)
{
    static const char *const patterns[] = {"=a.example", "*.a.example", "*.b.example",
                                           "=b.example"};
    struct hostlist *list = list_of(patterns, ARRAY_LEN(patterns));

    cr_expect_eq(hostlist_count(list), 2);
    cr_expect(hostlist_has(list, SPAN("a.example")));
    cr_expect(hostlist_has(list, SPAN("x.a.example")));
    cr_expect(hostlist_has(list, SPAN("b.example")));
    cr_expect(hostlist_has(list, SPAN("x.b.example")));
    hostlist_unref(&list);
}

Test(hostlist, what_no_host_can_be_is_refused)
{
    char label[65], name[255];
    const char *const patterns[] = {
        "",         ".",       "*",         "*.",        "=",           "a..b", "a.*.b",
        "*a.b",     "=*.a",    "a b",       "a:80",      "http://a/",   "a/b",  "b\xc3\xbcro.de",
        "a%62.net", "1.2.3",   "1.2.3.4.5", "a.1",       "*.192.0.2.1", "a,b",  "[::1",
        "[abc]",    "*.[::1]", "::1]",      "a\x01.net", label,         name,
    };
    struct hostlist *list = hostlist_new(&key);

    memset(label, 'a', sizeof(label) - 1);
    label[64] = '\0';
    for (size_t i = 0; i < sizeof(name) - 1; i++) {
        name[i] = i % 10 == 9 ? '.' : 'a';
    }
    name[254] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        const char *what = NULL;
        cr_expect_eq(hostlist_add(list, span_str(patterns[i]), &what), ERR_SYNTAX, "\"%s\"",
                     patterns[i]);
        cr_expect_not_null(what, "\"%s\"", patterns[i]);
    }
    cr_expect_eq(hostlist_count(list), 0);
    cr_expect(!hostlist_has(list, SPAN("a")));
    hostlist_unref(&list);
}

struct told {
    size_t lines[16];
    size_t count;
};

static void note(void *arg, size_t line, struct span text, const char *what)
{
    struct told *told = arg;

    cr_assert(told->count < ARRAY_LEN(told->lines));
    cr_expect_not_null(what);
    told->lines[told->count++] = line;
}

Test(hostlist, files_of_names_and_files_of_hosts)
{
    const char text[] = "\xef\xbb\xbf# a list\n"
                        "one.example\r\n"
                        "  two.example   # why\n"
                        "\n"
                        "0.0.0.0 three.example four.example\n"
                        "127.0.0.1 localhost\n"
                        "::1\tip6-localhost localhost\n"
                        "0.0.0.0 0.0.0.0\n"
                        "bad name.example\n"
                        "||adblock.example^\n"
                        "192.0.2.7\n"
                        "127.0.0.1\tfive.example#trailing\n"
                        "six.example";
    struct hostlist *list = hostlist_new(&key);
    struct told told = {.count = 0};

    cr_expect_eq(hostlist_add_lines(list, span_of(text, sizeof(text) - 1), note, &told), 2);
    cr_assert_eq(told.count, 2);
    cr_expect_eq(told.lines[0], 9);
    cr_expect_eq(told.lines[1], 10);
    static const char *const in[] = {"one.example",  "two.example", "three.example", "four.example",
                                     "five.example", "six.example", "192.0.2.7"};
    for (size_t i = 0; i < ARRAY_LEN(in); i++) {
        cr_expect(hostlist_has(list, span_str(in[i])), "%s", in[i]);
    }
    cr_expect(!hostlist_has(list, SPAN("localhost")));
    cr_expect(!hostlist_has(list, SPAN("0.0.0.0")));
    cr_expect_eq(hostlist_count(list), ARRAY_LEN(in));
    hostlist_unref(&list);
}

Test(hostlist, hundred_thousand_names_each_found_and_no_other)
{
    struct hostlist *list = hostlist_new(&key);
    enum { COUNT = 100000 };
    char name[64];
    const char *what;

    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "host-%d.group-%d.example", i, i % 997);
        cr_assert_eq(hostlist_add(list, span_str(name), &what), 0);
    }
    hostlist_finish(list);
    cr_expect_eq(hostlist_count(list), COUNT);
    cr_expect_lt(hostlist_bytes(list), (size_t)COUNT * 64);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "www.host-%d.group-%d.example", i, i % 997);
        cr_assert(hostlist_has(list, span_str(name)), "%s", name);
        snprintf(name, sizeof(name), "host-%d.group-%d.example", i, (i + 1) % 997);
        cr_assert(!hostlist_has(list, span_str(name)), "%s", name);
    }
    hostlist_unref(&list);
}
