"""Hits over HTTP/2, and what TLS costs."""
import os

from harness import plot
from harness.caches import Want
from harness.processes import write
from harness.scenario import CPU, ERRORS, KERNEL, MEMORY, RATE, USER, Case, Column, Scenario

CONNECTIONS, STREAMS = 16, 32
SIZES = ((1024, 10_000), (65536, 1000))


class Hits2(Scenario):
    name = "http2"
    title = "Hits over HTTP/2"
    about = f"{CONNECTIONS} connections of {STREAMS} streams each, without and with TLS."
    peers = ("larder", "nginx", "haproxy", "trafficserver", "varnish", "h2o")
    columns = (CPU, USER, KERNEL, RATE, MEMORY, ERRORS)
    plot = staticmethod(plot.bars)
    filling = 4

    def groups(self, lab):
        return [(Want(mode=mode, memory_mib=512, files=[(count, size) for size, count in SIZES]),
                 [Case(f"{mode}, {size >> 10} KiB", size=size, count=count,
                       quick=size == 1024) for size, count in SIZES])
                for mode in ("h2c", "tls")]

    def urls(self, server, case):
        path = os.path.join(server.dir, f"urls-{case.size}")
        if not os.path.exists(path):
            write(path, "".join(f"{server.base}/o/{n}/{case.size}\n"
                                for n in range(1, case.count + 1)))
        return path

    def fill(self, lab, server, case):
        for _ in range(2):  # a client of its own begins at the first address
            lab.load.h2load(self.urls(server, case), f"-n{case.count}", "-c1", "-m16", timeout=3600)
        lab.settle(server)

    def measure(self, lab, server, case):
        return lab.under(server, lambda: lab.load.h2load(
            self.urls(server, case), f"-D{lab.seconds}", f"-c{CONNECTIONS}", f"-m{STREAMS}"))


class Handshakes(Scenario):
    name = "handshakes"
    title = "TLS handshakes, full and resumed"
    about = ("A new connection for every request of 1 KiB; “resumed” continues the session of the "
             "connection before, in TLS 1.3 with a new exchange of keys. Each handshake is looked at: "
             "a server that has not resumed all of them is told of below, not measured.")
    peers = ("larder", "nginx", "haproxy", "trafficserver", "h2o")
    columns = (Column("cpu_us", "CPU µs/handshake", of_limit=True), USER, KERNEL,
               Column("per_second", "handshakes/s", "{:,.0f}", lower_is_better=False),
               Column("resumed", "resumed", "{:.0%}", lower_is_better=False), MEMORY, ERRORS)
    plot = staticmethod(plot.bars)
    filling = 0

    def groups(self, lab):
        return [(Want(mode="tls", files=[(1, 1024)]), [
            Case("full, TLS 1.3", tls="1.3", resume=False),
            Case("resumed, TLS 1.3", tls="1.3", resume=True),
            Case("full, TLS 1.2", tls="1.2", resume=False, quick=False),
            Case("resumed, TLS 1.2", tls="1.2", resume=True)])]

    def measure(self, lab, server, case):
        return lab.under(server, lambda: lab.load.handshakes(server.port, lab.seconds, "/o/1/1024",
                                                             case.tls, case.resume))


ALL = [Hits2(), Handshakes()]
