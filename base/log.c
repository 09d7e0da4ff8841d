/*
 * A line is built conversion by conversion instead of by one vsnprintf(): the formatter has to know
 * which bytes are ours (keys) and which may come from anybody (values).
 */
#include "base/log.h"

#include "base/check.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PRIORITY_LEN = 3 };

const char *const log_level_words[] = {"error", "warn", "info", "debug", NULL};

static atomic_int current_level = LOG_LEVEL_INFO;
static atomic_int output = STDERR_FILENO;
static bool to_journal; /* set before other threads start */

void log_level_set(enum log_level level)
{
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

void log_to(int fd)
{
    atomic_store_explicit(&output, fd, memory_order_relaxed);
}

/* JOURNAL_STREAM holds device and inode of the stream that systemd gave us (systemd.exec(5)). A
 * child process may inherit the variable although its output goes elsewhere, so both are compared
 * with stderr. */
void log_begin(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char here[64];
    struct stat status;

    to_journal = false;
    if (stream && fstat(atomic_load_explicit(&output, memory_order_relaxed), &status) == 0) {
        snprintf(here, sizeof(here), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
        to_journal = strcmp(here, stream) == 0;
    }
}

bool log_wants(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

bool log_admit(struct log_site *site, uint64_t now_ms, unsigned *suppressed)
{
    uint_fast64_t window = now_ms / LOG_WINDOW_MS + 1;
    uint_fast64_t seen = atomic_load(&site->window);

    *suppressed = 0;
    if (seen != window && atomic_compare_exchange_strong(&site->window, &seen, window)) {
        atomic_store(&site->lines, 0);
        *suppressed = atomic_exchange(&site->dropped, 0);
    }
    if (atomic_fetch_add(&site->lines, 1) < LOG_BURST) {
        return true;
    }
    atomic_fetch_add(&site->dropped, 1);
    return false;
}

/* ---- text of bounded length ---- */

struct text {
    char *at;
    size_t len, max;
    bool cut;
};

static void put(struct text *text, struct span bytes)
{
    size_t room = text->max - text->len;
    size_t n = bytes.len < room ? bytes.len : room;

    if (n) {
        memcpy(text->at + text->len, bytes.at, n);
    }
    text->len += n;
    text->cut |= n < bytes.len;
}

static bool is_plain(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=') {
            return false;
        }
    }
    return value.len > 0;
}

static void put_value(struct text *line, struct span value)
{
    if (is_plain(value)) {
        put(line, value);
        return;
    }
    put(line, SPAN("\""));
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.at[i];
        char escaped[5] = {(char)c};
        if (c == '"' || c == '\\') {
            snprintf(escaped, sizeof(escaped), "\\%c", c);
        } else if (c < ' ' || c >= 0x7f) {
            snprintf(escaped, sizeof(escaped), "\\x%02x", c);
        }
        put(line, span_of(escaped, c ? strlen(escaped) : 4));
    }
    put(line, SPAN("\""));
}

/* ---- conversions ---- */

/* A struct, because a va_list may be an array type, which cannot be passed by reference
 * portably. */
struct args {
    va_list list;
};

struct conversion {
    int precision; /* -1: none */
    int width;     /* -1: char or short; 0: int; 1: long; 2: long long; 3: intmax_t; 4: size_t */
    char letter;
};

/* Reads the conversion after '%' and advances *at behind it. */
static struct conversion read_conversion(const char **at, struct args *args)
{
    struct conversion c = {-1, 0, 0};

    if (**at == '.') {
        ++*at;
        c.precision = 0;
        if (**at == '*') {
            c.precision = va_arg(args->list, int);
            ++*at;
        }
        for (; ascii_is_digit(**at); ++*at) {
            c.precision = c.precision * 10 + (**at - '0');
        }
    }
    for (;; ++*at) {
        switch (**at) {
        case 'h':
            c.width = -1;
            continue;
        case 'l':
            c.width++;
            continue;
        case 'j':
            c.width = 3;
            continue;
        case 'z':
            c.width = 4;
            continue;
        }
        break;
    }
    c.letter = *(*at)++;
    return c;
}

static intmax_t next_signed(const struct conversion *c, struct args *args)
{
    switch (c->width) {
    case 1:
        return va_arg(args->list, long);
    case 2:
        return va_arg(args->list, long long);
    case 3: /* NOLINT(bugprone-branch-clone): intmax_t is long on this machine */
        return va_arg(args->list, intmax_t);
    case 4:
        return va_arg(args->list, ssize_t);
    }
    return va_arg(args->list, int);
}

static uintmax_t next_unsigned(const struct conversion *c, struct args *args)
{
    switch (c->width) {
    case 1:
        return va_arg(args->list, unsigned long);
    case 2:
        return va_arg(args->list, unsigned long long);
    case 3: /* NOLINT(bugprone-branch-clone) */
        return va_arg(args->list, uintmax_t);
    case 4:
        return va_arg(args->list, size_t);
    }
    return va_arg(args->list, unsigned);
}

static void put_string(struct text *value, const struct conversion *c, struct args *args)
{
    const char *text = va_arg(args->list, const char *);

    text = text ? text : "(null)";
    put(value,
        span_of(text, c->precision >= 0 ? strnlen(text, (size_t)c->precision) : strlen(text)));
}

static void put_conversion(struct text *value, const struct conversion *c, struct args *args)
{
    char number[400]; /* a double may have 308 digits before its point */
    int n = 0;

    switch (c->letter) {
    case 's':
        put_string(value, c, args);
        return;
    case 'd':
    case 'i':
        n = snprintf(number, sizeof(number), "%jd", next_signed(c, args));
        break;
    case 'u':
        n = snprintf(number, sizeof(number), "%ju", next_unsigned(c, args));
        break;
    case 'x':
        n = snprintf(number, sizeof(number), "%jx", next_unsigned(c, args));
        break;
    case 'f':
        n = snprintf(number, sizeof(number), "%.*f",
                     c->precision < 0 || c->precision > 9 ? 6 : c->precision,
                     va_arg(args->list, double));
        break;
    case 'c':
        number[0] = (char)va_arg(args->list, int);
        n = 1;
        break;
    case '%':
        number[0] = '%';
        n = 1;
        break;
    default:
        UNREACHABLE(); /* the header does not allow this conversion */
    }
    put(value, span_of(number, (size_t)n));
}

/* Formats one word: "key=" is copied, the value behind it may be quoted. */
static const char *put_word(struct text *line, const char *format, struct args *args)
{
    char bytes[LOG_LINE_MAX];
    struct text value = {bytes, 0, sizeof(bytes), false};
    size_t key = strcspn(format, "=% ");

    key += format[key] == '=';
    put(line, span_of(format, key));
    if (key == 0 || format[key - 1] != '=') {
        return format + key + (format[key] == '%');
    }
    format += key;
    while (*format && *format != ' ') {
        if (*format != '%') {
            put(&value, span_of(format++, 1));
            continue;
        }
        format++;
        struct conversion c = read_conversion(&format, args);
        put_conversion(&value, &c, args);
    }
    put_value(line, span_of(bytes, value.len));
    return format;
}

static void put_head(struct text *line, int64_t wall_ms, enum log_level level, const char *event)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    char head[128];

    gmtime_r(&seconds, &tm);
    size_t n = strftime(head, sizeof(head), "%Y-%m-%dT%H:%M:%S", &tm);
    put(line, span_of(head, n));
    n = (size_t)snprintf(head, sizeof(head), ".%03dZ %s ", (int)(wall_ms % 1000),
                         log_level_words[level]);
    put(line, span_of(head, n));
    put(line, span_str(event));
}

size_t log_line(char *out, int64_t wall_ms, enum log_level level, const char *event,
                unsigned suppressed, const char *format, va_list list)
{
    static const char cut[] = "...\n";
    struct text line = {out, 0, LOG_LINE_MAX - sizeof(cut), false};
    struct args args;

    va_copy(args.list, list);
    put_head(&line, wall_ms, level, event);
    while (*format) {
        if (*format == ' ') {
            format++;
            continue;
        }
        put(&line, SPAN(" "));
        format = put_word(&line, format, &args);
    }
    va_end(args.list);
    if (suppressed) {
        char text[32];
        int n = snprintf(text, sizeof(text), " suppressed=%u", suppressed);
        put(&line, span_of(text, (size_t)n));
    }
    const char *end = line.cut ? cut : "\n";
    memcpy(out + line.len, end, strlen(end));
    return line.len + strlen(end);
}

/* The prefix "<N>" of sd-daemon(3). */
static size_t put_priority(char *out, enum log_level level)
{
    static const char priorities[][4] = {
        [LOG_LEVEL_ERROR] = "<3>",
        [LOG_LEVEL_WARN] = "<4>",
        [LOG_LEVEL_INFO] = "<6>",
        [LOG_LEVEL_DEBUG] = "<7>",
    };

    memcpy(out, priorities[level], PRIORITY_LEN);
    return PRIORITY_LEN;
}

void log_write(struct log_site *site, enum log_level level, const char *event, const char *format,
               ...)
{
    char line[PRIORITY_LEN + LOG_LINE_MAX];
    unsigned suppressed;
    va_list args;

    if (!log_admit(site, clock_mono_ms(), &suppressed)) {
        return;
    }
    size_t len = to_journal ? put_priority(line, level) : 0;
    va_start(args, format);
    len += log_line(line + len, clock_wall_ms(), level, event, suppressed, format, args);
    va_end(args);
    /* A single write(), so that lines of several threads never mix. Its errors cannot be reported
     * anywhere. */
    ssize_t written = write(atomic_load_explicit(&output, memory_order_relaxed), line, len);
    (void)written;
}
