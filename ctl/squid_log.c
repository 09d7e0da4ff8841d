/* access_log and logformat. */
#include "ctl/squid.h"

#include "base/conf.h"

struct squid_format {
    struct squid_format *next;
    struct span name;
    struct span text; /* in Larder's syntax; empty: it cannot be expressed */
};

/* ---- formats ---- */

/* Format codes of Squid without padding, and their counterparts. Longer codes come first. */
static const struct {
    const char *code, *ours;
} codes[] = {
    {"ts.%03tu", "{epoch}"},
    {"{User-Agent}>h", "{user_agent}"},
    {"{Referer}>h", "{referer}"},
    {">Hs", "{status}"},
    {"<Hs", "{fwd_status}"},
    {"Hs", "{status}"},
    {"<st", "{bytes}"},
    {">a", "{client}"},
    {">A", "{client}"}, /* names of addresses are not looked up */
    {"<a", "{origin}"},
    {"<A", "{origin}"},
    {"ts", "{epoch}"},
    {"tl", "{time}"},
    {"tg", "{time}"},
    {"tr", "{elapsed_ms}"},
    {"Ss", "{result}"},
    {"Sh/", "{hierarchy}/"}, /* together with %<a, see below */
    {"Sh", "{hierarchy}"},
    {"rm", "{method}"},
    {"ru", "{url}"},
    {"rp", "{path}"},
    {"rv", "{version}"},
    {"un", "{user}"},
    {"ul", "{user}"},
    {"ui", "-"},
    {"mt", "{content_type}"},
    {"%", "%"},
};

/* Skips flags and widths: "-", "0", "6", "03", and quoting by [ # " ' /. */
static struct span without_padding(struct span text)
{
    while (text.len && (ascii_is_digit(text.at[0]) || strchr("-[#\"'/", text.at[0]))) {
        text = span_skip(text, 1);
    }
    return text;
}

/* Length of the code for a request field: "{Name}>h". */
static size_t header_code(struct span text, struct buf *out)
{
    size_t close = span_find(text, '}');
    struct span name = span_take(span_skip(text, 1), close ? close - 1 : 0);

    if (text.len == 0 || text.at[0] != '{' ||
        !span_starts(span_skip(text, close + 1), SPAN(">h"))) {
        return 0;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = ascii_lower(name.at[i]);
        if (!((c >= 'a' && c <= 'z') || ascii_is_digit(c) || c == '-')) {
            return 0;
        }
    }
    if (name.len) {
        buf_printf(out, "{request.%.*s}", SPAN_ARGS(name));
    }
    return name.len ? close + 3 : 0;
}

/* Translates the code at the beginning and returns its length. 0: there is no counterpart. */
static size_t put_code(struct span text, struct buf *out)
{
    struct span code = without_padding(text);
    size_t padding = text.len - code.len;

    if (span_starts(code, SPAN("Sh/%<a")) || span_starts(code, SPAN("Sh/%<A"))) {
        buf_printf(out, "{hierarchy}");
        return padding + 6;
    }
    if (span_starts(code, SPAN("ts.%03tu"))) {
        buf_printf(out, "{epoch}");
        return padding + 8;
    }
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (span_starts(code, span_str(codes[i].code))) {
            buf_printf(out, "%s", codes[i].ours);
            return padding + strlen(codes[i].code);
        }
    }
    size_t len = header_code(code, out);
    return len ? padding + len : 0;
}

static bool translate(struct span text, struct buf *out, struct span *unknown)
{
    while (text.len) {
        if (text.at[0] != '%') {
            char c = text.at[0];
            const char *twice = c == '{' ? "{{" : c == '}' ? "}}" : NULL;
            bool plain = (unsigned char)c >= 0x20 && (unsigned char)c < 0x7f;
            buf_append(out, twice ? span_str(twice) : plain ? span_take(text, 1) : SPAN(" "));
            text = span_skip(text, 1);
            continue;
        }
        size_t len = put_code(span_skip(text, 1), out);
        if (len == 0) {
            *unknown = span_take(text, span_find(text, ' '));
            return false;
        }
        text = span_skip(text, 1 + len);
    }
    return true;
}

void squid_logformat(struct squid *squid, const struct squid_line *line)
{
    struct squid_format *format = arena_zalloc(&squid->arena, sizeof(*format));
    struct span spec = squid_rest(line, 2), unknown = SPAN_EMPTY;
    struct buf ours = BUF_INIT;

    format->name = squid_word(line, 1);
    format->next = squid->formats;
    squid->formats = format;
    if (spec.len == 0 || spec.len > 2000) {
        squid_lose(squid, line, "a name and a format are expected");
    } else if (!translate(spec, &ours, &unknown)) {
        squid_lose(squid, line, "%.*s has no counterpart; see docs/logs.md for the fields",
                   SPAN_ARGS(span_take(unknown, 60)));
    } else {
        format->text = arena_copy(&squid->arena, buf_span(&ours));
    }
    buf_fini(&ours);
}

/* ---- logs ---- */

/* The translated format of this name; empty: there is none. */
static struct span format_of(const struct squid *squid, struct span name)
{
    if (name.len == 0 || span_eq(name, SPAN("squid"))) {
        return SPAN("squid");
    }
    if (span_eq(name, SPAN("common")) || span_eq(name, SPAN("combined"))) {
        return SPAN("combined");
    }
    for (const struct squid_format *format = squid->formats; format; format = format->next) {
        if (span_eq(format->name, name)) {
            return format->text;
        }
    }
    return SPAN_EMPTY;
}

/* The place in "stdio:/path", "daemon:/path", "/path" or "syslog:facility". */
static struct span place_of(struct span word)
{
    if (span_starts(word, SPAN("syslog"))) {
        return SPAN("syslog");
    }
    if (span_starts(word, SPAN("stdio:")) || span_starts(word, SPAN("daemon:"))) {
        word = span_skip(word, span_find(word, ':') + 1);
    }
    return word.len && word.at[0] == '/' ? word : SPAN_EMPTY;
}

void squid_access_log(struct squid *squid, const struct squid_line *line)
{
    struct span place = place_of(squid_word(line, 1)), name = squid_word(line, 2);
    struct span option = squid_option(line, 2, "logformat=");
    size_t words = line->count;

    if (span_eq(squid_word(line, 1), SPAN("none"))) {
        squid_remark(squid, line, "without log.access there is none");
        return;
    }
    for (size_t i = 2; i < line->count; i++) {
        words -= span_find(line->words[i], '=') < line->words[i].len;
    }
    name = option.len ? option : span_find(name, '=') < name.len ? SPAN_EMPTY : name;
    struct span format = format_of(squid, name);
    if (place.len == 0) {
        squid_lose(squid, line, "logs go to files, syslog, journald or standard output");
    } else if (format.len == 0) {
        squid_lose(squid, line, "its format could not be translated");
    } else {
        if (words > 3) {
            squid_lose(squid, line, "a log has all requests; the conditions are left out");
        }
        buf_printf(&squid->logs, "    - {to: ");
        conf_quote(&squid->logs, place);
        buf_printf(&squid->logs, ", format: ");
        conf_quote(&squid->logs, format);
        buf_printf(&squid->logs, "}");
        squid_origin(line, &squid->logs);
    }
}
