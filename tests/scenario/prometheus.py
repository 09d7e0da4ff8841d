#!/usr/bin/env python3
"""The board and the alerts, asked of Prometheus itself: prometheus.py BUILD

Debian's Prometheus reads the proxy's metrics while it has traffic. Every expression of every panel of
deploy/grafana has to have an answer, with numbers in it, and every rule of deploy/prometheus to be evaluated;
none fires on a healthy proxy, LarderDown does when the proxy is gone. What Grafana needs of the board is tried by
metrics.py.
"""
import json
import math
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

check = raw.Checks()
CONFIGURATION = """
global: { scrape_interval: 500ms, evaluation_interval: 500ms }
scrape_configs: [{ job_name: larder, static_configs: [{ targets: ["127.0.0.1:%d"] }] }]
rule_files: ["%s"]
"""


def serve(conn, head, _rest):
    kept = b"no-store" if b"/private" in head else b"max-age=600"
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: " + kept + b"\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)


class Prometheus:
    def __init__(self, folder, admin, rules):
        self.port = larder.free_port()
        config = folder / "prometheus.yml"
        config.write_text(CONFIGURATION % (admin, rules))
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


def traffic(proxy, origin):
    client = larder.Client(proxy.port)
    for path in ("a", "b", "private"):
        client.get(f"{origin.base}/{path}")


def panels(prometheus, board):
    count = 0
    for panel in board["panels"]:
        for target in panel["targets"]:
            expression = re.sub(r"\$__(rate_interval|range)", "1m", target["expr"]).replace("$instance", ".*")
            values = prometheus.value(expression)
            check(values and not all(math.isnan(value) for value in values),
                  f"{panel['title']} {target['refId']}: {values} for {expression}")
            count += 1
    print(f"{count} expressions of {len(board['panels'])} panels have numbers")


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


def main():
    build = sys.argv[1]
    larder.need(f"{build}/proxy/larder-proxy")
    if not shutil.which("prometheus"):
        print("skipped: prometheus is not installed")
        sys.exit(77)
    origin = raw.Origin(serve)
    board = json.loads((ROOT / "deploy" / "grafana" / "larder-proxy.json").read_text())
    with tempfile.TemporaryDirectory(prefix="larder-prometheus.") as directory:
        folder = pathlib.Path(directory)
        proxy = larder.Proxy(f"{build}/proxy/larder-proxy", f"{directory}/store")
        proxy.start()
        prometheus = Prometheus(folder, proxy.admin, ROOT / "deploy" / "prometheus" / "larder.rules.yml")
        try:
            rate = "sum(rate(larder_hits_total[1m])) > 0 and sum(rate(larder_store_written_bytes_total[1m])) >= 0"
            until("two scrapes", lambda: prometheus.value(rate), lambda: traffic(proxy, origin))
            panels(prometheus, board)
            until("the rules", lambda: evaluated(prometheus))
            states = alerts(prometheus)
            check(len(states) >= 8 and set(states.values()) == {"inactive"}, f"{states}")
            check(proxy.stop(), "it did not leave by itself")
            until("LarderDown", lambda: alerts(prometheus)["LarderDown"] != "inactive")
            print(f"{len(states)} alerts, none on a healthy proxy; LarderDown when it is gone")
        finally:
            prometheus.stop()
    check.end()


if __name__ == "__main__":
    main()
