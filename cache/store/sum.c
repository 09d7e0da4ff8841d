#include "cache/store/sum.h"

#include "base/err.h"
#include "base/guard.h"

#include <errno.h>
#include <sys/uio.h>
#define XXH_STATIC_LINKING_ONLY /* for the declaration of the state, which is on the stack */
#include <xxhash.h>

enum { STEP = 16 << 10 };

static int sum_mapped(struct span bytes, uint64_t *sum)
{
    int err = guard_touch(bytes);

    if (!err) {
        *sum = XXH3_64bits(bytes.at, bytes.len);
    }
    return err;
}

/* Reads bytes that are in the page cache (RWF_NOWAIT). False: they are not, or the file system does
 * not support it (*unable). */
static bool read_now(const struct file_place *from, void *to, size_t len, size_t *got, bool *unable)
{
    struct iovec room = {to, len};
    ssize_t n = preadv2(from->fd, &room, 1, (off_t)from->offset, RWF_NOWAIT);

    *unable = n < 0 && errno != EAGAIN && errno != EINTR;
    *got = n > 0 ? (size_t)n : 0;
    return n > 0;
}

int sum_lent(const struct env *env, struct span bytes, enum walk_way way, uint64_t *sum)
{
    if (way != WALK_NOW) {
        return sum_mapped(bytes, sum);
    }
    char piece[STEP];
    size_t got;
    bool unable;
    struct file_place from = env_place(env, bytes.at);
    XXH3_state_t state;

    XXH3_64bits_reset(&state);
    for (size_t left = bytes.len; left > 0; left -= got) {
        if (!read_now(&from, piece, left < STEP ? left : STEP, &got, &unable)) {
            return unable ? sum_mapped(bytes, sum) : ERR_AGAIN;
        }
        XXH3_64bits_update(&state, piece, got);
        from.offset += got;
    }
    *sum = XXH3_64bits_digest(&state);
    return 0;
}
