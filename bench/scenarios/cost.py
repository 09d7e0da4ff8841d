"""What more of something costs: objects, connections, rules, lists, zones, networks. A server whose price
for a request, or memory, grows with what lies in its tables is found here."""
import os
import random
import threading

from harness import plot, redirectors
from harness.caches import Want
from harness.processes import Failed, write
from harness.redirectors import World
from harness.scenario import CPU, ERRORS, MEMORY, ORIGIN, P99, RATE, USER, Case, Column, Scenario
from scenarios.dns import CPU as CPU_DNS
from scenarios.dns import OWN as USER_DNS
from scenarios.dns import subnets
from scenarios.store import status_of

READY = Column("ready_s", "s until ready", "{:,.2f}")
KIB = 1024
QUICK, USUAL, FULL = {}, {"quick": False}, {"only_full": True}  # the runs in which a case is


class Cost(Scenario):
    plot = staticmethod(plot.growth)
    page = "docs/performance.md"

    @staticmethod
    def under(lab, server, load):
        """The usual numbers, and the memory while most of the load has been."""
        seen = []
        timer = threading.Timer(lab.seconds * 0.8, lambda: seen.append(server.memory()))
        timer.start()
        try:
            row = lab.under(server, load)
        finally:
            timer.join()
        return {**row, "memory_mib": seen[0] / (1 << 20), "ready_s": server.ready_s}


class Objects(Cost):
    name = "cost-objects"
    title = "Cost against size: objects"
    about = ("Hits of 1 KiB, spread evenly over this many stored objects; 64 connections and 256 "
             "MiB of memory for the cache. From 300,000 objects on, most are read from the page "
             "cache; the raw epoll server has one response for all.")
    peers = ("larder", "nginx", "trafficserver", "epoll")
    columns = (CPU, USER, RATE, P99, MEMORY, ORIGIN, ERRORS)
    filling = 20

    def groups(self, lab):
        return [(Want(memory_mib=256, store_mib=12_000),
                 [Case(f"{count:,}", count=count, quick=count <= 100_000)
                  for count in (1000, 10_000, 100_000, 1_000_000)])]

    def fill(self, lab, server, case):
        """Each twice as far as that can matter."""
        lab.fill(server, case.count, KIB, times=2 if case.count <= 10_000 else 1)

    def measure(self, lab, server, case):
        return self.under(lab, server, lambda: lab.load.wrk(server.base, lab.seconds,
                                                            count=case.count, size=KIB))


class Connections(Cost):
    name = "cost-connections"
    title = "Cost against size: connections"
    about = ("Hits of 1 KiB over this many connections, all of them busy. Memory is that of the "
             "server meanwhile.")
    peers = ("larder", "nginx", "trafficserver", "haproxy", "epoll")
    columns = (CPU, USER, RATE, P99, MEMORY, ERRORS)

    def groups(self, lab):
        return [(Want(), [Case(f"{count:,}", count=count, quick=count <= 1000)
                          for count in (10, 100, 1000, 10_000)])]

    def fill(self, lab, server, case):
        lab.fill(server, 1000, KIB)

    def measure(self, lab, server, case):
        return self.under(lab, server, lambda: lab.load.wrk(
            server.base, lab.seconds, case.count, count=1000, size=KIB))


class Rules(Cost):
    name = "cost-rules"
    title = "Cost against size: networks in an access rule"
    about = ("Hits of 1 KiB by a client that is in none of this many denied networks (/32, 16 "
             "addresses apart); a client in the last of them gets 403. 64 connections. The raw epoll "
             "server has no rules.")
    peers = ("larder", "nginx", "squid", "haproxy", "epoll")
    columns = (CPU, USER, RATE, MEMORY, READY, ERRORS)
    counts = ((10, QUICK), (1000, FULL), (10_000, QUICK), (100_000, QUICK), (400_000, USUAL))

    def groups(self, lab):
        return [(self.want(count), [Case(f"{count:,}", count=count, **when)])
                for count, when in self.counts]

    @staticmethod
    def want(count):
        return Want(networks=count, store_mib=1024)

    def fill(self, lab, server, case):
        lab.fill(server, 1000, KIB)
        status = 403 if server.is_limit else self.denied(server, case)
        if status != 403:
            raise Failed(f"{server.title} lets through what a rule denies: {status}")

    @staticmethod
    def denied(server, _):
        return status_of(server.port, f"/o/1/{KIB}", source="127.0.0.2")

    def measure(self, lab, server, case):
        return self.under(lab, server, lambda: lab.load.wrk(server.base, lab.seconds, count=1000,
                                                            size=KIB))


class Hosts(Rules):
    name = "cost-hosts"
    title = "Cost against size: names in a list of hosts"
    about = ("Hits of 1 KiB for a host that is not in a file of this many denied hosts; a host in "
             "it gets 403. 64 connections. The raw epoll server has no rules.")
    counts = ((10, QUICK), (1000, FULL), (10_000, USUAL), (100_000, QUICK), (1_000_000, USUAL))

    @staticmethod
    def want(count):
        return Want(hosts=count, store_mib=1024)

    @staticmethod
    def denied(server, case):
        return status_of(server.port, f"/o/1/{KIB}", host=server.blocked_host(case.count - 1))


class Zones(Cost):
    name = "cost-zones"
    title = "Cost against size: zones of the redirector"
    about = ("One fixed address in each of this many zones, with queries for all of them at "
             "random; UDP, a hundred queries in progress. “canned” knows no zones.")
    peers = ("larder-dns", "gdnsd", "knot", "canned")
    columns = (CPU_DNS, USER_DNS, Column("per_second", "queries/s", "{:,.0f}", lower_is_better=False),
               MEMORY, READY, ERRORS)
    redirects = True
    filling = 1
    counts = ((10, QUICK), (100, FULL), (1000, QUICK), (10_000, QUICK), (100_000, QUICK))

    def groups(self, lab):
        return [(self.world(count), [Case(f"{count:,}", count=count, **when)])
                for count, when in self.counts]

    @staticmethod
    def world(count):
        return World(networks=100, zones=count)

    def fill(self, lab, server, case):
        order = random.Random(1)
        names = [f"www.z{order.randrange(case.count)}.example A\n" for _ in range(100_000)]
        write(os.path.join(server.dir, "queries"), "".join(names))

    def measure(self, lab, server, case):
        return self.under(lab, server, lambda: lab.load.dnsperf(
            server.port, os.path.join(server.dir, "queries"), lab.seconds))


class Prefixes(Zones):
    name = "cost-prefixes"
    title = "Cost against size: networks of the redirector"
    about = ("The nearest of 16 replicas by the query's client subnet (EDNS) among this many "
             "networks, with queries from all of them; every answer is checked, but those of "
             "“canned”, which are all the same.")
    counts = ((10, QUICK), (1000, FULL), (10_000, USUAL), (100_000, QUICK), (1_000_000, USUAL))

    @staticmethod
    def world(count):
        return World(networks=count)

    def fill(self, lab, server, case):
        redirectors.look(server)

    def measure(self, lab, server, case):
        return self.under(lab, server, lambda: subnets(lab, server))


ALL = [Objects(), Connections(), Rules(), Hosts(), Zones(), Prefixes()]
