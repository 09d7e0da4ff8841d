#!/usr/bin/env python3
"""What an HTTP/2 client may not do without an aim: h2_floods.py BUILD

Each defence of proxy/stream/h2_guard.h is met by the flood it is there for, and by as much as is
still allowed. The flood ends with GOAWAY, its reason and a closed connection, and is counted once;
afterwards no memory is held and nothing is asked of the origin for it. All the while another
connection is served. Then: streams that stand still, which stop nobody else, and priorities.
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
LARGE = bytes(range(256)) * 4096      # 1 MiB
HUGE = bytes(range(255, -1, -1)) * (24 << 12)  # 24 MiB: more than sockets hold
HEAD_LIMIT = 16 << 10
PAUSED = 100
PAUSED_EACH = 160 << 10  # what a paused upload of one window may cost: README of the table below
WORKERS = int(os.environ.get("LARDER_WORKERS", "1"))
SLACK = 256 << 10 if WORKERS == 1 else WORKERS * 3 << 20  # each keeps a pool, warm or not


# ---- the origin ----

class Held:
    """Requests that are not answered, and are open until the other side closes."""

    def __init__(self):
        self.open = self.all = 0
        self.lock = threading.Lock()

    def change(self, by):
        with self.lock:
            self.open += by
            self.all += max(by, 0)


held = Held()


def serve(conn, head, rest):
    path = raw.path_of(head).split("?")[0]
    if path == "/held":
        held.change(1)
        with contextlib.suppress(OSError):
            while conn.recv(65536):
                pass
        held.change(-1)
        return True
    if path == "/endless":  # a body without an end
        held.change(1)
        with contextlib.suppress(OSError):
            conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n\r\n")
            while True:
                conn.sendall(LARGE)
        held.change(-1)
        return True
    more = b"X-More: " + b"m" * 12000 + b"\r\n" if path == "/fields" else b""
    body = HUGE if path == "/huge" else LARGE if path.startswith("/large") else b"ok"
    kept = b"max-age=600" if path.startswith(("/large", "/small", "/huge")) else b"no-store"
    if b"Transfer-Encoding" in head:
        while not rest.endswith(b"0\r\n\r\n"):
            piece = conn.recv(1 << 20)
            if not piece:
                return True
            rest = rest[-8:] + piece
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: %s\r\nContent-Length: %d\r\n%s\r\n"
                 % (kept, len(body), more) + body)
    return False


# ---- what is seen from outside ----

class Bench:
    """A proxy, its origin, and what is known of both."""

    def __init__(self, program, store, origin, *options):
        self.origin = origin
        self.authority = f"127.0.0.1:{origin.port}"
        self.proxy = larder.Proxy(
            program, store, "--store-size", "128MiB", "--memory", "64MiB", "--workers",
            str(WORKERS), "--connect-ports", "443,1024-65535",
            "--set", f"limits.head={HEAD_LIMIT}", "--set", "limits.idle-per-origin=0", *options)
        self.proxy.start()

    def connect(self, *pairs, **how):
        conn = h2.Connection(self.proxy.port, *pairs, **how)
        conn.authority = self.authority
        return conn

    def metrics(self):
        text, _ = raw.ask(self.proxy.admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return {name: int(value) for name, value
                in re.findall(r"^larder_(\S+) (\d+)$", text.decode(), re.MULTILINE)}

    def offences(self):
        return {re.search('"(.*)"', name)[1]: value for name, value in self.metrics().items()
                if name.startswith("h2_connections_ended_total")}

    def used(self):
        metrics = self.metrics()
        return sum(metrics[f'memory_bytes{{purpose="{purpose}"}}']
                   for purpose in ("connections", "buffers", "requests", "bodies", "flights"))

    def left(self, before):
        metrics = self.metrics()
        purposes = {name: value for name, value in metrics.items() if "memory_bytes{" in name}
        return (f"{self.used() - before} bytes, {held.open} requests at the origin, "
                f"{metrics['fetches_open']} fetches, {metrics['clients_open']} clients, {purposes}")

    def is_quiet(self, before, clients=0, seconds=15):
        """Soon nothing is left of what was done."""
        return eventually(lambda: self.metrics()["fetches_open"] == 0 and held.open == 0
                          and self.metrics()["clients_open"] <= clients
                          and self.used() <= before + SLACK, seconds)


def eventually(holds, seconds=15):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


class Beside(threading.Thread):
    """Another connection, which is served all the while."""

    def __init__(self, bench):
        super().__init__(daemon=True)
        self.conn = bench.connect()
        self.stopped = threading.Event()
        self.served, self.failed = 0, None
        self.start()

    def run(self):
        while self.served == 0 or not self.stopped.wait(0.002):
            got = self.conn.get("/beside")
            if got.status != 200 or got.body != b"ok":
                self.failed = (got.heads, got.reset, self.conn.goaways)
                return
            self.served += 1

    def stop(self, what):
        self.stopped.set()
        self.join()
        self.conn.socket.close()
        check(self.failed is None and self.served, f"{what}: beside it {self.served} were served, "
                                                   f"{self.failed}")


# ---- floods: each yields what is sent, a step at a time ----

def post(conn, path="/", *more):
    stream = conn.new_stream()
    return stream, h2.frame(h2.HEADERS, h2.END_HEADERS, stream,
                            h2.block_of(conn.fields_of(path, "POST", more=more)))


def get(conn, path="/", more=()):
    stream = conn.new_stream()
    return stream, h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, stream,
                            h2.block_of(conn.fields_of(path, more=more)))


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


def trace(began, what):
    if "TRACE" in os.environ:
        print(f"{time.monotonic() - began:.2f}", what.__name__, flush=True)


def warm_up(bench):
    """Pools keep blocks of what came and went: all they will."""
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            conn = stack.enter_context(bench.connect())
            for _ in range(100):
                conn.request("/held", method="POST")
        check(eventually(lambda: held.open == 400), f"{held.open} of 400 are asked")
    check(bench.is_quiet(1 << 30), f"after the beginning: {bench.left(0)}")


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


# ---- memory: what waits for a peer that reads nothing ----

def responses_nobody_reads(bench):
    """The socket is full; then a hundred responses with large heads would be kept."""
    before, offences = bench.used(), bench.offences()
    with bench.connect((h2.INITIAL_WINDOW_SIZE, 1 << 30), auto=False, receive_buffer=4096) as conn:
        conn.send(h2.window_update(0, 1 << 30))
        conn.request("/huge")
        conn.send(b"".join(get(conn, "/fields")[1] for _ in range(120)))
        check(eventually(lambda: bench.offences()["memory"] > offences["memory"]),
              f"1 MiB for a connection: {bench.offences()} {bench.used()}")
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
            time.sleep(0.0015)  # 1500 frames of it take longer than the limit
        check(conn.response(behind).body == LARGE, f"reset: {conn.streams[behind].reset}")


# ---- time ----

def no_window(bench):
    with bench.connect((h2.INITIAL_WINDOW_SIZE, 0), auto=False) as conn:
        streams = [conn.request("/large") for _ in range(20)]
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
        conn.request("/endless")
        check(eventually(lambda: held.open == 1), "asked")
        check(eventually(lambda: bench.metrics()["clients_open"] == 0), "a client that reads nothing")


def no_body(bench):
    with bench.connect() as conn:
        stream, opening = post(conn, "/held")
        conn.send(opening)
        check(conn.response(stream).reset is not None or conn.streams[stream].status == 408,
              "a body that does not come")


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


def late(program, store, origin):
    bench = Bench(program, store, origin, "--set", "timeouts.client-body=1s")
    with bench.connect() as conn:
        for path in ("/huge", "/large"):
            conn.get(path)
    warm_up(bench)
    before = bench.used()
    for scene in (no_window, no_reader, no_body, waiting_is_not_late):
        began = time.monotonic()
        scene(bench)
        trace(began, scene)
        check(bench.is_quiet(before), f"{scene.__name__}: {bench.left(before)}")
    check(bench.proxy.stop(), "the second proxy left by itself")


def main():
    program = str(pathlib.Path(sys.argv[1]) / "proxy" / "larder-proxy")
    larder.need(program)
    only = sys.argv[2:]
    origin = raw.Origin(serve)
    with tempfile.TemporaryDirectory() as store:
        bench = Bench(program, store + "/first", origin)
        with bench.connect() as conn:
            for path in ("/huge", "/large", "/small", "/large0", "/large1", "/large2", "/large3"):
                check(conn.get(path).ended, f"{path} is stored")
        warm_up(bench)
        floods(bench, only)
        for scene in (responses_nobody_reads, paused_streams, stalled_downloads, stalled_upload,
                      abandoned, reset_while_paused, urgent_overtakes, incremental_share,
                      update_changes_the_order, large_in_the_table):
            if not only or any(word in scene.__name__ for word in only):
                began = time.monotonic()
                scene(bench)
                trace(began, scene)
        check(bench.proxy.stop(), "the first proxy left by itself")
        if not only or "late" in only:
            late(program, store + "/late", origin)
    check.end()


if __name__ == "__main__":
    main()
