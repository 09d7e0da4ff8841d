#include "cache/store/s3fifo.h"

#define PROBATION_SHARE 10 /* one part in so many */

void s3fifo_init(struct s3fifo *policy, uint64_t capacity, uint64_t step)
{
    *policy = (struct s3fifo){.capacity = capacity, .step = step};
}

void s3fifo_fini(struct s3fifo *policy)
{
    ghosts_fini(&policy->ghosts);
}

/* ---- decisions ---- */

enum s3_log s3fifo_place(struct s3fifo *policy, uint32_t tag, uint64_t size)
{
    (void)size;
    return ghosts_take(&policy->ghosts, tag) ? S3_MAIN : S3_PROBATION;
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

void s3fifo_remember(struct s3fifo *policy, uint32_t tag, uint64_t objects)
{
    ghosts_put(&policy->ghosts, tag, objects);
}
