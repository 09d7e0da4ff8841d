#!/usr/bin/env python3
"""kill -9 in the middle of writing: kill9.py BUILD [OBJECTS]

Fills a store through larder-proxy from four clients, kills it without warning, starts it again on
the same store, and asks for every object with only-if-cached. What is served must equal, byte for
byte, what the origin has; what was answered as stored two seconds before the kill must be there.
Rounds go on until OBJECTS (10,000) bodies were compared.
"""
import hashlib
import http.client
import pathlib
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import origin  # noqa: E402

SETTLED = 2.0  # seconds before the kill after which a stored answer may not be lost
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
    """One filling, interrupted by the kill. `stored` notes when an object was answered as stored."""

    def __init__(self, proxy, base, numbers):
        self.proxy, self.base = proxy, base
        self.numbers = iter(numbers)
        self.lock = threading.Lock()
        self.stored = {}
        self.wrong = []

    def client(self):
        client = larder.Client(self.proxy.port)
        while True:
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
                self.stored[number] = time.monotonic()

    def run(self, seconds):
        """Fills for so long, kills, and returns the moment of the kill."""
        threads = [threading.Thread(target=self.client) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        killed = time.monotonic()
        self.proxy.kill()
        for thread in threads:
            thread.join()
        return killed


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
            killed = filling.run(seconds=6 + attempt * 0.37)  # another point of the cycle each time
            settled = {n for n, when in filling.stored.items() if killed - when > SETTLED}
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
