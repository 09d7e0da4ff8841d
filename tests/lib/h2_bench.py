"""What the scripts that press HTTP/2 share: an origin that holds requests open or answers at length,
a proxy whose account of memory and of offences is looked at, and a connection that is served all the
while."""
import contextlib
import os
import pathlib
import re
import sys
import tempfile
import threading
import time

import h2
import larder
import raw

check = raw.Checks()
LARGE = bytes(range(256)) * 4096      # 1 MiB
HUGE = bytes(range(255, -1, -1)) * (24 << 12)  # 24 MiB: more than sockets hold
HEAD_LIMIT = 16 << 10
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
    if path == "/broken":
        conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 100\r\n\r\nonly")
        return True
    more = b""
    if path.endswith("fields"):
        more = b"".join(b"X-More-%d: %s\r\n" % (n, b"m" * 4000)
                        for n in range(15 if path.endswith("many-fields") else 3))
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

    def is_quiet(self, before, clients=0, seconds=raw.PATIENCE):
        """Soon nothing is left of what was done."""
        return eventually(lambda: self.metrics()["fetches_open"] == 0 and held.open == 0
                          and self.metrics()["clients_open"] <= clients
                          and self.used() <= before + SLACK, seconds)


def eventually(holds, seconds=raw.PATIENCE):
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


# ---- what is sent ----

def post(conn, path="/", *more):
    stream = conn.new_stream()
    return stream, h2.frame(h2.HEADERS, h2.END_HEADERS, stream,
                            h2.block_of(conn.fields_of(path, "POST", more=more)))


def get(conn, path="/", more=()):
    stream = conn.new_stream()
    return stream, h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, stream,
                            h2.block_of(conn.fields_of(path, more=more)))


# ---- the program ----

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


def play(bench, scenes, only=()):
    for scene in scenes:
        if not only or any(word in scene.__name__ for word in only):
            began = time.monotonic()
            scene(bench)
            trace(began, scene)


@contextlib.contextmanager
def started(*options):
    """A bench that has stored what is asked for, and keeps what it will keep."""
    program = str(pathlib.Path(sys.argv[1]) / "proxy" / "larder-proxy")
    larder.need(program)
    with tempfile.TemporaryDirectory() as store:
        bench = Bench(program, store, raw.Origin(serve), *options)
        with bench.connect() as conn:
            for path in ("/huge", "/large", "/small", "/large0", "/large1", "/large2", "/large3"):
                check(conn.get(path).ended, f"{path} is stored")
        warm_up(bench)
        yield bench
        check(bench.proxy.stop(), "the proxy left by itself")
