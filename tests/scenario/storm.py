#!/usr/bin/env python3
"""A storm against a larder-proxy: storm.py PROXY [SECONDS [SEED|fresh]]

Clients ask at random for a few hundred URLs of every kind, with conditions, ranges and variants;
they break off, read slowly, change what they ask for with POST, tunnel; the origin breaks off too,
and the configuration is reloaded meanwhile. Every byte of every body is compared: with its URL, its
variant, and with the version that a POST acknowledged before the request began, so that nothing
older than an invalidation can come back. At the end the proxy must be alive, hold no flights and no
memory but that of hot objects, and leave by SIGTERM with status 0, which is also where the
sanitizers report. LARDER_WORKERS says how many workers (4).
"""
import collections
import http.client
import http.server
import json
import os
import pathlib
import random
import signal
import socket
import socketserver
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402

PATIENCE = 90  # seconds more, on a slow machine
CLIENTS = 16
LANGUAGES = ("en", "de", "fr")
COUNTS = {"small": 80, "medium": 20, "large": 4, "vary": 20, "private": 10, "renew": 30,
          "refresh": 20, "chunked": 20, "broken": 10, "turns": 10}
CACHE = {"private": "private", "renew": "max-age=0", "refresh": "max-age=1, "
         "stale-while-revalidate=60", "turns": "max-age=0"}
SIZES = {"medium": (100_000, 600_000), "large": (1_500_000, 4_000_000)}
URLS = [f"/{kind}/{n}" for kind, count in COUNTS.items() for n in range(count)]


def kind_of(path):
    return path.split("/")[1]


def size_of(path, version):
    low, high = SIZES.get(kind_of(path), (1, 20_000))
    return random.Random(f"{path} {version}").randint(low, high)


def body_of(path, version, language=""):
    """Bytes that say themselves what they are."""
    size = size_of(path, version)
    unit = f"{path} {version} {language} {'.' * (version % 7)}\n".encode()
    return (unit * (size // len(unit) + 1))[:size]


class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    lock = threading.Lock()
    versions = collections.Counter()

    def log_message(self, *_):
        pass

    def do_POST(self):
        left = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, 65536)))
        with self.lock:
            self.versions[self.path] += 1
            version = self.versions[self.path]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.send_header("X-Version", str(version))
        self.end_headers()

    def send_body(self, body):
        if kind_of(self.path) == "broken":
            self.wfile.write(body[:len(body) // 2])
            if random.random() < 0.5:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                           struct.pack("ii", 1, 0))
            self.close_connection = True
        elif kind_of(self.path) == "chunked":
            for at in range(0, len(body), 3000):
                piece = body[at:at + 3000]
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.wfile.write(body)

    def do_GET(self):
        with self.lock:
            version = self.versions[self.path]
        kind = kind_of(self.path)
        language = self.headers.get("Accept-Language", "") if kind == "vary" else ""
        body = body_of(self.path, version, language)
        tag = f'"{version}{language}"'
        same = self.headers.get("If-None-Match") == tag and kind != "broken"
        self.send_response(304 if same else 200)
        self.send_header("ETag", tag)
        forbids = kind == "turns" and same and random.random() < 0.3
        self.send_header("Cache-Control", "no-store" if forbids else CACHE.get(kind, "max-age=60"))
        self.send_header("X-Version", str(version))
        if kind == "vary":
            self.send_header("Vary", "Accept-Language")
        if kind == "chunked" and not same:
            self.send_header("Transfer-Encoding", "chunked")
        elif not same:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not same and self.command != "HEAD":
            self.send_body(body)

    do_HEAD = do_GET


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a peer that leaves is no news
            super().handle_error(request, client_address)


class Storm:
    """What the clients share."""

    def __init__(self, proxy, origin_port, seconds):
        self.proxy = proxy
        self.base = f"http://127.0.0.1:{origin_port}"
        self.end = time.monotonic() + seconds
        self.lock = threading.Lock()
        self.acknowledged = collections.Counter()
        self.counts = collections.Counter()
        self.wrong = []

    def note(self, what):
        with self.lock:
            self.counts[what] += 1

    def fail(self, text):
        with self.lock:
            self.wrong.append(text)


    def has_enough(self):
        return self.counts["200"] >= 100 and self.counts["post"] >= 5

    def is_over(self):
        """A slow machine gets longer, until enough has happened."""
        late = time.monotonic() - self.end
        return late > PATIENCE or (late > 0 and self.has_enough())


class Client(threading.Thread):
    def __init__(self, storm, number, seed):
        super().__init__()
        self.storm = storm
        self.random = random.Random(f"{seed} {number}")
        self.connection = None

    def open(self):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.storm.proxy.port,
                                                         timeout=120)

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def ask(self, method, path, headers, body=None):
        self.open()
        self.connection.request(method, self.storm.base + path, body=body, headers=headers)
        return self.connection.getresponse()

    def check(self, path, headers, response, got, floor):
        """Compares a whole body, or a part of it, with what the origin has under its version."""
        version = int(response.headers["X-Version"])
        if version < floor:
            self.storm.fail(f"{path}: version {version} after {floor} was acknowledged")
        language = headers.get("Accept-Language", "") if kind_of(path) == "vary" else ""
        want = body_of(path, version, language)
        if response.status == 206:
            place = response.headers["Content-Range"].split()[1].split("/")[0]
            first, last = (int(number) for number in place.split("-"))
            want = want[first:last + 1]
        if got != want:
            self.storm.fail(f"{path}: status {response.status}, {len(got)} bytes for {len(want)}")

    def get(self, path):
        headers = {"Accept-Language": self.random.choice(LANGUAGES)}
        roll = self.random.random()
        if roll < 0.1:
            headers["Range"] = f"bytes={self.random.randrange(200)}-{self.random.randrange(200, 900)}"
        elif roll < 0.2:
            headers["If-None-Match"] = '"0"' if kind_of(path) != "vary" else '"0en"'
        elif roll < 0.25:
            headers["Cache-Control"] = "no-cache"
        floor = self.storm.acknowledged[path]
        response = self.ask("GET", path, headers)
        got = response.read()
        if kind_of(path) == "broken":
            if response.status == 200:
                self.storm.fail(f"{path}: a broken message ended cleanly")
        elif response.status in (200, 206):
            self.check(path, headers, response, got, floor)
        elif response.status not in (304, 416):
            self.storm.fail(f"{path}: status {response.status}")
        self.storm.note(f"{response.status}")

    def head(self, path):
        response = self.ask("HEAD", path, {"Accept-Language": "en"})
        if response.read():
            self.storm.fail(f"{path}: HEAD with a body")
        self.storm.note("head")

    def leave(self, path):
        """Reads a part and goes."""
        response = self.ask("GET", path, {"Accept-Language": "de"})
        response.read(self.random.randrange(1, 5000))
        self.close()
        self.storm.note("left")

    def vanish(self, path):
        """Does not even wait for the head."""
        self.open()
        self.connection.request("GET", self.storm.base + path)
        self.close()
        self.storm.note("vanished")

    def dawdle(self, path):
        """Reads slowly for a while, then the rest; each piece is compared."""
        floor = self.storm.acknowledged[path]
        headers = {"Accept-Language": "fr"}
        response = self.ask("GET", path, headers)
        got = b""
        for _ in range(20):
            piece = response.read(1024)
            got += piece
            if not piece:
                break
            time.sleep(0.005)
        got += response.read()
        if response.status == 200 and kind_of(path) != "broken":
            self.check(path, headers, response, got, floor)
        self.storm.note("slow")

    def post(self, path):
        body = b"x" * self.random.choice((0, 10, 300_000))
        response = self.ask("POST", path, {}, body)
        response.read()
        if response.status != 200:
            self.storm.fail(f"POST {path}: status {response.status}")
            return
        version = int(response.headers["X-Version"])
        with self.storm.lock:
            self.storm.acknowledged[path] = max(self.storm.acknowledged[path], version)
        self.storm.note("post")

    def tunnel(self, path):
        """The same GET through CONNECT: nothing is cached on the way."""
        host = self.storm.base[len("http://"):]
        with socket.create_connection(("127.0.0.1", self.storm.proxy.port), 60) as sock:
            sock.sendall(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            sock.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            sock.shutdown(socket.SHUT_WR)
            got = b"".join(iter(lambda: sock.recv(65536), b""))
        head, _, rest = got.partition(b"\r\n\r\n")
        inner, _, body = rest.partition(b"\r\n\r\n")
        version = int(inner.lower().partition(b"x-version: ")[2].split()[0])
        if b" 200 " not in head or body != body_of(path, version):
            self.storm.fail(f"{path}: a tunnel brought {len(body)} bytes")
        self.storm.note("tunnel")

    def act(self):
        path = self.random.choice(URLS)
        roll = self.random.random()
        if roll < 0.03:
            self.post(path)
        elif roll < 0.06:
            self.leave(path)
        elif roll < 0.08:
            self.vanish(path)
        elif roll < 0.10:
            self.dawdle(path)
        elif roll < 0.13:
            self.head(path)
        elif roll < 0.14:
            self.tunnel(self.random.choice([p for p in URLS if kind_of(p) == "small"]))
        else:
            self.get(path)

    def run(self):
        while not self.storm.is_over():
            try:
                self.act()
            except (http.client.HTTPException, OSError) as error:
                self.storm.note(type(error).__name__)
                self.close()
            except Exception as error:  # a thread that dies silently would make the test vacuous
                self.storm.fail(f"{type(error).__name__}: {error}")
                self.close()
        self.close()


def status(proxy):
    connection = http.client.HTTPConnection("127.0.0.1", proxy.admin, timeout=120)
    connection.request("GET", "/status")
    return json.loads(connection.getresponse().read())


def settle(proxy, failures):
    """When nothing is under way any more, what is held is what hot objects hold."""
    memory, end = {}, time.monotonic() + 60
    while time.monotonic() < end:
        memory = status(proxy)["memory"]
        if memory["flights"] == 0 and memory["bodies"] <= memory["hot"]:
            return
        time.sleep(0.1)
    failures.append(f"held at the end: {memory}")


def main():
    program = sys.argv[1]
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    larder.need(program)
    seed = larder.seed(*sys.argv[3:4])
    server = Server(("127.0.0.1", 0), Origin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    with tempfile.TemporaryDirectory(prefix="larder-storm.") as store:
        proxy = larder.Proxy(program, store, "--store-size", "32MiB", "--memory", "8MiB",
                             "--connect-ports", "1024-65535", "--workers",
                             os.environ.get("LARDER_WORKERS", "4"))
        proxy.start()
        storm = Storm(proxy, port, seconds)
        clients = [Client(storm, number, seed) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        while any(client.is_alive() for client in clients) and proxy.process.poll() is None:
            time.sleep(0.5)
            proxy.process.send_signal(signal.SIGHUP)
        for client in clients:
            client.join()
        failures = storm.wrong
        if proxy.process.poll() is None:
            settle(proxy, failures)
        if not proxy.stop():
            failures.append(f"the proxy ended with status {proxy.process.returncode}")
    print(dict(sorted(storm.counts.items())))
    if not storm.has_enough():
        failures.append("too little came through to mean anything")
    for failure in failures[:20]:
        print("wrong:", failure)
    print(f"{len(failures)} wrong")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
