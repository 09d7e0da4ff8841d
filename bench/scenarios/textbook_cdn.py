"""A content delivery network, as books draw it: one server far away, many small replicas deep in the
networks of clients, or few large ones near them."""
import os
import re
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from harness import network, plot
from harness.scenario import Column, Scenario
from scenarios.textbook import larder, nginx, openloop

REGIONS = 4
VIDEOS = 192  # names that one large site has used
OBJECT = 10_240
OBJECTS, ALPHA = 2000, 0.9
CROWD = 200
FULL_SECONDS = 10
UNDER_WAY = 0.5  # seconds; a handshake and a request need less to the origin


def first_requests(requests):
    """How many of so many requests, by Zipf's law, will be the first for their object."""
    weights = [rank ** -ALPHA for rank in range(1, OBJECTS + 1)]
    total = sum(weights)
    return sum(1 - (1 - weight / total) ** requests for weight in weights)


def predicted(replicas, requests, near_ms, far_ms):
    """`near_ms`: from a client to whoever answers and back; `far_ms`: from there to the origin."""
    if not replicas:
        return {"delay_predicted": near_ms, "full_predicted": near_ms, "origin_predicted": 100,
                "crowd_predicted": CROWD}
    misses = replicas * first_requests(requests / replicas) / requests
    return {"delay_predicted": near_ms + misses * far_ms, "full_predicted": near_ms,
            "origin_predicted": 100 * misses, "crowd_predicted": replicas}


class World:
    """Four regions around a core; the origin is far from it. One way: 5 ms from a region to the core,
    1 ms to a place near the core, 80 ms from the core to the origin."""

    def __init__(self, lab, net, replicas):
        self.lab, self.net = lab, net
        self.core = net.host("core")
        self.core.forward()
        self.far, self.way = self.join("far", 80)
        self.edges, self.clients = [], []
        for number in range(REGIONS):
            edge, _ = self.join(f"edge{number}", 5)
            edge.forward()
            client = net.host(f"client{number}")
            lan = net.link(client, edge)
            client.route("default", lan[1].address)
            self.core.route(self.prefix(lan[0].address), self.of(edge))
            self.edges.append((edge, lan[1].address))
            self.clients.append((client, lan[0].address))
        nginx(lab, net, self.far)
        self.replicas = getattr(self, replicas)()
        for host, address in self.replicas:
            larder(lab, net, host, address, f"{self.way[1].address}:80")

    addresses = None
    looks = 0  # at the origin's count

    def of(self, host):
        return self.addresses[host]

    @staticmethod
    def prefix(address):
        return address.rpartition(".")[0] + ".0/24"

    def join(self, name, delay_ms):
        """A host beside the core; (it, the link's ends)."""
        self.addresses = self.addresses or {}
        host = self.net.host(name)
        ends = self.net.link(self.core, host, delay_ms)
        host.route("default", ends[0].address)
        self.addresses[host] = ends[1].address
        return host, ends

    # ---- where replicas are ----

    near_ms, far_ms = 170, 0  # there and back: from clients, and from replicas to the origin

    def none(self):
        return []

    def deep(self):
        self.near_ms, self.far_ms = 0, 170
        return self.edges

    def home(self):
        self.near_ms, self.far_ms = 12, 162
        places = [self.join(f"home{number}", 1) for number in range(2)]
        return [(host, ends[1].address) for host, ends in places]

    # ---- the redirector, in the core ----

    def redirect(self):
        """Serves `www`, the nearest, and `v0` …, by hash. Regions are known by their prefixes."""
        where = tempfile.mkdtemp(prefix="dns.", dir=self.lab.dir)
        nets = "".join(f"{self.prefix(address)},r{number % len(self.replicas)}\n"
                       for number, (_, address) in enumerate(self.clients))
        replicas = "".join(f"  - {{ name: r{number}, addresses: [{address}] }}\n"
                           for number, (_, address) in enumerate(self.replicas))
        videos = "".join(f"      - {{ name: v{number}, policy: hashed, answers: 1, ttl: 30s }}\n"
                         for number in range(VIDEOS))
        for name, text in (("nets.csv", nets), ("dns.yaml", f"""listen: ['0.0.0.0:53']
replicas:
{replicas}nearest: {{ map-file: nets.csv }}
zones:
  - name: cdn.example
    nameservers: [ns.cdn.example]
    names:
      - {{ name: ns, records: ['A 10.0.1.1'] }}
      - {{ name: www, policy: nearest, answers: 1, ttl: 30s }}
{videos}""")):
            with open(os.path.join(where, name), "w", encoding="utf-8") as out:
                out.write(text)
        self.net.program(self.core, "larder-dns", [f"{self.lab.build}/dnsredir/larder-dns",
                                                   "--config", f"{where}/dns.yaml"], where, 53)

    def resolve(self, client, *names):
        """Addresses, in the order of the names."""
        asked = [part for name in names for part in (f"{name}.cdn.example", "A")]
        return client.call("dig", f"@{self.way[0].address}", "+short", "+tries=3", *asked).split()


class Cdn(Scenario):
    name = "cdn"
    title = "One server far away, or replicas and DNS redirection"
    kind = "textbook"
    page = "docs/textbook.md"
    about = ("Clients in four regions request 10 KiB objects, 2,000 of them by Zipf's law, 25 "
             "requests a second in each region. The round trip is 170 ms to the origin, 12 ms to "
             "replicas near the core (“bring home”), that of a LAN to replicas in the regions "
             "(“enter deep”). Each client asks larder-dns where to go; replicas start empty. "
             "“Crowd”: all request one new object at once, 50 in each region. “Full”: the same "
             "load for ten seconds when every replica has every object. Predicted: a round trip "
             "to the replica, another one to the origin for the first request of each object, "
             "and one fetch per replica for the crowd.")
    columns = (Column("delay", "mean delay, ms", "{:,.0f}"),
               Column("delay_predicted", "predicted", "{:,.0f}"),
               Column("full", "full replicas, ms", "{:,.0f}"),
               Column("full_predicted", "predicted", "{:,.0f}"),
               Column("origin", "origin requests/100", "{:.1f}"),
               Column("origin_predicted", "predicted", "{:.1f}"),
               Column("bytes", "bytes from the origin/request", "{:,.0f}"),
               Column("crowd", "origin requests of the crowd's 200", "{:,.0f}"),
               Column("crowd_predicted", "predicted", "{:,.0f}"),
               Column("uneven", "fullest replica, × its part of 192 names", "{:.2f}"))
    whole = True
    plot = staticmethod(plot.predicted("delay", "full", "origin"))

    def ready(self, lab):
        return network.unavailable()

    def parts(self, lab):
        return 3

    def lasts(self, lab, case=None):
        return 3 * (self.seconds(lab) + FULL_SECONDS + 20)

    @staticmethod
    def seconds(lab):
        return 10 if lab.quick else 60

    def rows(self, lab):
        for name, replicas in (("one server, far away", "none"),
                               ("bring home: 2 replicas", "home"),
                               ("enter deep: 4 replicas", "deep")):
            with network.Network(lab) as net:
                yield name, "larder", self._measure(lab, World(lab, net, replicas))

    def _measure(self, lab, world):
        targets = [world.way[1].address] * REGIONS
        row = {}
        if world.replicas:
            world.redirect()
            targets = [world.resolve(client, "www")[0] for client, _ in world.clients]
            videos = world.resolve(world.clients[0][0], *(f"v{n}" for n in range(VIDEOS)))
            fullest = max(videos.count(address) for address in set(videos))
            row["uneven"] = fullest * len(world.replicas) / VIDEOS
        before, asked = world.way[1].sent(), self._asked(world)
        requests, delay = self._browse(lab, world, targets, self.seconds(lab))
        row.update({
            "delay": delay, "origin": 100 * (self._asked(world) - asked) / requests,
            "bytes": (world.way[1].sent() - before) / requests})
        asked = self._asked(world)
        self._together(lab, world, targets, ["--connections", 50, "--close", "--seconds", 0.3],
                       f"/o/9999/{OBJECT}")
        row["crowd"] = self._asked(world) - asked
        self._fill(world)
        row["full"] = self._browse(lab, world, targets, FULL_SECONDS)[1]
        row.update(predicted(len(world.replicas), requests, world.near_ms, world.far_ms))
        return row

    def _browse(self, lab, world, targets, seconds):
        """Popular objects from all regions: (requests, their mean delay in milliseconds)."""
        loads = self._together(lab, world, targets, [
            "--rate", 25, "--connections", 60, "--seconds", seconds, "--zipf", ALPHA, "--objects",
            OBJECTS], f"/o/%/{OBJECT}")
        requests = sum(load["requests"] for load in loads)
        return requests, sum(load["mean_ms"] * load["requests"] for load in loads) / requests

    @staticmethod
    def _fill(world):
        """Every replica fetches every object."""
        with ThreadPoolExecutor(max(1, len(world.replicas))) as pool:
            jobs = [pool.submit(host.call, "curl", "-sSf", "--parallel", "--parallel-max", "60",
                                f"http://{address}/o/[1-{OBJECTS}]/{OBJECT}", "-o", "/dev/null")
                    for host, address in world.replicas]
            for job in jobs:
                job.result()

    @staticmethod
    def _together(lab, world, targets, how, path):
        """The same load from all regions at once; what each has seen."""
        with ThreadPoolExecutor(REGIONS) as pool:
            jobs = [pool.submit(openloop, lab, client, "--host", target, "--seed", number + 1, *how,
                                80, path)
                    for number, ((client, _), target) in enumerate(zip(world.clients, targets))]
            return [job.result() for job in jobs]

    @classmethod
    def _asked(cls, world):
        """Requests that the origin has had, these looks not among them. A load ends with requests
        under way: those count for it, and not for the next one."""
        asked, last = cls._look(world), None
        while asked != last:
            time.sleep(UNDER_WAY)
            asked, last = cls._look(world), asked
        return asked

    @staticmethod
    def _look(world):
        text = world.far.call("curl", "-sSf", "http://127.0.0.1/count")
        world.looks += 1
        return int(re.search(r"\n\s*\d+ \d+ (\d+)", text)[1]) - world.looks


ALL = [Cdn()]
