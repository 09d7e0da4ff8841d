#!/usr/bin/env python3
"""What stands still, and whose turn it is: h2_flow.py BUILD [WORD ...]

Clients of HTTP/2 that read nothing, or take nothing on one stream: they cost a bounded amount of
memory, and stop nobody else. A client that goes takes its requests along. Priorities (RFC 9218), and
what is late.
"""
import concurrent.futures
import contextlib
import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import h2  # noqa: E402
import raw  # noqa: E402
from h2_bench import (  # noqa: E402
    HUGE, LARGE, SLACK, check, eventually, get, held, play, post, started)

HOARDERS = 60
LATE = 10  # timeouts.client-body, in seconds, for who must not be late though the machine stands still
PAUSED = 100
PAUSED_EACH = 160 << 10  # what a paused upload of one window may cost


# ---- memory: what waits for a peer that reads nothing ----

@contextlib.contextmanager
def stalled(bench):
    """The socket is full, and the client reads no more."""
    with bench.connect((h2.INITIAL_WINDOW_SIZE, (1 << 31) - 1), auto=False,
                       receive_buffer=4096) as conn:
        conn.send(h2.window_update(0, (1 << 30)))
        conn.request("/huge")
        conn.until(lambda: conn.order)
        yield conn


def heads_that_wait(bench):
    """A client that stalls, and has asked for more heads than are kept for it, has all of them when
    it goes on: stored ones are not even asked for before there is room."""
    with bench.connect() as conn:
        check(conn.get("/small-fields").ended, "it is stored")
    before, offences = bench.used(), bench.offences()
    for path, most in (("/small-fields", 1 << 20), ("/fields", 4 << 20)):
        asked = bench.metrics()["origin_fetches_total"]
        with stalled(bench) as conn:
            ids = [get(conn, path) for _ in range(120)]
            conn.send(b"".join(opening for _, opening in ids))
            if path == "/fields":
                check(eventually(lambda: bench.metrics()["fetches_open"] == 0 and
                                 bench.metrics()["origin_fetches_total"] >= asked + 120),
                      "the origin has answered")
            with bench.connect() as beside:  # one worker: it has been at all of this by now
                check(beside.get("/beside").body == b"ok", "beside a client that stalls")
            kept = bench.used() - before
            check(kept <= most + SLACK, f"{path}: {kept} bytes are kept for a client that stalls")
            for stream in [1, *(stream for stream, _ in ids)]:
                got = conn.response(stream)
                if not check(got.ended and got.status == 200, f"{path}: {got.reset} {conn.goaways}"):
                    break
            check(conn.streams[1].body == HUGE, "and the body before them")
        check(bench.is_quiet(before), bench.left(before))
    check(bench.offences() == offences, f"{bench.offences()}")


def a_pause_at_the_end_of_what_came(bench):
    """The request with which there is enough is followed by the last frame of another, and by nothing
    else. Which one that is depends on what is held beside the heads: several are tried."""
    for count in range(36, 48):
        with stalled(bench) as conn:
            upload, opening = post(conn)
            conn.send(opening, h2.data(upload, b"body"),
                      *(get(conn, "/small-fields")[1] for _ in range(count)),
                      h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, upload,
                               h2.literal("authorization", "is not passed on")))
            check(bench.metrics()["clients_open"], "the proxy has been at it")
            got = conn.response(upload)
            if not check(got.status == 200, f"behind {count}: {got.heads} {got.reset} {conn.goaways}"):
                return


def responses_nobody_reads(bench):
    """The socket is full; then more heads than are kept for a connection come for what was asked."""
    before, offences = bench.used(), bench.offences()
    with stalled(bench) as conn:
        conn.send(b"".join(get(conn, "/many-fields")[1] for _ in range(120)))
        check(eventually(lambda: bench.offences()["memory"] > offences["memory"]),
              f"4 MiB for a connection: {bench.offences()} {bench.used()}")
        conn.end()
        check(conn.goaways and conn.goaways[-1][1] == h2.ENHANCE_YOUR_CALM, f"{conn.goaways}")
    check(bench.is_quiet(before), bench.left(before))


def used_by(bench, work):
    """How much more memory is held after the work; `work` returns when all of it was taken."""
    before = bench.used()
    with bench.connect() as conn:
        work(conn)
        most = bench.used() - before
    check(bench.is_quiet(before), bench.left(before))
    return most


@contextlib.contextmanager
def unreachable():
    """A port whose queue is full: connecting to it takes for ever."""
    with socket.socket() as server, contextlib.ExitStack() as waiting:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):
            conn = waiting.enter_context(socket.socket())
            conn.setblocking(False)
            conn.connect_ex(server.getsockname())
        yield f"127.0.0.1:{server.getsockname()[1]}"


def paused_streams(bench):
    """Uploads and tunnels that nobody takes yet: a window of each is kept, and not more."""
    with unreachable() as authority:
        def uploads(conn):
            conn.authority = authority
            for _ in range(PAUSED):
                stream, opening = post(conn, "/paused")
                conn.send(opening, *(h2.data(stream, b"p" * 16383) for _ in range(4)))
            conn.sync()
            conn.authority = bench.authority
            check(conn.get("/beside").body == b"ok", "beside 100 paused uploads")

        def tunnels(conn):
            for _ in range(PAUSED):
                stream = conn.connect(authority)
                conn.send(*(h2.data(stream, b"p" * 16383) for _ in range(4)))
            conn.sync()
            check(conn.get("/beside").body == b"ok", "beside 100 waiting tunnels")

        for work in (uploads, tunnels):
            most = used_by(bench, work)
            print(f"{PAUSED} paused {work.__name__}: {most >> 10} KiB")
            check(most <= PAUSED * PAUSED_EACH, f"{PAUSED} paused {work.__name__} hold {most} bytes")


# ---- a stream that stands still stops nobody else ----

def stalled_downloads(bench):
    with bench.connect((h2.INITIAL_WINDOW_SIZE, 0), auto=False) as conn:
        conn.send(h2.window_update(0, 1 << 30))
        stalled = [conn.request(f"/large{n % 4}") for n in range(20)]
        for stream in stalled:
            conn.head(stream)
        stream = conn.request("/large")
        conn.send(h2.window_update(stream, 1 << 24))
        check(conn.response(stream).body == LARGE, "1 MiB beside 20 streams without a window")
        for stream in stalled:
            conn.send(h2.window_update(stream, 1 << 24))
        for stream in stalled:
            check(conn.response(stream).body == LARGE, "and those, when they may")


def stalled_upload(bench):
    """An origin that takes nothing, and one beside it."""
    with socket.create_server(("127.0.0.1", 0)) as deaf, bench.connect() as conn:
        stream, opening = post(conn)
        conn.authority = f"127.0.0.1:{deaf.getsockname()[1]}"
        stream, opening = post(conn)
        conn.authority = bench.authority
        conn.send(opening)
        fill(conn, stream)
        upload, opening = post(conn, "/large-upload")
        conn.send(opening)
        check(send_all(conn, upload, LARGE * 2) and conn.response(upload).body == LARGE,
              f"2 MiB up and 1 MiB down beside a paused upload: {conn.streams[upload].heads} "
              f"{conn.streams[upload].reset} {conn.goaways}")
        check(not conn.streams[stream].done, "which is still there")


def opened(conn, stream, seen):
    """How far the stream's window has been opened by frames from `seen` on."""
    return sum(int.from_bytes(got.payload, "big") for got in conn.frames[seen:]
               if got.kind == h2.WINDOW_UPDATE and got.stream == stream)


def fill(conn, stream):
    """Sends until the window stays closed."""
    window = 65535
    while True:
        seen = len(conn.frames)
        while window:
            n = min(window, 16384)
            conn.send(h2.data(stream, b"f" * n))
            window -= n
        conn.sync()
        if opened(conn, stream, seen) == 0:
            time.sleep(0.05)  # it may have been under way
            conn.sync()
        window += opened(conn, stream, seen)
        if window == 0:
            return


def send_all(conn, stream, body):
    window = 65535
    while body:
        seen = len(conn.frames)
        while window and body:
            n = min(window, 16384, len(body))
            conn.send(h2.data(stream, body[:n], end=n == len(body)))
            body, window = body[n:], window - n
        if body and not conn.until(lambda seen=seen: opened(conn, stream, seen)):
            return False
        window += opened(conn, stream, seen)
    return True


# ---- a client that goes: the fetch for it ends ----

def abandoned(bench):
    before = bench.used()
    for how in ("reset", "close", "goaway"):
        with bench.connect() as conn:
            streams = [conn.request(path, method="POST") for path in ("/held", "/endless") * 10]
            check(eventually(lambda: held.open == 20), f"{held.open} of 20 asked")
            for stream in streams[1::2]:
                conn.head(stream)
            if how == "reset":
                conn.send(*(h2.rst(stream) for stream in streams))
                check(eventually(lambda: held.open == 0), f"{held.open} open after RST_STREAM")
                check(conn.get("/beside").body == b"ok", "and the connection lives on")
            elif how == "close":
                raw.reset(conn.socket)
            else:
                conn.send(h2.data(0, b"x"))
                conn.end()
        check(bench.is_quiet(before), f"after {how}: {bench.left(before)}")


def reset_while_paused(bench):
    """What a client had sent before its reset is not waited for."""
    before = bench.used()
    with unreachable() as authority, bench.connect() as conn:
        conn.authority = authority
        streams = [conn.connect(authority) for _ in range(20)]
        conn.send(*(h2.data(stream, b"p" * 16383) * 4 for stream in streams))
        for _ in range(4):
            stream, opening = post(conn, "/paused")
            conn.send(opening)
            fill(conn, stream)
            streams.append(stream)
        kept = bench.used() - before
        check(kept > 20 * 65532, f"{kept} bytes wait")
        conn.send(*(h2.rst(stream) for stream in streams))
        check(bench.is_quiet(before, clients=1, seconds=5), f"paused, and reset: {bench.left(before)}")


# ---- RFC 9218 ----

def ends(conn, *streams):
    """Where in the order of DATA frames each stream had its last one."""
    for stream in streams:
        conn.response(stream)
    return [max(at for at, (which, n) in enumerate(conn.order) if which == stream and n)
            for stream in streams]


@contextlib.contextmanager
def slow_reader(bench):
    with bench.connect((h2.INITIAL_WINDOW_SIZE, 1 << 30), auto=False, receive_buffer=8192) as conn:
        conn.send(h2.window_update(0, 1 << 30))
        yield conn


def first_of(conn, path, priority):
    stream = conn.request(path, more=[("priority", priority)])
    conn.until(lambda: conn.order)
    return stream


def urgent_overtakes(bench):
    with slow_reader(bench) as conn:
        large = first_of(conn, "/huge", "u=7")
        small = [conn.request("/small", more=[("priority", "u=0")]) for _ in range(5)]
        last, *others = ends(conn, large, *small)
        check(conn.streams[large].body == HUGE, "the large one is whole")
        after = sum(n for which, n in conn.order[max(others):] if which == large)
        check(max(others) < last and after > len(HUGE) // 4,
              f"small and urgent before large: {others} {last}, {after} bytes after them")


def less_urgent_waits(bench):
    with slow_reader(bench) as conn:
        large = first_of(conn, "/huge", "u=1")
        behind = conn.request("/large", more=[("priority", "u=7")])
        last = min(ends(conn, large, behind))
        early = sum(n for which, n in conn.order[:last] if which == behind)
        check(early == 0, f"{early} bytes of what is less urgent came first")


def incremental_share(bench):
    with slow_reader(bench) as conn:
        streams = [conn.request("/huge", more=[("priority", "u=3, i")]) for _ in range(2)]
        first = min(ends(conn, *streams))
        got = [sum(n for which, n in conn.order[:first] if which == stream) for stream in streams]
        check(min(got) > len(HUGE) // 2, f"when the first ends, they have {got}")


def update_changes_the_order(bench):
    with slow_reader(bench) as conn:
        large = first_of(conn, "/huge", "u=1")
        other = conn.request("/large", more=[("priority", "u=5")])
        conn.send(h2.priority_update(other, b"u=0"))
        last, before = ends(conn, large, other)
        check(before < last, f"PRIORITY_UPDATE: {before} {last}")


def waiting_is_not_late(bench):
    """A stream whose turn does not come for longer than timeouts.client-body is not reset."""
    with slow_reader(bench) as conn:
        large = first_of(conn, "/huge", "u=1")
        behind = conn.request("/large", more=[("priority", "u=7")])
        while not conn.streams[large].ended and conn.read():
            time.sleep(1.5 * LATE * 16384 / len(HUGE))  # all frames of it take longer than the limit
        check(conn.response(behind).body == LARGE, f"reset: {conn.streams[behind].reset}")


# ---- time ----

def stopped_is_not_late(bench):
    """A client that reads slowly is not read from, and may not be blamed for what is not read: a body
    that it sends meanwhile."""
    with bench.connect() as conn:
        check(conn.get("/small-fields").ended, "it is stored")
    with stalled(bench) as conn:
        upload, opening = post(conn)
        conn.send(opening, *(get(conn, "/small-fields")[1] for _ in range(120)))
        for n in range(60):
            seen = len(conn.frames)
            conn.until(lambda seen=seen: len(conn.frames) > seen)
            time.sleep(2 * LATE / 60)  # in all twice as long as the limit
        conn.send(h2.data(upload, b"late", end=True))
        got = conn.response(upload)
        check(got.status == 200 and got.body == b"ok", f"{got.heads} {got.reset} {conn.goaways}")


def no_window(bench):
    none = (h2.INITIAL_WINDOW_SIZE, 0)
    with bench.connect(none, auto=False) as conn, bench.connect(none, auto=False) as creeps:
        streams = [conn.request("/large") for _ in range(20)]
        creeping = creeps.request("/large")
        deadline = time.monotonic() + raw.PATIENCE
        while not creeps.streams[creeping].done and time.monotonic() < deadline:
            creeps.send(h2.window_update(creeping, 1))
            creeps.read()
            time.sleep(0.1)  # ten bytes a second are no progress
        check(creeps.streams[creeping].reset == h2.CANCEL, f"creeps: {creeps.streams[creeping].reset}")
        for stream in streams:
            check(conn.response(stream).reset == h2.CANCEL, f"{conn.streams[stream].reset}")
        check(conn.sync() and not conn.goaways, "the connection lives on")
    with bench.connect((h2.INITIAL_WINDOW_SIZE, 1 << 30), auto=False) as conn:
        streams = [conn.request("/large") for _ in range(4)]  # 65535 bytes for all of them
        for stream in streams:
            check(conn.response(stream).reset == h2.CANCEL, f"{conn.streams[stream].reset}")


def no_reader(bench):
    with bench.connect((h2.INITIAL_WINDOW_SIZE, 1 << 30), auto=False, receive_buffer=4096) as conn:
        conn.send(h2.window_update(0, 1 << 30))
        conn.request("/huge")
        asked = held.all
        conn.request("/endless")
        check(eventually(lambda: held.all > asked), "asked")
        check(eventually(lambda: bench.metrics()["clients_open"] == 0), "a client that reads nothing")


def no_body(bench):
    with bench.connect() as conn:
        stream, opening = post(conn, "/held")
        conn.send(opening)
        check(conn.response(stream).reset is not None or conn.streams[stream].status == 408,
              "a body that does not come")


def creeping_body(bench):
    """It was announced how long it is: ten bytes a second of it are no progress."""
    with bench.connect() as conn:
        stream, opening = post(conn, "/held", ("content-length", "100000"))
        conn.send(opening)
        deadline = time.monotonic() + raw.PATIENCE
        while not conn.streams[stream].done and time.monotonic() < deadline:
            conn.send(h2.frame(h2.DATA, 0, stream, b"a"))
            conn.sync()
            time.sleep(0.1)
        check(conn.streams[stream].reset is not None or conn.streams[stream].status == 408,
              "a body that creeps")


def large_in_the_table(bench):
    """A field that is large until it is unpacked stays in HPACK's table while the connection rests,
    and its memory with it (0x80 is 20 bits in RFC 7541's code)."""
    value = bytes.fromhex("fffe6" * 3400)
    with bench.connect() as conn:
        fields = conn.fields_of("/small")
        block = h2.block_of(fields) + b"\x40" + h2.octets("x-large") + h2.integer(
            len(value), 7, 0x80) + value
        check(conn.response(conn.headers(None, block=block)).done, "a large field")
        time.sleep(2.5)  # until the connection gives back what it does not need
        again = conn.headers(None, block=h2.block_of(fields) + b"\xbe")
        check(conn.response(again).done, "and again, from the table")
        evict = h2.block_of(fields) + h2.indexed_literal("x-other", "o" * 4000)
        check(conn.response(conn.headers(None, block=evict)).done, "until it has to leave")
        check(conn.get("/small").status == 200, "the connection lives")


def windows_nobody_opens(bench):
    """Each costs a few bytes to ask for and some KiB to hold, also of what is stored: together they
    hold no more than there is memory, and give way."""
    before = bench.metrics()
    peak, limit = 0, before["memory_limit_bytes"]

    def is_full():
        """Or has been: whoever takes nothing for five seconds gives way."""
        nonlocal peak
        now = bench.metrics()
        peak = max(peak, now["memory_used_bytes"])
        return (peak > limit * 31 // 32
                or now["clients_evicted_total"] > before["clients_evicted_total"])
    with contextlib.ExitStack() as others:
        for _ in range(HOARDERS):
            conn = others.enter_context(bench.connect((h2.INITIAL_WINDOW_SIZE, 0), auto=False))
            conn.send(*(get(conn, "/large")[1] for _ in range(120)))
            is_full()
        check(eventually(is_full), f"{peak} bytes are too few")
        check(peak < limit * 9 // 8, f"{peak} bytes are not far too many")
        check(not any(bench.offences().values()), f"{bench.offences()}")

        def served():
            with bench.connect() as beside:
                return all(beside.get(path).status == 200 for path in ("/large", "/beside"))
        check(eventually(served), "served beside them")
        check(all(served() for _ in range(20)), "served again")


def main():
    only = sys.argv[2:]
    with started() as bench:
        play(bench, (heads_that_wait, a_pause_at_the_end_of_what_came, paused_streams,
                     stalled_downloads, stalled_upload, abandoned, reset_while_paused,
                     urgent_overtakes, less_urgent_waits, incremental_share, update_changes_the_order,
                     large_in_the_table), only)
    with started("--set", "limits.head=64KiB") as bench:
        play(bench, (responses_nobody_reads,), only)
    with started("--memory", "40MiB", "--set", "timeouts.client-body=30min") as bench:
        play(bench, (windows_nobody_opens,), only)
    with started("--set", f"timeouts.client-body={LATE}s") as bench:
        before = bench.used()
        with concurrent.futures.ThreadPoolExecutor() as pool:  # they take as long as the limit does
            scenes = stopped_is_not_late, waiting_is_not_late
            list(pool.map(lambda scene: play(bench, (scene,), only), scenes))
        check(bench.is_quiet(before), f"who was not late: {bench.left(before)}")
    with started("--set", "timeouts.client-body=3s") as bench:
        for scene in (no_window, no_reader, no_body, creeping_body):
            before = bench.used()
            play(bench, (scene,), only)
            check(bench.is_quiet(before), f"{scene.__name__}: {bench.left(before)}")
    check.end()


if __name__ == "__main__":
    main()
