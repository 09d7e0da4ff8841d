#!/usr/bin/env python3
"""What an HTTP/2 client may not do without an aim: h2_floods.py BUILD [WORD ...]

Each defence of proxy/stream/h2_guard.h is met by the flood it is there for, and by as much as is
still allowed. The flood ends with GOAWAY, its reason and a closed connection, and is counted once;
afterwards no memory is held and nothing is asked of the origin for it. All the while another
connection is served.
"""
import contextlib
import pathlib
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import h2  # noqa: E402
import raw  # noqa: E402
from h2_bench import Beside, check, get, play, post, started, trace  # noqa: E402

# ---- floods: each yields what is sent, a step at a time ----

def rapid_reset(conn):
    while True:
        stream, opening = post(conn, "/held")
        yield opening + h2.rst(stream)


def reset_by_window_overflow(conn):
    while True:
        stream, opening = post(conn, "/held")
        yield opening + h2.window_update(stream, (1 << 31) - 1)


def reset_by_malformed_request(conn):
    while True:
        yield get(conn, more=[("Upper", "x")])[1]


def reset_by_forbidden_field(conn):
    while True:
        yield get(conn, more=[("connection", "close")])[1]


def reset_by_our_own_check(conn):
    while True:
        yield get(conn, more=[("host", "another.example")])[1]


def reset_by_length(conn):
    while True:
        stream, opening = post(conn, "/held", ("content-length", "1"))
        yield opening + h2.data(stream, b"22")


def reset_by_trailers(conn):
    while True:
        stream, opening = post(conn, "/held")
        yield opening + h2.frame(h2.HEADERS, 5, stream, h2.literal(":path", "/"))


def reset_by_second_headers(conn):
    while True:
        stream, opening = post(conn, "/held")
        yield opening + h2.frame(h2.HEADERS, h2.END_HEADERS, stream, h2.literal("a", "b"))


def continuations(conn):
    """Blocks of 20 each: nothing is wrong with any of them."""
    while True:
        stream = conn.new_stream()
        block = h2.block_of(conn.fields_of("/"))
        yield h2.frame(h2.HEADERS, h2.END_STREAM, stream, block) + \
            h2.frame(h2.CONTINUATION, 0, stream, h2.literal("a", "b")) * 19 + \
            h2.frame(h2.CONTINUATION, h2.END_HEADERS, stream, b"")


def continuation_without_end(conn):
    stream = conn.new_stream()
    yield h2.frame(h2.HEADERS, h2.END_STREAM, stream, h2.block_of(conn.fields_of("/")))
    while True:
        yield h2.frame(h2.CONTINUATION, 0, stream, h2.literal("a", "b"))


def settings_flood(_conn):
    while True:
        yield h2.settings((h2.INITIAL_WINDOW_SIZE, 65535))


def pings(_conn):
    while True:
        yield h2.ping()


def ping_acks(_conn):
    while True:
        yield h2.ping(flags=h2.ACK)


def empty_data(conn):
    stream, opening = post(conn, "/held")
    yield opening
    while True:
        yield h2.data(stream)


def hollow_data(conn):
    stream, opening = post(conn, "/held")
    yield opening
    while True:
        yield h2.data(stream, pad=20)


def empty_headers(conn):
    while True:
        stream = conn.new_stream()
        block = h2.block_of(conn.fields_of("/", "POST"))
        yield h2.frame(h2.HEADERS, 0, stream) + \
            h2.frame(h2.CONTINUATION, h2.END_HEADERS, stream, block) + h2.data(stream, end=True)


def priorities(_conn):
    while True:
        yield h2.frame(h2.PRIORITY, 0, 1, struct.pack(">IB", 0, 16)) * 10


def priority_updates(conn):
    stream, opening = post(conn, "/held")
    yield opening
    while True:
        yield h2.priority_update(stream, b"u=1, i") * 10


def window_updates(conn):
    stream, opening = post(conn, "/held")
    yield opening
    while True:
        yield (h2.window_update(0, 1) + h2.window_update(stream, 1)) * 10


def unknown_frames(_conn):
    while True:
        yield h2.frame(0x77, 0, 0, b"") * 10


def goaways(conn):
    yield post(conn, "/held")[1]
    while True:
        yield h2.goaway(debug=b"again")


def reuse(conn):
    stream, opening = get(conn)
    yield opening
    conn.response(stream)
    while True:
        yield h2.frame(h2.HEADERS, 5, stream, h2.block_of(conn.fields_of("/held")))


def bomb(conn):
    """A field of 3000 bytes, put into the table once and named a thousand times."""
    stream = conn.new_stream()
    yield h2.frame(h2.HEADERS, 5, stream, h2.block_of(conn.fields_of("/")) +
                   h2.indexed_literal("x", "b" * 3000) + b"\xbe" * 1000)
    while True:
        yield h2.ping()


def large_lists(conn):
    stream = conn.new_stream()
    yield h2.frame(h2.HEADERS, h2.END_STREAM, stream, h2.block_of(conn.fields_of("/")))
    while True:
        yield h2.frame(h2.CONTINUATION, 0, stream, h2.literal("x", "y" * 8000))


def rubbish(_conn):
    while True:
        yield h2.data(0, b"rubbish")


# flood, offence, steps that are allowed (0: none is), code
FLOODS = [
    (rapid_reset, "rapid-reset", 300, h2.ENHANCE_YOUR_CALM),
    (reset_by_window_overflow, "made-reset", 100, h2.ENHANCE_YOUR_CALM),
    (reset_by_malformed_request, "made-reset", 100, h2.ENHANCE_YOUR_CALM),
    (reset_by_forbidden_field, "made-reset", 100, h2.ENHANCE_YOUR_CALM),
    (reset_by_our_own_check, "made-reset", 100, h2.ENHANCE_YOUR_CALM),
    (reset_by_length, "made-reset", 100, h2.ENHANCE_YOUR_CALM),
    (reset_by_trailers, "made-reset", 100, h2.ENHANCE_YOUR_CALM),
    (reset_by_second_headers, "made-reset", 100, h2.ENHANCE_YOUR_CALM),
    (continuations, "continuation", 10, h2.ENHANCE_YOUR_CALM),
    (continuation_without_end, "continuation", 0, h2.ENHANCE_YOUR_CALM),
    (settings_flood, "settings", 49, h2.ENHANCE_YOUR_CALM),  # and the one behind the preface
    (pings, "ping", 199, h2.ENHANCE_YOUR_CALM),  # and the one that asks whether it lives
    (ping_acks, "ping", 199, h2.ENHANCE_YOUR_CALM),
    (empty_data, "empty-frames", 101, h2.ENHANCE_YOUR_CALM),
    (hollow_data, "empty-frames", 101, h2.ENHANCE_YOUR_CALM),
    (empty_headers, "empty-frames", 100, h2.ENHANCE_YOUR_CALM),
    (priorities, "priority", 100, h2.ENHANCE_YOUR_CALM),
    (priority_updates, "priority", 101, h2.ENHANCE_YOUR_CALM),
    (window_updates, "window-update", 101, h2.ENHANCE_YOUR_CALM),
    (unknown_frames, "unknown-frame", 100, h2.ENHANCE_YOUR_CALM),
    (goaways, "goaway", 51, h2.ENHANCE_YOUR_CALM),
    (reuse, "stream-reuse", 301, h2.ENHANCE_YOUR_CALM),
    (bomb, "header-list", 0, h2.ENHANCE_YOUR_CALM),
    (large_lists, "header-list", 0, h2.ENHANCE_YOUR_CALM),
    (rubbish, "protocol", 0, h2.PROTOCOL_ERROR),
]
STEPS_MAX = 5000


def begun(bench):
    """SETTINGS are acknowledged on both sides: nothing of ours comes between what is sent now."""
    conn = bench.connect()
    conn.until(lambda: conn.acked and conn.settings)
    return conn


def allowed(bench, flood, steps):
    """As much of it as is allowed changes nothing."""
    with begun(bench) as conn:
        for n, step in zip(range(steps), flood(conn)):
            conn.send(step)
            if n % 32 == 31:
                follow(conn, flood)
        check(conn.sync() and not conn.goaways,
              f"{flood.__name__}: {steps} are allowed: {conn.goaways}")


def overdone(bench, flood, offence, code):
    before = bench.offences()
    with begun(bench) as conn:
        for n, step in enumerate(flood(conn)):
            if n == STEPS_MAX or conn.closed or conn.goaways:
                break
            conn.send(step)
            if n % 32 == 31:
                follow(conn, flood)
        conn.end()
        got = conn.goaways[-1] if conn.goaways else None
        check(got and got[1] == code and got[2], f"{flood.__name__}: GOAWAY {got}")
        check(conn.closed is not None, f"{flood.__name__}: the connection is closed")
    counted = {word: n - before[word] for word, n in bench.offences().items() if n != before[word]}
    check(counted == {offence: 1}, f"{flood.__name__}: counted {counted}")


def follow(conn, flood):
    """Reads what is there. Resets are waited for: until then their streams count as open."""
    if flood.__name__.startswith("reset_by"):
        last = conn.streams[conn.next_id - 2]
        conn.until(lambda: last.done or conn.goaways)
    conn.socket.settimeout(0)
    with contextlib.suppress(BlockingIOError):
        while not conn.closed:
            conn.read()
    conn.socket.settimeout(conn.timeout)


def floods(bench, only):
    before = bench.used()
    for flood, offence, steps, code in FLOODS:
        if only and not any(word in flood.__name__ for word in only):
            continue
        began, beside = time.monotonic(), Beside(bench)
        if steps:
            allowed(bench, flood, steps)
        overdone(bench, flood, offence, code)
        beside.stop(flood.__name__)
        check(bench.is_quiet(before), f"{flood.__name__}: left: {bench.left(before)}")
        trace(began, flood)


def blameless(bench):
    """Answers and tunnels that the other side breaks off, twice as many as streams may be reset: the
    client has done nothing."""
    resets = next(steps for flood, _, steps, _ in FLOODS if flood is reset_by_length)
    before, quiet = bench.offences(), bench.used()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as target, begun(bench) as conn:
        beside = conn.request("/held", end=False, method="POST")
        for _ in range(2 * resets):
            got = conn.get("/broken")
            if not check(got.status == 200 and got.reset == h2.INTERNAL_ERROR,
                         f"a broken answer: {got.heads} {got.reset} {conn.goaways}"):
                break
        for _ in range(2 * resets):
            stream = conn.connect(f"127.0.0.1:{target.getsockname()[1]}")
            peer, _ = target.accept()
            conn.head(stream)
            raw.reset(peer)
            got = conn.response(stream)
            if not check(got.reset == h2.CONNECT_ERROR, f"a tunnel: {got.reset} {conn.goaways}"):
                break
        check(conn.sync() and not conn.goaways and not conn.streams[beside].done,
              f"what is beside them goes on: {conn.goaways} {conn.streams[beside].reset}")
    check(bench.offences() == before, f"{bench.offences()}")
    check(bench.is_quiet(quiet), f"left: {bench.left(quiet)}")


def main():
    only = sys.argv[2:]
    with started() as bench:
        floods(bench, only)
        play(bench, (blameless,), only)
    check.end()


if __name__ == "__main__":
    main()
