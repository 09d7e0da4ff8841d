/*
 * micro - one small thing of the hot path, many times over, for who counts instructions:
 *
 *     bench-micro DIRECTORY KIND COUNT        valgrind --tool=callgrind bench-micro DIR
 * parse-request 1000
 *
 * Instructions do not depend on the neighbours, so a change of a few percent is seen that no clock
 * would show; bench/instructions.py runs all kinds twice, with two counts, and divides the
 * difference. The requests are those of a browser, the response is one of a web site.
 */
#include "base/check.h"
#include "base/mem.h"
#include "cache/key.h"
#include "cache/policy.h"
#include "cache/store/store.h"
#include "http/h1_parse.h"
#include "http/h1_write.h"
#include "http/hostlist.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 16384, OBJECTS = 1000, NAMES = 100000, NOW = 1800000000 };

static const char request_text[] =
    "GET /assets/js/vendor/main-5d41402abc4b2a76.js?v=20261101 HTTP/1.1\r\n"
    "Host: static.example.net\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36\r\n"
    "Accept: */*\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Cache-Control: max-age=0\r\n"
    "If-None-Match: \"5d41402abc4b2a76b9719d911017c592\"\r\n"
    "Referer: http://www.example.net/some/page/of/usual/length\r\n"
    "Connection: keep-alive\r\n"
    "\r\n";

static const char response_text[] =
    "HTTP/1.1 200 OK\r\n"
    "Date: Fri, 15 Jan 2027 08:00:00 GMT\r\n"
    "Server: Apache/2.4.57 (Debian)\r\n"
    "Last-Modified: Thu, 14 Jan 2027 10:21:07 GMT\r\n"
    "ETag: \"5d41402abc4b2a76b9719d911017c592\"\r\n"
    "Cache-Control: public, max-age=86400, stale-while-revalidate=60\r\n"
    "Vary: Accept-Encoding\r\n"
    "Content-Type: text/javascript; charset=utf-8\r\n"
    "Content-Length: 48211\r\n"
    "X-Request-Id: 9c7f2d1e-6a53-4b0e-8e53-2f1c7a9a1b44\r\n"
    "\r\n";

static _Alignas(16) char room[ROOM];
static struct arena arena;
static const struct sip_key secret = {1, 2};

static void parse_request(struct http_head *head)
{
    struct h1_scan scan = {0};
    struct h1_error error;
    size_t used;

    CHECK(h1_parse_request(&scan, span_of(request_text, sizeof(request_text) - 1),
                           &h1_default_limits, &arena, head, &used, &error) == 0);
}

static void parse_response(struct http_head *head)
{
    struct h1_scan scan = {0};
    struct h1_error error;
    size_t used;

    CHECK(h1_parse_response(&scan, span_of(response_text, sizeof(response_text) - 1),
                            &h1_default_limits, METHOD_GET, &arena, head, &used, &error) == 0);
}

/* ---- kinds: each is prepared once, and then done so many times ---- */

static struct http_head request, response;
static struct freshness freshness;
static struct policy_request seen;
static struct uri uri;
static struct hostlist *list;
static struct store *store;
static uint64_t sum; /* of whatever comes out, so that nothing is left out */

static void prepare_heads(const char *dir)
{
    struct policy_times times = {NOW - 1, NOW};

    arena_init(&arena, NULL, 0);
    parse_request(&request);
    parse_response(&response);
    policy_read_request(&request, &policy_defaults, &seen);
    policy_freshness(&response, times, &policy_defaults, &freshness);
    CHECK(uri_parse(SPAN("http://static.example.net/assets/js/vendor/main.js?v=20261101"), &arena,
                    &uri) == 0);
    arena_init(&arena, room, sizeof(room)); /* what was read above stays to the end */
}

static void do_parse_request(size_t i)
{
    struct http_head head;

    parse_request(&head);
    sum += head.fields.count;
}

static void do_parse_response(size_t i)
{
    struct http_head head;

    parse_response(&head);
    sum += head.fields.count;
}

static void do_key(size_t i)
{
    struct cache_key key;

    key_primary(&uri, SPAN(""), &secret, &arena, &key);
    sum += key.hash[0];
}

static void do_store_policy(size_t i)
{
    struct policy_times times = {NOW - 1, NOW + (int64_t)i % 2};
    struct freshness fresh;

    policy_freshness(&response, times, &policy_defaults, &fresh);
    sum += policy_may_store(&request, &response, &fresh, &policy_defaults);
}

static void do_reuse_policy(size_t i)
{
    struct policy_request read;
    enum reason reason;

    policy_read_request(&request, &policy_defaults, &read);
    sum += policy_reuse(&read, &freshness, NOW + (int64_t)i % 1000, &reason);
}

static void complain(void *arg, size_t line, struct span text, const char *what)
{
    fprintf(stderr, "line %zu: %s\n", line, what);
}

static void prepare_list(const char *dir)
{
    struct buf text = BUF_INIT;

    list = hostlist_new(&secret);
    for (size_t i = 0; i < NAMES; i++) {
        buf_printf(&text, "ads-%zx.net-%zu.example\n", i * 2654435761u, i % 4999);
    }
    hostlist_add_lines(list, buf_span(&text), complain, NULL);
    hostlist_finish(list);
    buf_fini(&text);
}

static void do_list(size_t i)
{
    sum += hostlist_has(list,
                        i % 2 ? SPAN("www.static.example.net") : SPAN("cdn.ads-0.net-0.example"));
}

static struct span key_of(char key[80], size_t i)
{
    return span_of(key, (size_t)snprintf(key, 80, "http://www.example.net:80/some/path/%04zu", i));
}

static char keys[OBJECTS][80];
static uint8_t hashes[OBJECTS][STORE_HASH];

static void prepare_store(const char *dir)
{
    struct store_options options = {.path = dir, .size = 256u << 20, .dirty_limit = 64u << 20};
    static const char head[300], body[2000];

    CHECK(store_open(&options, &store) == 0);
    for (size_t i = 0; i < OBJECTS; i++) {
        struct store_piece piece = {.bytes = span_of(body, sizeof(body))};
        struct store_put *under_way;
        struct span key = key_of(keys[i], i);
        sip_hash128(store_secret(store), key, hashes[i]);
        while (store_put_begin(store, hashes[i], key, &under_way) != 0) {
            usleep(1000);
        }
        store_put_finish(under_way, span_of(head, sizeof(head)), keys[i], 48, sizeof(body), &piece,
                         1, NULL, NULL);
    }
    store_flush(store);
    for (size_t i = 0; i < OBJECTS; i++) { /* the first time each is summed up */
        struct store_object object;
        CHECK(store_find(store, hashes[i], span_str(keys[i]), &object) == 0);
        store_object_done(store, &object);
    }
}

static void do_find(size_t i)
{
    struct store_object object;
    size_t n = i * 7919 % OBJECTS;

    CHECK(store_find_now(store, hashes[n], span_str(keys[n]), NULL, &object) == 0);
    sum += object.body_len;
    store_object_done(store, &object);
}

static const struct kind {
    const char *name;
    void (*prepare)(const char *dir);
    void (*call)(size_t i);
} kinds[] = {
    {"parse-request", prepare_heads, do_parse_request},
    {"parse-response", prepare_heads, do_parse_response},
    {"key", prepare_heads, do_key},
    {"policy-store", prepare_heads, do_store_policy},
    {"policy-reuse", prepare_heads, do_reuse_policy},
    {"host-list", prepare_list, do_list},
    {"store-find", prepare_store, do_find},
};

static int usage(void)
{
    fprintf(stderr, "usage: bench-micro DIRECTORY KIND COUNT\nkinds:");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        fprintf(stderr, " %s", kinds[i].name);
    }
    fprintf(stderr, "\n");
    return 2;
}

int main(int argc, char **argv)
{
    uint64_t count;

    if (argc != 4 || !span_to_u64(span_str(argv[3]), 1000000000, &count)) {
        return usage();
    }
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        if (strcmp(kinds[k].name, argv[2]) != 0) {
            continue;
        }
        kinds[k].prepare(argv[1]);
        for (size_t i = 0; i < count; i++) {
            kinds[k].call(i);
            arena_reset(&arena);
        }
        printf("%s: %llu times (%llx)\n", argv[2], (unsigned long long)count,
               (unsigned long long)sum);
        if (store) {
            store_close(&store);
        }
        return 0;
    }
    return usage();
}
