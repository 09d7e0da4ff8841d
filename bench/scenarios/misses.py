"""What goes to the origin: misses that are stored, misses that must not be, revalidations."""
from harness import plot
from harness.caches import Want
from harness.scenario import (CPU, ERRORS, KERNEL, MEMORY, ORIGIN, P50, P99, RATE, USER, Case,
                              Scenario)


class Misses(Scenario):
    name = "misses"
    title = "Misses and revalidations, 1 KiB"
    about = ("64 connections. “Stored”: every request is for a new object. “Uncacheable”: the "
             "origin sends no-store. “Revalidated”: 1,000 stored objects, for which the origin "
             "must be asked each time and answers 304.")
    peers = ("larder", "nginx", "varnish", "squid", "trafficserver", "haproxy")
    columns = (CPU, USER, KERNEL, RATE, P50, P99, MEMORY, ORIGIN, ERRORS)
    plot = staticmethod(plot.bars)

    def groups(self, lab):
        return [(Want(memory_mib=256), [
            Case("stored", settings={"fresh": 1}),
            Case("uncacheable", settings={"fresh": 1, "prefix": "u"}),
            Case("revalidated", settings={"count": 1000, "prefix": "v"})])]

    def fill(self, lab, server, case):
        if case.name == "revalidated":
            lab.fill(server, 1000, 1024, prefix="v")

    def measure(self, lab, server, case):
        return lab.under(server, lambda: lab.load.wrk(server.base, lab.seconds, size=1024,
                                                      **case.settings))


ALL = [Misses()]
