/*
 * wire - big-endian cursors with a sticky error: read or write a whole format, then check once. Not
 * thread-safe; owns nothing.
 *
 * A cursor never touches bytes outside its memory. What does not fit sets `failed` and does
 * nothing; everything after that fails, too, and reads return 0.
 */
#ifndef LARDER_BASE_WIRE_H
#define LARDER_BASE_WIRE_H

#include "base/span.h"

struct wire_in {
    const uint8_t *start;
    const uint8_t *at; /* the next byte */
    const uint8_t *end;
    bool failed;
};

struct wire_out {
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    bool failed;
};

static inline struct wire_in wire_in_of(const void *bytes, size_t len)
{
    const uint8_t *start = (const uint8_t *)bytes;
    return (struct wire_in){start, start, start + len, false};
}

static inline struct wire_out wire_out_of(void *room, size_t len)
{
    uint8_t *start = (uint8_t *)room;
    return (struct wire_out){start, start, start + len, false};
}

/* The number that these two bytes are, and the other way round. */
static inline uint16_t wire_u16_at(const uint8_t *at)
{
    return (uint16_t)((unsigned)at[0] << 8 | at[1]);
}

static inline void wire_u16_to(uint8_t *at, uint16_t value)
{
    const uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    memcpy(at, bytes, sizeof(bytes));
}

/* Bytes not read so far. */
static inline size_t wire_left(const struct wire_in *in)
{
    return (size_t)(in->end - in->at);
}

/* Offset of the next byte. */
static inline size_t wire_in_offset(const struct wire_in *in)
{
    return (size_t)(in->at - in->start);
}

/* Returns the next `n` bytes, in place; NULL after an error. */
static inline const uint8_t *wire_get(struct wire_in *in, size_t n)
{
    const uint8_t *at = in->at;

    if (in->failed || n > wire_left(in)) {
        in->failed = true;
        return NULL;
    }
    in->at += n;
    return at;
}

static inline uint8_t wire_get_u8(struct wire_in *in)
{
    const uint8_t *at = wire_get(in, 1);
    return at ? at[0] : 0;
}

static inline uint16_t wire_get_u16(struct wire_in *in)
{
    const uint8_t *at = wire_get(in, 2);
    return at ? wire_u16_at(at) : 0;
}

static inline uint32_t wire_get_u32(struct wire_in *in)
{
    const uint8_t *at = wire_get(in, 4);
    return at ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3] : 0;
}

static inline uint64_t wire_get_u64(struct wire_in *in)
{
    uint64_t high = wire_get_u32(in);
    return high << 32 | wire_get_u32(in);
}

static inline struct span wire_get_span(struct wire_in *in, size_t n)
{
    const uint8_t *at = wire_get(in, n);
    return at ? span_of(at, n) : SPAN_EMPTY;
}

/* Bytes that still fit. */
static inline size_t wire_room(const struct wire_out *out)
{
    return (size_t)(out->end - out->at);
}

/* Bytes written so far. */
static inline size_t wire_out_len(const struct wire_out *out)
{
    return (size_t)(out->at - out->start);
}

/* Returns room for the next `n` bytes, which the caller fills in; NULL after an error. */
static inline uint8_t *wire_put(struct wire_out *out, size_t n)
{
    uint8_t *at = out->at;

    if (out->failed || n > wire_room(out)) {
        out->failed = true;
        return NULL;
    }
    out->at += n;
    return at;
}

static inline void wire_put_u8(struct wire_out *out, uint8_t value)
{
    uint8_t *at = wire_put(out, 1);

    if (at) {
        at[0] = value;
    }
}

static inline void wire_put_u16(struct wire_out *out, uint16_t value)
{
    uint8_t *at = wire_put(out, 2);

    if (at) {
        wire_u16_to(at, value);
    }
}

static inline void wire_put_u32(struct wire_out *out, uint32_t value)
{
    wire_put_u16(out, (uint16_t)(value >> 16));
    wire_put_u16(out, (uint16_t)value);
}

static inline void wire_put_u64(struct wire_out *out, uint64_t value)
{
    wire_put_u32(out, (uint32_t)(value >> 32));
    wire_put_u32(out, (uint32_t)value);
}

static inline void wire_put_bytes(struct wire_out *out, const void *bytes, size_t n)
{
    uint8_t *at = wire_put(out, n);

    if (at && n) {
        memcpy(at, bytes, n);
    }
}

#endif
