/*
 * spool_slowest - the offset that the slowest reader of a spool has reached, without visiting all
 * readers at each step of one.
 */
#include "cache/spool_parts.h"

#include "base/minmax.h"

static uint32_t readers_before(const struct spool *spool, uint64_t offset)
{
    uint32_t count = 0;

    list_each(link, &spool->readers)
    {
        count += list_entry(link, struct spool_reader, link)->offset < offset;
    }
    return count;
}

static uint64_t slowest_offset(const struct spool *spool)
{
    uint64_t offset = spool->length;

    list_each(link, &spool->readers)
    {
        offset = min_u64(offset, list_entry(link, struct spool_reader, link)->offset);
    }
    return offset;
}

/* The offset that the slowest reader has to pass before another chunk can be dropped. */
static uint64_t mark_behind(const struct spool *spool, uint64_t offset)
{
    const struct chunk *chunk = spool_chunk_at(spool, offset);
    uint64_t memory = spool_memory_begin(spool);

    return chunk ? chunk_end(chunk) : offset < memory ? memory : offset + 1;
}

uint64_t spool_passed_by_all(struct spool *spool)
{
    struct slowest *slowest = &spool->slowest;

    if (slowest->before == 0) {
        slowest->from = slowest_offset(spool);
        slowest->mark = mark_behind(spool, slowest->from);
        slowest->before = readers_before(spool, slowest->mark);
    }
    return slowest->before ? slowest->from : spool->length;
}

bool spool_is_behind(const struct spool *spool)
{
    return spool->slowest.caught_up < spool->reader_count;
}

void spool_reader_moved(struct spool *spool, const struct spool_reader *reader, uint64_t before)
{
    struct slowest *slowest = &spool->slowest;

    slowest->before -= before < slowest->mark && reader->offset >= slowest->mark;
    slowest->caught_up += before < spool->length && reader->offset >= spool->length;
}

void spool_reader_came(struct spool *spool, const struct spool_reader *reader)
{
    struct slowest *slowest = &spool->slowest;

    slowest->caught_up += reader->offset >= spool->length;
    if (reader->offset < slowest->from) {
        *slowest = (struct slowest){.caught_up = slowest->caught_up};
    }
    slowest->before += reader->offset < slowest->mark;
}

void spool_reader_went(struct spool *spool, const struct spool_reader *reader)
{
    spool->slowest.before -= reader->offset < spool->slowest.mark;
    spool->slowest.caught_up -= reader->offset >= spool->length;
}

void spool_lengthen(struct spool *spool, uint64_t bytes)
{
    spool->length += bytes;
    if (spool->slowest.caught_up > 0) {
        spool->slowest.caught_up = spool->reader_count - readers_before(spool, spool->length);
    }
}
