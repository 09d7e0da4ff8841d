#include "proxy/mirror/challenge.h"
#include "proxy/mirror/counts.h"
#include "proxy/mirror/digest.h"
#include "proxy/mirror/token.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* Gives `text` in steps; what has gone on before the end in *out, what came with it in *last. */
static bool run(const char *hex, const char *text, size_t step, char *out, struct span *last)
{
    struct digest *digest = digest_new(span_str(hex));
    struct span rest = span_str(text), parts[2];

    *out = '\0';
    while (rest.len) {
        digest_take(digest, span_take(rest, step), parts);
        strncat(out, parts[0].len ? parts[0].at : "", parts[0].len);
        strncat(out, parts[1].len ? parts[1].at : "", parts[1].len);
        rest = span_skip(rest, step);
    }
    bool right = digest_ends(digest, last);
    strncat(out, last->len ? last->at : "", last->len);
    digest_free(&digest);
    *last = SPAN_EMPTY;
    return right;
}

Test(mirror_digest, the_last_byte_waits_for_the_digest)
{
    for (size_t step = 1; step <= 4; step++) {
        struct span last;
        char out[16];
        cr_expect(run(ABC, "abc", step, out, &last));
        cr_expect_str_eq(out, "abc", "in steps of %zu", step);
        cr_expect(!run(NOTHING, "abc", step, out, &last));
        cr_expect_str_eq(out, "ab", "in steps of %zu", step);
    }
}

Test(mirror_digest, nothing_has_a_digest_too)
{
    struct span last;
    char out[16];

    cr_expect(run(NOTHING, "", 1, out, &last));
    cr_expect(!run(ABC, "", 1, out, &last));
}

Test(mirror_challenge, where_tokens_are_given)
{
    static const struct {
        const char *value, *url; /* NULL: nowhere */
    } cases[] = {
        {"Bearer realm=\"https://auth.test/token\",service=\"r\",scope=\"repository:a/b:pull\"",
         "https://auth.test/token?service=r&scope=repository:a/b:pull"},
        {"bearer  realm = \"https://auth.test/\" , scope=\"a b\"",
         "https://auth.test/?scope=a%20b"},
        {"Bearer service=\"\\\"x&y=z#\",realm=\"https://auth.test/t?a=b\"",
         "https://auth.test/t?a=b&service=%22x%26y%3Dz%23"},
        {"Basic realm=\"x\", Bearer realm=\"https://auth.test/token\",service=\"a, b\"",
         "https://auth.test/token?service=a,%20b"},
        {"Negotiate YWJj==, Bearer realm=\"https://auth.test/token\", Digest nonce=\"1\"",
         "https://auth.test/token"},
        {"Bearer realm=\"https://auth.test/token\", Basic realm=\"https://x.test/\"",
         "https://auth.test/token"},
        {", ,Basic ,Bearer realm=\"https://auth.test/token\",", "https://auth.test/token"},
        {"Bearer realm=\"https://a/\", \"", NULL},
        {"Bearer realm=\"https://a/\" x, Basic", NULL},
        {"Basic, realm=\"https://a/\"", NULL},
        {"Bearer realm=https", NULL},
        {"Bearer realm=\"https://auth.test/token", NULL},
        {"Bearer realm=\"https://user@auth.test/token\"", NULL},
        {"Bearer realm=\"/token\"", NULL},
        {"Bearer realm=\"file:///etc/passwd\"", NULL},
        {"Bearer realm=\"https://a/\" service=\"x\"", NULL},
        {"Bearer", NULL},
        {"Bearer =\"x\"", NULL},
        {"Bearer realm=\"\\", NULL},
        {"Basic realm=\"https://auth.test/token\"", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_fields fields;
        struct arena arena;
        struct uri url;
        arena_init(&arena, NULL, 0);
        fields_init(&fields, &arena, 1);
        fields_add(&fields, SPAN("www-authenticate"), span_str(cases[i].value));
        bool found = challenge_read(&fields, &arena, &url);
        cr_assert_eq(found, cases[i].url != NULL, "%s", cases[i].value);
        if (found) {
            struct span text = uri_display(&url, &arena);
            cr_expect(span_eq(text, span_str(cases[i].url)), "%.*s", SPAN_ARGS(text));
        }
        arena_fini(&arena);
    }
}

/* As much as a head may have, all of it quotes: no more memory than it is long. */
Test(mirror_challenge, what_is_long_takes_no_more_than_its_length)
{
    static char first[64 * 1024];
    struct buf line = BUF_INIT;
    struct http_fields fields;
    struct arena arena;
    struct uri url;

    buf_printf(&line, "Bearer realm=\"https://auth.test/token\"");
    for (int i = 0; i < 24; i++) {
        buf_printf(&line, ",x=\"%01000d\"", i);
    }
    for (int round = 0; round < 2; round++) {
        arena_init(&arena, first, sizeof(first));
        fields_init(&fields, &arena, 1);
        fields_add(&fields, SPAN("WWW-Authenticate"), buf_span(&line));
        cr_expect_eq(challenge_read(&fields, &arena, &url), round == 0);
        char *last = arena_alloc(&arena, 1);
        cr_expect(last >= first && last < first + sizeof(first), "all in the first piece");
        arena_fini(&arena);
        for (int i = 0; i < 4000; i++) {
            buf_printf(&line, ",x=\"\"");
        }
    }
    buf_fini(&line);
}

Test(mirror_challenge, tokens)
{
    static const struct {
        const char *answer, *token; /* NULL: none */
        int64_t seconds;
    } cases[] = {
        {"{\"token\":\"a.b-c_d~e+f/g=\",\"expires_in\":300}", "a.b-c_d~e+f/g=", 300},
        {"{\"access_token\":\"x\"}", "x", 60},
        {"{\"token\":\"x\",\"access_token\":\"y\",\"expires_in\":-1}", "x", 0},
        {"{\"token\":\"x\",\"expires_in\":99999999}", "x", 3600},
        {"{\"token\":\"x\\r\\nEvil: y\"}", NULL, 0},
        {"{\"token\":\"x y\"}", NULL, 0},
        {"{\"token\":\"\"}", NULL, 0},
        {"{\"token\":1}", NULL, 0},
        {"[\"token\"]", NULL, 0},
        {"{\"token\":\"x\"", NULL, 0},
        {"", NULL, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span token;
        int64_t seconds;
        struct arena arena;
        arena_init(&arena, NULL, 0);
        bool found = token_read(span_str(cases[i].answer), &arena, &token, &seconds);
        cr_assert_eq(found, cases[i].token != NULL, "%s", cases[i].answer);
        if (found) {
            cr_expect(span_eq(token, span_str(cases[i].token)));
            cr_expect_eq(seconds, cases[i].seconds, "%s", cases[i].answer);
        }
        arena_fini(&arena);
    }
}

Test(mirror_token, kept_until_they_expire_and_the_oldest_goes_first)
{
    struct tokens *tokens = tokens_new();
    char name[16];

    tokens_keep(tokens, SPAN("a"), SPAN("1"), 100);
    cr_expect(span_eq(tokens_find(tokens, SPAN("a"), 99), SPAN("1")));
    cr_expect_eq(tokens_find(tokens, SPAN("a"), 100).len, 0);
    cr_expect_eq(tokens_find(tokens, SPAN("b"), 1).len, 0);
    tokens_keep(tokens, SPAN("a"), SPAN("22"), 200);
    cr_expect(span_eq(tokens_find(tokens, SPAN("a"), 150), SPAN("22")));
    tokens_drop(tokens, SPAN("a"));
    cr_expect_eq(tokens_find(tokens, SPAN("a"), 150).len, 0);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "repository %d", i);
        tokens_keep(tokens, span_str(name), span_str(name), 100);
    }
    cr_expect_eq(tokens_find(tokens, SPAN("repository 1"), 1).len, 0);
    cr_expect(span_eq(tokens_find(tokens, SPAN("repository 99"), 1), SPAN("repository 99")));
    tokens_free(&tokens);
    tokens_free(&tokens);
}

Test(mirror_counts, by_path_and_over_workers)
{
    static struct mirror_counts one, two;
    const struct mirror_counts *workers[] = {&one, &two};
    struct buf out = BUF_INIT;
    char path[16];

    mirror_counts_add(&one, SPAN("/a/"), true, 10);
    mirror_counts_add(&two, SPAN("/b/"), false, 20);
    mirror_counts_add(&two, SPAN("/a/"), false, 30);
    mirror_counts_write(workers, 2, &out);
    buf_append(&out, SPAN("\0"));
    cr_expect(strstr(out.data, "larder_mirror_requests_total{mirror=\"/a/\"} 2\n"));
    cr_expect(strstr(out.data, "larder_mirror_requests_total{mirror=\"/b/\"} 1\n"));
    cr_expect(strstr(out.data, "larder_mirror_hits_total{mirror=\"/a/\"} 1\n"));
    cr_expect(strstr(out.data, "larder_mirror_sent_bytes_total{mirror=\"/a/\"} 40\n"));
    cr_expect(strstr(out.data, "larder_mirror_hit_sent_bytes_total{mirror=\"/a/\"} 10\n"));
    cr_expect(strstr(out.data, "larder_mirror_hit_sent_bytes_total{mirror=\"/b/\"} 0\n"));
    struct mirror_sum sum = mirror_counts_sum(workers, 2, SPAN("/a/"));
    cr_expect(sum.requests == 2 && sum.hits == 1 && sum.sent_bytes == 40);
    cr_expect_eq(mirror_counts_sum(workers, 2, SPAN("/never/")).requests, 0);
    for (int i = 0; i < 100; i++) {
        snprintf(path, sizeof(path), "/%d/", i);
        mirror_counts_add(&one, span_str(path), true, 1);
    }
    cr_expect_eq(one.count, MIRROR_COUNTS_MAX);
    buf_fini(&out);
}
