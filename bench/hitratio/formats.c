#include "bench/hitratio/formats.h"

#include "base/check.h"

#define LINE_MAX_BYTES (64u << 10)
#define SIZE_MAX_BYTES (UINT64_C(1) << 50)

enum verdict { TAKEN, SKIPPED, BAD };

/* ---- object numbers ---- */

static enum verdict take_u32(const uint8_t bytes[4], struct trace *trace)
{
    trace_add(trace, trace_object(trace, span_of(bytes, 4), 1));
    return TAKEN;
}

/* ---- text ---- */

/* The next word; several blanks are one. */
static struct span word(struct span *rest)
{
    *rest = span_trim(*rest);
    return span_cut(rest, ' ');
}

static enum verdict take_text(struct span line, struct trace *trace)
{
    uint64_t size;

    if (line.at[0] == '#') {
        return SKIPPED;
    }
    word(&line);
    struct span id = word(&line);
    if (!id.len || !span_to_u64(word(&line), SIZE_MAX_BYTES, &size)) {
        return BAD;
    }
    trace_add(trace, trace_object(trace, id, size));
    return TAKEN;
}

/* ---- Squid: time elapsed client code/status bytes method URL user hierarchy type ---- */

static bool may_be_cached(uint64_t status)
{
    static const uint64_t by_default[] = {200, 203, 300, 301, 308, 404, 410}; /* RFC 9110 15.1 */

    for (size_t i = 0; i < ARRAY_LEN(by_default); i++) {
        if (status == by_default[i]) {
            return true;
        }
    }
    return false;
}

static bool contains(struct span text, struct span what)
{
    return text.len && memmem(text.at, text.len, what.at, what.len);
}

/* A validation: the object is asked for, and the log does not tell its size. */
static enum verdict take_not_modified(struct span url, struct trace *trace)
{
    uint32_t *last = trace_ids_at(&trace->ids, trace_hash(url, UINT64_MAX));

    if (*last == TRACE_NONE) {
        return SKIPPED;
    }
    trace_add(trace, *last);
    return TAKEN;
}

static enum verdict take_squid(struct span line, struct trace *trace)
{
    uint64_t status, bytes;

    word(&line);
    word(&line);
    word(&line);
    struct span status_word = word(&line);
    struct span code = span_cut(&status_word, '/');
    if (!span_to_u64(status_word, 999, &status) ||
        !span_to_u64(word(&line), SIZE_MAX_BYTES, &bytes)) {
        return BAD;
    }
    struct span method = word(&line);
    struct span url = word(&line);
    if (!url.len) {
        return BAD;
    }
    if (!span_eq(method, SPAN("GET")) || contains(code, SPAN("ABORTED")) ||
        contains(code, SPAN("DENIED"))) {
        return SKIPPED;
    }
    if (status == 304) {
        return take_not_modified(url, trace);
    }
    if (!may_be_cached(status) || !bytes) {
        return SKIPPED;
    }
    uint32_t object = trace_object(trace, url, bytes);
    *trace_ids_at(&trace->ids, trace_hash(url, UINT64_MAX)) = object;
    trace_add(trace, object);
    return TAKEN;
}

/* ---- streams ---- */

static void count(struct format_counts *counts, enum verdict verdict)
{
    counts->taken += verdict == TAKEN;
    counts->skipped += verdict == SKIPPED;
    counts->bad += verdict == BAD;
}

/* A line without its end; false at the end of the stream. What does not fit is read and lost. */
static bool read_line(FILE *from, char line[LINE_MAX_BYTES], struct span *out, bool *whole)
{
    if (!fgets(line, LINE_MAX_BYTES, from)) {
        return false;
    }
    *out = span_str(line);
    *whole = span_ends(*out, SPAN("\n")) || feof(from);
    for (int c = 0; !*whole && c != '\n' && c != EOF;) {
        c = fgetc(from);
    }
    while (span_ends(*out, SPAN("\n")) || span_ends(*out, SPAN("\r"))) {
        out->len--;
    }
    return true;
}

static struct format_counts read_lines(FILE *from, uint64_t limit, struct trace *trace,
                                       enum verdict (*take)(struct span, struct trace *))
{
    static char buffer[LINE_MAX_BYTES];
    struct format_counts counts = {0};
    struct span line;
    bool whole;

    while ((!limit || counts.taken < limit) && read_line(from, buffer, &line, &whole)) {
        if (line.len) {
            count(&counts, whole ? take(line, trace) : BAD);
        }
    }
    return counts;
}

static struct format_counts read_u32(FILE *from, uint64_t limit, struct trace *trace)
{
    struct format_counts counts = {0};
    uint8_t bytes[4];
    size_t got = 0;

    while ((!limit || counts.taken < limit) && (got = fread(bytes, 1, 4, from)) == 4) {
        count(&counts, take_u32(bytes, trace));
        got = 0;
    }
    counts.bad += got > 0 && got < 4;
    return counts;
}

struct format_counts format_read(enum format format, FILE *from, uint64_t limit,
                                 struct trace *trace)
{
    switch (format) {
    case FORMAT_U32:
        return read_u32(from, limit, trace);
    case FORMAT_TEXT:
        return read_lines(from, limit, trace, take_text);
    case FORMAT_SQUID:
        return read_lines(from, limit, trace, take_squid);
    }
    UNREACHABLE();
}
