#!/usr/bin/env python3
"""Answers to several ranges: multirange.py BUILD [SEED|fresh]

Every body is taken apart and compared with the origin's content; what the answer ought to be follows
from a model of RFC 9110 14 that knows nothing of the proxy's. Objects are small and large, with a
length and chunked, in memory, in the store, and still arriving; clients are slow, of HTTP/1.0, ask
with HEAD; and sets of ranges that were made to cost much get the whole, cheaply.
"""
import collections
import pathlib
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import origin as content  # noqa: E402
import ranges as model  # noqa: E402
import raw  # noqa: E402

SIZES = {"/inline": 2_000, "/medium": 200_000, "/chunked": 5_000_000, "/announced": 5_000_000,
         "/arriving": 5_000_000}
BODIES = {path: content.body(path, size) for path, size in SIZES.items()}
STALLED = 40
RSS_GROWTH_MAX = 64 << 20  # of 160 MB that the stalled clients asked for

release = threading.Event()  # the second half of what arrives
check = raw.Checks()
counts = collections.Counter()


def serve(conn, head, _):
    """The origin. It knows no ranges."""
    path = raw.path_of(head).partition("?")[0]
    body = BODIES[path]
    lines = (f'HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nETag: "{path}"\r\n'
             "Last-Modified: Mon, 02 Jan 2023 03:04:05 GMT\r\nContent-Type: x/y; z=1\r\n")
    if path == "/chunked":
        conn.sendall(lines.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(body), 70_000):
            piece = body[at:at + 70_000]
            conn.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        conn.sendall(b"0\r\n\r\n")
        return False
    conn.sendall(lines.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode())
    half = len(body) // 2
    conn.sendall(body[:half])
    if path == "/arriving":
        release.wait(60)
    conn.sendall(body[half:])
    return False


# ---- what came ----

def compare(path, specs, answer, may_be_whole=False):
    """One answer with what ought to have come."""
    status, body, fields = answer
    whole = BODIES[path]
    want, ranges = model.expected(specs, len(whole))
    what = f"{path} {','.join(specs)[:100]}: {status}, {len(body)} bytes"
    counts[status] += 1
    if status == 200 and may_be_whole:
        want = 200
    if not check(status == want, what):
        return
    if status == 200:
        check(body == whole, what + ", not the whole")
    elif status == 416:
        check(fields["Content-Range"] == f"bytes */{len(whole)}" and not body, what)
    elif len(ranges) == 1:
        (first, last), = ranges
        check(model.content_range(fields["Content-Range"]) == (first, last, len(whole)), what)
        check(body == whole[first:last + 1] and fields["Content-Type"] == "x/y; z=1", what)
    else:
        compare_parts(whole, ranges, body, fields, what)


def compare_parts(whole, ranges, body, fields, what):
    check(fields["Content-Range"] is None, what + " has Content-Range")
    check(int(fields["Content-Length"]) == len(body), what + " has another length")
    try:
        found = model.parts(fields["Content-Type"], body)
    except model.Malformed as error:
        check(False, f"{what}: {error}")
        return
    counts["parts"] += len(found)
    check([part[:2] for part in found] == ranges, what + " has other ranges")
    for first, last, length, inner, piece in found:
        check(length == len(whole) and inner["content-type"] == "x/y; z=1", what)
        check(piece == whole[first:last + 1], f"{what}: the part {first}-{last} differs")
    check(model.boundary_of(fields["Content-Type"]).encode() not in whole, what)


# ---- asking ----

def random_set(rng, length):
    """One to seventy ranges of all kinds; sometimes all beyond the end."""
    widest = rng.choice((3, 100, length // 20 + 1))
    specs = []
    for _ in range(rng.choice((1, 2, 2, 3, 5, 16, 20, 70))):
        first = rng.randrange(length + length // 10)
        specs.append(rng.choices((f"{first}-{first + rng.randrange(widest)}", f"-{rng.randrange(widest)}",
                                  f"{length - rng.randrange(widest) - 1}-"), (8, 1, 1))[0])
    if rng.random() < 0.05:
        specs = [f"{length + n * 7}-" for n in range(len(specs))]
    return specs


def joined(rng, specs):
    return "bytes=" + "".join(rng.choice((",", ", ", " ,\t", ",,")) + s for s in specs).lstrip(", \t")


def ask_randomly(proxy, base, path, rng, count):
    client = larder.Client(proxy.port)
    for _ in range(count):
        specs = random_set(rng, SIZES[path])
        compare(path, specs, client.get(base + path, Range=joined(rng, specs)))
    check(client.get(base + path)[1] == BODIES[path], f"{path} whole, at the end")


def split(data):
    """(status, body, fields) of one message in bytes."""
    head, _, body = data.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    fields = {"Content-Range": None}
    fields.update(line.split(": ", 1) for line in lines)
    return int(status_line.split()[1]), body, fields


def request(method, url, version, *lines):
    return "\r\n".join((f"{method} {url} HTTP/{version}", "Host: x", *lines, "", "")).encode()


def old_client(proxy, base, path, specs):
    data, how = raw.ask(proxy.port, request("GET", base + path, "1.0",
                                            "Range: bytes=" + ",".join(specs)))
    check(how == "fin", f"HTTP/1.0 ended with {how}")
    compare(path, specs, split(data))


def slow_client(proxy, base, path, specs, seconds=2.0):
    """Reads little by little, through a small window."""
    with raw.connect(proxy.port, receive_buffer=8192) as conn:
        conn.sendall(request("GET", base + path, "1.1", "Connection: close",
                             "Range: bytes=" + ",".join(specs)))
        data = b""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            data += conn.recv(20_000)
            time.sleep(0.02)
        data += raw.until_end(conn)[0]
    compare(path, specs, split(data))


def ask_head(proxy, base, path):
    data, _ = raw.ask(proxy.port, request("HEAD", base + path, "1.1", "Range: bytes=0-1,5-6",
                                          "Connection: close"))
    status, body, fields = split(data)
    check(status == 200 and body == b"" and fields["Content-Range"] is None and
          fields["Content-Length"] == str(SIZES[path]), f"HEAD: {status} {fields}")


def conditions(proxy, base):
    """RFC 9110 13.2.2."""
    client = larder.Client(proxy.port)
    path = "/inline"
    specs = ["0-1", "5-6"]
    ranges = {"Range": "bytes=0-1,5-6"}
    compare(path, specs, client.get(base + path, If_Range='"/inline"', **ranges))
    compare(path, specs, client.get(base + path, If_Range="Mon, 02 Jan 2023 03:04:05 GMT", **ranges))
    for other in ('"other"', 'W/"/inline"', "Mon, 02 Jan 2023 03:04:04 GMT"):
        status, body, _ = client.get(base + path, If_Range=other, **ranges)
        check(status == 200 and body == BODIES[path], f"If-Range: {other}: {status}")
    check(client.get(base + path, If_None_Match='"/inline"', **ranges)[0] == 304, "304 first")
    compare(path, specs, client.get(base + path, If_None_Match='"other"', **ranges))


# ---- those that mean harm ----

def hostile(proxy, base):
    client = larder.Client(proxy.port)
    sets = {
        "a thousand": ",".join(f"{3 * n}-{3 * n}" for n in range(1000)),
        "a thousand times the whole": ",".join(["0-"] * 1000),
        "of 2011": "0-," + ",".join(f"5-{n}" for n in range(1300)),
        "seventeen": ",".join(f"{3 * n}-{3 * n}" for n in range(17)),
        "the whole twice": "0-,0-",
        "halves that overlap": "0-1100000,900000-2100000,1900000-5000000",
    }
    for path in ("/inline", "/chunked"):
        for what, value in sets.items():
            status, body, fields = client.get(base + path, Range="bytes=" + value)
            good = status == 200 and body == BODIES[path] and fields["Content-Range"] is None
            overlap = path == "/inline" and what.startswith("halves")  # there the others are beyond
            check(good or overlap, f"{path}, {what}: {status}, {len(body)} bytes")


def rss_of(process):
    lines = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def stall(proxy, base):
    """Clients that ask for nearly all of a large object in parts and do not read."""
    before = rss_of(proxy.process)
    value = ",".join(f"{n * 300_000}-{n * 300_000 + 250_000}" for n in range(16))
    clients = [raw.connect(proxy.port, receive_buffer=4096) for _ in range(STALLED)]
    for client in clients:
        client.sendall(request("GET", base + "/chunked", "1.1", "Range: bytes=" + value))
    heads = [client.recv(12) for client in clients]
    time.sleep(0.5)
    growth = rss_of(proxy.process) - before
    check(all(head == b"HTTP/1.1 206" for head in heads), "a stalled client had no answer")
    check(growth < RSS_GROWTH_MAX, f"{STALLED} stalled clients cost {growth >> 20} MiB")
    for number, client in enumerate(clients):
        client.close() if number % 2 else raw.reset(client)
    return growth


def while_it_arrives(proxy, base, rng):
    """Ranges of an object half of which is not there yet: parts of it, or the whole."""
    first = threading.Thread(target=lambda: compare(
        "/arriving", [], larder.Client(proxy.port).get(base + "/arriving"), may_be_whole=True))
    first.start()
    time.sleep(0.2)
    sets = [["0-9", "1000-1999"], ["4999990-", "0-0"], ["2400000-2600000", "100-200", "-1"],
            random_set(rng, SIZES["/arriving"])]
    others = [threading.Thread(target=lambda specs=specs: compare(
        "/arriving", specs, larder.Client(proxy.port).get(
            base + "/arriving", Range="bytes=" + ",".join(specs)), may_be_whole=True))
        for specs in sets]
    for other in others:
        other.start()
    time.sleep(0.3)
    release.set()
    for thread in (first, *others):
        thread.join()
    for specs in sets:
        compare("/arriving", specs, larder.Client(proxy.port).get(
            base + "/arriving", Range="bytes=" + ",".join(specs)))


def without_a_store(program):
    """A body that memory has no room for passes through: its ranges cannot be read in any order."""
    origin = raw.Origin(serve)
    proxy = larder.Proxy(program, "", "--memory", "24MiB")
    at = proxy.command.index("--store")
    del proxy.command[at:at + 2]
    proxy.start()
    specs = ["4000000-4000009", "1000000-1000009", "0-9"]
    for number in range(8):
        compare("/announced", specs, larder.Client(proxy.port).get(
            f"{origin.base}/announced?{number}", Range="bytes=" + ",".join(specs)),
            may_be_whole=True)
    check(proxy.stop(), "it did not leave by itself")


def all_of_it(proxy, base, rng):
    for path, count in (("/inline", 300), ("/medium", 100), ("/announced", 30), ("/chunked", 30)):
        ask_randomly(proxy, base, path, rng, count)
    for path in ("/inline", "/chunked"):
        old_client(proxy, base, path, ["0-99", "1500-", "-3"])
        ask_head(proxy, base, path)
    slow_client(proxy, base, "/chunked", ["4000000-4999999", "0-1999999", "3000000-3000000"])
    conditions(proxy, base)
    hostile(proxy, base)


def main():
    program = f"{sys.argv[1]}/proxy/larder-proxy"
    seed = larder.seed(*sys.argv[2:3])
    larder.need(program)
    rng = random.Random(seed)
    origin = raw.Origin(serve)
    with tempfile.TemporaryDirectory(prefix="larder-multirange.") as store:
        proxy = larder.Proxy(program, store, "--store-size", "64MiB", "--memory", "8MiB")
        proxy.start()
        for path in ("/inline", "/medium", "/chunked", "/announced"):
            check(larder.Client(proxy.port).get(origin.base + path)[1] == BODIES[path], path)
        all_of_it(proxy, origin.base, rng)
        growth = stall(proxy, origin.base)
        check(len(origin.heads) == 4, f"the origin was asked {len(origin.heads)} times")
        while_it_arrives(proxy, origin.base, rng)
        check(proxy.stop(), "it did not leave by itself")
        proxy.start()  # now all of it comes from the store
        asked = len(origin.heads)
        all_of_it(proxy, origin.base, rng)
        check(len(origin.heads) == asked, "the store had not everything")
        check(proxy.stop(), "it did not leave by itself")
    without_a_store(program)
    check(counts[200] > 20 and counts[416] > 5 and counts["parts"] > 1000, f"too little: {counts}")
    print(dict(counts))
    print(f"{STALLED} stalled clients: {growth >> 20} MiB")
    check.end()


if __name__ == "__main__":
    main()
