#include "base/err.h"
#include "store_kit.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum ending { CLEAN, ABORTS, FAULTS, KILLED };

/* A process opens the store and ends so. The status it ended with. */
static int run_to(const struct kit *kit, enum ending ending)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct store_options options = {
            .path = kit->dir, .size = kit->size, .dirty_limit = 1u << 20};
        struct store *store;
        volatile int *nowhere = NULL;
        if (store_open(&options, &store) != 0) {
            _exit(3);
        }
        switch (ending) {
        case CLEAN:
            store_close(&store);
            _exit(0);
        case ABORTS:
            abort();
        case FAULTS:
            *nowhere = 1;
            break;
        case KILLED:
            raise(SIGKILL);
        }
        _exit(4);
    }
    int status;
    waitpid(child, &status, 0);
    return status;
}

static void fini(struct kit *kit)
{
    char command[128];

    store_close(&kit->store);
    snprintf(command, sizeof(command), "rm -r %s", kit->dir);
    cr_assert_eq(system(command), 0);
}

/* How many crashes are counted. */
static off_t marks(const struct kit *kit)
{
    struct stat status;
    char path[128];

    snprintf(path, sizeof(path), "%s/crashes", kit->dir);
    return stat(path, &status) == 0 ? status.st_size : -1;
}

/* ---- a minute that passes at once ---- */

static atomic_int behind; /* seconds by which our clock is */

int __real_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now);

int __wrap_clock_gettime(clockid_t id, struct timespec *now)
{
    int err = __real_clock_gettime(id, now);

    now->tv_sec -= id == CLOCK_MONOTONIC ? atomic_load(&behind) : 0;
    return err;
}

/* A store with one object, closed. */
static void prepare(struct kit *kit)
{
    kit_init(kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit->store, "k", 3000), 0);
    store_close(&kit->store);
}

Test(crashes, two_move_the_store_aside)
{
    struct kit kit;

    prepare(&kit);
    int status = run_to(&kit, ABORTS);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "it ends as it would have");
    kit_reopen(&kit);
    cr_expect_eq(kit_check(kit.store, "k", 3000), 0, "one is borne");
    store_close(&kit.store);
    run_to(&kit, ABORTS);
    run_to(&kit, FAULTS);
    cr_expect_eq(kit_matches(&kit, "aside-*"), 0);
    kit_reopen(&kit);
    cr_expect_eq(kit_check(kit.store, "k", 3000), ERR_NOT_FOUND);
    cr_expect_eq(kit_matches(&kit, "aside-*"), 1);
    cr_expect_eq(kit_matches(&kit, "aside-*/index.mdb"), 1);
    cr_assert_eq(kit_put(kit.store, "k", 100), 0);
    kit_reopen(&kit);
    cr_expect_eq(kit_check(kit.store, "k", 100), 0);
    store_close(&kit.store);

    /* The next time the older folder goes. */
    run_to(&kit, FAULTS);
    run_to(&kit, ABORTS);
    run_to(&kit, CLEAN);
    cr_expect_eq(kit_matches(&kit, "aside-*"), 1);
    kit_reopen(&kit);
    cr_expect_eq(kit_check(kit.store, "k", 100), ERR_NOT_FOUND);
    fini(&kit);
}

Test(crashes, other_ends_are_none)
{
    struct kit kit;

    prepare(&kit);
    for (int i = 0; i < 3; i++) {
        cr_expect(WIFSIGNALED(run_to(&kit, KILLED)));
    }
    run_to(&kit, ABORTS);
    run_to(&kit, KILLED); /* takes no mark away */
    run_to(&kit, CLEAN);  /* does */
    run_to(&kit, ABORTS);
    kit_reopen(&kit);
    cr_expect_eq(kit_matches(&kit, "aside-*"), 0);
    cr_expect_eq(kit_check(kit.store, "k", 3000), 0);
    fini(&kit);
}

Test(crashes, a_kill_in_between_does_not_hide_two)
{
    struct kit kit;

    prepare(&kit);
    run_to(&kit, ABORTS);
    run_to(&kit, KILLED);
    run_to(&kit, FAULTS);
    run_to(&kit, CLEAN);
    cr_expect_eq(kit_matches(&kit, "aside-*"), 1);
    kit_reopen(&kit);
    cr_expect_eq(kit_check(kit.store, "k", 3000), ERR_NOT_FOUND);
    fini(&kit);
}

Test(crashes, a_minute_of_hits_alone_takes_the_mark_away)
{
    struct kit kit;

    prepare(&kit);
    run_to(&kit, ABORTS);
    atomic_store(&behind, 60);
    kit_reopen(&kit);
    cr_expect_eq(kit_check(kit.store, "k", 3000), 0);
    cr_expect_eq(marks(&kit), 1, "the minute is not over");
    atomic_store(&behind, 0);
    for (int i = 0; marks(&kit) > 0 && i < 60000; i++) {
        usleep(1000);
    }
    cr_expect_eq(marks(&kit), 0);
    cr_expect_eq(kit_check(kit.store, "k", 3000), 0);
    store_close(&kit.store);
    fini(&kit);
}
