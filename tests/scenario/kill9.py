#!/usr/bin/env python3
"""kill -9 in the middle of writing: kill9.py BUILD [OBJECTS]

Fills a store through larder-proxy from four clients, kills it without warning, starts it again on
the same store, and asks for every object with only-if-cached. What is served must equal, byte for
byte, what the origin has; what was answered as stored before the clients paused, and the store said
that nothing was waiting to be written any more, must be there. Then they went on, until the kill.
Rounds go on until OBJECTS (10,000) bodies were compared.
"""
import hashlib
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
import origin  # noqa: E402

FIRST = 4.0  # seconds of filling, of which nothing may be lost
PATIENCE = 60  # seconds until that is written, on a slow machine
ROUND = 4000  # objects asked for in one round
CLIENTS = 4


def size_of(number):
    """Mostly small, some medium, a few beyond one record and one chunk."""
    rng = random.Random(f"size {number}")
    low, high = rng.choices([(1, 4096), (4096, 65536), (65536, 524288), (1 << 20, 3 << 20)],
                            weights=[60, 30, 9, 1])[0]
    return rng.randint(low, high)


def url_of(base, number):
    return f"{base}/o/{number}/{size_of(number)}"


class Round:
    """One filling, interrupted by the kill. `stored` are those that were answered as stored."""

    def __init__(self, proxy, base, numbers):
        self.proxy, self.base = proxy, base
        self.numbers = iter(numbers)
        self.lock = threading.Lock()
        self.halt = threading.Event()
        self.stored = set()
        self.wrong = []

    def client(self):
        client = larder.Client(self.proxy.port)
        while not self.halt.is_set():
            with self.lock:
                number = next(self.numbers, None)
            if number is None:
                return
            try:
                status, got, fields = client.get(url_of(self.base, number))
            except (OSError, http.client.HTTPException):
                return  # killed
            if status != 200 or got != origin.body(number, size_of(number)):
                self.wrong.append(number)
            elif "stored" in fields.get("Cache-Status", ""):
                self.stored.add(number)

    def start(self):
        self.halt.clear()
        self.threads = [threading.Thread(target=self.client) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join()

    def run(self, seconds):
        """Fills, has that written, fills for so long again and kills. Returns what was written
        before."""
        self.start()
        time.sleep(FIRST)
        self.halt.set()
        self.join()
        written(self.proxy)
        settled = set(self.stored)
        self.start()
        time.sleep(seconds)
        self.proxy.kill()
        self.join()
        return settled


def written(proxy):
    """Waits until nothing is on its way to the disk."""
    client = larder.Client(proxy.admin, timeout=60)
    end = time.monotonic() + PATIENCE
    while True:
        now = json.loads(client.get("/status")[1])
        if now["memory"]["flights"] == 0 and now["store"]["dirty"] == 0:
            return
        if time.monotonic() > end:
            raise SystemExit(f"the store does not come to rest: {now['memory']} {now['store']}")
        time.sleep(0.02)


def first_hit(proxy, base, number):
    """Starts the proxy and returns the seconds from exec to the end of the first hit."""
    began = time.monotonic()
    proxy.start()
    status, got, _ = larder.Client(proxy.port).get(url_of(base, number),
                                                   Cache_Control="only-if-cached")
    if status != 200 or got != origin.body(number, size_of(number)):
        raise SystemExit(f"the first request after the restart got status {status}")
    return time.monotonic() - began


def compare(proxy, base, numbers):
    """(bodies equal to the origin's, numbers missing, numbers that differ)"""
    client, equal, missing, differ = larder.Client(proxy.port), 0, [], []
    for number in numbers:
        status, got, _ = client.get(url_of(base, number), Cache_Control="only-if-cached")
        want = origin.body(number, size_of(number))
        if status == 504:
            missing.append(number)
        elif status == 200 and hashlib.sha256(got).digest() == hashlib.sha256(want).digest():
            equal += 1
        else:
            differ.append(number)
    return equal, missing, differ


def main():
    program = sys.argv[1] + "/proxy/larder-proxy"
    target = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    larder.need(program)
    server = origin.serve("127.0.0.1", larder.free_port())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    failed, compared, first, at = False, 0, None, 0

    with tempfile.TemporaryDirectory(prefix="larder-kill9-") as directory:
        proxy = larder.Proxy(program, directory + "/store", "--store-size", "4GiB",
                             "--memory", "32MiB", "--workers", "2")
        proxy.start()
        for attempt in range(20):
            numbers = range(at, at + ROUND)
            at += ROUND
            filling = Round(proxy, base, numbers)
            settled = filling.run(seconds=2 + attempt * 0.37)  # another point of the cycle each time
            if first is None:
                first = min(settled)
            seconds = first_hit(proxy, base, first)
            equal, missing, differ = compare(proxy, base, numbers)
            lost = settled & set(missing)
            compared += equal
            print(f"round {attempt + 1}: stored {len(filling.stored)}, first hit after"
                  f" {seconds * 1000:.0f} ms, equal {equal}, missing"
                  f" {len(missing)} (settled ones: {len(lost)}), different {len(differ)},"
                  f" wrong while filling {len(filling.wrong)}", flush=True)
            failed |= bool(lost or differ or filling.wrong)
            if compared >= target or failed:
                break
        again = compare(proxy, base, range(0, at))
        failed |= bool(again[2]) or compared < target or not proxy.stop()
        print(f"all rounds again: equal {again[0]}, different {len(again[2])}")
    print(f"{compared} bodies compared after kill -9:", "FAILED" if failed else "ok")
    return 1 if failed else 0


sys.exit(main())
