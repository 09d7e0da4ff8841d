"""The store: many objects, restarts, hit ratios."""
import json
import os
import signal
import socket
import subprocess
import time

from harness.caches import Want
from harness.scenario import Case, Column, Scenario

SIZE = 4096
PATIENCE = 60  # seconds for the first hit after a restart


def disk_bytes(path):
    return sum(os.lstat(os.path.join(base, name)).st_blocks * 512
               for base, _, names in os.walk(path) for name in names)


def status_of(port, path):
    """Of one request, or None while nobody answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as to:
            to.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                       "Connection: close\r\n\r\n".encode())
            answer = b""
            while len(answer) < 12:
                some = to.recv(4096)
                if not some:
                    return None
                answer += some
            return int(answer[9:12])
    except (OSError, ValueError):
        return None


def drop_page_cache():
    """Whether it could be done."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as knob:
            knob.write("3")
        return True
    except OSError:
        return False


class Million(Scenario):
    name = "million"
    title = "A million objects on disk, and a restart"
    about = ("Filled one object after the other, 32 at a time; then stopped and started again with "
             "the origin down, so that only a hit is a 200; “cold” when the page cache was emptied "
             "before, where that is allowed. Memory is its growth over the second half of the "
             "objects, at rest.")
    peers = ("larder", "nginx", "squid", "trafficserver")
    columns = (Column("fill_rate", "objects/s", "{:,.0f}", lower_is_better=False),
               Column("fill_us", "CPU µs/object", "{:,.0f}"),
               Column("disk", "disk B/object", "{:,.0f}"),
               Column("memory", "memory B/object"),
               Column("first_ms", "first hit ms", "{:,.0f}"),
               Column("cold_ms", "first, cold ms", "{:,.0f}"),
               Column("kept", "kept %", "{:.1f}", lower_is_better=False),
               Column("errors", "errors", "{:,.0f}"))
    once = True  # a round takes minutes

    def groups(self, lab):
        cases = [Case("20,000", objects=20_000)] if lab.quick else [
            Case("200,000", objects=200_000), Case("1,000,000", objects=1_000_000)]
        return [(Want(memory_mib=256, store_mib=max(1024, case.objects * 12 // 1000)), [case])
                for case in cases]

    def measure(self, lab, server, case):
        rest = 2 if lab.quick else 15  # seconds until writers rest and indexes are on disk
        before, began = server.usage(), time.monotonic()
        bad = self._fill(lab, server, 1, case.objects // 2)
        first = time.monotonic() - began
        time.sleep(rest)
        half, began = server.memory(), time.monotonic()
        bad += self._fill(lab, server, case.objects // 2 + 1, case.objects)
        took = first + time.monotonic() - began
        used = server.usage() - before
        time.sleep(rest)
        row = {"fill_rate": case.objects / took, "fill_us": used.total * 1e6 / case.objects,
               "memory": (server.memory() - half) * 2 / case.objects, "errors": bad}
        server.stop()
        row["disk"] = disk_bytes(server.store) / case.objects
        with lab.without_origin():
            row["first_ms"] = self._until_hit(server, case.objects // 2)
            step = max(1, case.objects // 1000)
            numbers = range(1, case.objects + 1, step)
            row["kept"] = 100 * sum(status_of(server.port, f"/o/{n}/{SIZE}") == 200
                                    for n in numbers) / len(numbers)
            server.stop()
            if drop_page_cache():
                row["cold_ms"] = self._until_hit(server, case.objects // 3)
        return row

    @staticmethod
    def _until_hit(server, number):
        began = time.monotonic()
        server.start()
        while time.monotonic() - began < PATIENCE:
            if status_of(server.port, f"/o/{number}/{SIZE}") == 200:
                return (time.monotonic() - began) * 1000
            time.sleep(0.001)
        return None

    @staticmethod
    def _fill(lab, server, first, last):
        """How many answers were wrong. wrk has no end but time, so the script tells of its own."""
        done = os.path.join(server.dir, f"filled-{last}")
        env = {**os.environ, "FROM": str(first), "TO": str(last), "DONE": done, "SIZE": str(SIZE)}
        cores = ",".join(map(str, sorted(lab.load.cores)))
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        with subprocess.Popen(
                ["taskset", "-c", cores, "wrk", "-t1", "-c32", "-d7200s", "-s",
                 f"{here}/load/fill.lua", server.base + "/"], env=env, stdout=subprocess.PIPE,
                text=True) as wrk:
            while not os.path.exists(done) and wrk.poll() is None:
                time.sleep(0.02)
            wrk.send_signal(signal.SIGINT)
            out, _ = wrk.communicate()
        result = json.loads(out.strip().splitlines()[-1])
        return result["bad"] + result["errors"]


class HitRatio(Scenario):
    name = "hitratio"
    title = "Hit ratio of the eviction policy"
    about = ("The policy itself in a simulator, beside others, on made-up traces: hits of a hundred "
             "requests. “Best” is the best of FIFO, LRU, CLOCK, SIEVE, S3-FIFO, W-TinyLFU and GDSF. "
             "docs/hitratio.md tells of real traces, and how to play one's own.")
    page = "docs/hitratio.md"
    columns = (Column("larder", "larder", "{:.2f}", lower_is_better=False),
               Column("best", "best", "{:.2f}", lower_is_better=False),
               Column("behind", "points behind", "{:.2f}"))
    whole = True
    ours = "Larder"

    def ready(self, lab):
        path = f"{lab.build}/bench/hitratio/hitratio"
        return None if os.access(path, os.X_OK) else f"{path} is missing"

    def rows(self, lab):
        requests = 200_000 if lab.quick else 3_000_000
        for alpha, once in ((0.7, 0), (0.9, 20), (1.1, 0)):
            spec = f"objects=100000,requests={requests},alpha={alpha},once={once}"
            table = os.path.join(lab.dir, f"hitratio-{alpha}.tsv")
            lab.load.call([f"{lab.build}/bench/hitratio/hitratio", "--zipf", spec, "--tsv", table],
                          timeout=3600)
            yield from self._read(table, f"Zipf {alpha}, {once} % once")

    def _read(self, table, trace):
        others, ours = {}, {}
        with open(table, encoding="utf-8") as lines:
            for line in lines:
                _, policy, size, _, hits, *_ = line.split("\t")
                if policy == self.ours:
                    ours[size] = float(hits)
                elif policy != "Belady" and not policy.startswith(self.ours):
                    others[size] = max(others.get(size, 0), float(hits))
        for size, hits in ours.items():
            yield f"{trace}; cache of {size} %", "larder", {
                "larder": hits, "best": others[size], "behind": max(0, others[size] - hits)}


ALL = [Million(), HitRatio()]
