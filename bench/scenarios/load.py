"""Connections that do little: idle ones, slow readers, tunnels."""
import selectors
import socket
import struct
import time

from harness import plot
from harness.caches import Want
from harness.processes import Failed
from harness.scenario import CPU, ERRORS, MEMORY, ORIGIN, P99, RATE, Case, Column, Scenario, by_bytes

EACH = Column("each", "bytes of memory each", "{:,.0f}", of_limit=True)


def get(port, path):
    conn = socket.create_connection(("127.0.0.1", port), 30)
    conn.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return conn


def read_answer(conn):
    """The length of its body, read to the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = conn.recv(65536)
        if not more:
            raise Failed("a connection ended before its answer")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise Failed(f"not 200: {head[:80]!r}")
    want = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:"))
    have = len(body)
    while have < want:
        more = conn.recv(65536)
        if not more:
            raise Failed("an answer was cut")
        have += len(more)
    return want


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def exactly(conn, count):
    data = b""
    while len(data) < count:
        more = conn.recv(count - len(data))
        if not more:
            raise Failed("a connection ended before its answer")
        data += more
    return data


def get2(port, path):
    """A connection of HTTP/2 (prior knowledge) on which one answer has come whole."""
    conn = socket.create_connection(("127.0.0.1", port), 30)
    authority = f"127.0.0.1:{port}".encode()
    # :method GET, :scheme http, and two literals by the static table: :path, :authority
    block = (b"\x82\x86\x04" + bytes([len(path)]) + path.encode() + b"\x01" + bytes([len(authority)])
             + authority)
    conn.sendall(PREFACE + frame(SETTINGS) + frame(HEADERS, END_STREAM | END_HEADERS, 1, block))
    while True:
        head = exactly(conn, 9)
        kind, flags = head[3], head[4]
        payload = exactly(conn, int.from_bytes(head[:3], "big"))
        if kind == SETTINGS and not flags & ACK:
            conn.sendall(frame(SETTINGS, ACK))
        elif kind == HEADERS and b"\x88" not in payload[:4]:  # :status 200, maybe behind a change
            raise Failed(f"not 200: {payload[:20]!r}")         # of the table's size
        elif kind == DATA and flags & END_STREAM:
            return conn


def get1(port, path):
    conn = get(port, path)
    read_answer(conn)
    return conn


def again(server):
    """Started anew, as if nobody had asked it anything."""
    server.stop()
    server.begin()


class Idle(Scenario):
    name = "idle"
    title = "Idle connections"
    about = ("Each connection has had one response of 1 KiB and waits. Anonymous memory of the "
             "server: the difference between a tenth and all of the connections, with a server "
             "started anew for each round, since memory that was used once is seldom given back.")
    peers = ("larder", "nginx", "varnish", "squid", "trafficserver", "haproxy", "h2o", "epoll")
    columns = (EACH,)
    plot = staticmethod(plot.bars)

    def groups(self, lab):
        files = [(1, 1024)]
        return [(Want(files=files), [Case("1,000", count=1000, get=get1),
                                     Case("10,000", count=10_000, get=get1, quick=False)]),
                (Want(mode="h2c", files=files), [
                    Case("1,000 of HTTP/2", count=1000, get=get2),
                    Case("10,000 of HTTP/2", count=10_000, get=get2, quick=False)])]

    filling = 0
    most_rounds = 2

    def lasts(self, lab, case=None):
        return 6 + case.count / 3000

    def measure(self, lab, server, case):
        again(server)
        for _ in range(2):
            case.get(server.port, "/o/1/1024").close()
        open_ones, counted = [], []
        try:
            for part in (case.count // 10, case.count):
                while len(open_ones) < part:
                    open_ones.append(case.get(server.port, "/o/1/1024"))
                lab.settle(server)
                time.sleep(2)  # what is given back at rest
                counted.append(server.memory())
        finally:
            for conn in open_ones:
                conn.close()
        return {"each": max(0.0, (counted[1] - counted[0]) / (case.count - case.count // 10))}


class Slow(Scenario):
    name = "slow"
    title = "Slow readers"
    about = ("This many clients read 10 MiB each at 64 KiB/s, while 64 others request hits of 1 "
             "KiB: the memory that a slow reader takes, and how it affects the others. The server "
             "is started anew for each round, and the others send requests before its memory is "
             "measured.")
    peers = ("larder", "nginx", "varnish", "squid", "trafficserver", "haproxy")
    columns = (Column("each", "bytes of memory each", "{:,.0f}"), CPU, RATE, P99, ORIGIN,
               ERRORS)
    plot = staticmethod(plot.columns("each", "cpu_us", "p99_ms"))
    most_rounds = 2
    filling = 2

    def lasts(self, lab, case=None):
        return lab.seconds + (4 if case.readers else 0.2)

    def groups(self, lab):
        return [(Want(memory_mib=1024), [Case("none", readers=0), Case("100", readers=100),
                                         Case("500", readers=500, quick=False)])]

    def fill(self, lab, server, case):
        if not case.readers:
            self.warm(lab, server)

    @staticmethod
    def warm(lab, server):
        for size in (1024, 10 << 20):
            lab.fill(server, 10, size)
        lab.load.wrk(server.base, 1, count=10, size=1024)

    def measure(self, lab, server, case):
        if case.readers:
            again(server)
            self.warm(lab, server)
        before = server.memory()
        conns = []
        try:
            for i in range(case.readers):
                conn = get(server.port, f"/o/{i % 10 + 1}/{10 << 20}")
                conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
                conn.recv(1024)
                conns.append(conn)
            with Sipper(conns):
                row = lab.under(server, lambda: lab.load.wrk(server.base, lab.seconds, count=10,
                                                             size=1024))
                grown = server.memory() - before
        finally:
            for conn in conns:
                conn.close()
        row["each"] = max(0, grown) / case.readers if case.readers else None
        return row


class Sipper:
    """Takes 16 KiB from each connection four times a second, in a process of its own."""

    def __init__(self, conns):
        self.conns, self.child = conns, None

    def __enter__(self):
        import os
        self.child = os.fork() if self.conns else None
        if self.child == 0:
            try:
                self._sip()
            finally:
                os._exit(0)
        return self

    def _sip(self):
        selector = selectors.DefaultSelector()
        for conn in self.conns:
            conn.setblocking(False)
            selector.register(conn, selectors.EVENT_READ)
        while True:
            began = time.monotonic()
            for key, _ in selector.select(0.25):
                try:
                    key.fileobj.recv(16384)
                except OSError:
                    selector.unregister(key.fileobj)
            time.sleep(max(0.0, 0.25 - (time.monotonic() - began)))

    def __exit__(self, *_):
        import os
        import signal
        if self.child:
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)


class Tunnels(Scenario):
    name = "connect"
    title = "CONNECT: bytes through tunnels"
    about = ("“8 tunnels”: responses of 10 MiB one after the other through each of eight tunnels, "
             "counted per MiB. “New tunnels”: a tunnel for each response of 1 KiB, eight at a "
             "time.")
    peers = ("larder", "squid", "trafficserver")
    filling = 0
    columns = (Column("cpu_us", "CPU µs/MiB, µs/tunnel"),
               Column("per_second", "MiB/s, tunnels/s", "{:,.0f}", lower_is_better=False),
               MEMORY, ERRORS)
    plot = staticmethod(plot.bars)

    def groups(self, lab):
        return [(Want(), [Case("8 tunnels", tunnels=8), Case("new tunnels", tunnels=0)])]

    def measure(self, lab, server, case):
        port = server.port if server.title == "trafficserver" else server.forward
        how = ["--connect", f"127.0.0.1:{lab.origin.port}", "--connections", case.tunnels or 8]
        path = f"/o/1/{10 << 20}" if case.tunnels else "/o/1/1024"
        how += [] if case.tunnels else ["--close"]
        return lab.under(server, lambda: self.load(lab, case, *how, port, path))

    @staticmethod
    def load(lab, case, *how):
        seen = lab.load.own("openloop", "--seconds", lab.seconds, *how)
        return by_bytes(seen, 1 << 20) if case.tunnels else seen


ALL = [Idle(), Slow(), Tunnels()]
