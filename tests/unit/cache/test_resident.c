#include "cache/store/resident.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 2 };

static int fd;
static char *map;

/* In memory, and mapped without being touched: such pages can be dropped. */
static void setup(void)
{
    static const char bytes[PAGES * PAGE];
    char path[] = "/tmp/larder-resident-XXXXXX";

    fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    unlink(path);
    cr_assert_eq(write(fd, bytes, sizeof(bytes)), (ssize_t)sizeof(bytes));
    map = mmap(NULL, sizeof(bytes), PROT_READ, MAP_SHARED, fd, 0);
    cr_assert_neq(map, MAP_FAILED);
    resident_forget();
}

static void teardown(void)
{
    munmap(map, PAGES * PAGE);
    close(fd);
}

TestSuite(resident, .init = setup, .fini = teardown);

static void drop(void)
{
    cr_assert_eq(fdatasync(fd), 0);
    cr_assert_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    if (resident(map, PAGE)) {
        cr_skip_test("this file system keeps files in memory");
    }
}

static void bring(void)
{
    char bytes[PAGES * PAGE];

    cr_assert_eq(pread(fd, bytes, sizeof(bytes), 0), (ssize_t)sizeof(bytes));
}

Test(resident, what_was_seen_is_believed_for_long_while_nothing_is_missing)
{
    uint64_t now = 1000000;

    cr_assert(resident_lately(map, PAGE, now));
    drop();
    cr_expect(resident_lately(map, PAGE, now + RESIDENT_CALM_MS - 1));
    cr_expect_not(resident_lately(map, PAGE, now + RESIDENT_CALM_MS));
}

Test(resident, what_was_seen_is_believed_shortly_when_something_is_missing)
{
    uint64_t now = 1000000;

    drop();
    cr_assert_not(resident_lately(map + PAGE, PAGE, now));
    bring();
    cr_assert(resident_lately(map, PAGE, now + 1));
    drop();
    cr_expect(resident_lately(map, PAGE, now + RESIDENT_MS));
    cr_expect_not(resident_lately(map, PAGE, now + 1 + RESIDENT_MS));
}

Test(resident, what_was_seen_is_believed_for_longer_the_longer_nothing_is_missing)
{
    enum { CALM = 1000 };
    uint64_t missed = 1000000;
    /* when it has been believed for as long as a part of the calm that has lasted until then */
    uint64_t doubted = missed + CALM + CALM / (RESIDENT_CALM_PART - 1);

    drop();
    cr_assert_not(resident_lately(map + PAGE, PAGE, missed));
    bring();
    cr_assert(resident_lately(map, PAGE, missed + CALM));
    drop();
    cr_expect(resident_lately(map, PAGE, doubted - 1));
    cr_expect_not(resident_lately(map, PAGE, doubted + 1));
}

Test(resident, calm_counts_anew_when_something_is_missing)
{
    uint64_t now = 1000000;

    cr_assert(resident_lately(map, PAGE, now));
    drop();
    cr_assert_not(resident_lately(map + PAGE, PAGE, now + RESIDENT_MS));
    cr_expect_not(resident_lately(map, PAGE, now + RESIDENT_MS));
}

Test(resident, other_bytes_were_not_seen)
{
    cr_assert(resident_lately(map, PAGE, 1000000));
    drop();
    cr_expect_not(resident_lately(map, 2 * PAGE, 1000000), "more of them");
}

Test(resident, much_is_believed_at_a_time)
{
    enum { MANY = 1200 };
    uint64_t now = 1000000;
    int believed = 0;

    cr_assert_eq(munmap(map, PAGES * PAGE), 0);
    cr_assert_eq(ftruncate(fd, (off_t)MANY * PAGE), 0);
    char *many = mmap(NULL, (size_t)MANY * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    cr_assert_neq(many, MAP_FAILED);
    char *bytes = calloc(MANY, PAGE);
    cr_assert_eq(pwrite(fd, bytes, (size_t)MANY * PAGE, 0), (ssize_t)MANY * PAGE);
    free(bytes);
    map = many;
    for (size_t i = 0; i < MANY; i++) {
        cr_assert(resident_lately(many + i * PAGE, PAGE, now));
    }
    drop();
    for (size_t i = 0; i < MANY; i++) {
        believed += resident_lately(many + i * PAGE, PAGE, now + 1);
    }
    cr_expect_geq(believed, MANY * 9 / 10, "%d of %d", believed, MANY);
    munmap(many + (size_t)PAGES * PAGE, (size_t)(MANY - PAGES) * PAGE);
}
