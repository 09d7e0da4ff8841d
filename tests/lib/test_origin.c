#include "base/check.h"
#include "base/mem.h"
#include "tests/lib/client.h"
#include "tests/lib/content.h"
#include "tests/lib/origin.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

/* An origin and an open connection to it. */
struct pair {
    struct origin *origin;
    struct client client;
};

static void open_pair(struct pair *pair)
{
    pair->origin = origin_start("127.0.0.1:0", NULL);
    cr_assert_not_null(pair->origin);
    cr_assert(client_open(&pair->client, origin_port(pair->origin)));
}

static void close_pair(struct pair *pair)
{
    client_close(&pair->client);
    origin_stop(&pair->origin);
    cr_expect_null(pair->origin);
}

static enum client_outcome ask(struct pair *pair, const char *method, const char *path,
                               const char *lines, struct client_response *response)
{
    client_sendf(&pair->client, "%s %s HTTP/1.1\r\nHost: o\r\n%s\r\n", method, path,
                 lines ? lines : "");
    return client_read(&pair->client, method, CLIENT_MS, response);
}

static bool skip_head(struct client *client)
{
    char last[4] = {0};

    while (memcmp(last, "\r\n\r\n", 4) != 0) {
        memmove(last, last + 1, 3);
        if (!client_read_exactly(client, last + 3, 1, CLIENT_MS)) {
            return false;
        }
    }
    return true;
}

static void expect_content(const struct client_response *response, const char *path,
                           uint64_t version, uint64_t offset, uint64_t size)
{
    uint64_t seed = content_seed(span_str(path), version);

    cr_expect_eq(response->body_len, size);
    cr_expect_eq(content_compare(seed, offset, span_of(response->body, response->body_len)), size);
}

Test(content, any_part_is_part_of_the_whole)
{
    char whole[300];
    uint64_t seed = content_seed(SPAN("/a"), 0);

    content_fill(seed, 0, whole, sizeof(whole));
    for (size_t at = 0; at < sizeof(whole); at += 7) {
        char part[100];
        size_t len = sizeof(whole) - at < sizeof(part) ? sizeof(whole) - at : sizeof(part);
        content_fill(seed, at, part, len);
        cr_expect_arr_eq(part, whole + at, len);
        cr_expect_eq(content_compare(seed, at, span_of(part, len)), len);
    }
    whole[280] = (char)(whole[280] ^ 1);
    cr_expect_eq(content_compare(seed, 0, span_of(whole, sizeof(whole))), 280);
    cr_expect_neq(content_seed(SPAN("/a"), 0), content_seed(SPAN("/a"), 1));
    cr_expect_neq(content_seed(SPAN("/a"), 0), content_seed(SPAN("/b"), 0));
}

Test(origin, framings_and_sizes_on_one_connection)
{
    struct pair pair;
    static const struct {
        const char *path;
        struct origin_reply reply;
    } cases[] = {
        {"/empty", {.size = 0}},
        {"/small", {.size = 10}},
        {"/large", {.size = 300000}},
        {"/empty-chunked", {.size = 0, .chunked = true}},
        {"/chunked", {.size = 1000, .chunked = true, .piece = 7, .trailers = "X: y\r\n"}},
        {"/large-chunked", {.size = 300000, .chunked = true}},
        {"/pieces", {.size = 1000, .piece = 100, .piece_delay_ms = 1}},
        {"/version", {.size = 50, .version = 3}},
    };

    open_pair(&pair);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct client_response response;
        origin_set(pair.origin, cases[i].path, &cases[i].reply);
        cr_expect_eq(ask(&pair, "GET", cases[i].path, NULL, &response), CLIENT_OK, "%s",
                     cases[i].path);
        cr_expect_eq(response.status, 200);
        cr_expect_eq(response.chunked, cases[i].reply.chunked);
        cr_expect_eq(response.trailers != NULL, cases[i].reply.trailers != NULL);
        expect_content(&response, cases[i].path, cases[i].reply.version, 0, cases[i].reply.size);
        client_response_fini(&response);
        cr_expect_eq(ask(&pair, "HEAD", cases[i].path, NULL, &response), CLIENT_OK);
        cr_expect_eq(response.body_len, 0);
        client_response_fini(&response);
        cr_expect_eq(origin_count(pair.origin, cases[i].path), 2);
    }
    cr_expect_eq(origin_connections(pair.origin), 1);
    cr_expect_eq(origin_bytes(pair.origin), 10 + 300000 + 1000 + 300000 + 1000 + 50);
    close_pair(&pair);
}

Test(origin, conditions_and_ranges)
{
    struct pair pair;
    struct origin_reply reply = {.size = 1000,
                                 .etag = "\"one\"",
                                 .last_modified = "Sun, 06 Nov 1994 08:49:37 GMT",
                                 .headers = "Cache-Control: max-age=5\r\n",
                                 .ranges = true};
    static const struct {
        const char *lines;
        int status;
        uint64_t offset, size;
    } cases[] = {
        {"", 200, 0, 1000},
        {"If-None-Match: \"one\"\r\n", 304, 0, 0},
        {"If-None-Match: \"two\", W/\"one\"\r\n", 304, 0, 0},
        {"If-None-Match: *\r\n", 304, 0, 0},
        {"If-None-Match: \"two\"\r\n", 200, 0, 1000},
        {"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 304, 0, 0},
        {"If-None-Match: \"two\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 200, 0,
         1000},
        {"Range: bytes=10-19\r\n", 206, 10, 10},
        {"Range: bytes=990-\r\n", 206, 990, 10},
        {"Range: bytes=990-5000\r\n", 206, 990, 10},
        {"Range: bytes=-5\r\n", 206, 995, 5},
        {"Range: bytes=1000-\r\n", 416, 0, 0},
        {"Range: bytes=5-2\r\n", 200, 0, 1000},
        {"Range: bytes=0-1,3-4\r\n", 200, 0, 1000},
        {"Range: bytes=0-0\r\nIf-Range: \"one\"\r\n", 206, 0, 1},
        {"Range: bytes=0-0\r\nIf-Range: \"two\"\r\n", 200, 0, 1000},
    };

    open_pair(&pair);
    origin_set(pair.origin, "/r", &reply);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct client_response response;
        cr_expect_eq(ask(&pair, "GET", "/r", cases[i].lines, &response), CLIENT_OK);
        cr_expect_eq(response.status, cases[i].status, "%s", cases[i].lines);
        expect_content(&response, "/r", 0, cases[i].offset, cases[i].size);
        cr_expect(client_field_has(&response, "cache-control", "max-age=5"));
        client_response_fini(&response);
    }
    close_pair(&pair);
}

Test(origin, broken_answers_are_seen_as_broken)
{
    struct pair pair;
    static const struct {
        const char *path;
        struct origin_reply reply;
        enum client_outcome want;
    } cases[] = {
        {"/cut", {.size = 1000, .cut = true, .cut_after = 10}, CLIENT_TRUNCATED},
        {"/cut0", {.size = 1000, .cut = true}, CLIENT_TRUNCATED},
        {"/cut-chunked",
         {.size = 1000, .chunked = true, .cut = true, .cut_after = 10},
         CLIENT_TRUNCATED},
        {"/reset", {.size = 1000, .cut = true, .cut_after = 10, .reset = true}, CLIENT_RESET},
        {"/hang-up", {.hang_up = true}, CLIENT_CLOSED},
        {"/raw", {.raw = "HTTP/1.1 200 OK\nContent-Length: 0\n\r\n\r\n"}, CLIENT_MALFORMED},
        {"/both",
         {.raw = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"},
         CLIENT_MALFORMED},
        {"/space", {.raw = "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx"}, CLIENT_MALFORMED},
        {"/half", {.raw = "HTTP/1.1 200 O"}, CLIENT_TRUNCATED},
        {"/close", {.size = 5, .close = true}, CLIENT_OK},
        {"/until-close", {.size = 5, .until_close = true}, CLIENT_OK},
        {"/http10", {.size = 5, .http10 = true}, CLIENT_OK},
        {"/silently", {.size = 5, .close_silently = true}, CLIENT_OK},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct client_response response;
        open_pair(&pair);
        origin_set(pair.origin, cases[i].path, &cases[i].reply);
        enum client_outcome outcome = ask(&pair, "GET", cases[i].path, NULL, &response);
        cr_expect_eq(outcome, cases[i].want, "%s: %s", cases[i].path, client_outcome_text(outcome));
        buf_clear(&pair.client.in); /* what a malformed answer left */
        cr_expect(client_at_end(&pair.client, CLIENT_MS), "%s", cases[i].path);
        client_response_fini(&response);
        close_pair(&pair);
    }
}

Test(origin, requests_are_kept_with_their_bodies)
{
    struct pair pair;
    struct client_response response;
    struct origin_request request;

    open_pair(&pair);
    origin_set(pair.origin, "*", &(struct origin_reply){.text = "fine"});
    client_sendf(&pair.client, "POST /p?q HTTP/1.1\r\nHost: o\r\nContent-Length: 5\r\n\r\nhello");
    cr_expect_eq(client_read(&pair.client, "POST", CLIENT_MS, &response), CLIENT_OK);
    cr_expect_str_eq(response.body, "fine");
    client_response_fini(&response);
    client_sendf(&pair.client,
                 "PUT /p?q HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n"
                 "Expect: 100-continue\r\n\r\n5;x=y\r\nhello\r\n3\r\n yo\r\n0\r\n\r\n");
    cr_expect_eq(client_read(&pair.client, "PUT", CLIENT_MS, &response), CLIENT_OK);
    cr_expect_eq(response.interim_count, 1);
    client_response_fini(&response);

    cr_assert(origin_request(pair.origin, "/p?q", 0, &request));
    cr_expect(span_starts(span_str(request.head), SPAN("POST /p?q HTTP/1.1\r\n")));
    cr_expect(span_eq(origin_request_field(&request, "host"), SPAN("o")));
    cr_expect_null(origin_request_field(&request, "nothing").at);
    cr_expect_str_eq(request.body, "hello");
    origin_request_fini(&request);
    cr_assert(origin_request(pair.origin, NULL, 1, &request));
    cr_expect_str_eq(request.body, "hello yo");
    origin_request_fini(&request);
    cr_expect_not(origin_request(pair.origin, "/p?q", 2, &request));
    cr_expect_not(origin_request(pair.origin, "/p", 0, &request));

    char *json = origin_counts_json(pair.origin);
    cr_expect_str_eq(json,
                     "{\"requests\":2,\"bytes\":8,\"connections\":1,\"paths\":{\"/p?q\":2}}\n");
    free(json);
    origin_reset_counts(pair.origin);
    cr_expect_eq(origin_count(pair.origin, "/p?q"), 0);
    cr_expect_eq(origin_count(pair.origin, NULL), 0);
    close_pair(&pair);
}

Test(origin, interim_heads_come_first)
{
    struct pair pair;
    struct client_response response;
    struct origin_reply reply = {
        .text = "x",
        .interim = "HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\nHTTP/1.1 102 P\r\n\r\n"};

    open_pair(&pair);
    origin_set(pair.origin, "/i", &reply);
    cr_expect_eq(ask(&pair, "GET", "/i", NULL, &response), CLIENT_OK);
    cr_expect_eq(response.interim_count, 2);
    cr_expect_eq(response.status, 200);
    cr_expect_str_eq(response.interims, reply.interim);
    client_response_fini(&response);
    close_pair(&pair);
}

Test(origin, holds_until_released)
{
    struct pair pair;
    struct client_response response;

    open_pair(&pair);
    origin_set(pair.origin, "/h", &(struct origin_reply){.size = 100, .hold = true});
    origin_set(pair.origin, "/b",
               &(struct origin_reply){.size = 100, .hold_body = true, .hold_after = 40});
    client_sendf(&pair.client, "GET /h?x HTTP/1.1\r\nHost: o\r\n\r\n");
    cr_expect(origin_wait(pair.origin, "/h?x", 1, CLIENT_MS));
    cr_expect_not(origin_wait(pair.origin, "/h?x", 2, 20));
    cr_expect_eq(client_read(&pair.client, "GET", 20, &response), CLIENT_TIMEOUT);
    client_response_fini(&response);
    origin_release(pair.origin, "/h");
    cr_expect_eq(client_read(&pair.client, "GET", CLIENT_MS, &response), CLIENT_OK);
    client_response_fini(&response);

    client_sendf(&pair.client, "GET /b HTTP/1.1\r\nHost: o\r\n\r\n");
    cr_assert(skip_head(&pair.client));
    char body[100];
    cr_expect(client_read_exactly(&pair.client, body, 40, CLIENT_MS));
    cr_expect_eq(client_read_some(&pair.client, body + 40, 60, 50), 0, "the rest is held");
    origin_release(pair.origin, "/b");
    cr_expect(client_read_exactly(&pair.client, body + 40, 60, CLIENT_MS));
    cr_expect_eq(content_compare(content_seed(SPAN("/b"), 0), 0, span_of(body, 100)), 100);
    close_pair(&pair);
}

Test(origin, stops_with_connections_held_and_idle)
{
    struct pair pair;
    struct client idle;

    open_pair(&pair);
    cr_assert(client_open(&idle, origin_port(pair.origin)));
    origin_set(pair.origin, "/h", &(struct origin_reply){.hold = true});
    client_sendf(&pair.client, "GET /h HTTP/1.1\r\nHost: o\r\n\r\n");
    cr_expect(origin_wait(pair.origin, "/h", 1, CLIENT_MS));
    origin_stop(&pair.origin);
    cr_expect(client_at_end(&idle, CLIENT_MS));
    client_close(&idle);
    client_close(&pair.client);
}

static void *many_requests(void *arg)
{
    const struct origin *origin = arg;
    struct client_response response;
    char url[64];

    for (int i = 0; i < 20; i++) {
        snprintf(url, sizeof(url), "http://127.0.0.1:%u/m", origin_port(origin));
        CHECK(client_get(origin_port(origin), url, NULL, &response) == CLIENT_OK);
        CHECK(response.status == 404);
        client_response_fini(&response);
    }
    return NULL;
}

Test(origin, many_at_once)
{
    struct origin *origin = origin_start("127.0.0.1:0", NULL);
    pthread_t threads[8];

    cr_assert_not_null(origin);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, many_requests, origin), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    cr_expect_eq(origin_count(origin, NULL), 160);
    cr_expect_eq(origin_connections(origin), 160);
    origin_stop(&origin);
}
