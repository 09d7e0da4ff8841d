"""A mixed load whose every byte can be checked, for the tests of faults.

World is the origin's side: paths of several kinds, a version for each, which a POST or PURGE moves
on, and bytes that follow from path and version. Load is the clients' side: it asks through a proxy,
compares everything with the version the answer names, and remembers which version was acknowledged
or stored when. Nothing older than what was acknowledged may come back, and nobody may get what is for
another user: some paths vary with a cookie, some are behind a login.
"""
import collections
import contextlib
import hashlib
import http.client
import http.server
import json
import pathlib
import random
import re
import socketserver
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402

PRIME = 1_000_003
REACH = 4 << 20  # no body is longer
NOISE = memoryview(random.Random("noise").randbytes(PRIME) * (REACH // PRIME + 3))

# kind: (share of the requests, how many paths, smallest and largest body)
KINDS = {"small": (50, 400, 1, 8000), "medium": (20, 100, 8000, 300_000),
         "large": (4, 12, 1_100_000, 3_500_000), "chunked": (10, 60, 1, 400_000),
         "renew": (10, 40, 1, 60_000), "parts": (6, 12, 300_000, 3_000_000),
         "cookie": (8, 20, 1, 20_000), "login": (4, 20, 1, 20_000)}
USERS = 4  # of the last two kinds each has a page of his own, and nobody may get another's
CACHE = {"renew": "max-age=1"}
STORED_ONLY = {"Cache-Control": "only-if-cached, max-stale"}
ENDED = "the proxy ended with"


def kind_of(path):
    return path.split("/")[1]


def identity(path, user):
    """The fields that say who asks."""
    if kind_of(path) == "cookie":
        return {"Cookie": f"user={user}"}
    return {"Authorization": f"Bearer {user}"} if kind_of(path) == "login" else {}


def who(path, fields):
    """The user that these fields name, as the origin sees it."""
    said = fields.get("Cookie" if kind_of(path) == "cookie" else "Authorization") or ""
    return said.replace("=", " ").rpartition(" ")[2] if identity(path, "") else ""


class World:
    """Bodies and versions. A new World is a new set of paths' bytes: `name` goes into them."""

    def __init__(self, name="", scale=1.0):
        self.name = name
        self.lock = threading.Lock()
        self.versions = collections.Counter()
        self.requests = collections.Counter()
        self.down = False
        self.paths = {kind: [f"/{kind}/{name}{n}" for n in range(max(3, int(count * scale)))]
                      for kind, (_, count, _, _) in KINDS.items()}
        self.all = [path for paths in self.paths.values() for path in paths]

    def choose(self, rng):
        kind = rng.choices(list(KINDS), [share for share, *_ in KINDS.values()])[0]
        return rng.choice(self.paths[kind])

    def body(self, path, version, user=""):
        seed = hashlib.blake2b(f"{path} {version}{user}".encode(), digest_size=16).digest()
        _, _, low, high = KINDS[kind_of(path)]
        start = int.from_bytes(seed[:8], "little") % PRIME
        size = low + int.from_bytes(seed[8:], "little") % (high - low)
        return NOISE[start:start + size]

    def serve(self):
        """Starts an origin; sets and returns `base`."""
        handler = type("Handler", (Origin,), {"world": self})
        server = Server(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.base = f"http://127.0.0.1:{server.server_port}"
        return self.base


class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    world = None

    def log_message(self, *_):
        pass

    def change(self):
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            left -= len(self.rfile.read(min(left, 65536)))
        with self.world.lock:
            self.world.versions[self.path] += 1
            version = self.world.versions[self.path]
        self.send_response(200)
        self.send_header("X-Version", str(version))
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PURGE = change

    def span_asked(self, tag, size):
        """(first, last) of a single Range that holds, or None."""
        wanted = self.headers.get("Range", "")
        if not wanted.startswith("bytes=") or self.headers.get("If-Range") not in (None, tag):
            return None
        first, _, last = wanted[6:].partition("-")
        if not first:
            first, last = max(0, size - int(last)), size - 1
        first, last = int(first), min(int(last or size - 1), size - 1)
        return (first, last) if first <= last else None

    def do_GET(self):
        world = self.world
        with world.lock:
            version = world.versions[self.path]
            world.requests[self.path] += 1
        user = who(self.path, self.headers)
        body = world.body(self.path, version, user)
        tag = f'"{version}{user}"'
        part = self.span_asked(tag, len(body))
        status = 304 if self.headers.get("If-None-Match") == tag else 206 if part else 200
        self.send_response(status)
        self.send_header("ETag", tag)
        self.send_header("X-Version", str(version))
        if kind_of(self.path) == "cookie":
            self.send_header("Vary", "Cookie")
        self.send_header("Cache-Control", CACHE.get(kind_of(self.path), "max-age=36000"))
        if status == 206:
            self.send_header("Content-Range", f"bytes {part[0]}-{part[1]}/{len(body)}")
            body = body[part[0]:part[1] + 1]
        chunked = kind_of(self.path) == "chunked" and status == 200
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status == 304 or self.command == "HEAD":
            return
        if not chunked:
            self.wfile.write(body)
            return
        for at in range(0, len(body), 50_000):
            piece = body[at:at + 50_000]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    do_HEAD = do_GET


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a peer that leaves is no news
            super().handle_error(request, client_address)


class Load:
    """The clients of one proxy, over all of its lives."""

    def __init__(self, world, proxy):
        self.world, self.proxy = world, proxy
        self.lock = threading.Lock()
        self.floor = collections.Counter()  # path -> the oldest version that may be served
        self.settled_floor = collections.Counter()
        self.moves = collections.Counter()  # path -> odd while it is being changed
        self.stored = {}  # path -> version, answered as stored since the last settle()
        self.durable = {}  # path -> version
        self.given_up = (None, 0)  # the proxy's process, and what it had told of so far
        self.counts = collections.Counter()
        self.outcomes = collections.Counter()
        self.wrong = []
        self.tries = 2  # until a body that breaks off is whole
        self.threads = []
        self.halt = threading.Event()

    def fail(self, text):
        with self.lock:
            if len(self.wrong) < 100:
                self.wrong.append(text)
                print("WRONG:", text, flush=True)

    # ---- running ----

    def start(self, clients=4, seed=None, changes=0.03, pause=0.0):
        self.halt.clear()
        seed = random.getrandbits(32) if seed is None else seed
        self.threads = [threading.Thread(target=self.run, daemon=True,
                                         args=(random.Random(f"{seed} {n}"),
                                               changes, pause))
                        for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.halt.set()
        for thread in self.threads:
            thread.join()
        self.threads = []

    def run(self, rng, changes, pause):
        client = Client(self)
        while not self.halt.is_set():
            try:
                client.act(rng, changes)
            except (OSError, http.client.HTTPException) as error:
                self.note(type(error).__name__)
                client.close()
                if self.proxy.process.poll() is not None:
                    return  # killed
            except Exception as error:  # a thread that dies silently would make the test vacuous
                self.fail(f"{type(error).__name__}: {error}")
                client.close()
            if pause:
                time.sleep(pause)
        client.close()

    def note(self, what):
        with self.lock:
            self.counts[what] += 1

    def purge(self, scope, kinds):
        """All of these kinds' paths change, and then what is stored of them is purged, by prefix or
        host: nothing older may be seen from then on."""
        paths = [path for kind in kinds for path in self.world.paths[kind]]
        with self.world.lock:
            self.world.versions.update(paths)
            wanted = {path: self.world.versions[path] for path in paths}
        url = f"http://127.0.0.1:{self.proxy.admin}/purge?{urllib.parse.urlencode(scope)}"
        with urllib.request.urlopen(urllib.request.Request(url, b""), timeout=60) as answer:
            if answer.status != 200:
                self.fail(f"{scope}: status {answer.status}")
        for path, version in wanted.items():
            self.floor[path] = max(self.floor[path], version)

    def busy(self, seconds, least=0, **options):
        """Runs for so long, and until at least so many responses have come."""
        before, end = sum(self.counts.values()), time.monotonic() + seconds
        self.start(**options)
        time.sleep(seconds)
        while sum(self.counts.values()) < before + least and time.monotonic() < end + 60:
            time.sleep(0.02)
        self.stop()

    # ---- what survives ----

    def settle(self):
        """After stop(): waits until the store has written all, also what the disk has refused to
        delete; what was stored and acknowledged so far counts as durable."""
        for _ in range(1200):
            now = status(self.proxy)
            store = now["store"]
            if store["dirty"] == store["deletions"] == now["memory"]["flights"] == 0:
                break
            time.sleep(0.05)
        else:
            self.fail("the store does not come to rest")
        self.settled_floor = self.floor.copy()
        self.durable.update(self.stored)
        self.stored.clear()
        self.leave_out_given_up()

    def leave_out_given_up(self):
        """A head may say "stored" before the disk falls behind or memory runs short, and then what
        was older goes, too. The proxy counts these: so many may be missing, and no more."""
        process, before = self.given_up
        now = given_up(self.proxy)
        self.given_up = self.proxy.process, now
        count = now - (before if process is self.proxy.process else 0)
        if count == 0:
            return
        client = Client(self)
        gone = [path for path, version in self.durable.items() if
                version == self.world.versions[path] and not self.is_there(client, path)]
        client.close()
        self.counts["given up"] += count
        for path in gone if len(gone) <= count else []:
            del self.durable[path]

    @staticmethod
    def is_there(client, path):
        """A piece of it that has left the store is missed behind the head; it may not be fetched."""
        try:
            return client.get(path, STORED_ONLY)
        except http.client.IncompleteRead:
            client.close()
            return False

    def crashed(self):
        """What was not settled when the proxy was killed may be gone: also an invalidation."""
        self.floor = self.settled_floor.copy()
        self.stored.clear()

    def has_ended(self):
        """Connections end a little before the process does."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.proxy.process.wait(timeout=2)
        return self.proxy.process.poll() is not None

    def sweep_one(self, client, path, fields):
        """A stored body that proves damaged on its way breaks off; the next time it is whole."""
        for _ in range(self.tries - 1):
            try:
                return client.get(path, fields)
            except http.client.IncompleteRead:
                client.close()
                fields = {}
        return client.get(path, fields)

    def sweep(self, kept=False, label="", cached=True):
        """Asks for everything, with only-if-cached if `cached`; what is served must be right. With
        `kept`, what is durable and was not changed since must be served. Returns the hits."""
        client, hits, lost = Client(self), 0, []
        fields = STORED_ONLY if cached else {}
        for path in self.world.all:
            try:
                answer = self.sweep_one(client, path, fields)
            except (OSError, http.client.HTTPException) as error:
                if self.has_ended():
                    self.fail(f"{label}: {ENDED} {self.proxy.process.returncode}")
                    return hits
                self.fail(f"{label} {path}: {type(error).__name__} {error}: {client.said}")
                client.close()
                continue
            hits += answer
            wanted = self.durable.get(path)
            if kept and not answer and wanted is not None \
                    and wanted == self.world.versions[path]:
                lost.append(path)
        client.close()
        if lost:
            self.fail(f"{label}: {len(lost)} durable ones are gone: {lost[:5]}")
        return hits


class Client:
    """One connection; what it gets is compared at once."""

    def __init__(self, load):
        self.load, self.connection = load, None
        self.said = ""  # the last Cache-Status
        self.turn = 0

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def ask(self, method, path, fields, body=None):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.load.proxy.port,
                                                         timeout=60)
        self.connection.request(method, self.load.world.base + path, body=body, headers=fields)
        return self.connection.getresponse()

    def act(self, rng, changes):
        path = self.load.world.choose(rng)
        roll = rng.random()
        if roll < changes:
            self.change(path, rng.choice(("POST", "PURGE")))
        elif roll < changes + 0.08 or kind_of(path) == "parts":
            first = rng.randrange(300_000)
            self.get(path, {"Range": f"bytes={first}-{first + rng.randrange(200_000)}"})
        elif roll < changes + 0.10:
            self.get(path, {"Cache-Control": "no-cache"})
        else:
            self.get(path, {})

    def change(self, path, method):
        with self.load.lock:
            self.load.moves[path] += 1
        try:
            self.change_it(path, method)
        finally:
            with self.load.lock:
                self.load.moves[path] += 1

    def change_it(self, path, method):
        response = self.ask(method, path, {}, b"x" * 10)
        response.read()
        if response.status != 200:
            self.load.fail(f"{method} {path}: status {response.status}")
            return
        version = int(response.headers["X-Version"])
        load = self.load
        with load.lock:
            load.floor[path] = max(load.floor[path], version)
            load.counts["changes"] += 1

    def get(self, path, fields):
        """Whether a body came, which was the right one."""
        load = self.load
        floor, moves = load.floor[path], load.moves[path]
        self.turn += 1
        own = identity(path, f"u{self.turn % USERS}")
        response = self.ask("GET", path, {**fields, **own})
        self.said = said = response.headers.get("Cache-Status", "")
        try:
            got = response.read()
        except http.client.IncompleteRead as error:  # it says so; what came must be right
            load.note("cut short")
            self.compare(path, {**fields, **own}, response, error.partial, floor, said, whole=False)
            raise
        load.note(str(response.status))
        if response.status in (416, 304, 504, 502):
            if response.status == 502 or (response.status == 504 and not fields):
                load.fail(f"{path}: status {response.status}: {got[:200]}")
            return False
        if response.status not in (200, 206):
            load.fail(f"{path}: status {response.status}: {response.getheader('Cache-Status')}")
            return False
        self.compare(path, {**fields, **own}, response, got, floor, said)
        if kind_of(path) == "login" and ("stored" in said or "; hit" in said):
            load.fail(f"{path}: what is for one user is shared: {said}")
        if response.status == 200 and "stored" in said and not own:
            with load.lock:
                if load.moves[path] != moves or moves % 2:
                    return True  # a change that ends later may remove it
                load.stored[path] = int(response.headers["X-Version"])
        if "; hit" in said:
            load.note("hits")
        return True

    def compare(self, path, fields, response, got, floor, said, whole=True):
        version = int(response.headers["X-Version"])
        want = self.load.world.body(path, version, who(path, fields))
        if response.status == 206:
            place = response.headers["Content-Range"].split()[1].split("/")[0]
            first, last = (int(number) for number in place.split("-"))
            want = want[first:last + 1]
        if not whole:
            want = want[:len(got)]
        if version < floor:
            self.load.fail(f"{path}: version {version} after {floor} was acknowledged: {said}")
        if got != want:
            same = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), -1)
            self.load.fail(f"{path}: {fields} {response.status} version {version}: {len(got)} bytes"
                           f" for {len(want)}, different from {same} on: {said}")


def given_up(proxy):
    """How many responses the proxy tells of that were to be stored, but for the disk or memory."""
    url = f"http://127.0.0.1:{proxy.admin}/metrics"
    with urllib.request.urlopen(url, timeout=60) as answer:
        text = answer.read().decode()
    found = re.findall(r'^larder_responses_not_stored_total\{reason="(?:store-busy|memory)"\} (\d+)',
                       text, re.M)
    return sum(int(number) for number in found)


def status(proxy):
    larder.await_port("127.0.0.1", proxy.admin, proxy.process)
    connection = http.client.HTTPConnection("127.0.0.1", proxy.admin, timeout=60)
    try:
        connection.request("GET", "/status")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
