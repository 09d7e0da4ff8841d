/* Responses: their times, ages, validators and Vary. */
#include "generate.h"

#include <inttypes.h>
#include <time.h>

/* ---- dates ---- */

/* One letter of a date's form. */
static void append_part(char *text, char part, const struct tm *tm)
{
    static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

    switch (part) {
    case 'w':
        gen_append(text, "%.3s", days[tm->tm_wday]);
        break;
    case 'W':
        gen_append(text, "%s", days[tm->tm_wday]);
        break;
    case 'd':
        gen_append(text, "%02d", tm->tm_mday);
        break;
    case 'e':
        gen_append(text, "%2d", tm->tm_mday);
        break;
    case 'm':
        gen_append(text, "%s", months[tm->tm_mon]);
        break;
    case 'Y':
        gen_append(text, "%04d", tm->tm_year + 1900);
        break;
    case 'y':
        gen_append(text, "%02d", tm->tm_year % 100);
        break;
    case 'h':
        gen_append(text, "%02d", tm->tm_hour);
        break;
    case 'k':
        gen_append(text, "%d", tm->tm_hour);
        break;
    case 'n':
        gen_append(text, "%02d", tm->tm_min);
        break;
    case 's':
        gen_append(text, "%02d", tm->tm_sec);
        break;
    default:
        gen_append(text, "%c", part);
        break;
    }
}

static void append_date(struct generator *g, char *text, int64_t when)
{
    /* The three forms of RFC 9110 5.6.7, and what is taken for one of them. */
    enum { GOOD = 3 };
    static const char *const forms[] = {"w, d m Y h:n:s GMT",
                                        "W, d-m-y h:n:s GMT",
                                        "w m e h:n:s Y",
                                        "w, d m Y h:n:s UTC",
                                        "w, d m y h:n:s GMT",
                                        "w d m Y h:n:s GMT",
                                        "w, d  m Y h:n:s GMT",
                                        "w, d-m-Y h:n:s GMT",
                                        "w, d m Y h.n.s GMT",
                                        "w, d m Y k:n:s GMT",
                                        "w, d m Y h:n GMT",
                                        "0",
                                        "",
                                        "W, d m Y h:n:s GMT",
                                        "w, d-m-y h:n:s GMT",
                                        "w m d h:n:s Y",
                                        "x, d m Y h:n:s GMT",
                                        "w, d m Y h:n:s GMT, w, d m Y h:n:s GMT"};
    size_t form = gen_chance(g, 75)   ? 0
                  : gen_chance(g, 70) ? gen_below(g, GOOD)
                                      : gen_below(g, COUNT(forms));
    char date[VALUE_MAX] = "";
    time_t t = (time_t)when;
    struct tm tm;

    gmtime_r(&t, &tm);
    for (const char *part = forms[form]; *part; part++) {
        append_part(date, *part, &tm);
    }
    gen_vary_case(g, date);
    gen_append(text, "%s", date);
}

static void add_date(struct generator *g, struct message *m, const char *name, int64_t when)
{
    char text[VALUE_MAX] = "";

    append_date(g, text, when < 0 ? 0 : when);
    gen_add(g, m, name, "%s", text);
}

/* The far future and the past, too. */
static int64_t around(struct generator *g, int64_t now)
{
    static const int64_t far[] = {INT64_C(10000000000), INT64_C(253402300799), 0, 1000000000,
                                  INT64_C(4102444800)};

    if (gen_chance(g, 4)) {
        return PICK(g, far);
    }
    int64_t n = gen_number(g) % 100000000;
    return gen_chance(g, 70) ? now + n : now - n;
}

/* ---- the response ---- */

static void add_times(struct generator *g)
{
    struct policy_case *c = g->c;
    int64_t date = c->received - (int64_t)gen_below(g, 3);

    if (gen_chance(g, 15)) {
        date = around(g, c->received);
    }
    if (gen_chance(g, 85)) {
        add_date(g, &c->response, "Date", date);
    }
    for (size_t i = gen_chance(g, 45) ? 1 + (size_t)gen_chance(g, 10) : 0; i > 0; i--) {
        add_date(g, &c->response, "Expires", around(g, date));
    }
    if (gen_chance(g, 50)) {
        add_date(g, &c->response, "Last-Modified", date - 10 * (gen_number(g) % 10000000));
    }
}

static void add_age(struct generator *g)
{
    static const char *const odd[] = {"abc",
                                      "-60",
                                      "+60",
                                      "1.5",
                                      "60, 5",
                                      "0, 7200",
                                      "60,x",
                                      "x, 60",
                                      "",
                                      ",,7",
                                      "\"5\"",
                                      "0x5",
                                      "99999999999999999999"};

    if (gen_chance(g, 70)) {
        gen_add(g, &g->c->response, "Age", "%" PRId64, gen_number(g));
    } else {
        gen_add(g, &g->c->response, "Age", "%s", PICK(g, odd));
    }
    if (gen_chance(g, 10)) {
        gen_add(g, &g->c->response, "Age", "%" PRId64, gen_number(g));
    }
}

static void add_rest(struct generator *g)
{
    static const char *const etags[] = {"\"a\"",   "W/\"a\"",      "\"\"",    "a",
                                        "*",       "W/a",          "w/\"a\"", "\"a\", \"b\"",
                                        "\"a b\"", "\"\xc3\xa4\"", ""};
    static const char *const vias[] = {"1.1 a",      "1.0 old", "1.1 a, 1.0 old", "HTTP/1.0 x",
                                       "HTTP/1.1 x", "1.0",     "2.0 b"};
    struct message *m = &g->c->response;

    if (gen_chance(g, 40)) {
        gen_add(g, m, "ETag", "%s", gen_chance(g, 60) ? "\"a\"" : PICK(g, etags));
    }
    if (gen_chance(g, 15)) {
        gen_add(g, m, "Via", "%s", PICK(g, vias));
    }
    if (gen_chance(g, 12)) {
        gen_add(g, m, "Set-Cookie", "a=b");
    }
    if (gen_chance(g, 5)) {
        gen_add(g, m, "Pragma", "no-cache"); /* means nothing in a response */
    }
}

static void add_vary(struct generator *g)
{
    static const char *const names[] = {"Foo", "Bar", "foo", "Accept-Language", "ACCEPT-LANGUAGE",
                                        "Baz"};
    static const char *const odd[] = {"*",   "*, *", ", *", "Foo, *", "*, Foo",
                                      "a b", "",     ",",   "\"x\""};

    for (size_t lines = gen_chance(g, 85) ? 1 : 2; lines > 0; lines--) {
        char text[VALUE_MAX] = "";
        for (size_t j = 1 + gen_below(g, 3); j > 0; j--) {
            gen_append(text, "%s", PICK(g, names));
            gen_append(text, "%s", j > 1 ? (gen_chance(g, 70) ? ", " : " ,,") : "");
        }
        gen_add(g, &g->c->response, "Vary", "%s", gen_chance(g, 90) ? text : PICK(g, odd));
    }
}

void gen_response(struct generator *g)
{
    static const int statuses[] = {200, 200, 200, 203, 204, 206, 299, 300, 301, 302, 303,
                                   304, 307, 308, 400, 401, 403, 404, 405, 407, 410, 412,
                                   414, 416, 421, 425, 428, 429, 431, 451, 499, 500, 501,
                                   502, 503, 504, 511, 599, 999, 103, 101, 201, 202};
    struct message *m = &g->c->response;

    m->status = gen_chance(g, 65) ? 200 : PICK(g, statuses);
    add_times(g);
    if (gen_chance(g, 75)) {
        gen_response_control(g, m);
    }
    if (gen_chance(g, 30)) {
        gen_add_targeted(g, m, "CDN-Cache-Control");
    }
    if (gen_chance(g, 10)) {
        gen_add_targeted(g, m, "Larder-Cache-Control");
    }
    if (gen_chance(g, 35)) {
        add_age(g);
    }
    if (gen_chance(g, 45)) {
        add_vary(g);
    }
    add_rest(g);
    gen_shuffle(g, m);
}
