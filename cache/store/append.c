#include "cache/store/append.h"

#include "base/err.h"

#define SEGMENTS_IN_VAIN 4

uint32_t append_tag(const uint8_t hash[STORE_HASH])
{
    uint32_t tag;

    /* the first four bytes choose the directory of the store */
    memcpy(&tag, hash + 4, sizeof(tag));
    return tag;
}

static int spoiled(struct disk *disk, enum s3_log log, int err)
{
    disk->spoiled[log] |= err == ERR_FULL || err == ERR_CORRUPT;
    return err;
}

int append_room(struct disk *disk, enum s3_log log, size_t size)
{
    /* while a new main segment is made, the eviction for it may fill it */
    for (int i = 0; !disk->open[log] || !segment_has_room(disk->open[log], size); i++) {
        int err = i < SEGMENTS_IN_VAIN ? disk_next_segment(disk, log) : ERR_FULL;
        if (err) {
            return err;
        }
    }
    return spoiled(disk, log, segment_write_begin(disk->open[log]));
}

int append_record(struct disk *disk, enum s3_log log, const struct record *record,
                  struct appended *out)
{
    *out = (struct appended){.segment = disk->open[log], .size = record_size(record)};
    int err = segment_add_object(out->segment, out->size, &out->at, &out->number);

    if (err) {
        return spoiled(disk, log, err);
    }
    out->body = record_write(out->at, record);
    return 0;
}

void append_seal(const struct appended *appended, uint64_t object_size,
                 const uint8_t hash[STORE_HASH], uint8_t uses)
{
    struct ledger_line line = {.tag = append_tag(hash), .size = object_size, .uses = uses};

    record_seal(appended->at, appended->size);
    ledger_write(&appended->segment->ledger, appended->number, &line);
}

int append_chunk(struct disk *disk, enum s3_log log, const uint8_t owner[STORE_HASH], size_t len,
                 void **at, struct store_chunk *chunk)
{
    *chunk = (struct store_chunk){.segment = disk->open[log]->id, .len = (uint32_t)len};
    int err = segment_add_chunk(disk->open[log], owner, len, at, &chunk->number);

    return err ? spoiled(disk, log, err) : 0;
}
