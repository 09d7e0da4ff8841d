#!/usr/bin/env python3
"""What is stored, and not in memory: cold.py BUILD

A store is filled with objects of all sizes, variants and parts included; the proxy is started again
and the pages of its files are dropped from memory, also while it answers. Then every hit must be
byte-exact, ranges too, without a word to the origin, and the decision must tell who waited for the
disk, in Cache-Status, in the log and in the metrics alike; many who want the same at once read it once;
clients leave while they wait; an answer of the origin tells of no wait before it; and the proxy ends
while reads are under way.
"""
import http.client
import json
import mmap
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import origin  # noqa: E402

SIZES = [0, 1, 300, 1500, 2500, 9000, 40_000, 200_000, 950_000, 1_300_000, 5_000_000]
LANGUAGES = ["de", "en", "fr", "la"]
failures = []


def check(good, what):
    if not good:
        failures.append(what)
        print("FAILED:", what)


def drop_pages(store):
    """Drops what is in memory of the files, and says whether the system lets it."""
    for path in sorted(pathlib.Path(store).glob("*.mdb")):
        with open(path, "rb") as file:
            os.fdatasync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class Vary:
    """An origin whose answer depends on Accept-Language."""

    def __init__(self):
        outer = self
        self.asked = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.asked += 1
                language = self.headers.get("Accept-Language", "")
                body = origin.body(language, 700)
                self.send_response(200)
                self.send_header("Cache-Control", "max-age=3600")
                self.send_header("Vary", "Accept-Language")
                self.send_header("ETag", f'"{language}"')
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def metric(proxy, name):
    text = urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}/metrics").read().decode()
    for line in text.splitlines():
        if line.startswith(name + " "):
            return int(float(line.split()[1]))
    return 0


def counters(origin_port):
    """How often each path was asked for."""
    return json.load(urllib.request.urlopen(f"http://127.0.0.1:{origin_port}/counters"))["paths"]


def get_all(proxy, base, vary, what):
    """Returns the Cache-Status of all answers."""
    told = []
    client = larder.Client(proxy.port)
    for size in SIZES:
        status, body, fields = client.get(f"{base}/o/c{size}/{size}?cc=max-age=3600")
        check(status == 200 and body == origin.body(f"c{size}", size), f"{what}: {size} bytes")
        told.append(fields["Cache-Status"])
    for language in LANGUAGES:
        status, body, fields = client.get(f"http://127.0.0.1:{vary.port}/v",
                                          Accept_Language=language)
        check(status == 200 and body == origin.body(language, 700), f"{what}: in {language}")
        told.append(fields["Cache-Status"])
    return told


def details(told, what):
    """How many hits say "cold", "disk" and (nothing) memory."""
    counts = {"cold": 0, "disk": 0, None: 0}
    for status in told:
        found = re.fullmatch(r"larder; hit; ttl=\d+(?:; detail=(\w+))?", status)
        check(found and found[1] in counts, f"{what}: Cache-Status: {status}")
        counts[found[1] if found else None] += 1
    return counts


def tells_who_waited(proxy, log, told):
    """Of a proxy that has only answered what was `told`: log, metrics and status agree."""
    counts = details(told, "in all")
    for _ in range(500):  # the last one may be counted a moment after its last byte came
        if metric(proxy, "larder_requests_total") >= len(told):
            break
        time.sleep(0.01)
    from_cold = metric(proxy, 'larder_requests_by_served_from_total{from="cold"}')
    observed = metric(proxy, "larder_store_read_seconds_count")
    answer = json.load(urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}/status"))
    status = answer["requests"]["by_served_from"]
    recent = [one for one in answer["recent"] if one["served_from"] == "cold"]
    check(counts["cold"] <= from_cold, f"all are counted: {counts}, {from_cold}")
    check(from_cold == observed > 0, f"each is one observation: {from_cold}, {observed}")
    check(status.get("cold") == from_cold, f"/status: {status}")
    check(status.get("disk", 0) + status.get("memory", 0) + from_cold == len(told), f"{status}")
    check(len(recent) == from_cold and all(one["disk_wait_us"] > 0 for one in recent), "recent")
    check(proxy.stop(), "it ends")
    lines = [json.loads(line) for line in open(log)][-len(told):]
    cold = [line for line in lines if line["served_from"] == "cold"]
    check(len(lines) == len(told) and len(cold) == from_cold, f"the log: {len(cold)} of {len(lines)}")
    for line in lines:
        waited = line.get("disk_wait_us", 0)
        check((waited > 0) == (line["served_from"] == "cold"), f"how long: {line}")
        check(waited <= line["elapsed_us"], f"not longer than all: {line}")


def get_ranges(proxy, base, rng):
    client = larder.Client(proxy.port)
    for size in SIZES[2:]:
        whole = origin.body(f"c{size}", size)
        for _ in range(3):
            first = rng.randrange(size)
            last = min(size - 1, first + int(2 ** rng.uniform(0, 21)))
            status, body, _ = client.get(f"{base}/o/c{size}/{size}?cc=max-age=3600",
                                         Range=f"bytes={first}-{last}")
            check(status == 206 and body == whole[first:last + 1],
                  f"{first}-{last} of {size} bytes")


def crowd(proxy, base, size, count):
    """Many at once; a third of them leave when they have asked."""
    whole = origin.body(f"c{size}", size)

    def one(number):
        try:
            if number % 3 == 0:
                with socket.create_connection(("127.0.0.1", proxy.port)) as leaving:
                    leaving.sendall(f"GET {base}/o/c{size}/{size}?cc=max-age=3600 HTTP/1.1\r\n"
                                    f"Host: x\r\n\r\n".encode())
                return
            status, body, _ = larder.Client(proxy.port).get(
                f"{base}/o/c{size}/{size}?cc=max-age=3600")
            check(status == 200 and body == whole, f"one of many: {size} bytes")
        except OSError as error:
            check(False, f"one of many: {size} bytes: {error}")

    threads = [threading.Thread(target=one, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def is_cold(store):
    """Some page of the largest file is not in memory."""
    path = max(pathlib.Path(store).glob("seg-*.mdb"), key=lambda p: p.stat().st_size)
    done = subprocess.run(["fincore", "--bytes", "--noheadings", "--output", "RES,SIZE", path],
                          capture_output=True, text=True)
    if done.returncode != 0:
        return True
    res, size = map(int, done.stdout.split())
    return res < size


def find_pages(path, text):
    """The offsets of the pages of a file where it is."""
    data = path.read_bytes()
    at = data.find(text)
    while at >= 0:
        yield at, at // mmap.PAGESIZE
        at = data.find(text, at + 1)


def damage(store, text):
    for path in pathlib.Path(store).glob("seg-*.mdb"):
        for at, _ in list(find_pages(path, text)):
            with open(path, "r+b") as file:
                file.seek(at)
                file.write(bytes([text[0] ^ 16]))


def read_but(store, text):
    """Brings the segments into memory, without the pages where `text` is."""
    for path in pathlib.Path(store).glob("seg-*.mdb"):
        but = [page for _, page in find_pages(path, text)]
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            for page in range(os.fstat(file.fileno()).st_size // mmap.PAGESIZE):
                if page not in but:
                    os.pread(file.fileno(), mmap.PAGESIZE, page * mmap.PAGESIZE)


def waits_for_nothing(proxy, base, store, log):
    """It waits for its record, which has others on both sides, as opening a segment looks at the first
    and the last. Then the body turns out to be damaged: what the origin sends instead has not waited
    for the disk."""
    size = 1_300_000
    whole = origin.body("damaged", size)
    url = f"{base}/o/damaged/{size}?cc=max-age=3600"
    proxy.start()
    client = larder.Client(proxy.port)
    for n in range(80):
        client.get(url if n == 40 else f"{base}/o/beside{n}/300?cc=max-age=3600")
    check(proxy.stop(), "it ends")
    damage(store, whole[100:164])
    drop_pages(store)  # nobody maps them yet: pages written at once go at once, or not at all
    proxy.start()
    drop_pages(store)
    read_but(store, f"/o/damaged/{size}".encode())  # what is damaged is in memory
    status, body, fields = larder.Client(proxy.port).get(url)
    check(status == 200 and body == whole, "it is fetched again")
    check("fwd=" in fields["Cache-Status"], f"it is fetched again: {fields['Cache-Status']}")
    check(metric(proxy, "larder_store_reads_total") > 0, "its lookup waited")
    check(proxy.stop(), "it ends")
    line = json.loads(open(log).readlines()[-1])
    check(line.get("disk_wait_us", 0) == 0, f"the answer has not waited: {line}")


def ends_in_time(proxy, base, store):
    """Asked to end while it reads."""
    proxy.start()
    drop_pages(store)
    sockets = []
    for size in SIZES:
        waiting = socket.create_connection(("127.0.0.1", proxy.port))
        waiting.sendall(f"GET {base}/o/c{size}/{size}?cc=max-age=3600 HTTP/1.1\r\nHost: x\r\n"
                        f"Connection: close\r\n\r\n".encode())
        sockets.append(waiting)
    for waiting in sockets:
        waiting.close()
    check(proxy.stop(), "it ends while the disk is read")


def main():
    build = pathlib.Path(sys.argv[1])
    program = str(build / "proxy" / "larder-proxy")
    larder.need(program)
    rng = random.Random(4)
    server = origin.serve("127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = server.server_address[1]
    vary = Vary()
    base = f"http://127.0.0.1:{place}"
    with tempfile.TemporaryDirectory(prefix="larder-cold-", dir=os.environ.get("TMPDIR")) as store:
        log = store + "/access.log"
        proxy = larder.Proxy(program, store, "--set", "store.size=256MiB", "--set",
                             "memory.size=16MiB", "--access-log", log, "--set", "log.format=json",
                             "--set", "name=larder")
        proxy.start()
        get_all(proxy, base, vary, "fetched")
        check(proxy.stop(), "it ends")
        asked = vary.asked
        before = counters(place)

        proxy.start()
        drop_pages(store)
        if not is_cold(store):
            print("skipped: this file system keeps files in memory")
            sys.exit(77)
        told = get_all(proxy, base, vary, "from disk")
        check(details(told, "from disk")["cold"] > 0, f"somebody waited: {told}")
        check(metric(proxy, "larder_store_reads_total") > 0, "something was read from the disk")
        again = get_all(proxy, base, vary, "again")
        check(details(again, "again")["disk"] > 0, f"from the mapped store: {again}")
        tells_who_waited(proxy, log, told + again)

        proxy.start()
        for _ in range(3):
            drop_pages(store)
            get_ranges(proxy, base, rng)
        check(proxy.stop(), "it ends")

        proxy.start()
        for size in SIZES[3:]:
            drop_pages(store)
            crowd(proxy, base, size, 24)
        get_all(proxy, base, vary, "at last")
        after = counters(place)
        check(after == before, f"the origin was not asked: {before} {after}")
        check(vary.asked == asked, "nor the one with variants")
        check(proxy.stop(), "it ends")
        waits_for_nothing(proxy, base, store, log)
        ends_in_time(proxy, base, store)
    print(f"{len(failures)} failures")
    sys.exit(1 if failures else 0)


main()
