#!/usr/bin/env python3
"""What reloads and changes of health leave behind in larder-dns: nothing. dns_snapshots.py BUILD

While queries come by UDP and stand on a TCP connection, the configuration is read anew and replicas
go and come, again and again. Settings and snapshots of before are freed, and memory does not grow;
nor does it with thousands of zones, for which each thread that reads them needs much for a moment.
"""
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import dnsraw  # noqa: E402
import larder  # noqa: E402

RELOADS, FLAPS, WARM = 40, 200, 10
ZONES, ZONES_RELOADS = 5000, 6  # as many as there are threads to read them, and more
PATIENCE = 60
BURST = 40  # a batch of the server is 32
MORE_KB = 12 << 10  # a reload by itself takes some 4 MB for a moment, and threads have arenas
CONFIG = """
listen: ["127.0.0.1:{dns}"]
admin: {{ address: "127.0.0.1:{admin}" }}
workers: 2
rate-limit: {{ exempt: [127.0.0.0/8] }}
replicas:
  - {{ name: fra, addresses: [192.0.2.1] }}
  - {{ name: nyc, addresses: [192.0.2.2] }}
nearest:
  map:
{prefixes}
zones:
  - name: ex.test
    nameservers: [ns.ex.test]
    names:
      - {{ name: www, policy: nearest }}
      - {{ name: "v[1-500]", records: ["A 192.0.2.9"] }}
      - {{ name: turn, records: ["A 10.0.{high}.{low}"], ttl: 0s }}
"""
ZONE = "  - {{ name: z{}.test, nameservers: [ns.ex.test], names: [{{ name: www, records: [A 192.0.2.9] }}] }}\n"
failures = []


def expect(what, good, seen=""):
    print("ok:" if good else "FAILED:", what, "" if good else seen, flush=True)
    if not good:
        failures.append(what)


class Server:
    def __init__(self, build, folder, zones=0):
        self.zones = "".join(ZONE.format(n) for n in range(zones))
        self.dns, self.admin = larder.free_port(), larder.free_port()
        self.path, self.log = folder / "dns.yaml", folder / "log"
        self.prefixes = "\n".join(
            f"    - {{ prefix: {network(n)}, replica: {('fra', 'nyc')[n % 2]} }}"
            for n in range(300))
        self.write(0)
        self.sanitized = any(mark in (build / "dnsredir/larder-dns").read_bytes()
                             for mark in (b"libasan", b"libtsan"))
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([build / "dnsredir/larder-dns", "--config", self.path],
                                            stderr=log)
        larder.await_port("127.0.0.1", self.dns, self.process)
        larder.await_port("127.0.0.1", self.admin, self.process)

    def write(self, turn):
        self.path.write_text(CONFIG.format(dns=self.dns, admin=self.admin, high=turn >> 8,
                                           low=turn & 255, prefixes=self.prefixes) + self.zones)

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics") as page:
            lines = page.read().decode().splitlines()
        return {line.split()[0]: float(line.split()[1]) for line in lines
                if line.startswith("larder_dns_") and "{" not in line}

    def memory_kb(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0

    def ask(self, name):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            while True:
                sock.sendto(dnsraw.query(name), ("127.0.0.1", self.dns))
                try:
                    return dnsraw.Answer(sock.recv(4096)).addresses()
                except TimeoutError:
                    pass

    def reload(self, turn):
        """Until it is at work."""
        self.write(turn)
        self.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + PATIENCE
        while self.ask("turn.ex.test") != [f"10.0.{turn >> 8}.{turn & 255}"]:
            if time.monotonic() > end:
                raise SystemExit(f"no reload {turn}: {self.log.read_text()}")
            time.sleep(0.002)

    def flap(self, drain):
        verb = "drain" if drain else "undrain"
        urllib.request.urlopen(urllib.request.Request(
            f"http://127.0.0.1:{self.admin}/{verb}?replica=fra", method="POST")).read()


def network(n):
    """A network of the map; those beside it have the other replica."""
    return f"10.{n // 250}.{n % 250}.0/24"


def is_right(answer):
    """fra may be drained, nyc never is."""
    n = answer.number
    replicas = {"192.0.2.2"} if n % 2 else {"192.0.2.1", "192.0.2.2"}
    return (answer.options.get(dnsraw.ECS) == dnsraw.subnet(network(n), scope=24)[4:]
            and len(answer.addresses()) == 1 and set(answer.addresses()) <= replicas)


class Load(threading.Thread):
    """Somebody asks meanwhile, more at once than the server reads at once, and for another network
    each time; what is answered must be right."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.wrong, self.done, self.asked = server, 0, threading.Event(), 0

    def run(self):
        while not self.done.is_set():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.settimeout(1)
                for n in range(BURST):
                    query = dnsraw.query("www.ex.test", number=n, options=dnsraw.subnet(network(n)))
                    sock.sendto(query, ("127.0.0.1", self.server.dns))
                due = set(range(BURST))
                try:
                    for _ in range(BURST):
                        answer = dnsraw.Answer(sock.recv(4096))
                        self.wrong += answer.number not in due or not is_right(answer)
                        self.asked += 1
                        due.discard(answer.number)
                except TimeoutError:
                    pass  # one was lost
            time.sleep(0.001)


def settle(server):
    """All that was replaced is freed."""
    end = time.monotonic() + PATIENCE
    while True:
        seen = server.metrics()
        if seen["larder_dns_snapshots_retired"] == 0 and seen["larder_dns_settings_held"] == 1:
            return seen
        if time.monotonic() > end:
            expect("what was replaced is freed", False, seen)
            return seen
        time.sleep(0.02)


def many_zones(build, folder):
    server = Server(build, folder, ZONES)
    try:
        expect("the last zone is answered", server.ask(f"www.z{ZONES - 1}.test") == ["192.0.2.9"])
        memory = server.memory_kb()
        for turn in range(1, ZONES_RELOADS + 1):
            server.reload(turn)
            settle(server)
        grown = server.memory_kb() - memory
        expect(f"{ZONES_RELOADS} reloads of {ZONES} zones leave nothing",
               server.sanitized or grown < MORE_KB, f"grown by {grown} kB")
    finally:
        server.process.kill()


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    larder.need(build / "dnsredir/larder-dns")
    with tempfile.TemporaryDirectory() as folder:
        server = Server(build, pathlib.Path(folder))
        load = Load(server)
        try:
            held = socket.create_connection(("127.0.0.1", server.dns), PATIENCE)
            held.sendall(dnsraw.framed(dnsraw.query("www.ex.test"))[:9])  # half a message, all along
            load.start()
            for turn in range(1, WARM):
                server.reload(turn)
                server.flap(turn % 2)
            before, memory = settle(server), server.memory_kb()
            for turn in range(WARM, WARM + RELOADS):
                server.reload(turn)
            for turn in range(FLAPS):
                server.flap(turn % 2 == 0)
            after, grown = settle(server), server.memory_kb() - memory
            load.done.set()
            load.join()
            freed = after["larder_dns_snapshots_freed_total"] - before["larder_dns_snapshots_freed_total"]
            expect("one set of settings is held", after["larder_dns_settings_held"] == 1)
            expect("no snapshot of before is", after["larder_dns_snapshots_retired"] == 0)
            expect("every one of before was freed", freed >= RELOADS + FLAPS, freed)
            expect("memory has not grown", server.sanitized or grown < MORE_KB, f"by {grown} kB")
            expect("all answers were right meanwhile", load.wrong == 0 and load.asked > 0, load.wrong)
            server.process.send_signal(signal.SIGTERM)
            expect("TERM ends it", server.process.wait(PATIENCE) == 0)
        finally:
            load.done.set()
            server.process.kill()
        many_zones(build, pathlib.Path(folder))
    sys.exit(1 if failures else 0)


main()
