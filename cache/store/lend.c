/* lend - lends bytes from the mappings of segments. */
#include "base/clock.h"
#include "base/guard.h"
#include "cache/store/resident.h"
#include "cache/store/store_parts.h"

#include <errno.h>

static int lend(struct store *store, const struct store_chunk *chunk, enum walk_way way,
                struct store_pin **pin, struct span *out)
{
    struct segments *segments = &store->disk.segments;
    struct segment *segment;
    int err = find_segment(segments, chunk->segment, true, way, &segment);

    *pin = NULL;
    if (err) {
        return err;
    }
    err = lookup_lend(segment, chunk, way, out);
    if (err == -EIO) {
        store_count_error(store);
    }
    if (err) {
        segments_unpin(segments, segment);
        return err;
    }
    *pin = &segment->pin;
    return 0;
}

int store_lend(struct store *store, const struct store_chunk *chunk, struct store_pin **pin,
               struct span *out)
{
    return lend(store, chunk, WALK_MAP, pin, out);
}

int store_lend_now(struct store *store, const struct store_chunk *chunk, struct store_pin **pin,
                   struct span *out)
{
    return lend(store, chunk, WALK_NOW, pin, out);
}

void store_unpin(struct store *store, struct store_pin *pin)
{
    segments_unpin(&store->disk.segments, segment_of_pin(pin));
}

struct file_place store_place(struct store_pin *pin, struct span lent)
{
    return segment_place(segment_of_pin(pin), lent);
}

int store_readable(struct store *store, struct span lent)
{
    int err = guard_touch(lent);

    if (err) {
        store_count_error(store);
    }
    return err;
}

bool store_is_resident(struct span lent)
{
    return resident(lent.at, lent.len);
}

bool store_is_resident_lately(struct span lent)
{
    /* from the same address as walk_lend(), which includes the header, so that both share what was
     * seen */
    return resident_lately(lent.at - WALK_HEADER, lent.len + WALK_HEADER, clock_mono_ms());
}
