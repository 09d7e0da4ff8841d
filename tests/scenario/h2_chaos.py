#!/usr/bin/env python3
"""Many HTTP/2 connections at once that do whatever comes to mind: h2_chaos.py BUILD [SECONDS [SEED|fresh]]

Lawful ones send every kind of frame there is, reset and pause streams, change windows: they live to
the end, and every body they did not reset arrives whole. Lawless ones send bytes that are no frames,
too: they may be told to go. Nobody ever gets a wrong byte, or a clean end of what is cut short, and
afterwards nothing is left.
"""
import contextlib
import os
import pathlib
import random
import re
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
TEXT = bytes(random.Random(1).randrange(256) for _ in range(1 << 16)) * 4
CONNECTIONS = 6
ROUNDS = 40


def content(path):
    """/kind/size/number"""
    _, _, size, number = path.split("/")
    return TEXT[int(number):int(number) + int(size)]


def serve(conn, head, rest):
    path = raw.path_of(head)
    kind = path.split("/")[1]
    if kind == "echo":
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
        while len(rest) < length:
            more = conn.recv(65536)
            if not more:
                return True
            rest += more
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(rest) + rest)
        return False
    body = content(path)
    kept = b"max-age=60" if kind == "kept" else b"no-store"
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: %s\r\nContent-Length: %d\r\n\r\n"
                 % (kept, len(body)))
    if kind == "slow":
        for at in range(0, len(body), 1 + len(body) // 5):
            conn.sendall(body[at:at + 1 + len(body) // 5])
            time.sleep(0.003)
        return False
    if kind == "short":
        conn.sendall(body[:-1])
        return True
    conn.sendall(body)
    return False


class Mind:
    """One connection."""

    def __init__(self, proxy, origin, rng, lawful):
        self.rng, self.lawful, self.proxy = rng, lawful, proxy
        pairs = [(h2.INITIAL_WINDOW_SIZE, rng.choice((100, 5000, 65535, 1 << 20)))]
        self.conn = h2.Connection(proxy.port, *rng.choice((pairs, [])),
                                  receive_buffer=rng.choice((None, 4096)),
                                  timeout=raw.PATIENCE if lawful else 5)  # nothing is owed to these
        self.conn.authority = f"127.0.0.1:{origin.port}"
        self.expected = {}
        self.reset = set()
        self.calm = {"pings": 0, "settings": 0, "resets": 0}

    # -- streams --

    def ask(self):
        rng = self.rng
        kind = rng.choice(("kept", "kept", "plain", "slow", "short"))
        path = f"/{kind}/{rng.choice((1, 100, 20000, 65536, 190000))}/{rng.randrange(50)}"
        fields = self.conn.fields_of(path, more=[("priority", rng.choice(("u=0", "u=7", "i", "?")))])
        stream = self.conn.new_stream()
        self.conn.send(*self.blocks(stream, h2.block_of(fields), h2.END_STREAM))
        self.expected[stream] = (content(path), kind != "short")

    def blocks(self, stream, block, flags):
        """HEADERS, padded and with priority or not, and CONTINUATIONs."""
        rng = self.rng
        cut = rng.randrange(len(block)) if rng.random() < 0.2 else len(block)
        first, rest = block[:cut], block[cut:]
        if rng.random() < 0.3:
            flags |= h2.WITH_PRIORITY
            first = struct.pack(">IB", 0, 16) + first
        if rng.random() < 0.3:
            pad = rng.randrange(256)
            flags |= h2.PADDED
            first = bytes([pad]) + first + b"\0" * pad
        frames = [h2.frame(h2.HEADERS, flags | (0 if rest else h2.END_HEADERS), stream, first)]
        if rest:
            frames.append(h2.frame(h2.CONTINUATION, h2.END_HEADERS, stream, rest))
        return frames

    def upload(self):
        rng = self.rng
        body = TEXT[:rng.choice((0, 1, 500, 30000, 60000))]
        trailers = rng.random() < 0.3
        fields = self.conn.fields_of("/echo", "POST", more=[("content-length", str(len(body)))])
        stream = self.conn.new_stream()
        self.conn.send(*self.blocks(stream, h2.block_of(fields), 0))
        self.expected[stream] = (body, True)
        at = 0
        while at < len(body):
            n = min(rng.choice((1, 100, 16000)), len(body) - at, 16000)
            n = max(n, len(body) // 20)
            n = min(n, len(body) - at)
            self.conn.send(h2.data(stream, body[at:at + n], pad=rng.choice((None, 0, 20))))
            at += n
            if rng.random() < 0.1:
                self.step(streams=False)
        if trailers:
            self.conn.headers([("x-trailer", "1")], stream=stream)
        else:
            self.conn.send(h2.data(stream, end=True))

    def give_up(self):
        open_ones = [stream for stream in self.expected
                     if not self.conn.streams[stream].done and stream not in self.reset]
        if open_ones and self.calm["resets"] < 100:
            stream = self.rng.choice(open_ones)
            self.calm["resets"] += 1
            self.reset.add(stream)
            self.conn.send(h2.rst(stream, self.rng.randrange(14)))

    # -- frames of all kinds --

    def chatter(self):
        rng, conn = self.rng, self.conn
        stream = rng.choice(list(self.expected) or [1])
        kind = rng.randrange(8)
        if kind == 0 and self.calm["pings"] < 100:
            self.calm["pings"] += 1
            conn.send(h2.ping(bytes(rng.randrange(256) for _ in range(8))))
        elif kind == 1 and self.calm["settings"] < 30:
            self.calm["settings"] += 1
            conn.send(h2.settings((h2.INITIAL_WINDOW_SIZE, rng.choice((0, 1, 1000, 70000)))),
                      h2.settings((h2.INITIAL_WINDOW_SIZE, rng.choice((4000, 1 << 18))),
                                  (h2.HEADER_TABLE_SIZE, rng.choice((0, 100, 4096)))))
        elif kind == 2 and self.expected:
            conn.send(h2.window_update(rng.choice((0, stream)), rng.randrange(1, 3000)))
        elif kind == 3:
            conn.send(h2.frame(h2.PRIORITY, 0, stream, struct.pack(">IB", 0, rng.randrange(256))))
        elif kind == 4 and self.expected:
            conn.send(h2.priority_update(stream, rng.choice((b"u=0", b"i", b"u=7, i", b"\xff"))))
        elif kind == 5:
            conn.send(h2.frame(rng.randrange(17, 256), rng.randrange(256), stream,
                               b"?" * rng.randrange(50)))

    def unlawful(self):
        rng, conn = self.rng, self.conn
        kind = rng.randrange(5)
        stream = rng.choice((0, 1, 2, 3, conn.next_id, abs(conn.next_id - 2), rng.randrange(1 << 31)))
        payload = bytes(rng.randrange(256) for _ in range(rng.choice((0, 1, 4, 5, 8, 100))))
        if kind == 0:
            conn.send(h2.frame(rng.randrange(18), rng.randrange(256), stream, payload))
        elif kind == 1:
            conn.send(payload)
        elif kind == 2:
            conn.send(h2.frame(h2.HEADERS, 5, conn.new_stream(), payload))
        elif kind == 3:
            bad = rng.choice((("Upper", "1"), ("te", "x"), ("host", "other"), ("x", "a\nb")))
            conn.request("/plain/10/0", more=[bad])
        else:
            conn.send(h2.data(stream, payload, end=rng.random() < 0.5))

    # -- the course of it --

    def step(self, streams=True):
        rng = self.rng
        dice = rng.random()
        waiting = sum(not self.conn.streams[stream].done for stream in self.expected)
        if streams and dice < 0.45 and waiting < 60:
            self.ask()
        elif streams and dice < 0.55 and waiting < 60:
            self.upload()
        elif dice < 0.62:
            self.give_up()
        elif dice < 0.64 and not self.lawful:
            self.unlawful()
        elif dice < 0.85:
            self.chatter()
        else:
            self.read_some()

    def read_some(self):
        with contextlib.suppress(TimeoutError, BlockingIOError):
            self.conn.socket.settimeout(0.002)
            for _ in range(self.rng.randrange(60)):
                if self.conn.closed or self.conn.read() is None:
                    break
        self.conn.socket.settimeout(self.conn.timeout)

    def judge(self, seed):
        for stream, (body, whole) in self.expected.items():
            got = self.conn.streams[stream]
            good = body.startswith(bytes(got.body)) if got.status == 200 else not got.ended or \
                got.status >= 400
            check(good, f"{seed}: stream {stream}: wrong bytes")
            if got.ended and got.status == 200:
                check(whole and got.body == body, f"{seed}: stream {stream}: {len(got.body)} of "
                                                  f"{len(body)} bytes and a clean end")
            if self.lawful and stream not in self.reset:
                check(got.ended or not whole, f"{seed}: stream {stream}: not answered: {got.heads}"
                                              f" {got.reset} {self.conn.goaways}")

    def run(self, seed):
        with self.conn:
            for _ in range(ROUNDS):
                self.step()
                if self.conn.closed or self.conn.goaways:
                    break
            if not self.lawful and self.rng.random() < 0.5:
                raw.reset(self.conn.socket)
                self.judge(seed)
                return
            self.conn.send(h2.settings((h2.INITIAL_WINDOW_SIZE, 1 << 20)))
            self.conn.until(lambda: self.conn.goaways or all(
                self.conn.streams[stream].done for stream in set(self.expected) - self.reset))
            check(not self.lawful or not self.conn.goaways, f"{seed}: {self.conn.goaways}")
            self.judge(seed)


def one(proxy, origin, seed, stopping=False):
    try:
        rng = random.Random(seed)
        Mind(proxy, origin, rng, lawful=rng.random() < 0.5 and not stopping).run(seed)
    except ConnectionError as error:
        check(stopping, f"{seed}: {error!r}")
    except Exception as error:  # pylint: disable=broad-except
        check(False, f"{seed}: {error!r}")


def metrics(proxy):
    text, _ = raw.ask(proxy.admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return {name: int(value) for name, value
            in re.findall(r"^larder_(\S+) (\d+)$", text.decode(), re.MULTILINE)}


def ends(proxy):
    """Soon nobody is there any more, and nothing is asked."""
    end = time.monotonic() + raw.PATIENCE
    while time.monotonic() < end:
        now = metrics(proxy)
        if now["clients_open"] == 0 and now["fetches_open"] == 0:
            return True
        time.sleep(0.01)
    return False


def main():
    program = str(pathlib.Path(sys.argv[1]) / "proxy" / "larder-proxy")
    larder.need(program)
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 5
    seed = larder.seed(*sys.argv[3:4])
    origin = raw.Origin(serve)
    with tempfile.TemporaryDirectory() as store:
        proxy = larder.Proxy(program, store, "--store-size", "64MiB", "--memory", "32MiB",
                             "--set", "timeouts.drain=3s",
                             "--workers", os.environ.get("LARDER_WORKERS", "1"))
        proxy.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end and not check.failed:
            threads = [threading.Thread(target=one, args=(proxy, origin, seed + n))
                       for n in range(CONNECTIONS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            seed += CONNECTIONS
            if not check(proxy.process.poll() is None, f"the proxy ended before seed {seed}"):
                check.end()
        check(ends(proxy), f"what is left: {metrics(proxy)}")
        print({name: value for name, value in metrics(proxy).items()
               if name in ("h2_connections_total", "requests_total") or
               (name.startswith("h2_connections_ended") and value)})
        threads = [threading.Thread(target=one, args=(proxy, origin, seed + n, True))
                   for n in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)  # in the midst of it
        check(proxy.stop(), "it leaves by itself")
        for thread in threads:
            thread.join()
    check.end()


if __name__ == "__main__":
    main()
