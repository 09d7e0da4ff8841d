/*
 * Random cases. Most values come from short lists, so that what should meet does meet; the rest is
 * what people and programs get wrong. A case's moments lie around the numbers its fields name.
 */
#include "generate.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* splitmix64 */
static uint64_t gen_next(struct generator *g)
{
    uint64_t z = (g->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

size_t gen_below(struct generator *g, size_t limit)
{
    return (size_t)(gen_next(g) % limit);
}

bool gen_chance(struct generator *g, unsigned percent)
{
    return gen_below(g, 100) < percent;
}

/* ---- lines ---- */

void gen_vary_case(struct generator *g, char *text)
{
    if (!gen_chance(g, 10)) {
        return;
    }
    for (; *text; text++) {
        bool is_letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
        if (is_letter && gen_chance(g, 50)) {
            *text ^= 0x20;
        }
    }
}

void gen_add(struct generator *g, struct message *m, const char *name, const char *format, ...)
{
    va_list args;

    if (m->count == LINES_MAX) {
        return;
    }
    struct line *line = &m->lines[m->count++];
    snprintf(line->name, sizeof(line->name), "%s", name);
    gen_vary_case(g, line->name);
    va_start(args, format);
    vsnprintf(line->value, sizeof(line->value), format, args);
    va_end(args);
    for (size_t len = strlen(line->value); len > 0 && strchr(" \t", line->value[len - 1]); len--) {
        line->value[len - 1] = '\0'; /* heads carry none at their ends */
    }
}

void gen_append(char *text, const char *format, ...)
{
    size_t len = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + len, VALUE_MAX - len, format, args);
    va_end(args);
}

void gen_shuffle(struct generator *g, struct message *m)
{
    for (size_t i = m->count; i > 1; i--) {
        size_t j = gen_below(g, i);
        struct line kept = m->lines[i - 1];
        m->lines[i - 1] = m->lines[j];
        m->lines[j] = kept;
    }
}

/* ---- numbers ---- */

int64_t gen_number(struct generator *g)
{
    static const int64_t small[] = {0, 1, 2, 5, 9, 10, 11, 60, 61, 100};
    static const int64_t large[] = {3600,          7200,         86400,       2147483647,
                                    2147483648,    2147483649,   99999999999, 1099511627775,
                                    1099511627776, 1099511627777};
    int64_t n = gen_chance(g, 75) ? PICK(g, small) : PICK(g, large);

    if (g->number_count < NUMBERS_MAX) {
        g->numbers[g->number_count++] = n;
    }
    return n;
}

/* ---- requests ---- */

static void add_selecting(struct generator *g, struct message *m)
{
    static const char *const values[] = {"1",          "2",          "1, 2", "1,2",
                                         "1 ,  2",     "2, 1",       "1 2",  "a, \"b ,c\"",
                                         "a,\"b ,c\"", "a, \"b,c\"", "",     "\"x , y"};
    static const char *const languages[] = {"en",
                                            "EN",
                                            "en, de",
                                            "de,en",
                                            "en;q=0.5, de",
                                            "de, en ; Q=0.500",
                                            "en;q=0.5",
                                            "en;q=2, de",
                                            "en;q=2,  de",
                                            "en;x=1",
                                            "en;q=1.0",
                                            "de;q=0.1, en;q=0.1",
                                            "*;q=0",
                                            "en,,de",
                                            "en;",
                                            "en;q=0.5;q=0.5",
                                            ""};

    for (size_t i = gen_chance(g, 15) ? 2 : gen_chance(g, 85); i > 0; i--) {
        gen_add(g, m, "Foo", "%s", PICK(g, values));
    }
    if (gen_chance(g, 30)) {
        gen_add(g, m, "Bar", "%s", PICK(g, values));
    }
    for (size_t i = gen_chance(g, 10) ? 2 : gen_chance(g, 70); i > 0; i--) {
        gen_add(g, m, "Accept-Language", "%s", PICK(g, languages));
    }
}

static void make_request(struct generator *g, struct message *m, unsigned odd)
{
    static const char *const methods[] = {"HEAD",    "POST",     "PUT", "DELETE",
                                          "OPTIONS", "M-SEARCH", "get"};

    m->method = gen_chance(g, odd) ? PICK(g, methods) : "GET";
    m->body = gen_chance(g, strcmp(m->method, "GET") == 0 ? 3 : 30);
    if (gen_chance(g, odd * 3)) {
        gen_request_control(g, m);
    }
    if (gen_chance(g, 6)) {
        gen_add(g, m, "Pragma", "%s",
                gen_chance(g, 70)   ? "no-cache"
                : gen_chance(g, 50) ? "x, NO-CACHE"
                                    : "foo");
    }
    if (gen_chance(g, 12)) {
        gen_add(g, m, "Authorization", "Basic YTpi");
    }
    if (gen_chance(g, 3)) {
        gen_add(g, m, gen_chance(g, 50) ? "If-Match" : "If-Unmodified-Since", "\"a\"");
    }
    if (gen_chance(g, 8)) {
        gen_add(g, m, gen_chance(g, 50) ? "If-None-Match" : "Range", "\"a\"");
    }
    if (gen_chance(g, 20)) {
        gen_add(g, m, "Cookie", "a=b");
    }
}

/* The later request often selects the same, in other words or not. */
static void add_selections(struct generator *g)
{
    struct message *first = &g->c->storing;
    struct message *later = &g->c->asking;
    size_t from = first->count;

    add_selecting(g, first);
    if (gen_chance(g, 60)) {
        for (size_t i = from; i < first->count && later->count < LINES_MAX; i++) {
            later->lines[later->count++] = first->lines[i];
        }
    } else {
        add_selecting(g, later);
    }
    gen_shuffle(g, later);
}

/* ---- moments ---- */

static int64_t some_number(struct generator *g)
{
    return g->number_count ? g->numbers[gen_below(g, g->number_count)] : 0;
}

/* On the edge of a number, or of two added. */
static int64_t step(struct generator *g)
{
    static const int64_t odd[] = {-1, -3600, INT64_C(4294967296), INT64_C(1) << 41};
    int64_t edge = some_number(g) + (gen_chance(g, 40) ? some_number(g) : 0);

    if (gen_chance(g, 8)) {
        return PICK(g, odd);
    }
    edge -= gen_chance(g, 25) ? some_number(g) : 0;
    edge = gen_chance(g, 15) ? edge / 10 : edge;
    return edge + (int64_t)gen_below(g, 3) - 1;
}

static void make_times(struct generator *g)
{
    static const int64_t now[] = {INT64_C(1800000000), INT64_C(1795334400), INT64_C(2147483646),
                                  INT64_C(951782399)};
    static const int64_t delays[] = {0, 0, 0, 1, 2, 5, 60, -1, -3600};

    g->c->received = PICK(g, now);
    g->c->sent = g->c->received - PICK(g, delays);
}

void case_make(struct policy_case *out, uint64_t seed)
{
    static const int64_t windows[] = {-1, -1, 0, 5, 60, 3600};
    struct generator g = {.state = seed, .c = out};

    memset(out, 0, sizeof(*out));
    make_times(&g);
    out->targeted = gen_chance(&g, 35);
    out->ignore_client_control = gen_chance(&g, 10);
    out->refuse_set_cookie = gen_chance(&g, 20);
    out->stale_if_error = PICK(&g, windows);
    gen_response(&g);
    make_request(&g, &out->storing, 5);
    make_request(&g, &out->asking, 14);
    add_selections(&g);
    for (size_t i = 0; i < STEPS; i++) {
        out->steps[i] = i == 0 ? 0 : step(&g);
    }
}

/* ---- printing ---- */

static void print_lines(const struct message *m)
{
    for (size_t i = 0; i < m->count; i++) {
        printf("    %s: %s\n", m->lines[i].name, m->lines[i].value);
    }
}

static void print_request(const char *what, const struct message *m)
{
    printf("  %s %s%s\n", what, m->method, m->body ? " with a body" : "");
    print_lines(m);
}

void case_print(const struct policy_case *c)
{
    printf("  targeted fields %s, clients may bypass: %s, Set-Cookie %s, stale-if-error %" PRId64
           "\n",
           c->targeted ? "count" : "do not count", c->ignore_client_control ? "no" : "yes",
           c->refuse_set_cookie ? "refused" : "allowed", c->stale_if_error);
    print_request("stored for:", &c->storing);
    printf("  response: %d, sent at %" PRId64 ", received at %" PRId64 "\n", c->response.status,
           c->sent, c->received);
    print_lines(&c->response);
    print_request("asked with:", &c->asking);
}
