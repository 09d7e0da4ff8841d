"""The redirectors under measurement. The same world for each: 16 replicas, 20,000 client networks, a
name whose address depends on the network (`www`), one with a fixed address (`fixed`), and for who can
do it a thousand names, each with the address that its hash says (`v0` … `v999`)."""
import os
import shutil
import subprocess
import time

from harness.processes import PATIENCE, Failed, Program, free_port, write
from harness.template import fill

REPLICAS = 16
HASHED = [f"v{i}" for i in range(1000)]
ZONES_A_SECOND = 1000  # that the slowest of them reads, at least
SOA = "ns.bench.example hostmaster.bench.example 1 7200 1800 604800 60"


class World:
    """How much of it there is."""

    def __init__(self, networks=20_000, zones=0):
        self.count = networks
        self.zones = zones  # z0.example …, with a `www` each, besides

    def __str__(self):
        return f"{self.count:,} networks" + (f", {self.zones:,} zones" if self.zones else "")

    @staticmethod
    def network(i):
        """(network, number of its replica); as bench/ecsload.c asks."""
        return f"{10 + i // 65536}.{i // 256 % 256}.{i % 256}.0/24", i * 7 % REPLICAS + 1

    def networks(self):
        yield from map(self.network, range(self.count))
        yield "127.0.0.0/8", self.count * 7 % REPLICAS + 1


ZONE = f"""$TTL 3600
@ SOA {SOA.replace('.example', '.example.')}
@ NS ns.bench.example.
www A 192.0.2.1
"""


def dig(server, *what, patience=("+tries=5", "+time=2")):
    """The lines that it says, in the order of what is asked."""
    return subprocess.run(["dig", "@127.0.0.1", "-p", str(server.port), "+short", *patience, *what],
                          capture_output=True, text=True, check=False).stdout.split()


def look(server):
    """Whether it steers: a client in the last of the networks must get that network's replica."""
    network, number = World.network(min(server.world.count, 773) - 1)
    if server.is_limit:
        return
    out = dig(server, f"+subnet={network}", "www.bench.example")
    if f"192.0.2.{number}" not in out:
        raise Failed(f"{server.title} answers {out} for a client in {network}, "
                     f"not 192.0.2.{number}")


def look_hashed(server):
    """Whether it spreads names: most replicas are among the answers for a hundred, which stay as they
    are whoever asks."""
    if server.is_limit:
        return
    names = [f"{name}.bench.example" for name in HASHED[:100]]
    first, second = dig(server, *names), dig(server, "+subnet=10.0.1.0/24", *names)
    if first != second or len(first) != len(names) or len(set(first)) <= REPLICAS / 2:
        raise Failed(f"{server.title} does not spread names: it answers {first}, then {second}")


def await_answer(server, name, patience):
    """Some listen before they have read all their zones: it is ready when it has an address for this."""
    while time.monotonic() - server.began < patience:
        out = dig(server, name, patience=("+tries=1", "+time=1"))
        if out and out[0].startswith("192.0.2."):
            server.ready_s = time.monotonic() - server.began
            return
        time.sleep(0.05)
    raise Failed(f"{server.title} has no answer for {name}")


class Redirector(Program):
    title = ""
    needs = ()
    is_limit = False
    cannot = {}  # {case: why it has no answer of this kind}
    build = ""
    ready_s = None  # seconds from the start until it listened

    def __init__(self, where, cores, world, workers=1):
        os.makedirs(where, exist_ok=True)
        self.world = world
        self.dir, self.port, self.workers = where, free_port(), workers
        super().__init__(self.title, self.prepare(), where, cores)

    def ports(self):
        return {"PORT": self.port}

    def begin(self):
        patience = PATIENCE + self.world.zones / ZONES_A_SECOND
        self.began = time.monotonic()
        self.start().await_port(self.port, udp=True, patience=patience)
        self.ready_s = time.monotonic() - self.began
        if self.world.zones:
            await_answer(self, f"www.z{self.world.zones - 1}.example", patience)
        return self

    def prepare(self):
        raise NotImplementedError

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        write(path, text)
        return path

    def config(self, name, **more):
        return self.file("config", fill(name, {"DIR": self.dir, "PORT": self.port,
                                               "WORKERS": self.workers, **more}))

    @classmethod
    def suits(cls, _):
        return True

    @classmethod
    def missing(cls, build):
        return [name for name in cls.needs if not shutil.which(name)]


class LarderDns(Redirector):
    title = "larder-dns"
    configured = ("config", "nets.csv")

    def prepare(self):
        self.file("nets.csv", "".join(f"{net},r{n}\n" for net, n in self.world.networks()))
        names = "".join(f"      - {{ name: {name}, policy: hashed, answers: 1, ttl: 30s }}\n"
                        for name in HASHED)
        replicas = "".join(f"  - {{ name: r{n}, addresses: [192.0.2.{n}] }}\n"
                           for n in range(1, REPLICAS + 1))
        zones = "".join(f"  - {{ name: z{i}.example, nameservers: [ns.bench.example], names: ["
                        "{ name: www, records: ['A 192.0.2.1'] }] }\n"
                        for i in range(self.world.zones))
        path = self.config("larder-dns.yaml", REPLICAS=replicas, NAMES=names, ZONES=zones)
        return [f"{self.build}/dnsredir/larder-dns", "--config", path]

    @classmethod
    def missing(cls, build):
        path = f"{build}/dnsredir/larder-dns"
        return [] if os.access(path, os.X_OK) else [path]


class Gdnsd(Redirector):
    title, needs = "gdnsd", ("gdnsd",)
    configured = ("config", "geoip/nets", "zones/bench.example", "zones/z0.example")  # one of all z…
    cannot = {"hashed": "its plugin weighted draws at random, for each answer anew"}

    def prepare(self):
        for folder in ("geoip", "zones", "run", "state"):
            os.makedirs(f"{self.dir}/{folder}", exist_ok=True)
        self.file("geoip/nets", "".join(f"{net} => [ r{n} ]\n" for net, n in self.world.networks()))
        self.config("gdnsd.conf",
                    DATACENTERS=", ".join(f"r{n}" for n in range(1, REPLICAS + 1)),
                    ADDRESSES="".join(f"    r{n} => 192.0.2.{n},\n"
                                      for n in range(1, REPLICAS + 1)))
        self.file("zones/bench.example",
                  f"@ SOA {SOA.replace('.bench.example', '')}\n@ NS ns\nns A 127.0.0.1\n"
                  "fixed A 192.0.2.1\nwww 30 DYNA geoip!www\n")
        for i in range(self.world.zones):
            self.file(f"zones/z{i}.example", ZONE)
        return ["gdnsd", "-c", self.dir, "start"]


class Knot(Redirector):
    title, needs = "knot", ("knotd",)
    configured = ("config", "geo.conf", "bench.zone", "z.zone")
    cannot = {"hashed": "its module geoip draws at random by weight, for each answer anew"}

    def prepare(self):
        self.file("geo.conf", "www.bench.example:\n" + "".join(
            f"  - net: {net}\n    A: 192.0.2.{n}\n" for net, n in self.world.networks()))
        self.file("bench.zone", f"@ 30 SOA {SOA.replace('.bench.example', '')}\n@ NS ns\n"
                                "ns A 127.0.0.1\nfixed A 192.0.2.1\nwww A 192.0.2.1\n")
        self.file("z.zone", ZONE)
        zones = "".join(f"  - domain: z{i}.example\n    file: {self.dir}/z.zone\n"
                        for i in range(self.world.zones))
        return ["knotd", "-c", self.config("knot.conf", ZONES=zones)]


class PowerDns(Redirector):
    """Its pickhashed() goes by the client, and picknamehashed() is not in the version of Debian 12: so a
    script in the record goes by the name."""

    title, needs = "pdns", ("pdns_server",)
    configured = ("pdns.conf", "zones.yaml")
    BY_NAME = (";local name = qname:toString() local hash = 0 for i = 1, #name do "
               "hash = (hash * 31 + name:byte(i)) % 65521 end return ({{{}}})[hash % {} + 1]")

    def prepare(self):
        addresses = [f"192.0.2.{n}" for n in range(1, REPLICAS + 1)]
        names = "".join(f"      r{n}.bench.example: [ a: {address} ]\n"
                        for n, address in enumerate(addresses, 1))
        script = self.BY_NAME.format(", ".join(map("'{}'".format, addresses)), REPLICAS)
        names += "".join(f'      {name}.bench.example: [ lua: "A \\"{script}\\"" ]\n'
                         for name in HASHED)
        services = "".join(f"        {net}: [ r{n}.bench.example ]\n" for net, n in self.world.networks())
        self.file("zones.yaml", fill("pdns-zones.yaml", {"SOA": SOA, "NAMES": names,
                                                         "NETWORKS": services}))
        self.file("pdns.conf", fill("pdns.conf", {"DIR": self.dir, "PORT": self.port,
                                                  "WORKERS": self.workers}))
        return ["pdns_server", f"--config-dir={self.dir}"]


class Canned(Redirector):
    """Canned bytes by recvmmsg and sendmmsg, 32 a system call: what this kernel takes."""

    title, is_limit = "canned", True

    def prepare(self):
        return [f"{self.build}/bench/udp", str(self.port)]

    @classmethod
    def missing(cls, build):
        path = f"{build}/bench/udp"
        return [] if os.access(path, os.X_OK) else [path]


REDIRECTORS = {one.title: one for one in (LarderDns, Gdnsd, Knot, PowerDns, Canned)}


def make(name, *args):
    if name not in REDIRECTORS:
        raise Failed(f"no redirector is called {name}; known: {', '.join(REDIRECTORS)}")
    return REDIRECTORS[name](*args)
