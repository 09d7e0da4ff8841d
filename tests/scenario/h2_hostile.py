#!/usr/bin/env python3
"""HTTP/2 origins that lie: h2_hostile.py BUILD

Whatever an origin says in HTTP/2, a client of HTTP/1 that goes on with its connection gets one answer
to each request, and never bytes of one as the next; a client of HTTP/2 beside it, and the cache, see
nothing else. An origin that floods is left, and others are served. A client that reads slowly does
not stop those whose answers come on the same connection.
"""
import contextlib
import hashlib
import os
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs as certificates  # noqa: E402
import h2  # noqa: E402
import h2_origins  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

check = raw.Checks()
SMUGGLED = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nX-Smuggled: 1\r\n\r\nsmuggled"
HUGE = hashlib.shake_128(b"h2 hostile").digest(1 << 20) * 8  # more than sockets hold
KEPT = ("cache-control", "max-age=60")


def length(n):
    return ("content-length", str(n))


class Lying(h2_origins.Serving):
    """/NAME says lie_NAME."""

    def lie(self, stream, path, *_):
        name = path.strip("/").split("/")[1].replace("-", "_")
        getattr(self, "lie_" + name)(stream)

    do_lie = lie

    def do_huge(self, stream, *_):
        self.head(stream, 200, length(len(HUGE)), ("cache-control", "no-store"))
        self.body(stream, HUGE)

    def body(self, stream, content, end=True):
        """Requests that come while a window is closed are answered meanwhile."""
        at = 0
        while at < len(content):
            room = min(16384, self.windows[0], self.window_of(stream), len(content) - at)
            if room > 0:
                self.send(h2.data(stream, content[at:at + room], end and at + room == len(content)))
                self.windows[0] -= room
                self.windows[stream] -= room
                at += room
            elif (got := self.read()) is None:
                return
            else:
                self.serve(got)

    # -- bodies where there is none --

    def lie_204_with_a_body(self, stream):
        self.head(stream, 204, KEPT)
        self.send(h2.data(stream, SMUGGLED, True))

    def lie_204_with_a_length(self, stream):
        self.head(stream, 204, KEPT, length(len(SMUGGLED)))
        self.send(h2.data(stream, SMUGGLED, True))

    def lie_304_with_a_body(self, stream):
        self.head(stream, 304, KEPT, ("etag", '"a"'))
        self.send(h2.data(stream, SMUGGLED, True))

    def lie_head_with_a_body(self, stream):
        self.head(stream, 200, KEPT, length(len(SMUGGLED)))
        self.send(h2.data(stream, SMUGGLED, True))

    # -- lengths --

    def lie_longer_than_its_length(self, stream):
        self.head(stream, 200, KEPT, length(2))
        self.send(h2.data(stream, b"ok"), h2.data(stream, SMUGGLED, True))

    def lie_longer_in_one_frame(self, stream):
        self.head(stream, 200, KEPT, length(2))
        self.send(h2.data(stream, b"ok" + SMUGGLED, True))

    def lie_length_0_and_a_body(self, stream):
        self.head(stream, 200, KEPT, length(0))
        self.send(h2.data(stream, SMUGGLED, True))

    def lie_a_list_of_lengths(self, stream):
        self.head(stream, 200, KEPT, ("content-length", "2, 2"))
        self.send(h2.data(stream, b"ok", True))

    def lie_a_length_with_a_sign(self, stream):
        self.head(stream, 200, KEPT, ("content-length", "+2"))
        self.send(h2.data(stream, b"ok", True))

    def lie_data_behind_the_end(self, stream):
        self.head(stream, 200, KEPT, length(2))
        self.send(h2.data(stream, b"ok", True), h2.data(stream, SMUGGLED, True))

    # -- heads --

    def lie_data_without_a_head(self, stream):
        self.send(h2.data(stream, SMUGGLED, True))

    def lie_an_interim_end(self, stream):
        self.head(stream, 103, ("link", "</a>"), end=True)

    def lie_data_behind_an_interim_head(self, stream):
        self.head(stream, 103, ("link", "</a>"))
        self.send(h2.data(stream, SMUGGLED, True))

    def lie_two_final_heads(self, stream):
        self.head(stream, 200, KEPT)
        self.head(stream, 200, KEPT, ("x-smuggled", "1"))
        self.send(h2.data(stream, b"ok", True))

    def lie_a_value_with_lines(self, stream):
        self.head(stream, 200, KEPT, length(2), ("x", "a\r\nX-Smuggled: 1"))
        self.send(h2.data(stream, b"ok", True))

    def lie_a_name_with_a_line(self, stream):
        self.head(stream, 200, KEPT, length(2), ("x\r\nx-smuggled", "1"))
        self.send(h2.data(stream, b"ok", True))

    def lie_a_name_with_a_colon(self, stream):
        self.head(stream, 200, KEPT, length(2), ("x-smuggled: 1\r\nx", "1"))
        self.send(h2.data(stream, b"ok", True))

    def lie_a_status_of_lines(self, stream):
        self.head(stream, "200 OK\r\nX-Smuggled: 1", KEPT, length(2))
        self.send(h2.data(stream, b"ok", True))

    # -- trailers --

    def lie_trailers_with_a_length(self, stream):
        self.head(stream, 200, KEPT)
        self.send(h2.data(stream, b"ok"))
        self.headers([("content-length", "9"), ("transfer-encoding", "chunked")], True, stream)

    def lie_trailers_with_lines(self, stream):
        self.head(stream, 200, KEPT)
        self.send(h2.data(stream, b"ok"))
        self.headers([("x", "1\r\n\r\n" + SMUGGLED.decode())], True, stream)

    def lie_trailers_with_a_status(self, stream):
        self.head(stream, 200, KEPT)
        self.send(h2.data(stream, b"ok"))
        self.headers([(":status", "200"), ("x-smuggled", "1")], True, stream)

    # -- floods --

    def lie_interim_without_end(self, stream):
        with contextlib.suppress(OSError):
            while not self.closed and self.streams[stream].reset is None:
                self.socket.sendall(h2.frame(h2.HEADERS, h2.END_HEADERS, stream,
                                             h2.block_of([(":status", "103"), ("x", "y" * 200)])) * 64)
                self.socket.settimeout(0)
                with contextlib.suppress(BlockingIOError, OSError):
                    self.read()
                self.socket.settimeout(30)

    def flood(self, step):
        with contextlib.suppress(OSError):
            while True:
                self.socket.sendall(step)

    def lie_pings(self, _stream):
        self.flood(h2.ping() * 64)

    def lie_settings(self, _stream):
        self.flood(h2.settings((h2.INITIAL_WINDOW_SIZE, 65535)) * 64)

    def lie_empty_data(self, stream):
        self.head(stream, 200, KEPT)
        self.flood(h2.data(stream) * 64)

    def lie_fields_without_end(self, stream):
        self.send(h2.frame(h2.HEADERS, 0, stream, h2.literal(":status", "200")))
        self.flood(h2.frame(h2.CONTINUATION, 0, stream, h2.literal("x", "y" * 8000)))

    def lie_a_bomb(self, stream):
        self.send(h2.frame(h2.HEADERS, h2.END_HEADERS, stream, h2.literal(":status", "200")
                           + h2.indexed_literal("x", "b" * 3000) + b"\xbe" * 4000))


LIES = sorted(name[4:] for name in dir(Lying) if name.startswith("lie_"))
# What may pass as an answer, without what is wrong in it.
HARMLESS = {"204_with_a_body", "204_with_a_length", "304_with_a_body", "head_with_a_body",
            "longer_than_its_length", "length_0_and_a_body", "data_behind_the_end",
            "trailers_with_a_length", "trailers_with_lines", "trailers_with_a_status", "empty_data",
            "two_final_heads"}


# Those that end the connection to the origin, and with it what else is under way on it.
FLOODS = {"interim_without_end", "pings", "settings", "empty_data", "fields_without_end", "a_bomb"}


class Origin(h2_origins.Origin):
    def run(self, conn, *_):
        conn.settimeout(30)
        with contextlib.suppress(OSError), self.context.wrap_socket(conn, server_side=True) as safe:
            Lying(safe, self).run()


class Scene:
    def __init__(self, program, folder):
        certs = certificates.Certs(folder)
        certs.sign("good", "DNS:localhost,IP:127.0.0.1")
        self.origin = Origin(certs)
        file = folder / "proxy.yaml"
        file.write_text(f"sites:\n  - {{hosts: lies.test, origins: '{self.origin.base}', "
                        f"ca: {certs.path('ca.pem')}}}\n")
        self.proxy = larder.Proxy(program, str(folder / "store"), "--config", str(file),
                                  "--workers", os.environ.get("LARDER_WORKERS", "1"))
        self.proxy.start()


def message(conn, data):
    """One response of HTTP/1 with its body: (head, body, what is behind); None at the end."""
    while b"\r\n\r\n" not in data:
        more = conn.recv(65536)
        if not more:
            return None
        data += more
    head, _, data = data.partition(b"\r\n\r\n")
    status, lower = int(head[9:12]), head.lower()
    if status < 200:
        return message(conn, data)
    found = re.search(rb"\r\ncontent-length: (\d+)", lower)
    if status in (204, 304):
        return head, b"", data
    if b"\r\ntransfer-encoding: chunked" in lower:
        while not re.search(rb"(^|\r\n)0\r\n([^\r]+\r\n)*\r\n", data):
            more = conn.recv(65536)
            if not more:
                return None
            data += more
        end = re.search(rb"(^|\r\n)0\r\n([^\r]+\r\n)*\r\n", data).end()
        return head, data[:end], data[end:]
    size = int(found[1]) if found else 1 << 30
    while len(data) < size:
        more = conn.recv(65536)
        if not more:
            return None
        data += more
    return head, data[:size], data[size:]


def told(scene, lie):
    """Over HTTP/1: the lie, and behind it on the same connection an honest request."""
    method = "HEAD" if lie.startswith("head") else "GET"
    with raw.connect(scene.proxy.port) as conn:
        conn.sendall(f"{method} /lie/{lie} HTTP/1.1\r\nHost: lies.test\r\n\r\n"
                     f"GET /small/{lie} HTTP/1.1\r\nHost: lies.test\r\n\r\n".encode())
        if method == "HEAD":
            head, rest = raw.until_head(conn)
            first = head, b"", rest
        else:
            first = message(conn, b"")
        second = message(conn, first[2]) if first else None
    if first:
        check(b"muggled" not in first[0].lower() and b"muggled" not in first[1].lower(),
              f"{lie}: {first[0]} {first[1][:100]}")
        check(lie in HARMLESS or first[0][9:12] == b"502", f"{lie}: {first[0]}")
    if second:
        check(second[0].startswith(b"HTTP/1.1 200 ") and second[1] == f"/small/{lie}".encode(),
              f"{lie}, and behind it: {second}")
    check(second or not first or lie in HARMLESS or b"close" in first[0].lower(),
          f"{lie}: nothing behind {first}")


def retold(scene, lie):
    """The same to a client of HTTP/2, from the cache perhaps, and beside it an honest request."""
    with h2.Connection(scene.proxy.port) as conn:
        conn.authority = "lies.test"
        stream = conn.request(f"/lie/{lie}", method="HEAD" if lie.startswith("head") else "GET")
        beside = conn.request(f"/small/{lie}")
        got = conn.response(stream)
        check(b"muggled" not in bytes(got.body).lower() and "muggled" not in str(got.heads),
              f"{lie}: {got.heads} {bytes(got.body)[:100]}")
        honest = conn.response(beside)
        if lie in FLOODS and honest.status == 502:
            honest = conn.get(f"/small/{lie}")
        check(honest.status == 200 and honest.body == f"/small/{lie}".encode(),
              f"beside {lie}: {honest.heads} {honest.reset} {conn.goaways}")


def slow_beside(scene):
    """One connection to the origin: what stands still on it stops nobody."""
    with raw.connect(scene.proxy.port, receive_buffer=65536) as slow:
        slow.sendall(b"GET /huge HTTP/1.1\r\nHost: lies.test\r\nConnection: close\r\n\r\n")
        head, rest = raw.until_head(slow)
        check(b" 200 " in head, f"{head}")
        before = scene.origin.connections
        with h2.Connection(scene.proxy.port) as conn:
            conn.authority = "lies.test"
            for n in range(100):
                got = conn.get(f"/small/beside/{n}")
                check(got.body == f"/small/beside/{n}".encode(), f"beside a slow reader: {got.heads}")
        workers = int(os.environ.get("LARDER_WORKERS", "1"))
        check(scene.origin.connections - before <= workers - 1,
              f"{scene.origin.connections - before} more connections")
        data, how = raw.until_end(slow)
        check(rest + data == HUGE and how == "fin", f"and it has all of it: {len(data)} {how}")


def main():
    program = f"{sys.argv[1]}/proxy/larder-proxy"
    larder.need(program)
    only = sys.argv[2:]
    with tempfile.TemporaryDirectory(prefix="larder-lies.") as folder:
        scene = Scene(program, pathlib.Path(folder))
        for lie in LIES:
            if not only or lie in only:
                told(scene, lie)
                retold(scene, lie)
        if not only or "slow" in only:
            slow_beside(scene)
        check(not any("smuggled" in str(head) for head in scene.origin.heads), "what was asked")
        check(scene.proxy.stop(), "it leaves by itself")
    check.end()


if __name__ == "__main__":
    main()
