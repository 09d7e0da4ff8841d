#include "base/check.h"
#include "base/files.h"

#include <criterion/criterion.h>
#include <sys/resource.h>

Test(files_connections, what_others_need_is_kept_back)
{
    static const struct {
        const char *what;
        uint64_t files, workers, folders, want;
    } cases[] = {
        {"none at all", 0, 1, 1, 0},          {"no more than half is kept", 64, 1, 0, 32},
        {"nor with a store", 300, 2, 1, 150}, {"memory only", 1024, 4, 0, 960},
        {"two folders", 4096, 4, 2, 3712},    {"no limit", UINT64_MAX, 1, 0, UINT64_MAX - 40},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(files_connections(cases[i].files, cases[i].workers, cases[i].folders),
                     cases[i].want, "%s", cases[i].what);
    }
}

Test(files_clients, an_eighth_is_for_origins)
{
    cr_expect_eq(files_clients(0), 1);
    cr_expect_eq(files_clients(32), 28);
    cr_expect_eq(files_clients(10000), 8750);
}

Test(files_take, clients_are_refused_before_origins)
{
    struct rlimit limit;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max = 64;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_assert_eq(files_raise(1, 0), 64);
    cr_expect_eq(files_most_clients(), 28);
    for (size_t i = 1; i <= 33; i++) {
        files_take();
        cr_expect_eq(files_run_short(), i > 28, "%zu", i);
        cr_expect_eq(files_are_out(), i > 31, "%zu", i);
    }
    for (size_t i = 0; i < 5; i++) {
        files_give();
    }
    cr_expect_not(files_run_short());
}

Test(files_raise, to_what_is_permitted)
{
    struct rlimit limit;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max / 2;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_eq(files_raise(1, 0), limit.rlim_max);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_eq(limit.rlim_cur, limit.rlim_max);
}
