/*
 * append - appends values to a log: new objects, and what an eviction copies. For the writer's
 * thread, inside a batch. An error other than ERR_AGAIN (append_room() only) makes the batch fail.
 */
#ifndef LARDER_CACHE_STORE_APPEND_H
#define LARDER_CACHE_STORE_APPEND_H

#include "cache/store/disk.h"

/* Makes room for a value of `size` bytes in the log's open segment, and begins its transaction. If
 * the segment is full it calls disk_next_segment(), whose errors it returns. */
int append_room(struct disk *disk, enum s3_log log, size_t size);

/* A record that was reserved in the open segment, without its body. */
struct appended {
    struct segment *segment;
    uint32_t number;
    char *body; /* where the body goes */
    void *at;   /* the whole record */
    size_t size;
};

/* Writes the whole record but its body. There must be room. Call append_seal() before anything else
 * is appended. */
int append_record(struct disk *disk, enum s3_log log, const struct record *record,
                  struct appended *out);
/* Completes a record whose body was written. `uses`: initial value of its counter. */
void append_seal(const struct appended *appended, uint64_t object_size,
                 const uint8_t hash[STORE_HASH], uint8_t uses);

/* Reserves a chunk of `len` bytes. The caller must fill *at and set chunk->sum before anything else
 * is appended. There must be room. */
int append_chunk(struct disk *disk, enum s3_log log, const uint8_t owner[STORE_HASH], size_t len,
                 void **at, struct store_chunk *chunk);

/* The tag by which the eviction policy knows an object. */
uint32_t append_tag(const uint8_t hash[STORE_HASH]);

#endif
