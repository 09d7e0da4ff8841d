#include "object_kit.h"

#include "base/mem.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* Reads [from, to) of a stored body; returns how many bytes were placed. */
static size_t read_range(struct object *object, const char *key, size_t len, size_t from, size_t to,
                         size_t bite)
{
    char *body = kit_body(span_str(key), len);
    struct object_reader reader;
    size_t placed;

    cr_assert_eq(object_reader_init(&reader, object, from, to, (struct waker){0}), 0);
    cr_expect(kit_reads(&reader.source, span_of(body + from, to - from), bite, &placed),
              "[%zu, %zu) of %zu in bites of %zu", from, to, len, bite);
    object_reader_fini(&reader);
    free(body);
    return placed;
}

Test(object_reader, what_lies_in_the_store_has_a_place_wherever_one_begins)
{
    static const size_t lens[] = {4096, 33000, 100000, 900000, 1 << 20, 3 * STORE_CHUNK + 77};
    static const size_t bites[] = {1000, 70000, SIZE_MAX};
    struct kit kit;

    kit_init(&kit, 4 * KIT_SIZE);
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        size_t len = lens[i];
        char key[32];
        snprintf(key, sizeof(key), "key %zu", i);
        struct object *object = kit_object(kit.store, key, len, 0);
        for (size_t n = 0; n < ARRAY_LEN(bites); n++) {
            cr_expect_eq(read_range(object, key, len, 0, len, bites[n]), len);
            cr_expect_eq(read_range(object, key, len, len / 3, len - 5, bites[n]),
                         len - 5 - len / 3);
        }
        object_unref(&object);
    }
    kit_fini(&kit);
}

Test(object_reader, what_was_copied_has_no_place)
{
    static const size_t lens[] = {1, 1500, 20000};
    struct kit kit;

    kit_init(&kit, KIT_SIZE);
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        struct object *object = kit_object(kit.store, "key", lens[i], 20000);
        cr_expect_eq(read_range(object, "key", lens[i], 0, lens[i], SIZE_MAX), 0);
        object_unref(&object);
    }
    struct object *object = kit_object(kit.store, "small", 500, 0);
    cr_expect_eq(read_range(object, "small", 500, 0, 500, SIZE_MAX), 0, "a copy of the store's");
    object_unref(&object);
    kit_fini(&kit);
}
