/* Checksums of bytes in a mapping, with and without waiting for the disk. */
#include "cache/store/sum.h"

#include "base/err.h"
#include "base/guard.h"
#include "cache/store/resident.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <xxhash.h>

enum { PAGE = 4096, SIZE = 30 * PAGE + 77, FROM = 100 };

static char bytes[SIZE];

static void open_file(struct env *env)
{
    char path[] = "/tmp/larder-sum-XXXXXX";

    for (size_t i = 0; i < SIZE; i++) {
        bytes[i] = (char)(i * 2654435761u >> 13);
    }
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    unlink(path);
    cr_assert_eq(pwrite(fd, bytes, SIZE, 0), SIZE);
    cr_assert_eq(fdatasync(fd), 0);
    const char *map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
    cr_assert_neq((const void *)map, MAP_FAILED);
    *env = (struct env){.fd = fd, .map = map, .page_size = PAGE, .map_size = SIZE};
}

/* All but the first `pages` leave the memory. */
static void keep(struct env *env, size_t pages)
{
    char page[PAGE];

    posix_fadvise(env->fd, 0, 0, POSIX_FADV_DONTNEED);
    posix_fadvise(env->fd, 0, 0, POSIX_FADV_RANDOM);
    for (size_t i = 0; i < pages; i++) {
        cr_assert_eq(pread(env->fd, page, PAGE, (off_t)(i * PAGE)), PAGE);
    }
    if (resident(env->map + pages * PAGE, PAGE)) {
        cr_skip_test("this file system keeps what it was told to let go");
    }
}

static long major_faults(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_majflt;
}

static struct span part(const struct env *env)
{
    return span_of(env->map + FROM, SIZE - FROM - 1);
}

static uint64_t right(void)
{
    return XXH3_64bits(bytes + FROM, SIZE - FROM - 1);
}

Test(sum, of_what_is_in_memory)
{
    struct env env;
    uint64_t sum;

    open_file(&env);
    for (enum walk_way way = WALK_NOW; way <= WALK_MAP; way++) {
        sum = 0;
        cr_expect_eq(sum_lent(&env, part(&env), way, &sum), 0);
        cr_expect_eq(sum, right(), "way %d", way);
    }
}

Test(sum, of_what_has_gone)
{
    struct env env;
    uint64_t sum = 0;

    open_file(&env);
    keep(&env, 20);
    long before = major_faults();
    int err = sum_lent(&env, part(&env), WALK_NOW, &sum); /* the disk may be that fast */
    cr_expect(err == ERR_AGAIN || (err == 0 && sum == right()), "%s", err_text(err));
    cr_expect_eq(major_faults(), before);
    cr_expect_eq(sum_lent(&env, part(&env), WALK_MAP, &sum), 0);
    cr_expect_eq(sum, right());
}

Test(sum, the_file_ends_before)
{
    struct env env;
    uint64_t sum;

    open_file(&env);
    guard_install();
    cr_assert_eq(ftruncate(env.fd, 10 * PAGE), 0);
    int err = sum_lent(&env, part(&env), WALK_NOW, &sum);
    /* file systems that cannot tell what would wait (tmpfs) are read by the mapping at once */
    cr_expect(err == ERR_AGAIN || err == -EIO, "%s", err_text(err));
}
