#!/usr/bin/env python3
"""What a POST has changed is not seen again: acknowledged.py PROXY [SECONDS [SEED|fresh]]

A few URLs, asked for by many clients at once, some of whom change them. Whoever asks after a change was
acknowledged gets at least that version, whatever was being fetched, validated, read from the disk or
kept in memory meanwhile (RFC 9111 4.4). Worth most under the thread sanitizer, which spreads the races.
"""
import collections
import http.client
import http.server
import pathlib
import random
import socketserver
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402

PATHS = [f"/{number}" for number in range(3)]
PATIENCE = 90  # seconds more, on a slow machine
CLIENTS = 16


def doze(chance, seconds):
    if random.random() < chance:
        time.sleep(random.random() * seconds)


class Origin(http.server.BaseHTTPRequestHandler):
    """A version for each path; a GET may tell one that has changed before its answer arrives."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    versions = collections.Counter()
    lock = threading.Lock()

    def log_message(self, *args):
        pass

    def head(self, status, version, length):
        self.send_response(status)
        self.send_header("ETag", f'"{version}"')
        self.send_header("X-Version", str(version))
        self.send_header("Cache-Control", "max-age=60")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def do_GET(self):
        version = self.versions[self.path]
        doze(0.5, 0.004)
        if self.headers.get("If-None-Match") == f'"{version}"':
            self.head(304, version, None)
            return
        body = b"%d" % version * 300
        self.head(200, version, len(body))
        doze(0.3, 0.003)
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.lock:
            self.versions[self.path] += 1
            version = self.versions[self.path]
        doze(0.5, 0.002)
        self.head(200, version, 0)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a peer that leaves is no news
            super().handle_error(request, client_address)


class Client(threading.Thread):
    acknowledged = collections.Counter()
    lock = threading.Lock()
    counts = collections.Counter()
    wrong = []

    def __init__(self, port, base, end, number, seed):
        super().__init__()
        self.port, self.base, self.end = port, base, end
        self.random = random.Random(f"{seed} {number}")
        self.connection = None

    @classmethod
    def has_enough(cls):
        return cls.counts["changes"] > 20 and cls.counts["looks"] > 200

    def is_over(self):
        """A slow machine gets longer, until enough has happened."""
        late = time.monotonic() - self.end
        return late > PATIENCE or (late > 0 and self.has_enough())

    def ask(self, method, path, fields, body=None):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.connection.request(method, self.base + path, body=body, headers=fields)

    def answer(self):
        response = self.connection.getresponse()
        response.read()
        return int(response.headers["X-Version"]), response.headers

    def change(self, path):
        self.ask("POST", path, {}, b"x" * 10)
        version, _ = self.answer()
        with self.lock:
            self.acknowledged[path] = max(self.acknowledged[path], version)
            self.counts["changes"] += 1

    def look(self, path):
        fields = self.random.choice(({}, {}, {}, {"Cache-Control": "no-cache"},
                                     {"Cache-Control": "max-age=0"}, {"Range": "bytes=0-9"}))
        floor = self.acknowledged[path]
        self.ask(self.random.choices(("GET", "HEAD"), (19, 1))[0], path, fields)
        if self.random.random() < 0.03:  # leaves before the answer
            self.connection.close()
            self.connection = None
            return
        version, got = self.answer()
        with self.lock:
            self.counts["looks"] += 1
            if version < floor:
                self.wrong.append(f"{path}: version {version} after {floor} was acknowledged: "
                                  f"{fields} {got['Cache-Status']}")

    def run(self):
        while not self.is_over():
            path = self.random.choice(PATHS)
            try:
                if self.random.random() < 0.06:
                    self.change(path)
                else:
                    self.look(path)
            except (OSError, http.client.HTTPException) as error:
                with self.lock:
                    self.wrong.append(f"{path}: {type(error).__name__} {error}")
                self.connection = None


def main():
    program, seconds = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 5
    larder.need(program)
    seed = larder.seed(*sys.argv[3:4])
    server = Server(("127.0.0.1", 0), Origin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    with tempfile.TemporaryDirectory(prefix="larder-ack.") as store:
        proxy = larder.Proxy(program, store, "--store-size", "64MiB", "--memory", "16MiB",
                             "--workers", "4")
        proxy.start()
        end = time.monotonic() + seconds
        clients = [Client(proxy.port, base, end, number, seed) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        clean = proxy.stop()
    for text in Client.wrong[:20]:
        print("wrong:", text)
    print(f"{dict(Client.counts)}, {len(Client.wrong)} wrong, {'' if clean else 'not '}ended by itself")
    sys.exit(0 if clean and Client.has_enough() and not Client.wrong else 1)


main()
