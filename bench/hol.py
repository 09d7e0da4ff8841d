#!/usr/bin/env python3
"""The textbook's picture of head-of-line blocking, measured: bench/hol.py BUILD [--rate MBIT]

One large object and three small ones, all in the cache, asked for at once over one connection and a
link of limited rate (a network namespace, veth and tbf: as root): HTTP/1.1, where answers come in
the order of requests; HTTP/2, where frames take turns; and HTTP/2 with the small ones marked urgent
(RFC 9218). Prints when each was complete, medians of ROUNDS (5), and what HTTP/2 costs the large one.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

LIB = pathlib.Path(__file__).resolve().parent.parent / "tests" / "lib"
sys.path.insert(0, str(LIB))
import h2  # noqa: E402
import larder  # noqa: E402
import origin  # noqa: E402
import raw  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", 5))
SIZES = {"O1": 2_000_000, "O2": 20_000, "O3": 20_000, "O4": 20_000}
SERVER, CLIENT = "10.97.0.1", "10.97.0.2"


def serve(conn, head, _rest):
    name = raw.path_of(head).strip("/")
    body = origin.body(name, SIZES[name])
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nContent-Length: %d\r\n\r\n%b" %
                 (len(body), body))
    return False


def over_h1(port, host):
    """Pipelined; seconds until each is complete."""
    conn = raw.connect(port, 60)
    began = time.monotonic()
    conn.sendall(b"".join(b"GET /%b HTTP/1.1\r\nHost: %b\r\n\r\n" % (name.encode(), host.encode())
                          for name in SIZES))
    data, times = b"", {}
    for name, size in SIZES.items():
        while b"\r\n\r\n" not in data:
            data += conn.recv(1 << 16)
        data = data.partition(b"\r\n\r\n")[2]
        while len(data) < size:
            data += conn.recv(1 << 16)
        assert data[:size] == origin.body(name, size)
        data = data[size:]
        times[name] = time.monotonic() - began
    conn.close()
    return times


def over_h2(port, host, urgent):
    conn = h2.Connection(port, (h2.INITIAL_WINDOW_SIZE, 1 << 20), timeout=60)
    conn.authority = host
    conn.send(h2.window_update(0, 1 << 24))
    conn.until(lambda: conn.acked)
    began = time.monotonic()
    streams, times = {}, {}
    for name in SIZES:
        more = [("priority", "u=5" if name == "O1" else "u=1")] if urgent else []
        streams[name] = conn.request("/" + name, more=more)
    while len(times) < len(SIZES):
        assert conn.read(), "closed"
        for name, stream in streams.items():
            if conn.streams[stream].ended and name not in times:
                times[name] = time.monotonic() - began
                assert conn.streams[stream].body == origin.body(name, SIZES[name])
    conn.socket.close()
    return times


WAYS = {"HTTP/1.1": over_h1,
        "HTTP/2": lambda port, host: over_h2(port, host, False),
        "HTTP/2, urgent": lambda port, host: over_h2(port, host, True)}


def client(port, host):
    """Inside the namespace."""
    connect = raw.socket.create_connection

    def to_server(port, timeout=10, receive_buffer=None):
        conn = connect((SERVER, port), timeout)
        conn.setsockopt(raw.socket.IPPROTO_TCP, raw.socket.TCP_NODELAY, 1)
        return conn
    raw.connect = to_server
    results = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, ask in WAYS.items():
            results[way].append(ask(port, host))
    print(json.dumps(results))


def ip(*words):
    subprocess.run(["ip", *words], check=True)


class Link:
    """A namespace behind a link whose way down has a rate."""

    def __init__(self, mbit):
        self.name = f"larder-hol-{os.getpid()}"
        self.near, self.far = f"lh{os.getpid() % 10000}a", f"lh{os.getpid() % 10000}b"
        ip("netns", "add", self.name)
        ip("link", "add", self.near, "type", "veth", "peer", "name", self.far, "netns", self.name)
        ip("addr", "add", SERVER + "/30", "dev", self.near)
        ip("link", "set", self.near, "up")
        ip("-n", self.name, "addr", "add", CLIENT + "/30", "dev", self.far)
        ip("-n", self.name, "link", "set", self.far, "up")
        # A buffer of 50 ms, as an access link has.
        subprocess.run(["tc", "qdisc", "add", "dev", self.near, "root", "tbf", "rate",
                        f"{mbit}mbit", "burst", "5kb", "latency", "50ms"], check=True)

    def remove(self):
        ip("netns", "del", self.name)


def table(results, mbit):
    print(f"\nSeconds until complete, {mbit} Mbit/s, medians of {ROUNDS}\n")
    print("| | " + " | ".join(f"{name}, {size:,} bytes" for name, size in SIZES.items()) + " |")
    print("|---|" + "--:|" * len(SIZES))
    for way, runs in results.items():
        cells = [f"{statistics.median(run[name] for run in runs):.3f}" for name in SIZES]
        print(f"| {way} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--rate", type=int, default=20)
    parser.add_argument("--client", nargs=2)
    options = parser.parse_args()
    if options.client:
        client(int(options.client[0]), options.client[1])
        return
    if os.geteuid() != 0:
        sys.exit("a namespace with a slow link can be made by root only")
    source = raw.Origin(serve)
    link = Link(options.rate)
    try:
        with tempfile.TemporaryDirectory(prefix="larder-hol.") as store:
            proxy = larder.Proxy(f"{options.build}/proxy/larder-proxy", store,
                                 "--site", f"hol.test={source.base}", "--allow", CLIENT,
                                 "--listen", f"{SERVER}:{larder.free_port()}")
            proxy.start()
            for name in SIZES:
                larder.Client(proxy.port).get(f"http://hol.test/{name}")
            port = proxy.command[-1].rpartition(":")[2]
            done = subprocess.run(
                ["ip", "netns", "exec", link.name, sys.executable, __file__, options.build,
                 "--client", port, "hol.test"], stdout=subprocess.PIPE, text=True, check=True)
            table(json.loads(done.stdout), options.rate)
            proxy.stop()
    finally:
        link.remove()


if __name__ == "__main__":
    main()
