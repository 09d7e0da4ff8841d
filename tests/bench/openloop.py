#!/usr/bin/env python3
"""openloop times requests from the moment at which they were due: openloop.py OPENLOOP

The server of this test stops answering for a while. Whoever sends the next request only after the last
answer sees one slow answer; here all that were due meanwhile must have waited. Where it is openloop that
stands still, it must not look like the server.
"""
import json
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import raw  # noqa: E402

PAUSE = 0.5
RATE = 200
check = raw.Checks()


def receive(conn):
    try:
        return conn.recv(65536)
    except OSError:  # the load has ended
        return b""


class Server:
    """Answers what it is asked, one connection a thread; rests once, all of them together."""

    def __init__(self, body=b"hello", tunnel=True):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.body, self.tunnel = body, tunnel
        self.asked, self.connections, self.tunnels, self.rests_at = 0, 0, [], None
        self.paths, self.hosts = [], set()
        self.patience, self.answers_each = None, None
        self.gate = threading.Event()
        self.gate.set()
        self.lock = threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            conn, _ = self.socket.accept()
            self.connections += 1
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        with conn:
            data = b""
            answered = 0
            while True:
                conn.settimeout(self.patience if answered else None)
                while b"\r\n\r\n" not in data:
                    more = receive(conn)
                    if not more:
                        return
                    data += more
                head, _, data = data.partition(b"\r\n\r\n")
                if head.startswith(b"CONNECT "):
                    self.tunnels.append(head.split()[1].decode())
                    time.sleep(0 if self.tunnel else 0.01)  # a thousand errors would end the load
                    conn.sendall(b"HTTP/1.1 200 Connected\r\n\r\n" if self.tunnel else
                                 b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                    continue
                self.gate.wait()
                with self.lock:
                    self.asked += 1
                    self.paths.append(head.split()[1].decode())
                    self.hosts.add(head.partition(b"Host: ")[2].split()[0].decode())
                    if self.asked == self.rests_at:
                        self.gate.clear()
                        threading.Timer(PAUSE, self.gate.set).start()
                try:
                    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" %
                                 (len(self.body), self.body))
                except OSError:
                    return
                answered += 1
                if b"Connection: close" in head:
                    return
                if answered == self.answers_each:
                    receive(conn)  # the next request is on its way as it closes
                    return


def run(port, *options):
    out = subprocess.run([sys.argv[1], *map(str, options), str(port), "/o/%/5"],
                         capture_output=True, text=True, check=True).stdout
    return json.loads(out)


def pauses():
    server = Server()
    server.rests_at = 20
    got = run(server.port, "--rate", RATE, "--connections", 4, "--seconds", 2, "--objects", 10)
    # A quarter of all was due in the pause; half of these had to wait for half of it, or longer.
    check(got["p90_ms"] >= PAUSE * 1000 / 4, f"those who were due in the pause have waited: {got}")
    check(got["max_ms"] >= PAUSE * 1000 * 0.9, f"the first of them for all of it: {got}")
    check(got["errors"] == 0 and got["bytes"] == 5 * got["requests"], f"{got}")
    check(server.connections == 4, f"{server.connections} connections")


def ends():
    """A server that never answers again: what waits counts, too."""
    server = Server()
    server.gate.clear()
    got = run(server.port, "--rate", RATE, "--connections", 4, "--seconds", 1)
    check(got["requests"] == 0 and got["p50_ms"] >= 200, f"nobody was answered: {got}")
    check(0 <= got["busy"] < 0.95, f"it is the server that all wait for: {got}")
    server.gate.set()


def falls_behind():
    """The load itself stands still for most of the time: that is told."""
    for seconds in (1, 4, 16):  # until it is stopped before it has ended
        server = Server()
        began = time.monotonic()
        with subprocess.Popen([sys.argv[1], "--rate", "100", "--seconds", str(seconds), str(server.port),
                               "/o/%/5"], stdout=subprocess.PIPE, text=True) as load:
            while not server.asked and load.poll() is None:
                time.sleep(0.001)
            load.send_signal(signal.SIGSTOP)
            time.sleep(max(2 * seconds, 3 * (time.monotonic() - began)))
            load.send_signal(signal.SIGCONT)
            got = json.loads(load.communicate()[0])
        if got["seconds"] > 1.5 * seconds:
            break
    check(0.5 < got["busy"] <= 1 and got["errors"] == 0, f"it was not at rest: {got}")


def closes():
    server = Server()
    got = run(server.port, "--connections", 2, "--seconds", 2, "--close")
    check(got["requests"] > 2 and server.connections >= got["requests"], f"{got}")


def tunnels():
    server = Server()
    got = run(server.port, "--connections", 3, "--seconds", 2, "--connect", "origin:443")
    check(got["requests"] > 3 and got["errors"] == 0, f"{got}")
    check(server.tunnels == ["origin:443"] * 3, f"{server.tunnels}")
    # A proxy that would answer what comes after its refusal as its own: that is no tunnel.
    server = Server(tunnel=False)
    got = run(server.port, "--connections", 3, "--seconds", 2, "--connect", "origin:443")
    check(got["requests"] == 0 and got["errors"] > 2 and server.asked == 0, f"{got}")


def leaves():
    """A server that closes connections which nobody uses: others are opened, nothing fails."""
    for rate, seconds in ((50, 1.5), (10, 6), (4, 15)):  # a slow machine never rests from 50
        server = Server()
        server.patience = 0.1
        got = run(server.port, "--rate", rate, "--connections", 20, "--seconds", seconds)
        if got["errors"] or server.connections > 20:
            break
    check(got["errors"] == 0 and server.connections > 20, f"{server.connections} connections: {got}")


def meets():
    """A server that closes just as the next request comes: it is asked again, and nothing fails."""
    server = Server()
    server.answers_each = 3
    for options in (("--rate", 50), ()):
        before = server.asked
        got = run(server.port, "--connections", 2, "--seconds", 2, *options)
        check(got["errors"] == 0 and got["requests"] > 6, f"{options}: {got}")
        check(got["requests"] <= server.asked - before <= got["requests"] + 2,
              f"{server.asked - before} asked: {got}")


def draws():
    """Which objects are asked for follows from the seed, Zipf's law and the part of new ones."""
    for seconds in (0.5, 2, 8, 32):  # until there are enough
        server = Server()
        got = run(server.port, "--connections", 1, "--seconds", seconds, "--objects", 50, "--zipf",
                  1, "--fresh", 0.3)
        if got["requests"] > 200:
            break
    numbers = [int(path.split("/")[2]) for path in server.paths]
    new = [number for number in numbers if number > 50]
    check(got["errors"] == 0 and len(numbers) >= got["requests"] > 200, f"{got}")
    check(new == list(range(51, 51 + len(new))) and new, f"new ones in order: {new[:9]}")
    check(server.hosts == {f"127.0.0.1:{server.port}"}, f"as other clients say it: {server.hosts}")
    check(0 < numbers.count(1) > numbers.count(40), "the first more often than the fortieth")


for part in (pauses, ends, falls_behind, closes, tunnels, leaves, meets, draws):
    part()
check.end()
