#!/usr/bin/env python3
"""Policies, draining and load of larder-dns, beside stand-in replicas: dns_policy.py DNS LARDERCTL

The replicas are servers of this process: they count connections, can say that they drain, and
report whatever load they are told. Everything waits for what must come; nothing is timed.
"""
import contextlib
import http.server
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402

NAMES = ["fra", "nyc", "sin"]
ADDRESS = {"fra": "192.0.2.1", "nyc": "192.0.2.2", "sin": "192.0.2.3"}
PATIENCE = 60  # seconds, for a machine that does much else


class Replica:
    """Answers /readyz; `rate` more requests a second, by the clock, than the second before."""

    def __init__(self):
        self.connections = self.probes = 0
        self.draining = self.dead = self.mute = False
        self.rate, self.total, self.at = 0, 0.0, time.monotonic()
        replica = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                replica.connections += 1

            def do_GET(self):
                replica.probes += 1
                now = time.monotonic()
                replica.total += replica.rate * (now - replica.at)
                replica.at = now
                self.send_response(503 if replica.draining or replica.dead else 200)
                self.send_header("Content-Length", "3")
                if not replica.mute:
                    self.send_header("Larder-Load", f"requests={int(replica.total)}, bytes=0, "
                                     f"draining={int(replica.draining)}")
                self.end_headers()
                try:
                    self.wfile.write(b"ok\n")
                except OSError:
                    pass  # whoever asked waits no longer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class World:
    def __init__(self, dns, ctl):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="larder-dns-policy-"))
        self.ctl = ctl
        self.port, self.admin = larder.free_port(), larder.free_port()
        self.replicas = {name: Replica() for name in NAMES}
        rows = "\n".join(
            f'  - {{ name: {name}, addresses: {ADDRESS[name]}, capacity: 10, '
            f'admin: "http://127.0.0.1:{self.replicas[name].port}" }}' for name in NAMES)
        config = self.dir / "dns.yaml"
        config.write_text(f"""
listen: ["127.0.0.1:{self.port}"]
admin: {{ address: "127.0.0.1:{self.admin}" }}
health: {{ interval: 1500ms, timeout: 550ms, rise: 1, fall: 2 }}
load: {{ period: 400ms, ramp: 0, least: 100 }}
replicas:
{rows}
nearest: {{ map: [{{ prefix: 10.0.0.0/8, replica: [fra, nyc, sin] }}] }}
zones:
  - name: ex
    nameservers: [ns1.example.org]
    names:
      - {{ name: near, policy: nearest, answers: 1, ttl: 5s }}
      - {{ name: fail, policy: failover, replicas: [nyc, sin], answers: 1 }}
      - {{ name: share, policy: weighted, replicas: [fra, nyc], weights: [1, 3], answers: 1 }}
      - {{ name: two, policy: weighted, replicas: [fra, nyc], answers: 2 }}
      - {{ name: all, policy: static, replicas: [nyc, fra] }}
""")
        self.process = subprocess.Popen([dns, "--config", str(config)])
        larder.await_port("127.0.0.1", self.admin, self.process)

    def ask(self, name, subnet="10.1.0.0/24"):
        out = subprocess.run(
            ["dig", "@127.0.0.1", "-p", str(self.port), "+short", "+norecurse", "+tries=5",
             "+time=5", f"+subnet={subnet}", f"{name}.ex"],
            capture_output=True, text=True, check=True).stdout.split()
        return {address: replica for replica, address in ADDRESS.items()}.get(
            out[0] if out else "", str(out))

    def states(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/status", timeout=PATIENCE) as page:
            return {row["name"]: row for row in json.load(page)["replicas"]}

    def run(self, *words):
        done = subprocess.run([self.ctl, *words, "--admin", f"127.0.0.1:{self.admin}"],
                              capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def candidates(self, name, client):
        _, text = self.run("dns", "explain", f"{name}.ex", "--client", client, "--json")
        return {row["replica"]: row for row in json.loads(text)["candidates"]}

    def verdicts(self, name, client):
        return {replica: row["verdict"] for replica, row in self.candidates(name, client).items()}

    def end(self):
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        shutil.rmtree(self.dir)
        return status


failures = 0


def expect(what, want, got):
    global failures
    good = want(got) if callable(want) else want == got
    print(f"ok: {what}" if good else f"FAILED: {what}: got {got!r}", flush=True)
    failures += not good


def until(what, probe):
    """Waits for it; False when it does not come at all."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if probe():
            print(f"ok: {what}", flush=True)
            return True
        time.sleep(0.05)
    expect(what, True, False)
    return False


def health(w):
    until("all are up", lambda: all(r["state"] == "up" for r in w.states().values()))
    fra = w.replicas["fra"]
    seen = fra.probes
    until("probes go on", lambda: fra.probes > seen + 4)
    until("by connections that are kept", lambda: fra.connections * 2 < fra.probes)
    until("nearest", lambda: w.ask("near") == "fra")
    until("failover", lambda: w.ask("fail") == "nyc")
    w.replicas["nyc"].dead = True
    until("failover to the next", lambda: w.ask("fail") == "sin")
    until("its reason", lambda: w.states()["nyc"]["reason"] == "not ready")

    def explained():
        row = w.candidates("near", "10.1.0.0/24")["nyc"]
        return (row["verdict"], row.get("why")) == ("passed over", "down: not ready")
    until("explained, also behind the one that is given", explained)
    w.replicas["nyc"].dead = False
    until("and back", lambda: w.ask("fail") == "nyc")


def weighted(w):
    until("both have a part", lambda: {w.ask("share", f"10.2.{n}.0/24") for n in range(30)} ==
          {"fra", "nyc"})


def drains(w):
    status, text = w.run("drain", "fra")
    expect("larderctl drain", 0, status)
    expect("it says so", lambda t: "gets no new clients" in t, text)
    expect("at once nobody gets it", lambda to: to != "fra", w.ask("near"))
    expect("its state", ("draining", "drained by larderctl"),
           (w.states()["fra"]["state"], w.states()["fra"]["reason"]))
    expect("larderctl dns shows it", lambda t: "drained by larderctl" in t[1], w.run("dns"))
    for name, net in ("near", 1), ("all", 1), *(("two", net) for net in range(8)):  # in any order
        verdicts = w.verdicts(name, f"10.{net}.0.0/24")
        expect(f"{name}: it was passed over", "passed over", verdicts["fra"])
        expect("another is given", "given", verdicts["nyc"])
        expect("and nobody else is needed", "not needed", verdicts.get("sin", "not needed"))
    row = w.candidates("fail", "10.1.0.0/24")["sin"]
    expect("who is up and comes later is not needed", "not needed", row["verdict"])
    expect("larderctl undrain", 0, w.run("undrain", "fra")[0])
    until("and it is given again", lambda: w.ask("near") == "fra")
    expect("no such replica", 2, w.run("drain", "fro")[0])
    w.replicas["fra"].draining = True
    until("a replica that drains of its own", lambda: w.states()["fra"]["state"] == "draining")
    until("is not given", lambda: w.ask("near") == "nyc")
    for replica in w.replicas.values():
        replica.draining = True
    until("when all drain", lambda: all(r["state"] == "draining" for r in w.states().values()))
    until("the nearest is given all the same", lambda: w.ask("near") == "fra")
    for replica in w.replicas.values():
        replica.draining = False
    until("all are back", lambda: all(r["state"] == "up" for r in w.states().values()))


def load(w):
    w.replicas["fra"].rate, w.replicas["nyc"].rate, w.replicas["sin"].rate = 5000, 500, 500
    until("a full replica keeps less", lambda: w.states()["fra"]["keeps"] < 0.3)
    # By the hash of their blocks; the threshold goes on falling, which only adds.
    got = [w.ask("near", f"10.{n}.0.0/16") for n in range(50)]
    expect("most of its clients go to the next", lambda n: n < 25, got.count("fra"))
    for replica in w.replicas.values():
        replica.mute = True
    until("without reports nothing is known", lambda: "load" not in w.states()["fra"])
    until("and it has all again", lambda: w.states()["fra"]["keeps"] == 1)


def halves(w):
    """More connections to the admin port than it takes, each with half a request."""
    with contextlib.ExitStack() as held:
        for _ in range(64):
            conn = held.enter_context(socket.create_connection(("127.0.0.1", w.admin), PATIENCE))
            with contextlib.suppress(ConnectionError):
                conn.sendall(b"GET /status HTTP/1.1\r\nHost: loc")
        expect("halves of requests keep no administrator out", set(NAMES), set(w.states()))


def drain_by_any_name(dns, ctl):
    """Names of replicas are any text; what --check takes can be drained."""
    names = ["two words", 'a"b\\c', "100%&x=y", "k\u00f6ln"]
    port, admin = larder.free_port(), larder.free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "dns.yaml"
        rows = [{"name": name, "addresses": ["192.0.2.1"]} for name in names]
        config.write_text(f"""
listen: ["127.0.0.1:{port}"]
admin: {{ address: "127.0.0.1:{admin}" }}
replicas: {json.dumps(rows, ensure_ascii=False)}
zones: [{{ name: ex, nameservers: [ns.ex.org], names: [{{ name: all, policy: static }}] }}]
""")
        process = subprocess.Popen([dns, "--config", str(config)])
        larder.await_port("127.0.0.1", admin, process)
        for name in names:
            done = subprocess.run([ctl, "drain", name, "--json", "--admin", f"127.0.0.1:{admin}"],
                                  capture_output=True, text=True)
            expect(f"drain {name}", {"replica": name, "drained": True},
                   json.loads(done.stdout or "{}"))
        process.terminate()
        process.wait(PATIENCE)


def main():
    if not shutil.which("dig"):
        print("skipped: dig is missing (bind9-dnsutils)")
        sys.exit(77)
    drain_by_any_name(*sys.argv[1:3])
    w = World(*sys.argv[1:3])
    for part in (health, weighted, drains, load, halves):
        part(w)
    expect("TERM ends it", 0, w.end())
    sys.exit(failures > 0)


main()
