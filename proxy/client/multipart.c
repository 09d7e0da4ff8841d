#include "proxy/client/multipart.h"

#include "base/check.h"

enum {
    TYPE_MAX = 512,  /* longer Content-Types are not repeated before each part */
    TEXT_MAX = 1024, /* most bytes of text before a part, or at the end */
};

#define LENGTH_MAX ((uint64_t)INT64_MAX - (BODY_PARTS_MAX + 1) * (uint64_t)TEXT_MAX)

struct span multipart_boundary(const struct sip_key *secret, uint64_t serial, struct arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t hash[MULTIPART_BOUNDARY / 2];
    char *text = arena_alloc(arena, MULTIPART_BOUNDARY);

    sip_hash128(secret, span_of(&serial, sizeof(serial)), hash);
    for (size_t i = 0; i < sizeof(hash); i++) {
        text[2 * i] = digits[hash[i] >> 4];
        text[2 * i + 1] = digits[hash[i] & 15];
    }
    return span_of(text, MULTIPART_BOUNDARY);
}

bool multipart_suits(struct span type, uint64_t length)
{
    return type.len <= TYPE_MAX && length <= LENGTH_MAX;
}

/* The line break that ends the part before belongs to the delimiter; the first part has none. */
static struct span text_before(const struct multipart *multipart, size_t i)
{
    struct span range = content_range_format(multipart->ranges->at[i], (int64_t)multipart->length,
                                             multipart->arena);

    return arena_printf(multipart->arena, "%s--%.*s\r\n%s%.*s%sContent-Range: %.*s\r\n\r\n",
                        i > 0 ? "\r\n" : "", SPAN_ARGS(multipart->boundary),
                        multipart->type.len ? "Content-Type: " : "", SPAN_ARGS(multipart->type),
                        multipart->type.len ? "\r\n" : "", SPAN_ARGS(range));
}

uint64_t multipart_lay_out(const struct multipart *multipart, struct body_parts *out)
{
    const struct byte_ranges *ranges = multipart->ranges;
    uint64_t total = 0;

    CHECK(ranges->count > 0 && ranges->count <= BODY_PARTS_MAX);
    CHECK(multipart_suits(multipart->type, multipart->length));
    out->count = ranges->count;
    for (size_t i = 0; i < ranges->count; i++) {
        struct span text = text_before(multipart, i);
        CHECK(text.len <= TEXT_MAX);
        out->at[i] =
            (struct body_part){.before = text, ranges->at[i].first, ranges->at[i].last + 1};
        total += text.len + (out->at[i].to - out->at[i].from);
    }
    out->after = arena_printf(multipart->arena, "\r\n--%.*s--\r\n", SPAN_ARGS(multipart->boundary));
    return total + out->after.len;
}

struct span multipart_type(struct span boundary, struct arena *arena)
{
    return arena_printf(arena, "multipart/byteranges; boundary=%.*s", SPAN_ARGS(boundary));
}
