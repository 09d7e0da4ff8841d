#!/usr/bin/env python3
"""The dashboard without a browser: its files and what protects them, and that /history, /top,
/warnings and /replicas say what happened: dashboard.py BUILD"""
import gzip
import http.client
import http.server
import json
import os
import re
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import larder

build = sys.argv[1]
failed = 0
EVIL = "/%3Cimg%20src=x%20onerror=alert(1)%3E"


def check(holds, what):
    global failed
    if not holds:
        failed += 1
        print(f"FAIL {what}")


class Origin(http.server.BaseHTTPRequestHandler):
    """/keep may be kept, /private not, /broken fails."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"x" * 5000
        self.send_response(503 if self.path == "/broken" else 200)
        keep = self.path.startswith("/keep")
        self.send_header("Cache-Control", "max-age=600" if keep else "private")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Redirector(http.server.BaseHTTPRequestHandler):
    """Stands in for the administrative address of larder-dns."""
    answer = (200, {"replicas": [{"name": "one", "state": "up", "answers": 3}]})  # changed as one

    def do_GET(self):
        status, content = self.answer
        body = json.dumps(content).encode()
        self.send_response(status if self.path == "/status" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def ask(path, method="GET", **fields):
    """One request to the administrative port; fields with _ for -."""
    connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=60)
    connection.putrequest(method, path, skip_host="Host" in fields, skip_accept_encoding=True)
    for name, value in fields.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    response = connection.getresponse()
    response.text = response.read()
    connection.close()
    return response


def ask_json(path):
    return json.loads(ask(path).text)


def metric(name):
    text = ask("/metrics").text.decode()
    return int(re.search(rf"^larder_{name} (\d+)$", text, re.M)[1])


def await_that(holds, what):
    """The page is told once a second what workers have counted; a slow machine takes longer."""
    end = time.monotonic() + 60
    while not holds():
        if time.monotonic() > end:
            check(False, what)
            return
        time.sleep(0.05)


def look_at_files():
    page = ask("/", Accept="text/html,*/*;q=0.8")
    check(page.status == 200 and page.getheader("Content-Type") == "text/html; charset=utf-8",
          f"/ is a page for browsers: {page.status} {page.getheader('Content-Type')}")
    check(page.getheader("Content-Security-Policy", "").startswith("default-src 'self';"),
          "the page may load only what is ours")
    check("frame-ancestors 'none'" in page.getheader("Content-Security-Policy", ""), "no frames")
    check(ask("/").getheader("Content-Type") == "text/plain; charset=utf-8", "/ is text for curl")
    text = page.text.decode()
    check(not re.search(r"(src|href)=\"(https?:)?//", text), "nothing is from elsewhere")
    check("style=" not in text and not re.search(r"<script>|onclick=", text), "nothing is inline")
    names = re.findall(r'(?:src|href)="(/dashboard/[^"]+)"', text)
    scripts = ask("/dashboard/dashboard.js").text.decode()
    names += ["/dashboard/" + name for name in re.findall(r'from "\./([^"]+)"', scripts)]
    check(len(set(names)) >= 8, f"files: {names}")
    for name in sorted(set(names)):
        look_at_file(name)
    check(ask("/dashboard/../status").status == 404, "paths are no paths of files")


def look_at_file(name):
    kinds = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
             "svg": "image/svg+xml"}
    plain = ask(name)
    small = ask(name, Accept_Encoding="br, gzip;q=0.5")
    tag = plain.getheader("ETag")
    check(plain.status == 200 and plain.getheader("Content-Type") == kinds[name.rsplit(".", 1)[1]],
          f"{name}: {plain.status} {plain.getheader('Content-Type')}")
    check(plain.getheader("X-Content-Type-Options") == "nosniff", f"{name}: nosniff")
    check(small.getheader("Content-Encoding") == "gzip"
          and gzip.decompress(small.text) == plain.text, f"{name}: the same with gzip")
    check(ask(name, Accept_Encoding="gzip;q=0").getheader("Content-Encoding") is None,
          f"{name}: gzip;q=0 is no gzip")
    head = ask(name, "HEAD")
    check(head.status == 200 and head.text == b""
          and head.getheader("Content-Length") == str(len(plain.text)), f"{name}: HEAD")
    known = ask(name, If_None_Match=f'"other", W/{tag}')
    check(known.status == 304 and known.text == b"" and known.getheader("ETag") == tag,
          f"{name}: 304, not {known.status}")
    check(ask(name, If_None_Match='"other"').status == 200, f"{name}: changed")


def look_at_protection():
    own = f"127.0.0.1:{admin}"
    for path in ("/history", "/top", "/warnings", "/replicas", "/status", "/dashboard/style.css"):
        check(ask(path, Host="page.example.net").status == 403, f"{path} for a strange name")
        check(ask(path, Origin="http://page.example.net").status == 403, f"{path} for others")
        check(ask(path, Origin="null").status == 403, f"{path} for a page of nobody")
        check(ask(path, Host=own, Origin=f"http://{own}").status == 200, f"{path} for our page")
        check(ask(path, Host=own, Origin=f"http://127.0.0.1:{admin - 1}").status == 403,
              f"{path} for another port's page")
        check(ask(path, "POST").status == 405, f"{path} changes nothing")
    evil = f"page.example.net:{admin}"
    check(ask("/status", Host=evil, Origin=f"http://{evil}").status == 403, "a rebound name")


def make_traffic():
    client = larder.Client(port)
    for path in ["/keep", "/keep", "/keep", "/private", "/private", "/broken", EVIL]:
        client.get(f"http://127.0.0.1:{origin}{path}")
    client.connection.close()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.set_tunnel("127.0.0.1", origin)
    connection.request("GET", "/private")
    connection.getresponse().read()
    connection.close()


def series(step=1):
    return ask_json(f"/history?step={step}")["series"]


def look_at_history():
    await_that(lambda: sum(series()["requests"]) == 8 == metric("requests_total"),
               "8 requests are in the history, and in the metrics")
    await_that(lambda: sum(series()["hits"]) == metric("hits_total") == 2, "hits")
    for name, most in (("client", 40000), ("hit", 10000), ("tunnel", 5000), ("unsaved", 10000)):
        of = "bytes" if name == "client" else f"{name}_bytes"
        await_that(lambda: sum(series()[of]) == metric(f"{name}_sent_bytes_total") > most,
                   f"bytes: {name}")
    points = series()
    check(len({len(values) for values in points.values()}) == 1, "all series are as long")
    now = ask_json("/history")
    check(abs(now["end"] - time.time()) < 300, f"it ends about now: {now['end']}")
    check(now["next"] - now["first"] == len(now["series"]["bytes"]), "numbers of points")
    later = ask_json(f"/history?step=1&since={now['next'] - 1}")
    check(later["first"] == now["next"] - 1, f"asked from {now['next'] - 1}: {later['first']}")
    check(any(t is not None for t in points["hits_us_p50"]), "durations of hits")
    for query in ("step=2", "step=x", "step=1&since=-1"):
        check(ask(f"/history?{query}").status == 400, f"?{query}")


def look_at_top():
    host = f"127.0.0.1:{origin}"
    await_that(lambda: any(row["host"] == host and row["requests"] == 8
                           for row in ask_json("/top")["hosts"]), "the host's requests")
    top = ask_json("/top")
    row = next(row for row in top["hosts"] if row["host"] == host)
    check(row["hits"] == 2 and row["asked"] == 6, f"host: {row}")
    check(row["failed"] == 1 and row["last_failure"] == "the origin answered 503", f"{row}")
    check(top["clients"][0]["client"] == "127.0.0.1" and top["clients"][0]["requests"] == 8,
          f"clients: {top['clients']}")
    why = {row["reason"]: row for row in top["savable"]}
    check(why["tunnel"]["bytes"] == metric("tunnel_sent_bytes_total"), f"tunnel: {why['tunnel']}")
    check(why["private"]["requests"] >= 3 and why["private"]["remedy"], f"private: {why}")
    recent = ask_json("/status")["recent"]
    check(all(row["client"] == "127.0.0.1" for row in recent), "recent requests tell the client")


def look_at_the_rest():
    warnings = ask_json("/warnings")["warnings"]
    check(any("verify: no" in one["what"] for one in warnings), f"warnings: {warnings}")
    check(all(one["severity"] in ("error", "warning") and one["remedy"] for one in warnings),
          f"warnings: {warnings}")
    await_that(lambda: ask_json("/replicas").get("replicas"), "the redirector was asked")
    answer = ask_json("/replicas")
    check(answer["configured"] and answer["error"] is None
          and answer["replicas"][0]["name"] == "one", f"replicas: {answer}")
    look_at_warnings_of_replicas()


def look_at_warnings_of_replicas():
    """They appear, and go when it is mended."""
    def told(words):
        return any(words in one["what"] for one in ask_json("/warnings")["warnings"])
    check(not told("replica"), "all is well")
    up = {"replicas": [{"name": "one", "state": "up"}]}
    Redirector.answer = (200, {"replicas": [
        {"name": "one", "state": "down", "reason": "refused <b>"},
        {"name": "two", "state": "draining", "reason": "by hand"}]})
    await_that(lambda: told("The replica one is down: refused <b>."), "a replica that is down")
    check(not told("replica two"), "one that is drained is no fault")
    Redirector.answer = (200, {"replicas": [
        {"name": f"r{n}", "state": "down" if n < 5 else "up"} for n in range(7)]})
    await_that(lambda: told("5 of 7 replicas are down: r0, r1, r2 and 2 more."), "many are one warning")
    check(not told("The replica"), "and not one each")
    Redirector.answer = (200, {"replicas": [{"name": f"r{n}", "state": "down"} for n in range(2)]})
    await_that(lambda: told("2 of 2 replicas are down: r0, r1."), "all are down")
    worst = [one for one in ask_json("/warnings")["warnings"] if "of 2 replicas" in one["what"]][0]
    check(worst["severity"] == "error" and worst["remedy"].startswith("No other replica is up"), f"{worst}")
    Redirector.answer = (500, {})
    await_that(lambda: told("does not respond"), "the redirector fails")
    Redirector.answer = (200, up)
    await_that(lambda: not told("does not respond"), "it is mended")
    check(not told("replica one"), "and the replica is up")
    check(not told("reload of larder-dns"), "no reload is refused")
    Redirector.answer = (200, {**up, "reload_refused": "dns.yaml:3:1: <b>"})
    await_that(lambda: told("The last reload of larder-dns was refused: dns.yaml:3:1: <b>"),
               "a reload of the redirector is refused")
    Redirector.answer = (200, up)
    await_that(lambda: not told("reload of larder-dns"), "the next one is taken")


origin, dns = serve(Origin), serve(Redirector)
with tempfile.TemporaryDirectory() as folder:
    proxy = larder.Proxy(
        f"{build}/proxy/larder-proxy", folder, "--store-size", "64MiB", "--workers", "2",
        "--set", f"admin.dns=127.0.0.1:{dns}", "--set", "connect-ports=[1-65535]", "--set",
        "sites=[{hosts: [a.test], origins: ['https://a.test'], verify: no}]")
    port, admin = proxy.port, proxy.admin
    proxy.start()
    look_at_files()
    look_at_protection()
    make_traffic()
    look_at_history()
    look_at_top()
    look_at_the_rest()
    check(proxy.stop(), "it ends by itself")
print("dashboard:", "FAILED" if failed else "ok")
sys.exit(1 if failed else 0)
