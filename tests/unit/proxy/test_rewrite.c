#include "proxy/mirror/rewrite.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "proxy/mirror/rewrite_source.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct rewrite_links links = {
    .at = {{SPAN_INIT("https://reg.test/"), SPAN_INIT("http://m/npm/")},
           {SPAN_INIT("https://reg.test/deep/"), SPAN_INIT("http://m/deep/")},
           {SPAN_INIT("//files.test/"), SPAN_INIT("http://m/npm/_files/")},
           {SPAN_INIT("//"), SPAN_INIT("//")},
           {SPAN_INIT("/"), SPAN_INIT("http://m/npm/")}},
    .count = 5,
};

/* In pieces of `step` bytes. */
static void rewrite(enum rewrite_format format, struct span text, size_t step, struct buf *out)
{
    struct rewriter *rewriter = xmalloc(sizeof(*rewriter));
    char room[REWRITE_ROOM];

    rewriter_init(rewriter, format, &links);
    while (text.len) {
        struct span piece = span_take(text, step);
        text = span_skip(text, step);
        while (piece.len) {
            size_t before = piece.len;
            size_t n = rewriter_run(rewriter, &piece, room, sizeof(room));
            cr_assert(n <= sizeof(room) && piece.len < before);
            buf_append(out, span_of(room, n));
        }
    }
    buf_append(out, span_of(room, rewriter_end(rewriter, room, sizeof(room))));
    free(rewriter);
}

struct rewrite_case {
    const char *in, *out; /* NULL: as it was */
};

static void expect(enum rewrite_format format, const struct rewrite_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct span want = span_str(cases[i].out ? cases[i].out : cases[i].in);
        for (size_t step = 1; step <= strlen(cases[i].in); step++) {
            struct buf out = BUF_INIT;
            rewrite(format, span_str(cases[i].in), step, &out);
            cr_assert(span_eq(buf_span(&out), want), "%s, by %zu: %.*s", cases[i].in, step,
                      SPAN_ARGS(buf_span(&out)));
            buf_fini(&out);
        }
    }
}

#define COUNT(cases) (sizeof(cases) / sizeof((cases)[0]))

Test(rewrite, npm)
{
    static const struct rewrite_case cases[] = {
        {"{\"dist\":{\"tarball\":\"https://reg.test/a/-/a-1.tgz\"}}",
         "{\"dist\":{\"tarball\":\"http://m/npm/a/-/a-1.tgz\"}}"},
        {"{ \"v\" : { \"dist\" :\n{ \"x\":[{}], \"tarball\" : \"https://reg.test/\" } } }",
         "{ \"v\" : { \"dist\" :\n{ \"x\":[{}], \"tarball\" : \"http://m/npm/\" } } }"},
        /* other spellings of the same strings */
        {"{\"d\\u0069st\":{\"tarb\\u0061ll\":\"https:\\/\\/reg\\u002etest\\/a\"}}",
         "{\"d\\u0069st\":{\"tarb\\u0061ll\":\"http://m/npm/a\"}}"},
        {"{\"dist\":{\"tarball\":\"https://reg.test/deep/a\"}}",
         "{\"dist\":{\"tarball\":\"http://m/deep/a\"}}"},
        {"{\"dist\":{\"tarball\":\"https://reg.test/dee\"}}",
         "{\"dist\":{\"tarball\":\"http://m/npm/dee\"}}"},
        {"{\"dist\":{\"tarball\":\"https://reg.test/deep\"},\"dist\":{\"tarball\":\"/x\"}}",
         "{\"dist\":{\"tarball\":\"http://m/npm/deep\"},\"dist\":{\"tarball\":\"http://m/npm/"
         "x\"}}"},
        {"[{\"dist\":{\"tarball\":\"https://reg.test/1\"}},"
         "{\"dist\":{\"tarball\":\"https://reg.test/2\"}}]",
         "[{\"dist\":{\"tarball\":\"http://m/npm/1\"}},"
         "{\"dist\":{\"tarball\":\"http://m/npm/2\"}}]"},
        /* not what is meant */
        {"{\"tarball\":\"https://reg.test/a\"}", NULL},
        {"{\"dist\":{\"x\":{\"tarball\":\"https://reg.test/a\"}}}", NULL},
        {"{\"dist\":{\"tarball\":[\"https://reg.test/a\"]}}", NULL},
        {"{\"dist\":{\"tarball\":{\"https://reg.test/a\":1}}}", NULL},
        {"{\"dist\":{\"tarballs\":\"https://reg.test/a\",\"tarbal\":\"https://reg.test/a\"}}",
         NULL},
        {"{\"dist\":{\"tarball\":\"https://reg.test.evil/a\"}}", NULL},
        {"{\"dist\":{\"tarball\":\" https://reg.test/a\"}}", NULL},
        {"{\"dist\":{\"tarball\":\"//other.test/a\"}}", NULL},
        {"{\"dist\":{\"tarball\":\"https:\\n//reg.test/a\"}}", NULL},
        {"{\"dist\":{\"tarball\":\"https:\\u00e9//reg.test/a\"}}", NULL},
        {"{\"dist\":\"x\",\"y\":{\"tarball\":\"https://reg.test/a\"}}", NULL},
        {"{\"readme\":\"\\\"dist\\\":{\\\"tarball\\\":\\\"https://reg.test/a\\\"}\"}", NULL},
        {"{\"dist\":{\"integrity\":\"sha512-x\"},\"tarball\":\"https://reg.test/a\"}", NULL},
        /* no JSON */
        {"{\"dist\":{\"tarball\":\"https://reg.te", NULL},
        {"}}]]]\"tarball\":\"https://reg.test/\"", NULL},
        {"\"dist\":\"tarball\":\"https://reg.test/", NULL},
        {"{\"dist\" \"tarball\" \"https://reg.test/\"}", NULL},
        {"\"\\u", NULL},
        {"\"\\uzzzz\\", NULL},
        {"", NULL},
    };
    expect(REWRITE_NPM, cases, COUNT(cases));
}

Test(rewrite, pep691)
{
    static const struct rewrite_case cases[] = {
        {"{\"files\":[{\"url\":\"https://reg.test/a\",\"hashes\":{\"sha256\":\"x\"}},"
         "{\"url\":\"//files.test/b\"}],\"url\":\"https://reg.test/c\"}",
         "{\"files\":[{\"url\":\"http://m/npm/a\",\"hashes\":{\"sha256\":\"x\"}},"
         "{\"url\":\"http://m/npm/_files/b\"}],\"url\":\"https://reg.test/c\"}"},
        {"{\"files\":{\"url\":\"https://reg.test/a\"}}", NULL},
        {"{\"files\":[[{\"url\":\"https://reg.test/a\"}]]}", NULL},
        {"{\"files\":[\"url\",\"https://reg.test/a\"]}", NULL},
    };
    expect(REWRITE_PIP_JSON, cases, COUNT(cases));
}

Test(rewrite, pep503)
{
    static const struct rewrite_case cases[] = {
        {"<a href=\"https://reg.test/x.whl#sha256=0\" data-x=\"1\">x.whl</a>",
         "<a href=\"http://m/npm/x.whl#sha256=0\" data-x=\"1\">x.whl</a>"},
        {"<A data-y='>' HREF = '/p/x'>", "<A data-y='>' HREF = 'http://m/npm/p/x'>"},
        {"<a href=https://reg.test/x>", "<a href=http://m/npm/x>"},
        {"<a href=/>x", "<a href=http://m/npm/>x"},
        {"<a\nhref=\"//files.test/x\"/>", "<a\nhref=\"http://m/npm/_files/x\"/>"},
        {"<base href='https://reg.test/'><a href='../x'>",
         "<base href='http://m/npm/'><a href='../x'>"},
        {"<!-- <a href=\"/x\"> --><a href=\"/y\">",
         "<!-- <a href=\"/x\"> --><a href=\"http://m/npm/y\">"},
        {"<!--><a href='/x'>--><a href='/y'>", "<!--><a href='/x'>--><a href='http://m/npm/y'>"},
        {"<!DOCTYPE html><a href='/x'>", "<!DOCTYPE html><a href='http://m/npm/x'>"},
        {"<<a href='/x'>", "<<a href='http://m/npm/x'>"},
        {"<a hidden href='/x'>", "<a hidden href='http://m/npm/x'>"},
        /* not what is meant */
        {"<a href=\"//other.test/x\">", NULL},
        {"<a href=\"x/\">", NULL},
        {"<a href=\"\">", NULL},
        {"<a href=>", NULL},
        {"<img href=\"/x\"><ab href='/x'><a hrefs='/x'><a xhref='/x'>", NULL},
        {"</a href='/x'>", NULL},
        {"a href='/x'", NULL},
        {"<a title=\"href='/x'\">", NULL},
        {"<a title=\"<a href='/x'>\">", NULL},
        {"< a href='/x'>", NULL},
        {"<a href='https://reg.te", NULL},
        {"<a href", NULL},
        {"<!-", NULL},
        {"", NULL},
    };
    expect(REWRITE_PIP_HTML, cases, COUNT(cases));
}

Test(rewrite, what_takes_too_long_to_tell_stays)
{
    struct buf in = BUF_INIT, out = BUF_INIT;

    buf_printf(&in, "{\"dist\":{\"tarball\":\"");
    for (int i = 0; i < 1000; i++) {
        buf_printf(&in, "\\u002f"); /* "/////…": only the first is of a prefix */
    }
    buf_printf(&in, "\"}}");
    rewrite(REWRITE_NPM, buf_span(&in), 7, &out);
    cr_expect(span_eq(span_take(buf_span(&out), 22), SPAN("{\"dist\":{\"tarball\":\"//")));
    buf_fini(&in);
    buf_fini(&out);
}

/* ---- as a source ---- */

struct stutter {
    struct source source;
    struct span rest;
    int err; /* at the end */
    bool again;
};

static int stutter_peek(struct source *source, struct span *out)
{
    struct stutter *stutter = (struct stutter *)source;

    stutter->again = !stutter->again;
    if (stutter->again) {
        return ERR_AGAIN;
    }
    *out = span_take(stutter->rest, 5);
    return stutter->rest.len ? 0 : stutter->err;
}

static void stutter_advance(struct source *source, size_t n)
{
    struct stutter *stutter = (struct stutter *)source;
    stutter->rest = span_skip(stutter->rest, n);
}

static void count_wake(void *arg)
{
    (*(int *)arg)++;
}

static int play(struct stutter *stutter, struct buf *out)
{
    struct rewrite_source *source = xmalloc(sizeof(*source));
    struct span bytes;
    int woken = 0, err;

    rewrite_source_init(source, &stutter->source, REWRITE_NPM, &links);
    source_on_wake(&source->source, count_wake, &woken);
    do {
        err = source_peek(&source->source, &bytes);
        if (err == ERR_AGAIN) {
            stutter->source.wake(stutter->source.wake_arg);
            continue;
        }
        size_t some = bytes.len > 3 ? 3 : bytes.len;
        buf_append(out, span_take(bytes, some));
        source_advance(&source->source, err ? 0 : some);
    } while (err == ERR_AGAIN || (err == 0 && bytes.len));
    cr_expect_gt(woken, 0);
    source_drop(&source->source);
    free(source);
    return err;
}

Test(rewrite_source, waits_ends_and_breaks_as_its_own_source_does)
{
    static const struct source_ops ops = {.peek = stutter_peek, .advance = stutter_advance};
    const struct span in = SPAN("{\"dist\":{\"tarball\":\"https://reg.test/a\"}}");

    for (int err = 0; err >= -1000; err -= 1000) {
        struct stutter stutter = {.source = {.ops = &ops}, .rest = in, .err = err};
        struct buf out = BUF_INIT;
        cr_expect_eq(play(&stutter, &out), err);
        cr_expect(span_eq(buf_span(&out), SPAN("{\"dist\":{\"tarball\":\"http://m/npm/a\"}}")));
        buf_fini(&out);
    }
}
