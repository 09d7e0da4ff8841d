#include "base/list.h"
#include "base/map.h"

#include <criterion/criterion.h>

struct entry {
    struct map_link link;
    int value;
};

static void count(struct map_link *link, void *arg)
{
    (void)link;
    ++*(int *)arg;
}

Test(map, finds_all_after_growth_and_none_after_removal)
{
    static struct entry entries[1000];
    struct map map;

    map_init(&map, 0);
    for (int i = 0; i < 1000; i++) {
        entries[i].value = i;
        map_insert(&map, &entries[i].link, (uint64_t)i % 500); /* two with each hash */
    }
    for (int i = 0; i < 500; i++) {
        int seen = 0;
        for (struct map_link *l = map_first(&map, (uint64_t)i); l; l = map_next(l)) {
            cr_expect_eq(container_of(l, struct entry, link)->value % 500, i);
            seen++;
        }
        cr_expect_eq(seen, 2);
    }
    for (int i = 0; i < 500; i++) {
        map_remove(&map, &entries[i].link);
    }
    int left = 0;
    map_each(&map, count, &left);
    cr_expect_eq(left, 500);
    cr_expect_eq(map.count, 500);
    size_t bucket = 0;
    left = 0;
    while (map_walk(&map, &bucket, 7, count, &left)) {
    }
    cr_expect_eq(left, 500);
    map_fini(&map);
}
