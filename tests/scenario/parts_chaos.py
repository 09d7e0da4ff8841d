#!/usr/bin/env python3
"""Responses known in parts, while everything changes: parts_chaos.py BUILD [--seconds N]
[--seed N] [--store SIZE] [--memory SIZE]

Files change their version, are invalidated by POST, and are evicted from a store that is too small
for them; clients ask for all kinds of ranges, with conditions and directives, and leave at any
moment; the proxy is killed and starts again on the same store. Every byte is compared with the
version that its ETag names. At the end nothing may be left under way, and the memory is given back.
LARDER_WORKERS says how many workers (4).
"""
import argparse
import http.client
import json
import os
import pathlib
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import ranges  # noqa: E402
import raw  # noqa: E402
import stuck  # noqa: E402
from pieces import Content, Origin, Resource  # noqa: E402

PATIENCE = 90
ENOUGH = 60  # responses with parts between two deaths of the proxy, however long that takes
LONGEST = 90  # seconds for that
SIZES = (300_000, 5_000_000, 9_000_000)
KILLS = 2
TOLD = 3  # of so many requests that wait in vain all is told
BITE = 1 << 16
BROKEN = (http.client.HTTPException, OSError)

check = raw.Checks()


class Posted(Origin):
    """A POST changes the version of what it is sent to."""

    def answer(self, conn, head, rest):
        check(b"only-if-cached" not in head, f"the origin was asked: {head}")
        if not head.startswith(b"POST"):
            return super().answer(conn, head, rest)
        resource = self.resources[raw.path_of(head)]
        resource.current = (resource.current + 1) % len(resource.contents)
        conn.sendall(b"HTTP/1.1 204 X\r\n\r\n")
        return False


def resources():
    made = {}
    for number, size in enumerate(SIZES):
        versions = [Content(10 * number + v, size + 1000 * (v % 2)) for v in (1, 2, 3)]
        for cache in ("max-age=3600", "max-age=1", "max-age=0",
                      "max-age=1, stale-while-revalidate=9"):
            made[f"/{size}/{cache.replace(', ', '-')}"] = Resource(*versions, cache=cache)
        for fault in ("ignores", "breaks", "shifted"):
            made[f"/{size}/{fault}"] = Resource(*versions, fault=fault)
        made[f"/{size}/date"] = Resource(versions[0], validators="date")
        made[f"/{size}/none"] = Resource(versions[0], validators="none", cache="max-age=1")
    return made


# ---- one request ----

def wanted(rng, size):
    """The ranges of one request, [] for all of it."""
    kind = rng.choices(("one", "suffix", "open", "several", "all"), (60, 8, 10, 12, 10))[0]
    if kind == "all":
        return []
    if kind == "suffix":
        return [f"-{rng.randrange(1, size // 2)}"]
    first = rng.randrange(size)
    if kind == "open":
        return [f"{first}-"]
    count = rng.randrange(2, 9) if kind == "several" else 1
    return [f"{at}-{at + int(2 ** rng.uniform(0, 21))}"
            for at in (rng.randrange(size) for _ in range(count))]


def conditions(rng, resource):
    """The fields of one request."""
    content = resource.contents[resource.current]
    tag = f'"v{content.version}"'
    specs = wanted(rng, content.size)
    fields = rng.choices(
        ({}, {"Cache-Control": "no-cache"}, {"Cache-Control": "only-if-cached"},
         {"Cache-Control": "no-store"}, {"Cache-Control": "max-stale=5"}, {"If-None-Match": tag},
         {"If-Range": tag}, {"If-Match": tag}, {"Authorization": "Basic YTpi"}),
        (60, 5, 10, 3, 4, 5, 6, 3, 4))[0]
    return {**fields, "Range": "bytes=" + ",".join(specs)} if specs else dict(fields)


def fits(resource, fields, first, length, piece):
    """Is a piece of a response what the version it says to be has there?"""
    tag = fields.get("ETag")
    versions = [c for c in resource.contents if tag in (None, f'"v{c.version}"')]
    return any(c.size == length and c.holds(first, piece) for c in versions)


def judge(resource, response, body):
    """None, or what is wrong with a body; it may have broken off."""
    fields = response.headers
    if response.status not in (200, 206):
        return None if response.status in (304, 412, 416, 502, 503, 504) else "status"
    if response.status == 206 and fields["Content-Range"] is None:
        try:
            found = ranges.parts(fields["Content-Type"], body)
        except ranges.Malformed as error:
            return str(error)
        return None if all(fits(resource, fields, first, length, piece)
                           for first, _, length, _, piece in found) else "a part differs"
    first, length = 0, int(fields.get("Content-Length", 0))
    if response.status == 206:
        first, _, length = ranges.content_range(fields["Content-Range"])
    return None if fits(resource, fields, first, length, body) else "differs"


class Client:
    def __init__(self, chaos, seed):
        self.chaos, self.rng = chaos, random.Random(seed)
        self.connection = None
        self.asked = {}  # the request under way, and what has come of its response

    def leave(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def break_off(self):
        """Leaves so that the proxy notices: without a reset, somebody might still be reading."""
        if self.connection and self.connection.sock:
            raw.reset(self.connection.sock)
        self.leave()

    def ask(self, method, path, fields):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.chaos.proxy.port,
                                                         timeout=PATIENCE)
        self.asked = {"method": method, "path": path, "fields": fields, "bytes": 0,
                      "since": time.monotonic()}
        self.connection.request(method, self.chaos.origin.base + path, headers=fields)
        response = self.connection.getresponse()
        self.asked.update(status=response.status, response=dict(response.headers))
        return response

    def read(self, response, upto):
        """(bytes, whether that was all)"""
        body = bytearray()
        while upto is None or len(body) < upto:
            if self.rng.random() < 0.01:
                time.sleep(0.02)
            bite = response.read(BITE if upto is None else min(BITE, upto - len(body)))
            if not bite:
                announced = response.headers.get("Content-Length")
                return bytes(body), announced is None or int(announced) == len(body)
            body += bite
            self.asked.update(bytes=len(body), last=time.monotonic())
        return bytes(body), False

    def turn(self):
        rng = self.rng
        path, resource = rng.choice(self.chaos.paths)
        fields = conditions(rng, resource)
        method = rng.choices(("GET", "HEAD", "POST"), (95, 3, 2))[0]
        upto = int(2 ** rng.uniform(0, 22)) if rng.random() < 0.15 else None
        response = self.ask(method, path, fields if method != "POST" else {})
        self.chaos.count(response.status)
        body, all_came = self.read(response, upto)
        if not all_came:
            self.leave()
        if upto is None and not all_came and method == "GET":
            self.chaos.count("short")
        several = response.status == 206 and response.headers["Content-Range"] is None
        if method != "GET" or several and not all_came:
            return
        wrong = judge(resource, response, body)
        check(not wrong, f"{path} {fields}: {response.status} {dict(response.headers)}, "
              f"{len(body)} bytes: {wrong}")

    def run(self):
        while not self.chaos.over.is_set():
            try:
                self.turn()
            except TimeoutError:
                self.chaos.waited_in_vain(self)
                self.break_off()
            except BROKEN as error:
                self.chaos.broke(error)
                self.leave()
        self.leave()


# ---- all together ----

class Chaos:
    def __init__(self, proxy, origin):
        self.proxy, self.origin = proxy, origin
        self.paths = list(origin.resources.items())
        self.lock = threading.Lock()
        self.telling = threading.Lock()
        self.over = threading.Event()
        self.counts = {}

    def count(self, what):
        """Returns how often that was."""
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1
            return self.counts[what]

    def broke(self, error):
        self.count(type(error).__name__)
        if isinstance(error, ConnectionRefusedError):
            time.sleep(0.02)

    def waited_in_vain(self, client):
        """Tells what explains it: the request, what the origin was asked for, and the proxy's view.
        One at a time, so that they can be read."""
        if self.count("waited in vain") > TOLD:
            return
        asked, now = client.asked, time.monotonic()
        resource = self.origin.resources[asked["path"]]
        ago = {name: round(now - asked.pop(name), 1) for name in ("since", "last") if name in asked}
        with self.telling:
            check(False, f"somebody waited in vain: {asked}, seconds ago: {ago}")
            print(f"  origin: asked {resource.requests} times, {len(resource.log)} answered, "
                  f"version {resource.current}, last (Range, status, bytes): {resource.log[-12:]}")
            stuck.tell(self.proxy, self.origin, self.origin.base + asked["path"], ago["since"],
                       client.break_off)

    def change(self, rng):
        """New versions, without telling."""
        while not self.over.wait(0.3):
            resource = rng.choice(self.paths)[1]
            resource.current = rng.randrange(len(resource.contents))

    def pass_time(self, seconds):
        """So many, or more on a slow machine: until enough has come since it began."""
        before, began = self.counts.get(206, 0), time.monotonic()
        time.sleep(seconds)
        while self.counts.get(206, 0) - before < ENOUGH and time.monotonic() - began < LONGEST:
            time.sleep(0.1)
        check(self.counts.get(206, 0) - before >= ENOUGH, f"too little happened: {self.counts}")

    def run(self, seconds, clients, rng):
        threads = [threading.Thread(target=self.change, args=(random.Random(rng.random()),))]
        threads += [threading.Thread(target=Client(self, rng.random()).run) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for _ in range(KILLS):
            self.pass_time(seconds / (KILLS + 1))
            if not check(self.proxy.process.poll() is None, "the proxy has ended by itself"):
                break
            self.proxy.kill()
            self.proxy.start()
        self.pass_time(seconds / (KILLS + 1))
        self.over.set()
        for thread in threads:
            thread.join()


def status(proxy):
    connection = http.client.HTTPConnection("127.0.0.1", proxy.admin, timeout=90)
    connection.request("GET", "/status")
    return json.loads(connection.getresponse().read())


def idle(proxy):
    """Waits until nothing is under way; what is left then."""
    end = time.monotonic() + 60
    while True:
        now = status(proxy)
        left = {"flights": now["memory"]["flights"], "claims": now["claims"],
                "fetches": now["requests"]["fetches"], "connections": now["connections"]["open"],
                "dirty": (now["store"] or {}).get("dirty", 0)}
        if not any(left.values()) or time.monotonic() > end:
            break
        time.sleep(0.1)
    return left, now["memory"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--store", default="24MiB", help="its size; 0: memory only")
    parser.add_argument("--memory", default="8MiB")
    parser.add_argument("--only", default="", help="part of a path")
    parser.add_argument("--seed", help="a number, or fresh")
    options = parser.parse_args()
    program = f"{options.build}/proxy/larder-proxy"
    larder.need(program)
    rng = random.Random(larder.seed(options.seed))
    origin = Posted({p: r for p, r in resources().items() if options.only in p})
    with tempfile.TemporaryDirectory(prefix="larder-chaos.") as store:
        proxy = larder.Proxy(program, store, "--store-size", options.store, "--memory",
                             options.memory, "--workers", os.environ.get("LARDER_WORKERS", "4"))
        if options.store == "0":
            left_out = ("--store", store, "--store-size", options.store)
            proxy.command = [word for word in proxy.command if word not in left_out]
        proxy.start()
        chaos = Chaos(proxy, origin)
        chaos.run(options.seconds, options.clients, rng)
        print(chaos.counts, flush=True)
        left, memory = idle(proxy)
        print(left, memory, flush=True)
        check(not any(left.values()), f"left under way: {left}")
        check(memory["bodies"] <= memory["limit"], f"memory that is not given back: {memory}")
        check(proxy.stop(), "it did not leave by itself")
    check.end()


if __name__ == "__main__":
    main()
