#include "cache/store/inspect.h"

#include "base/err.h"
#include "cache/store/lookup.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A live segment that cannot be opened counts as an error, not as dropped. */
static int pin(struct segments *segments, uint32_t id, struct segment **out)
{
    struct segment *slot = segments_slot(segments, id);
    int err = segment_pin(slot, id, false) ? 0 : ERR_NOT_FOUND;

    *out = err ? NULL : slot;
    if (!err) {
        err = segment_ready(slot); /* ERR_CORRUPT, or only a lack of descriptors */
    }
    if (err && *out) {
        segments_unpin(segments, slot);
        *out = NULL;
    }
    return err;
}

static int step(const struct inspection *inspection, uint64_t bytes)
{
    return inspection->step(inspection->arg, bytes) ? 0 : -ECANCELED;
}

static int inspect_chunk(const struct inspection *inspection, const struct store_chunk *chunk)
{
    struct segment *segment;
    struct span bytes;
    void *copy = NULL;
    int err = pin(inspection->segments, chunk->segment, &segment);

    if (err) {
        return err;
    }
    err = lookup_chunk(segment, chunk, WALK_READ, &bytes, &copy);
    if (!err) {
        free(copy);
    }
    segments_unpin(inspection->segments, segment);
    return err ? err : step(inspection, chunk->len);
}

static bool is_of(const struct record *record, enum record_kind kind,
                  const uint8_t hash[STORE_HASH])
{
    return record->kind == kind && memcmp(record->hash, hash, STORE_HASH) == 0;
}

/* Reads a record, which must be the right one. *out takes over what it owns. */
static int read_record(const struct inspection *inspection, uint32_t id, uint32_t number,
                       enum record_kind kind, const uint8_t hash[STORE_HASH],
                       struct segment_record *out)
{
    struct segment *segment;
    int err = pin(inspection->segments, id, &segment);

    if (err) {
        return err;
    }
    err = lookup_record(segment, number, WALK_READ, out);
    if (!err) {
        err = !is_of(&out->record, kind, hash) ? ERR_CORRUPT : step(inspection, out->bytes.len);
        if (err) {
            free(out->copy);
        }
    }
    segments_unpin(inspection->segments, segment);
    return err;
}

static int inspect_head(const struct inspection *inspection, const uint8_t hash[STORE_HASH],
                        const struct location *location)
{
    struct segment_record read;
    int err = read_record(inspection, location->head_segment, location->head_object, RECORD_HEAD,
                          hash, &read);

    if (!err) {
        free(read.copy);
    }
    return err;
}

int inspect_object(const struct inspection *inspection, const uint8_t hash[STORE_HASH],
                   const struct location *location)
{
    struct segment_record read;
    int err =
        read_record(inspection, location->segment, location->object, RECORD_OBJECT, hash, &read);

    if (err) {
        return err;
    }
    err = read.record.body_len == location->body_len ? 0 : ERR_CORRUPT;
    for (size_t i = 0; i < read.record.chunk_count && !err; i++) {
        err = inspect_chunk(inspection, &read.record.chunks[i]);
    }
    if (!err && location->head_segment) {
        err = inspect_head(inspection, hash, location);
    }
    free(read.copy);
    return err;
}
