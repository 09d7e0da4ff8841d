#!/usr/bin/env python3
"""HTTP/2 to clients, the connection and its streams: h2_streams.py BUILD [WORD ...]

Their begin, their states, whose turn it is, and their end: RFC 9113 3, 5 and 9, RFC 9218.
"""
import pathlib
import struct
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import h2  # noqa: E402
from h2_cases import (  # noqa: E402
    add, case, check, connection, goes, hasty, lives, main, name, open_raw, simple, slow_may_end)


# ---- RFC 9113 3.4: the preface ----

@case
def rfc9113_3_4_settings_come_first(conn):
    check(conn.until(lambda: conn.frames) and conn.frames[0].kind == h2.SETTINGS,
          "the first frame is SETTINGS")
    check(not conn.frames[0].flags & h2.ACK, "it is no acknowledgement")


@case
def rfc9113_3_4_preface_then_no_settings(conn):
    with open_raw(conn.proxy, h2.PREFACE + h2.ping()) as other:
        goes(other, h2.PROTOCOL_ERROR)


@case
def rfc9113_3_4_preface_broken_after_its_first_line(conn):
    with open_raw(conn.proxy, h2.PREFACE[:16] + b"XX\r\n\r\nXX\r\n\r\n") as other:
        other.until(lambda: other.closed or len(other.buffer) > 12 or other.goaways)
        check(other.closed or other.buffer or other.goaways, "it is told or left")


@case
def rfc9113_3_4_preface_in_single_bytes(conn):
    with h2.Connection(conn.proxy.port, preface=False) as other:
        other.authority = conn.authority
        for byte in h2.PREFACE + h2.settings():
            other.send(bytes([byte]))
        lives(other)


@case
def rfc9113_3_4_request_in_one_write_with_the_preface(conn):
    with h2.Connection(conn.proxy.port, preface=False) as other:
        other.authority = conn.authority
        stream = other.new_stream()
        other.send(h2.PREFACE + h2.settings() +
                   h2.frame(h2.HEADERS, 5, stream, h2.block_of(simple(other))))
        check(other.response(stream).body == b"ok", "it is answered")


# ---- 5.1: the states of streams ----

def on_idle(kind_frame):
    def run(conn):
        conn.send(kind_frame)
        goes(conn, h2.PROTOCOL_ERROR)
    return run


add("rfc9113_5_1_data_on_idle_stream", on_idle(h2.data(1, b"x", end=True)))
add("rfc9113_5_1_rst_stream_on_idle_stream", on_idle(h2.rst(1)))
add("rfc9113_5_1_window_update_on_idle_stream", on_idle(h2.window_update(1, 100)))
add("rfc9113_5_1_continuation_on_idle_stream", on_idle(h2.frame(h2.CONTINUATION, 4, 1, b"")))


@case
def rfc9113_5_1_data_on_half_closed_stream(conn):
    stream = conn.request("/slow")
    conn.head(stream)
    conn.send(h2.data(stream, b"x", end=True))
    code = conn.response(stream).reset
    if code is None:
        goes(conn, h2.STREAM_CLOSED)
    check(code in (None, h2.STREAM_CLOSED), f"DATA after END_STREAM: {code}")
    slow_may_end.set()


@case
def rfc9113_5_1_headers_on_half_closed_stream(conn):
    stream = conn.request("/slow")
    conn.head(stream)
    conn.headers(simple(conn), stream=stream)
    code = conn.response(stream).reset
    if code is None:
        goes(conn, h2.STREAM_CLOSED)
    check(code in (None, h2.STREAM_CLOSED), f"HEADERS after END_STREAM: {code}")
    slow_may_end.set()


@case
def rfc9113_5_1_continuation_on_half_closed_stream(conn):
    stream = conn.request("/slow")
    conn.head(stream)
    conn.send(h2.frame(h2.CONTINUATION, h2.END_HEADERS, stream, b""))
    goes(conn, h2.STREAM_CLOSED, h2.PROTOCOL_ERROR)
    slow_may_end.set()


@case
def rfc9113_5_1_headers_on_stream_reset_by_the_peer(conn):
    stream = conn.request("/slow")
    conn.head(stream)
    conn.send(h2.rst(stream))
    conn.headers(simple(conn), stream=stream)
    alive = conn.sync()
    code = conn.streams[stream].reset
    check(not alive or code in (None, h2.STREAM_CLOSED), f"HEADERS after RST_STREAM: {code}")
    check(alive or conn.end() == h2.STREAM_CLOSED, f"or GOAWAY {conn.goaways}")
    slow_may_end.set()


@case
def rfc9113_5_1_headers_on_closed_stream_start_nothing(conn):
    stream = conn.request("/first")
    conn.response(stream)
    heads = len(conn.origin.heads)
    conn.headers(simple(conn, path="/reused"), stream=stream)
    if conn.sync():
        lives(conn)
    check(b"/reused" not in b"".join(conn.origin.heads[heads:]), "a stream is used once")


@case
def rfc9113_5_1_frames_on_closed_stream_are_ignored(conn):
    stream = conn.request("/")
    conn.response(stream)
    conn.send(h2.window_update(stream, 10), h2.rst(stream), h2.data(stream, b"late"),
              h2.frame(h2.PRIORITY, 0, stream, struct.pack(">IB", 0, 16)))
    lives(conn)


@case
def rfc9113_5_1_priority_on_idle_stream(conn):
    conn.send(h2.frame(h2.PRIORITY, 0, 99, struct.pack(">IB", 0, 16)))
    lives(conn)


@case
def rfc9113_5_1_1_even_identifier(conn):
    conn.headers(simple(conn), stream=2)
    goes(conn, h2.PROTOCOL_ERROR)


@case
def rfc9113_5_1_1_smaller_identifier(conn):
    conn.streams[7] = h2.Stream()
    conn.headers(simple(conn), stream=7)
    conn.response(7)
    heads = len(conn.origin.heads)
    conn.headers(simple(conn, path="/smaller"), stream=5)
    if not conn.sync():
        check(conn.end() in (h2.PROTOCOL_ERROR, h2.STREAM_CLOSED), f"GOAWAY {conn.goaways}")
    check(len(conn.origin.heads) == heads, "it asks for nothing")


@case
def rfc9113_5_1_1_skipped_identifiers_are_closed(conn):
    conn.streams[99] = h2.Stream()
    conn.headers(simple(conn), stream=99)
    check(conn.response(99).status == 200, "99 first")
    conn.next_id = 101
    lives(conn)


@case
def rfc9113_5_1_1_the_last_identifier(conn):
    last = (1 << 31) - 1
    conn.streams[last] = h2.Stream()
    conn.headers(simple(conn), stream=last)
    check(conn.response(last).status == 200, "the last of all is answered")
    conn.send(h2.frame(h2.HEADERS, 5, 1, h2.block_of(simple(conn))))
    conn.sync()


@case
def rfc9113_5_1_2_more_streams_than_allowed(conn):
    conn.sync()
    most = conn.settings[h2.MAX_CONCURRENT_STREAMS]
    slow_may_end.clear()
    for _ in range(most):
        conn.request("/", end=False, method="POST")
    over = conn.request("/", end=False, method="POST")
    code = conn.response(over).reset
    if code is None:
        goes(conn, h2.PROTOCOL_ERROR, h2.REFUSED_STREAM)
    check(code in (None, h2.REFUSED_STREAM, h2.PROTOCOL_ERROR), f"stream {most + 1}: {code}")


@case
def rfc9113_5_1_2_as_many_streams_as_allowed(conn):
    conn.sync()
    streams = [conn.request(f"/{n}", end=False, method="POST")
               for n in range(conn.settings[h2.MAX_CONCURRENT_STREAMS])]
    for n, stream in enumerate(streams):
        conn.send(h2.data(stream, b"body %d" % n, end=True))
    for n, stream in enumerate(streams):
        check(conn.response(stream).body == b"body %d" % n, f"stream {n} of the most")
    lives(conn)


@case
def what_comes_in_one_write_is_answered(conn):
    """Hits, misses, bodies and what is taken back at once: more than are looked up together."""
    wanted, frames, hit = {}, [], b"abc"
    check(conn.get("/etag").body == hit, "what is asked for often is stored")
    for n in range(60):
        stream, is_post = conn.new_stream(), n % 5 == 3
        path = f"/one-write-{n}" if n % 5 == 1 else "/etag" if not is_post else "/"
        fields = simple(conn, path=path, method="POST" if is_post else "GET")
        frames.append(h2.frame(h2.HEADERS, 4 if is_post else 5, stream, h2.block_of(fields)))
        if is_post:
            frames.append(h2.data(stream, b"body %d" % n, end=True))
        if n % 5 == 4:
            frames.append(h2.rst(stream))
        else:
            wanted[stream] = b"body %d" % n if is_post else b"ok" if n % 5 == 1 else hit
    conn.send(*frames)
    for stream, body in wanted.items():
        check(conn.response(stream).body == body, f"{name()}: stream {stream}")
    lives(conn)


@case
def rfc9113_5_1_2_refused_before_settings_were_acknowledged(conn):
    with h2.Connection(conn.proxy.port, auto=False) as other:
        other.authority = conn.authority
        streams = [other.request("/", end=False, method="POST") for _ in range(160)]
        other.until(lambda: other.streams[streams[-1]].done)
        codes = {other.streams[stream].reset for stream in streams}
        check(codes == {None, h2.REFUSED_STREAM}, f"what is refused can be retried: {codes}")


# ---- 5.3: the old priorities change nothing; 5.4, 5.5 ----

@case
def rfc9113_5_3_priority_in_headers_is_accepted(conn):
    stream = conn.new_stream()
    conn.send(h2.frame(h2.HEADERS, 5 | h2.WITH_PRIORITY, stream,
                       struct.pack(">IB", 0x80000000, 255) + h2.block_of(simple(conn))))
    check(conn.response(stream).status == 200, "HEADERS with priority")


@case
def rfc9113_5_4_1_goaway_names_the_last_stream(conn):
    for _ in range(3):
        conn.get("/")
    conn.send(h2.data(0, b"x"))
    goes(conn, h2.PROTOCOL_ERROR)
    check(conn.goaways and conn.goaways[-1][0] == 5, f"last stream: {conn.goaways}")
    check(conn.closed == "fin", f"the answer can be read: {conn.closed}")


@case
def rfc9113_5_4_2_rst_stream_is_not_answered(conn):
    stream = conn.request("/", end=False, method="POST")
    conn.send(h2.rst(stream))
    conn.sync()
    check(not [got for got in conn.frames if got.kind == h2.RST_STREAM], "no RST_STREAM against one")
    lives(conn)


@case
def rfc9113_5_5_unknown_settings_are_ignored(conn):
    conn.send(h2.settings((0xabcd, 7)))
    lives(conn)


# ---- RFC 9218 ----

@case
def rfc9218_4_any_priority_field_is_taken(conn):
    for value in ("u=0", "u=7, i", "u=9", "i=?2", "u", ",,,", "\"", "u=1;x=2, foo=bar", "x" * 3000):
        check(conn.get("/", more=[("priority", value)]).status == 200, f"priority: {value[:20]}")


@case
def rfc9218_7_1_priority_update(conn):
    conn.send(h2.priority_update(1, b"u=0, i"), h2.priority_update(3, b"\xff not a field"))
    lives(conn)


@case
def rfc9218_7_1_priority_update_on_a_stream(conn):
    conn.send(h2.frame(h2.PRIORITY_UPDATE, 0, 1, b"\0\0\0\1u=0"))
    goes(conn, h2.PROTOCOL_ERROR)


@case
def rfc9218_7_1_priority_update_of_stream_0(conn):
    conn.send(h2.priority_update(0, b"u=0"))
    goes(conn, h2.PROTOCOL_ERROR)


@case
def rfc9218_7_1_priority_update_cut_short(conn):
    conn.send(h2.frame(h2.PRIORITY_UPDATE, 0, 0, b"\0\0\1"))
    goes(conn, h2.FRAME_SIZE_ERROR)


# ---- the end ----

@hasty
def rfc9113_9_1_an_idle_connection_is_told_to_go(conn):
    lives(conn)
    check(conn.end() == h2.NO_ERROR and conn.closed == "fin", f"{conn.goaways} {conn.closed}")


@hasty
def rfc9113_9_1_a_connection_that_says_nothing_is_left(conn):
    with open_raw(conn.proxy, h2.PREFACE[:20]) as other:
        other.end()
        check(other.closed, "half a preface")
    with open_raw(conn.proxy, h2.PREFACE) as other:
        other.end()
        check(other.closed, "a preface alone")


@hasty
def rfc9113_4_3_a_block_that_never_ends(conn):
    conn.sync()
    conn.headers(simple(conn), flags=0)
    goes(conn, h2.NO_ERROR, h2.ENHANCE_YOUR_CALM)


def rfc9113_6_8_drain(proxy, origin, witness):
    """SIGTERM: GOAWAY twice; what is under way, and what was sent before the second, is finished."""
    conn = connection(proxy, origin, witness.echo)
    stream = conn.request("/slow")
    slow_may_end.clear()
    conn.head(stream)
    ended = threading.Thread(target=lambda: check(proxy.stop(), "it leaves by itself"))
    ended.start()
    conn.until(lambda: conn.goaways)
    check(conn.goaways == [((1 << 31) - 1, h2.NO_ERROR, b"")], f"the notice: {conn.goaways}")
    check(conn.get("/lives").body == b"ok", "who has not heard it yet is answered")
    conn.until(lambda: len(conn.goaways) == 2)
    check(conn.goaways[1][:2] == (3, h2.NO_ERROR), f"then the last stream: {conn.goaways}")
    late = conn.request("/late")
    conn.sync()
    check(not conn.streams[late].heads, "a request after that is not answered")
    slow_may_end.set()
    got = conn.response(stream)
    check(got.ended and got.body == b"1234567890", "what is under way is finished")
    conn.end()
    check(conn.closed == "fin", "then it closes")
    conn.socket.close()
    check(witness.end() == h2.NO_ERROR and len(witness.goaways) == 2, f"{witness.goaways}")
    ended.join()


if __name__ == "__main__":
    main(rfc9113_6_8_drain)
