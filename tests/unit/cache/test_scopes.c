#include "cache/scopes.h"

#include "base/err.h"
#include "base/siphash.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static uint64_t salt(struct scopes *scopes, const char *url, struct arena *arena)
{
    struct uri uri;

    cr_assert_eq(uri_parse(span_str(url), arena, &uri), 0, "%s", url);
    return scopes_salt(scopes, &uri, SPAN("forward"), arena);
}

static struct span place(const char *url, struct arena *arena)
{
    struct uri uri;

    cr_assert_eq(uri_parse(span_str(url), arena, &uri), 0, "%s", url);
    return scope_place(&uri, SPAN("forward"), arena);
}

Test(scopes, a_place_begins_with_its_host_and_ends_with_its_path)
{
    struct arena arena;
    struct uri uri;

    arena_init(&arena, NULL, 0);
    cr_expect(
        span_eq(place("http://A.example/x?y=1", &arena), SPAN("a.example http:80 forward /x?y=1")));
    cr_expect(span_eq(place("https://[::1]:8443/", &arena), SPAN("::1 https:8443 forward /")));
    cr_assert_eq(uri_parse(SPAN("http://a.example/"), &arena, &uri), 0);
    cr_expect(span_eq(scope_host(&uri, &arena), SPAN("a.example ")));
    arena_fini(&arena);
}

Test(scopes, only_what_is_inside_gets_another_salt)
{
    struct scopes *scopes = scopes_new();
    struct arena arena;

    arena_init(&arena, NULL, 0);
    cr_expect_eq(salt(scopes, "http://a/img/x", &arena), 0, "nothing was purged");
    cr_assert_eq(scopes_purge(scopes, place("http://a/img/", &arena)), 0);
    uint64_t first = salt(scopes, "http://a/img/x", &arena);
    cr_expect_neq(first, 0);
    cr_expect_eq(salt(scopes, "http://a/img/", &arena), first);
    static const char *const others[] = {"http://a/img",   "http://a/imh/x",  "http://a/",
                                         "http://b/img/x", "https://a/img/x", "http://a:81/img/x"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        cr_expect_eq(salt(scopes, others[i], &arena), 0, "%s", others[i]);
    }
    cr_assert_eq(scopes_purge(scopes, place("http://a/img/", &arena)), 0);
    cr_expect_neq(salt(scopes, "http://a/img/x", &arena), first, "once more is another time");
    scopes_free(&scopes);
    arena_fini(&arena);
}

Test(scopes, a_host_is_no_beginning_of_another)
{
    struct scopes *scopes = scopes_new();
    struct arena arena;

    arena_init(&arena, NULL, 0);
    cr_assert_eq(scopes_purge(scopes, SPAN("a.example ")), 0);
    cr_expect_neq(salt(scopes, "http://a.example/x", &arena), 0);
    cr_expect_neq(salt(scopes, "https://a.example:8443/", &arena), 0);
    cr_expect_eq(salt(scopes, "http://a.example.net/x", &arena), 0);
    cr_expect_eq(salt(scopes, "http://b.a.example/x", &arena), 0);
    cr_assert_eq(scopes_purge(scopes, SPAN_EMPTY), 0);
    cr_expect_neq(salt(scopes, "http://b.a.example/x", &arena), 0, "everything");
    scopes_free(&scopes);
    arena_fini(&arena);
}

/* ---- against a model ---- */

enum { NAMES = 40, STEPS = 400 };

/* Short texts of two letters: many begin with others. */
static void random_path(unsigned *seed, char out[8])
{
    size_t len = (size_t)(rand_r(seed) % 6);

    for (size_t i = 0; i < len; i++) {
        out[i] = "ab"[rand_r(seed) % 2];
    }
    out[len] = '\0';
}

Test(scopes, each_purge_moves_what_begins_so_to_where_it_never_was)
{
    unsigned seed = 1;
    struct scopes *scopes = scopes_new();
    static uint64_t was[NAMES][STEPS + 1];
    static size_t times[NAMES];
    char names[NAMES][8];
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < NAMES; i++) {
        random_path(&seed, names[i]);
        times[i] = 1;
    }
    for (int step = 0; step < STEPS; step++) {
        char purged[8];
        random_path(&seed, purged);
        const char *of = arena_printf(&arena, "http://h/%s%c", purged, 0).at;
        cr_assert_eq(scopes_purge(scopes, place(of, &arena)), 0);
        for (size_t i = 0; i < NAMES; i++) {
            uint64_t now =
                salt(scopes, arena_printf(&arena, "http://h/%s%c", names[i], 0).at, &arena);
            uint64_t last = was[i][times[i] - 1];
            if (!span_starts(span_str(names[i]), span_str(purged))) {
                cr_assert_eq(now, last, "%s is not below %s", names[i], purged);
                continue;
            }
            for (size_t k = 0; k < times[i]; k++) {
                cr_assert_neq(now, was[i][k], "%s was purged with %s", names[i], purged);
            }
            was[i][times[i]++] = now;
        }
        arena_reset(&arena);
    }
    scopes_free(&scopes);
    arena_fini(&arena);
}

/* ---- bounds ---- */

Test(scopes, there_are_so_many_and_a_larger_one_takes_the_place_of_those_inside_it)
{
    struct scopes *scopes = scopes_new();
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (int i = 0; i < SCOPES_MAX; i++) {
        cr_assert_eq(scopes_purge(scopes, arena_printf(&arena, "h%d /%d/", i % 2, i)), 0);
    }
    cr_expect_eq(scopes_serial(scopes), SCOPES_MAX);
    cr_expect_eq(scopes_purge(scopes, SPAN("h2 ")), ERR_FULL);
    cr_expect_eq(scopes_purge(scopes, SPAN("h1 /1/")), 0, "one that there is already");
    cr_expect_eq(scopes_purge(scopes, SPAN("h1 ")), 0);
    cr_expect_eq(scopes_purge(scopes, SPAN("h2 ")), 0);
    char *large = calloc(1, SCOPE_TEXT_MAX + 1);
    cr_expect_eq(scopes_purge(scopes, span_of(large, SCOPE_TEXT_MAX + 1)), ERR_TOO_LARGE);
    free(large);
    scopes_free(&scopes);
    arena_fini(&arena);
}

/* ---- as bytes ---- */

Test(scopes, they_come_back_from_their_bytes)
{
    struct scopes *scopes = scopes_new(), *again = scopes_new();
    static const char *const purged[] = {"http://a/x/", "http://a/", "http://b/x", "http://a/x/y/"};
    struct buf bytes = BUF_INIT;
    struct arena arena;
    bool agree;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(scopes_purge(scopes, place(purged[i], &arena)), 0);
    }
    scopes_encode(scopes, &bytes);
    cr_assert_eq(scopes_decode(again, buf_span(&bytes), &agree), 0);
    cr_expect(agree && scopes_serial(again) == 4);
    for (size_t i = 0; i < 4; i++) {
        cr_expect_eq(salt(again, purged[i], &arena), salt(scopes, purged[i], &arena));
    }
    cr_assert_eq(scopes_purge(again, SPAN_EMPTY), 0);
    uint64_t newer = salt(again, purged[0], &arena);
    cr_assert_eq(scopes_decode(again, buf_span(&bytes), &agree), 0);
    cr_expect(agree && scopes_serial(again) == 5);
    cr_expect_eq(salt(again, purged[0], &arena), newer, "what is older changes nothing");
    buf_fini(&bytes);
    scopes_free(&scopes);
    scopes_free(&again);
    arena_fini(&arena);
}

Test(scopes, what_came_since_is_purged_once_more)
{
    struct scopes *older = scopes_new(), *newer = scopes_new();
    struct buf bytes = BUF_INIT, before = BUF_INIT;
    struct arena arena;
    bool agree;

    arena_init(&arena, NULL, 0);
    cr_assert_eq(scopes_purge(older, SPAN("a ")), 0);
    cr_assert_eq(scopes_purge(older, SPAN("b ")), 0);
    scopes_encode(older, &bytes);
    cr_assert_eq(scopes_decode(newer, buf_span(&bytes), &agree), 0);
    scopes_encode(newer, &before);
    scopes_renew(newer, buf_span(&before));
    cr_expect_eq(scopes_serial(newer), 2, "nothing came since");
    cr_assert_eq(scopes_purge(older, SPAN("b ")), 0);
    cr_assert_eq(scopes_purge(older, SPAN("c ")), 0);
    buf_clear(&bytes);
    scopes_encode(older, &bytes);
    cr_assert_eq(scopes_decode(newer, buf_span(&bytes), &agree), 0);
    scopes_renew(newer, buf_span(&before));
    cr_expect_eq(scopes_serial(newer), 5);
    cr_expect_eq(salt(newer, "http://a/", &arena), salt(older, "http://a/", &arena));
    cr_expect_neq(salt(newer, "http://b/", &arena), salt(older, "http://b/", &arena));
    cr_expect_neq(salt(newer, "http://c/", &arena), salt(older, "http://c/", &arena));
    cr_expect_neq(salt(newer, "http://c/", &arena), 0);
    buf_fini(&bytes);
    buf_fini(&before);
    scopes_free(&older);
    scopes_free(&newer);
    arena_fini(&arena);
}

Test(scopes, nothing_at_all_came_since)
{
    struct scopes *scopes = scopes_new();
    struct buf before = BUF_INIT;

    scopes_encode(scopes, &before);
    scopes_renew(scopes, buf_span(&before));
    cr_expect_eq(scopes_serial(scopes), 0);
    cr_assert_eq(scopes_purge(scopes, SPAN("a ")), 0);
    scopes_renew(scopes, buf_span(&before));
    cr_expect_eq(scopes_serial(scopes), 2, "before there was none");
    buf_fini(&before);
    scopes_free(&scopes);
}

/* After these, ended by NULL. */
static struct scopes *purged_by(struct buf *from, const char *const *texts)
{
    struct scopes *scopes = scopes_new();
    bool agree;

    if (buf_len(from) > 0) {
        cr_assert_eq(scopes_decode(scopes, buf_span(from), &agree), 0);
    }
    for (; *texts; texts++) {
        cr_assert_eq(scopes_purge(scopes, span_str(*texts)), 0);
    }
    return scopes;
}

Test(scopes, those_that_have_gone_apart_are_told)
{
    static const struct {
        const char *one[4], *other[4]; /* purged after they were the same */
        bool agree;
    } cases[] = {
        {{NULL}, {NULL}, true},
        {{"a "}, {NULL}, true},
        {{"x ", "x ", "z "}, {NULL}, true},
        {{""}, {NULL}, true},
        {{"x http:80 t /a/", ""}, {NULL}, true},
        {{"a "}, {"b "}, false},
        {{"a "}, {"a "}, false},
        {{""}, {""}, false},
        {{"a ", "b "}, {"c "}, false},
        {{"x ", "b "}, {"c "}, false},
        {{"a ", "b ", "c "}, {"x "}, false},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf bytes = BUF_INIT;
        bool agree, turned = i % 2;
        struct scopes *before =
            purged_by(&bytes, (const char *[]){"x http:80 t /a/", "x http:80 t /b/", "y ", NULL});
        scopes_encode(before, &bytes);
        struct scopes *one = purged_by(&bytes, turned ? cases[i / 2].other : cases[i / 2].one);
        struct scopes *other = purged_by(&bytes, turned ? cases[i / 2].one : cases[i / 2].other);
        uint64_t serial = scopes_serial(one), second = scopes_serial(other);
        uint64_t latest = serial > second ? serial : second;
        uint64_t salts[] = {salt(one, "http://n/", &arena), salt(other, "http://n/", &arena)};
        buf_clear(&bytes);
        scopes_encode(other, &bytes);
        cr_assert_eq(scopes_decode(one, buf_span(&bytes), &agree), 0);
        cr_expect_eq(agree, cases[i / 2].agree, "case %zu", i);
        cr_expect_eq(scopes_serial(one), latest + !cases[i / 2].agree, "case %zu", i);
        uint64_t now = salt(one, "http://n/", &arena);
        cr_expect(agree || (now != salts[0] && now != salts[1]), "everything, case %zu", i);
        cr_assert_eq(scopes_decode(one, buf_span(&bytes), &agree), 0);
        cr_expect(agree, "now it is the later one, case %zu", i);
        buf_fini(&bytes);
        scopes_free(&before);
        scopes_free(&one);
        scopes_free(&other);
    }
    arena_fini(&arena);
}

Test(scopes, what_was_not_written_so_is_not_read)
{
    struct scopes *scopes = scopes_new(), *again = scopes_new();
    struct buf bytes = BUF_INIT;
    bool agree;

    cr_assert_eq(scopes_purge(scopes, SPAN("a ")), 0);
    cr_assert_eq(scopes_purge(scopes, SPAN("b ")), 0);
    scopes_encode(scopes, &bytes);
    for (size_t len = 0; len < buf_len(&bytes); len++) {
        cr_expect_eq(scopes_decode(again, span_take(buf_span(&bytes), len), &agree), ERR_CORRUPT);
    }
    for (size_t bit = 0; bit < 8 * buf_len(&bytes); bit++) {
        bytes.data[bytes.start + bit / 8] ^= (char)(1 << bit % 8);
        cr_expect_eq(scopes_decode(again, buf_span(&bytes), &agree), ERR_CORRUPT, "bit %zu", bit);
        bytes.data[bytes.start + bit / 8] ^= (char)(1 << bit % 8);
    }
    cr_expect_eq(scopes_serial(again), 0, "nothing has changed");
    buf_fini(&bytes);
    scopes_free(&scopes);
    scopes_free(&again);
}

/* One that was written wrongly has the right sum. */
static void sum_again(struct buf *bytes)
{
    static const struct sip_key key = {UINT64_C(0x6c6172646572), 1};
    uint64_t sum = sip_hash64(&key, span_skip(buf_span(bytes), 8));

    memcpy(bytes->data + bytes->start, &sum, sizeof(sum));
}

Test(scopes, rows_that_do_not_add_up_are_not_read)
{
    static const struct {
        const char *what;
        size_t at, len; /* what is overwritten */
        uint64_t value;
        int err;
    } cases[] = {
        {"nothing", 24, 8, 5, 0},
        {"another format", 8, 4, 2, ERR_CORRUPT},
        {"no rows", 12, 4, 0, ERR_CORRUPT},
        {"a row less", 12, 4, 1, ERR_CORRUPT},
        {"a row more", 12, 4, 3, ERR_CORRUPT},
        {"too many rows", 12, 4, SCOPES_MAX + 1, ERR_CORRUPT},
        {"never purged", 16, 8, 0, ERR_CORRUPT},
        {"the last serial there is", 16, 8, UINT64_MAX, ERR_CORRUPT},
        {"a text longer than the rest", 32, 8, 100, ERR_CORRUPT},
        {"a text longer than any", 32, 8, UINT64_MAX, ERR_CORRUPT},
        {"out of order", 40, 1, 'c', ERR_CORRUPT},
        {"twice the same", 40, 1, 'b', ERR_CORRUPT},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scopes *scopes = scopes_new(), *again = scopes_new();
        struct buf bytes = BUF_INIT;
        bool agree;
        cr_assert_eq(scopes_purge(scopes, SPAN("a ")), 0);
        cr_assert_eq(scopes_purge(scopes, SPAN("b ")), 0);
        scopes_encode(scopes, &bytes);
        memcpy(bytes.data + bytes.start + cases[i].at, &cases[i].value, cases[i].len);
        sum_again(&bytes);
        cr_expect_eq(scopes_decode(again, buf_span(&bytes), &agree), cases[i].err, "%s",
                     cases[i].what);
        buf_fini(&bytes);
        scopes_free(&scopes);
        scopes_free(&again);
    }
}
