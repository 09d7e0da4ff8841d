#include "base/arena.h"
#include "base/buf.h"

#include <criterion/criterion.h>

Test(buf, keeps_bytes_in_order_over_growth_and_consumption)
{
    struct buf buf = BUF_INIT;

    for (int i = 0; i < 1000; i++) {
        buf_printf(&buf, "%d,", i);
        if (i % 3 == 0) {
            buf_consume(&buf, 1);
        }
    }
    size_t len = buf_len(&buf);
    cr_expect_gt(len, 3000);
    cr_expect(span_ends(buf_span(&buf), SPAN("998,999,")));
    buf_consume(&buf, len);
    buf_release(&buf);
    cr_expect_null(buf.data);
}

Test(buf, printf_longer_than_the_room)
{
    struct buf buf = BUF_INIT;

    buf_printf(&buf, "%0900d", 7);
    cr_expect_eq(buf_len(&buf), 900);
    buf_fini(&buf);
}

Test(arena, reset_keeps_the_first_block)
{
    _Alignas(16) char first[256];
    struct arena arena;

    arena_init(&arena, first, sizeof(first));
    char *a = arena_alloc(&arena, 100);
    cr_expect_eq(a, first);
    cr_expect_eq((uintptr_t)arena_alloc(&arena, 1) % 16, 0);
    arena_alloc(&arena, 100000);
    cr_expect_gt(arena.allocated, 100000);
    arena_reset(&arena);
    cr_expect_eq(arena.allocated, 0);
    cr_expect_eq((char *)arena_alloc(&arena, 8), first);
    arena_fini(&arena);
}
