#include "cache/store/s3fifo.h"

#include "base/check.h"
#include "base/mem.h"

/* Tags in one bucket, a line of the processor's cache. */
#define WAYS 16
#define BITS_MIN 4
#define BITS_MAX 26

#define PROBATION_SHARE 10 /* one part in so many */

void s3fifo_init(struct s3fifo *policy, uint64_t capacity, uint64_t step)
{
    *policy = (struct s3fifo){.capacity = capacity, .step = step};
}

void s3fifo_fini(struct s3fifo *policy)
{
    free(policy->ghosts.tags);
    policy->ghosts = (struct s3_ghosts){0};
}

/* ---- ghosts. 0 is an empty place ---- */

static uint32_t *bucket_of(const struct s3_ghosts *ghosts, uint32_t tag)
{
    return ghosts->tags + (size_t)(tag >> (32 - ghosts->bits)) * WAYS;
}

static uint32_t never_zero(uint32_t tag)
{
    return tag ? tag : 1;
}

static void insert(struct s3_ghosts *ghosts, uint32_t tag)
{
    uint32_t *bucket = bucket_of(ghosts, tag);

    memmove(bucket + 1, bucket, (WAYS - 1) * sizeof(*bucket));
    bucket[0] = tag;
    ghosts->count++;
}

/* Twice as many buckets: a tag's next bit says which of the two its bucket becomes. */
static void grow(struct s3_ghosts *ghosts, uint32_t bits)
{
    struct s3_ghosts old = *ghosts;

    *ghosts = (struct s3_ghosts){.bits = bits};
    ghosts->tags = xcalloc((size_t)WAYS << bits, sizeof(*ghosts->tags));
    for (size_t i = old.tags ? (size_t)WAYS << old.bits : 0; i-- > 0;) { /* the oldest first */
        if (old.tags[i]) {
            insert(ghosts, old.tags[i]);
        }
    }
    free(old.tags);
}

static bool take(struct s3_ghosts *ghosts, uint32_t tag)
{
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

void s3fifo_remember(struct s3fifo *policy, uint32_t tag, uint64_t objects)
{
    struct s3_ghosts *ghosts = &policy->ghosts;
    uint32_t bits = BITS_MIN;

    while (bits < BITS_MAX && (uint64_t)WAYS << bits < objects) {
        bits++;
    }
    if (!ghosts->tags || bits > ghosts->bits) {
        grow(ghosts, bits);
    }
    insert(ghosts, never_zero(tag));
}

/* ---- decisions ---- */

enum s3_log s3fifo_place(struct s3fifo *policy, uint32_t tag, uint64_t size)
{
    (void)size;
    return take(&policy->ghosts, never_zero(tag)) ? S3_MAIN : S3_PROBATION;
}

enum s3_log s3fifo_victim(const struct s3fifo *policy, uint64_t probation, uint64_t main)
{
    uint64_t share = policy->capacity / PROBATION_SHARE;

    if (share < 2 * policy->step) { /* the one being written is never given up */
        share = 2 * policy->step;
    }
    return probation > share || main == 0 ? S3_PROBATION : S3_MAIN;
}

enum s3_fate s3fifo_judge(struct s3fifo *policy, const struct s3_object *object,
                          enum s3_pressure pressure, uint8_t *hits)
{
    unsigned least = pressure == S3_CALM ? 1 : 2;

    (void)policy;
    *hits = 0;
    if (object->hits >= least && pressure != S3_CRUSHED) {
        *hits = object->log == S3_MAIN ? (uint8_t)(object->hits - 1) : 0;
        return S3_KEEP;
    }
    return object->log == S3_PROBATION ? S3_REMEMBER : S3_FORGET;
}
