#!/usr/bin/env python3
"""A disk that is full: full.py BUILD [ROUNDS [SEED|fresh]]

The store lies on a small tmpfs that somebody else fills. With no room for another segment the store
goes on with what it has; with none at all, and a neighbour who takes whatever becomes free, commits
fail, and nothing is stored. Serving does not stop: every body is the origin's, and what the store has
is served without the origin, before and after a restart on the full disk. With room again, objects are
stored again. Rounds behind the first two are chosen by the seed. Needs the right to mount.
"""
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

DISK, STORE, SEGMENT = 40 << 20, 64 << 20, 2 << 20  # a store of this size has such segments
SEGMENTS = 8  # of the store, before somebody fills the disk
SIZES = {"small": (100, 2000), "large": (1000, 60_000)}  # many records, and many segments
PATIENCE = 150  # seconds: the store pauses for up to 64
ROUNDS = [(1 << 20, False), (0, True)]  # what is left of the disk; whether the neighbour is greedy
check = raw.Checks()


def body_of(path):
    rng = random.Random(path)
    return rng.randbytes(rng.randrange(*SIZES[path.split("/")[1]]))


def serve(conn, head, _rest):
    body = body_of(raw.path_of(head))
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=36000\r\n"
                 b"Content-Length: %d\r\n\r\n" % len(body) + body)


@contextlib.contextmanager
def small_disk():
    with tempfile.TemporaryDirectory() as root:
        where = pathlib.Path(root) / "disk"
        where.mkdir()
        if subprocess.call(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", where],
                           stderr=subprocess.DEVNULL) != 0:
            print("skipped: no right to mount")
            sys.exit(77)
        try:
            yield where
        finally:
            subprocess.call(["umount", "-l", where])


class Neighbour:
    """Somebody else on the disk, in a `with`: leaves `room` bytes. A greedy one goes on taking what
    becomes free."""

    def __init__(self, disk, room, greedy):
        self.disk, self.room, self.greedy = disk, room, greedy
        self.path = disk / "neighbour"
        self.halt = threading.Event()
        self.thread = threading.Thread(target=self.stay, daemon=True)

    def take(self):
        at = os.statvfs(self.disk)
        free = at.f_bavail * at.f_frsize - self.room
        if free > 0:
            with contextlib.suppress(OSError):  # the store was faster
                os.posix_fallocate(self.file, os.fstat(self.file).st_size, free)
        return free <= 0

    def stay(self):
        while not self.halt.wait(0.001):
            self.take()

    def __enter__(self):
        self.file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        while not self.take():
            pass
        if self.greedy:
            self.thread.start()
        return self

    def __exit__(self, *_):
        self.halt.set()
        if self.greedy:
            self.thread.join()
        os.close(self.file)
        os.unlink(self.path)


class Scene:
    """A proxy whose store lies on the disk, and all that it was ever asked for."""

    def __init__(self, program, disk):
        self.origin = raw.Origin(serve)
        self.proxy = larder.Proxy(program, str(disk / "store"), "--store-size", str(STORE),
                                  "--memory", "2MiB", "--workers", "1")
        self.paths = []
        self.start()

    def start(self):
        self.proxy.start()
        self.client = larder.Client(self.proxy.port)

    def status(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.proxy.admin}/status",
                                    timeout=raw.PATIENCE) as answer:
            return json.load(answer)

    def store(self):
        return self.status()["store"]

    def refused(self):
        return self.status()["requests"]["not_stored"].get("store-busy", 0)

    def ask(self, path, **fields):
        """What the cache said of it; nothing of what it may not fetch."""
        try:
            status, data, head = self.client.get(self.origin.base + path, **fields)
        except (OSError, http.client.HTTPException) as error:
            raise SystemExit(f"{path}: {error!r}, the proxy: {self.proxy.process.poll()}") from error
        said = head.get("Cache-Status", "")
        if status == 504 and fields:
            return ""
        check(status == 200 and data == body_of(path),
              f"{path}: status {status}, {len(data)} bytes for {len(body_of(path))}: {said}")
        return said

    def fetch(self, kind):
        """Something new."""
        self.paths.append(f"/{kind}/{len(self.paths)}")
        return self.ask(self.paths[-1])

    def fetch_until(self, kind, holds, what):
        end = time.monotonic() + PATIENCE
        while not (held := holds()) and time.monotonic() < end:
            for _ in range(10):
                self.fetch(kind)
            time.sleep(0.02)
        check(held, what)

    def settle(self):
        """Nothing waits to be written."""
        end = time.monotonic() + PATIENCE
        while (dirty := self.store()["dirty"]) and time.monotonic() < end:
            time.sleep(0.02)
        check(dirty == 0, "the store does not come to rest")

    def sweep(self, when):
        """Asks the cache alone for everything: its segments come back, of which all but those being
        written are half full at the least. Returns what came from the disk."""
        self.settle()
        said = {path: self.ask(path, Cache_Control="only-if-cached") for path in self.paths}
        hits = {path for path in said if "; hit" in said[path]}
        segments = self.store()["segments"]
        served = sum(len(body_of(path)) for path in hits)
        print(f"{when}: {len(hits)} of {len(said)} are hits, {served >> 10} KiB; {segments} segments",
              flush=True)
        check(hits and served >= (segments - 2) * SEGMENT / 2, f"{when}: what the store has is served")
        return {path for path in hits if "detail=disk" in said[path] or "detail=cold" in said[path]}

    def restart(self, when, kill=False):
        """What was on the disk is there again."""
        there = self.sweep(f"{when}, before a restart")
        if kill:
            self.proxy.kill()
        else:
            check(self.proxy.stop(), f"{when}: the proxy left by itself")
        self.start()
        gone = there - self.sweep(f"{when}, after a restart")
        check(there and not gone, f"{when}: {len(gone)} of {len(there)} are gone: {sorted(gone)[:5]}")

    def store_one(self, kind, when):
        """Something new, while nothing else waits to be written."""
        said = self.fetch(kind)
        check("; stored" in said, f"{when}: {said}")
        self.settle()
        said = self.ask(self.paths[-1], Cache_Control="only-if-cached")
        check("; hit" in said, f"{when}: {self.paths[-1]} is there: {said}")

    # ---- what a full disk does ----

    def go_on(self, when):
        """There is room for the index to grow, but for no other segment."""
        before = self.store()
        self.fetch_until("large", lambda: self.store()["evicted_segments"] >=
                         before["evicted_segments"] + 2, f"{when}: old segments make room")
        self.settle()
        now = self.store()
        check(now["commit_errors"] == before["commit_errors"], f"{when}: no commit fails: {now}")
        check(now["used"] < STORE / 2, f"{when}: the store itself has not reached its size: {now}")
        self.store_one("large", when)  # before, it may have been too busy for the last one

    def fail(self, when):
        """There is no room at all."""
        errors, refused = self.store()["commit_errors"], self.refused()
        self.fetch_until("small", lambda: self.store()["commit_errors"] >= errors + 2 and
                         self.refused() > refused, f"{when}: commits fail, responses are refused")

    def recover(self, when):
        written = self.store()["written_objects"]
        self.fetch_until("small", lambda: self.store()["written_objects"] > written + 3,
                         f"{when}: with room again, objects are stored again")
        self.settle()
        self.store_one("small", when)

    def round(self, number, disk, room, greedy, kill):
        when = f"round {number}, {'no room' if greedy else f'{room >> 10} KiB left'}"
        self.fetch_until("large", lambda: self.store()["segments"] >= SEGMENTS, "the store fills")
        self.settle()
        with Neighbour(disk, room, greedy):
            (self.fail if greedy else self.go_on)(when)
            self.restart(when, kill)
        self.recover(when)


def rounds(count, rng):
    """(room, greedy, kill)"""
    for room, greedy in ROUNDS[:count]:
        yield room, greedy, False
    for _ in range(len(ROUNDS), count):
        greedy = rng.random() < 0.5
        yield 0 if greedy else rng.randrange(1 << 19, SEGMENT), greedy, rng.random() < 0.5


def main():
    program = str(pathlib.Path(sys.argv[1]) / "proxy" / "larder-proxy")
    count = int(sys.argv[2]) if len(sys.argv) > 2 else len(ROUNDS)
    larder.need(program)
    rng = random.Random(larder.seed(*sys.argv[3:4]))
    with small_disk() as disk:
        scene = Scene(program, disk)
        for number, how in zip(itertools.count(1), rounds(count, rng)):
            scene.round(number, disk, *how)
        scene.restart("with room")
        check(scene.proxy.stop(), "the proxy left by itself")
    check.end()


if __name__ == "__main__":
    main()
