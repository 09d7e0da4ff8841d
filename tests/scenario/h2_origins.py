#!/usr/bin/env python3
"""Origins that speak HTTP/2: h2_origins.py BUILD

ALPN decides; many requests share one connection; an origin without h2 is asked as ever. Bodies both
ways are compared. What an origin refuses, or says it has not begun with, is asked for again, once;
what breaks off is not whole; what is malformed is not an answer (RFC 9113 8.1.1).
"""
import contextlib
import hashlib
import pathlib
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs as certificates  # noqa: E402
import h2  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

check = raw.Checks()
BIG = hashlib.shake_128(b"h2 origins").digest(3_000_000)
PATIENCE = 60  # timeouts.first-byte, a part of which a machine may stand still for
SILENCE = PATIENCE // 12  # is asked about; as long again, and others are asked
DEATH = PATIENCE // 4
HELD = 8  # requests that an origin waits for before it answers the first


class Serving(h2.Connection):
    """The origin's end of a connection."""
    is_mute = False

    def __init__(self, conn, origin):  # noqa: super() would connect
        self.socket, self.origin = conn, origin
        self.auto, self.timeout = True, raw.PATIENCE
        self.inflater = h2.Inflater()
        self.buffer = bytearray()
        self.streams, self.frames, self.order, self.goaways, self.pings = {}, [], [], [], []
        self.settings, self.acked, self.closed, self.block = {}, 0, None, None
        self.windows = {0: 65535}
        self.waiting = []
        self.send(h2.settings((h2.MAX_CONCURRENT_STREAMS, origin.streams)))

    def run(self):
        preface = b""
        while len(preface) < len(h2.PREFACE):
            more = self.socket.recv(len(h2.PREFACE) - len(preface))
            if not more:
                return
            preface += more
        check(preface == h2.PREFACE, f"the preface: {preface}")
        while got := self.read():
            self.serve(got)

    def take(self, got):
        if got.kind == h2.HEADERS:
            self.streams.setdefault(got.stream, h2.Stream())
        if got.kind == h2.WINDOW_UPDATE:
            self.window_of(got.stream)
            self.windows[got.stream] += struct.unpack(">I", got.payload)[0]
        if got.kind == h2.PING and not got.flags & h2.ACK:
            self.origin.pings += 1
        super().take(got)

    def window_of(self, stream):
        start = self.settings.get(h2.INITIAL_WINDOW_SIZE, 65535)
        return self.windows.setdefault(stream, start)

    def body(self, stream, content, end=True):
        """As windows and frame sizes permit."""
        at = 0
        while at < len(content):
            room = min(16384, self.windows[0], self.window_of(stream), len(content) - at)
            if room <= 0:
                if not self.read():
                    return
                continue
            self.send(h2.data(stream, content[at:at + room], end and at + room == len(content)))
            self.windows[0] -= room
            self.windows[stream] -= room
            at += room

    def head(self, stream, status, *fields, end=False):
        self.headers([(":status", str(status)), *fields], end, stream)

    def serve(self, got):
        stream = self.streams.get(got.stream)
        if got.kind not in (h2.HEADERS, h2.DATA) or not stream or not stream.ended:
            return
        fields = stream.heads[0]
        path = dict(fields)[":path"]
        self.origin.heads.append(fields)
        if self.is_mute:
            return
        number = len([1 for head in self.origin.heads if dict(head)[":path"] == path])
        name = path.split("?")[0].strip("/").partition("/")[0]
        getattr(self, "do_" + name.replace("-", "_"))(got.stream, path, number, bytes(stream.body))

    def plain(self, stream, content, *fields):
        self.head(stream, 200, ("content-length", str(len(content))),
                  ("cache-control", "max-age=60"), *fields)
        self.body(stream, content)

    def do_small(self, stream, path, *_):
        self.plain(stream, path.encode())

    def do_big(self, stream, *_):
        self.plain(stream, BIG)

    def do_unknown_length(self, stream, *_):
        self.head(stream, 103, ("link", "</a>; rel=preload"))
        self.head(stream, 200, ("cache-control", "max-age=60"))
        self.body(stream, BIG[:100_000], end=False)
        self.headers([("x-trailer", "1")], True, stream)

    def do_echo(self, stream, _path, _number, body):
        self.head(stream, 200, ("cache-control", "no-store"))
        self.body(stream, body) if body else self.send(h2.data(stream, b"", True))

    def do_held(self, stream, path, *_):
        self.waiting.append((stream, path))
        if len(self.waiting) == HELD:
            for waits, of in reversed(self.waiting):
                self.plain(waits, of.encode())
            self.waiting = []

    def do_last_words(self, stream, path, *_):
        """Nothing more comes on this connection, which stays open."""
        self.plain(stream, path.encode())
        self.is_mute, self.auto = True, False

    def do_thinks(self, stream, path, *_):
        """For long, but it hears."""
        end = time.monotonic() + 1.5 * DEATH
        self.socket.settimeout(0.1)
        while time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                self.read()
        self.socket.settimeout(raw.PATIENCE)
        self.plain(stream, path.encode())

    def do_headed(self, stream, path, number, _body):
        """The head of something long; it has changed when it is asked for again."""
        self.head(stream, 200, ("content-length", str(5000 + number)), ("etag", '"same"'),
                  ("cache-control", "max-age=0"), end=True)

    def do_shrinks(self, stream, path, number, _body):
        """First as a whole, then as a head of another length that names no other version."""
        if number == 1:
            self.plain(stream, path.encode(), ("etag", '"same"'))
        else:
            self.head(stream, 200, ("content-length", "3"), ("etag", '"same"'),
                      ("cache-control", "max-age=60"), end=True)

    def do_none(self, stream, *_):
        self.head(stream, 204, end=True)

    def do_refused(self, stream, path, number, _body):
        if number == 1:
            self.send(h2.rst(stream, h2.REFUSED_STREAM))
        else:
            self.plain(stream, path.encode())

    def do_always_refused(self, stream, *_):
        self.send(h2.rst(stream, h2.REFUSED_STREAM))

    def do_refused_echo(self, stream, path, number, body):
        """Once it has all of it."""
        if number > 1:
            self.do_echo(stream, path, number, body)
        elif path.endswith("/goaway"):
            self.send(h2.goaway(stream - 2, h2.NO_ERROR))
        else:
            self.send(h2.rst(stream, h2.REFUSED_STREAM))

    def do_dropped(self, stream, path, number, body):
        """Without a word: who knows what has been done?"""
        if number == 1:
            self.socket.close()
        else:
            self.do_echo(stream, path, number, body)

    def do_goaway(self, stream, path, number, _body):
        """A request that came too late: the connection was about to be left."""
        if number == 1:
            self.send(h2.goaway(stream - 2, h2.NO_ERROR))
        else:
            self.plain(stream, path.encode())

    def do_last(self, stream, path, *_):
        """Answered, though no more will be."""
        self.send(h2.goaway(stream, h2.NO_ERROR))
        time.sleep(0.05)
        self.plain(stream, path.encode())

    def do_cut(self, stream, *_):
        self.head(stream, 200, ("cache-control", "max-age=60"), ("content-length", "100000"))
        self.body(stream, BIG[:50_000], end=False)
        self.send(h2.rst(stream, h2.INTERNAL_ERROR))

    def do_short(self, stream, *_):
        self.head(stream, 200, ("cache-control", "max-age=60"), ("content-length", "1000"))
        self.body(stream, BIG[:900])

    def do_gone(self, stream, *_):
        self.head(stream, 200, ("cache-control", "max-age=60"))
        self.body(stream, BIG[:50_000], end=False)
        self.socket.close()

    def do_bad(self, stream, path, *_):
        kind = path.rsplit("/", 1)[1]
        bad = {"upper": ("X-Upper", "1"), "connection": ("connection", "close"),
               "coding": ("transfer-encoding", "chunked"), "cr": ("x", "a\rb"), "nul": ("x", "a\0b"),
               "pseudo": (":path", "/"), "twice": ("content-length", "5")}
        length = ("content-length", "2")
        if kind == "status":
            self.head(stream, "2x0", length)
        elif kind == "101":
            self.head(stream, 101, length)
        else:
            self.head(stream, 200, ("cache-control", "max-age=60"), length, bad[kind])
        self.send(h2.data(stream, b"ok", True))

    def do_leaving(self, stream, path, *_):
        """All of it, and then gone: at once, or with a word."""
        self.head(stream, 200, ("content-length", str(len(BIG))), ("cache-control", "no-store"))
        self.body(stream, BIG)
        if path.endswith("/goaway"):
            self.send(h2.goaway(stream, h2.NO_ERROR))
        else:
            self.socket.shutdown(socket.SHUT_WR)
            while self.read():  # what is unread would make it a reset, which loses what is under way
                pass

    def do_push(self, stream, path, *_):
        promise = struct.pack(">I", 2) + h2.block_of(self.fields_of("/pushed", authority="x"))
        self.send(h2.frame(h2.PUSH_PROMISE, h2.END_HEADERS, stream, promise))
        self.plain(stream, path.encode())


class Origin(raw.Origin):
    def __init__(self, certs, alpn=("h2",), streams=100):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certs.path("good.pem"), certs.path("good.key"))
        self.context.set_alpn_protocols(list(alpn))
        self.streams = streams
        self.chosen = []
        self.ca = certs.path("ca.pem")
        self.pings = 0
        super().__init__(self.answer)
        self.base = f"https://localhost:{self.port}"

    def run(self, conn, *_):
        conn.settimeout(raw.PATIENCE)
        with contextlib.suppress(OSError), self.context.wrap_socket(conn, server_side=True) as safe:
            self.chosen.append(safe.selected_alpn_protocol())
            if self.chosen[-1] == "h2":
                Serving(safe, self).run()
            else:
                super().run(safe)

    def answer(self, conn, head, _rest):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh1")

    def count(self, path):
        return sum(dict(head)[":path"] == path for head in self.heads)


class Scene:
    def __init__(self, program, folder, origins, *options):
        """`origins`: by the name of the host they are asked for."""
        folder.mkdir(exist_ok=True)
        sites = "".join(f"  - {{hosts: {name}, origins: '{origin.base}', ca: {origin.ca}}}\n"
                        for name, origin in origins.items())
        file = folder / "proxy.yaml"
        file.write_text("sites:\n" + sites)
        self.proxy = larder.Proxy(program, str(folder / "store"), "--config", str(file),
                                  "--workers", "1", *options)
        self.proxy.start()

    def get(self, path, host="h2.test", method="GET", body=b"", fields=""):
        """(status, head, body, how it ended)"""
        request = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}"
        request += f"Content-Length: {len(body)}\r\n" if body or method == "POST" else ""
        data, how = raw.ask(self.proxy.port, request.encode() + b"\r\n" + body, half_close=False)
        while data.startswith(b"HTTP/1.1 1"):
            data = data.partition(b"\r\n\r\n")[2]
        head, _, rest = data.partition(b"\r\n\r\n")
        return int(data[9:12] or 0), head.decode(), rest, how

    def together(self, paths, host="h2.test"):
        answers = {}

        def one(path):
            answers[path] = self.get(path, host)
        threads = [threading.Thread(target=one, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers


def usual(scene):
    status, head, body, _ = scene.get("/small/a")
    check(status == 200 and body == b"/small/a", f"small: {status} {body}")
    check("content-length: 8" in head.lower(), head)
    check(scene.h2.chosen == ["h2"], f"ALPN: {scene.h2.chosen}")
    check("; hit" in scene.get("/small/a")[1], "it was kept")
    sent = dict(scene.h2.heads[0])
    check(sent[":scheme"] == "https" and sent[":authority"] == "h2.test" and "via" in sent and
          "host" not in sent and "connection" not in sent, f"what was asked: {sent}")
    check(scene.get("/small/a", "h1.test")[2] == b"h1", "HTTP/1.1 where h2 is not spoken")
    check(scene.get("/big")[2] == BIG, "a large body")
    check(scene.get("/big", "narrow.test")[2] == BIG, "a large body, again")
    status, head, body, _ = scene.get("/unknown-length")
    check(status == 200 and raw.unchunked(head, body) == BIG[:100_000], "unknown length")
    check(scene.get("/none")[0] == 204, "204")
    head = scene.get("/headed", method="HEAD")[1]
    check("content-length: 5001" in head.lower(), f"a HEAD tells the length: {head}")
    scene.get("/shrinks")
    status, head, _, _ = scene.get("/shrinks", method="HEAD", fields="Cache-Control: no-cache\r\n")
    check("content-length: 3" in head.lower(), f"of what the origin has now: {head}")
    check("; hit" not in scene.get("/shrinks", method="HEAD")[1], "what was kept has another")
    for size in (0, 1, 70_000, 1_000_000):
        status, head, body, how = scene.get("/echo", method="POST", body=BIG[:size])
        check(raw.unchunked(head, body) == BIG[:size], f"echo {size}: {status}, {len(body)}, {how}")
        told = dict(scene.h2.heads[-1])
        check(told.get("content-length") == str(size), f"its length is told, 0 too: {told}")
    check(scene.get("/push")[0] == 502, "a push, which we forbade, ends the connection (8.4)")
    check(scene.get("/small/after")[2] == b"/small/after", "and the next request has another")


def shared(scene):
    connections = scene.h2.connections
    paths = [f"/held/{n}" for n in range(HELD)]
    answers = scene.together(paths)
    check(all(answers[path][2] == path.encode() for path in paths), "each has its own answer")
    check(scene.h2.connections - connections <= 1, f"{scene.h2.connections - connections} more")
    paths = [f"/small/{n}" for n in range(60)]
    answers = scene.together(paths, "narrow.test")
    check(all(answers[path][2] == path.encode() for path in paths),
          "more at once than an origin takes on a connection")


def again(scene):
    check(scene.get("/refused")[2] == b"/refused" and scene.h2.count("/refused") == 2, "refused")
    status = scene.get("/always-refused")[0]
    check(status == 502 and scene.h2.count("/always-refused") == 2,
          f"refused for ever: {status}, {scene.h2.count('/always-refused')} times")
    scene.get("/small/b")
    check(scene.get("/goaway")[2] == b"/goaway" and scene.h2.count("/goaway") == 2,
          f"left out by GOAWAY: {scene.h2.count('/goaway')}")
    for path in ("/refused-echo/reset", "/refused-echo/goaway"):
        for method, body in (("POST", b""), ("POST", b"once"), ("PUT", BIG[:30_000])):
            asked = f"{path}/{method}/{len(body)}"
            status, head, got, _ = scene.get(asked, method=method, body=body)
            check(raw.unchunked(head, got) == body and scene.h2.count(asked) == 2,
                  f"{asked}: {status}, asked {scene.h2.count(asked)} times")
    status = scene.get("/refused-echo/large", method="POST", body=BIG)[0]
    check(status == 502 and scene.h2.count("/refused-echo/large") == 1,
          f"a body that is no more here: {status}, {scene.h2.count('/refused-echo/large')} times")
    for method, body, times in (("GET", b"", 2), ("POST", b"", 1), ("POST", b"once", 1)):
        scene.get("/small/b")  # so that the connection is not new
        status = scene.get(f"/dropped/{method}{len(body)}", method=method, body=body)[0]
        count = scene.h2.count(f"/dropped/{method}{len(body)}")
        check(count == times and status == (200 if times == 2 else 502),
              f"dropped {method} {body}: {status}, {count} times")
    check(scene.get("/last")[2] == b"/last" and scene.h2.count("/last") == 1, "the last answer")
    check(scene.get("/small/c")[2] == b"/small/c", "and on another connection")


def broken(scene):
    for path in ("/cut", "/short", "/gone"):
        status, head, body, how = scene.get(path)
        whole = "chunked" in head.lower() and body.endswith(b"0\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split("\r\n")
                       if line.startswith("content-length:")), None)
        check(status in (200, 502) and not whole and
              (status == 502 or length is None or len(body) < length),
              f"{path}: {status}, {len(body)} bytes of {length}, {how}")
        check("; hit" not in scene.get(path)[1], f"{path} was kept as if it were whole")
    for kind in ("upper", "connection", "coding", "cr", "nul", "pseudo", "twice", "status", "101"):
        status, head, _, _ = scene.get(f"/bad/{kind}")
        check(status == 502, f"malformed, {kind}: {status} {head}")
    check(scene.get("/small/d")[2] == b"/small/d", "it still works")


def slow(scene):
    """Who reads slowly has all of it, though the origin has long gone."""
    for path in ("/leaving/goaway", "/leaving/closed", "/leaving/closed"):
        with raw.connect(scene.proxy.port, receive_buffer=4096) as conn:
            conn.sendall(f"GET {path} HTTP/1.1\r\nHost: h2.test\r\nConnection: close\r\n\r\n".encode())
            data = b""
            while more := conn.recv(50_000):
                data += more
                time.sleep(0.003)
            body = data.partition(b"\r\n\r\n")[2]
            check(body == BIG, f"{path}: {len(body)} bytes of {len(BIG)}")


# ---- an origin that falls silent, and leaves its connection open ----

def silent_get(scene, origin, host):
    """What was asked on it is asked again on another."""
    scene.get("/last-words", host)
    paths = [f"/small/{n}" for n in range(3)]
    answers = scene.together(paths, host)
    for path in paths:
        check(answers[path][2] == path.encode() and origin.count(path) == 2,
              f"{path} of one that is silent: {answers[path][:2]}, asked {origin.count(path)} times")
    check(origin.pings == 1, f"it was asked whether it is there {origin.pings} times")
    check(scene.get("/small/later", host)[0] == 200 and origin.count("/small/later") == 1, "later")


def silent_post(scene, origin, host):
    """Who knows what has been done?"""
    scene.get("/last-words", host)
    status = scene.get("/echo", host, "POST", b"once")[0]
    check(status == 502 and origin.count("/echo") == 1, f"{status}, {origin.count('/echo')} times")


def silent_and_doubted(scene, origin, host):
    """Before it is given up, others are asked elsewhere."""
    scene.get("/last-words", host)
    threads = [threading.Thread(target=scene.get, args=("/small/first", host))]
    threads[0].start()
    elsewhere = []

    def other(path):
        if scene.get(path, host)[0] == 200 and threads[0].is_alive() and origin.count(path) == 1:
            elsewhere.append(path)
    while threads[0].is_alive() and not elsewhere:
        threads.append(threading.Thread(target=other, args=(f"/small/{len(threads)}",)))
        threads[-1].start()
        time.sleep(0.2)
    for thread in threads:
        thread.join()
    check(elsewhere, "another connection is opened before the silent one is given up")
    check(origin.count("/small/first") == 2, "and at last that one is left")


def silent_and_idle(scene, origin, host):
    """The first request after a long pause does not go without a question."""
    scene.get("/small/a", host)
    time.sleep(SILENCE + 0.2)
    check(scene.get("/small/b", host)[0] == 200 and origin.pings == 1 and origin.connections == 1,
          f"after a pause: {origin.pings} PINGs, {origin.connections} connections")
    scene.get("/last-words", host)
    time.sleep(SILENCE + 0.2)
    status = scene.get("/small/c", host)[0]
    check(status == 200 and origin.pings == 2 and origin.count("/small/c") == 2,
          f"after a pause in which it was lost: {status}, {origin.pings} PINGs")


def silent_but_there(scene, origin, host):
    """Who answers the question has all the time there is, and is asked once."""
    status = scene.get("/thinks", host)[0]
    check(status == 200 and origin.count("/thinks") == 1 and origin.pings == 1,
          f"one that thinks: {status}, asked {origin.count('/thinks')} times, {origin.pings} PINGs")


def silence(program, folder, certs):
    scenes = {name.__name__.replace("_", "-") + ".test": name for name in (
        silent_get, silent_post, silent_and_doubted, silent_and_idle, silent_but_there)}
    origins = {host: Origin(certs) for host in scenes}
    scene = Scene(program, folder / "silence", origins, "--set", f"timeouts.first-byte={PATIENCE}s")
    threads = [threading.Thread(target=act, args=(scene, origins[host], host))
               for host, act in scenes.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(scene.proxy.stop(), "it leaves by itself")


def timeouts(program, folder, certs):
    """A connection on which a request has timed out, and nothing else has come, gets no others."""
    origin = Origin(certs)
    scene = Scene(program, folder / "timeouts", {"lost.test": origin},
                  "--set", f"timeouts.first-byte={SILENCE}s")
    scene.get("/last-words", "lost.test")
    statuses = [scene.get(f"/small/{n}", "lost.test")[0] for n in range(5)]
    check(statuses in ([504] + [200] * 4, [200] * 5), f"behind one that is silent: {statuses}")
    check(scene.proxy.stop(), "it leaves by itself")


def logged(log):
    """Of a connection that is used by many, too, it is known where it leads."""
    lines = [line.split() for line in log.read_text().splitlines()]
    told = {(path, outcome): origin for path, outcome, origin in lines}
    check(told["/small/a", "miss"] == "127.0.0.1", f"the first one: {told}")
    check(told["/small/a", "hit-memory"] == "-", "nobody was asked for that")
    shared_ones = {told.get((f"/held/{n}", "miss")) for n in range(HELD)}
    check(shared_ones <= {"127.0.0.1", "::1"} and shared_ones, f"on one connection: {shared_ones}")


def main():
    program = f"{sys.argv[1]}/proxy/larder-proxy"
    larder.need(program)
    with tempfile.TemporaryDirectory(prefix="larder-h2o.") as name:
        folder = pathlib.Path(name)
        certs = certificates.Certs(folder)
        certs.sign("good", "DNS:localhost,IP:127.0.0.1")
        origins = {"h2.test": Origin(certs), "h1.test": Origin(certs, ("http/1.1",)),
                   "narrow.test": Origin(certs, streams=2)}
        log = folder / "access.log"
        scene = Scene(program, folder / "usual", origins, "--set",
                      f"log.access={{to: {log}, format: '{{path}} {{outcome}} {{origin}}'}}")
        scene.h2 = origins["h2.test"]
        usual(scene)
        shared(scene)
        again(scene)
        broken(scene)
        slow(scene)
        check(scene.proxy.stop(), "it leaves by itself")
        logged(log)
        silence(program, folder, certs)
        timeouts(program, folder, certs)
    check.end()


if __name__ == "__main__":
    main()
