#!/usr/bin/env python3
"""What attack kits of others do to larder-proxy: attack_kits.py BUILD

slowhttptest, in its four modes, with more connections than the proxy takes, or than its memory would
bear if each were given what it announces; meanwhile every request of ordinary clients is served.
sslscan finds no weak protocol, cipher or renegotiation at a TLS listener.
"""
import collections
import http.client
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

CROWD = 1500  # connections of one attack
LIMIT = 400  # that the proxy takes
BODY = b"x" * (1 << 17)  # over loopback the kernel would take much more for each slow reader
MODES = {
    "slow heads": ("-H", "-i", "2", "-u", "{}/stored"),
    "slow bodies": ("-B", "-i", "2", "-s", "100000", "-x", "10", "-u", "{}/upload"),
    "overlapping ranges": ("-R", "-a", "1", "-b", "3000", "-t", "GET", "-u", "{}/stored"),
    "slow readers": ("-X", "-w", "1", "-y", "64", "-n", "2", "-z", "16", "-u", "{}/stored"),
}
SHORT_OF = {"slow heads": ("limits.connections", LIMIT), "slow bodies": ("memory.size", "128MiB")}
CONFIG = "sites:\n  - {{ hosts: [127.0.0.1, localhost], origins: [\"{}\"] }}\n"

check = raw.Checks()


def serve(conn, head, _rest):
    if head.startswith(b"POST"):
        raw.until_end(conn)
        return True
    kept = b"max-age=3600" if raw.path_of(head) == "/stored" else b"no-store"
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: %b\r\nContent-Length: %d\r\n\r\n%b" % (kept, len(BODY), BODY))
    return False


class Ordinary(threading.Thread):
    """A client that asks for one thing again and again, each time on a new connection."""

    def __init__(self, port, path):
        super().__init__()
        self.port, self.path, self.ends = port, path, threading.Event()
        self.answers = collections.Counter()

    def ask(self):
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            conn.request("GET", self.path)
            response = conn.getresponse()
            return response.status if response.read() == BODY else f"{response.status}, another body"
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        finally:
            conn.close()

    def run(self):
        while not self.ends.wait(0.05):
            self.answers[self.ask()] += 1


def attack(program, state, origin, mode):
    config = state / "proxy.yaml"
    config.write_text(CONFIG.format(origin.base), encoding="ascii")
    directive, value = SHORT_OF.get(mode, ("workers", 1))
    proxy = larder.Proxy(program, str(state / mode), "--config", str(config), "--workers", "1",
                         "--set", f"{directive}={value}")
    proxy.start()
    clients = [Ordinary(proxy.port, path) for path in ("/stored", "/passed")]
    check(clients[0].ask() == 200, f"{mode}: it is stored")
    for client in clients:
        client.start()
    options = [word.format(f"http://127.0.0.1:{proxy.port}") for word in MODES[mode]]
    done = subprocess.run(["slowhttptest", "-c", str(CROWD), "-r", "500", "-l", "10", *options], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
    for client in clients:
        client.ends.set()
        client.join()
        print(f"{mode}: {client.path} {dict(client.answers)}", flush=True)
        check(set(client.answers) == {200}, f"{mode}: {client.path} {dict(client.answers)}")
    check(done.returncode == 0, f"{mode}: {done.stdout[-500:]} {done.stderr[-500:]}")
    check(proxy.stop(), f"{mode}: the proxy leaves by itself")


def scan(program, state):
    made = certs.Certs(state)
    made.sign("server", "DNS:localhost")
    port = larder.free_port()
    proxy = larder.Proxy(program, str(state / "tls"), "--listen-tls", f"127.0.0.1:{port}", "--certificate",
                         made.path("server.pem"), "--key", made.path("server.key"))
    proxy.start()
    text = subprocess.run(["sslscan", "--no-colour", f"localhost:{port}"], text=True, check=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=300).stdout
    found = dict(re.findall(r"^((?:SSL|TLS)v[\d.]+) +(enabled|disabled)$", text, re.M))
    check({name for name, state in found.items() if state == "enabled"} == {"TLSv1.2", "TLSv1.3"}, f"{found}")
    ciphers = re.findall(r"^(?:Preferred|Accepted) +\S+ +\d+ bits +(\S+)", text, re.M)
    check(ciphers and all(re.match("(TLS_|ECDHE-).*(GCM|CHACHA20)", name) for name in ciphers), f"{ciphers}")
    check("Session renegotiation not supported" in text, "renegotiation")
    check(text.count("not vulnerable to heartbleed") == 2, "heartbleed")
    check(proxy.stop(), "the proxy leaves by itself")


def main(build):
    program = f"{build}/proxy/larder-proxy"
    larder.need(program)
    for kit in ("slowhttptest", "sslscan"):
        if not shutil.which(kit):
            print(f"skipped: {kit} is not installed")
            sys.exit(77)
    origin = raw.Origin(serve)
    with tempfile.TemporaryDirectory(prefix="larder-attack-kits-") as name:
        for mode in MODES:
            attack(program, pathlib.Path(name), origin, mode)
        scan(program, pathlib.Path(name))
    check.end()


main(*sys.argv[1:])
