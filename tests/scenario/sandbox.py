#!/usr/bin/env python3
"""What the daemons give up once they run, and that nothing is missed: sandbox.py BUILD

Under sandbox: strict, where the first forbidden system call ends the process, a proxy with two store
directories serves, stores, reloads, opens its logs anew and answers its administrator, and a
redirector signs, resolves, updates nobody, reloads and writes its log. All their threads have the filter,
no_new_privs and no capabilities. Builds with a sanitizer have no filter, and say so.
"""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

BUILD = pathlib.Path(sys.argv[1]).resolve()
PATIENCE = 60
check = raw.Checks()
DNS = """
listen: ["127.0.0.1:{port}"]
admin: {{ address: "127.0.0.1:{admin}" }}
workers: 2
sandbox: {mode}
state: {folder}/state
log: {{ queries: {folder}/queries }}
resolver: {{ allow: [127.0.0.0/8], forward: ["127.0.0.1:{nobody}"], timeout: 1s }}
replicas: [{{ name: a, addresses: [192.0.2.1], admin: "http://127.0.0.1:{nobody}" }}]
zones:
  - name: ex.test
    nameservers: [ns.ex.test]
    dnssec: {{ key: {folder}/key }}
    names:
      - {{ name: ns, records: ["A 192.0.2.53"] }}
      - {{ name: www, policy: nearest, replicas: [a] }}
"""


def until(what, probe):
    end = time.monotonic() + PATIENCE
    while not probe():
        if time.monotonic() > end:
            check(False, f"not within {PATIENCE} s: {what}")
            return
        time.sleep(0.02)


def threads(pid):
    """Of each thread what the kernel says: name, capabilities, ..."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            lines = (task / "status").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):  # one that verified the store has ended
            continue
        yield {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def look(pid, told, what):
    """What the daemon says of itself is so, for all threads."""
    every = list(threads(pid))
    filtered = told["filter"] != "off"
    check(filtered or "sanitizer" in told["why"], f"{what}: no filter: {told}")
    for one in every:
        name = f"{what}, thread {one['Name']}"
        check(one["Seccomp"] == ("2" if filtered else "0"), f"{name}: Seccomp {one['Seccomp']}")
        check(one["NoNewPrivs"] == "1", f"{name}: NoNewPrivs {one['NoNewPrivs']}")
        for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            check(int(one[kind], 16) == 0, f"{name}: {kind} {one[kind]}")
    check(len(every) > 2, f"{what}: has only {len(every)} threads")


def page(port, path, post=False):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}",
                                     method="POST" if post else "GET")
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return answer.read().decode()


def ends(process, what):
    process.send_signal(signal.SIGTERM)
    status = process.wait(PATIENCE)
    check(status == 0, f"{what} ended with {status}")


def serve(conn, head, _rest):
    size = int(raw.path_of(head).rsplit("/", 1)[1])
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: %d\r\n\r\n"
                 % size + b"x" * size)


def proxy(folder):
    origin = raw.Origin(serve)
    log = folder / "access.log"
    daemon = larder.Proxy(
        str(BUILD / "proxy/larder-proxy"), str(folder / "one"), "--access-log", str(log),
        "--set", "sandbox=strict", "--workers", "2")
    at = daemon.command.index("--store")
    daemon.command[at:at + 2] = ["--set", f"store=[{folder}/one, {folder}/two]"]
    daemon.start()
    client = larder.Client(daemon.port)
    until("it is ready", lambda: json.loads(page(daemon.admin, "/status")).get("sandbox"))
    for size in (10, 5_000, 700_000, 3_000_000) * 2:
        status, body, _ = client.get(f"{origin.base}/{size}", Host="a")
        check(status == 200 and len(body) == size, f"{size} bytes: {status}, {len(body)}")
    until("it is stored", lambda: json.loads(page(daemon.admin, "/status"))["store"]["objects"] > 0)
    os.rename(log, f"{log}.1")
    page(daemon.admin, "/logs/reopen", post=True)
    until("the log is opened anew", log.exists)
    until("it is reloaded", lambda: '"reloads": 1' in page(daemon.admin, "/status")
          or page(daemon.admin, "/reload", post=True) is None)
    page(daemon.admin, "/store/verify", post=True)
    status, body, _ = client.get(f"{origin.base}/10", Host="a")
    check(status == 200, f"after the reload: {status}")
    client.get("http://no-such-name.invalid/", Host="a")  # names are resolved, or not
    told = json.loads(page(daemon.admin, "/status"))["sandbox"]
    look(daemon.process.pid, told, "larder-proxy")
    tight = "larder_sandbox 1" if told["filter"] == "strict" else "larder_sandbox 0"
    check(re.search(f"^{tight}$", page(daemon.admin, "/metrics"), re.M), "the metric differs")
    shown = subprocess.run([BUILD / "ctl/larderctl", "status", "--admin",
                            f"127.0.0.1:{daemon.admin}"], capture_output=True, text=True, check=True).stdout
    check(re.search("^sandbox .*system calls.*; no capabilities$", shown, re.M), shown)
    ends(daemon.process, "larder-proxy")


def ask(port, name, kind):
    query = subprocess.run(["dig", "@127.0.0.1", "-p", str(port), "+dnssec", "+tries=1",
                            "+time=20", name, kind], capture_output=True, text=True, check=False)
    return query.stdout


def redirector(folder):
    port, admin, nobody = larder.free_port(), larder.free_port(), larder.free_port()
    program = str(BUILD / "dnsredir/larder-dns")
    subprocess.run([program, "--make-key", str(folder / "key")], check=True,
                   stdout=subprocess.DEVNULL)
    config = folder / "dns.yaml"
    config.write_text(DNS.format(port=port, admin=admin, nobody=nobody, folder=folder,
                                 mode="strict"))
    process = subprocess.Popen([program, "--config", str(config)])
    larder.await_port("127.0.0.1", admin, process)
    for _ in range(2):
        check("RRSIG" in ask(port, "ns.ex.test", "A"), "no signed answer")
        check("NSEC" in ask(port, "nobody.ex.test", "A"), "no signed denial")
        check("SERVFAIL" in ask(port, "elsewhere.example.net", "A"), "nobody resolved it")
        process.send_signal(signal.SIGHUP)
    os.rename(folder / "queries", folder / "queries.1")
    process.send_signal(signal.SIGUSR1)
    until("the log is opened anew", (folder / "queries").exists)
    look(process.pid, json.loads(page(admin, "/status"))["sandbox"], "larder-dns")
    ends(process, "larder-dns")


def without(folder):
    """An administrator may do without it."""
    daemon = larder.Proxy(str(BUILD / "proxy/larder-proxy"), str(folder / "off"),
                          "--set", "sandbox=off")
    daemon.start()
    until("it is ready", lambda: json.loads(page(daemon.admin, "/status")).get("sandbox"))
    check(all(one["Seccomp"] == "0" for one in threads(daemon.process.pid)), "off is not off")
    told = json.loads(page(daemon.admin, "/status"))["sandbox"]
    check(told["filter"] == "off" and "configuration" in told["why"], told)
    ends(daemon.process, "larder-proxy without")


def main():
    if b"libtsan" in (BUILD / "proxy/larder-proxy").read_bytes():
        print("skipped: ThreadSanitizer has a thread of its own, which keeps what it had")
        sys.exit(77)
    for part in (proxy, redirector, without):
        with tempfile.TemporaryDirectory() as folder:
            part(pathlib.Path(folder))
    check.end()


main()
