/* respond_error - pages made by ourselves: what happened, in words and in fields. */
#include "proxy/client/respond.h"

#include "base/check.h"
#include "base/mem.h"
#include "http/date.h"

/* The error types of RFC 9209 2.3, by our reasons. A reason without one of its own says no more
 * than that the answer is ours. */
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
        return "destination_ip_prohibited";
    case REASON_TARGET_PORT:
    case REASON_ACCESS:
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

/* Appends text in which no byte can become markup. */
static void append_escaped(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        switch (c) {
        case '&':
            buf_append(out, SPAN("&amp;"));
            break;
        case '<':
            buf_append(out, SPAN("&lt;"));
            break;
        case '>':
            buf_append(out, SPAN("&gt;"));
            break;
        case '"':
            buf_append(out, SPAN("&quot;"));
            break;
        case '\'':
            buf_append(out, SPAN("&#39;"));
            break;
        default:
            buf_append(out, c >= ' ' && c <= '~' ? span_of(&c, 1) : SPAN("?"));
            break;
        }
    }
}

static void append_row(struct buf *out, const char *label, struct span value)
{
    if (value.len == 0) {
        return;
    }
    buf_printf(out, "<dt>%s<dd>", label);
    append_escaped(out, value);
    buf_append(out, SPAN("\n"));
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

static struct span status_title(int status)
{
    struct span title = http_status_text(status);

    return title.len ? title : SPAN("Error");
}

/* Sentences begin with a capital and end with a full stop, wherever they come from. */
static void append_sentence(struct buf *out, struct span text)
{
    if (text.len == 0) {
        return;
    }
    char first = text.at[0];
    first = first >= 'a' && first <= 'z' ? (char)(first - 'a' + 'A') : first;
    append_escaped(out, span_of(&first, 1));
    append_escaped(out, span_skip(text, 1));
    if (!span_ends(text, SPAN("."))) {
        buf_append(out, SPAN("."));
    }
}

static struct span make_page(const struct respond_error *input)
{
    struct span title = status_title(input->status);
    struct buf page = BUF_INIT;
    struct span copy;

    buf_printf(&page,
               "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width\">\n"
               "<title>%d %.*s</title>\n<style>%s</style>\n<h1>%.*s</h1>\n<p>",
               input->status, SPAN_ARGS(title), style, SPAN_ARGS(title));
    append_sentence(&page, input->what ? span_str(input->what) : reason_text(input->reason));
    buf_append(&page, SPAN("\n<dl>\n"));
    append_row(&page, "Host", input->host);
    append_row(&page, "Reason", reason_word(input->reason));
    append_row(&page, "Incident", input->incident);
    append_row(&page, "Proxy", input->name);
    buf_append(&page, SPAN("</dl>\n</html>\n"));
    copy = arena_copy(input->arena, buf_span(&page));
    buf_fini(&page);
    return copy;
}

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
    return decision_cache_status(input->decision ? input->decision : &plain, input->name,
                                 SPAN_EMPTY, input->arena);
}

static void add_fields(const struct respond_error *input, struct http_fields *fields)
{
    char *date = arena_alloc(input->arena, DATE_LEN);

    date_format(input->now, date);
    fields_add_id(fields, FIELD_DATE, span_of(date, DATE_LEN));
    fields_add_id(fields, FIELD_CONTENT_TYPE, SPAN("text/html; charset=utf-8"));
    fields_add_id(fields, FIELD_CONTENT_LANGUAGE, SPAN("en"));
    fields_add_id(fields, FIELD_CACHE_CONTROL, SPAN("no-store"));
    if (input->reason == REASON_MEMORY) {
        fields_add_id(fields, FIELD_RETRY_AFTER, SPAN("1"));
    }
    fields_add(fields, SPAN("Content-Security-Policy"),
               SPAN("default-src 'none'; style-src 'unsafe-inline'"));
    fields_add_id(fields, FIELD_PROXY_STATUS, proxy_status(input));
    fields_add_id(fields, FIELD_CACHE_STATUS, cache_status(input));
}

void respond_error(const struct respond_error *input, struct http_head *head, struct span *body)
{
    struct span page = make_page(input);

    head_init(head, input->arena);
    head->status = input->status;
    head->reason = status_title(input->status);
    head->framing = input->head_only ? BODY_NONE : BODY_LENGTH;
    head->content_length = (int64_t)page.len;
    head->keep_alive = true;
    add_fields(input, &head->fields);
    *body = input->head_only ? SPAN_EMPTY : page;
}
