"""Answers of the redirector beside its peers."""
import os
import re
import subprocess

from harness import plot, redirectors
from harness.processes import Failed, write
from harness.scenario import ERRORS, KERNEL, Case, Column, Scenario

CPU = Column("cpu_us", "CPU µs/query", of_limit=True, form="{:.2f}")
OWN = Column("user_us", "of it user", form="{:.2f}")


class Answers(Scenario):
    name = "dns"
    title = "DNS answers"
    about = ("UDP, a hundred queries under way. “Fixed”: one address for all. “Resolver”: the nearest "
             "replica of 16 by the resolver's own address, among 20,000 networks. “Subnets”: the "
             "same by the client subnet of the query (EDNS), another with each; every answer is looked "
             "at. “Hashed”: a thousand names spread over the replicas by consistent hashing. "
             "“canned” answers with bytes made beforehand, 32 a system call.")
    peers = ("larder-dns", "gdnsd", "knot", "pdns", "canned")
    columns = (CPU, OWN, KERNEL, Column("per_second", "queries/s", "{:,.0f}", lower_is_better=False),
               ERRORS)
    plot = staticmethod(plot.bars)
    page = "docs/dns.md"
    redirects = True

    def groups(self, lab):
        return [(None, [Case("fixed", names=["fixed"]), Case("resolver", names=["www"]),
                        Case("subnets", names=None),
                        Case("hashed", names=[f"v{i}" for i in range(1000)])])]

    def takes_part(self, server, case):
        return case.name != "hashed" or server.hashes

    def fill(self, lab, server, case):
        if case.names:
            write(self._list(server, case), "".join(f"{name}.bench.example A\n"
                                                    for name in case.names))
        if server.is_limit:
            return
        network, wanted = redirectors.PROBE
        out = subprocess.run(
            ["dig", "@127.0.0.1", "-p", str(server.port), "+short", "+tries=5", "+time=2",
             f"+subnet={network}", "www.bench.example"], capture_output=True, text=True,
            check=False).stdout.split()
        if wanted not in out:
            raise Failed(f"{server.title} answers {out} for a client in {network}, not {wanted}")

    @staticmethod
    def _list(server, case):
        return os.path.join(server.dir, f"queries-{case.name}")

    def measure(self, lab, server, case):
        return lab.under(server, lambda: self._load(lab, server, case))

    def _load(self, lab, server, case):
        if case.names is None:
            out = lab.load.call([f"{lab.build}/bench/ecsload", str(server.port), str(lab.seconds)])
            found = re.match(r"(\d+) answered, (\d+)", out)
            wrong = 0 if server.is_limit else int(found[2])
            return {"requests": int(found[1]), "seconds": lab.seconds, "errors": wrong}
        out = lab.load.call(["dnsperf", "-s", "127.0.0.1", "-p", str(server.port), "-d",
                             self._list(server, case), "-l", str(lab.seconds), "-q", "100", "-c",
                             "8"])
        done = int(re.search(r"Queries completed:\s+(\d+)", out)[1])
        lost = int(re.search(r"Queries lost:\s+(\d+)", out)[1])
        right = sum(int(n) for n in re.findall(r"NOERROR (\d+)", out))
        return {"requests": done, "seconds": lab.seconds, "errors": lost + done - right}


ALL = [Answers()]
