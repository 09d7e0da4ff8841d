#!/usr/bin/env python3
"""HTTP/2 to clients, frame by frame, what is right and what is wrong: h2_frames.py BUILD [WORD ...]

Frames, windows, and header compression: RFC 9113 4, 6 and 7, RFC 7541.
"""
import pathlib
import socket
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import h2  # noqa: E402
from h2_cases import (  # noqa: E402
    LARGE, add, case, check, goes, lives, main, resets, simple, slow_may_end)


# ---- 4: frames and header blocks ----

@case
def rfc9113_4_1_unknown_frame_types_are_ignored(conn):
    conn.send(h2.frame(0x42, 0xff, 0, b"x" * 20), h2.frame(0xff, 0, 1, b""))
    lives(conn)


@case
def rfc9113_4_1_undefined_flags_are_ignored(conn):
    conn.send(h2.frame(h2.PING, 0x16, 0, b"undefine"))
    check(conn.until(lambda: b"undefine" in conn.pings), "PING with undefined flags is answered")
    lives(conn)


@case
def rfc9113_4_1_reserved_bit_is_ignored(conn):
    conn.send(h2.frame(h2.PING, 0, 1 << 31, b"reserved"))
    check(conn.until(lambda: b"reserved" in conn.pings), "PING with the reserved bit is answered")


@case
def rfc9113_4_2_data_of_the_maximum_size(conn):
    stream = conn.request("/", end=False, method="POST")
    conn.send(h2.data(stream, b"m" * 16384, end=True))
    check(conn.response(stream).body == b"m" * 16384, "16384 bytes in one frame")


@case
def rfc9113_4_2_data_too_large(conn):
    stream = conn.request("/", end=False, method="POST")
    conn.send(h2.data(stream, b"m" * 16385, end=True))
    goes(conn, h2.FRAME_SIZE_ERROR)


@case
def rfc9113_4_2_headers_too_large(conn):
    conn.headers([], block=h2.block_of(simple(conn, ("x", "y" * 16384))))
    goes(conn, h2.FRAME_SIZE_ERROR)


@case
def rfc9113_4_2_unknown_frame_too_large(conn):
    conn.send(h2.frame(0x42, 0, 0, b"x" * 16385))
    goes(conn, h2.FRAME_SIZE_ERROR)


@case
def rfc9113_4_3_block_that_does_not_decode(conn):
    conn.headers([], block=b"\xff\xff\xff\xff\xff\xff\xff\xff")
    goes(conn, h2.COMPRESSION_ERROR)


@case
def rfc9113_4_3_block_interrupted_by_another_frame(conn):
    conn.headers(simple(conn), flags=0)
    conn.send(h2.ping())
    goes(conn, h2.PROTOCOL_ERROR)


@case
def rfc9113_4_3_block_interrupted_by_an_unknown_frame(conn):
    conn.headers(simple(conn), flags=0)
    conn.send(h2.frame(0x42, 0, 0, b"x"))
    goes(conn, h2.PROTOCOL_ERROR)


@case
def rfc9113_4_3_block_interrupted_by_headers_of_another(conn):
    conn.headers(simple(conn), flags=0)
    conn.request("/")
    goes(conn, h2.PROTOCOL_ERROR)


# ---- 6: each type of frame ----

def bad_frame(kind_frame, *codes):
    def run(conn):
        conn.send(kind_frame)
        goes(conn, *codes)
    return run


def bad_on_stream(make, *codes, method="POST"):
    """On an open stream: the connection goes."""
    def run(conn):
        stream = conn.request("/", end=False, method=method)
        conn.send(make(stream))
        goes(conn, *codes)
    return run


add("rfc9113_6_1_data_on_stream_0", bad_frame(h2.data(0, b"x"), h2.PROTOCOL_ERROR))
add("rfc9113_6_1_padding_as_long_as_the_frame",
    bad_on_stream(lambda stream: h2.frame(h2.DATA, h2.PADDED, stream, b"\5abcd"),
                  h2.PROTOCOL_ERROR))
add("rfc9113_6_1_padded_without_a_pad_length",
    bad_on_stream(lambda stream: h2.frame(h2.DATA, h2.PADDED, stream, b""),
                  h2.FRAME_SIZE_ERROR, h2.PROTOCOL_ERROR))
add("rfc9113_6_2_headers_on_stream_0",
    bad_frame(h2.frame(h2.HEADERS, 5, 0, h2.literal(":method", "GET")), h2.PROTOCOL_ERROR))
add("rfc9113_6_2_padding_as_long_as_the_block",
    bad_frame(h2.frame(h2.HEADERS, 5 | h2.PADDED, 1, b"\x20" + h2.literal("a", "b")),
              h2.PROTOCOL_ERROR))
add("rfc9113_6_2_priority_cut_short",
    bad_frame(h2.frame(h2.HEADERS, 5 | h2.WITH_PRIORITY, 1, b"\0\0"),
              h2.FRAME_SIZE_ERROR, h2.PROTOCOL_ERROR))
add("rfc9113_6_3_priority_on_stream_0",
    bad_frame(h2.frame(h2.PRIORITY, 0, 0, b"\0\0\0\0\x10"), h2.PROTOCOL_ERROR))
add("rfc9113_6_3_priority_of_4_bytes",
    bad_on_stream(lambda stream: h2.frame(h2.PRIORITY, 0, stream, b"\0\0\0\0"),
                  h2.FRAME_SIZE_ERROR))
add("rfc9113_6_4_rst_stream_on_stream_0", bad_frame(h2.rst(0), h2.PROTOCOL_ERROR))
add("rfc9113_6_4_rst_stream_of_3_bytes",
    bad_on_stream(lambda stream: h2.frame(h2.RST_STREAM, 0, stream, b"\0\0\0"),
                  h2.FRAME_SIZE_ERROR))
add("rfc9113_6_5_settings_ack_with_a_payload",
    bad_frame(h2.frame(h2.SETTINGS, h2.ACK, 0, b"\0\0\0\0\0\0"), h2.FRAME_SIZE_ERROR))
add("rfc9113_6_5_settings_on_a_stream",
    bad_frame(h2.frame(h2.SETTINGS, 0, 1, b""), h2.PROTOCOL_ERROR))
add("rfc9113_6_5_settings_of_5_bytes",
    bad_frame(h2.frame(h2.SETTINGS, 0, 0, b"\0\0\0\0\0"), h2.FRAME_SIZE_ERROR))
add("rfc9113_6_5_settings_ack_that_nobody_asked_for",
    bad_frame(h2.frame(h2.SETTINGS, h2.ACK) * 3, h2.PROTOCOL_ERROR))
add("rfc9113_6_5_2_enable_push_2",
    bad_frame(h2.settings((h2.ENABLE_PUSH, 2)), h2.PROTOCOL_ERROR))
add("rfc9113_6_5_2_initial_window_too_large",
    bad_frame(h2.settings((h2.INITIAL_WINDOW_SIZE, 1 << 31)), h2.FLOW_CONTROL_ERROR))
add("rfc9113_6_5_2_frame_size_too_small",
    bad_frame(h2.settings((h2.MAX_FRAME_SIZE, 16383)), h2.PROTOCOL_ERROR))
add("rfc9113_6_5_2_frame_size_too_large",
    bad_frame(h2.settings((h2.MAX_FRAME_SIZE, 1 << 24)), h2.PROTOCOL_ERROR))
add("rfc9113_6_6_push_promise_of_a_client",
    bad_frame(h2.frame(h2.PUSH_PROMISE, 4, 1, b"\0\0\0\2"), h2.PROTOCOL_ERROR))
add("rfc9113_6_7_ping_on_a_stream",
    bad_frame(h2.frame(h2.PING, 0, 1, b"12345678"), h2.PROTOCOL_ERROR))
add("rfc9113_6_7_ping_of_6_bytes",
    bad_frame(h2.frame(h2.PING, 0, 0, b"123456"), h2.FRAME_SIZE_ERROR))
add("rfc9113_6_8_goaway_on_a_stream",
    bad_frame(h2.frame(h2.GOAWAY, 0, 1, b"\0" * 8), h2.PROTOCOL_ERROR))
add("rfc9113_6_8_goaway_of_4_bytes",
    bad_frame(h2.frame(h2.GOAWAY, 0, 0, b"\0" * 4), h2.FRAME_SIZE_ERROR, h2.PROTOCOL_ERROR))
add("rfc9113_6_9_window_update_of_0_on_the_connection",
    bad_frame(h2.window_update(0, 0), h2.PROTOCOL_ERROR))
add("rfc9113_6_9_window_update_of_3_bytes",
    bad_frame(h2.frame(h2.WINDOW_UPDATE, 0, 0, b"\0\0\1"), h2.FRAME_SIZE_ERROR))
add("rfc9113_6_9_1_window_overflow_of_the_connection",
    bad_frame(h2.window_update(0, (1 << 31) - 1) * 2, h2.FLOW_CONTROL_ERROR))
add("rfc9113_6_10_continuation_on_stream_0",
    bad_frame(h2.frame(h2.CONTINUATION, 4, 0, b""), h2.PROTOCOL_ERROR))
add("rfc9113_6_10_continuation_after_end_headers",
    bad_on_stream(lambda stream: h2.frame(h2.CONTINUATION, 4, stream, h2.literal("a", "b")),
                  h2.PROTOCOL_ERROR))


@case
def rfc9113_6_1_padded_data(conn):
    stream = conn.request("/", end=False, method="POST")
    for pad in (0, 1, 255):
        conn.send(h2.data(stream, b"%d;" % pad, pad=pad))
    conn.send(h2.data(stream, b"", end=True, pad=100))
    check(conn.response(stream).body == b"0;1;255;", "padding is no content")


@case
def rfc9113_6_1_padding_is_given_back_to_the_window(conn):
    stream = conn.request("/", end=False, method="POST")
    for _ in range(40):
        for _ in range(16):
            conn.send(h2.data(stream, b"x" * 45, pad=255))
        conn.sync()
    conn.send(h2.data(stream, b"", end=True))
    got = conn.response(stream)
    check(got.body == b"x" * 45 * 640, f"more padding than a window: {len(got.body)} {conn.goaways}")


@case
def rfc9113_6_2_padded_headers(conn):
    stream = conn.new_stream()
    conn.send(h2.frame(h2.HEADERS, 5 | h2.PADDED, stream,
                       b"\x08" + h2.block_of(simple(conn)) + b"\0" * 8))
    check(conn.response(stream).status == 200, "HEADERS with padding")


@case
def rfc9113_6_2_stream_depends_on_itself(conn):
    stream = conn.new_stream()
    conn.send(h2.frame(h2.HEADERS, 5 | h2.WITH_PRIORITY, stream,
                       struct.pack(">IB", stream, 255) + h2.block_of(simple(conn))))
    got = conn.response(stream)  # RFC 9113 5.3.2: what it says is ignored, or refused
    check(got.status == 200 or got.reset == h2.PROTOCOL_ERROR or conn.goaways, f"{got.heads}")


@case
def rfc9113_6_5_settings_are_acknowledged_in_order(conn):
    conn.sync()
    before = conn.acked
    conn.send(h2.settings((h2.INITIAL_WINDOW_SIZE, 1)), h2.settings((h2.ENABLE_PUSH, 0)))
    conn.sync()
    check(conn.acked == before + 2, f"{conn.acked - before} acknowledgements for two")


@case
def rfc9113_6_7_ping_is_answered(conn):
    conn.send(h2.ping(b"\0\1\2\3\4\5\6\xff"))
    check(conn.until(lambda: conn.pings == [b"\0\1\2\3\4\5\6\xff"]), f"{conn.pings}")


@case
def rfc9113_6_7_ping_ack_is_not_answered(conn):
    conn.send(h2.ping(b"answered", h2.ACK))
    conn.sync()
    check(b"answered" not in conn.pings, "an answer is not answered")


@case
def rfc9113_6_8_goaway_of_the_client_lets_streams_finish(conn):
    stream = conn.request("/slow")
    conn.head(stream)
    conn.send(h2.goaway(0, h2.NO_ERROR, b"bye"))
    slow_may_end.set()
    check(conn.response(stream).body == b"1234567890", "the stream under way is finished")


@case
def rfc9113_6_9_window_update_of_0_on_a_stream(conn):
    stream = conn.request("/", end=False, method="POST")
    conn.send(h2.window_update(stream, 0))  # an error of the stream; it may be the connection's
    if conn.response(stream).reset != h2.PROTOCOL_ERROR:
        goes(conn, h2.PROTOCOL_ERROR)


@case
def rfc9113_6_9_1_window_overflow_of_a_stream(conn):
    stream = conn.request("/", end=False, method="POST")
    conn.send(h2.window_update(stream, (1 << 31) - 1))
    resets(conn, stream, h2.FLOW_CONTROL_ERROR)


@case
def rfc9113_6_9_1_no_more_than_the_window(conn):
    with h2.Connection(conn.proxy.port, (h2.INITIAL_WINDOW_SIZE, 3), auto=False) as other:
        other.authority = conn.authority
        stream = other.request("/large")
        other.until(lambda: other.order)
        other.sync()
        check(other.order == [(stream, 3)], f"three bytes fit: {other.order}")
        other.send(h2.window_update(stream, 2))
        other.until(lambda: len(other.order) > 1)
        other.sync()
        check(other.order == [(stream, 3), (stream, 2)], f"then two: {other.order}")


@case
def rfc9113_6_9_1_the_connection_window_counts_too(conn):
    with h2.Connection(conn.proxy.port, (h2.INITIAL_WINDOW_SIZE, 1 << 20), auto=False) as other:
        other.authority = conn.authority
        stream = other.request("/large")
        other.until(lambda: sum(n for _, n in other.order) >= 65535)
        other.sync()
        check(sum(n for _, n in other.order) == 65535, f"65535 bytes: {other.order}")
        other.send(h2.window_update(0, 1 << 21))
        check(other.response(stream).body == LARGE, "then all of it")


@case
def rfc9113_6_9_2_the_initial_window_changes_open_streams(conn):
    with h2.Connection(conn.proxy.port, (h2.INITIAL_WINDOW_SIZE, 0), auto=False) as other:
        other.authority = conn.authority
        stream = other.request("/large")
        other.head(stream)
        other.sync()
        check(not other.order, "no window, no data")
        other.send(h2.settings((h2.INITIAL_WINDOW_SIZE, 10)))
        other.until(lambda: other.order)
        other.send(h2.settings((h2.INITIAL_WINDOW_SIZE, 4)), h2.window_update(stream, 5))
        other.sync()
        check(other.order == [(stream, 10)], f"a negative window: {other.order}")
        other.send(h2.window_update(stream, 4))
        other.until(lambda: len(other.order) > 1)
        check(other.order == [(stream, 10), (stream, 3)], f"3 of what it was opened: {other.order}")


@case
def rfc9113_6_9_2_the_initial_window_overflows_open_streams(conn):
    conn.request("/", end=False, method="POST")
    stream = conn.request("/", end=False, method="POST")
    conn.send(h2.window_update(stream, 1 << 30), h2.settings((h2.INITIAL_WINDOW_SIZE, (1 << 31) - 1)))
    if conn.response(stream).reset != h2.FLOW_CONTROL_ERROR:
        goes(conn, h2.FLOW_CONTROL_ERROR)


@case
def rfc9113_6_9_1_the_clients_own_window_is_kept(conn):
    """Uploads of more than a window, in which the client minds the updates, arrive whole."""
    stream = conn.request("/", end=False, method="POST")
    window, left, seen = 65535, LARGE, 0
    while left:
        n = min(window, 16384, len(left))
        if n:
            conn.send(h2.data(stream, left[:n], end=n == len(left)))
            left, window = left[n:], window - n
            continue
        conn.until(lambda: len(conn.frames) > seen)
        for got in conn.frames[seen:]:
            if got.kind == h2.WINDOW_UPDATE and got.stream == stream:
                window += int.from_bytes(got.payload, "big")
        seen = len(conn.frames)
    check(conn.response(stream).body == LARGE, "1 MiB up and down")


@case
def rfc9113_6_9_1_more_than_our_window(conn):
    """The origin takes nothing: what is sent beyond the window of the stream is an error."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        stream = conn.request("/", end=False, method="POST",
                              authority=f"127.0.0.1:{deaf.getsockname()[1]}")
        for _ in range(1000):
            if conn.streams[stream].done or conn.goaways:
                break
            conn.send(h2.data(stream, b"o" * 16384) * 16)
            conn.sync()
        code = conn.streams[stream].reset
        check(code == h2.FLOW_CONTROL_ERROR or conn.end() == h2.FLOW_CONTROL_ERROR,
              f"an overrun window: {code} {conn.goaways}")


@case
def rfc9113_6_10_continuation_in_many_frames(conn):
    block = h2.block_of(simple(conn, ("x-many", "m" * 200)))
    stream = conn.headers([], flags=0, block=block[:10])
    pieces = [block[at:at + 20] for at in range(10, len(block), 20)]
    for piece in pieces[:-1]:
        conn.send(h2.frame(h2.CONTINUATION, 0, stream, piece))
    conn.send(h2.frame(h2.CONTINUATION, h2.END_HEADERS, stream, pieces[-1]))
    check(conn.response(stream).status == 200, f"{len(pieces)} CONTINUATIONs")
    check(b"m" * 200 in conn.origin.heads[-1], "all of it arrives")


@case
def rfc9113_6_10_continuation_of_another_stream(conn):
    conn.headers(simple(conn), flags=0)
    conn.send(h2.frame(h2.CONTINUATION, 4, 3, b""))
    goes(conn, h2.PROTOCOL_ERROR)


@case
def rfc9113_6_10_data_before_continuation(conn):
    stream = conn.headers(simple(conn, method="POST"), end=False, flags=0)
    conn.send(h2.data(stream, b"x"))
    goes(conn, h2.PROTOCOL_ERROR)


@case
def rfc9113_7_unknown_error_codes_are_taken(conn):
    stream = conn.request("/slow")
    conn.head(stream)
    conn.send(h2.rst(stream, 0xdeadbeef))
    lives(conn)
    slow_may_end.set()


# ---- HPACK ----

@case
def rfc7541_2_3_3_index_beyond_the_tables(conn):
    conn.headers([], block=h2.integer(200, 7, 0x80))
    goes(conn, h2.COMPRESSION_ERROR)


@case
def rfc7541_6_1_index_0(conn):
    conn.headers([], block=b"\x80")
    goes(conn, h2.COMPRESSION_ERROR)


@case
def rfc7541_4_2_table_size_update_at_the_end(conn):
    conn.headers([], block=h2.block_of(simple(conn)) + b"\x20")
    goes(conn, h2.COMPRESSION_ERROR)


@case
def rfc7541_6_3_table_larger_than_allowed(conn):
    conn.headers([], block=h2.integer(1 << 20, 5, 0x20) + h2.block_of(simple(conn)))
    goes(conn, h2.COMPRESSION_ERROR)


@case
def rfc7541_4_2_table_size_update_at_the_beginning(conn):
    stream = conn.headers([], block=b"\x20" + h2.block_of(simple(conn)))
    check(conn.response(stream).status == 200, "a table of 0")


@case
def rfc7541_5_1_integer_that_overflows(conn):
    conn.headers([], block=b"\x00\x7f" + b"\xff" * 10 + b"\x01")
    goes(conn, h2.COMPRESSION_ERROR)


def huffman(coded):
    """A field whose value is these Huffman-coded octets."""
    return b"\0" + h2.octets("x-huffman") + h2.integer(len(coded), 7, 0x80) + coded


@case
def rfc7541_5_2_huffman_padding(conn):
    good = conn.headers([], block=h2.block_of(simple(conn)) + huffman(b"\x1f"))  # "a"
    check(conn.response(good).status == 200, "Huffman with padding of ones")
    for coded in (b"\x18", b"\x1f\xff", b"\xff\xff\xff\xff"):  # zeros, 11 bits, EOS
        with h2.Connection(conn.proxy.port) as other:
            other.authority = conn.authority
            other.headers([], block=h2.block_of(simple(other)) + huffman(coded))
            goes(other, h2.COMPRESSION_ERROR)


@case
def rfc7541_2_3_2_the_dynamic_table(conn):
    fields = h2.indexed_literal("x-dynamic", "kept")
    stream = conn.headers([], block=h2.block_of(simple(conn)) + fields)
    conn.response(stream)
    stream = conn.headers([], block=h2.block_of(simple(conn)) + h2.integer(62, 7, 0x80))
    conn.response(stream)
    check(b"kept" in conn.origin.heads[-1], "a field from the dynamic table")


if __name__ == "__main__":
    main()
