#!/usr/bin/env python3
"""A page and its objects, fetched in one of the ways that HTTP has had: page.py WAY HOST SIZE [SIZE…]

The first SIZE is the page; the others are its objects, asked for when the page is there. Prints a line of
JSON: milliseconds until each was complete, from the moment at which the first connection was begun.

    serial      HTTP/1.0: a connection for each, one after the other
    parallel    the same, six at a time
    kept        HTTP/1.1: one connection, one request after the other
    pipelined   one connection, all objects asked for at once
    http2       one connection, all objects at once, as streams
"""
import json
import pathlib
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "lib"))
import h2  # noqa: E402
import raw  # noqa: E402

AT_ONCE = 6
PORT = 80


class Fetch:
    def __init__(self, host, sizes):
        self.host, self.sizes = host, sizes
        self.began, self.done = time.monotonic(), {}

    def path(self, number):
        return f"/o/{number + 1}/{self.sizes[number]}"

    def complete(self, number):
        self.done[number] = (time.monotonic() - self.began) * 1000

    def connect(self):
        conn = socket.create_connection((self.host, PORT), 120)
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return conn

    def request(self, number, version="1.1"):
        return f"GET {self.path(number)} HTTP/{version}\r\nHost: {self.host}\r\n\r\n".encode()

    def read(self, conn, number, data=b""):
        """What follows the answer."""
        while b"\r\n\r\n" not in data:
            data += self.some(conn)
        head, _, data = data.partition(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            sys.exit(f"{self.path(number)}: {head[:80]!r}")
        while len(data) < self.sizes[number]:
            data += self.some(conn)
        self.complete(number)
        return data[self.sizes[number]:]

    @staticmethod
    def some(conn):
        more = conn.recv(1 << 16)
        if not more:
            sys.exit("the connection ended before the answer did")
        return more

    # ---- the ways ----

    def alone(self, number):
        with self.connect() as conn:
            conn.sendall(self.request(number, "1.0"))
            self.read(conn, number)

    def serial(self):
        for number in range(len(self.sizes)):
            self.alone(number)

    def parallel(self):
        self.alone(0)
        waiting, lock = list(range(1, len(self.sizes))), threading.Lock()

        def work():
            while True:
                with lock:
                    if not waiting:
                        return
                    number = waiting.pop(0)
                self.alone(number)
        threads = [threading.Thread(target=work) for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def kept(self):
        with self.connect() as conn:
            for number in range(len(self.sizes)):
                conn.sendall(self.request(number))
                self.read(conn, number)

    def pipelined(self):
        with self.connect() as conn:
            conn.sendall(self.request(0))
            self.read(conn, 0)
            objects = range(1, len(self.sizes))
            conn.sendall(b"".join(self.request(number) for number in objects))
            data = b""
            for number in objects:
                data = self.read(conn, number, data)

    def http2(self):
        raw.connect = lambda *_, **__: self.connect()
        conn = h2.Connection(PORT, (h2.INITIAL_WINDOW_SIZE, 1 << 20), timeout=120)
        conn.authority = self.host
        conn.send(h2.window_update(0, 1 << 24))
        self.streams(conn, [0])
        self.streams(conn, range(1, len(self.sizes)))
        conn.socket.close()

    def streams(self, conn, numbers):
        streams = {number: conn.request(self.path(number)) for number in numbers}
        while not all(number in self.done for number in streams):
            if not conn.read():
                sys.exit("the connection ended before the streams did")
            for number, stream in streams.items():
                if conn.streams[stream].ended and number not in self.done:
                    self.complete(number)


def main():
    way, host, *sizes = sys.argv[1:]
    fetch = Fetch(host, [int(size) for size in sizes])
    getattr(fetch, way)()
    print(json.dumps([fetch.done[number] for number in range(len(sizes))]))


main()
