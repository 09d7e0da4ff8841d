#!/usr/bin/env python3
"""Metrics: what is told, what is written down of it, and what is asked for: metrics.py BUILD [--write]

A proxy with a store and some traffic tells its metrics. Each family has one help text and one type, and
its samples follow; names end as Prometheus wants them. docs/metrics.md has exactly these families (--write
makes its table anew), and every name in deploy/prometheus and deploy/grafana is one of them, with labels
there are. Where promtool is installed it has no complaint.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

MARKER = "<!-- made by tests/scenario/metrics.py BUILD --write -->\n"
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
check = raw.Checks()


def serve(conn, _head, _rest):
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok")


def fetch(proxy):
    data, _ = raw.ask(proxy.admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
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


def documented(found, write):
    path = ROOT / "docs" / "metrics.md"
    text = path.read_text()
    head, marker, rest = text.partition(MARKER)
    check(marker, f"docs/metrics.md has no line {MARKER.strip()}")
    if write:
        path.write_text(head + MARKER + "\n" + table(found))
        return
    check(rest.strip() == table(found).strip(),
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


def deployed(found):
    rules = ROOT / "deploy" / "prometheus" / "larder.rules.yml"
    expressions = re.findall(r"expr: (?:>-\n((?:          .*\n)+)|(.*)\n)", rules.read_text())
    check(len(expressions) >= 10, "the rules are found")
    for expression in expressions:
        exists(found, rules.name, "".join(expression))
    board = ROOT / "deploy" / "grafana" / "larder-proxy.json"
    panels = json.loads(board.read_text())["panels"]
    check(len(panels) >= 10, "panels")
    for panel in panels:
        for target in panel["targets"]:
            check(names_in(target["expr"]), f"{panel['title']}: {target['expr']}")
            exists(found, board.name, target["expr"])
    return rules


def by_promtool(text, rules):
    tool = shutil.which("promtool")
    if not tool:
        print("promtool is not there: the rest was checked here")
        return
    done = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, text=True,
                          timeout=120, check=False)
    check(done.returncode == 0 and not done.stderr, done.stdout + done.stderr)
    done = subprocess.run([tool, "check", "rules", str(rules)], capture_output=True, text=True,
                          timeout=120, check=False)
    check(done.returncode == 0, done.stdout + done.stderr)
    print(done.stdout.strip())


def main():
    build = sys.argv[1]
    larder.need(f"{build}/proxy/larder-proxy")
    origin = raw.Origin(serve)
    with tempfile.TemporaryDirectory(prefix="larder-metrics.") as directory:
        proxy = larder.Proxy(f"{build}/proxy/larder-proxy", f"{directory}/store", "--set",
                             f"mirrors=[{{path: /m/, origin: '{origin.base}'}}]")
        proxy.start()
        client = larder.Client(proxy.port)
        for path in ("a", "a", "b"):
            check(client.get(f"{origin.base}/{path}")[0] == 200, "a request")
        for host in (origin.base[len("http://"):], "other.example"):
            raw.ask(proxy.port, f"GET {origin.base}/a HTTP/1.1\r\nHost: {host}\r\n"
                    "Connection: close\r\n\r\n".encode())
        check([client.get("/m/x")[0] for _ in range(3)] == [200] * 3, "of a mirror")
        while 'mirror_requests_total{mirror="/m/"} 3\n' not in (text := fetch(proxy)):
            time.sleep(0.01)  # a request is counted behind its answer
        check("larder_hosts_overruled_total 1\n" in text, "one Host was another one than the URL's")
        check('larder_mirror_hits_total{mirror="/m/"} 2\n' in text, "two of three were hits")
        sent = re.search(r'larder_mirror_sent_bytes_total\{mirror="/m/"\} (\d+)', text)
        check(sent and int(sent[1]) >= 6, "and their bytes")
        check(proxy.stop(), "it did not leave by itself")
    found = families(text)
    documented(found, "--write" in sys.argv)
    by_promtool(text, deployed(found))
    check.end()


if __name__ == "__main__":
    main()
