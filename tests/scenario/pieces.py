#!/usr/bin/env python3
"""A large file in pieces: pieces.py BUILD [--size MIB] [--clients N] [--ranges N] [--seed N]

Many clients ask for ranges of one large file, of all kinds and at random: a byte, megabytes, the
last ones, from somewhere on with the client leaving early, several at once. Every byte is compared.
Each byte of the file may be received from the origin once (and 2 % for what overlaps in flight); then
the file is there, and a second pass asks for nothing. How much an origin sends in vain, into sockets
that are closed when a piece is cut short or a client leaves, is the kernel's affair and the machine's.

Then come origins that change the file meanwhile, have no validator worth the name, or answer a Range
with something else: whatever a client gets whole must be right and of one version.
"""
import argparse
import collections
import http.client
import json
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
from pieces import Content, Origin, Resource  # noqa: E402

BITE = 1 << 18
LONGEST = 4 << 20
PATIENCE = 90
OVERLAP = 0.02  # of the file; a small one may be cut short as often as a large one
OVERLAP_LEAST = 1 << 20
FAULT_SIZE = 6_000_000
FAULT_RANGES = 60
BROKEN = (http.client.HTTPException, OSError)

check = raw.Checks()


# ---- what is asked ----

def wish(rng, size):
    """(specs, bytes after which the client leaves or None)"""
    kind = rng.choices(("one", "suffix", "open", "several"), (70, 8, 12, 10))[0]
    length = min(size, int(2 ** rng.uniform(0, 22)) if rng.random() > 0.05 else LONGEST)
    first = rng.randrange(size)
    if kind == "suffix":
        return [f"-{length}"], None
    if kind == "open":
        return [f"{first}-"], length
    if kind == "several":
        starts = [rng.randrange(size) for _ in range(rng.randrange(2, 6))]
        return [f"{at}-{at + rng.randrange(1 << 18)}" for at in starts], None
    return [f"{first}-{first + length - 1}"], None


# ---- what comes ----

def version_of(contents, first, piece):
    """The versions that have `piece` at `first`."""
    return {content for content in contents if content.holds(first, piece)}


def stream(response, content, first, upto=None):
    """Reads a body bite by bite and compares; returns how much came before the first difference."""
    got = 0
    while upto is None or got < upto:
        piece = response.read(BITE if upto is None else min(BITE, upto - got))
        if not piece or not content.holds(first + got, piece):
            break
        got += len(piece)
    return got


def body_of(response):
    """The whole body, or an exception when it is broken."""
    body = response.read()
    announced = response.headers.get("Content-Length")
    if announced is not None and len(body) != int(announced):
        raise http.client.IncompleteRead(body)
    return body


def pieces_of(status, fields, body):
    """[(first byte, length of the whole, bytes)] of a 200 or 206."""
    if status == 200:
        return [(0, len(body), body)]
    if fields["Content-Range"] is None:
        return [(first, length, piece) for first, _, length, _, piece in
                ranges.parts(fields["Content-Type"], body)]
    first, last, length = ranges.content_range(fields["Content-Range"])
    if len(body) != last - first + 1:
        raise ranges.Malformed(f"{len(body)} bytes for {first}-{last}")
    return [(first, length, body)]


def judge(status, fields, body, contents, lies=None):
    """Whatever was asked: None, or what is wrong with an answer that came whole. It is of one
    version, which is the one that its ETag names; an origin that lies about the total may have its
    lie passed on."""
    if status == 416 or status >= 500:
        return None
    if status not in (200, 206):
        return f"status {status}"
    try:
        found = pieces_of(status, fields, body)
    except ranges.Malformed as error:
        return str(error)
    tag = fields.get("ETag", "")
    fits = {c for c in contents if not tag.startswith('"') or tag == f'"v{c.version}"'}
    for first, length, piece in found:
        fits &= {c for c in version_of(contents, first, piece)
                 if c.size == length or (lies == "total" and status == 206)}
    return None if fits else f"{status} {tag} {[(p[0], len(p[2])) for p in found]} of no version"


# ---- the clients ----

class Client:
    """One keep-alive connection, opened again after it was broken off."""

    def __init__(self, proxy, url):
        self.port, self.url = proxy.port, url
        self.connection = None

    def ask(self, **fields):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        self.connection.request("GET", self.url, headers=fields)
        return self.connection.getresponse()

    def leave(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def exact(self, content, specs, upto):
        """Asks a good origin: the answer is the one the model says."""
        what = f"{','.join(specs)} up to {upto}"
        response = self.ask(Range="bytes=" + ",".join(specs))
        status, found = ranges.expected(specs, content.size)
        if response.status == 200 and len(specs) > 1:
            check(stream(response, content, 0) == content.size, what + ": the whole differs")
            return
        if not check(response.status == status == 206, f"{what}: {response.status}"):
            self.leave()
            return
        if len(found) > 1:
            body = body_of(response)
            parts = ranges.parts(response.headers["Content-Type"], body)
            check([part[:2] for part in parts] == found, what + ": other ranges")
            check(not judge(206, response.headers, body, [content]), what + ": differs")
            return
        first, last = found[0]
        want = last - first + 1
        check(ranges.content_range(response.headers["Content-Range"]) ==
              (first, last, content.size), what + ": " + str(response.headers["Content-Range"]))
        if upto and upto < want:
            check(stream(response, content, first, upto) == upto, what + ": differs")
            self.leave()
        else:
            check(stream(response, content, first) == want, what + ": differs, or is short")


def crowd(count, work):
    """Runs work(number) in `count` threads; an exception in one is a failure."""
    def guarded(number):
        try:
            work(number)
        except Exception as error:  # a thread that dies silently would make the test vacuous
            check(False, f"client {number}: {type(error).__name__}: {error}")
    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def status(proxy):
    connection = http.client.HTTPConnection("127.0.0.1", proxy.admin, timeout=90)
    connection.request("GET", "/status")
    return json.loads(connection.getresponse().read())


def settle(proxy):
    """Waits until nothing is under way; the bytes of bodies that came from origins so far."""
    end = time.monotonic() + 60
    while (now := status(proxy))["memory"]["flights"] > 0 and time.monotonic() < end:
        time.sleep(0.02)
    check(now["memory"]["flights"] == 0, f"still under way: {now['memory']['flights']}")
    return now["bytes"]["received_from_origins"]


# ---- the file ----

def one_pass(proxy, url, content, wishes, clients):
    began = time.monotonic()
    todo = collections.deque(wishes)

    def work(_):
        client = Client(proxy, url)
        while todo:
            try:
                specs, upto = todo.popleft()
            except IndexError:
                break
            client.exact(content, specs, upto)
        client.leave()
    crowd(clients, work)
    return time.monotonic() - began


def large_file(proxy, origin, options, rng):
    resource = origin.resources["/file"]
    content = resource.contents[0]
    url = origin.base + "/file"
    wishes = [wish(rng, content.size) for _ in range(options.ranges)]
    seconds = one_pass(proxy, url, content, wishes, options.clients)
    print(f"{options.ranges} ranges: {seconds:.1f} s, {resource.requests} requests and "
          f"{resource.sent / content.size:.3f} of the file at the origin", flush=True)
    response = Client(proxy, url).ask()
    check(response.status == 200 and stream(response, content, 0) == content.size, "the whole file")
    received = settle(proxy)
    print(f"and the whole: {resource.requests} requests, {resource.sent / content.size:.3f} sent, "
          f"{received / content.size:.3f} received")
    check(content.size <= received <= content.size + max(OVERLAP * content.size, OVERLAP_LEAST),
          f"{received / content.size:.3f} of the file were received from the origin")
    seconds = one_pass(proxy, url, content, wishes, options.clients)
    response = Client(proxy, url).ask()
    check(stream(response, content, 0) == content.size, "the whole file, again")
    more = settle(proxy) - received  # the origin counts what it has sent, which may be a little later
    print(f"again: {seconds:.1f} s, {more} bytes from the origin")
    check(more == 0, f"a second pass cost {more} bytes")


# ---- faults ----

def fault_case(proxy, origin, path, rng):
    """Nothing that came whole is wrong; at the end the file as such is right."""
    resource = origin.resources[path]
    seeds = [rng.randrange(1 << 32) for _ in range(4)]
    counts = collections.Counter()

    def work(number):
        own = random.Random(seeds[number])
        client = Client(proxy, origin.base + path)
        for turn in range(FAULT_RANGES // 4):
            if number == 0 and turn == FAULT_RANGES // 8:
                resource.current = len(resource.contents) - 1
            specs, _ = wish(own, FAULT_SIZE - 3000)
            fields = {} if own.random() < 0.1 else {"Range": "bytes=" + ",".join(specs)}
            try:
                response = client.ask(**fields)
                body = body_of(response)
            except BROKEN as error:
                counts[type(error).__name__] += 1
                # A total that is too large promises bytes that nobody has; and of a version that is
                # gone the rest cannot be had for who has begun to read it.
                gone = len(resource.contents) > 1
                check(gone or resource.fault in ("breaks", "total"), f"{path}: {error}")
                client.leave()
                continue
            counts[response.status] += 1
            wrong = judge(response.status, response.headers, body, resource.contents,
                          resource.fault)
            check(not wrong, f"{path} {fields}: {wrong}")
        client.leave()
    crowd(4, work)
    print(f"{path}: {dict(counts)}, origin {resource.requests} requests, "
          f"{resource.sent / FAULT_SIZE:.2f} of the file", flush=True)
    check(counts[200] + counts[206] > FAULT_RANGES // 4, f"{path}: too little came: {counts}")


def end_of_fault(proxy, origin, path):
    """When the origin is well again, all is."""
    resource = origin.resources[path]
    resource.fault = None
    settle(proxy)
    response = Client(proxy, origin.base + path).ask()
    try:
        wrong = judge(response.status, response.headers, body_of(response), resource.contents)
    except BROKEN as error:
        wrong = str(error)
    check(response.status == 200 and not wrong, f"{path}, healed: {response.status} {wrong}")


def faults():
    """Resources by path."""
    one, two, longer = Content(1, FAULT_SIZE), Content(2, FAULT_SIZE), Content(3, FAULT_SIZE + 999)
    made = {f"/fault/{fault}": Resource(one, fault=fault) for fault in
            ("ignores", "shifted", "total", "breaks", "refuses", "multipart", "unasked")}
    for validators in ("strong", "weak", "date", "none"):
        made[f"/changes/{validators}"] = Resource(one, two, validators=validators)
        made[f"/grows/{validators}"] = Resource(one, longer, validators=validators)
    # Stale at once, so that every piece is asked for with what is known of the others.
    made["/changes/stale"] = Resource(one, two, cache="max-age=0")
    return made


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--size", type=int, default=32, help="MiB")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--ranges", type=int, default=200)
    parser.add_argument("--seed", help="a number, or fresh")
    parser.add_argument("--only", default="", help="part of a path")
    options = parser.parse_args()
    program = f"{options.build}/proxy/larder-proxy"
    larder.need(program)
    rng = random.Random(larder.seed(options.seed))
    resources = {"/file": Resource(Content(0, (options.size << 20) + 12_345)), **faults()}
    origin = Origin(resources)
    with tempfile.TemporaryDirectory(prefix="larder-pieces.") as store:
        proxy = larder.Proxy(program, store, "--store-size", f"{5 * options.size + 512}MiB",
                             "--memory", "32MiB")
        proxy.start()
        for path in resources:
            if options.only in path:
                if path == "/file":
                    large_file(proxy, origin, options, rng)
                else:
                    fault_case(proxy, origin, path, rng)
                    end_of_fault(proxy, origin, path)
        check(proxy.stop(), "it did not leave by itself")
    check.end()


if __name__ == "__main__":
    main()
