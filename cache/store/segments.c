#include "cache/store/segments.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <stdatomic.h>

/* Besides its pages a segment has a lock file with a slot for each reader thread. */
#define LOCK_FILE_BYTES (64u * (ENV_READERS + 2) + 4096)

#define SLOTS_MIN 64

void segments_init(struct segments *segments, const char *dir, uint64_t count)
{
    uint32_t slots = SLOTS_MIN;

    while (slots < 2 * count) {
        slots *= 2;
    }
    *segments = (struct segments){.mask = slots - 1, .next_id = 1};
    segments->home.dir = xspandup(span_str(dir));
    segments->slots = xcalloc(slots, sizeof(*segments->slots));
}

static bool is_taken(const struct segment *segment)
{
    return atomic_load_explicit(&segment->pin.state, memory_order_relaxed) != 0;
}

void segments_fini(struct segments *segments)
{
    for (uint32_t i = 0; segments->slots && i <= segments->mask; i++) {
        if (is_taken(&segments->slots[i])) {
            segment_close(&segments->slots[i]);
        }
    }
    free(segments->slots);
    free(segments->home.dir);
    *segments = (struct segments){0};
}

static void condemn(struct segments *segments, struct segment *segment)
{
    if (segment_retire(segment)) {
        segment_unlink(&segments->home, segment->id);
        segments->wake(segments->wake_arg);
    }
}

static struct segment *pin(struct segments *segments, uint32_t id, bool retired)
{
    struct segment *segment = segments_slot(segments, id);

    if (!segment_pin(segment, id, retired)) {
        return NULL;
    }
    int err = segment_ready(segment);
    if (!err) {
        return segment;
    }
    if (err == ERR_CORRUPT || err == -ENOENT) {
        condemn(segments, segment);
    }
    segments_unpin(segments, segment);
    return NULL;
}

struct segment *segments_pin(struct segments *segments, uint32_t id)
{
    return pin(segments, id, false);
}

struct segment *segments_pin_any(struct segments *segments, uint32_t id)
{
    return pin(segments, id, true);
}

void segments_unpin(struct segments *segments, struct segment *segment)
{
    if (segment_unpin(segment)) {
        segments->wake(segments->wake_arg);
    }
}

bool segments_is_live(const struct segments *segments, uint32_t id)
{
    return segment_is_live(segments_slot(segments, id), id);
}

struct segment *segments_next_free(struct segments *segments, uint32_t *id)
{
    for (uint32_t tries = 0; tries <= segments->mask; tries++) {
        struct segment *slot = segments_slot(segments, segments->next_id);
        *id = segments->next_id++;
        if (!is_taken(slot)) {
            return slot;
        }
    }
    return NULL;
}

static bool is_live_in(const struct segment *segment, enum s3_log log)
{
    return segment->log == log && segment_is_live(segment, segment->id);
}

struct segment *segments_oldest(struct segments *segments, enum s3_log log, uint32_t id)
{
    struct segment *oldest = NULL;

    for (uint32_t i = 0; i <= segments->mask; i++) {
        struct segment *segment = &segments->slots[i];
        if (is_live_in(segment, log) && segment->id >= id &&
            (!oldest || segment->id < oldest->id)) {
            oldest = segment;
        }
    }
    return oldest;
}

struct segment *segments_newest_unopened(struct segments *segments)
{
    struct segment *newest = NULL;

    for (uint32_t i = 0; i <= segments->mask; i++) {
        struct segment *segment = &segments->slots[i];
        if (segment_is_live(segment, segment->id) && !atomic_load(&segment->opened) &&
            (!newest || segment->id > newest->id)) {
            newest = segment;
        }
    }
    return newest;
}

uint64_t segments_log_bytes(const struct segments *segments, enum s3_log log, bool pinned)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i <= segments->mask; i++) {
        const struct segment *segment = &segments->slots[i];
        bool counts = is_live_in(segment, log) && (pinned || !segment_is_pinned(segment));
        bytes += counts ? segment->capacity : 0;
    }
    return bytes;
}

uint64_t segments_used(const struct segments *segments)
{
    uint64_t used = 0;

    for (uint32_t i = 0; i <= segments->mask; i++) {
        if (is_taken(&segments->slots[i])) {
            used += segments->slots[i].capacity + LOCK_FILE_BYTES;
        }
    }
    return used;
}

uint32_t segments_live(const struct segments *segments)
{
    uint32_t live = 0;

    for (uint32_t i = 0; i <= segments->mask; i++) {
        live += segment_is_live(&segments->slots[i], segments->slots[i].id);
    }
    return live;
}
