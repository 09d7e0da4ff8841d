/* partial_table - encodes and decodes the table of pieces for the store. */
#include "cache/partial_parts.h"

/*
 * u32 format (1)   u32 flags   u64 version   u64 length   then {u64 from, u64 to} for each piece
 *
 * Little endian, unaligned. Read as untrusted input, because a disk may return anything.
 */
enum { TABLE_FORMAT = 1, TABLE_JOINS = 1, TABLE_RANGES = 2, TABLE_HEAD = 24, TABLE_ROW = 16 };

struct table_head {
    uint32_t format, flags;
    uint64_t version, length;
};
_Static_assert(sizeof(struct table_head) == TABLE_HEAD, "drawn above");
_Static_assert(sizeof(struct piece_range) == TABLE_ROW, "drawn above");

void partial_encode(struct partial *partial, struct buf *out)
{
    struct table_head head = {
        .format = TABLE_FORMAT,
        .flags = (partial->joins ? TABLE_JOINS : 0) | (partial->ranges ? TABLE_RANGES : 0),
        .version = partial->version,
        .length = partial->length,
    };

    buf_append(out, span_of(&head, sizeof(head)));
    partial_lock(partial);
    for (size_t i = 0; i < partial->count; i++) {
        const struct piece *piece = partial->pieces[i];
        if (piece->state == PIECE_STORED) {
            buf_append(out, span_of(&piece->range, sizeof(piece->range)));
        }
    }
    partial_unlock(partial);
}

size_t partial_unread(struct partial *partial, uint64_t *from, size_t max)
{
    size_t n = 0;

    partial_lock(partial);
    for (size_t i = 0; i < partial->count && n < max && list_empty(&partial->readers); i++) {
        const struct piece *piece = partial->pieces[i];
        if (piece->state == PIECE_STORED) {
            from[n++] = piece->range.from;
        }
    }
    partial_unlock(partial);
    return n;
}

static bool decode_rows(struct partial *partial, struct span rows)
{
    uint64_t end = 0;

    for (; rows.len > 0; rows = span_skip(rows, TABLE_ROW)) {
        struct piece_range range;
        memcpy(&range, rows.at, sizeof(range));
        if (range.from < end || range.to <= range.from || range.to > partial->length) {
            return false;
        }
        end = range.to;
        partial_insert(partial, partial->count, piece_new(range.from, range.to, PIECE_STORED));
    }
    return partial->joins || partial->count <= 1;
}

struct partial *partial_decode(const struct partial_options *options, struct span bytes)
{
    struct partial_options known = *options;
    struct table_head head;

    if (bytes.len < sizeof(head) || (bytes.len - sizeof(head)) % TABLE_ROW != 0 ||
        (bytes.len - sizeof(head)) / TABLE_ROW > PIECES_MAX) {
        return NULL;
    }
    memcpy(&head, bytes.at, sizeof(head));
    if (head.format != TABLE_FORMAT || head.length > INT64_MAX ||
        head.flags > (TABLE_JOINS | TABLE_RANGES)) {
        return NULL;
    }
    known.length = head.length;
    known.joins = head.flags & TABLE_JOINS;
    known.ranges = head.flags & TABLE_RANGES;
    struct partial *partial = partial_make(&known, head.version);
    if (!decode_rows(partial, span_skip(bytes, sizeof(head)))) {
        partial_unref(&partial);
    }
    return partial;
}

void partial_touch(struct partial *partial)
{
    partial_lock(partial);
    partial->changed = true;
    partial_unlock(partial);
}

bool partial_table_begin(struct partial *partial)
{
    partial_lock(partial);
    bool begin = partial->changed && !partial->storing;
    partial->storing = partial->storing || begin;
    partial->changed = partial->changed && !begin;
    partial_unlock(partial);
    return begin;
}

bool partial_table_stored(struct partial *partial)
{
    partial_lock(partial);
    partial->storing = false;
    bool again = partial->changed;
    partial_unlock(partial);
    return again;
}
