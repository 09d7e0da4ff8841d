#include "cache/store/object.h"

#include "base/check.h"
#include "base/err.h"

#include <assert.h>
#include <xxhash.h>

#define RECORD_MAGIC 0x4a424f4cu /* "LOBJ" */

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are written as they lie");

struct disk_record {
    uint32_t magic;
    uint32_t kind;
    uint64_t sum;
    uint8_t hash[STORE_HASH];
    uint64_t body_len;
    uint32_t key_len;
    uint32_t head_len;
    uint32_t chunk_count;
    uint32_t zero;
};
static_assert(sizeof(struct disk_record) == 56, "drawn in object.h");
static_assert(sizeof(struct store_chunk) == 24, "drawn in object.h");

struct disk_location {
    uint32_t sum;
    uint32_t segment, object, low_segment, head_segment, head_object;
    uint32_t head_len;
    uint32_t meta_len;
    uint64_t body_len;
    uint8_t meta[STORE_META_MAX];
};
static_assert(offsetof(struct disk_location, meta) == LOCATION_FIXED, "drawn in object.h");
static_assert(sizeof(struct disk_location) == LOCATION_MAX, "no padding");

static_assert(offsetof(struct disk_record, hash) == RECORD_SUMMED_FROM, "drawn in object.h");

static uint64_t inline_len(enum record_kind kind, size_t chunk_count, uint64_t body_len)
{
    return kind == RECORD_OBJECT && chunk_count == 0 ? body_len : 0;
}

size_t record_size(const struct record *record)
{
    return sizeof(struct disk_record) + record->chunk_count * sizeof(struct store_chunk) +
           record->key.len + record->head.len +
           (size_t)inline_len(record->kind, record->chunk_count, record->body_len);
}

static char *put(char *at, const void *bytes, size_t len)
{
    if (len) {
        memcpy(at, bytes, len);
    }
    return at + len;
}

void *record_write(void *at, const struct record *record)
{
    struct disk_record head = {
        .magic = RECORD_MAGIC,
        .kind = record->kind,
        .body_len = record->body_len,
        .key_len = (uint32_t)record->key.len,
        .head_len = (uint32_t)record->head.len,
        .chunk_count = (uint32_t)record->chunk_count,
    };
    memcpy(head.hash, record->hash, STORE_HASH);

    char *to = put(at, &head, sizeof(head));
    for (size_t i = 0; i < record->chunk_count; i++) {
        struct store_chunk chunk;
        memset(&chunk, 0, sizeof(chunk)); /* the padding is written to disk, too */
        chunk.segment = record->chunks[i].segment;
        chunk.number = record->chunks[i].number;
        chunk.len = record->chunks[i].len;
        chunk.sum = record->chunks[i].sum;
        to = put(to, &chunk, sizeof(chunk));
    }
    to = put(to, record->key.at, record->key.len);
    return put(to, record->head.at, record->head.len);
}

static uint64_t sum_of(const char *value, size_t size)
{
    return XXH3_64bits(value + RECORD_SUMMED_FROM, size - RECORD_SUMMED_FROM);
}

void record_seal(void *at, size_t size)
{
    uint64_t sum = sum_of(at, size);

    memcpy((char *)at + offsetof(struct disk_record, sum), &sum, sizeof(sum));
}

/* Compares the lengths in a header, of 32 bits each, with that of the value, without overflow. */
static bool lengths_hold(const struct disk_record *head, size_t size)
{
    uint64_t rest = size - sizeof(*head);
    uint64_t known = (uint64_t)head->chunk_count * sizeof(struct store_chunk) + head->key_len +
                     (uint64_t)head->head_len;

    return known <= rest &&
           rest - known == inline_len(head->kind, head->chunk_count, head->body_len);
}

int record_read(struct span value, struct record *out)
{
    struct disk_record head;

    if (value.len < sizeof(head)) {
        return ERR_CORRUPT;
    }
    memcpy(&head, value.at, sizeof(head));
    if (head.magic != RECORD_MAGIC || (head.kind != RECORD_OBJECT && head.kind != RECORD_HEAD) ||
        !lengths_hold(&head, value.len)) {
        return ERR_CORRUPT;
    }
    const char *table = value.at + sizeof(head);
    const char *key = table + head.chunk_count * sizeof(struct store_chunk);
    const char *fields = key + head.key_len;
    const char *body = fields + head.head_len;
    *out = (struct record){
        .kind = head.kind,
        .body_len = head.body_len,
        .key = span_of(key, head.key_len),
        .head = span_of(fields, head.head_len),
        .body = span_from_to(body, value.at + value.len),
        .chunks = head.chunk_count ? (const void *)table : NULL,
        .chunk_count = head.chunk_count,
    };
    memcpy(out->hash, head.hash, STORE_HASH);
    return 0;
}

bool record_chunks_hold(const struct record *record)
{
    uint64_t total = 0;

    for (size_t i = 0; i < record->chunk_count; i++) {
        uint32_t len = record->chunks[i].len;
        if (len == 0 || len > STORE_CHUNK || (len < STORE_CHUNK && i + 1 < record->chunk_count)) {
            return false;
        }
        total += len;
    }
    return record->chunk_count == 0 || total == record->body_len;
}

int record_judge(struct span value, const struct record *record, uint64_t sum)
{
    uint64_t told;

    memcpy(&told, value.at + offsetof(struct disk_record, sum), sizeof(told));
    return told == sum && record_chunks_hold(record) ? 0 : ERR_CORRUPT;
}

int record_verify(struct span value, const struct record *record)
{
    return record_judge(value, record, sum_of(value.at, value.len));
}

static uint32_t location_sum(const struct disk_location *disk, const uint8_t hash[STORE_HASH])
{
    const char *from = (const char *)disk + sizeof(disk->sum);
    uint64_t seed;

    memcpy(&seed, hash, sizeof(seed));
    return (uint32_t)XXH3_64bits_withSeed(from, LOCATION_FIXED - sizeof(disk->sum) + disk->meta_len,
                                          seed);
}

size_t location_write(const struct location *location, const uint8_t hash[STORE_HASH],
                      uint8_t out[LOCATION_MAX])
{
    struct disk_location disk = {
        .segment = location->segment,
        .object = location->object,
        .low_segment = location->low_segment,
        .head_segment = location->head_segment,
        .head_object = location->head_object,
        .head_len = location->head_len,
        .meta_len = location->meta_len,
        .body_len = location->body_len,
    };
    CHECK(location->meta_len <= STORE_META_MAX);
    memcpy(disk.meta, location->meta, location->meta_len);
    disk.sum = location_sum(&disk, hash);
    memcpy(out, &disk, sizeof(disk));
    return LOCATION_FIXED + location->meta_len;
}

int location_read(struct span value, const uint8_t hash[STORE_HASH], struct location *out)
{
    struct disk_location disk = {0};

    if (value.len < LOCATION_FIXED || value.len > LOCATION_MAX) {
        return ERR_CORRUPT;
    }
    memcpy(&disk, value.at, value.len);
    if (disk.meta_len != value.len - LOCATION_FIXED || disk.sum != location_sum(&disk, hash)) {
        return ERR_CORRUPT;
    }
    *out = (struct location){
        .segment = disk.segment,
        .object = disk.object,
        .low_segment = disk.low_segment,
        .head_segment = disk.head_segment,
        .head_object = disk.head_object,
        .head_len = disk.head_len,
        .body_len = disk.body_len,
        .meta_len = disk.meta_len,
    };
    memcpy(out->meta, disk.meta, disk.meta_len);
    return 0;
}
