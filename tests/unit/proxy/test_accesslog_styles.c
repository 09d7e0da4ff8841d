/* Formats of the administrator's own: from the configuration to a line. */
#include "base/check.h"
#include "proxy/client/accesslog.h"
#include "proxy/client/accesslog_sink.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

static int load(const char *value, struct buf *errors, struct settings **out)
{
    char program[] = "p", option[] = "--set", text[2048];
    char *arguments[] = {program, option, text, NULL};

    snprintf(text, sizeof(text), "log.access=%s", value);
    int err = settings_load(3, arguments, errors, out);
    buf_append(errors, SPAN("\0"));
    return err;
}

/* The line of a request that fills every field. */
static size_t line_of(const struct log_style *style, char *line)
{
    struct http_field fields[] = {
        {SPAN("User-Agent"), SPAN("A \"b\""), FIELD_USER_AGENT},
        {SPAN("Referer"), SPAN("http://u:pw@h/p;v=1;sid=S/x?q"), FIELD_REFERER},
        {SPAN("Cookie"), SPAN("a=b"), FIELD_COOKIE},
        {SPAN("X-One"), SPAN(" 1 2 "), FIELD_OTHER},
    };
    struct http_head request = {
        .method = METHOD_GET, .version = HTTP_2, .fields = {.at = fields, .count = 4, .cap = 4}};
    struct uri uri = {.host = SPAN("a.example"), .port = 80, .path = SPAN("/x y?token=z")};
    struct decision decision = {.outcome = OUTCOME_STALE,
                                .reason = REASON_STALE_IF_ERROR,
                                .store_reason = REASON_PRIVATE,
                                .forward = FORWARD_STALE,
                                .fwd_status = 503,
                                .age = 70,
                                .lifetime = -1,
                                .served = SERVED_DISK};
    struct ip client = {{[15] = 1}}, peer = {{[15] = 2}};
    struct accesslog_entry entry = {.when_ms = 1763797201007,
                                    .elapsed_us = 140999,
                                    .client = &client,
                                    .decision = &decision,
                                    .status = 200,
                                    .bytes = 1234,
                                    .request = &request,
                                    .uri = &uri,
                                    .peer = &peer,
                                    .user = SPAN("me"),
                                    .incident = SPAN("1-2"),
                                    .content_type = SPAN("text/html; x")};

    return accesslog_format(line, style, &entry);
}

Test(styles, every_field_can_be_written)
{
    static const struct {
        const char *value, *want;
    } cases[] = {
        {"{to: x, format: '{time} {epoch} {elapsed_ms} {elapsed_us}'}",
         "2025-11-22T07:40:01.007Z 1763797201.007 140 140999\n"},
        {"{to: x, format: '{client} {user} {method} {version} {origin} {hierarchy}'}",
         "::1 me GET HTTP/2 ::2 HIER_DIRECT/::2\n"},
        {"{to: x, format: '{url}'}", "http://a.example/x%20y?token=\xe2\x80\xa6\n"},
        {"{to: x, format: '{host}|{path}'}", "a.example|/x%20y?token=\xe2\x80\xa6\n"},
        {"{to: x, format: '{status} {bytes} {content_type} {outcome} {result} {reason}'}",
         "200 1234 text/html stale TCP_REFRESH_FAIL_OLD stale-if-error\n"},
        {"{to: x, format: '{store_reason} {detail} {fwd} {fwd_status} {age} {lifetime}'}",
         "private stale-if-error,private#1-2 stale 503 70 -\n"},
        {"{to: x, format: '{served_from} {disk_wait_us} {end} {incident}'}",
         "disk 0 complete 1-2\n"},
        {"{to: x, format: '{user_agent} \"{user_agent}\" {referer}'}",
         "A%20\"b\" \"A 'b'\" h/p;v=1;sid=\n"},
        {"{to: x, format: '{request.referer}'}", "h/p;v=1;sid=\n"},
        {"{to: x, format: '{request.x-one}/{request.cookie}/{request.none}'}",
         "1%202/\xe2\x80\xa6/-\n"},
        {"{to: x, format: 'a\\t{{{status}}}'}", "a\t{200}\n"},
        {"{to: x, fields: [status, request.X-One, url]}",
         "200 1%202 http://a.example/x%20y?token=\xe2\x80\xa6\n"},
        {"{to: x, format: json, fields: [status, lifetime, user_agent, request.X-One]}",
         "{\"status\":200,\"user_agent\":\"A 'b'\",\"request.X-One\":\"1 2\"}\n"},
    };
    static char line[ACCESSLOG_LINE_MAX];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf errors = BUF_INIT;
        struct settings *settings;
        cr_assert_eq(load(cases[i].value, &errors, &settings), 0, "%s", errors.data);
        struct span got = span_of(line, line_of(&settings->access_logs[0].style, line));
        cr_expect(span_eq(got, span_str(cases[i].want)), "%s: %.*s", cases[i].value,
                  SPAN_ARGS(got));
        settings_unref(&settings);
        buf_fini(&errors);
    }
}

Test(styles, what_is_wrong_is_said)
{
    static const struct {
        const char *value, *want;
    } cases[] = {
        {"{to: x, format: squad}",
         "\"format\" cannot be \"squad\"; expected squid, combined, json, "
         "or fields in a text"},
        {"{to: x, format: '{clinet}'}", "there is no field \"clinet\"; did you mean \"client\"?"},
        {"{to: x, format: '{client'}", "a { without its }"},
        {"{to: x, format: '{client} }'}", "a } without its {"},
        {"{to: x, format: '{url}{path}'}", "its lines could be too long"},
        {"{to: x, format: '{request.a b}'}", "a field of a request has another name"},
        {"{to: x, fields: [clinet]}", "did you mean \"client\"?"},
        {"{to: x, fields: []}", "an empty list; expected fields such as client"},
        {"{to: x, fields: [url, path]}", "its lines could be too long; expected fewer fields"},
        {"{to: x, format: squid, fields: [url]}", "\"fields\" beside a \"format\""},
        {"[x, y, x]", "two logs to \"x\"; expected different places"},
        {"[a, b, c, d, e, f, g, h, i]", "9 access logs; expected at most 8"},
        {"{format: squid}", "\"to\" is missing"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf errors = BUF_INIT;
        struct settings *settings;
        cr_expect_neq(load(cases[i].value, &errors, &settings), 0);
        cr_expect(strstr(errors.data, cases[i].want), "%s: %s", cases[i].value, errors.data);
        settings_unref(&settings);
        buf_fini(&errors);
    }
}

Test(styles, a_line_as_a_datagram)
{
    char out[256];
    char want[256];
    size_t len = sink_datagram(SINK_SYSLOG, SPAN("a line"), out);

    snprintf(want, sizeof(want), "<30>larder-proxy[%d]: a line", (int)getpid());
    cr_expect(span_eq(span_of(out, len), span_str(want)), "%.*s", (int)len, out);
    len = sink_datagram(SINK_JOURNALD, SPAN("a line"), out);
    snprintf(want, sizeof(want),
             "PRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=larder-proxy\nSYSLOG_PID=%d\n"
             "LARDER_LOG=access\nMESSAGE=a line\n",
             (int)getpid());
    cr_expect(span_eq(span_of(out, len), span_str(want)), "%.*s", (int)len, out);
}
