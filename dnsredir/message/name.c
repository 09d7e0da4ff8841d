#include "dnsredir/message/name.h"

#include "base/check.h"
#include "base/err.h"
#include "base/swar.h"
#include "dnsredir/message/escape.h"

#include <stdio.h>

/* Copies in lower case. */
static void copy_lower(uint8_t *to, const uint8_t *from, size_t len)
{
    if (len < 8) {
        for (size_t i = 0; i < len; i++) {
            to[i] = (uint8_t)ascii_lower((char)from[i]);
        }
        return;
    }
    for (size_t i = 0; i < len; i += 8) {
        size_t at = i + 8 <= len ? i : len - 8; /* the last word may overlap the one before */
        swar_store(to + at, swar_lower(swar_load((const char *)from + at)));
    }
}

/* Makes room for one label; its bytes come later. */
static int name_expect_label(struct name *name, size_t len)
{
    if (name->len + len + 2 > NAME_MAX_LEN) {
        return ERR_TOO_LARGE;
    }
    name->label[name->labels++] = name->len;
    name->len = (uint8_t)(name->len + len + 1);
    return 0;
}

/* Adds one label; the root's 0 is added by name_end(). */
static int name_add_label(struct name *name, const uint8_t *bytes, size_t len)
{
    uint8_t *to = name->at + name->len;

    if (name_expect_label(name, len)) {
        return ERR_TOO_LARGE;
    }
    *to = (uint8_t)len;
    copy_lower(to + 1, bytes, len);
    return 0;
}

static void name_begin(struct name *name)
{
    name->len = 0;
    name->labels = 0;
}

static void name_end(struct name *name)
{
    name->at[name->len++] = 0;
}

/* Follows a pointer from `cursor` to an earlier place than `*limit`. */
static int follow_pointer(struct wire_in *cursor, uint8_t high, size_t *limit)
{
    size_t target = (size_t)(high & 0x3f) << 8 | wire_get_u8(cursor);

    if (cursor->failed || target >= *limit) {
        return ERR_SYNTAX;
    }
    *limit = target;
    cursor->at = cursor->start + target;
    return 0;
}

int name_read(struct wire_in *in, struct name *out)
{
    struct wire_in cursor = *in;
    size_t limit = wire_in_offset(in);
    bool jumped = false;
    /* Labels side by side are copied at once with their lengths, none of which is a letter. */
    const uint8_t *labels = cursor.at;
    size_t copied = 0;

    name_begin(out);
    for (uint8_t length = wire_get_u8(&cursor); length; length = wire_get_u8(&cursor)) {
        if ((length & 0xc0) == 0xc0) {
            copy_lower(out->at + copied, labels, out->len - copied);
            copied = out->len;
            if (follow_pointer(&cursor, length, &limit)) {
                return ERR_SYNTAX;
            }
            labels = cursor.at;
            jumped = true;
            continue;
        }
        if (length > NAME_MAX_LABEL || !wire_get(&cursor, length) ||
            name_expect_label(out, length)) {
            return ERR_SYNTAX;
        }
    }
    if (cursor.failed) {
        return ERR_SYNTAX;
    }
    copy_lower(out->at + copied, labels, out->len - copied);
    name_end(out);
    if (jumped) {
        return name_skip(in);
    }
    *in = cursor;
    return 0;
}

int name_skip(struct wire_in *in)
{
    size_t total = 0;

    for (;;) {
        uint8_t length = wire_get_u8(in);
        if (in->failed || length == 0) {
            return in->failed ? ERR_SYNTAX : 0;
        }
        if ((length & 0xc0) == 0xc0) {
            return wire_get(in, 1) ? 0 : ERR_SYNTAX;
        }
        total += length + 1u;
        if (length > NAME_MAX_LABEL || total >= NAME_MAX_LEN || !wire_get(in, length)) {
            return ERR_SYNTAX;
        }
    }
}

void name_load(struct name *out, const uint8_t *wire)
{
    name_begin(out);
    while (*wire) {
        CHECK(name_add_label(out, wire + 1, *wire) == 0);
        wire += *wire + 1;
    }
    name_end(out);
}

/* Parses one label up to a dot or the end, and skips the dot. */
static int parse_label(struct span *text, struct name *out)
{
    uint8_t label[NAME_MAX_LABEL];
    size_t len = 0;

    while (text->len && text->at[0] != '.') {
        uint8_t byte;
        if (escape_read(text, &byte)) {
            return ERR_SYNTAX;
        }
        if (len == sizeof(label)) {
            return ERR_TOO_LARGE;
        }
        label[len++] = byte;
    }
    return len ? name_add_label(out, label, len) : ERR_SYNTAX;
}

static int append_labels(struct name *name, const struct name *suffix)
{
    for (unsigned i = 0; i < suffix->labels; i++) {
        const uint8_t *label = suffix->at + suffix->label[i];
        if (name_add_label(name, label + 1, label[0])) {
            return ERR_TOO_LARGE;
        }
    }
    return 0;
}

int name_parse(struct span text, const struct name *origin, struct name *out)
{
    bool absolute = false;

    name_begin(out);
    if (text.len == 0) {
        return ERR_SYNTAX;
    }
    if (span_eq(text, SPAN("."))) {
        name_end(out);
        return 0;
    }
    if (span_eq(text, SPAN("@"))) {
        text = SPAN_EMPTY;
    }
    while (text.len) {
        int err = parse_label(&text, out);
        if (err) {
            return err;
        }
        absolute = text.len == 1;
        text = span_skip(text, 1);
    }
    if (!absolute && origin && append_labels(out, origin)) {
        return ERR_TOO_LARGE;
    }
    name_end(out);
    return 0;
}

int name_parse_absolute(struct span text, struct name *out)
{
    return span_eq(text, SPAN("@")) ? ERR_SYNTAX : name_parse(text, NULL, out);
}

static char *text_byte(char *to, uint8_t byte)
{
    static const char special[] = ".\\\"();@$";

    if (byte <= ' ' || byte >= 127) {
        return to + sprintf(to, "\\%03u", (unsigned)byte);
    }
    if (memchr(special, byte, sizeof(special) - 1)) {
        *to++ = '\\';
    }
    *to++ = (char)byte;
    return to;
}

const char *name_text(const struct name *name, char *out)
{
    char *to = out;

    for (unsigned i = 0; i < name->labels; i++) {
        const uint8_t *label = name->at + name->label[i];
        for (unsigned n = 1; n <= label[0]; n++) {
            to = text_byte(to, label[n]);
        }
        *to++ = '.';
    }
    if (name->labels == 0) {
        *to++ = '.';
    }
    *to = '\0';
    return out;
}

bool name_eq(const struct name *a, const struct name *b)
{
    return a->len == b->len && memcmp(a->at, b->at, a->len) == 0;
}

bool name_is_below(const struct name *name, const struct name *zone)
{
    return name->labels >= zone->labels && name_common(name, zone) == zone->labels;
}

void name_suffix(const struct name *name, unsigned skip, struct name *out)
{
    CHECK(skip <= name->labels);
    name_load(out, name->at + (skip == name->labels ? name->len - 1 : name->label[skip]));
}

unsigned name_common(const struct name *a, const struct name *b)
{
    unsigned most = a->labels < b->labels ? a->labels : b->labels;
    unsigned same = 0;

    while (same < most) {
        const uint8_t *x = a->at + a->label[a->labels - 1 - same];
        const uint8_t *y = b->at + b->label[b->labels - 1 - same];
        if (memcmp(x, y, *x + 1u) != 0) {
            break;
        }
        same++;
    }
    return same;
}

/* Continues the hash of a suffix with the label in front of it, eight bytes at a time. The bytes
 * behind the label are read and masked away, which the padding of struct name allows. */
static uint64_t hash_label(uint64_t hash, const uint8_t *label)
{
    size_t left = label[0] + 1u;

    for (const uint8_t *at = label;; at += 8, left -= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        if (left < 8) {
            word &= (UINT64_C(1) << (8 * left)) - 1;
        }
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
        if (left <= 8) {
            return hash;
        }
    }
}

void name_hash_suffixes(const struct name *name, uint64_t *hashes)
{
    uint64_t hash = UINT64_C(0x243f6a8885a308d3);

    hashes[name->labels] = hash;
    for (unsigned i = name->labels; i-- > 0;) {
        hash = hash_label(hash, name->at + name->label[i]);
        hashes[i] = hash;
    }
}

uint64_t name_hash(const struct name *name)
{
    uint64_t hashes[NAME_MAX_LABELS + 1];

    name_hash_suffixes(name, hashes);
    return hashes[0];
}
