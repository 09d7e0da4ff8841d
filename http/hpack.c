#include "http/hpack.h"

#include "base/check.h"
#include "http/put.h"

#include <string.h>

enum {
    ENTRY_OVERHEAD = 32,        /* RFC 7541 4.1 */
    STATIC_ENTRIES = 61,        /* Appendix A; the dynamic table follows it (2.3.3) */
    ENTRY_MAX = HPACK_TEXT / 4, /* larger fields would evict too many others */
    COUNTERS_MAX = 1u << 30,
};

/* The first byte of each representation, and the number of its bits that hold the index (RFC 7541
 * 6). */
enum {
    INDEXED = 0x80,
    INDEXED_BITS = 7,
    INCREMENTAL = 0x40,
    INCREMENTAL_BITS = 6,
    NOT_INDEXED = 0x00,
    NEVER_INDEXED = 0x10,
    NOT_INDEXED_BITS = 4,
    LENGTH_BITS = 7,
};

/* A field in a saved block: this header, the name if its id does not tell it, and the value. */
struct kept {
    uint16_t id;
    uint16_t name_len;
    uint32_t value_len;
};

_Static_assert(sizeof(struct kept) == HPACK_KEPT, "as the header says");

/* ---- properties of names ---- */

/* Index of the first entry with each name in the static table (RFC 7541, Appendix A). */
static const uint8_t static_index[FIELD_COUNT] = {
    [FIELD_ACCEPT_CHARSET] = 15,
    [FIELD_ACCEPT_ENCODING] = 16,
    [FIELD_ACCEPT_LANGUAGE] = 17,
    [FIELD_ACCEPT_RANGES] = 18,
    [FIELD_ACCEPT] = 19,
    [FIELD_AGE] = 21,
    [FIELD_ALLOW] = 22,
    [FIELD_AUTHORIZATION] = 23,
    [FIELD_CACHE_CONTROL] = 24,
    [FIELD_CONTENT_ENCODING] = 26,
    [FIELD_CONTENT_LANGUAGE] = 27,
    [FIELD_CONTENT_LENGTH] = 28,
    [FIELD_CONTENT_LOCATION] = 29,
    [FIELD_CONTENT_RANGE] = 30,
    [FIELD_CONTENT_TYPE] = 31,
    [FIELD_COOKIE] = 32,
    [FIELD_DATE] = 33,
    [FIELD_ETAG] = 34,
    [FIELD_EXPECT] = 35,
    [FIELD_EXPIRES] = 36,
    [FIELD_HOST] = 38,
    [FIELD_IF_MATCH] = 39,
    [FIELD_IF_MODIFIED_SINCE] = 40,
    [FIELD_IF_NONE_MATCH] = 41,
    [FIELD_IF_RANGE] = 42,
    [FIELD_IF_UNMODIFIED_SINCE] = 43,
    [FIELD_LAST_MODIFIED] = 44,
    [FIELD_LOCATION] = 46,
    [FIELD_MAX_FORWARDS] = 47,
    [FIELD_PROXY_AUTHENTICATE] = 48,
    [FIELD_PROXY_AUTHORIZATION] = 49,
    [FIELD_RANGE] = 50,
    [FIELD_REFERER] = 51,
    [FIELD_RETRY_AFTER] = 53,
    [FIELD_SERVER] = 54,
    [FIELD_SET_COOKIE] = 55,
    [FIELD_TRANSFER_ENCODING] = 57,
    [FIELD_USER_AGENT] = 58,
    [FIELD_VARY] = 59,
    [FIELD_VIA] = 60,
    [FIELD_WWW_AUTHENTICATE] = 61,
};

enum indexing {
    MAY_BE_INDEXED,
    IS_NOT_INDEXED,   /* the value differs from message to message */
    IS_NEVER_INDEXED, /* the value is a secret, which must not be revealed by how well it compresses
                         (RFC 7541 7.1.3) */
};

static const uint8_t indexing_of[FIELD_COUNT] = {
    [FIELD_AGE] = IS_NOT_INDEXED,           [FIELD_CONTENT_LENGTH] = IS_NOT_INDEXED,
    [FIELD_CONTENT_RANGE] = IS_NOT_INDEXED, [FIELD_ETAG] = IS_NOT_INDEXED,
    [FIELD_LOCATION] = IS_NOT_INDEXED,      [FIELD_AUTHORIZATION] = IS_NEVER_INDEXED,
    [FIELD_COOKIE] = IS_NEVER_INDEXED,      [FIELD_PROXY_AUTHORIZATION] = IS_NEVER_INDEXED,
    [FIELD_SET_COOKIE] = IS_NEVER_INDEXED,
};

/* ---- integers and strings (RFC 7541 5) ---- */

static char *put_integer(char *at, unsigned first, unsigned bits, size_t value)
{
    size_t most = (1u << bits) - 1;

    if (value < most) {
        *at++ = (char)(first | value);
        return at;
    }
    *at++ = (char)(first | most);
    for (value -= most; value >= 0x80; value >>= 7) {
        *at++ = (char)(0x80 | (value & 0x7f));
    }
    *at++ = (char)value;
    return at;
}

static char *put_string(char *at, struct span text)
{
    return put_span(put_integer(at, 0, LENGTH_BITS, text.len), text);
}

/* ---- saved fields ---- */

static char *put_small(char *at, struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        at[i] = ascii_lower(name.at[i]);
    }
    return at + name.len;
}

char *hpack_keep(char *at, const struct http_field *field)
{
    bool is_known = field->id != FIELD_OTHER;
    struct kept kept = {
        .id = (uint16_t)field->id,
        .name_len = (uint16_t)(is_known ? 0 : field->name.len),
        .value_len = (uint32_t)field->value.len,
    };

    memcpy(at, &kept, sizeof(kept));
    at += sizeof(kept);
    if (!is_known) {
        at = put_small(at, field->name);
    }
    return put_span(at, field->value);
}

/* Reads a saved field. The name is present only if its id does not tell it. */
static const char *take_kept(const char *at, struct http_field *field)
{
    struct kept kept;

    memcpy(&kept, at, sizeof(kept));
    at += sizeof(kept);
    field->id = kept.id;
    field->name = span_of(at, kept.name_len);
    field->value = span_of(at + kept.name_len, kept.value_len);
    return at + kept.name_len + kept.value_len;
}

static struct span name_of(const struct http_field *field)
{
    return field->id == FIELD_OTHER ? field->name : http_field_name_small(field->id);
}

/* ---- the dynamic table ---- */

static uint64_t eight_at(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

static uint64_t four_at(const char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/* Hashes only the length and both ends of a text. Texts that differ only in between get the same
 * hash; then only one of them is indexed. */
static uint64_t mix(uint64_t hash, struct span text)
{
    const uint64_t odd = 0x9e3779b97f4a7c15;
    uint64_t first = 0, last = 0;

    if (text.len >= 8) {
        first = eight_at(text.at);
        last = eight_at(text.at + text.len - 8);
    } else if (text.len >= 4) {
        first = four_at(text.at);
        last = four_at(text.at + text.len - 4);
    } else if (text.len > 0) {
        first = (unsigned char)text.at[0];
        last = (unsigned char)text.at[text.len - 1];
    }
    hash = (hash ^ first ^ text.len) * odd;
    hash = (hash ^ hash >> 32 ^ last) * odd;
    return hash ^ hash >> 29;
}

static uint32_t hash_of(const struct http_field *field)
{
    uint64_t hash = mix((uint64_t)field->id << 56, field->value);

    if (field->id == FIELD_OTHER) {
        hash = mix(hash, field->name);
    }
    return (uint32_t)(hash >> 32) | 1; /* 0 marks a free slot */
}

void hpack_table_init(struct hpack_table *table)
{
    table->inserted = 0;
    table->bytes = 0;
    table->text_len = 0;
    memset(table->slots, 0, sizeof(table->slots));
}

/* Does the decoder still have the entry? Entries are evicted in the order in which they were added,
 * when the later ones leave no room (RFC 7541 4.4). */
static bool is_there(const struct hpack_table *table, const struct hpack_slot *slot)
{
    return slot->number && table->bytes - slot->before <= HPACK_TABLE &&
           table->text_len - slot->at <= HPACK_TEXT;
}

static bool is_same(const struct hpack_table *table, const struct hpack_slot *slot,
                    const struct http_field *field)
{
    const char *text = table->text + slot->at % HPACK_TEXT;

    return slot->id == field->id && slot->value_len == field->value.len &&
           slot->name_len == field->name.len &&
           memcmp(text + slot->name_len, field->value.at, slot->value_len) == 0 &&
           (slot->name_len == 0 || memcmp(text, field->name.at, slot->name_len) == 0);
}

static struct hpack_slot *slot_with(struct hpack_slot *set, uint32_t hash)
{
    if (set[0].hash == hash) {
        return &set[0];
    }
    return set[1].hash == hash ? &set[1] : NULL;
}

/* Frees set[0] for a field that was not seen lately. Of the two old slots the one whose entry is in
 * the dynamic table stays, otherwise the newer one. */
static void replace(const struct hpack_table *table, struct hpack_slot *set, uint32_t hash)
{
    if (!is_there(table, &set[1]) || is_there(table, &set[0])) {
        set[1] = set[0];
    }
    set[0] = (struct hpack_slot){.hash = hash};
}

static void insert(struct hpack_table *table, struct hpack_slot *slot,
                   const struct http_field *field)
{
    size_t len = field->name.len + field->value.len;
    size_t to_end = HPACK_TEXT - table->text_len % HPACK_TEXT;

    if (len > to_end) {
        table->text_len += (uint32_t)to_end;
    }
    slot->number = ++table->inserted;
    slot->before = table->bytes;
    slot->at = table->text_len;
    slot->id = (uint8_t)field->id;
    slot->name_len = (uint16_t)field->name.len;
    slot->value_len = (uint16_t)field->value.len;
    char *text = table->text + slot->at % HPACK_TEXT;
    put_span(put_span(text, field->name), field->value);
    table->text_len += (uint32_t)len;
    table->bytes += (uint32_t)(name_of(field).len + field->value.len + ENTRY_OVERHEAD);
}

/* ---- representations (RFC 7541 6) ---- */

static char *put_literal(char *at, unsigned first, unsigned bits, const struct http_field *field)
{
    size_t index = static_index[field->id];

    at = put_integer(at, first, bits, index);
    if (index == 0) {
        at = put_string(at, name_of(field));
    }
    return put_string(at, field->value);
}

static char *put_by_table(struct hpack_table *table, char *at, const struct http_field *field)
{
    uint32_t hash = hash_of(field);
    struct hpack_slot *set = table->slots[(hash >> 1) % HPACK_SETS];
    struct hpack_slot *slot = slot_with(set, hash);

    if (slot == NULL) {
        replace(table, set, hash);
        return put_literal(at, NOT_INDEXED, NOT_INDEXED_BITS, field);
    }
    if (!is_there(table, slot)) {
        insert(table, slot, field);
        return put_literal(at, INCREMENTAL, INCREMENTAL_BITS, field);
    }
    if (!is_same(table, slot, field)) {
        return put_literal(at, NOT_INDEXED, NOT_INDEXED_BITS, field);
    }
    size_t index = STATIC_ENTRIES + 1 + table->inserted - slot->number;
    return put_integer(at, INDEXED, INDEXED_BITS, index);
}

static bool fits(const struct http_field *field)
{
    return field->name.len + field->value.len <= ENTRY_MAX;
}

static char *put_field(struct hpack_table *table, char *at, const struct http_field *field)
{
    enum indexing indexing = indexing_of[field->id];

    if (indexing == IS_NEVER_INDEXED) {
        return put_literal(at, NEVER_INDEXED, NOT_INDEXED_BITS, field);
    }
    if (indexing == IS_NOT_INDEXED || table == NULL || !fits(field)) {
        return put_literal(at, NOT_INDEXED, NOT_INDEXED_BITS, field);
    }
    return put_by_table(table, at, field);
}

char *hpack_put_status(char *at, int status)
{
    enum { STATUS = 8 };
    static const uint16_t known[] = {200, 204, 206, 304, 400, 404, 500};

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (status == known[i]) {
            return put_integer(at, INDEXED, INDEXED_BITS, STATUS + i);
        }
    }
    char text[3];
    put_digits(text, (uint64_t)status, sizeof(text));
    at = put_integer(at, NOT_INDEXED, NOT_INDEXED_BITS, STATUS);
    return put_string(at, span_of(text, sizeof(text)));
}

char *hpack_encode(struct hpack_table *table, struct span kept, char *at)
{
    if (table && (table->bytes > COUNTERS_MAX || table->text_len > COUNTERS_MAX)) {
        hpack_table_init(table); /* the numbers begin again, so that no old slot must look valid */
    }
    for (const char *next = kept.at, *end = kept.at + kept.len; next < end;) {
        struct http_field field;
        next = take_kept(next, &field);
        at = put_field(table, at, &field);
    }
    return at;
}
