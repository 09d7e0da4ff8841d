"""Hits over HTTP/1.1."""
from harness import plot
from harness.caches import Want
from harness.scenario import (CPU, ERRORS, KERNEL, MEMORY, MEMORY_ASIDE, ORIGIN, P50, P99, RATE, USER,
                              Case, Scenario, by_bytes)

KIB = 1024
LARGE = 1 << 20  # such objects are counted by bytes
EVERYBODY = ("larder", "nginx", "varnish", "squid", "trafficserver", "haproxy", "h2o", "epoll")


def name_of(size):
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size / KIB:g} KiB"


class Hits(Scenario):
    name = "hits"
    title = "Hits by size"
    about = ("64 connections kept open; each object was requested twice beforehand. “× limit” is "
             "the processor time relative to a raw epoll server with prepared responses, which "
             "sends large bodies by sendfile. “By bytes”: the bytes received, divided by the size "
             "of the object, count as requests, so that unfinished ones count in part.")
    peers = EVERYBODY
    columns = (CPU, USER, KERNEL, RATE, P50, P99, MEMORY_ASIDE, ORIGIN, ERRORS)
    plot = staticmethod(plot.bars)
    filling = 2.5

    def groups(self, lab):
        cases = [Case("1 KiB, one object", size=KIB, count=1),
                 Case("1 KiB, 10,000 objects", size=KIB, count=10_000),
                 Case("10 KiB, 10,000 objects", size=10 * KIB, count=10_000, quick=False),
                 Case("64 KiB, 1,000 objects", size=64 * KIB, count=1000, only_full=True),
                 Case("100 KiB, 1,000 objects", size=100 * KIB, count=1000),
                 Case("1 MiB, 300 objects, by bytes", size=1 << 20, count=300),
                 Case("10 MiB, 30 objects, by bytes", size=10 << 20, count=30, quick=False)]
        files = [(case.count, case.size) for case in cases]
        return [(Want(memory_mib=1024, files=files), cases)]

    def fill(self, lab, server, case):
        lab.fill(server, case.count, case.size)

    def measure(self, lab, server, case):
        return lab.under(server, lambda: self.load(lab, server, case))

    @staticmethod
    def load(lab, server, case):
        seen = lab.load.wrk(server.base, lab.seconds, count=case.count, size=case.size)
        return by_bytes(seen, case.size) if case.size >= LARGE else seen


class Connections(Hits):
    name = "connections"
    title = "Hits of 1 KiB by connection: kept, new for each request, pipelined"
    about = "“New” opens a TCP connection for every request; “pipelined” sends eight at a time."
    columns = (CPU, USER, KERNEL, RATE, P50, P99, MEMORY, ERRORS)
    filling = 0.5

    def groups(self, lab):
        cases = [Case("kept", size=KIB, count=1000, how_many=64, settings={}),
                 Case("new", size=KIB, count=1000, how_many=64, settings={"close": 1}),
                 Case("pipelined, 8", size=KIB, count=1000, how_many=64, settings={"pipeline": 8}),
                 Case("10 kept", size=KIB, count=1000, how_many=10, settings={}, only_full=True),
                 Case("1,000 kept", size=KIB, count=1000, how_many=1000, settings={},
                      only_full=True),
                 Case("10,000 kept", size=KIB, count=1000, how_many=10_000, settings={},
                      only_full=True)]
        return [(Want(files=[(1000, KIB)]), cases)]

    def measure(self, lab, server, case):
        return lab.under(server, lambda: lab.load.wrk(
            server.base, lab.seconds, case.how_many, count=case.count, size=case.size,
            **case.settings))


class Mixed(Scenario):
    name = "mixed"
    title = "A mix: popular objects by Zipf's law, and new ones"
    about = ("10,000 objects of 10 KiB, requested as often as 1/rank^0.9, are stored beforehand. "
             "The given percentage of requests is for them; the others are for new objects, which "
             "are stored. The raw epoll server answers all of them itself; it is left out where so many "
             "are new that it is no limit for who must ask the origin.")
    peers = ("larder", "nginx", "varnish", "squid", "trafficserver", "haproxy", "epoll")
    columns = (CPU, RATE, P50, P99, MEMORY, ORIGIN, ERRORS)
    plot = staticmethod(plot.bars)
    filling = 2.5

    def groups(self, lab):
        return [(Want(memory_mib=256), [Case("90 % hits", fresh=0.1), Case("60 % hits", fresh=0.4),
                                        Case("99 % hits", fresh=0.01, quick=False)])]

    def takes_part(self, server, case):
        return not server.is_limit or case.fresh <= 0.1

    def fill(self, lab, server, case):
        lab.fill(server, 10_000, 10 * KIB)

    def measure(self, lab, server, case):
        return lab.under(server, lambda: lab.load.wrk(
            server.base, lab.seconds, count=10_000, size=10 * KIB, zipf=0.9, fresh=case.fresh))


ALL = [Hits(), Connections(), Mixed()]
