#!/usr/bin/env python3
"""Bodies that the kernel sends from the store's files: sendfile.py BUILD

Hits of 33 KiB to 20 MiB, whole and in ranges, one connection after the other and pipelined, to fast
and slow readers, of HTTP/1.0 too: every byte compared, and larder_client_sendfile_bytes_total says
how many of them went this way. Clients that leave in the middle, and objects that are evicted while
they are read, do no harm.
"""
import pathlib
import random
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import origin as content  # noqa: E402
import raw  # noqa: E402

SIZES = {"/k1": 1 << 10, "/k32": 32 << 10, "/k33": 33 << 10, "/k100": 100 << 10, "/m1": 1 << 20,
         "/m20": 20 << 20}
BODIES = {path: content.body(path, size) for path, size in SIZES.items()}
CHUNK = 262128
FILE_MIN = 32 << 10
OTHERS = 256  # objects of 1 MiB

check = raw.Checks()


def serve(conn, head, _):
    path = raw.path_of(head)
    body = BODIES[path] if path in BODIES else content.body(path, 1 << 20)
    conn.sendall(f"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nETag: \"{path}\"\r\n"
                 f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return False


def metric(proxy, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}/metrics", timeout=60) as page:
        for line in page.read().decode().splitlines():
            if line.startswith(name + " "):
                return int(float(line.split()[1]))
    raise SystemExit(f"no {name}")


def until_counted(proxy, requests):
    """So many since the start. A request is counted when its last byte was handed over, which its
    client may notice before; and its bytes now and then until it is."""
    end = time.monotonic() + 60
    while metric(proxy, "larder_requests_total") < requests and time.monotonic() < end:
        time.sleep(0.01)


class Counted:
    """What goes by sendfile from now on, of so many requests."""

    NAME = "larder_client_sendfile_bytes_total"

    def __init__(self, proxy, requests):
        self.proxy = proxy
        self.requests = metric(proxy, "larder_requests_total") + requests
        self.before = metric(proxy, self.NAME)

    def now(self):
        return metric(self.proxy, self.NAME) - self.before

    def check(self, least, most, what):
        until_counted(self.proxy, self.requests)
        check(least <= self.now() <= most, f"{what}: {self.now()} bytes by sendfile")


def whole(proxy, base):
    client = larder.Client(proxy.port)
    until_counted(proxy, len(SIZES))  # those that came first
    for path, size in SIZES.items():
        sent = Counted(proxy, 1)
        status, body, _ = client.get(base + path)
        check(status == 200 and body == BODIES[path], f"{path}: a hit")
        sent.check(size // 4 if size > FILE_MIN else 0, size if size > FILE_MIN else 0, path)


def in_ranges(proxy, base):
    rng = random.Random(5)
    client = larder.Client(proxy.port)
    ranges = [("/m20", CHUNK - 1, 3 * CHUNK), ("/m20", 0, 40_000), ("/m20", (20 << 20) - 50_000, 20 << 20),
              ("/k100", 1, 40_000), ("/m1", CHUNK - 10, CHUNK + 10)]
    for _ in range(30):
        path = rng.choice(("/k100", "/m1", "/m20"))
        first = rng.randrange(SIZES[path] - 1)
        ranges.append((path, first, min(SIZES[path], first + 1 + rng.randrange(600_000))))
    sent = Counted(proxy, len(ranges))
    for path, first, end in ranges:
        status, body, _ = client.get(base + path, Range=f"bytes={first}-{end - 1}")
        check(status == 206 and body == BODIES[path][first:end], f"{path} [{first}, {end})")
    sent.check(1, sum(end - first for _, first, end in ranges), "ranges")
    sent = Counted(proxy, 1)
    _, body, _ = client.get(base + "/m20", Range="bytes=0-99999,5000000-5299999")
    check(BODIES["/m20"][:100_000] in body and BODIES["/m20"][5_000_000:5_300_000] in body,
          "two ranges")
    sent.check(100_000, 400_000, "two ranges")


def request(base, path, version="1.1", *lines):
    return "\r\n".join((f"GET {base}{path} HTTP/{version}", "Host: x", *lines, "", "")).encode()


def take(data, path, what):
    """One answer off the front of `data`."""
    head, _, rest = data.partition(b"\r\n\r\n")
    size = SIZES[path]
    check(head.startswith(b"HTTP/1.1 200") and rest[:size] == BODIES[path], f"{what}: {path}")
    return rest[size:]


def pipelined(proxy, base):
    """What was asked for behind a large body comes behind it, in one piece."""
    order = ["/k1", "/k100", "/k1", "/k33", "/m1", "/k1", "/m20", "/k32", "/k100", "/k1"]
    asked = b"".join(request(base, path) for path in order[:-1])
    asked += request(base, order[-1], "1.1", "Connection: close")
    for small in (None, 8192):
        with raw.connect(proxy.port, receive_buffer=small, timeout=60) as conn:
            conn.sendall(asked)
            data, how = raw.until_end(conn)
        for path in order:
            data = take(data, path, f"pipelined, window {small}")
        check(data == b"" and how == "fin", f"pipelined: {len(data)} bytes behind, {how}")


def old_client(proxy, base):
    for path in ("/k33", "/m1", "/m20"):
        data, how = raw.ask(proxy.port, request(base, path, "1.0"), half_close=False)
        check(how == "fin" and data.partition(b"\r\n\r\n")[2] == BODIES[path], f"HTTP/1.0 {path}")


def slow_client(proxy, base, path, seconds):
    with raw.connect(proxy.port, receive_buffer=8192, timeout=60) as conn:
        conn.sendall(request(base, path, "1.1", "Connection: close"))
        data = b""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            data += conn.recv(10_000)
            time.sleep(0.005)
        rest, how = raw.until_end(conn)
    check(take(data + rest, path, "slow") == b"" and how == "fin", f"slow {path}: {how}")


def leave(proxy, base):
    """Nobody is there any more for what is being sent."""
    for n in range(20):
        conn = raw.connect(proxy.port, receive_buffer=8192)
        conn.sendall(request(base, "/m20"))
        conn.recv(5000)
        if n % 2:
            raw.reset(conn)
        else:
            conn.close()


def churn(proxy, base, count):
    """Twice the store in other objects: whatever is being read is evicted meanwhile."""
    client = larder.Client(proxy.port)
    for n in range(count):
        status, body, _ = client.get(f"{base}/other/{n}")
        check(status == 200 and len(body) == 1 << 20, f"other {n}")


def while_evicted(proxy, base):
    """Slow readers read on, whatever is stored meanwhile."""
    paths = ("/m20", "/m20", "/m1", "/k100")
    sent = Counted(proxy, len(paths) + OTHERS)
    slow = [threading.Thread(target=slow_client, args=(proxy, base, path, 3)) for path in paths]
    for thread in slow:
        thread.start()
    time.sleep(0.5)
    churn(proxy, base, OTHERS)
    for thread in slow:
        thread.join()
    sent.check(10 << 20, 1 << 30, "slow readers")


def main():
    program = f"{sys.argv[1]}/proxy/larder-proxy"
    larder.need(program)
    server = raw.Origin(serve)
    with tempfile.TemporaryDirectory(prefix="larder-sendfile.") as store:
        proxy = larder.Proxy(program, store, "--workers", "2", "--store-size", "128MiB")
        proxy.start()
        for path in SIZES:
            check(larder.Client(proxy.port).get(server.base + path)[1] == BODIES[path], path)
        check(proxy.stop(), "it did not leave by itself")
        proxy.start()  # now all of it comes from the store
        for path in SIZES:  # the first find in a segment may open it elsewhere, and bring a copy
            check(larder.Client(proxy.port).get(server.base + path)[1] == BODIES[path], path)
        for step in (whole, in_ranges, pipelined, old_client, leave):
            step(proxy, server.base)
        check(len(server.heads) == len(SIZES), f"the origin was asked {len(server.heads)} times")
        while_evicted(proxy, server.base)
        check(proxy.stop(), "it did not leave by itself")
    check.end()


if __name__ == "__main__":
    main()
