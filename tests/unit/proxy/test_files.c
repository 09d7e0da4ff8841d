#include "base/check.h"
#include "proxy/files.h"

#include <criterion/criterion.h>
#include <sys/resource.h>

Test(files_clients, two_each_and_some_kept_back)
{
    static const struct {
        const char *what;
        uint64_t files, workers;
        size_t want;
    } cases[] = {
        {"none at all", 0, 1, 1},
        {"fewer than are kept back", 20, 4, 1},
        {"a small limit", 64, 1, 16},
        {"shared by the workers", 1032, 4, 125},
        {"no workers counts as one", 64, 0, 16},
        {"no limit", UINT64_MAX, 1, (UINT64_MAX - 32) / 2},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(files_clients(cases[i].files, cases[i].workers), cases[i].want, "%s",
                     cases[i].what);
    }
}

Test(files_raise, to_what_is_permitted)
{
    struct rlimit limit;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max / 2;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_eq(files_raise(), limit.rlim_max);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_eq(limit.rlim_cur, limit.rlim_max);
}
