#include "cache/store/ghosts.h"

#include "base/mem.h"

/* Tags in one bucket: a cache line. */
#define WAYS 16
#define BITS_MIN 4
#define BITS_MAX 26

void ghosts_fini(struct ghosts *ghosts)
{
    free(ghosts->tags);
    *ghosts = (struct ghosts){0};
}

/* 0 is an empty place. */

static uint32_t *bucket_of(const struct ghosts *ghosts, uint32_t tag)
{
    return ghosts->tags + (size_t)(tag >> (32 - ghosts->bits)) * WAYS;
}

static uint32_t never_zero(uint32_t tag)
{
    return tag ? tag : 1;
}

static void insert(struct ghosts *ghosts, uint32_t tag)
{
    uint32_t *bucket = bucket_of(ghosts, tag);

    memmove(bucket + 1, bucket, (WAYS - 1) * sizeof(*bucket));
    bucket[0] = tag;
}

/* Doubles the buckets: the next bit of a tag chooses between two. */
static void grow(struct ghosts *ghosts, uint32_t bits)
{
    struct ghosts old = *ghosts;

    *ghosts = (struct ghosts){.bits = bits};
    ghosts->tags = xcalloc((size_t)WAYS << bits, sizeof(*ghosts->tags));
    for (size_t i = old.tags ? (size_t)WAYS << old.bits : 0; i-- > 0;) { /* oldest first */
        if (old.tags[i]) {
            insert(ghosts, old.tags[i]);
        }
    }
    free(old.tags);
}

void ghosts_put(struct ghosts *ghosts, uint32_t tag, uint64_t objects)
{
    uint32_t bits = BITS_MIN;

    while (bits < BITS_MAX && (uint64_t)WAYS << bits < objects) {
        bits++;
    }
    if (!ghosts->tags || bits > ghosts->bits) {
        grow(ghosts, bits);
    }
    insert(ghosts, never_zero(tag));
}

bool ghosts_take(struct ghosts *ghosts, uint32_t tag)
{
    tag = never_zero(tag);
    uint32_t *bucket = ghosts->tags ? bucket_of(ghosts, tag) : NULL;

    for (size_t i = 0; bucket && i < WAYS; i++) {
        if (bucket[i] == tag) {
            memmove(bucket + i, bucket + i + 1, (WAYS - 1 - i) * sizeof(*bucket));
            bucket[WAYS - 1] = 0;
            return true;
        }
    }
    return false;
}

size_t ghosts_bytes(const struct ghosts *ghosts)
{
    return ghosts->tags ? ((size_t)WAYS << ghosts->bits) * sizeof(*ghosts->tags) : 0;
}
