/* Files of a store that go bad while it is in use: a length, a bit, a page. */
#include "store_kit.h"

#include "base/err.h"
#include "base/mem.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

static void path_of(const struct kit *kit, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", kit->dir, name);
}

/* The roots stay where LMDB looks first, what they lead to does not. Who only counts goes on. */
Test(store_live, a_lost_end_of_the_index_ends_nobody_who_asks_for_numbers)
{
    struct kit kit;
    struct store_stats stats;
    char path[128], key[64];

    kit_init(&kit, KIT_SIZE);
    for (size_t i = 0; i < 200; i++) {
        snprintf(key, sizeof(key), "http://example.net:80/live/%zu", i);
        cr_assert(kit_post(kit.store, key, 100));
    }
    store_flush(kit.store);
    store_stats(kit.store, &stats);
    cr_expect_eq(stats.objects, 200);
    path_of(&kit, "index.mdb", path);
    cr_assert_eq(truncate(path, 8192), 0);
    store_stats(kit.store, &stats);
    cr_expect_eq(stats.objects, 200, "as of the last commit");
    cr_expect_neq(kit_check(kit.store, key, 100), 0);
    cr_expect_neq(kit_put(kit.store, "new", 100), 0, "the writer gives it up");
    store_stats(kit.store, &stats);
    cr_expect_eq(stats.objects, 200);
    kit_fini(&kit);
}
