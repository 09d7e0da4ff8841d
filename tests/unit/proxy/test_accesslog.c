#include "base/check.h"
#include "proxy/client/accesslog.h"
#include "proxy/client/shown.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- lines ---- */

struct row {
    struct log_style style;
    struct accesslog_entry entry;
    struct decision decision;
    struct http_head request;
    struct uri uri;
    struct ip client, peer;
};

static void row_init(struct row *row, const char *host, const char *path)
{
    *row = (struct row){0};
    cr_assert_eq(ip_parse(SPAN("192.0.2.7"), &row->client), 0);
    cr_assert_eq(ip_parse(SPAN("198.51.100.1"), &row->peer), 0);
    row->request.method = METHOD_GET;
    row->request.method_text = SPAN("GET");
    row->uri = (struct uri){.host = span_str(host), .port = 80, .path = span_str(path)};
    row->decision = (struct decision){.outcome = OUTCOME_MISS,
                                      .reason = REASON_NOT_STORED,
                                      .store_reason = REASON_STORED,
                                      .fwd_status = 200};
    row->entry = (struct accesslog_entry){
        .when_ms = 1763797201007,
        .elapsed_us = 140999,
        .client = &row->client,
        .decision = &row->decision,
        .status = 200,
        .bytes = 1234,
        .request = &row->request,
        .uri = &row->uri,
        .peer = &row->peer,
        .content_type = SPAN("text/html; charset=utf-8"),
    };
}

static void expect_line(const struct row *row, const char *want)
{
    static char line[ACCESSLOG_LINE_MAX];
    struct span got = span_of(line, accesslog_format(line, &row->style, &row->entry));

    cr_expect(span_eq(got, span_str(want)), "%.*s not %s", SPAN_ARGS(got), want);
}

/* Text is copied eight bytes at a time, and the rest with bytes before it. */
Test(accesslog_format, a_byte_is_escaped_wherever_it_is)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

    for (size_t len = 1; len < sizeof(letters); len++) {
        for (size_t bad = 0; bad <= len; bad++) { /* at `len`: none */
            char text[sizeof(letters)], want[sizeof(letters) + 2], got[sizeof(want)];
            memcpy(text, letters, sizeof(text));
            if (bad < len) {
                text[bad] = '\x7f';
            }
            snprintf(want, sizeof(want), "%.*s%s%.*s", (int)bad, letters, bad < len ? "%7F" : "",
                     bad < len ? (int)(len - bad - 1) : 0, letters + (bad < len ? bad + 1 : 0));
            struct span shown = span_from_to(got, shown_text(got, span_of(text, len)));
            cr_assert(span_eq(shown, span_str(want)), "%.*s not %s", SPAN_ARGS(shown), want);
        }
    }
}

Test(accesslog_format, squids_native_columns)
{
    struct row row;

    row_init(&row, "example.net", "/a?b=c");
    expect_line(&row, "1763797201.007    140 192.0.2.7 TCP_MISS/200 1234 GET "
                      "http://example.net/a?b=c - HIER_DIRECT/198.51.100.1 text/html absent\n");

    row.decision.store_reason = REASON_PRIVATE;
    expect_line(&row, "1763797201.007    140 192.0.2.7 TCP_MISS/200 1234 GET "
                      "http://example.net/a?b=c - HIER_DIRECT/198.51.100.1 text/html "
                      "absent,private\n");

    row.decision = (struct decision){.outcome = OUTCOME_HIT_MEMORY, .reason = REASON_FRESH};
    row.entry.peer = NULL;
    row.entry.content_type = SPAN_EMPTY;
    row.entry.user = SPAN("eve n");
    row.entry.elapsed_us = 12345678901;
    row.uri.https = true;
    expect_line(&row, "1763797201.007 12345678 192.0.2.7 TCP_MEM_HIT/200 1234 GET "
                      "https://example.net:80/a?b=c eve%20n HIER_NONE/- - fresh\n");

    cr_assert_eq(ip_parse(SPAN("2001:db8::7"), &row.client), 0);
    row.request.method = METHOD_CONNECT;
    row.request.method_text = SPAN("CONNECT");
    row.uri = (struct uri){.host = SPAN("2001:db8::1"), .is_ipv6 = true, .port = 443};
    row.decision = (struct decision){.outcome = OUTCOME_TUNNEL, .reason = REASON_METHOD};
    row.entry.peer = &row.peer;
    row.entry.user = SPAN_EMPTY;
    row.entry.elapsed_us = 0;
    expect_line(&row, "1763797201.007      0 2001:db8::7 TCP_TUNNEL/200 1234 CONNECT "
                      "[2001:db8::1]:443 - HIER_DIRECT/198.51.100.1 - method\n");
}

Test(accesslog_format, waits_for_the_disk)
{
    struct row row;

    row_init(&row, "a", "/");
    row.entry.peer = NULL;
    row.decision = (struct decision){.outcome = OUTCOME_HIT,
                                     .reason = REASON_FRESH,
                                     .served = SERVED_COLD,
                                     .disk_wait_us = 8123,
                                     .age = -1};
    expect_line(&row, "1763797201.007    140 192.0.2.7 TCP_HIT/200 1234 GET http://a/ - "
                      "HIER_NONE/- text/html fresh@cold:8123us\n");
    row.entry.incident = SPAN("1-2f");
    row.decision.store_reason = REASON_PRIVATE;
    row.style.format = ACCESS_COMBINED;
    row.request.version = HTTP_1_1;
    expect_line(&row, "192.0.2.7 - - [22/Nov/2025:07:40:01 +0000] "
                      "\"GET http://a/ HTTP/1.1\" 200 1234 \"-\" \"-\" "
                      "TCP_HIT:HIER_NONE/- fresh,private@cold:8123us#1-2f\n");
    row.entry.incident = SPAN_EMPTY;
    row.decision.store_reason = REASON_NONE;
    row.style.format = ACCESS_JSON;
    expect_line(&row, "{\"time\":\"2025-11-22T07:40:01.007Z\",\"elapsed_us\":140999,"
                      "\"client\":\"192.0.2.7\",\"method\":\"GET\",\"url\":\"http://a/\","
                      "\"status\":200,\"bytes\":1234,\"content_type\":\"text/html\","
                      "\"outcome\":\"hit\",\"reason\":\"fresh\",\"stored\":false,"
                      "\"collapsed\":false,\"served_from\":\"cold\",\"disk_wait_us\":8123,"
                      "\"end\":\"complete\"}\n");
    row.decision.served = SERVED_MEMORY;
    row.decision.disk_wait_us = 0;
    expect_line(&row, "{\"time\":\"2025-11-22T07:40:01.007Z\",\"elapsed_us\":140999,"
                      "\"client\":\"192.0.2.7\",\"method\":\"GET\",\"url\":\"http://a/\","
                      "\"status\":200,\"bytes\":1234,\"content_type\":\"text/html\","
                      "\"outcome\":\"hit\",\"reason\":\"fresh\",\"stored\":false,"
                      "\"collapsed\":false,\"served_from\":\"memory\",\"end\":\"complete\"}\n");
}

Test(accesslog_format, peers_incidents_and_requests_nobody_understood)
{
    struct row row;
    struct ip peer;

    row_init(&row, "a", "/");
    cr_assert_eq(ip_parse(SPAN("198.51.100.200"), &peer), 0);
    row.entry.peer = &peer;
    row.entry.incident = SPAN("1-2f");
    row.decision = (struct decision){.outcome = OUTCOME_ERROR, .reason = REASON_ORIGIN_TIMEOUT};
    row.entry.status = 504;
    expect_line(&row, "1763797201.007    140 192.0.2.7 NONE/504 1234 GET http://a/ - "
                      "HIER_DIRECT/198.51.100.200 text/html origin-timeout#1-2f\n");

    row.entry.peer = NULL;
    row.entry.uri = NULL;
    row.entry.request = NULL;
    row.entry.status = 0;
    row.decision.reason = REASON_BAD_REQUEST;
    expect_line(&row, "1763797201.007    140 192.0.2.7 NONE/000 1234 NONE error:invalid-request - "
                      "HIER_NONE/- text/html bad-request#1-2f\n");
}

Test(accesslog_format, combined_with_what_the_cache_did)
{
    struct http_field fields[] = {
        {SPAN("Referer"), SPAN("http://b/?token=x"), FIELD_REFERER},
        {SPAN("User-Agent"), SPAN("Mozilla/5.0 (\"X\"; \n)"), FIELD_USER_AGENT},
    };
    struct row row;

    row_init(&row, "example.net", "/a\"?b=c");
    row.style.format = ACCESS_COMBINED;
    row.request.version = HTTP_1_1;
    row.decision.ending = ENDING_CLIENT;
    expect_line(&row, "192.0.2.7 - - [22/Nov/2025:07:40:01 +0000] "
                      "\"GET http://example.net/a'?b=c HTTP/1.1\" 200 1234 \"-\" \"-\" "
                      "TCP_MISS_ABORTED:HIER_DIRECT/198.51.100.1 absent\n");
    row.request.fields = (struct http_fields){.at = fields, .count = 2, .cap = 2};
    expect_line(&row, "192.0.2.7 - - [22/Nov/2025:07:40:01 +0000] "
                      "\"GET http://example.net/a'?b=c HTTP/1.1\" 200 1234 \"http://b/\" "
                      "\"Mozilla/5.0 ('X'; %0A)\" "
                      "TCP_MISS_ABORTED:HIER_DIRECT/198.51.100.1 absent\n");
}

Test(accesslog_format, json_has_all_of_the_decision)
{
    struct row row;

    row_init(&row, "example.net", "/a?token=b");
    row.style.format = ACCESS_JSON;
    row.decision = (struct decision){.outcome = OUTCOME_STALE,
                                     .reason = REASON_STALE_IF_ERROR,
                                     .forward = FORWARD_STALE,
                                     .fwd_status = 503,
                                     .store_reason = REASON_STALE_IF_ERROR,
                                     .age = 70,
                                     .lifetime = 60};
    expect_line(&row, "{\"time\":\"2025-11-22T07:40:01.007Z\",\"elapsed_us\":140999,"
                      "\"client\":\"192.0.2.7\",\"method\":\"GET\","
                      "\"url\":\"http://example.net/a?token=\xe2\x80\xa6\",\"status\":200,"
                      "\"bytes\":1234,\"content_type\":\"text/html\","
                      "\"origin\":\"198.51.100.1\","
                      "\"outcome\":\"stale\",\"reason\":\"stale-if-error\","
                      "\"store_reason\":\"stale-if-error\",\"fwd\":\"stale\","
                      "\"fwd_status\":503,\"stored\":false,\"collapsed\":false,\"age\":70,"
                      "\"lifetime\":60,\"ttl\":-10,\"end\":\"complete\"}\n");
}

Test(accesslog_format, json_stays_json_whatever_peers_say)
{
    static char line[ACCESSLOG_LINE_MAX];
    static char path[20000];
    struct row row;

    row_init(&row, "a\"b\\", "/\"\\\n\xff\"");
    row.style.format = ACCESS_JSON;
    row.request.method = METHOD_OTHER;
    row.request.method_text = SPAN("\\\"\\");
    row.entry.user = SPAN("\"");
    size_t len = accesslog_format(line, &row.style, &row.entry);
    json_t *json = json_loadb(line, len, 0, NULL);
    cr_assert_not_null(json, "%.*s", (int)len, line);
    cr_expect_str_eq(json_string_value(json_object_get(json, "method")), "\\\"\\");
    cr_expect_str_eq(json_string_value(json_object_get(json, "url")), "http://a\"b\\/\"\\%0A%FF\"");
    json_decref(json);

    memset(path, '"', sizeof(path) - 1);
    path[0] = '/';
    row.uri.path = span_str(path);
    len = accesslog_format(line, &row.style, &row.entry);
    json = json_loadb(line, len, 0, NULL);
    cr_expect_not_null(json);
    json_decref(json);
}

Test(accesslog_format, no_secret_of_a_path_or_query_is_logged)
{
    static const struct {
        const char *path, *shown;
    } cases[] = {
        {"/?token=abc", "/?token=\xe2\x80\xa6"},
        {"/?a=1&access_token=abc&b=2", "/?a=1&access_token=\xe2\x80\xa6&b=2"},
        {"/?API-Key=abc;x=1", "/?API-Key=\xe2\x80\xa6;x=1"},
        {"/?X-Amz-Signature=ff&X-Amz-Date=1", "/?X-Amz-Signature=\xe2\x80\xa6&X-Amz-Date=1"},
        {"/?sig=x=y", "/?sig=\xe2\x80\xa6"},
        {"/?PassWord=p", "/?PassWord=\xe2\x80\xa6"},
        {"/?client_secret=p", "/?client_secret=\xe2\x80\xa6"},
        {"/?%74oken=abc", "/?%74oken=\xe2\x80\xa6"},
        {"/?%74%4Fken%=abc", "/?%74%4Fken%=\xe2\x80\xa6"},
        {"/?token=", "/?token="},
        {"/?token", "/?token"},
        {"/?tok%en=abc", "/?tok%en=abc"},
        {"/?page=2&sort=name", "/?page=2&sort=name"},
        {"/token=abc", "/token=abc"},
        {"/?a?token=abc", "/?a?token=\xe2\x80\xa6"},
        {"/?&&", "/?&&"},
        {"/?code=abc&state=1", "/?code=\xe2\x80\xa6&state=1"},
        {"/?Code=abc", "/?Code=\xe2\x80\xa6"},
        {"/?c%6Fde=abc", "/?c%6Fde=\xe2\x80\xa6"},
        {"/?zipcode=1&country_code=2&codes=3&code", "/?zipcode=1&country_code=2&codes=3&code"},
        {"/?SAMLResponse=PD94&RelayState=1", "/?SAMLResponse=\xe2\x80\xa6&RelayState=1"},
        {"/?assertion=ey&client_assertion=ey",
         "/?assertion=\xe2\x80\xa6&client_assertion=\xe2\x80\xa6"},
        {"/?oauth_verifier=1&code_verifier=2",
         "/?oauth_verifier=\xe2\x80\xa6&code_verifier=\xe2\x80\xa6"},
        {"/?otp=1&PIN=2&pw=3&x_otp=4",
         "/?otp=\xe2\x80\xa6&PIN=\xe2\x80\xa6&pw=\xe2\x80\xa6&x_otp=\xe2\x80\xa6"},
        {"/?spin=1&pink=2&opw=3&option=4", "/?spin=1&pink=2&opw=3&option=4"},
        {"/a;jsessionid=1F/b;v=2;JSessionID=3?x=1",
         "/a;jsessionid=\xe2\x80\xa6/b;v=2;JSessionID=\xe2\x80\xa6?x=1"},
        {"/a;jsessionid=1F", "/a;jsessionid=\xe2\x80\xa6"},
        {"/a;code=1;b/c=d;;pin=", "/a;code=1;b/c=d;;pin="},
        {"/a;jsessionid;b=1", "/a;jsessionid;b=1"},
        {"/?"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaatoken=abc",
         "/?"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaatoken="
         "\xe2\x80\xa6"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct row row;
        char want[512];
        row_init(&row, "a", cases[i].path);
        snprintf(want, sizeof(want),
                 "1763797201.007    140 192.0.2.7 TCP_MISS/200 1234 GET http://a%s - "
                 "HIER_DIRECT/198.51.100.1 text/html absent\n",
                 cases[i].shown);
        expect_line(&row, want);
    }
}

Test(accesslog_format, nothing_a_peer_sends_makes_a_line_or_a_column)
{
    struct row row;

    row_init(&row, "a\nb", "/x y\r\n\xff?q=\n z");
    row.entry.content_type = SPAN("text/ html\n\x01; x");
    row.request.method_text = SPAN("GE T\n");
    row.request.method = METHOD_OTHER;
    expect_line(&row, "1763797201.007    140 192.0.2.7 TCP_MISS/200 1234 GE%20T%0A "
                      "http://a%0Ab/x%20y%0D%0A%FF?q=%0A%20z - HIER_DIRECT/198.51.100.1 "
                      "text/%20html%0A%01 absent\n");
}

Test(accesslog_format, what_must_be_escaped_is_wherever_it_stands)
{
    static const char odd[] = {' ', '\n', '\x7f', '\x80', '\xff', '\x1f'};

    for (size_t at = 1; at < 20; at++) {
        struct row row;
        char path[] = "/2345678901234567890", want[256];
        size_t which = at % sizeof(odd);
        path[at] = odd[which];
        row_init(&row, "a.example", path);
        snprintf(
            want, sizeof(want),
            "1763797201.007    140 192.0.2.7 TCP_MISS/200 1234 GET http://a.example%.*s%%%02X%s "
            "- HIER_DIRECT/198.51.100.1 text/html absent\n",
            (int)at, path, (unsigned char)odd[which], path + at + 1);
        expect_line(&row, want);
    }
}

Test(accesslog_format, the_longest_line_fits)
{
    static char line[ACCESSLOG_LINE_MAX];
    static char long_text[40000];
    struct span text = span_of(long_text, sizeof(long_text));
    struct row row;

    memset(long_text, 0x01, sizeof(long_text));
    row_init(&row, "a", "/");
    row.uri.path = row.uri.host = row.entry.user = row.entry.incident = text;
    row.entry.content_type = row.request.method_text = text;
    row.request.method = METHOD_OTHER;
    size_t len = accesslog_format(line, &row.style, &row.entry);
    cr_expect_gt(len, 3 * 8192);
    cr_expect_eq(line[len - 1], '\n');

    long_text[0] = '?';
    for (size_t i = 1; i < sizeof(long_text) - 6; i += 6) {
        memcpy(long_text + i, "sig=a&", 6);
    }
    len = accesslog_format(line, &row.style, &row.entry);
    cr_expect_gt(len, 8192);
}

/* ---- files ---- */

static char directory[64];

static void make_directory(void)
{
    snprintf(directory, sizeof(directory), "/tmp/larder-accesslog-XXXXXX");
    cr_assert_not_null(mkdtemp(directory));
}

static void remove_directory(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -r %s", directory);
    cr_assert_eq(system(command), 0);
}

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

/* Lines of a file that are whole: they begin and end as ours do. */
static size_t count_lines(const char *path)
{
    char line[512];
    size_t count = 0;
    FILE *file = fopen(path, "r");

    cr_assert_not_null(file);
    while (fgets(line, sizeof(line), file)) {
        struct span text = span_str(line);
        cr_expect(span_starts(text, SPAN("1763797201.007 ")), "%s", line);
        cr_expect(span_ends(text, SPAN(" absent\n")), "%s", line);
        count++;
    }
    fclose(file);
    return count;
}

enum { LINES_EACH = 5000 };

static struct accesslog_writer *writer_of(struct accesslog *log)
{
    return accesslog_writer_new(&(struct accesslog_out){.log = log}, 1);
}

static void close_log(struct accesslog **log)
{
    accesslog_unref(log);
    cr_expect_null(*log);
    cr_expect(accesslog_wait(60));
}

static void *write_lines(void *arg)
{
    struct accesslog_writer *writer = writer_of(arg);
    struct row row;

    row_init(&row, "a", "/");
    for (int i = 0; i < LINES_EACH; i++) {
        accesslog_write(writer, &row.entry);
    }
    accesslog_writer_free(&writer);
    return NULL;
}

Test(accesslog, lines_of_all_workers_arrive_whole, .init = make_directory, .fini = remove_directory)
{
    struct accesslog *log;
    pthread_t threads[3];

    cr_assert_eq(accesslog_open(path_of("log"), &log), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, write_lines, log), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    close_log(&log);
    cr_expect_eq(count_lines(path_of("log")), ARRAY_LEN(threads) * LINES_EACH);
}

static void wait_a_moment(void)
{
    poll(NULL, 0, 5);
}

Test(accesslog, reopens_a_file_that_was_moved_away, .init = make_directory,
     .fini = remove_directory, .timeout = 60)
{
    struct accesslog *log;
    struct stat info;
    char old[128];
    struct row row;

    row_init(&row, "a", "/");
    cr_assert_eq(accesslog_open(path_of("log"), &log), 0);
    struct accesslog_writer *writer = writer_of(log);
    accesslog_write(writer, &row.entry);
    accesslog_flush(writer);
    snprintf(old, sizeof(old), "%s/old", directory);
    cr_assert_eq(rename(path_of("log"), old), 0);
    cr_assert_eq(accesslog_reopen(log), 0);
    cr_assert_eq(stat(path_of("log"), &info), 0, "it is there when that is done");
    accesslog_write(writer, &row.entry);
    accesslog_write(writer, &row.entry);
    accesslog_writer_free(&writer);
    close_log(&log);
    cr_expect_eq(count_lines(old), 1);
    cr_expect_eq(count_lines(path_of("log")), 2);
}

/* Many lines are on their way, and the file is moved away again and again. */
Test(accesslog, lines_go_where_the_log_was_when_they_were_handed_over, .init = make_directory,
     .fini = remove_directory, .timeout = 60)
{
    enum { ROUNDS = 20, LINES = 500 };
    struct accesslog *log;
    char names[ROUNDS][128];
    struct row row;

    row_init(&row, "a", "/");
    cr_assert_eq(accesslog_open(path_of("log"), &log), 0);
    struct accesslog_writer *writer = writer_of(log);
    for (int i = 0; i < ROUNDS; i++) {
        for (int n = 0; n < LINES + i; n++) {
            accesslog_write(writer, &row.entry);
        }
        accesslog_flush(writer);
        snprintf(names[i], sizeof(names[i]), "%s/old.%d", directory, i);
        cr_assert_eq(rename(path_of("log"), names[i]), 0);
        cr_assert_eq(accesslog_reopen(log), 0);
    }
    accesslog_writer_free(&writer);
    close_log(&log);
    for (size_t i = 0; i < ROUNDS; i++) {
        cr_expect_eq(count_lines(names[i]), LINES + i, "%zu", i);
    }
    cr_expect_eq(accesslog_dropped(), 0);
}

Test(accesslog, what_cannot_be_opened_anew_is_told, .init = make_directory,
     .fini = remove_directory, .timeout = 60)
{
    struct accesslog *log;
    char away[160], folder[128];
    struct row row;

    row_init(&row, "a", "/");
    snprintf(folder, sizeof(folder), "%s", path_of("in"));
    cr_assert_eq(mkdir(folder, 0700), 0);
    snprintf(away, sizeof(away), "%s/log", folder);
    cr_assert_eq(accesslog_open(away, &log), 0);
    struct accesslog_writer *writer = writer_of(log);
    cr_assert_eq(rename(folder, path_of("out")), 0);
    cr_expect_eq(accesslog_reopen(log), -ENOENT);
    accesslog_write(writer, &row.entry);
    accesslog_writer_free(&writer);
    close_log(&log);
    cr_expect_eq(count_lines(path_of("out/log")), 1);
}

Test(accesslog, a_full_disk_loses_lines_and_counts_them, .timeout = 60)
{
    struct accesslog *log;
    struct row row;

    row_init(&row, "a", "/");
    cr_assert_eq(accesslog_open("/dev/full", &log), 0);
    struct accesslog_writer *writer = writer_of(log);
    for (int i = 0; i < 7; i++) {
        accesslog_write(writer, &row.entry);
    }
    accesslog_flush(writer);
    while (accesslog_dropped() == 0) {
        wait_a_moment();
    }
    cr_expect_eq(accesslog_dropped(), 7);
    accesslog_writer_free(&writer);
    close_log(&log);
}

/* The other end of the pipe does not read until everything has been written. */
Test(accesslog, a_reader_that_stands_still_never_stops_a_worker, .init = make_directory,
     .fini = remove_directory, .timeout = 60)
{
    enum { LINES = 120000 };
    struct accesslog *log;
    struct row row;
    char chunk[65536];
    size_t arrived = 0;

    row_init(&row, "a", "/");
    cr_assert_eq(mkfifo(path_of("pipe"), 0600), 0);
    int reader = open(path_of("pipe"), O_RDONLY | O_NONBLOCK);
    cr_assert_geq(reader, 0);
    cr_assert_eq(accesslog_open(path_of("pipe"), &log), 0);
    struct accesslog_writer *writer = writer_of(log);
    for (int i = 0; i < LINES; i++) {
        accesslog_write(writer, &row.entry);
    }
    uint64_t dropped = accesslog_dropped();
    cr_expect_gt(dropped, 0);
    cr_expect_lt(dropped, LINES);
    while (arrived + dropped < LINES) {
        ssize_t n = read(reader, chunk, sizeof(chunk));
        for (ssize_t i = 0; i < n; i++) {
            arrived += chunk[i] == '\n';
        }
        if (n <= 0) {
            accesslog_flush(writer);
            dropped = accesslog_dropped();
            wait_a_moment();
        }
    }
    cr_expect_eq(arrived + dropped, LINES);
    accesslog_writer_free(&writer);
    close_log(&log);
    close(reader);
}

Test(accesslog, no_log_is_no_work)
{
    struct row row;

    row_init(&row, "a", "/");
    struct accesslog_writer *writer = accesslog_writer_new(NULL, 0);
    cr_expect_null(writer);
    accesslog_write(writer, &row.entry);
    accesslog_flush(writer);
    cr_expect_eq(accesslog_dropped(), 0);
    accesslog_writer_free(&writer);
}
