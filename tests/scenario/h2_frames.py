#!/usr/bin/env python3
"""HTTP/2 to clients, frame by frame, what is right and what is wrong: h2_frames.py BUILD

Each case has a connection of its own and the section it is about in its name. After each, another
connection that has been there all the while is served as before.
"""
import contextlib
import os
import pathlib
import re
import socket
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import h2  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

check = raw.Checks()
CASES = []
LARGE = bytes(range(256)) * 4096  # 1 MiB
IDLE_MS = 1500


def case(function):
    CASES.append(function)
    return function


# ---- the origin ----

def some(conn):
    more = conn.recv(65536)
    if not more:
        raise ConnectionError("a body that stops")
    return more


def read_body(conn, head, rest):
    fields = {line.split(b":")[0].lower(): line.split(b":", 1)[1].strip()
              for line in head.split(b"\r\n")[1:] if b":" in line}
    if b"content-length" in fields:
        while len(rest) < int(fields[b"content-length"]):
            rest += some(conn)
    elif b"transfer-encoding" in fields:
        while not re.search(rb"(^|\r\n)0\r\n([^\r]+\r\n)*\r\n$", rest):
            rest += some(conn)
        rest = unchunk(rest)
    return rest


def unchunk(text):
    body = b""
    while True:
        line, text = text.split(b"\r\n", 1)
        size = int(line, 16)
        if size == 0:
            return body
        body += text[:size]
        text = text[size + 2:]


def answer(conn, body=b"", fields=b"", status=b"200 OK"):
    conn.sendall(b"HTTP/1.1 " + status + b"\r\nCache-Control: no-store\r\nContent-Length: %d\r\n%s\r\n"
                 % (len(body), fields) + body)


slow_may_end = threading.Event()
slow_is_asked = threading.Event()


def serve(conn, head, rest):
    path = raw.path_of(head).split("?")[0]
    if path == "/early":  # the response does not wait for the body
        answer(conn, b"early")
        return True
    if path == "/expect":
        conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = read_body(conn, head, rest)
    if path == "/large":
        answer(conn, b"" if head.startswith(b"HEAD") else LARGE)
    elif path == "/interim":
        conn.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nTE: trailers\r\n"
                     b"Trailer: x\r\nProxy-Authenticate: Basic\r\nUpgrade: x\r\nKeep-Alive: x\r\n"
                     b"Connection: upgrade, TE, x-hop\r\nX-Hop: 1\r\n\r\n")
        answer(conn, b"final")
    elif path == "/chunked":
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: no-store\r\n\r\n"
                     b"3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Trailer: t\r\n\r\n")
    elif path == "/etag":
        conn.sendall(b'HTTP/1.1 200 OK\r\nETag: "a"\r\nCache-Control: max-age=60\r\n'
                     b"Content-Length: 3\r\n\r\nabc")
    elif path == "/204":
        conn.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    elif path == "/head":
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
    elif path == "/short":
        conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 100\r\n\r\nonly")
        return True
    elif path == "/slow":
        conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 10\r\n\r\n12345")
        slow_is_asked.set()
        slow_may_end.wait(20)
        conn.sendall(b"67890")
    elif path == "/connection":
        answer(conn, b"x", b"Connection: close, x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
                           b"Proxy-Connection: close\r\nX-Kept: 1\r\n")
        return True
    else:
        answer(conn, body or b"ok")
    return False


def echo_server():
    """TCP, byte by byte what came, then its end."""
    server = socket.create_server(("127.0.0.1", 0))

    def run(conn):
        with conn:
            with contextlib.suppress(ConnectionError):
                while piece := conn.recv(65536):
                    conn.sendall(piece)

    def accept():
        while True:
            threading.Thread(target=run, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return server.getsockname()[1]


# ---- what is expected ----

def goes(conn, *codes):
    """The connection is given up with one of these codes."""
    code = conn.end()
    check(conn.closed and code in codes, f"{name()}: GOAWAY {code}, expected {codes}, "
                                         f"{conn.closed} {conn.goaways}")


def resets(conn, stream, *codes):
    """The stream is reset with one of these codes, and the connection lives on."""
    got = conn.response(stream)
    check(got.reset in codes, f"{name()}: RST_STREAM {got.reset}, expected {codes}, "
                              f"{got.heads} {conn.goaways}")
    lives(conn)


def lives(conn):
    got = conn.get("/lives")
    check(got.status == 200 and got.body == b"ok" and got.ended,
          f"{name()}: the connection does not live on: {got.heads} {got.reset} {conn.goaways}")


def refused(conn, fields, end=True, *codes):
    resets(conn, conn.headers(fields, end), *(codes or (h2.PROTOCOL_ERROR,)))


def metric(conn, what):
    text, _ = raw.ask(conn.proxy.admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return int(text.split(f"\nlarder_{what} ".encode())[1].split(b"\n")[0])


def name():
    return CURRENT[0]


CURRENT = [""]


def simple(conn, *more, path="/", method="GET", **how):
    return conn.fields_of(path, method, more=more, **how)


def without(conn, left_out):
    return [field for field in simple(conn) if field[0] != left_out]


# ---- RFC 9113 3.4: the preface ----

def open_raw(proxy, first):
    conn = h2.Connection(proxy.port, preface=False)
    conn.send(first)
    return conn


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


# ---- 5.1: the states of streams ----

def on_idle(kind_frame):
    def run(conn):
        conn.send(kind_frame)
        goes(conn, h2.PROTOCOL_ERROR)
    return run


def add(title, run):
    run.__name__ = title
    CASES.append(run)


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


# ---- 8.1: messages ----

@case
def rfc9113_8_1_several_streams_interleaved(conn):
    streams = [conn.request(f"/{n}", end=False, method="POST") for n in range(10)]
    for part in range(20):
        for n, stream in enumerate(streams):
            conn.send(h2.data(stream, b"%d-%d," % (n, part), end=part == 19))
    for n, stream in enumerate(streams):
        expected = b"".join(b"%d-%d," % (n, part) for part in range(20))
        check(conn.response(stream).body == expected, f"body {n}")


@case
def rfc9113_8_1_trailers_are_taken(conn):
    stream = conn.request("/", end=False, method="POST")
    conn.send(h2.data(stream, b"body"))
    conn.headers([("x-trailer", "1")], stream=stream)
    check(conn.response(stream).body == b"body", "a body with trailers")
    lives(conn)


@case
def rfc9113_8_1_trailers_with_pseudo_fields(conn):
    stream = conn.request("/", end=False, method="POST")
    conn.send(h2.data(stream, b"body"))
    conn.headers([(":method", "GET")], stream=stream)
    resets(conn, stream, h2.PROTOCOL_ERROR)


@case
def rfc9113_8_1_trailers_with_a_field_of_the_connection(conn):
    stream = conn.request("/", end=False, method="POST")
    conn.headers([("transfer-encoding", "chunked")], stream=stream)
    resets(conn, stream, h2.PROTOCOL_ERROR)


@case
def rfc9113_8_1_second_headers_without_end_stream(conn):
    stream = conn.request("/", end=False, method="POST")
    conn.headers([("x-trailer", "1")], stream=stream, end=False)
    resets(conn, stream, h2.PROTOCOL_ERROR)


@case
def rfc9113_8_1_response_before_the_request_is_complete(conn):
    stream = conn.request("/early", end=False, method="POST")
    conn.send(h2.data(stream, b"part"))
    got = conn.response(stream)
    conn.until(lambda: got.reset is not None)
    check(got.status == 200 and got.body == b"early" and got.ended, f"the response: {got.heads}")
    check(got.reset == h2.NO_ERROR, f"the rest is not wanted: {got.reset}")
    lives(conn)


@case
def rfc9113_8_1_chunked_becomes_frames(conn):
    got = conn.get("/chunked")
    check(got.body == b"abcdefg" and got.ended, f"{got.body}")
    check("transfer-encoding" not in got.fields and "content-length" not in got.fields,
          f"{got.fields}")


@case
def rfc9113_8_1_a_body_cut_short_is_never_ended_cleanly(conn):
    before = metric(conn, "h2_streams_broken_total")
    got = conn.get("/short")
    check(not got.ended and got.reset == h2.INTERNAL_ERROR, f"{got.ended} {got.reset}")
    check(metric(conn, "h2_streams_broken_total") == before + 1, "it is counted")
    lives(conn)


@case
def rfc9113_8_1_interim_responses_come_first(conn):
    got = conn.get("/interim")
    check([dict(head)[":status"] for head in got.heads] == ["103", "200"], f"{got.heads}")
    check(got.heads[0] == [(":status", "103"), ("link", "</a>; rel=preload")],
          f"nothing of one hop alone: {got.heads[0]}")
    check(dict(got.heads[0]).get("link") == "</a>; rel=preload" and got.body == b"final",
          f"{got.heads}")


@case
def rfc9113_8_1_expect_100_continue(conn):
    stream = conn.headers(simple(conn, ("expect", "100-continue"), ("content-length", "4"),
                                 path="/expect", method="POST"), end=False)
    conn.until(lambda: conn.streams[stream].heads)
    check(dict(conn.streams[stream].heads[0])[":status"] == "100", "100 before the body")
    conn.send(h2.data(stream, b"body", end=True))
    check(conn.response(stream).body == b"body", "then the answer")


@case
def rfc9113_8_1_head_has_no_body(conn):
    got = conn.get("/head", method="HEAD")
    check(got.status == 200 and got.fields.get("content-length") == "1234" and not got.body
          and got.ended, f"{got.heads}")


@case
def rfc9113_8_1_statuses_without_a_body(conn):
    conn.get("/etag")
    for path, status in (("/etag", 304), ("/204", 204)):
        got = conn.get(path, more=[("if-none-match", '"a"')] if status == 304 else [])
        check(got.status == status and got.ended and not got.body, f"{path}: {got.heads}")
    check(conn.get("/etag").body == b"abc", "and one with")


def length_case(length, bodies, trailers=False):
    def run(conn):
        stream = conn.headers(simple(conn, ("content-length", length), method="POST"),
                              end=not bodies)
        # At once: the origin may answer what is as long as it should be, and that is the end of it.
        conn.send(b"".join(h2.data(stream, body, end=n == len(bodies) - 1 and not trailers)
                           for n, body in enumerate(bodies)))
        if trailers:
            conn.headers([("x-t", "1")], stream=stream)
        resets(conn, stream, h2.PROTOCOL_ERROR)
    return run


add("rfc9113_8_1_1_length_without_a_body", length_case("1", []))
add("rfc9113_8_1_1_body_shorter_than_its_length", length_case("10", [b"12345"]))
add("rfc9113_8_1_1_body_longer_than_its_length", length_case("3", [b"12345"]))
add("rfc9113_8_1_1_second_data_beyond_the_length", length_case("5", [b"12345", b"6"]))
add("rfc9113_8_1_1_shorter_and_trailers", length_case("6", [b"12345"], trailers=True))
add("rfc9113_8_1_1_length_with_a_sign", length_case("+5", [b"12345"]))
add("rfc9113_8_1_1_length_beyond_63_bits", length_case("9223372036854775808", [b"12345"]))
add("rfc9113_8_1_1_length_in_a_list", length_case("5, 5", [b"12345"]))


@case
def rfc9113_8_1_1_length_twice(conn):
    refused(conn, simple(conn, ("content-length", "0"), ("content-length", "0"), method="POST"))


@case
def rfc9113_8_1_1_a_malformed_request_says_nothing_to_the_origin(conn):
    heads, before = len(conn.origin.heads), metric(conn, "bad_heads_total")
    for more in (("Upper", "1"), ("connection", "close"), ("x", "a\r\nb: c")):
        refused(conn, simple(conn, more, path="/malformed"))
    check(b"malformed" not in b"".join(conn.origin.heads[heads:]), "nothing was asked")
    check(metric(conn, "bad_heads_total") - before == 3, "each is counted")


@case
def rfc9113_8_1_1_a_malformed_request_does_not_end_the_connection_later(conn):
    """Its header block is not one that the client is late with."""
    stream = conn.request("/slow")
    conn.head(stream)
    conn.response(conn.headers(simple(conn, ("Upper", "1"))))
    threading.Event().wait(1.7)  # timeouts.client-head is 500ms, and looked at once a second
    check(not conn.goaways and conn.sync(), f"the connection lives on: {conn.goaways}")
    slow_may_end.set()
    check(conn.response(stream).body == b"1234567890", "a stream beside it is finished")


# ---- 8.2: fields ----

def bad_fields(*more, method="GET"):
    def run(conn):
        refused(conn, simple(conn, *more, method=method))
    return run


add("rfc9113_8_2_name_in_upper_case", bad_fields(("X-Upper", "1")))
for title, bad in (("space", "x y"), ("nul", "x\0y"), ("cr", "x\ry"), ("lf", "x\ny"),
                   ("colon", "x:y"), ("del", "x\x7fy"), ("8_bit", "x\xffy"), ("control", "x\x01"),
                   ("trailing_space", "host "), ("empty", "")):
    add(f"rfc9113_8_2_1_name_with_{title}", bad_fields((bad, "1")))
for title, bad in (("nul", "a\0b"), ("cr", "a\rb"), ("lf", "a\nb"), ("crlf", "a\r\nx: y"),
                   ("leading_space", " a"), ("trailing_space", "a "), ("leading_tab", "\ta"),
                   ("trailing_tab", "a\t"), ("control", "a\x01b"), ("del", "a\x7fb")):
    add(f"rfc9113_8_2_1_value_with_{title}", bad_fields(("x-value", bad)))
for title, field in (("connection", ("connection", "keep-alive")),
                     ("connection_empty", ("connection", "")),
                     ("keep_alive", ("keep-alive", "timeout=5")),
                     ("proxy_connection", ("proxy-connection", "keep-alive")),
                     ("transfer_encoding", ("transfer-encoding", "chunked")),
                     ("transfer_encoding_identity", ("transfer-encoding", "identity")),
                     ("upgrade", ("upgrade", "h2c")),
                     ("te_gzip", ("te", "trailers, deflate;q=0.5"))):
    add(f"rfc9113_8_2_2_{title}", bad_fields(field))


@case
def rfc9113_8_2_2_te_trailers_is_fine(conn):
    check(conn.get("/", more=[("te", "trailers")]).status == 200, "te: trailers")


@case
def rfc9113_8_2_2_fields_of_the_origins_connection_stay_there(conn):
    got = conn.get("/connection")
    names = {field for field, _ in got.heads[0]}
    check(not names & {"connection", "keep-alive", "proxy-connection", "x-hop", "upgrade"},
          f"{names}")
    check("x-kept" in names and all(field == field.lower() for field in names), f"{names}")


@case
def rfc9113_8_2_3_crumbs_of_a_cookie_are_joined(conn):
    conn.get("/", more=[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("cookie", "c=3")])
    lines = [line for line in conn.origin.heads[-1].split(b"\r\n") if line[:7].lower() == b"cookie:"]
    check([line.split(b":", 1)[1].strip() for line in lines] == [b"a=1; b=2; c=3"], f"{lines}")


# ---- 8.3: pseudo fields ----

def bad_list(make, end=True):
    def run(conn):
        refused(conn, make(conn), end)
    return run


for left_out in (":method", ":scheme", ":path"):
    add(f"rfc9113_8_3_1_without_{left_out[1:]}",
        bad_list(lambda conn, left_out=left_out: without(conn, left_out)))
for twice in (":method", ":scheme", ":path", ":authority"):
    add(f"rfc9113_8_3_1_{twice[1:]}_twice",
        bad_list(lambda conn, twice=twice: [dict(simple(conn)) and field for field in simple(conn)]
                 + [(twice, dict(simple(conn))[twice])]))
for title, changed in (("empty_path", (":path", "")), ("path_without_slash", (":path", "x")),
                       ("path_with_space", (":path", "/a b")),
                       ("path_with_crlf", (":path", "/ HTTP/1.1\r\nx: y")),
                       ("path_with_nul", (":path", "/\0")),
                       ("empty_method", (":method", "")), ("method_with_space", (":method", "GET /x")),
                       ("method_with_crlf", (":method", "GET\r\n")),
                       ("authority_with_space", (":authority", "a b")),
                       ("authority_with_slash", (":authority", "a/b")),
                       ("authority_with_crlf", (":authority", "a\r\nx: y")),
                       ("empty_scheme", (":scheme", "")),
                       ("scheme_with_space", (":scheme", "ht tp"))):
    def run(conn, changed=changed):
        heads = len(conn.origin.heads)
        got = conn.response(conn.headers([changed if field[0] == changed[0] else field
                                          for field in simple(conn)]))
        check(got.reset == h2.PROTOCOL_ERROR or got.status in (400, 403, 501),
              f"{name()}: {got.reset} {got.heads}")
        check(len(conn.origin.heads) == heads, f"{name()}: nothing was asked")
        lives(conn)
    add(f"rfc9113_8_3_1_{title}", run)


@case
def rfc9113_8_3_pseudo_field_unknown(conn):
    refused(conn, [(":unknown", "x"), *simple(conn)])


@case
def rfc9113_8_3_pseudo_field_of_responses(conn):
    refused(conn, [(":status", "200"), *simple(conn)])


@case
def rfc9113_8_3_pseudo_field_after_others(conn):
    fields = simple(conn)
    refused(conn, [*fields[:3], ("x", "y"), fields[3]])


@case
def rfc9113_8_3_1_host_that_differs_from_authority(conn):
    heads = len(conn.origin.heads)
    refused(conn, simple(conn, ("host", "another.example")))
    check(b"another.example" not in b"".join(conn.origin.heads[heads:]), "nothing was asked")


@case
def rfc9113_8_3_1_host_alone(conn):
    got = conn.response(conn.headers([*without(conn, ":authority"), ("host", conn.authority)]))
    check(got.status == 200, f"{got.heads} {got.reset}")


@case
def rfc9113_8_3_1_host_like_authority(conn):
    conn.get("/", more=[("host", conn.authority)])
    check(conn.origin.heads[-1].lower().count(b"host:") == 1, "one Host for the origin")


@case
def rfc9113_8_3_1_userinfo_in_authority(conn):
    got = conn.response(conn.headers(simple(conn, authority="user@" + conn.authority)))
    check(got.reset == h2.PROTOCOL_ERROR or got.status == 400, f"{got.reset} {got.heads}")


@case
def rfc9113_8_3_1_neither_host_nor_authority(conn):
    got = conn.response(conn.headers(without(conn, ":authority")))
    check(got.reset == h2.PROTOCOL_ERROR or got.status == 400, f"{got.reset} {got.heads}")


# ---- 8.5: CONNECT ----

@case
def rfc9113_8_5_several_tunnels_in_one_connection(conn):
    tunnels = [conn.connect(conn.echo) for _ in range(8)]
    sent = {stream: os.urandom(30000) for stream in tunnels}
    for stream in tunnels:
        got = conn.head(stream)
        check(got.status == 200 and "content-length" not in got.fields, f"{got.heads} {got.reset}")
    for at in range(0, 30000, 3000):
        for stream in tunnels:
            conn.send(h2.data(stream, sent[stream][at:at + 3000]))
    for stream in tunnels:
        conn.until(lambda: len(conn.streams[stream].body) == 30000)
        check(conn.streams[stream].body == sent[stream], "a tunnel, byte by byte")
    lives(conn)
    for stream in tunnels:
        check(not conn.streams[stream].ended, "open until it is closed")
        conn.send(h2.data(stream, b"last", end=True))  # half-close: the echo comes, then its end
    for stream in tunnels:
        got = conn.response(stream)
        check(got.body == sent[stream] + b"last" and got.ended, f"half-close: {got.reset}")
    lives(conn)


@case
def rfc9113_8_5_a_tunnel_is_reset(conn):
    stream, other = conn.connect(conn.echo), conn.connect(conn.echo)
    conn.head(stream)
    conn.head(other)
    conn.send(h2.rst(stream, h2.CONNECT_ERROR), h2.data(other, b"beside", end=True))
    check(conn.response(other).body == b"beside", "the tunnel beside it")
    lives(conn)


@case
def rfc9113_8_5_data_before_the_answer_waits(conn):
    stream = conn.connect(conn.echo)
    conn.send(h2.data(stream, b"eager"), h2.data(stream, b"!", end=True))
    check(conn.response(stream).body == b"eager!", f"{conn.streams[stream].heads}")


@case
def rfc9113_8_5_connect_that_is_refused(conn):
    got = conn.response(conn.connect("127.0.0.1:25"))
    check(got.status == 403, f"{got.heads} {got.reset}")
    lives(conn)


@case
def rfc9113_8_5_connect_nobody_listens(conn):
    got = conn.response(conn.connect(f"127.0.0.1:{larder.free_port()}"))
    check(got.status in (502, 503, 504) or got.reset == h2.CONNECT_ERROR, f"{got.heads}")
    lives(conn)


@case
def rfc9113_8_5_connect_with_scheme_or_path(conn):
    refused(conn, [(":method", "CONNECT"), (":scheme", "http"), (":authority", conn.echo)], False)
    refused(conn, [(":method", "CONNECT"), (":path", "/"), (":authority", conn.echo)], False)


@case
def rfc9113_8_5_connect_without_authority(conn):
    refused(conn, [(":method", "CONNECT")], False)


@case
def rfc9113_8_5_headers_in_a_tunnel(conn):
    stream = conn.connect(conn.echo)
    conn.head(stream)
    conn.headers([("x-trailer", "1")], stream=stream)
    got = conn.response(stream)
    check(got.reset == h2.PROTOCOL_ERROR or got.ended, f"{got.reset} {got.ended}")
    lives(conn)


@case
def rfc8441_3_extended_connect_is_offered(conn):
    conn.until(lambda: conn.settings)
    check(conn.settings.get(8) == 1, "SETTINGS_ENABLE_CONNECT_PROTOCOL is sent")
    stream = conn.headers([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"),
                           (":authority", conn.authority), (":path", "/")], end=False)
    check(conn.response(stream).status == 502, "an origin that answers 200 has not changed over")
    lives(conn)


@case
def rfc8441_4_an_unknown_protocol(conn):
    stream = conn.headers([(":method", "CONNECT"), (":protocol", "chat"), (":scheme", "http"),
                           (":authority", conn.authority), (":path", "/")], end=False)
    check(conn.response(stream).status == 501, "it is not known here")
    lives(conn)


@case
def rfc8441_4_protocol_with_another_method(conn):
    refused(conn, [*simple(conn), (":protocol", "websocket")])


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


# ---- heads that are too large ----

@case
def rfc9113_10_5_1_too_large_heads_are_answered(conn):
    for more, path, status in ((("x", "y" * 9000), "/", 431), (("x", "y"), "/" + "p" * 3000, 414)):
        got = conn.get(path, more=[more] * 2)
        check(got.status == status and got.ended and len(got.body) > 100, f"{got.heads}")
    got = conn.get("/", more=[(f"x-{n}", "") for n in range(200)])
    check(got.status == 431, f"200 fields: {got.heads}")
    lives(conn)


@case
def rfc9113_10_5_1_too_large_head_with_a_body(conn):
    stream = conn.request("/", end=False, method="POST", more=[("x", "y" * 9000)] * 2)
    got = conn.response(stream)
    conn.until(lambda: got.reset is not None)
    check(got.status == 431 and got.reset == h2.NO_ERROR, f"{got.status} {got.reset}")
    conn.send(h2.data(stream, b"late", end=True))
    lives(conn)


# ---- nothing is smuggled into HTTP/1 ----

@case
def rfc9113_10_3_what_reaches_the_origin(conn):
    """The exact head: what an HTTP/2 request says, and nothing else."""
    stream = conn.headers(simple(conn, ("x-one", "a: b, c; d"), ("content-length", "3"),
                                 path="/exact?q=%0d%0a", method="POST"), end=False)
    conn.send(h2.data(stream, b"abc", end=True))
    conn.response(stream)
    lines = conn.origin.heads[-1].split(b"\r\n")
    names = [line.split(b":")[0].lower() for line in lines[1:-2]]
    check(lines[0] == b"POST /exact?q=%0d%0a HTTP/1.1", f"{lines[0]}")
    check(lines[1] == b"Host: " + conn.authority.encode(), f"{lines[1]}")
    check(b"x-one: a: b, c; d" in lines and b"Content-Length: 3" in lines, f"{lines}")
    check(len(names) == len(set(names)) and b"transfer-encoding" not in names, f"{names}")
    check(b"Via: 2.0 " in conn.origin.heads[-1] or b"via" in names, f"{names}")


@case
def rfc9113_10_3_a_body_of_unknown_length_is_chunked(conn):
    smuggled = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    heads = len(conn.origin.heads)
    stream = conn.request("/", end=False, method="POST")
    conn.send(h2.data(stream, smuggled, end=True))
    check(conn.response(stream).body == smuggled, "it comes back as it was")
    check(len(conn.origin.heads) == heads + 1, "one request")


@case
def rfc9113_10_3_get_with_a_body(conn):
    heads = len(conn.origin.heads)
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    stream = conn.headers(simple(conn, method="GET"), end=False)
    conn.send(h2.data(stream, smuggled, end=True))
    conn.response(stream)
    lives(conn)
    check(b"/smuggled" not in b"".join(conn.origin.heads[heads:]), "it is the body of a GET")


@case
def rfc9113_10_3_nothing_that_is_refused_is_asked(conn):
    heads = len(conn.origin.heads)
    for fields in (simple(conn, ("x", "a\r\nSmuggled: 1")), simple(conn, ("x\r\nsmuggled", "1")),
                   simple(conn, path="/ HTTP/1.1\r\nSmuggled: 1"),
                   simple(conn, method="GET / HTTP/1.1\r\nSmuggled: 1\r\n"),
                   simple(conn, authority="a\r\nSmuggled: 1"),
                   simple(conn, authority=conn.authority + "\r\nSmuggled: 1"),
                   simple(conn, authority=conn.authority + "/smuggled"),
                   simple(conn, authority=conn.authority + "?smuggled"),
                   simple(conn, authority="smuggled@" + conn.authority),
                   simple(conn, scheme="http://smuggled/?x="),
                   simple(conn, ("transfer-encoding", "chunked"), ("x", "smuggled")),
                   simple(conn, ("host", "smuggled")),
                   simple(conn, path="http://smuggled/"), simple(conn, path="smuggled"),
                   simple(conn, path="@smuggled/"), simple(conn, path="*smuggled")):
        got = conn.response(conn.headers(fields))
        check(got.reset == h2.PROTOCOL_ERROR or got.status in (400, 403, 501, 502),
              f"{fields}: {got.heads}")
    lives(conn)
    check(b"muggled" not in b"".join(conn.origin.heads[heads:]), f"{conn.origin.heads[heads:]}")


@case
def rfc9113_10_3_fields_that_are_ours_are_not_the_clients(conn):
    conn.get("/", more=[("http2-settings", "AAMAAABkAAQAAP__"), ("te", "trailers"),
                        ("proxy-authorization", "Basic eDp5")])
    head = conn.origin.heads[-1].lower()
    check(b"http2-settings" not in head and b"proxy-authorization" not in head, f"{head}")


# ---- the end ----

@case
def rfc9113_9_1_an_idle_connection_is_told_to_go(conn):
    lives(conn)
    check(conn.end() == h2.NO_ERROR and conn.closed == "fin", f"{conn.goaways} {conn.closed}")


@case
def rfc9113_9_1_a_connection_that_says_nothing_is_left(conn):
    with open_raw(conn.proxy, h2.PREFACE[:20]) as other:
        other.end()
        check(other.closed, "half a preface")
    with open_raw(conn.proxy, h2.PREFACE) as other:
        other.end()
        check(other.closed, "a preface alone")


@case
def rfc9113_4_3_a_block_that_never_ends(conn):
    conn.sync()
    conn.headers(simple(conn), flags=0)
    goes(conn, h2.NO_ERROR, h2.ENHANCE_YOUR_CALM)


def drained(proxy, origin, witness):
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


def connection(proxy, origin, echo):
    conn = h2.Connection(proxy.port)
    conn.proxy, conn.origin, conn.echo = proxy, origin, echo
    conn.authority = f"127.0.0.1:{origin.port}"
    return conn


def run_case(function, proxy, origin, echo):
    CURRENT[0] = function.__name__
    slow_may_end.clear()
    failed, begun = check.failed, time.monotonic()
    try:
        with connection(proxy, origin, echo) as conn:
            function(conn)
    except Exception as error:  # pylint: disable=broad-except
        check(False, f"{name()}: {error!r}")
        if proxy.process.poll() is not None:
            check(False, f"{name()}: the proxy has ended: {proxy.process.returncode}")
            check.end()
    if "TRACE" in os.environ:
        print(f"{time.monotonic() - begun:.2f}", function.__name__, flush=True)
    if check.failed > failed:
        print("  in", function.__name__, flush=True)
    slow_may_end.set()


def main():
    program = str(pathlib.Path(sys.argv[1]) / "proxy" / "larder-proxy")
    larder.need(program)
    only = sys.argv[2:]
    origin = raw.Origin(serve)
    echo = f"127.0.0.1:{echo_server()}"
    with tempfile.TemporaryDirectory() as store:
        proxy = larder.Proxy(program, store + "/store", "--store-size", "64MiB", "--workers",
                             os.environ.get("LARDER_WORKERS", "1"), "--connect-ports",
                             "443,1024-65535", "--set", "limits.head=16KiB", "--set",
                             "limits.target=2KiB", "--set", "timeouts.client-head=500ms", "--set",
                             f"timeouts.client-idle={IDLE_MS}ms", "--set", "timeouts.client-body=20s")
        proxy.start()
        for function in CASES:
            if only and not any(word in function.__name__ for word in only):
                continue
            run_case(function, proxy, origin, echo)
            CURRENT[0] = "beside " + function.__name__
            with connection(proxy, origin, echo) as witness:
                lives(witness)
        CURRENT[0] = "rfc9113_6_8_drain"
        with connection(proxy, origin, echo) as witness:
            lives(witness)
            drained(proxy, origin, witness)
    check.end()


if __name__ == "__main__":
    main()
