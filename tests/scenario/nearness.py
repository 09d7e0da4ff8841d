#!/usr/bin/env python3
"""Measured nearness, whole programs: nearness.py BUILD

larder-proxy tells the round trips of clients' networks at /rtt; larder-dns asks replicas for them and
answers by them. Two of its replicas are servers of this process that tell what they are told to;
the third is a larder-proxy. Everything waits for what must come; nothing is timed.
"""
import atexit
import http.server
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402

ADDRESS = {"fra": "192.0.2.1", "nyc": "192.0.2.2", "own": "192.0.2.3"}
PATIENCE = 60  # seconds, for a machine that does much else
failures = 0


def expect(what, want, got):
    global failures
    good = want(got) if callable(want) else want == got
    print(f"ok: {what}" if good else f"FAILED: {what}: got {got!r}", flush=True)
    failures += not good


def until(what, probe):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if probe():
            print(f"ok: {what}", flush=True)
            return
        time.sleep(0.05)
    expect(what, True, False)


def page(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        return answer.read().decode()


# ---- larder-proxy ----

def connect(proxy, source, talk):
    """A connection from an address of our own, which says something, reads the answer and ends."""
    with socket.create_connection(("127.0.0.1", proxy.port), 60, (source, 0)) as client:
        client.sendall(talk)
        while client.recv(65536):
            pass


def report(proxy, query=""):
    """The words of the head, and {network: [µs, samples, age]}."""
    head, *lines = page(proxy.admin, "/rtt" + query).splitlines()
    words = head.split()
    expect_head = words[:2] == ["larder-rtt", "1"]
    if not expect_head:
        expect("the head of a report", "larder-rtt 1", head)
    rows = {line.split()[0]: [int(n) for n in line.split()[1:]] for line in lines}
    rows.pop("127.0.0.0/24", None)  # who looked whether the port is open
    return dict(word.split("=") for word in words[2:]), rows


def proxy_tells(proxy):
    head, rows = report(proxy)
    expect("nothing is known at first", {}, rows)
    bad = b"GET / HTTP/1.0\r\n\r\n"
    for source in ("127.1.2.3", "127.1.2.99", "127.4.5.6"):
        connect(proxy, source, bad)
    until("the networks of clients that have left",
          lambda: set(report(proxy)[1]) == {"127.1.2.0/24", "127.4.5.0/24"})
    until("a sample for each connection",
          lambda: [row[1] for _, row in sorted(report(proxy)[1].items())] == [2, 1])
    head, rows = report(proxy)
    expect("round trips of loopback", lambda us: all(1 <= n < 60_000_000 for n in us),
           [row[0] for row in rows.values()])
    expect("how many there are", lambda n: n in ("2", "3"), head["networks"])
    ask = f"?epoch={head['epoch']}&since={head['next']}"
    expect("nothing new", {}, report(proxy, ask)[1])
    connect(proxy, "127.7.8.9", bad)
    until("only what is new", lambda: set(report(proxy, ask)[1]) == {"127.7.8.0/24"})
    expect("all, for who knew another life", 3, len(report(proxy, f"?epoch={'0' * 16}&since=999")[1]))
    expect("nonsense is a first question", 3, len(report(proxy, "?epoch=x&since=-1&&=&since")[1]))
    expect("the metric", lambda text: re.search("^larder_client_networks [34]$", text, re.M),
           page(proxy.admin, "/metrics"))


# ---- larder-dns ----

class Replica:
    """Answers /readyz, and /rtt with `lines` once for each `change`."""

    def __init__(self):
        self.lines, self.change, self.raw = [], 1, None
        self.asked, self.connections, self.status = [], 0, 200
        replica = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                replica.connections += 1

            def do_GET(self):
                status, body = 200, "ok\n"
                if self.path.startswith("/rtt"):
                    replica.asked.append(self.path)
                    status, body = replica.status, replica.report(self.path)
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body.encode())
                except OSError:
                    pass  # whoever asked waits no longer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # whoever asked has gone
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def report(self, path):
        if self.raw is not None:
            return self.raw
        fresh = f"since={self.change}" in path and "epoch=000000000000000a" in path
        lines = [] if fresh else self.lines
        return "\n".join([f"larder-rtt 1 epoch=a next={self.change} more=0", *lines]) + "\n"

    def tell(self, *lines):
        self.lines, self.raw = list(lines), None
        self.change += 1


class Dns:
    def __init__(self, program, ctl, admins):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="larder-nearness-"))
        atexit.register(shutil.rmtree, self.dir, True)
        self.ctl = ctl
        self.port, self.admin = larder.free_port(), larder.free_port()
        self.config = self.dir / "dns.yaml"
        self.admins = admins
        self.write("explore: 0")
        self.process = subprocess.Popen([program, "--config", str(self.config)])
        atexit.register(self.process.kill)
        larder.await_port("127.0.0.1", self.admin, self.process)

    def write(self, more, enabled="yes"):
        rows = "\n".join(f'  - {{ name: {name}, addresses: {ADDRESS[name]}, '
                         f'admin: "http://127.0.0.1:{port}" }}'
                         for name, port in self.admins.items())
        self.config.write_text(f"""
listen: ["127.0.0.1:{self.port}"]
admin: {{ address: "127.0.0.1:{self.admin}" }}
health: {{ interval: 400ms, timeout: 300ms, rise: 1, fall: 1 }}
replicas:
{rows}
nearest:
  measured: {{ enabled: {enabled}, interval: 100ms, {more} }}
  map: [{{ prefix: 10.9.0.0/16, replica: fra }}]
  regions:
    - {{ name: here, prefixes: [10.0.0.0/8, 127.0.0.0/8], replica: [fra, nyc, own] }}
zones:
  - name: ex
    nameservers: [ns1.example.org]
    names: [{{ name: www, policy: nearest, answers: 1, ttl: 5s }}]
""")

    def ask(self, subnet):
        """(replica, scope)"""
        out = subprocess.run(
            ["dig", "@127.0.0.1", "-p", str(self.port), "+norecurse", "+tries=5", "+time=20",
             f"+subnet={subnet}", "www.ex"], capture_output=True, text=True, check=True).stdout
        names = [name for name, address in ADDRESS.items() if f"\tA\t{address}\n" in out]
        scope = [line.rsplit("/", 1)[1] for line in out.splitlines() if "CLIENT-SUBNET" in line]
        return (*names, *map(int, scope))

    def status(self):
        return json.loads(page(self.admin, "/status"))

    def rtt(self, name):
        return next(row["rtt"] for row in self.status()["replicas"] if row["name"] == name)

    def run(self, *words):
        return subprocess.run([self.ctl, *words, "--admin", f"127.0.0.1:{self.admin}"],
                              capture_output=True, text=True).stdout

    def end(self):
        self.process.terminate()
        return self.process.wait(PATIENCE)


def dns_learns(dns, fra, nyc):
    until("distance, or here a region, at first", lambda: dns.ask("10.1.2.0/24")[0] == "fra")
    fra.tell("10.1.2.0/24 40000 10 0", "10.9.2.0/24 40000 10 0", "10.1.9.0/24 40000 1 0")
    nyc.tell("10.1.2.0/24 20000 10 0", "10.9.2.0/24 20000 10 0", "10.1.9.0/24 20000 10 0")
    until("measured: the nearer one, with the network's scope",
          lambda: dns.ask("10.1.2.0/24") == ("nyc", 24))
    until("its neighbours by distance", lambda: dns.ask("10.1.3.0/24")[0] == "fra")
    until("the map comes first", lambda: dns.ask("10.9.2.0/24") == ("fra", 16))
    until("too few samples", lambda: dns.ask("10.1.9.0/24")[0] == "fra")
    until("each is asked for what is new",
          lambda: any(f"since={fra.change}" in path for path in fra.asked))
    fra.tell("10.1.2.0/24 10000 20 0")
    until("another time, another answer", lambda: dns.ask("10.1.2.0/24") == ("fra", 24))
    fra.tell("10.1.2.0/24 40000 30 0")
    until("and back", lambda: dns.ask("10.1.2.0/24") == ("nyc", 24))


def dns_distrusts(dns, fra, nyc):
    """What makes no sense changes nothing, is told, and leaves health alone."""
    nyc.raw, fra.raw = "<html>\n" + "x" * 70000, "larder-rtt 1 epoch=a next=1\n10."
    until("an overlong page", lambda: "is too long" in (dns.rtt("nyc")["fault"] or ""))
    until("half a report", lambda: "is cut off" in (dns.rtt("fra")["fault"] or ""))
    nyc.raw = fra.raw = None
    until("it is asked again", lambda: dns.rtt("nyc")["fault"] is None)
    until("it was up all the time", lambda: dns.ask("10.1.2.0/24") == ("nyc", 24))


def dns_shows(dns):
    status = dns.status()["measured"]
    expect("networks", lambda n: n >= 3, status["networks"])
    expect("in the map", lambda n: n >= 1, status["mapped"])
    expect("moved", lambda n: n >= 1, status["moved"])
    expect("answers by it", lambda n: n >= 3, status["answers"])
    expect("larderctl dns shows it", lambda text: " moved)" in text, dns.run("dns"))
    expect("metrics", lambda text: "larder_dns_measured_networks " in text and
           "larder_dns_measured_answers_total " in text, page(dns.admin, "/metrics"))


def dns_remembers(dns, fra, nyc):
    """A reload makes the map anew from what is known; without measuring, distance is back."""
    maps = dns.status()["measured"]["maps"]
    dns.process.send_signal(signal.SIGHUP)
    until("the map is made anew", lambda: dns.status()["measured"]["maps"] > maps)
    until("from what is known", lambda: dns.ask("10.1.2.0/24") == ("nyc", 24))
    # Twelve networks that are no neighbours: each draws for itself.
    networks = [f"10.2.{2 * n}.0/24" for n in range(12)]
    nyc.tell(*(f"{network} 20000 10 0" for network in networks))
    fra.tell(*(f"{network} 40000 10 0" for network in networks))
    until("more is known", lambda: all(dns.ask(n) == ("nyc", 24) for n in networks))
    dns.write("explore: 50%, max-age: 1h")
    dns.process.send_signal(signal.SIGHUP)
    until("some answers are for measuring", lambda: "own" in [dns.ask(n)[0] for n in networks])
    expect("and are counted", lambda n: n > 0, dns.status()["measured"]["explored"])
    dns.write("explore: 0", enabled="no")
    dns.process.send_signal(signal.SIGHUP)
    until("not measured any more", lambda: "measured" not in dns.status())
    until("distance", lambda: dns.ask("10.1.2.0/24")[0] == "fra")


def main():
    if not shutil.which("dig"):
        print("skipped: dig is missing (bind9-dnsutils)")
        sys.exit(77)
    build = pathlib.Path(sys.argv[1])
    store = tempfile.mkdtemp(prefix="larder-nearness-store-")
    atexit.register(shutil.rmtree, store, True)
    proxy = larder.Proxy(str(build / "proxy/larder-proxy"), store)
    proxy.start()
    proxy_tells(proxy)
    fra, nyc = Replica(), Replica()
    dns = Dns(str(build / "dnsredir/larder-dns"), str(build / "ctl/larderctl"),
              {"fra": fra.port, "nyc": nyc.port, "own": proxy.admin})
    dns_learns(dns, fra, nyc)
    until("a larder-proxy is understood", lambda: dns.rtt("own")["reports"] > 0)
    until("by connections that are kept", lambda: fra.connections * 2 < len(fra.asked))
    dns_distrusts(dns, fra, nyc)
    dns_shows(dns)
    dns_remembers(dns, fra, nyc)
    expect("TERM ends larder-dns", 0, dns.end())
    expect("TERM ends larder-proxy", True, proxy.stop())
    sys.exit(failures > 0)


main()
