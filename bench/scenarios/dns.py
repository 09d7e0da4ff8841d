"""Answers of the redirector beside its peers."""
import os

from harness import plot, redirectors
from harness.processes import write
from harness.scenario import ERRORS, KERNEL, MEMORY, Case, Column, Scenario

CPU = Column("cpu_us", "CPU µs/query", of_limit=True, form="{:.2f}")
OWN = Column("user_us", "of it user", form="{:.2f}")


def subnets(lab, server):
    """Queries from all of its networks. What the limit answers is wrong for most."""
    row = lab.load.subnets(server.port, lab.seconds, server.world.count)
    return {**row, "errors": 0 if server.is_limit else row["errors"]}


class Answers(Scenario):
    name = "dns"
    title = "DNS answers"
    about = ("UDP, a hundred queries in progress. “Fixed”: one address for everybody. “Resolver”: "
             "the nearest of 16 replicas by the resolver's own address, among 20,000 networks. "
             "“Subnets”: the same by the query's client subnet (EDNS), a different one in each "
             "query; every answer is checked. “Hashed”: a thousand names spread over the replicas "
             "by their hash, which Larder does so that few move with a replica, and pdns by a script "
             "of Lua, modulo. “canned” sends answers prepared beforehand, 32 per system call.")
    peers = ("larder-dns", "gdnsd", "knot", "pdns", "canned")
    columns = (CPU, OWN, KERNEL, Column("per_second", "queries/s", "{:,.0f}", lower_is_better=False),
               MEMORY, ERRORS)
    plot = staticmethod(plot.bars)
    page = "docs/dns.md"
    redirects = True
    filling = 0.2

    def groups(self, lab):
        return [(None, [Case("fixed", names=["fixed"]), Case("resolver", names=["www"]),
                        Case("subnets", names=None),
                        Case("hashed", names=redirectors.HASHED, look=redirectors.look_hashed)])]

    def cannot(self, server, case):
        return server.cannot.get(case.name)

    def fill(self, lab, server, case):
        if case.names:
            write(self._list(server, case), "".join(f"{name}.bench.example A\n"
                                                    for name in case.names))
        case.how.get("look", redirectors.look)(server)

    @staticmethod
    def _list(server, case):
        return os.path.join(server.dir, f"queries-{case.name}")

    def measure(self, lab, server, case):
        return lab.under(server, lambda: self._load(lab, server, case))

    def _load(self, lab, server, case):
        if case.names is None:
            return subnets(lab, server)
        return lab.load.dnsperf(server.port, self._list(server, case), lab.seconds)


ALL = [Answers()]
