#include "base/list.h"

#include <criterion/criterion.h>

struct letter {
    struct list link;
    char name;
};

static struct letter letters[] = {{.name = 'a'}, {.name = 'b'}, {.name = 'c'}};

/* A list of the first letters. */
static void make(struct list *list, size_t count)
{
    list_init(list);
    for (size_t i = 0; i < count; i++) {
        list_push_back(list, &letters[i].link);
    }
}

/* Does the list have these letters, in both directions? */
static void expect(struct list *list, const char *names)
{
    size_t len = strlen(names), there = 0, back = 0;

    for (struct list *at = list->next; at != list && there < len; at = at->next) {
        cr_expect_eq(list_entry(at, struct letter, link)->name, names[there++]);
    }
    for (struct list *at = list->prev; at != list && back < len; at = at->prev) {
        cr_expect_eq(list_entry(at, struct letter, link)->name, names[len - ++back]);
    }
    cr_expect(there == len && back == len, "%zu and %zu of %s", there, back, names);
    cr_expect_eq(list_empty(list), len == 0);
}

Test(list, moves_all_of_it)
{
    static const char *const names[] = {"", "a", "ab", "abc"};
    struct list from, to;

    for (size_t count = 0; count <= 3; count++) {
        make(&from, count);
        list_move_all(&from, &to);
        expect(&from, "");
        expect(&to, names[count]);
    }
}

Test(list, rotates)
{
    struct list list;

    make(&list, 3);
    cr_expect_eq(list_rotate(&list), &letters[0].link);
    expect(&list, "bca");
    make(&list, 1);
    cr_expect_eq(list_rotate(&list), &letters[0].link);
    expect(&list, "a");
    make(&list, 0);
    cr_expect_null(list_rotate(&list));
}

Test(list, a_link_leaves_its_list_more_than_once)
{
    struct list list;

    make(&list, 3);
    list_remove(&letters[1].link);
    list_remove(&letters[1].link);
    expect(&list, "ac");
}
