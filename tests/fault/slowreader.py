#!/usr/bin/env python3
"""A slow reader while the store is written over: slowreader.py BUILD [long | pieces]

One client reads a stored object at a limited rate through a small window, others fill the store
anew several times meanwhile: what is being read is evicted, files are written over. Every byte of
every body is right, and the slow one comes whole without its origin; the disk that is used, files
without a name included, stays below --store-size (docs/store.md, "Size"), and memory below its
limit (docs/memory.md). What the reader held is given back when it is through.

By itself a few seconds; "long": 1 GiB at 1 MB/s. "pieces" is the same of a response that is too
large for one object, in a store twice its size: its pieces may be evicted and come from the origin
again.
"""
import collections
import hashlib
import http.client
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

PRIME = 1_000_003  # no multiple of it is a multiple of a chunk: a wrong chunk shows
STEP = 1 << 20
TRICKLE, TRICKLE_PAUSE = 8192, 0.4  # bytes read at once; seconds between two that are waited with
NOISE = memoryview(random.Random("noise").randbytes(PRIME) * 3)
check = raw.Checks()

Plan = collections.namedtuple("Plan", "size rate store memory turns churn pieces")
PLANS = {  # MiB, MB/s, MiB, MiB, how often the store is written, MB/s (0: as fast as may be)
    "short": Plan(24, 8, 97, 32, 2, 0, 1),
    "long": Plan(1024, 1, 4100, 64, 3, 20, 1),
    "pieces": Plan(1024, 1, 2048, 64, 3, 10, 8),
}


def cut(path, first, length):
    """Bytes [first, first + length) of a body, at most STEP of them."""
    digest = hashlib.blake2b(path.encode(), digest_size=8).digest()
    start = (int.from_bytes(digest, "little") + first) % PRIME
    return NOISE[start:start + length]


def size_of(path):
    """/slow/BYTES, or one of the churn."""
    kind, name = path.split("/")[1:3]
    if kind == "slow":
        return int(name)
    rng = random.Random(path)
    return rng.choice((rng.randrange(1, 8000), rng.randrange(300_000), rng.randrange(3_000_000)))


class Origin(raw.Origin):
    def __init__(self):
        super().__init__(self.answer)
        self.slow_asked = 0

    def answer(self, conn, head, _):
        path, size = raw.path_of(head), 0
        size = size_of(path)
        first, last, status, field = 0, size - 1, "200 OK", ""
        self.heads.clear()
        if path.startswith("/slow/"):
            self.slow_asked += 1
            asked = [line[6:] for line in head.decode().lower().split("\r\n") if
                     line.startswith("range:")]
            if asked:
                first, last = (int(text or size - 1) for text in
                               asked[0].strip().removeprefix("bytes=").split("-"))
                last = min(last, size - 1)
                status, field = "206 Partial", f"Content-Range: bytes {first}-{last}/{size}\r\n"
        conn.sendall(f"HTTP/1.1 {status}\r\nCache-Control: max-age=86400\r\nETag: \"1\"\r\n{field}"
                     f"Content-Length: {last - first + 1}\r\n\r\n".encode())
        for at in range(first, last + 1, STEP):
            conn.sendall(cut(path, at, min(STEP, last + 1 - at)))
        return False


class Watch(threading.Thread):
    """Looks at disk and memory until told to stop; keeps the most of each."""

    def __init__(self, proxy, directory, plan):
        super().__init__(daemon=True)
        self.proxy, self.directory = proxy, os.path.realpath(directory)
        self.pause = 0.05 if plan.size < 100 else 1.0
        self.most = collections.Counter()
        self.looks = 0
        self.halt = threading.Event()

    def files(self):
        """The store's files, by name, descriptor or map."""
        yield from pathlib.Path(self.directory).rglob("*")
        for kind in ("fd", "map_files"):
            folder = f"/proc/{self.proxy.process.pid}/{kind}"
            try:
                names = os.listdir(folder)
            except OSError:
                continue
            for name in names:
                try:
                    if os.readlink(f"{folder}/{name}").startswith(self.directory):
                        yield f"{folder}/{name}"
                except OSError:
                    pass

    def disk(self):
        found = {}
        for path in self.files():
            try:
                stat = os.stat(path)
            except OSError:
                continue  # gone meanwhile, or not ours to see
            found[stat.st_dev, stat.st_ino] = stat.st_blocks * 512
        return sum(found.values())

    def look(self):
        with open(f"/proc/{self.proxy.process.pid}/status") as text:
            anon = next(int(line.split()[1]) << 10 for line in text if line.startswith("RssAnon"))
        status = answer_of(self.proxy, "/status")["memory"]
        (folder,) = answer_of(self.proxy, "/store")["directories"]
        # Twice, as a file may come while another goes that was counted already.
        now = {"disk": min(self.disk(), self.disk()), "anon": anon, "counted": status["used"],
               "account": folder["used"], "dropped": folder["dropped_bytes"]}
        for name, value in now.items():
            self.most[name] = max(self.most[name], value)
        self.looks += 1

    def run(self):
        while not self.halt.wait(self.pause):
            self.look()


class Churn:
    """Clients that ask for what is new, and at times for what they had."""

    def __init__(self, proxy, base, plan):
        self.proxy, self.base, self.plan = proxy, base, plan
        self.lock = threading.Lock()
        self.bytes = self.bodies = self.hits = 0
        self.halt = threading.Event()
        self.began = time.monotonic()
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True)
                        for n in range(3)]
        for thread in self.threads:
            thread.start()

    def turns(self):
        return self.bytes / (self.plan.store << 20)

    def run(self, number):
        client, rng, had = larder.Client(self.proxy.port), random.Random(number), []
        for n in range(1 << 40):
            if self.halt.is_set():
                return
            again = had and rng.random() < 0.2
            path = rng.choice(had[-200:]) if again else f"/churn/{number}-{n}"
            if not again:
                had = had[-1000:] + [path]
            self.one(client, path)

    def one(self, client, path):
        size = size_of(path)
        try:
            status, body, fields = client.get(self.base + path)
        except (OSError, http.client.HTTPException) as error:
            check(False, f"{path}: {type(error).__name__}: {error}")
            client.connection.close()
            time.sleep(0.1)
            return
        check(status == 200 and len(body) == size and
              all(body[at:at + STEP] == cut(path, at, min(STEP, size - at))
                  for at in range(0, size, STEP)), f"{path}: {status}, {len(body)} of {size} bytes")
        hit = "hit" in (fields["Cache-Status"] or "")
        with self.lock:
            self.bodies += 1
            self.hits += hit
            self.bytes += 0 if hit else size
            ahead = self.bytes / self.plan.churn / 1e6 if self.plan.churn else 0
        time.sleep(max(0.0, min(1.0, self.began + ahead - time.monotonic())))

    def stop(self):
        self.halt.set()
        for thread in self.threads:
            thread.join()


def answer_of(proxy, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}{path}", timeout=60) as answer:
        return json.load(answer)


def read_slowly(proxy, base, path, plan, enough):
    """Whole or not, and how. What is behind the buffers of the sockets comes in trickles until
    `enough` has happened: for as long as that takes on a slow machine."""
    size, at, due = size_of(path), 0, time.monotonic()
    with raw.connect(proxy.port, receive_buffer=8192, timeout=60) as conn:
        conn.sendall(f"GET {base}{path} HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n".encode())
        head, data = raw.until_head(conn)
        check(head.startswith(b"HTTP/1.1 200") and b"hit" in head.lower(), f"a hit: {head}")
        while data or at < size:
            if data != cut(path, at, len(data)):
                check(False, f"{path} is wrong behind {at}, of {len(data)} bytes")
                return
            at += len(data)
            if size - at < min(size // 2, 64 * STEP) and not enough():
                due = time.monotonic() + TRICKLE_PAUSE
            else:
                due += len(data) / plan.rate / 1e6
            time.sleep(max(0.0, due - time.monotonic()))
            data = conn.recv(TRICKLE)
            if not data:
                break
        check(at == size and conn.recv(1) == b"", f"{at} of {size} bytes of {path} came")


def settle(proxy, what):
    """Waits until what `what` says of the store holds."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        (folder,) = answer_of(proxy, "/store")["directories"]
        if what(folder):
            return folder
        time.sleep(0.05)
    check(False, f"the store does not come to rest: {folder}")
    return folder


def fill(proxy, base, path, plan):
    """Has it stored: as a whole, or in ranges that are pieces."""
    client, size = larder.Client(proxy.port, timeout=300), size_of(path)
    step = -(-size // plan.pieces)
    for first in range(0, size, step):
        fields = {"Range": f"bytes={first}-{min(first + step, size) - 1}"} if plan.pieces > 1 else {}
        client.connection.request("GET", base + path, headers=fields)
        response = client.connection.getresponse()
        at = first
        while data := response.read(STEP):
            if not check(data == cut(path, at, len(data)), f"{path} at {at}, when it is stored"):
                return
            at += len(data)
        settle(proxy, lambda folder: folder["dirty_bytes"] == 0)


def is_enough(plan, churn, watch):
    """The store was written over, and what is being read was evicted."""
    return churn.turns() >= plan.turns and is_evicted(plan, watch)


def is_evicted(plan, watch):
    """Of pieces it need not be: they come from the origin again."""
    return plan.pieces > 1 or watch.most["dropped"] >= plan.size << 19


def limits(watch, plan, sanitized):
    most, memory, store = watch.most, plan.memory << 20, plan.store << 20
    print(f"{watch.looks} looks; at most, in MiB: " +
          ", ".join(f"{name} {value / STEP:.1f}" for name, value in most.items()))
    check(watch.looks > 3, "it was watched")
    check(most["disk"] <= store, f"{most['disk']} bytes of disk for a store of {store}")
    check(most["account"] <= store, f"{most['account']} bytes by account for a store of {store}")
    check(most["counted"] <= memory, f"{most['counted']} bytes of memory, {memory} are the limit")
    if not sanitized:
        check(most["anon"] <= memory * 5 // 4 + (30 << 20), f"{most['anon']} bytes resident")
    check(is_evicted(plan, watch), f"what was read was evicted: {most['dropped']}")


def live(proxy, origin, directory, plan, sanitized):
    path = f"/slow/{plan.size << 20}"
    fill(proxy, origin.base, path, plan)
    asked, began = origin.slow_asked, time.monotonic()
    watch, churn = Watch(proxy, directory, plan), Churn(proxy, origin.base, plan)
    watch.start()
    try:
        read_slowly(proxy, origin.base, path, plan, lambda: is_enough(plan, churn, watch))
        took = time.monotonic() - began
    finally:
        churn.stop()
        watch.halt.set()
        watch.join()
    print(f"{plan.size} MiB in {took:.1f} s; churn: {churn.bodies} bodies, {churn.hits} hits,"
          f" {churn.turns():.1f} times the store; the origin was asked for {path}"
          f" {asked} times before and {origin.slow_asked - asked} meanwhile")
    check(churn.turns() >= plan.turns, "the store was written over")
    check(plan.pieces > 1 or origin.slow_asked == asked, "it came from the store")
    limits(watch, plan, sanitized)
    folder = settle(proxy, lambda folder: folder["dirty_bytes"] == folder["dropped_bytes"] == 0)
    check(folder["recycled_segments"] > 0, "files were written over")
    check(folder["commit_errors"] == 0, "no commit failed")
    fill(proxy, origin.base, path, plan)


def is_tmpfs(directory):
    kind = subprocess.run(["stat", "-f", "-c", "%T", directory], capture_output=True, text=True,
                          check=True)
    return kind.stdout.strip() == "tmpfs"


def main():
    plan = PLANS[sys.argv[2] if len(sys.argv) > 2 else "short"]
    program = f"{sys.argv[1]}/proxy/larder-proxy"
    larder.need(program)
    code = pathlib.Path(program).read_bytes()
    origin = Origin()
    with tempfile.TemporaryDirectory(prefix="larder-slow.") as directory:
        if is_tmpfs(directory):
            print(f"skipped: {directory} is on a tmpfs, which keeps its pages: no file is written over")
            sys.exit(77)
        proxy = larder.Proxy(program, directory, "--workers", "2", "--store-size",
                             f"{plan.store}MiB", "--memory", f"{plan.memory}MiB")
        proxy.start()
        live(proxy, origin, directory, plan, b"libasan" in code or b"libtsan" in code)
        check(proxy.stop(), f"ended with {proxy.process.returncode}")
    check.end()


if __name__ == "__main__":
    main()
