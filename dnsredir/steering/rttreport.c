#include "dnsredir/steering/rttreport.h"

#include "base/err.h"

void rtt_reader_begin(struct rtt_reader *reader, rtt_visit *visit, void *arg)
{
    reader->visit = visit;
    reader->arg = arg;
    reader->len = 0;
    reader->lines = 0;
    reader->has_head = false;
    reader->more = false;
    reader->epoch = 0;
    reader->next = 0;
}

static bool hexadecimal(struct span text, uint64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t value = 0;

    for (size_t i = 0; i < text.len; i++) {
        const char *digit = memchr(digits, text.at[i], 16);
        if (!digit) {
            return false;
        }
        value = value << 4 | (uint64_t)(digit - digits);
    }
    *out = value;
    return text.len > 0 && text.len <= 16;
}

/* "larder-rtt 1 epoch=HEX next=N more=0 ...": words nobody knows are for later versions. */
static int read_head(struct rtt_reader *reader, struct span line)
{
    bool has_epoch = false;
    bool has_next = false;

    if (!span_eq(span_cut(&line, ' '), SPAN("larder-rtt")) ||
        !span_eq(span_cut(&line, ' '), SPAN("1"))) {
        return ERR_SYNTAX;
    }
    while (line.len) {
        struct span value = span_cut(&line, ' ');
        struct span name = span_cut(&value, '=');
        if (span_eq(name, SPAN("epoch"))) {
            has_epoch = hexadecimal(value, &reader->epoch);
        } else if (span_eq(name, SPAN("next"))) {
            has_next = span_to_u64(value, UINT64_MAX, &reader->next);
        } else if (span_eq(name, SPAN("more"))) {
            reader->more = span_eq(value, SPAN("1"));
        }
    }
    reader->has_head = has_epoch && has_next;
    return reader->has_head ? 0 : ERR_SYNTAX;
}

static bool number(struct span *line, uint64_t least, uint64_t most, uint32_t *out)
{
    uint64_t value;

    if (!span_to_u64(span_cut(line, ' '), most, &value) || value < least) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

/* "192.0.2.0/24 MICROSECONDS SAMPLES AGE": columns behind these are for later versions, too. */
static int read_line(struct rtt_reader *reader, struct span text)
{
    struct span word = span_cut(&text, ' ');
    struct rtt_line line;
    struct prefix prefix;
    const char *what;

    if (prefix_parse(word, &prefix, &what)) {
        return ERR_SYNTAX;
    }
    line.network = network_of_prefix(&prefix);
    if (line.network == 0 || !number(&text, 1, RTT_US_MAX, &line.us) ||
        !number(&text, 1, RTT_SAMPLES_MAX, &line.samples) ||
        !number(&text, 0, RTT_AGE_MAX, &line.age)) {
        return ERR_SYNTAX;
    }
    if (reader->lines++ == RTT_LINES_MAX) {
        return ERR_TOO_LARGE;
    }
    reader->visit(reader->arg, &line);
    return 0;
}

int rtt_reader_take(struct rtt_reader *reader, struct span bytes)
{
    int err = 0;

    while (bytes.len && !err) {
        size_t len = span_find(bytes, '\n');
        bool ends = len < bytes.len;
        if (len > sizeof(reader->line) - reader->len) {
            return ERR_SYNTAX;
        }
        memcpy(reader->line + reader->len, bytes.at, len);
        reader->len += len;
        bytes = span_skip(bytes, len + ends);
        if (ends) {
            struct span line = span_of(reader->line, reader->len);
            err = reader->has_head ? read_line(reader, line) : read_head(reader, line);
            reader->len = 0;
        }
    }
    return err;
}

int rtt_reader_end(const struct rtt_reader *reader)
{
    return reader->has_head && reader->len == 0 ? 0 : ERR_TRUNCATED;
}
