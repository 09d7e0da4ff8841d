/* Cache-Control and targeted fields: right ones, and what people make of them. */
#include "generate.h"

#include <inttypes.h>

/* A value of seconds, now and then a wrong one. */
static void append_seconds(struct generator *g, char *text)
{
    static const char *const wrong[] = {
        "'60'", "-60",  "+60", "",     "abc",      "60s",  "6 0", "60.0",
        " 60",  "\"\"", "\"6", "0x10", "\"6\\0\"", "60;1", "*",   "99999999999999999999999999"};

    if (gen_chance(g, 6)) {
        gen_append(text, "=%s", PICK(g, wrong));
    } else if (gen_chance(g, 5)) {
        gen_append(text, "=\"%" PRId64 "\"", gen_number(g));
    } else if (gen_chance(g, 5)) {
        gen_append(text, "=00%" PRId64, gen_number(g));
    } else if (gen_chance(g, 2)) {
        gen_append(text, " =%" PRId64, gen_number(g));
    } else if (!gen_chance(g, 2)) {
        gen_append(text, "=%" PRId64, gen_number(g));
    }
}

/* ---- Cache-Control ---- */

static void append_separator(struct generator *g, char *text)
{
    static const char *const odd[] = {",", " ,", ",,", ", ,", ",\t ", " , "};

    gen_append(text, "%s", gen_chance(g, 80) ? ", " : PICK(g, odd));
}

static const char *const timed[] = {"max-age", "max-age", "s-maxage", "stale-while-revalidate",
                                    "stale-if-error"};
static const char *const flags[] = {"public",           "must-revalidate", "immutable",
                                    "proxy-revalidate", "must-understand", "no-transform"};
static const char *const strict[] = {"no-store",
                                     "no-cache",
                                     "private",
                                     "no-cache=\"X-Own\"",
                                     "private=\"Set-Cookie\"",
                                     "no-store=1",
                                     "no-cache =",
                                     "no-store;",
                                     "x; private",
                                     "no-cache no-store",
                                     "must-revalidate;max-age=60",
                                     "proxy-revalidate; z=\"q\""};
static const char *const alien[] = {"foo",
                                    "foo=bar",
                                    "x=\"max-age=9, no-store\"",
                                    "y=\"a\\\", private, \\\"b\"",
                                    "max-agee=9",
                                    "xno-store",
                                    "z=\"s-maxage=5\"",
                                    "q=\"unclosed",
                                    "=",
                                    "a b",
                                    "only-if-cached",
                                    "max-stale=9",
                                    "min-fresh=5"};

static void append_response_directive(struct generator *g, char *text)
{
    size_t kind = gen_below(g, 100);

    if (kind < 62) {
        gen_append(text, "%s", PICK(g, timed));
        append_seconds(g, text);
    } else if (kind < 80) {
        gen_append(text, "%s", PICK(g, flags));
    } else if (kind < 86) {
        gen_append(text, "%s", PICK(g, strict));
    } else {
        gen_append(text, "%s", PICK(g, alien));
    }
}

static const char *const asked_flags[] = {"no-cache",     "no-store",  "only-if-cached",
                                          "no-transform", "max-stale", "max-stale"};
static const char *const asked_timed[] = {"max-age",   "min-fresh",      "max-stale",
                                          "max-stale", "stale-if-error", "max-age"};

static void append_request_directive(struct generator *g, char *text)
{
    size_t kind = gen_below(g, 100);

    if (kind < 60) {
        gen_append(text, "%s", PICK(g, asked_timed));
        append_seconds(g, text);
    } else if (kind < 85) {
        gen_append(text, "%s", PICK(g, asked_flags));
    } else {
        gen_append(text, "%s", PICK(g, alien));
    }
}

static void add_control(struct generator *g, struct message *m,
                        void (*directive)(struct generator *, char *))
{
    size_t lines = gen_chance(g, 80) ? 1 : 2 + gen_below(g, 2);

    for (size_t i = 0; i < lines; i++) {
        char text[VALUE_MAX] = "";
        size_t members = 1 + gen_below(g, 3);
        for (size_t j = 0; j < members; j++) {

            if (j) {
                append_separator(g, text);
            }
            directive(g, text);
        }
        gen_vary_case(g, text);
        gen_add(g, m, "Cache-Control", "%s", text);
    }
}

void gen_request_control(struct generator *g, struct message *m)
{
    add_control(g, m, append_request_directive);
}

void gen_response_control(struct generator *g, struct message *m)
{
    add_control(g, m, append_response_directive);
}

/* ---- targeted fields ---- */

static void append_targeted_member(struct generator *g, char *text)
{
    static const char *const members[] = {"no-store",
                                          "no-cache",
                                          "private",
                                          "public",
                                          "must-revalidate",
                                          "no-store=?0",
                                          "foo",
                                          "foo=bar;a=1",
                                          "no-cache=?1",
                                          "private=\"x\"",
                                          "immutable",
                                          "x=1.5",
                                          "y=\"a\\\"b\"",
                                          "must-understand",
                                          "proxy-revalidate",
                                          "*a=tok/en",
                                          "x;y;z=3",
                                          "public=?0",
                                          "max-age=60;x=\"y\""};
    static const char *const wrong[] = {"max-age=\"60\"",
                                        "max-age=1.5",
                                        "max-age",
                                        "Max-Age=60",
                                        "max-age= 60",
                                        "max-age=60s",
                                        "&",
                                        "x=\"y",
                                        "a=1.2345",
                                        "max-age=?1",
                                        "a=?2",
                                        "a=-",
                                        "max-age=1000000000000000"};

    if (gen_chance(g, 55)) {
        gen_append(text, "%s=%s%" PRId64, PICK(g, timed), gen_chance(g, 3) ? "-" : "",
                   gen_number(g));
    } else {
        gen_append(text, "%s", gen_chance(g, 88) ? PICK(g, members) : PICK(g, wrong));
    }
}

void gen_add_targeted(struct generator *g, struct message *m, const char *name)
{
    size_t lines = gen_chance(g, 90) ? 1 : 2;

    for (size_t i = 0; i < lines; i++) {
        char text[VALUE_MAX] = "";
        size_t members = 1 + gen_below(g, 3);
        for (size_t j = 0; j < members; j++) {
            gen_append(text, "%s", j ? (gen_chance(g, 80) ? ", " : ",") : "");
            append_targeted_member(g, text);
        }
        gen_append(text, "%s", gen_chance(g, 2) ? "," : "");
        gen_add(g, m, name, "%s", text);
    }
}
