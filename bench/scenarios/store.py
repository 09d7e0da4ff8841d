"""The store: many objects, restarts, hit ratios."""
import os
import socket
import time

from harness import plot, stats
from harness.caches import Want
from harness.scenario import Case, Column, Scenario

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SIZE = 4096
PATIENCE = 60  # seconds for the first hit after a restart


def disk_bytes(path):
    return sum(os.lstat(os.path.join(base, name)).st_blocks * 512
               for base, _, names in os.walk(path) for name in names)


def status_of(port, path, source="127.0.0.1", host=None):
    """Of one request, or None while nobody answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5, (source, 0)) as to:
            to.sendall(f"GET {path} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{port}'}\r\n"
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
    about = ("Filled object by object, 32 at a time; then stopped, and started again with the "
             "origin down, so that only a hit can be a 200. “Cold”: with an empty page cache, "
             "where emptying it is allowed. Memory is how much it grows over the second half of "
             "the objects, when the part for objects in memory has long been full: the median "
             "slope between six measurements at rest, so that one step of the heap is not "
             "mistaken for growth. nginx's and larder's file pages belong to the kernel and are "
             "not counted. “Killed”: a thousand more objects, a pause, and kill -9: how many of "
             "them are there after a restart.")
    peers = ("larder", "nginx", "squid", "trafficserver")
    columns = (Column("fill_rate", "objects/s", "{:,.0f}", lower_is_better=False),
               Column("fill_us", "CPU µs/object", "{:,.0f}"),
               Column("disk", "disk B/object", "{:,.0f}"),
               Column("memory", "memory B/object"),
               Column("first_ms", "first hit ms", "{:,.0f}"),
               Column("cold_ms", "first, cold ms", "{:,.0f}"),
               Column("kept", "kept %", "{:.1f}", lower_is_better=False),
               Column("killed", "kept, killed %", "{:.1f}", lower_is_better=False),
               Column("errors", "errors", "{:,.0f}"))
    plot = staticmethod(plot.columns("fill_us", "disk", "first_ms", "cold_ms"))
    once = True  # a round takes minutes
    more = 1000  # objects before kill -9
    before_kill = 15  # seconds, in which who writes down every few seconds where things lie has done so
    looks = 5  # at the memory, over the second half

    def groups(self, lab):
        cases = [Case("20,000", objects=20_000)] if lab.quick else [
            Case("200,000", objects=200_000), Case("1,000,000", objects=1_000_000, all=lab.full)]
        return [(Want(memory_mib=max(16, min(256, case.objects * SIZE >> 22)), sync_s=2,
                      store_mib=max(1024, case.objects * 12 // 1000)), [case]) for case in cases]

    def takes_part(self, server, case):
        """Peers take a quarter of an hour for a million: only in a full run."""
        return case.how.get("all", True) or server.title == "larder"

    def lasts(self, lab, case=None):
        return case.objects / 6000 + 5 * self.rest(case) + 20

    @staticmethod
    def rest(case):
        """Seconds until writers rest and indexes are on disk."""
        return 15 if case.objects >= 1_000_000 else 3

    def measure(self, lab, server, case):
        row = self._filled(lab, server, case)
        server.stop()
        row["disk"] = disk_bytes(server.store_path) / case.objects
        with lab.without_origin():
            row["first_ms"] = self._until_hit(server, case.objects // 2)
            step = max(1, case.objects // 1000)
            row["kept"] = self._kept(server, range(1, case.objects + 1, step))
            server.stop()
            if drop_page_cache():
                row["cold_ms"] = self._until_hit(server, case.objects // 3)
        new = range(case.objects + 1, case.objects + self.more + 1)
        server.stop()
        server.begin()
        lab.load.each_once(server, new[0], new[-1], SIZE)
        time.sleep(self.before_kill)
        server.kill()
        with lab.without_origin():
            if self._until_hit(server, case.objects // 2) is not None:
                row["killed"] = self._kept(server, new)
        return row

    def _filled(self, lab, server, case):
        objects, rest = case.objects, self.rest(case)
        before, seen = server.usage(), []
        seen.append(lab.load.each_once(server, 1, objects // 2, SIZE))
        time.sleep(rest)
        memory = [(objects // 2, server.memory())]
        for i in range(self.looks):
            first, last = (objects // 2 + objects // 2 * n // self.looks for n in (i, i + 1))
            seen.append(lab.load.each_once(server, first + 1, last, SIZE))
            time.sleep(rest / 3)
            memory.append((last, server.memory()))
        time.sleep(rest)
        used = server.usage() - before
        return {"fill_rate": objects / sum(part["seconds"] for part in seen),
                "fill_us": used.total * 1e6 / objects,
                "memory": stats.slope(memory),
                "errors": sum(part["bad"] + part["errors"] for part in seen)}

    @staticmethod
    def _kept(server, numbers):
        return 100 * sum(status_of(server.port, f"/o/{n}/{SIZE}") == 200
                         for n in numbers) / len(numbers)

    @staticmethod
    def _until_hit(server, number):
        began = time.monotonic()
        server.start()
        while time.monotonic() - began < PATIENCE:
            if status_of(server.port, f"/o/{number}/{SIZE}") == 200:
                return (time.monotonic() - began) * 1000
            time.sleep(0.001)
        return None


class Trace:
    """Requests for the simulator: `how` tells it which, and there are about so many."""

    def __init__(self, name, how, requests):
        self.name, self.how, self.requests = name, how, requests


def traces_of(paths, form=None):
    """Files of somebody's own, each called by its name, or by its path where names are the same. The name
    says what is in them, if nothing else does."""
    names = [os.path.basename(path) for path in paths]
    how = ["--format", form] if form else []
    return [Trace(name if names.count(name) == 1 else path, [*how, path], requests_in(path))
            for name, path in zip(names, paths)]


def requests_in(path):
    """About."""
    name, packed = os.path.splitext(path)
    times = 5 if packed in (".xz", ".gz") else 1
    each = 4 if (name if times > 1 else path).endswith(".trace") else 100  # bytes
    return os.path.getsize(path) * times // each


class HitRatio(Scenario):
    name = "hitratio"
    title = "Hit ratio of the eviction policy"
    about = ("The eviction policy itself in a simulator, next to others: hits per hundred requests. “Best” "
             "is the best of FIFO, LRU, CLOCK, SIEVE, S3-FIFO, W-TinyLFU and GDSF. web07 is a trace of "
             "real requests (bench/traces), those of Zipf's law are made up; --trace replays your own "
             "instead of these.")
    page = "docs/hitratio.md"
    plot = staticmethod(plot.hit_ratios)
    columns = (Column("larder", "larder", "{:.2f}", lower_is_better=False),
               Column("best", "best", "{:.2f}", lower_is_better=False),
               Column("behind", "points behind", "{:.2f}"),
               Column("requests", "requests", "{:,.0f}", lower_is_better=False))
    whole = True
    ours = "Larder"
    real = Trace("web07", [f"{TOP}/traces/web07.trace.xz"], 76_118)
    made_up = ((0.7, 0), (0.9, 20), (1.1, 0))  # alpha, percent of objects that come once

    def traces(self, lab):
        """The real one first; then the user's own, or those that are made up."""
        return [self.real, *(lab.traces or [self.zipf(lab, *how) for how in self.made_up])]

    @staticmethod
    def zipf(lab, alpha, once):
        requests = 200_000 if lab.quick else 3_000_000 if lab.full else 600_000
        return Trace(f"Zipf {alpha}, {once} % once", [
            "--zipf", f"objects=100000,requests={requests},alpha={alpha},once={once}"], requests)

    def parts(self, lab):
        return 6 * len(self.traces(lab))  # sizes of a cache

    def lasts(self, lab, case=None):
        return sum(trace.requests / 60_000 for trace in self.traces(lab))

    def ready(self, lab):
        path = f"{lab.build}/bench/hitratio/hitratio"
        return None if os.access(path, os.X_OK) else f"{path} is missing"

    def rows(self, lab):
        for number, trace in enumerate(self.traces(lab)):
            table = os.path.join(lab.dir, f"hitratio-{number}.tsv")
            done = lab.load.run([f"{lab.build}/bench/hitratio/hitratio", "--tsv", table, *trace.how],
                                timeout=24 * 3600)
            said = done.stderr.strip().replace("hitratio: ", f"{trace.name}: ", 1)
            yield from self._read(table, trace.name, {"requests": int(done.stdout.split()[0]),
                                                      "note": said})

    def _read(self, table, trace, more):
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
                "larder": hits, "best": others[size], "behind": max(0, others[size] - hits), **more}


ALL = [Million(), HitRatio()]
