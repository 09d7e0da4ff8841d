/*
 * append - values at the end of a log: what arrives, and what an eviction keeps. The writer's
 * thread, inside a batch.
 *
 * A failure other than ERR_AGAIN (append_room() only) spoils the batch.
 */
#ifndef LARDER_CACHE_STORE_APPEND_H
#define LARDER_CACHE_STORE_APPEND_H

#include "cache/store/disk.h"

/* Room for a value of `size` bytes in the log's open segment, whose transaction is begun. As
 * disk_next_segment(), which this calls when the open one is full. */
int append_room(struct disk *disk, enum s3_log log, size_t size);

/* A record that was reserved in the open segment: the body is still to be filled in. */
struct appended {
    struct segment *segment;
    uint32_t number;
    char *body; /* where it goes */
    void *at;   /* the whole record */
    size_t size;
};

/* Writes all of the record but the body. There must be room. append_seal() follows before anything
 * else is appended. */
int append_record(struct disk *disk, enum s3_log log, const struct record *record,
                  struct appended *out);
/* The body is there. `uses`: what its counter begins with. */
void append_seal(const struct appended *appended, uint64_t object_size,
                 const uint8_t hash[STORE_HASH], uint8_t uses);

/* Reserves a chunk of `len` bytes; *at is to be filled, and chunk->sum to be set, before anything
 * else is appended. There must be room. */
int append_chunk(struct disk *disk, enum s3_log log, const uint8_t owner[STORE_HASH], size_t len,
                 void **at, struct store_chunk *chunk);

/* What the policy calls an object. */
uint32_t append_tag(const uint8_t hash[STORE_HASH]);

#endif
