#include "store_kit.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const size_t sizes[] = {
    0,
    1,
    100,
    1000,
    1900,
    1950,
    2000,
    2020,
    2048,
    2100,
    4080,
    4096,
    16384,
    65536,
    262128,
    1000000,
    STORE_INLINE_MAX - 100,
    1 << 20,
    (1u << 20) + 1,
    STORE_CHUNK * 5,
    5u << 20,
};

static void key_of(char key[64], size_t i)
{
    snprintf(key, 64, "http://example.net:80/object/%zu", i);
}

static void check_all(struct store *store)
{
    char key[64];

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        key_of(key, i);
        cr_expect_eq(kit_check(store, key, sizes[i]), 0, "%zu bytes", sizes[i]);
    }
}

Test(store, what_was_put_is_found_also_after_reopening)
{
    struct kit kit;
    char key[64];

    kit_init(&kit, 4 * KIT_SIZE);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        key_of(key, i);
        cr_expect_eq(kit_put(kit.store, key, sizes[i]), 0, "%zu bytes", sizes[i]);
    }
    check_all(kit.store);
    kit_reopen(&kit);
    check_all(kit.store);
    cr_expect_eq(kit_put(kit.store, "after", 5000), 0);
    check_all(kit.store);
    kit_fini(&kit);
}

/* Every size around the border between values inside a page and values of their own. */
Test(store, sizes_around_the_overflow_boundary)
{
    struct kit kit;
    char key[64];

    kit_init(&kit, KIT_SIZE);
    for (size_t len = 1800; len < 2100; len++) {
        key_of(key, len);
        cr_assert(kit_post(kit.store, key, len));
    }
    store_flush(kit.store);
    for (size_t len = 1800; len < 2100; len++) {
        key_of(key, len);
        cr_expect_eq(kit_check(kit.store, key, len), 0, "%zu bytes", len);
    }
    kit_fini(&kit);
}

Test(store, every_piece_is_released_once_and_every_chunk_answered)
{
    struct kit kit;
    unsigned before = kit_released();

    kit_init(&kit, KIT_SIZE);
    cr_expect_eq(kit_put(kit.store, "a", 10), 0);
    cr_expect_eq(kit_released() - before, 2);
    cr_expect_eq(kit_put(kit.store, "b", 2 * STORE_CHUNK + 5 * STORE_CHUNK), 0);
    cr_expect_eq(kit_released() - before, 2 + 14);
    cr_expect_eq(kit_chunks_done(), 7);
    kit_fini(&kit);
}

Test(store, another_key_under_the_same_hash_is_not_found)
{
    struct kit kit;
    struct store_object object;
    uint8_t hash[STORE_HASH];

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "one", 3000), 0);
    kit_hash(kit.store, SPAN("one"), hash);
    cr_expect_eq(store_find(kit.store, hash, SPAN("two"), &object), ERR_NOT_FOUND);
    cr_expect_eq(store_find(kit.store, hash, SPAN("on"), &object), ERR_NOT_FOUND);
    cr_expect_eq(store_find(kit.store, hash, SPAN("one"), &object), 0);
    store_object_done(kit.store, &object);
    kit_fini(&kit);
}
