/*
 * object - the records of the store as bytes. Pure. All integers little endian.
 *
 * Object record, in database `o` of a segment:
 *
 *   0        4      8            16             32         40        44         48       52     56
 *   +--------+------+------------+--------------+----------+---------+----------+--------+------+
 *   | magic  | kind | sum        | hash         | body_len | key_len | head_len | chunks | 0    |
 *   +--------+------+------------+--------------+----------+---------+----------+--------+------+
 *   | chunks × {u32 segment, u32 number, u32 len, u32 0, u64 sum}                                |
 *   | key text | head | the body, when there are no chunks and kind is OBJECT                    |
 *   +--------------------------------------------------------------------------------------------+
 *
 * `sum` is XXH3-64 over everything behind it. Kind HEAD is what an update writes: the key and a
 * newer head for an object whose body stays where it is. The chunk table comes first so that it is
 * aligned and can be lent as it lies.
 *
 * Location, in database `obj` of the index, under the 16-byte key hash:
 *
 *   0     4         8        12            16             20            24         28         32
 *   +-----+---------+--------+-------------+--------------+-------------+----------+----------+
 *   | sum | segment | object | low segment | head segment | head object | head_len | meta_len |
 *   +-----+---------+--------+-------------+--------------+-------------+----------+----------+
 *   | body_len (8)  | meta bytes ...                                                          |
 *   +---------------+-------------------------------------------------------------------------+
 *
 * Its sum is XXH3-64, seeded with the first half of the key hash, cut to 32 bits.
 */
#ifndef LARDER_CACHE_STORE_OBJECT_H
#define LARDER_CACHE_STORE_OBJECT_H

#include "cache/store/store.h"

enum record_kind { RECORD_OBJECT = 1, RECORD_HEAD = 2 };

/* A parsed object record. Spans point into the value. */
struct record {
    enum record_kind kind;
    uint8_t hash[STORE_HASH];
    uint64_t body_len;
    struct span key;
    struct span head;
    struct span body; /* inline; empty if there are chunks */
    const struct store_chunk *chunks;
    size_t chunk_count;
};

/* Size of the value for this record. Reads only lengths and counts. */
size_t record_size(const struct record *record);

/* Writes all but body and checksum, and returns where the body goes. `at` has record_size() bytes,
 * aligned to 8. Call record_seal() once the body is written. */
void *record_write(void *at, const struct record *record);
void record_seal(void *at, size_t size);

/* Parses a record; `value` is aligned to 8. Returns 0, or ERR_CORRUPT if lengths do not add up.
 * record_verify() checks the checksum, and the chunk table against the body length. */
int record_read(struct span value, struct record *out);
int record_verify(struct span value, const struct record *record);
/* Does each chunk have its proper length, and all together that of the body? */
bool record_chunks_hold(const struct record *record);
/* Like record_verify(), if the checksum is computed already: XXH3 of everything behind the first
 * RECORD_SUMMED_FROM bytes. */
#define RECORD_SUMMED_FROM 16
int record_judge(struct span value, const struct record *record, uint64_t sum);

/* Where an object is, and the caller's metadata. */
struct location {
    uint32_t segment, object;
    uint32_t low_segment;               /* the oldest segment with a part of the body */
    uint32_t head_segment, head_object; /* place of a newer head; 0, 0: none */
    uint32_t head_len;
    uint64_t body_len;
    uint32_t meta_len;
    uint8_t meta[STORE_META_MAX];
};

#define LOCATION_FIXED 40
#define LOCATION_MAX (LOCATION_FIXED + STORE_META_MAX)

/* Returns how many bytes of `out` are used. */
size_t location_write(const struct location *location, const uint8_t hash[STORE_HASH],
                      uint8_t out[LOCATION_MAX]);
/* 0 or ERR_CORRUPT. */
int location_read(struct span value, const uint8_t hash[STORE_HASH], struct location *out);

#endif
