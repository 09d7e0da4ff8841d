"""Latency at fixed rates, and what more workers bring."""
from harness import plot
from harness.caches import Want
from harness.scenario import CPU, ERRORS, MEMORY, MEMORY_ASIDE, RATE, USER, Case, Column, Scenario

RATES = (1000, 5000, 10_000, 20_000, 30_000, 40_000, 80_000, 120_000)
BEHIND = 0.95  # of the time: a load generator that is busy for longer measures its own delays
BUSY = Column("busy", "load busy", "{:.0%}")
QUANTILES = tuple(Column(key, title, "{:.2f}") for key, title in (
    ("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"), ("p999_ms", "p99.9 ms"), ("max_ms", "worst ms")))


class OpenLoop(Scenario):
    name = "latency"
    title = "Latency at a fixed rate"
    about = ("Requests are sent at random moments (Poisson) at this rate, whatever the server "
             "does. Each is timed from the moment when it was due, so that a pause of the server "
             "counts for all requests that had to wait. 1,000 objects of 1 KiB, 64 connections. "
             "Above a server's limit, the queue grows for as long as the measurement lasts. “Load "
             "busy” is the part of the time in which the load generator, which has one core, was at "
             "work: where it never rests, the limit is its own, and not the server's.")
    peers = ("larder", "nginx", "varnish", "squid", "trafficserver", "haproxy", "epoll")
    columns = (*QUANTILES, RATE, BUSY, CPU, MEMORY_ASIDE, ERRORS)
    plot = staticmethod(plot.latency)
    filling = 0.5

    def groups(self, lab):
        return [(Want(), [Case(f"{rate:,}/s", rate=rate, quick=rate in (1000, 10_000),
                               only_full=rate in (5000, 30_000))
                          for rate in RATES])]

    def fill(self, lab, server, case):
        lab.fill(server, 1000, 1024)

    def measure(self, lab, server, case):
        row = lab.under(server, lambda: lab.load.own(
            "openloop", "--rate", case.rate, "--connections", 64, "--objects", 1000, "--seconds",
            lab.seconds, server.port, "/o/%/1024"))
        if row.get("busy", 0) >= BEHIND:
            row["note"] = (f"{server.title}, {case.name}: the load generator was behind, so these are "
                           "its own limits, not the server's")
        return row


class Scaling(Scenario):
    name = "scaling"
    title = "More workers"
    about = ("Hits of 1 KiB by this many workers, each with a core of its own. The load generator "
             "needs cores, too: if the machine has too few, workers and load share all of them, "
             "which is marked. Then the rate means nothing, and CPU per request shows what "
             "workers cost each other.")
    peers = ("larder", "nginx", "trafficserver", "haproxy", "h2o")
    columns = (CPU, USER, RATE, MEMORY, ERRORS)
    plot = staticmethod(plot.growth)

    def groups(self, lab):
        counts = [n for n in (1, 2, 4, 8, 16) if n <= max(4, lab.most_workers)]
        return [(Want(workers=n, files=[(1000, 1024)]), [Case(
            f"{n} worker{'s' * (n > 1)}{', shared cores' * (n > lab.most_workers)}", workers=n)])
                for n in counts]

    def fill(self, lab, server, case):
        lab.fill(server, 1000, 1024)

    def measure(self, lab, server, case):
        return lab.under(server, lambda: lab.load.wrk(
            server.base, lab.seconds, 64 * case.workers, count=1000, size=1024))


ALL = [OpenLoop(), Scaling()]
