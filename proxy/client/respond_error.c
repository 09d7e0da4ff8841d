/* respond_error - error pages, and the fields that tell programs what has happened. */
#include "proxy/client/respond.h"

#include "base/check.h"
#include "base/mem.h"
#include "http/date.h"
#include "http/language.h"
#include "proxy/client/page_text.h"
#include "proxy/mirror/mirror.h"

#include <time.h>

/* The error types of RFC 9209 2.3 by reason. A reason without one says only that the response was
 * made here. */
static const char *error_type(enum reason reason, int status)
{
    switch (reason) {
    case REASON_DNS:
        return status == 504 ? "dns_timeout" : "dns_error";
    case REASON_CONNECT:
        return status == 504 ? "connection_timeout" : "connection_refused";
    case REASON_TLS_HANDSHAKE:
        return "tls_protocol_error";
    case REASON_TLS_CERTIFICATE:
    case REASON_TLS_EXPIRED:
    case REASON_TLS_NAME:
        return "tls_certificate_error";
    case REASON_ORIGIN_TIMEOUT:
        return "http_response_timeout";
    case REASON_ORIGIN_CLOSED:
        return "connection_terminated";
    case REASON_ORIGIN_BROKEN:
        return "http_protocol_error";
    case REASON_INCOMPLETE:
        return "http_response_incomplete";
    case REASON_TARGET_ADDRESS:
    case REASON_TARGET_OWN:
    case REASON_TARGET_PRIVATE:
        return "destination_ip_prohibited";
    case REASON_TARGET_PORT:
    case REASON_ACCESS:
    case REASON_CREDENTIALS:
    case REASON_WRONG_PASSWORD:
    case REASON_QUOTA:
        return "http_request_denied";
    case REASON_NO_SITE:
        return "destination_not_found";
    case REASON_LOOP:
        return "proxy_loop_detected";
    case REASON_BAD_REQUEST:
    case REASON_REQUEST_BODY:
        return "http_request_error";
    default:
        return status == 500 ? "proxy_internal_error" : "proxy_internal_response";
    }
}

static const char style[] =
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:38em;margin:12vh auto;padding:0 1.5em;"
    "background:#fbfaf8;color:#222}"
    "h1{font-size:1.5em;font-weight:600;margin:0 0 .5em}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2em 1.2em;margin:2em 0 0;"
    "padding:1.2em 0 0;border-top:1px solid #8884;font-size:.875em}"
    "dt{opacity:.65}dd{margin:0;overflow-wrap:anywhere;font-family:ui-monospace,monospace}"
    "@media(prefers-color-scheme:dark){body{background:#1b1b1d;color:#ddd}}";

/* ---- language and format ---- */

enum { LANGUAGES_MAX = 64 };

/* Language and format of a page. */
struct telling {
    enum page_language built_in; /* for texts that the template does not have */
    struct span language;
    bool html;
};

/* Browsers ask for HTML; programs that accept anything are served better with a line of text.
 * Without a valid request nothing is known. */
static bool wants_html(const struct http_head *request)
{
    struct list_members it;
    struct span member;

    if (request == NULL) {
        return true;
    }
    it = list_members(&request->fields, FIELD_ACCEPT);
    while (list_next(&it, &member)) {
        struct span type = span_trim(span_take(member, span_find(member, ';')));
        if (span_ieq(type, SPAN("text/html")) || span_ieq(type, SPAN("application/xhtml+xml"))) {
            return true;
        }
    }
    return false;
}

static enum page_language built_in_of(struct span tag)
{
    for (enum page_language i = PAGE_EN; i < PAGE_LANGUAGES; i++) {
        if (span_ieq(page_language_tags[i], span_take(tag, span_find(tag, '-')))) {
            return i;
        }
    }
    return PAGE_EN;
}

static struct telling choose_telling(const struct respond_error *input)
{
    struct telling telling = {.language = SPAN("en"), .html = wants_html(input->request)};
    struct span tags[LANGUAGES_MAX];
    size_t count = 0, own = 0;
    const struct span *more = input->pages ? pages_languages(input->pages, &own) : NULL;

    for (; count < PAGE_LANGUAGES; count++) {
        tags[count] = page_language_tags[count];
    }
    for (size_t i = 0; i < own && count < LANGUAGES_MAX; i++) {
        tags[count++] = more[i];
    }
    if (input->request) {
        telling.language = tags[language_best(&input->request->fields, tags, count, PAGE_EN)];
    }
    telling.built_in = built_in_of(telling.language);
    return telling;
}

/* ---- the page ---- */

/* Makes a sentence: a capital at its beginning, a full stop at its end. */
static struct span sentence(struct span text, struct arena *arena)
{
    if (text.len == 0) {
        return text;
    }
    char first = text.at[0];
    first = first >= 'a' && first <= 'z' ? (char)(first - 'a' + 'A') : first;
    return arena_printf(arena, "%c%.*s%s", first, SPAN_ARGS(span_skip(text, 1)),
                        span_ends(text, SPAN(".")) ? "" : ".");
}

/* "1.5 GiB", rounded. */
static struct span size_text(uint64_t bytes, struct arena *arena)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double amount = (double)bytes;
    size_t unit = 0;

    while (amount >= 1024 && unit + 1 < ARRAY_LEN(units)) {
        amount /= 1024;
        unit++;
    }
    return arena_printf(arena, "%.*f %s", unit && amount < 10, amount, units[unit]);
}

/* Local time in an order that cannot be misread. */
static struct span time_text(int64_t when, struct arena *arena)
{
    time_t seconds = (time_t)when;
    struct tm tm;

    if (localtime_r(&seconds, &tm) == NULL) {
        return SPAN("?");
    }
    return arena_printf(arena, "%04d-%02d-%02d %02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
                        tm.tm_mday, tm.tm_hour, tm.tm_min);
}

/* Replaces names in single braces by the numbers of a quota. */
static struct span with_numbers(const struct respond_error *input, struct span text)
{
    struct arena *arena = input->arena;
    struct span filled = SPAN_EMPTY;

    while (text.len) {
        struct span rest = text;
        struct span plain = span_cut(&rest, '{');
        struct span name = plain.len < text.len ? span_cut(&rest, '}') : SPAN_EMPTY;
        struct span value = span_eq(name, SPAN("used"))    ? size_text(input->quota.used, arena)
                            : span_eq(name, SPAN("limit")) ? size_text(input->quota.limit, arena)
                            : span_eq(name, SPAN("until")) ? time_text(input->quota.until, arena)
                                                           : SPAN_EMPTY;
        filled = arena_printf(arena, "%.*s%.*s%.*s", SPAN_ARGS(filled), SPAN_ARGS(plain),
                              SPAN_ARGS(value));
        text = rest;
    }
    return filled;
}

static void fill_holes(const struct respond_error *input, const struct telling *telling,
                       struct span holes[PAGE_HOLE_COUNT])
{
    struct span what = page_what(input->reason, telling->built_in);

    if (input->reason == REASON_QUOTA) {
        what = with_numbers(input, what);
    }
    holes[PAGE_STATUS] = arena_printf(input->arena, "%d", input->status);
    holes[PAGE_TITLE] = page_title(input->status, telling->built_in);
    holes[PAGE_WHAT] = sentence(input->what ? span_str(input->what) : what, input->arena);
    holes[PAGE_TODO] = page_todo(input->reason, telling->built_in);
    holes[PAGE_REASON] = reason_word(input->reason);
    holes[PAGE_INCIDENT] = input->incident;
    holes[PAGE_PROXY] = input->name;
    holes[PAGE_LANGUAGE] = telling->language;
}

static void append_row(struct buf *out, struct span label, struct span value)
{
    if (value.len) {
        buf_printf(out, "<dt>%.*s<dd>", SPAN_ARGS(label));
        pages_escape(out, value, true);
        buf_append(out, SPAN("\n"));
    }
}

static void append_paragraph(struct buf *out, struct span text)
{
    if (text.len) {
        buf_append(out, SPAN("<p>"));
        pages_escape(out, text, true);
        buf_append(out, SPAN("\n"));
    }
}

/* The origin's host; empty unless the origin is the cause. */
static struct span shown_host_of(const struct respond_error *input)
{
    return input->status >= 500 ? input->host : SPAN_EMPTY;
}

static void make_html(const struct respond_error *input, const struct telling *telling,
                      const struct span holes[PAGE_HOLE_COUNT], struct buf *page)
{
    enum page_language language = telling->built_in;
    struct span tag = page_language_tags[language], title = holes[PAGE_TITLE];

    buf_printf(page,
               "<!doctype html>\n<html lang=\"%.*s\"><meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width\">\n"
               "<title>%d %.*s</title>\n<style>%s</style>\n<main>\n<h1>%.*s</h1>\n",
               SPAN_ARGS(tag), input->status, SPAN_ARGS(title), style, SPAN_ARGS(title));
    append_paragraph(page, holes[PAGE_WHAT]);
    append_paragraph(page, holes[PAGE_TODO]);
    buf_append(page, SPAN("<dl>\n"));
    append_row(page, page_label(LABEL_HOST, language), shown_host_of(input));
    append_row(page, page_label(LABEL_REASON, language), holes[PAGE_REASON]);
    append_row(page, page_label(LABEL_INCIDENT, language), holes[PAGE_INCIDENT]);
    append_row(page, page_label(LABEL_PROXY, language), holes[PAGE_PROXY]);
    buf_append(page, SPAN("</dl>\n</main>\n</html>\n"));
}

static void make_text(const struct respond_error *input, const struct span holes[PAGE_HOLE_COUNT],
                      struct buf *page)
{
    buf_printf(page, "%d %.*s\n", input->status, SPAN_ARGS(holes[PAGE_TITLE]));
    pages_escape(page, holes[PAGE_WHAT], false);
    buf_append(page, SPAN("\n"));
    if (holes[PAGE_TODO].len) {
        buf_printf(page, "%.*s\n", SPAN_ARGS(holes[PAGE_TODO]));
    }
    buf_printf(page, "%.*s %.*s\n", SPAN_ARGS(holes[PAGE_REASON]), SPAN_ARGS(holes[PAGE_INCIDENT]));
}

static struct span make_page(const struct respond_error *input, const struct telling *telling)
{
    struct span holes[PAGE_HOLE_COUNT];
    struct span own = SPAN_EMPTY;
    struct buf page = BUF_INIT;

    fill_holes(input, telling, holes);
    if (input->pages) {
        own = pages_find(input->pages, input->status, telling->language, telling->html);
    }
    if (own.len) {
        pages_fill(own, holes, telling->html, &page);
    } else if (telling->html) {
        make_html(input, telling, holes, &page);
    } else {
        make_text(input, holes, &page);
    }
    struct span copy = arena_copy(input->arena, buf_span(&page));
    buf_fini(&page);
    return copy;
}

/* ---- the fields ---- */

static struct span proxy_status(const struct respond_error *input)
{
    return arena_printf(input->arena, "%.*s; error=%s",
                        SPAN_ARGS(decision_name(input->name, input->arena)),
                        error_type(input->reason, input->status));
}

static struct span cache_status(const struct respond_error *input)
{
    struct decision plain = DECISION_INIT;

    plain.outcome = OUTCOME_ERROR;
    plain.reason = input->reason;
    return mirror_status(decision_cache_status(input->decision ? input->decision : &plain,
                                               input->name, SPAN_EMPTY, input->arena),
                         input->mirror, input->arena);
}

/* The challenge of RFC 7617, with charset UTF-8. The realm is a quoted string with obs-text (RFC
 * 9110 5.6.4), which clients also read as UTF-8. */
static struct span challenge(const struct respond_error *input)
{
    struct buf realm = BUF_INIT, text = BUF_INIT;

    for (size_t i = 0; i < input->realm.len; i++) {
        char c = input->realm.at[i];
        buf_printf(&realm, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
    }
    buf_append(&text, SPAN("Basic realm=\""));
    pages_escape(&text, buf_span(&realm), false);
    buf_append(&text, SPAN("\", charset=\"UTF-8\""));
    struct span copy = arena_copy(input->arena, buf_span(&text));
    buf_fini(&realm);
    buf_fini(&text);
    return copy;
}

static bool is_for_a_moment(enum reason reason)
{
    return reason == REASON_MEMORY || reason == REASON_AUTH_BUSY || reason == REASON_AUTH_GUESSES ||
           reason == REASON_DNS_BUSY;
}

static void add_fields(const struct respond_error *input, const struct telling *telling,
                       struct http_fields *fields)
{
    char *date = arena_alloc(input->arena, DATE_LEN);

    date_format(input->now, date);
    fields_add_id(fields, FIELD_DATE, span_of(date, DATE_LEN));
    fields_add_id(fields, FIELD_CONTENT_TYPE,
                  telling->html ? SPAN("text/html; charset=utf-8")
                                : SPAN("text/plain; charset=utf-8"));
    fields_add_id(fields, FIELD_CONTENT_LANGUAGE, telling->language);
    fields_add_id(fields, FIELD_CACHE_CONTROL, SPAN("no-store"));
    if (is_for_a_moment(input->reason)) {
        fields_add_id(fields, FIELD_RETRY_AFTER, SPAN("1"));
    }
    if (input->status == 407) {
        fields_add_id(fields, FIELD_PROXY_AUTHENTICATE, challenge(input));
    }
    /* templates may contain a logo as a data URL */
    fields_add(fields, SPAN("Content-Security-Policy"),
               SPAN("default-src 'none'; style-src 'unsafe-inline'; img-src data:"));
    fields_add(fields, SPAN("X-Content-Type-Options"), SPAN("nosniff"));
    fields_add_id(fields, FIELD_PROXY_STATUS, proxy_status(input));
    fields_add_id(fields, FIELD_CACHE_STATUS, cache_status(input));
}

void respond_error(const struct respond_error *input, struct http_head *head, struct span *body)
{
    struct telling telling = choose_telling(input);
    struct span page = make_page(input, &telling);

    head_init(head, input->arena);
    head->status = input->status;
    head->reason = page_title(input->status, PAGE_EN);
    head->framing = input->head_only ? BODY_NONE : BODY_LENGTH;
    head->content_length = (int64_t)page.len;
    head->keep_alive = true;
    add_fields(input, &telling, &head->fields);
    if (input->status == 405) {
        /* only mirrors send this status */
        fields_add_id(&head->fields, FIELD_ALLOW, SPAN("GET, HEAD"));
    }
    *body = input->head_only ? SPAN_EMPTY : page;
}
