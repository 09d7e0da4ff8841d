#!/usr/bin/env python3
"""The boards and the alerts, asked of Prometheus itself: prometheus.py BUILD

Debian's Prometheus reads the metrics of both daemons while they have traffic. Every expression of every panel of
deploy/grafana has to have an answer, with numbers in it, and every rule of deploy/prometheus to be evaluated.
No alert fires while all is well; those for a replica and a daemon that is down do when it is gone. What Grafana
needs of the boards is tried by metrics.py.
"""
import json
import math
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import dnsraw  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

check = raw.Checks()
CONFIGURATION = """
global: {{ scrape_interval: 500ms, evaluation_interval: 500ms }}
scrape_configs:
  - {{ job_name: larder, static_configs: [{{ targets: ["127.0.0.1:{proxy}"] }}] }}
  - {{ job_name: larder-dns, static_configs: [{{ targets: ["127.0.0.1:{dns}"] }}] }}
rule_files: ["{rules}"]
"""
DNS = """
listen: ["127.0.0.1:{port}"]
admin: {{ address: "127.0.0.1:{admin}" }}
state: {folder}
replicas:
  - {{ name: here, addresses: [127.0.0.1], admin: "http://127.0.0.1:{proxy}" }}
nearest: {{ measured: yes }}
resolver: {{ allow: [127.0.0.0/8], forward: ["127.0.0.1:{upstream}"] }}
zones:
  - name: ex.test
    nameservers: [ns.ex.test]
    names:
      - {{ name: www, policy: nearest }}
"""


def serve(conn, head, _rest):
    kept = b"no-store" if b"/private" in head else b"max-age=600"
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: " + kept + b"\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)


class Redirector:
    """larder-dns with all that has metrics, and a proxy as its replica."""

    def __init__(self, program, folder, proxy):
        self.port, self.admin = larder.free_port(), larder.free_port()
        config = folder / "dns.yaml"
        config.write_text(DNS.format(port=self.port, admin=self.admin, folder=folder, proxy=proxy,
                                     upstream=dnsraw.NoNames().port))
        self.process = subprocess.Popen([program, "--config", str(config)])
        larder.await_port("127.0.0.1", self.admin, self.process)

    def ask(self, name, number):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.connect(("127.0.0.1", self.port))
            asker.settimeout(60)
            asker.send(dnsraw.query(name, number=number, flags=0x100))
            return asker.recv(4096)

    def stop(self):
        self.process.terminate()
        return self.process.wait(60) == 0


class Prometheus:
    def __init__(self, folder, proxy, dns, rules):
        self.port = larder.free_port()
        config = folder / "prometheus.yml"
        config.write_text(CONFIGURATION.format(proxy=proxy, dns=dns, rules=rules))
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
             f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error"])

    def get(self, path, **query):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return json.load(answer)
        except OSError as error:  # not there yet, or the question is wrong
            return {"status": "error", "error": str(error)}

    def value(self, expression):
        answer = self.get("query", query=expression)
        if answer["status"] != "success":
            return None
        return [float(row["value"][1]) for row in answer["data"]["result"]]

    def stop(self):
        self.process.terminate()
        self.process.wait()


def until(what, condition, meanwhile=lambda: None):
    end = time.monotonic() + 300
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"FAIL {what}: waited in vain")
        meanwhile()
        time.sleep(0.1)


def traffic(proxy, origin, redirector):
    client = larder.Client(proxy.port)
    for path in ("a", "b", "private"):
        client.get(f"{origin.base}/{path}")
    for number in range(3):
        redirector.ask("www.ex.test", number)
        redirector.ask(f"{time.monotonic_ns()}.elsewhere.test", number)


def panels(prometheus, board):
    count = 0
    for panel in board["panels"]:
        for target in panel["targets"]:
            expression = re.sub(r"\$__(rate_interval|range)", "1m", target["expr"]).replace("$instance", ".*")
            values = prometheus.value(expression)
            check(values and not all(math.isnan(value) for value in values),
                  f"{panel['title']} {target['refId']}: {values} for {expression}")
            count += 1
    print(f"{board['title']}: {count} expressions of {len(board['panels'])} panels have numbers")


def alerts(prometheus):
    """name -> state; every rule has been evaluated without an error."""
    groups = prometheus.get("rules")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    for rule in rules:
        check(rule["health"] == "ok", f"{rule['name']}: {rule.get('lastError')}")
    return {rule["name"]: rule["state"] for rule in rules if rule["type"] == "alerting"}


def evaluated(prometheus):
    groups = prometheus.get("rules").get("data", {}).get("groups")
    return groups and all(rule["health"] != "unknown" for group in groups for rule in group["rules"])


def fires(prometheus, alert, meanwhile=lambda: None):
    until(alert, lambda: alerts(prometheus)[alert] != "inactive", meanwhile)


def watched(prometheus, proxy, redirector, origin):
    both = "sum(rate(larder_hits_total[1m])) > 0 and sum(rate(larder_store_written_bytes_total[1m])) >= 0 " \
        "and sum(rate(larder_dns_resolver_seconds_count[1m])) > 0"
    until("two scrapes", lambda: prometheus.value(both), lambda: traffic(proxy, origin, redirector))
    for file in sorted((ROOT / "deploy" / "grafana").glob("*.json")):
        panels(prometheus, json.loads(file.read_text()))
    until("the rules", lambda: evaluated(prometheus))
    states = alerts(prometheus)
    check(len(states) >= 18 and set(states.values()) == {"inactive"}, f"{states}")
    check(proxy.stop(), "the proxy did not leave by itself")
    fires(prometheus, "LarderDown")
    fires(prometheus, "LarderReplicaDown")
    fires(prometheus, "LarderAllReplicasDown", lambda: redirector.ask("www.ex.test", 1))
    check(redirector.stop(), "the redirector did not leave by itself")
    fires(prometheus, "LarderDnsDown")
    print(f"{len(states)} alerts: none while all is well, those for what is down when it is")


def main():
    build = sys.argv[1]
    larder.need(f"{build}/proxy/larder-proxy")
    larder.need(f"{build}/dnsredir/larder-dns")
    if not shutil.which("prometheus"):
        print("skipped: prometheus is not installed")
        sys.exit(77)
    origin = raw.Origin(serve)
    with tempfile.TemporaryDirectory(prefix="larder-prometheus.") as directory:
        folder = pathlib.Path(directory)
        proxy = larder.Proxy(f"{build}/proxy/larder-proxy", f"{directory}/store")
        proxy.start()
        redirector = Redirector(f"{build}/dnsredir/larder-dns", folder, proxy.admin)
        prometheus = Prometheus(folder, proxy.admin, redirector.admin,
                                ROOT / "deploy" / "prometheus" / "larder.rules.yml")
        try:
            watched(prometheus, proxy, redirector, origin)
        finally:
            prometheus.stop()
            redirector.process.kill()
    check.end()


if __name__ == "__main__":
    main()
