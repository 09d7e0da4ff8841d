#!/usr/bin/env python3
"""Clients that ask and leave before the answer: unawaited.py BUILD

What they asked for goes on, because others may want it, but only so many at a time: who asks in a
row for what is never answered does not fill the proxy with requests to origins. Who still waits is
answered, and so is who asks anew for something that was given up.

And who waits for what another has asked for does not share a failure that lies in that request: one
of them asks next, and the others wait for that.
"""
import json
import pathlib
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

MOST = 64  # UNAWAITED_MAX of fetch_interest.c
ASKED = 3 * MOST
check = raw.Checks()


class Scene:
    def __init__(self, program, store):
        self.may_answer = threading.Event()
        self.origin = raw.Origin(self.serve)
        self.proxy = larder.Proxy(program, store, "--workers", "1")
        self.proxy.start()

    def serve(self, conn, head, _):
        if raw.path_of(head).startswith("/half"):
            conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 20000\r\n\r\n"
                         + bytes(10000))
        self.may_answer.wait(60)
        if raw.path_of(head).startswith("/half"):
            conn.sendall(bytes(10000))
            return
        conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok")

    def request(self, number):
        return f"GET {self.origin.base}/{number} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()

    def under_way(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.proxy.admin}/metrics") as got:
            lines = got.read().decode().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("larder_fetches_open ")))

    def settles_at(self, count):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.under_way() != count:
            time.sleep(0.02)
        return self.under_way()

    def asked(self, count):
        """The origin has had so many requests."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and len(self.origin.heads) < count:
            time.sleep(0.01)
        return len(self.origin.heads) >= count


def leave_early(scene):
    """They have had the beginning of it."""
    scene.may_answer.clear()
    for number in range(ASKED):
        conn = raw.connect(scene.proxy.port)
        conn.sendall(scene.request(f"half/{number}"))
        check(raw.until_head(conn)[0].startswith(b"HTTP/1.1 200"), f"half of {number} has come")
        raw.reset(conn)
    left = scene.settles_at(MOST)
    check(left == MOST, f"{left} bodies under way after {ASKED} who left")
    scene.may_answer.set()
    check(scene.settles_at(0) == 0, "all have ended")


class Followers:
    """One asks for what the origin does not answer, FOLLOWERS wait for it."""
    COUNT = 8

    def __init__(self, program, store, first_byte):
        self.origin = raw.Origin(self.serve)
        self.may_fail = threading.Event()
        self.ended = threading.Event()
        self.proxy = larder.Proxy(program, store, "--workers", "1", "--set",
                                  f"timeouts.first-byte={first_byte}")
        self.proxy.start()

    def serve(self, conn, head, _):
        if b"X-Evil: closes" in head:
            self.may_fail.wait(60)
            return True
        if b"X-Evil: hangs" in head:
            self.ended.wait(60)
            return True
        conn.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nCache-Control: max-age=60\r\n"
                     b"Content-Length: 2\r\n\r\nok")
        return True

    def ask(self, path, fields=""):
        conn = raw.connect(self.proxy.port, 60)
        conn.sendall(f"GET {self.origin.base}/{path} HTTP/1.1\r\nHost: x\r\n{fields}"
                     "Connection: close\r\n\r\n".encode())
        return conn

    def waiting(self, path):
        text = urllib.parse.urlencode({"url": f"{self.origin.base}/{path}"})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.proxy.admin}/explain?{text}") as got:
            fetching = json.load(got)["fetching"]
        return fetching["waiting"] if fetching else 0

    def await_waiting(self, path, count):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.waiting(path) < count:
            time.sleep(0.01)
        return self.waiting(path)

    def answers(self, conns):
        for conn in conns:
            data = raw.until_end(conn)[0]
            check(data.endswith(b"\r\n\r\nok"), f"who follows: {data}")

    def closes(self):
        """The leader's connection is closed when all wait for it."""
        leader = self.ask("closes", "X-Evil: closes\r\n")
        check(self.await_waiting("closes", 1) == 1, "one leads")
        conns = [self.ask("closes") for _ in range(self.COUNT)]
        check(self.await_waiting("closes", self.COUNT + 1) == self.COUNT + 1, "all follow")
        self.may_fail.set()
        self.answers(conns)
        check(raw.until_end(leader)[0].startswith(b"HTTP/1.1 50"), "the first one failed")
        asked = sum(raw.path_of(head) == "/closes" for head in self.origin.heads)
        # Who leads has failed on a connection that was new, and is not sent again.
        check(asked == 2, f"the origin had {asked} requests")
        check(self.proxy.stop(), "it leaves by itself")

    def hangs(self):
        """The leader is never answered: who waits is, after its time."""
        leader = self.ask("hangs", "X-Evil: hangs\r\n")
        check(self.await_waiting("hangs", 1) == 1, "one leads")
        self.answers([self.ask("hangs") for _ in range(self.COUNT)])
        check(raw.until_end(leader)[0].startswith(b"HTTP/1.1 504"), "the first one failed")
        self.ended.set()
        check(self.proxy.stop(), "it leaves by itself")


def main():
    program = str(pathlib.Path(sys.argv[1]) / "proxy" / "larder-proxy")
    larder.need(program)
    with tempfile.TemporaryDirectory(prefix="larder-unawaited.") as store:
        scene = Scene(program, store)
        waits = raw.connect(scene.proxy.port, 60)
        waits.sendall(scene.request("waits"))
        check(scene.asked(1), "the first has reached the origin")
        for number in range(ASKED):
            conn = raw.connect(scene.proxy.port)
            conn.sendall(scene.request(number))
            check(scene.asked(number + 2), f"{number} has reached the origin")
            raw.reset(conn)  # a FIN alone may be half of a conversation
        left = scene.settles_at(MOST + 1)
        check(left == MOST + 1, f"{left} under way after {ASKED} who left")
        scene.may_answer.set()
        check(raw.until_end(waits)[0].endswith(b"\r\n\r\nok"), "who waits is answered")
        check(scene.settles_at(0) == 0, "all have ended")
        for number, hit in ((0, True), (ASKED - 1, False)):
            data, _ = raw.ask(scene.proxy.port, scene.request(number), half_close=False)
            check(data.endswith(b"ok") and (b"; hit" in data) == hit, f"{number}: {data}")
        leave_early(scene)
        check(scene.proxy.stop(), "it leaves by itself")
    with tempfile.TemporaryDirectory(prefix="larder-followers.") as store:
        Followers(program, store, "60s").closes()
    with tempfile.TemporaryDirectory(prefix="larder-followers.") as store:
        Followers(program, store, "5s").hangs()
    check.end()


if __name__ == "__main__":
    main()
