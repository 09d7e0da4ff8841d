#!/usr/bin/env python3
"""Clients who ask in turn for more than the disk takes: behind.py BUILD

A sync takes a while here, so that what waits for the disk would soon be as much as may wait, and
what comes then be served without being stored. A miss waits a little instead: all is stored, and
there after a restart without the origin. Nobody waits long: with a disk that stands still, the
clients are served as before. Nor is anybody refused for memory that is full of what waits for it,
however little there is.
"""
import json
import pathlib
import re
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import layer as layers  # noqa: E402
import load as loads  # noqa: E402
import raw  # noqa: E402

SIZE = 128 << 10
OBJECTS = 400  # 50 MiB, of which 16 may wait
DELAYS = (0.4, 0.8, 1.6)  # seconds of a sync
CLIENTS = 3  # of whom each waits 0.1 s or more, so that a few MiB come while a batch is written
check = raw.Checks()


def body(number):
    return number.to_bytes(4, "big") * (SIZE // 4)


def answer(conn, head, _):
    number = int(raw.path_of(head).split("/")[-1])
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=9999\r\nContent-Length: %d\r\n\r\n"
                 % SIZE + body(number))


def ask(proxy, base, numbers, only_cached=False):
    """By some clients, each in turn: the numbers that did not come, and the longest wait in s."""
    wrong, waits = [], [0]
    mine = iter(numbers)
    lock = threading.Lock()

    def client():
        conn = larder.Client(proxy.port)
        while True:
            with lock:
                number = next(mine, None)
            if number is None:
                return
            began = time.monotonic()
            fields = {"cache_control": "only-if-cached"} if only_cached else {}
            status, got, _ = conn.get(f"{base}/{number}", **fields)
            waits.append(time.monotonic() - began)
            if status != 200 or got != body(number):
                wrong.append(number)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong, max(waits)


def behind(proxy, layer, base, log, numbers, delay):
    """Asks with syncs that take so long: how many waited for the disk, of how many in the log."""
    proxy.start()
    with layer.rule("fdatasync", effect="slow", delay=delay) as rule:
        wrong, longest = ask(proxy, base, numbers)
        check(rule.struck > 4, f"{rule.struck} syncs were slow")
    print(f"{rule.struck} slow syncs, longest wait {longest:.2f} s")
    check(not wrong, f"all come: {wrong[:9]}")
    check(not not_stored(proxy), f"all are stored: {not_stored(proxy)}")
    check(proxy.stop(), "it ends by itself")
    with open(log, encoding="utf-8") as lines:
        waits = [json.loads(line).get("disk_wait_us", 0) for line in lines][-len(numbers):]
    return sum(wait > 0 for wait in waits), len(waits)


def not_stored(proxy):
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}/metrics") as got:
        return dict(re.findall(r'^larder_responses_not_stored_total\{reason="([^"]+)"\} ([1-9]\d*)',
                               got.read().decode(), re.M))


def with_little_memory(build, root):
    store = f"{root}/little"
    layer = layers.Layer(build, store)
    world = loads.World("little")
    world.serve()
    proxy = layers.Proxy(layer, f"{build}/proxy/larder-proxy", store, "--store-size", "256MiB",
                         "--memory", "2MiB", "--workers", "2")
    proxy.start()
    load = loads.Load(world, proxy)
    with layer.rule("fdatasync", effect="slow", delay=0.3) as rule:
        while rule.struck < 15 and not load.wrong:
            load.busy(0.5, least=20)
    check(not load.wrong, f"all are served: {load.wrong[:3]}, {dict(load.counts)}")
    check(proxy.stop(), "it ends by itself")


def main():
    build = sys.argv[1]
    layers.need(build)
    with tempfile.TemporaryDirectory(prefix="larder-behind-") as root:
        store = f"{root}/store"
        layer = layers.Layer(build, store)
        origin = raw.Origin(answer)
        proxy = layers.Proxy(layer, f"{build}/proxy/larder-proxy", store, "--store-size", "1GiB",
                             "--memory", "64MiB", "--workers", "1", "--access-log", f"{root}/log",
                             "--set", "log.format=json")
        last = 0
        for delay in DELAYS:  # until clients are faster than the disk, on a slow machine, too
            numbers, last = range(last, last + OBJECTS), last + OBJECTS
            told, of = behind(proxy, layer, origin.base, f"{root}/log", numbers, delay)
            if told:
                break
        check(0 < told < of == OBJECTS, f"the log tells who waited: {told} of {of}")
        proxy.start()
        asked = len(origin.heads)
        wrong, _ = ask(proxy, origin.base, range(OBJECTS), True)
        check(not wrong and len(origin.heads) == asked, f"all are there: {len(wrong)} are not")

        # More than may wait comes while a sync stands still: it is served all the same.
        with layer.rule("fdatasync", effect="slow", delay=6, count=1):
            wrong, longest = ask(proxy, origin.base, range(last, last + 300))
        print(f"a sync of 6 s: longest wait {longest:.2f} s, not stored: {not_stored(proxy)}")
        check(not wrong, f"all come: {wrong[:9]}")
        proxy.stop()
        with_little_memory(build, root)
    check.end()


main()
