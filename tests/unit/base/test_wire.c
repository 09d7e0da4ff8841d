#include "base/wire.h"

#include <criterion/criterion.h>

Test(wire, reads_what_was_written)
{
    uint8_t room[64];
    struct wire_out out = wire_out_of(room, sizeof(room));

    wire_put_u8(&out, 0xab);
    wire_put_u16(&out, 0x1234);
    wire_put_u32(&out, 0xdeadbeef);
    wire_put_u64(&out, 0x0123456789abcdef);
    wire_put_bytes(&out, "tail", 4);
    cr_assert_not(out.failed);
    cr_assert_eq(wire_out_len(&out), 19);
    cr_expect_eq(room[1], 0x12, "big-endian");

    struct wire_in in = wire_in_of(room, wire_out_len(&out));
    cr_expect_eq(wire_get_u8(&in), 0xab);
    cr_expect_eq(wire_get_u16(&in), 0x1234);
    cr_expect_eq(wire_get_u32(&in), 0xdeadbeef);
    cr_expect_eq(wire_get_u64(&in), 0x0123456789abcdef);
    cr_expect(span_eq(wire_get_span(&in, 4), SPAN("tail")));
    cr_expect_eq(wire_left(&in), 0);
    cr_expect_not(in.failed);
}

Test(wire, reading_past_the_end_is_sticky)
{
    struct wire_in in = wire_in_of("\x01\x02\x03", 3);

    cr_expect_eq(wire_get_u32(&in), 0);
    cr_expect(in.failed);
    cr_expect_eq(wire_get_u8(&in), 0, "the bytes that are there are not given after an error");
    cr_expect_null(wire_get(&in, 0));
    cr_expect_eq(wire_in_offset(&in), 0);
}

Test(wire, writing_past_the_end_is_sticky)
{
    uint8_t room[4] = {9, 9, 9, 9};
    struct wire_out out = wire_out_of(room, 3);

    wire_put_u16(&out, 0x0102);
    wire_put_u16(&out, 0x0304);
    wire_put_u8(&out, 5);
    cr_expect(out.failed);
    cr_expect_eq(wire_out_len(&out), 2);
    cr_expect_eq(room[2], 9);
    cr_expect_eq(room[3], 9);
}
