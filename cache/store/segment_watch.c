/* segment_watch - notices when somebody else writes to the file of a segment. */
#include "cache/store/segment_parts.h"

#include <sys/stat.h>

static bool read_stamp(const struct segment *segment, uint64_t *out)
{
    struct stat file;

    if (fstat(segment->env.fd, &file) != 0) {
        return false;
    }
    *out = (uint64_t)file.st_mtim.tv_sec * 1000000000 + (uint64_t)file.st_mtim.tv_nsec;
    return true;
}

/* `turn` is odd while the writer writes, and another afterwards: then the stamp may be its own. */
static void look(struct segment *segment)
{
    struct segment_watch *watch = &segment->watch;
    uint32_t turn = atomic_load(&watch->turn);
    uint64_t known = atomic_load(&watch->stamp), stamp;

    if (turn % 2 || !read_stamp(segment, &stamp) || stamp == known ||
        atomic_load(&watch->turn) != turn) {
        return;
    }
    if (atomic_compare_exchange_strong(&watch->stamp, &known, stamp)) {
        bitmap_clear(&segment->verified_chunks);
        ledger_doubt(&segment->ledger);
    }
}

void segment_watch(struct segment *segment, uint64_t now_ms)
{
    uint64_t looked = atomic_load_explicit(&segment->watch.looked_ms, memory_order_relaxed);

    if (looked != now_ms &&
        atomic_compare_exchange_strong(&segment->watch.looked_ms, &looked, now_ms)) {
        look(segment);
    }
}

void segment_watch_start(struct segment *segment)
{
    uint64_t stamp = 0;

    read_stamp(segment, &stamp);
    atomic_store(&segment->watch.stamp, stamp);
    atomic_store(&segment->watch.turn, 0);
}

void segment_watch_begin(struct segment *segment)
{
    look(segment);
    atomic_fetch_add(&segment->watch.turn, 1);
}

void segment_watch_end(struct segment *segment)
{
    uint64_t stamp;

    if (read_stamp(segment, &stamp)) {
        atomic_store(&segment->watch.stamp, stamp);
    }
    atomic_fetch_add(&segment->watch.turn, 1);
}
