/*
 * testorigin - the scripted origin as a program, for scenarios in shell and for measurements.
 *
 *     testorigin --listen 127.0.0.1:8080 [--counts FILE]
 *
 * /size/N answers N bytes that follow from the whole target; its query says how:
 *     max-age=S  cache-control=TEXT  expires-in=S  age=S  vary=NAME  etag=TEXT (an etag "TEXT")
 *     last-modified-ago=S  no-date=1  version=N (other bytes)  header=Name:value
 *     status=N  chunked=1  until-close=1  close=1  ranges=1
 *     delay-ms=N  piece=N  piece-delay-ms=N  cut=N  hang-up=1
 * Other names (id=7) only make another resource. Values are percent-decoded.
 *
 * /counts answers {"requests":…,"bytes":…,"connections":…,"paths":{…}} and /reset forgets them;
 * neither is counted. FILE is written when the program ends (SIGTERM, SIGINT).
 */
#include "base/check.h"
#include "tests/lib/origin.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* What one query adds up to. */
struct query {
    struct arena *memory;
    struct origin_reply *reply;
    struct span headers;
};

static int hex_digit(char c)
{
    c = ascii_lower(c);
    return ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NUL-terminated; control characters are dropped, so that no value can break a head. */
static const char *decode(struct arena *memory, struct span text)
{
    char *out = arena_alloc(memory, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        int c = text.at[i] == '+' ? ' ' : text.at[i];
        if (c == '%' && i + 2 < text.len && hex_digit(text.at[i + 1]) >= 0 &&
            hex_digit(text.at[i + 2]) >= 0) {
            c = hex_digit(text.at[i + 1]) * 16 + hex_digit(text.at[i + 2]);
            i += 2;
        }
        if (c >= ' ' && c < 0x7f) {
            out[len++] = (char)c;
        }
    }
    out[len] = '\0';
    return out;
}

static uint64_t number(struct span value)
{
    uint64_t n = 0;

    return span_to_u64(value, UINT64_MAX, &n) ? n : 0;
}

static const char *date_at(struct arena *memory, time_t seconds)
{
    char *text = arena_alloc(memory, 64);
    struct tm parts;

    gmtime_r(&seconds, &parts);
    strftime(text, 64, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return text;
}

static void add_line(struct query *q, const char *name, const char *value)
{
    q->headers = arena_printf(q->memory, "%.*s%s: %s\r\n", SPAN_ARGS(q->headers), name, value);
}

/* --- the words of a query -------------------------------------------------------------------- */

static void take_max_age(struct query *q, struct span value)
{
    add_line(q, "Cache-Control",
             arena_printf(q->memory, "max-age=%ju", (uintmax_t)number(value)).at);
}

static void take_cache_control(struct query *q, struct span value)
{
    add_line(q, "Cache-Control", decode(q->memory, value));
}

static void take_expires_in(struct query *q, struct span value)
{
    add_line(q, "Expires", date_at(q->memory, time(NULL) + (time_t)number(value)));
}

static void take_age(struct query *q, struct span value)
{
    add_line(q, "Age", decode(q->memory, value));
}

static void take_vary(struct query *q, struct span value)
{
    add_line(q, "Vary", decode(q->memory, value));
}

static void take_header(struct query *q, struct span value)
{
    struct span line = span_str(decode(q->memory, value));
    struct span name = span_cut(&line, ':');

    q->headers = arena_printf(q->memory, "%.*s%.*s: %.*s\r\n", SPAN_ARGS(q->headers),
                              SPAN_ARGS(name), SPAN_ARGS(span_trim(line)));
}

static void take_etag(struct query *q, struct span value)
{
    q->reply->etag = arena_printf(q->memory, "\"%s\"", decode(q->memory, value)).at;
}

static void take_last_modified_ago(struct query *q, struct span value)
{
    q->reply->last_modified = date_at(q->memory, time(NULL) - (time_t)number(value));
}

static void take_no_date(struct query *q, struct span value)
{
    q->reply->date = number(value) ? "" : NULL;
}

static void take_version(struct query *q, struct span value)
{
    q->reply->version = number(value);
}

static void take_status(struct query *q, struct span value)
{
    q->reply->status = (int)(number(value) % 1000);
}

static void take_chunked(struct query *q, struct span value)
{
    q->reply->chunked = number(value) != 0;
}

static void take_until_close(struct query *q, struct span value)
{
    q->reply->until_close = number(value) != 0;
}

static void take_close(struct query *q, struct span value)
{
    q->reply->close = number(value) != 0;
}

static void take_ranges(struct query *q, struct span value)
{
    q->reply->ranges = number(value) != 0;
}

static void take_delay_ms(struct query *q, struct span value)
{
    q->reply->delay_ms = (unsigned)number(value);
}

static void take_piece(struct query *q, struct span value)
{
    q->reply->piece = number(value);
}

static void take_piece_delay_ms(struct query *q, struct span value)
{
    q->reply->piece_delay_ms = (unsigned)number(value);
}

static void take_cut(struct query *q, struct span value)
{
    q->reply->cut = true;
    q->reply->cut_after = number(value);
}

static void take_hang_up(struct query *q, struct span value)
{
    q->reply->hang_up = number(value) != 0;
}

static const struct {
    const char *name;
    void (*take)(struct query *q, struct span value);
} words[] = {
    {"max-age", take_max_age},
    {"cache-control", take_cache_control},
    {"expires-in", take_expires_in},
    {"age", take_age},
    {"vary", take_vary},
    {"header", take_header},
    {"etag", take_etag},
    {"last-modified-ago", take_last_modified_ago},
    {"no-date", take_no_date},
    {"version", take_version},
    {"status", take_status},
    {"chunked", take_chunked},
    {"until-close", take_until_close},
    {"close", take_close},
    {"ranges", take_ranges},
    {"delay-ms", take_delay_ms},
    {"piece", take_piece},
    {"piece-delay-ms", take_piece_delay_ms},
    {"cut", take_cut},
    {"hang-up", take_hang_up},
};

static void take_word(struct query *q, struct span word)
{
    struct span value = word;
    struct span name = span_cut(&value, '=');

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (span_eq(name, span_str(words[i].name))) {
            words[i].take(q, value);
        }
    }
}

static void answer_size(struct query *q, struct span size, struct span query)
{
    if (!span_to_u64(size, UINT64_MAX, &q->reply->size)) {
        q->reply->status = 404;
        return;
    }
    while (query.len > 0) {
        take_word(q, span_cut(&query, '&'));
    }
    q->reply->headers = q->headers.at;
}

static void answer(struct origin *origin, const struct origin_request *request,
                   struct arena *memory, struct origin_reply *reply)
{
    struct span query = origin_request_target(request);
    struct span path = span_cut(&query, '?');
    struct query q = {.memory = memory, .reply = reply, .headers = SPAN_EMPTY};

    if (span_starts(path, SPAN("/size/"))) {
        answer_size(&q, span_skip(path, 6), query);
        return;
    }
    reply->uncounted = true;
    reply->headers = "Cache-Control: no-store\r\n";
    if (span_eq(path, SPAN("/counts"))) {
        char *json = origin_counts_json(origin);
        reply->text = arena_printf(memory, "%s", json).at;
        free(json);
    } else if (span_eq(path, SPAN("/reset"))) {
        origin_reset_counts(origin);
    } else {
        reply->uncounted = false;
        reply->status = 404;
    }
}

/* --- the program ----------------------------------------------------------------------------- */

static void write_counts(struct origin *origin, const char *path)
{
    FILE *file = fopen(path, "we");
    char *json = origin_counts_json(origin);

    if (file == NULL || fputs(json, file) < 0 || fclose(file) != 0) {
        fprintf(stderr, "testorigin: %s: %s\n", path, strerror(errno));
    }
    free(json);
}

static const char *option(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], name) == 0) {
            return argv[i + 1];
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const char *listen = option(argc, argv, "--listen");
    const char *counts = option(argc, argv, "--counts");
    sigset_t ends;
    int signal;

    if (listen == NULL || argc % 2 == 0) {
        fprintf(stderr, "usage: testorigin --listen ADDRESS:PORT [--counts FILE]\n");
        return 2;
    }
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL); /* inherited by every thread */
    struct origin *origin = origin_start(listen, answer);
    if (origin == NULL) {
        fprintf(stderr, "testorigin: %s: %s\n", listen, strerror(errno));
        return 1;
    }
    origin_keep_requests(origin, 0);
    printf("listening on port %u\n", origin_port(origin));
    fflush(stdout);
    sigwait(&ends, &signal);
    if (counts) {
        write_counts(origin, counts);
    }
    origin_stop(&origin);
    return 0;
}
