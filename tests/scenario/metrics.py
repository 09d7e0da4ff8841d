#!/usr/bin/env python3
"""Metrics: what is told, what is written down of it, and what is asked for: metrics.py BUILD [--write]

A proxy with a store and some traffic tells its metrics, and a redirector with all it can have. Each family
has one help text and one type, and its samples follow; names end as Prometheus wants them. docs/metrics.md
has exactly these families (--write makes its tables anew), and every name in deploy/prometheus and deploy/grafana
is one of them, with labels there are. Each board has what Grafana needs to import it, and no two of its panels lie on
one another. Where promtool is installed it has no complaint, of expressions of the boards neither.
"""
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import certs  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

PROXY = "<!-- made by tests/scenario/metrics.py BUILD --write -->\n"
DNS = "<!-- of larder-dns, made by tests/scenario/metrics.py BUILD --write -->\n"
DNS_CONFIG = """
listen: ["127.0.0.1:{port}"]
admin: {{ address: "127.0.0.1:{admin}" }}
state: state
keys: [{{ name: key, secret: c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0 }}]
replicas:
  - {{ name: fra, addresses: [127.0.0.1] }}
nearest: {{ measured: yes }}
resolver: {{ allow: [127.0.0.0/8], forward: ["127.0.0.1:1"] }}
zones:
  - name: ex.test
    nameservers: [ns.ex.test]
    names:
      - {{ name: www, policy: nearest }}
      - {{ name: "*.dyn", update: {{ keys: key }} }}
"""
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
check = raw.Checks()


def serve(conn, _head, _rest):
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok")


def fetch(admin):
    data, _ = raw.ask(admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
                                   b"Connection: close\r\n\r\n", 60)
    return data.partition(b"\r\n\r\n")[2].decode()


def families(text):
    """name -> (type, help, labels); complains about what is out of order."""
    found, name, helped = {}, None, {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, words = line[7:].split(" ", 1)
            check(name not in helped and len(words) > 8, f"{name}: help once, and a sentence")
            helped[name] = words
        elif line.startswith("# TYPE "):
            typed, kind = line[7:].split()
            check(typed == name and typed not in found, f"{line} follows its help")
            found[name] = (kind, helped[name], set())
            check(name.startswith("larder_") and (kind == "counter") == name.endswith("_total"),
                  f"{name} is a {kind}")
        else:
            sample = re.fullmatch(r"([a-z0-9_]+)(?:\{(.*)\})? (\S+)", line)
            kind, _, labels = found[name]
            if check(sample and sample[1] in [name + end for end in SUFFIXES[kind]], line):
                labels.update(re.findall(r'([a-z_]+)="', sample[2] or ""))
                float(sample[3])
    return found


def table(found):
    lines = ["| Metric | Type | Labels | What it is |", "|---|---|---|---|"]
    for name, (kind, words, labels) in sorted(found.items()):
        shown = ", ".join(f"`{label}`" for label in sorted(labels - {"le"}))
        lines.append(f"| `{name}` | {kind} | {shown} | {words} |")
    return "\n".join(lines) + "\n"


def documented(found, marker, write):
    """The table behind the marker, up to the next heading."""
    path = ROOT / "docs" / "metrics.md"
    head, found_marker, rest = path.read_text().partition(marker)
    check(found_marker, f"docs/metrics.md has no line {marker.strip()}")
    old, heading, behind = rest.partition("\n## ")
    if write:
        path.write_text(head + marker + "\n" + table(found) + heading + behind)
        return
    check(old.strip() == table(found).strip(),
          "docs/metrics.md is old: tests/scenario/metrics.py BUILD --write")


def names_in(expression):
    return set(re.findall(r"\blarder_[a-z0-9_]+", expression))


def exists(found, where, expression):
    for name in names_in(expression):
        base = name if name in found else re.sub(r"_(bucket|sum|count)$", "", name)
        if not check(base in found, f"{where}: there is no metric {name}"):
            continue
        known = found[base][2] | {"instance", "job", "le"}
        used = set(re.findall(r'([a-z_]+)\s*=~?"', "".join(
            re.findall(re.escape(name) + r"\{([^}]*)\}", expression))))
        check(used <= known, f"{where}: {name} has no label {used - known}")


def asks(board):
    """(where, expression) of each target of each panel."""
    return [(f"{panel['title']} {target['refId']}", target["expr"])
            for panel in board["panels"] for target in panel["targets"]]


def importable(board):
    """Who imports it says which Prometheus it is of: by a variable, which each panel goes by."""
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    sources = [name for name, variable in variables.items()
               if variable["type"] == "datasource" and variable["query"] == "prometheus"]
    check(len(sources) == 1 and board["uid"] and board["title"] and board["schemaVersion"] >= 36,
          f"uid, title, schemaVersion, and one variable for the source: {sources}")
    check("__inputs" not in board and board.get("id") is None, "it is not of one Grafana")
    of_source = {"type": "prometheus", "uid": "${%s}" % sources[0]}
    for variable in variables.values():
        check(variable["type"] == "datasource" or variable["datasource"] == of_source, f"{variable}")
    ids = [panel["id"] for panel in board["panels"]]
    check(len(set(ids)) == len(ids), f"ids of panels: {ids}")
    for panel in board["panels"]:
        drawable(panel, of_source, set(variables))
    beside_each_other(board["panels"])


def drawable(panel, of_source, variables):
    title, place = panel["title"], panel["gridPos"]
    check(panel["type"] and panel["targets"] and panel["datasource"] == of_source, f"{title}: {panel['type']}")
    check(0 <= place["x"] and 0 < place["w"] and place["x"] + place["w"] <= 24 and place["h"] > 0,
          f"{title} is within 24 columns: {place}")
    refs = [target["refId"] for target in panel["targets"]]
    check(len(set(refs)) == len(refs), f"{title}: {refs}")
    check(all(target["datasource"] == of_source for target in panel["targets"]), f"{title}: sources")
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(panel)))
    check(used <= variables, f"{title}: there are no variables {used - variables}")


def beside_each_other(panels):
    taken = {}
    for panel in panels:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                other = taken.setdefault((x, y), panel["title"])
                check(other == panel["title"], f"{panel['title']} lies on {other}")


def as_rules(board, path):
    """For promtool: its expressions as rules that record them."""
    lines = ["groups:", f"  - name: {board['uid']}", "    rules:"]
    for number, (_, expression) in enumerate(asks(board)):
        plain = re.sub(r"\$__(rate_interval|range)", "1m", expression).replace("$instance", "x")
        lines += [f"      - record: board:{number}", f"        expr: {json.dumps(plain)}"]
    path.write_text("\n".join(lines) + "\n")
    return path


def deployed(found, folder):
    rules = ROOT / "deploy" / "prometheus" / "larder.rules.yml"
    expressions = re.findall(r"expr: (?:>-\n((?:          .*\n)+)|(.*)\n)", rules.read_text())
    check(len(expressions) >= 20, "the rules are found")
    for expression in expressions:
        exists(found, rules.name, "".join(expression))
    boards = [json.loads(file.read_text()) for file in sorted((ROOT / "deploy" / "grafana").glob("*.json"))]
    check([board["uid"] for board in boards] == ["larder-dns", "larder-proxy"], "one board for each daemon")
    for board in boards:
        check(len(board["panels"]) >= 10, "panels")
        importable(board)
        for where, expression in asks(board):
            check(names_in(expression), f"{where}: {expression}")
            exists(found, where, expression)
    return [rules, *(as_rules(board, folder / f"{board['uid']}.yml") for board in boards)]


def by_promtool(text, rules):
    tool = shutil.which("promtool")
    if not tool:
        print("promtool is not there: the rest was checked here")
        return
    done = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, text=True,
                          timeout=120, check=False)
    check(done.returncode == 0 and not done.stderr, done.stdout + done.stderr)
    for file in rules:
        done = subprocess.run([tool, "check", "rules", str(file)], capture_output=True, text=True,
                              timeout=120, check=False)
        check(done.returncode == 0, done.stdout + done.stderr)
        print(done.stdout.strip())


def of_redirector(build, directory):
    folder = pathlib.Path(directory) / "dns"
    folder.mkdir()
    port, admin = larder.free_port(), larder.free_port()
    (folder / "dns.yaml").write_text(DNS_CONFIG.format(port=port, admin=admin))
    process = subprocess.Popen([f"{build}/dnsredir/larder-dns", "--config", str(folder / "dns.yaml")])
    try:
        larder.await_port("127.0.0.1", admin, process)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.connect(("127.0.0.1", port))
            asker.settimeout(60)
            asker.send(b"\0\1\0\0\0\1\0\0\0\0\0\0\3www\2ex\4test\0\0\1\0\1")
            check(asker.recv(512)[:2] == b"\0\1", "a name is answered")
        while not re.search(r"larder_dns_udp_queries_total [1-9]", text := fetch(admin)):
            time.sleep(0.01)
    finally:
        process.terminate()
        check(process.wait(60) == 0, "it did not leave by itself")
    return text


def main():
    build = sys.argv[1]
    write = "--write" in sys.argv
    larder.need(f"{build}/proxy/larder-proxy")
    larder.need(f"{build}/dnsredir/larder-dns")
    origin = raw.Origin(serve)
    with tempfile.TemporaryDirectory(prefix="larder-metrics.") as directory:
        made = certs.Certs(directory)
        made.sign("proxy", "DNS:proxy.test", days=20)
        proxy = larder.Proxy(f"{build}/proxy/larder-proxy", f"{directory}/store", "--set",
                             f"mirrors=[{{path: /m/, origin: '{origin.base}'}}]",
                             "--listen-tls", f"127.0.0.1:{larder.free_port()}",
                             "--certificate", made.path("proxy.pem"), "--key", made.path("proxy.key"))
        proxy.start()
        client = larder.Client(proxy.port)
        for path in ("a", "a", "b"):
            check(client.get(f"{origin.base}/{path}")[0] == 200, "a request")
        for host in (origin.base[len("http://"):], "other.example"):
            raw.ask(proxy.port, f"GET {origin.base}/a HTTP/1.1\r\nHost: {host}\r\n"
                    "Connection: close\r\n\r\n".encode())
        check([client.get("/m/x")[0] for _ in range(3)] == [200] * 3, "of a mirror")
        while 'mirror_requests_total{mirror="/m/"} 3\n' not in (text := fetch(proxy.admin)):
            time.sleep(0.01)  # a request is counted behind its answer
        check("larder_hosts_overruled_total 1\n" in text, "one Host was another one than the URL's")
        check('larder_mirror_hits_total{mirror="/m/"} 2\n' in text, "two of three were hits")
        sent = re.search(r'larder_mirror_sent_bytes_total\{mirror="/m/"\} (\d+)', text)
        check(sent and int(sent[1]) >= 6, "and their bytes")
        expires = re.search(r"larder_certificate_expires_seconds\{listener=\"127.0.0.1:\d+\"\} (\d+)\n", text)
        check(expires and 19 < (int(expires[1]) - time.time()) / 86400 <= 20, f"in 20 days: {expires}")
        check(proxy.stop(), "it did not leave by itself")
        of_dns = of_redirector(build, directory)
        found, dns = families(text), families(of_dns)
        documented(found, PROXY, write)
        documented(dns, DNS, write)
        check(all(name.startswith("larder_dns_") for name in dns), "names of the redirector")
        by_promtool(text + of_dns, deployed({**found, **dns}, pathlib.Path(directory)))
    check.end()


if __name__ == "__main__":
    main()
