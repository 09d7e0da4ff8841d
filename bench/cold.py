#!/usr/bin/env python3
"""Hits in memory while others are read from the disk: cold.py BUILD [--limit MIB] [--seconds S]

The proxy runs in a control group whose memory is a third of what it has stored. Some clients ask for
a few objects again and again: these stay in the page cache. In turns they are alone, with others who
do the same (which costs as much processor time), and with others who ask for everything at random,
which mostly is on disk. Prints the latency of the first in each kind of phase, their ratios, and the
major page faults of the proxy's threads. Exits with 77 where it may not make a control group.
"""
import argparse
import collections
import http.client
import multiprocessing
import os
import pathlib
import random
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "lib"))
import larder  # noqa: E402
import origin  # noqa: E402

SIZE = 60_000  # above what is copied to memory: each hit comes from the store
HOT = 100


class Group:
    """A control group with limited memory, of version 1 or 2."""

    def __init__(self, limit):
        for root, file in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                           ("/sys/fs/cgroup", "memory.max")):
            self.path = pathlib.Path(root) / f"larder-cold-{os.getpid()}"
            try:
                self.path.mkdir()
                (self.path / file).write_text(str(limit))
                return
            except OSError as error:
                why = error
                if self.path.exists():
                    self.path.rmdir()
        print(f"skipped: no control group with a memory limit: {why}")
        sys.exit(77)

    def enter(self):
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def usage(self):
        for file in ("memory.usage_in_bytes", "memory.current"):
            if (self.path / file).exists():
                return int((self.path / file).read_text())
        return 0

    def remove(self):
        for _ in range(50):
            try:
                self.path.rmdir()
                return
            except OSError:
                time.sleep(0.1)


class Limited(larder.Proxy):
    def start(self, group=None):
        import subprocess
        self.process = subprocess.Popen(self.command, preexec_fn=group.enter)
        larder.await_port("127.0.0.1", self.port, self.process)

    def faults(self):
        """Major faults by the names of threads."""
        faults = collections.Counter()
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            name = (task / "comm").read_text().strip()
            faults[name] += int((task / "stat").read_text().rsplit(")", 1)[1].split()[9])
        return faults

    def metric(self, name):
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics").read().decode()
        values = [line.split()[1] for line in text.splitlines() if line.startswith(name + " ")]
        return int(float(values[0])) if values else 0


def url(base, number):
    return f"{base}/o/n{number}/{SIZE}?cc=max-age=86400"


def fill(port, base, numbers):
    client = larder.Client(port)
    for number in numbers:
        status, body, _ = client.get(url(base, number))
        assert status == 200 and len(body) == SIZE


def measure(port, base, seconds, out):
    """Latencies of hits on the hot objects, one after the other."""
    rng = random.Random(1)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    end = time.monotonic() + seconds
    times = []
    while time.monotonic() < end:
        target = url(base, rng.randrange(HOT))
        begun = time.perf_counter()
        connection.request("GET", target)
        response = connection.getresponse()
        body = response.read()
        times.append(time.perf_counter() - begun)
        assert response.status == 200 and len(body) == SIZE
        time.sleep(0.001)
    out.put(times)


def disturb(port, base, first, count, seconds, seed):
    rng = random.Random(seed)
    client = larder.Client(port)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        client.get(url(base, rng.randrange(first, count)))
        time.sleep(0.004)  # the processor is not what is measured


def phase(port, base, span, seconds, others):
    out = multiprocessing.Queue()
    hot = multiprocessing.Process(target=measure, args=(port, base, seconds, out))
    others = [multiprocessing.Process(target=disturb, args=(port, base, *span, seconds, seed))
              for seed in range(others)]
    for process in [hot, *others]:
        process.start()
    times = out.get()
    for process in [hot, *others]:
        process.join()
    return times


def quantile(times, q):
    times = sorted(times)
    return times[min(len(times) - 1, int(len(times) * q))] * 1e3


def run(options, group, store):
    server = origin.serve("127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    count = 3 * options.limit * (1 << 20) // SIZE
    proxy = Limited(str(pathlib.Path(options.build) / "proxy" / "larder-proxy"), store,
                    "--set", f"store.size={8 * options.limit}MiB", "--set", "memory.size=8MiB")
    proxy.start(group)
    try:
        fill(proxy.port, base, range(HOT, count))
        fill(proxy.port, base, range(HOT))
        time.sleep(1)
        kinds = {"alone": ((0, HOT), 0), "with hot": ((0, HOT), options.others),
                 "with cold": ((HOT, count), options.others)}
        phase(proxy.port, base, (0, HOT), options.seconds, 0)
        times = {kind: [] for kind in kinds}
        faults = {kind: collections.Counter() for kind in kinds}
        reads = dict.fromkeys(kinds, 0)
        for _ in range(options.rounds):
            for kind, (span, others) in kinds.items():
                before, read = proxy.faults(), proxy.metric("larder_store_reads_total")
                times[kind] += phase(proxy.port, base, span, options.seconds, others)
                faults[kind] += proxy.faults() - before
                reads[kind] += proxy.metric("larder_store_reads_total") - read
        print(f"limit {options.limit} MiB, in use {group.usage() >> 20} MiB, "
              f"stored {count * SIZE >> 20} MiB in {count} objects of {SIZE} bytes")
        for kind, taken in times.items():
            print(f"{kind:9}: {len(taken):6} hits, p50 {quantile(taken, .5):.2f} ms, "
                  f"p99 {quantile(taken, .99):.2f} ms; {reads[kind]} reads from the disk; "
                  f"major faults of threads: {dict(faults[kind]) or 'none'}")
        for kind in ("alone", "with hot"):
            print(f"p99 with cold / {kind} = "
                  f"{quantile(times['with cold'], .99) / quantile(times[kind], .99):.2f}")
    finally:
        proxy.stop()
        server.shutdown()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--limit", type=int, default=96, help="MiB of memory")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--others", type=int, default=2, help="clients beside the one measured")
    options = parser.parse_args()
    group = Group(options.limit << 20)
    try:
        with tempfile.TemporaryDirectory(prefix="larder-cold-",
                                         dir=os.environ.get("TMPDIR")) as store:
            run(options, group, store)
    finally:
        group.remove()


main()
