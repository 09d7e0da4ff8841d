#!/usr/bin/env python3
"""Fields behind bodies (RFC 9110 6.5, RFC 9113 8.1): trailers.py BUILD

Both ways, between HTTP/1.1 and HTTP/2 on either side, they go on behind the body, but for those that
belong in a head. They are not stored, and who has no chunked coding does not get them. With that gRPC
passes.
"""
import pathlib
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs as certificates  # noqa: E402
import h2  # noqa: E402
import h2_origins  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

check = raw.Checks()
FORBIDDEN = [("content-length", "5"), ("host", "evil"), ("set-cookie", "a=b"), ("vary", "*"),
             ("cache-control", "no-store"), ("content-type", "text/evil"), ("authorization", "x"),
             ("x-forwarded-for", "192.0.2.1")]
FORBIDDEN_H2 = FORBIDDEN[1:]  # a length there is malformed: what it says is not what came


def lines(fields):
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode()


def chunks(body, trailers):
    return b"%x\r\n%s\r\n" % (len(body), body) * bool(body) + b"0\r\n" + lines(trailers) + b"\r\n"


def split_chunks(data):
    """(body, trailers as a list) of a chunked body that is whole, else (None, None)."""
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        if not size:
            return None, None
        length = int(size, 16)
        if length == 0:
            rest, _, behind = data.rpartition(b"\r\n")
            fields = [tuple(line.decode().split(": ", 1)) for line in rest.split(b"\r\n") if line]
            return (body, fields) if not behind else (None, None)
        body += data[:length]
        data = data[length + 2:]


def read_chunked(conn, data):
    """Until the section behind the last chunk has ended."""
    while not (data.startswith(b"0\r\n") or b"\r\n0\r\n" in data) or not data.endswith(b"\r\n\r\n"):
        more = conn.recv(1 << 16)
        if not more:
            break
        data += more
    return data


class Origin1(raw.Origin):
    def __init__(self):
        self.got = {}  # of paths: (body, trailers)
        self.asked, self.posted = threading.Event(), threading.Event()
        super().__init__(self.answer)

    def answer(self, conn, head, rest):
        path = raw.path_of(head)
        if b"chunked" in head.lower():
            self.got[path] = split_chunks(read_chunked(conn, rest))
        keep = b"max-age=60" if path.startswith("/kept") else b"no-store"
        start = b"HTTP/1.1 200 OK\r\nCache-Control: " + keep + b"\r\n"
        body = b"" if path.startswith("/empty") else b"hello"
        if path.startswith("/hop"):
            conn.sendall(start + b"Connection: x-hop, X-Sum\r\nX-Hop: head\r\nConnection: x-c\r\n"
                         b"Trailer: X-Hop, X-Kept\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n" +
                         chunks(body, [("X-Hop", "1"), ("X-Kept", "k"), ("X-Sum", "2"), ("X-C", "3")]))
            return False
        if path == "/replaced":
            return self.replaced(conn, head)
        if path.startswith("/long"):
            conn.sendall(start + b"Content-Length: 5\r\n\r\nhello")
            return False
        conn.sendall(start + b"Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n")
        if not head.startswith(b"HEAD"):
            conn.sendall(chunks(body, [("X-Sum", "1"), *FORBIDDEN, ("x-last", "a b")]))
        return False


    def replaced(self, conn, head):
        """A part of what it was, which no store may keep, after a POST has brought what it is."""
        if head.startswith(b"POST"):
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Location: /replaced\r\nCache-Control: max-age=600\r\n"
                         b'ETag: "post"\r\nContent-Length: 6\r\n\r\nposted')
            return False
        self.asked.set()
        self.posted.wait(60)
        conn.sendall(b"HTTP/1.1 206 Partial Content\r\nCache-Control: no-store\r\nETag: \"get\"\r\n"
                     b"Content-Range: bytes 0-1/5\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n" +
                     chunks(b"he", [("X-Sum", "1")]))
        return False


class Serving(h2_origins.Serving):
    """The path says what: /unary, /empty, /only, /stream."""

    def serve(self, got):
        stream = self.streams.get(got.stream)
        if got.kind not in (h2.HEADERS, h2.DATA) or not stream or not stream.heads:
            return
        path = dict(stream.heads[0])[":path"]
        if path.startswith("/stream"):
            self.stream(got, stream)
        elif stream.ended:
            self.origin.heads.append(stream.heads[0])
            self.origin.got[path] = (bytes(stream.body), stream.heads[1:])
            self.unary(got.stream, path, bytes(stream.body))

    def unary(self, number, path, body):
        grpc = ("content-type", "application/grpc")
        status = [("grpc-status", "0"), ("grpc-message", "fine")]
        if path.startswith("/only"):
            self.head(number, 200, grpc, ("grpc-status", "5"), end=True)
            return
        cache = ("cache-control", "max-age=60" if path.startswith("/kept") else "no-store")
        self.head(number, 200, grpc, cache, ("trailer", "grpc-status"))
        if not path.startswith("/empty"):
            self.body(number, body or b"answer", end=False)
        self.headers(status + FORBIDDEN_H2, True, number)

    def stream(self, got, stream):
        """Each message is answered when it comes."""
        if got.kind == h2.HEADERS and len(stream.heads) == 1:
            self.head(got.stream, 200, ("content-type", "application/grpc"))
        elif got.kind == h2.DATA and got.payload:
            self.body(got.stream, got.payload.upper(), end=False)
        if stream.ended:
            self.headers([("grpc-status", str(len(stream.heads)))], True, got.stream)


class Origin2(h2_origins.Origin):
    def __init__(self, certs):
        self.got = {}
        super().__init__(certs)

    def run(self, conn, *_):
        conn.settimeout(60)
        with self.context.wrap_socket(conn, server_side=True) as safe:
            try:
                Serving(safe, self).run()
            except OSError:
                pass


class Scene:
    def __init__(self, program, folder):
        certs = certificates.Certs(folder)
        certs.sign("good", "DNS:localhost,IP:127.0.0.1")
        self.h1, self.h2 = Origin1(), Origin2(certs)
        file = folder / "proxy.yaml"
        file.write_text(f"sites:\n  - {{hosts: h1.test, origins: '{self.h1.base}'}}\n"
                        f"  - {{hosts: h2.test, origins: '{self.h2.base}', "
                        f"ca: {certs.path('ca.pem')}}}\n")
        self.proxy = larder.Proxy(program, str(folder / "store"), "--config", str(file),
                                  "--workers", "1")
        self.proxy.start()

    def ask(self, path, host, method="GET", version="1.1", fields="TE: trailers\r\n", body=b""):
        """(head, body, trailers) with HTTP/1"""
        request = f"{method} {path} HTTP/{version}\r\nHost: {host}\r\nConnection: close, TE\r\n{fields}"
        data, _ = raw.ask(self.proxy.port, request.encode() + b"\r\n" + body, half_close=False)
        head, _, rest = data.partition(b"\r\n\r\n")
        if b"chunked" in head.lower():
            return head.decode(), *split_chunks(rest)
        return head.decode(), rest, []

    def client(self, host):
        conn = h2.Connection(self.proxy.port)
        conn.authority = host
        return conn

    def post(self, conn, path, body, trailers=(), more=(("te", "trailers"),)):
        stream = conn.request(path, end=False, method="POST", more=more)
        conn.send(h2.data(stream, body, not trailers))
        if trailers:
            conn.headers(list(trailers), True, stream)
        return conn.response(stream)


SENT = [("X-Sum", "1"), ("x-last", "a b")]
GRPC = [("grpc-status", "0"), ("grpc-message", "fine")]


def from_h1_to_h1(scene):
    head, body, trailers = scene.ask("/a", "h1.test", fields="TE: trailers, deflate\r\n")
    check(body == b"hello" and trailers == SENT, f"a response: {body} {trailers}")
    check("\r\ntrailer: x-sum\r\n" in head.lower() + "\r\n" and "x-last" not in head, head)
    asked = scene.h1.heads[-1].decode().lower()
    check("\r\nte: trailers\r\n" in asked and "\r\nconnection: te\r\n" in asked, f"TE: {asked}")
    for number in range(30):  # whole in one read, or not: the same
        check(scene.ask(f"/a{number}", "h1.test")[2] == SENT, f"a response, {number}")
    for fields in ("", "TE: gzip\r\n", "Connection: x\r\n"):
        check(scene.ask("/b", "h1.test", fields=fields)[1:] == (b"hello", []), "nobody asked for them")
        check("te:" not in scene.h1.heads[-1].decode().lower(), "nor did we")
    _, body, trailers = scene.ask("/empty", "h1.test")
    check(body == b"" and trailers == SENT, f"behind nothing: {body} {trailers}")
    request = chunks(b"body", [("X-Mine", "2"), *FORBIDDEN, ("Transfer-Encoding", "x")])
    scene.ask("/up", "h1.test", "POST", fields="Transfer-Encoding: chunked\r\nTrailer: X-Mine\r\n",
              body=request)
    check(scene.h1.got["/up"] == (b"body", [("X-Mine", "2")]), f"a request's: {scene.h1.got['/up']}")
    check("\r\ntrailer: x-mine\r\n" in scene.h1.heads[-1].decode().lower(), "announced")


def of_one_hop(scene):
    """What Connection names is for that hop alone, also behind the body (RFC 9110 7.6.1)."""
    head, body, trailers = scene.ask("/hop", "h1.test")
    check(body == b"hello" and trailers == [("X-Kept", "k")], f"a response's: {body} {trailers}")
    check("\r\ntrailer: x-kept\r\n" in head.lower() and "X-Hop" not in head, f"its head: {head}")
    with scene.client("h1.test") as conn:
        got = conn.get("/hop", more=[("te", "trailers")])
        check(got.heads[1:] == [[("x-kept", "k")]], f"to HTTP/2: {got.heads}")
    sent = chunks(b"body", [("X-Hop", "1"), ("X-Kept", "k"), ("x-sum", "2")])
    fields = ("Transfer-Encoding: chunked\r\nTrailer: X-Hop, X-Kept, x-sum\r\n"
              "Connection: x-hop, X-Sum\r\n")
    scene.ask("/up-hop", "h1.test", "POST", fields=fields, body=sent)
    check(scene.h1.got["/up-hop"] == (b"body", [("X-Kept", "k")]), f"{scene.h1.got['/up-hop']}")
    asked = scene.h1.heads[-1].decode().lower()
    check("\r\ntrailer: x-kept\r\n" in asked and "x-hop" not in asked, f"a request's head: {asked}")
    scene.ask("/unary-hop", "h2.test", "POST", fields=fields, body=sent)
    check(scene.h2.got["/unary-hop"] == (b"body", [[("x-kept", "k")]]), f"{scene.h2.got}")


def who_gets_none(scene):
    head, body, _ = scene.ask("/old", "h1.test", version="1.0")
    check(body == b"hello" and "x-sum" not in head.lower(), f"HTTP/1.0: {head} {body}")
    head, body, _ = scene.ask("/head", "h1.test", "HEAD")
    check(body == b"" and "X-Sum: 1" not in head, f"HEAD: {head} {body}")
    head, body, _ = scene.ask("/long", "h1.test")
    check(body == b"hello" and "content-length: 5" in head.lower(), f"a known length: {head}")
    _, body, trailers = scene.ask("/kept", "h1.test")
    check(body == b"hello" and trailers == SENT, f"who caused the fetch: {body} {trailers}")
    head, body, trailers = scene.ask("/kept", "h1.test")
    check("; hit" in head and body == b"hello" and trailers == [] and "railer" not in head and
          "X-Sum" not in head, f"a hit: {head} {body} {trailers}")
    head, body, trailers = scene.ask("/kept", "h1.test", fields="TE: trailers\r\nRange: bytes=1-2\r\n")
    check(" 206 " in head and body == b"el" and trailers == [], f"a part: {head}")
    head, body, trailers = scene.ask("/kept-part", "h1.test",
                                     fields="TE: trailers\r\nRange: bytes=1-2\r\n")
    check(trailers in ([], SENT) and "X-Sum: 1" not in head, f"a part of what comes: {head}")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(scene.ask("/kept-by-many", "h1.test")))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(all(body == b"hello" and trailers in ([], SENT) and "X-Sum: 1" not in head
              for head, body, trailers in answers), f"together: {answers}")


def of_another(scene):
    """What is delivered at last is not what the fetch brought, whose trailers have come already."""
    answers = []
    fields = 'TE: trailers\r\nRange: bytes=0-1\r\nIf-Range: "old"\r\n'
    thread = threading.Thread(target=lambda: answers.append(
        scene.ask("/replaced", "h1.test", fields=fields)))
    thread.start()
    check(scene.h1.asked.wait(60), "the origin is asked for the part")
    head, body, _ = scene.ask("/replaced", "h1.test", "POST", fields="Content-Length: 0\r\n")
    check(body == b"posted", f"a POST meanwhile: {head} {body}")
    scene.h1.posted.set()
    thread.join()
    head, body, trailers = answers[0]
    check(head.startswith("HTTP/1.1 200 ") and "; hit" in head and body == b"posted", f"{head} {body}")
    check(trailers == [] and "railer" not in head and "ontent-Length: 6" in head,
          f"nothing of the other: {head} {trailers}")


def from_h2(scene):
    with scene.client("h1.test") as conn:
        got = conn.get("/b", more=[("te", "trailers")])
        check(got.body == b"hello" and got.heads[1:] == [[("x-sum", "1"), ("x-last", "a b")]],
              f"from HTTP/1: {got.heads}")
        got = scene.post(conn, "/up2", b"body", [("x-mine", "3"), *FORBIDDEN_H2])
        check(scene.h1.got["/up2"] == (b"body", [("x-mine", "3")]), f"{scene.h1.got['/up2']}")
        check(got.heads[1:] != [], f"and back: {got.heads}")
        got = conn.get("/kept")
        check(got.body == b"hello" and len(got.heads) == 1 and got.ended, f"a hit: {got.heads}")
    with scene.client("h2.test") as conn:
        got = scene.post(conn, "/unary", b"question", [("x-mine", "4"), *FORBIDDEN_H2])
        check(got.status == 200 and got.body == b"question" and got.heads[1:] == [GRPC],
              f"gRPC: {got.heads} {bytes(got.body)}")
        check(scene.h2.got["/unary"] == (b"question", [[("x-mine", "4")]]), f"{scene.h2.got}")
        check(dict(scene.h2.heads[-1]).get("te") == "trailers", f"te: {scene.h2.heads[-1]}")
        for number in range(30):
            got = scene.post(conn, f"/unary{number}", b"q", more=[])
            check(got.heads[1:] == [GRPC] and got.body == b"q", f"gRPC, {number}: {got.heads}")
        check("te" not in dict(scene.h2.heads[-1]), "nobody asked for them")
        for number in range(10):
            got = scene.post(conn, f"/empty{number}", b"q")
            check(got.heads[1:] == [GRPC] and got.body == b"", f"without a message: {got.heads}")
        got = scene.post(conn, "/only", b"q")
        check(got.fields.get("grpc-status") == "5" and len(got.heads) == 1 and got.ended,
              f"nothing but a head: {got.heads}")
        got = conn.get("/kept")
        check(got.heads[1:] == [GRPC] and got.body == b"answer", f"a GET: {got.heads}")
        got = conn.get("/kept")
        check("; hit" in got.fields["cache-status"] and len(got.heads) == 1 and
              got.body == b"answer", f"and again: {got.heads}")


def streaming(scene):
    """Messages both ways at once, and the status at the end."""
    with scene.client("h2.test") as conn:
        stream = conn.request("/stream", end=False, method="POST", more=[("te", "trailers")])
        check(conn.head(stream).status == 200, "the head comes before the first message")
        for number in range(20):
            conn.send(h2.data(stream, b"message %d;" % number))
            want = b"".join(b"MESSAGE %d;" % n for n in range(number + 1))
            conn.until(lambda: len(conn.streams[stream].body) >= len(want))
            check(conn.streams[stream].body == want, f"message {number}")
        conn.headers([("x-mine", "1")], True, stream)
        got = conn.response(stream)
        check(got.heads[1:] == [[("grpc-status", "2")]], f"at the end: {got.heads}")


def from_h1_to_h2(scene):
    head, body, trailers = scene.ask("/unary", "h2.test", "POST", fields="TE: trailers\r\n"
                                     "Transfer-Encoding: chunked\r\n", body=chunks(b"q", [("X-M", "1")]))
    check(body == b"q" and trailers == GRPC, f"HTTP/1 from HTTP/2: {head} {trailers}")
    check(scene.h2.got["/unary"] == (b"q", [[("x-m", "1")]]), f"and up: {scene.h2.got['/unary']}")
    check(dict(scene.h2.heads[-1]).get("te") == "trailers", "te goes on")


def malformed(scene):
    """RFC 9113 8.1: no response, and nothing of it in another."""
    for bad in ([(":status", "200")], [("connection", "close")], [("X-Upper", "1")],
                [("content-length", "5")]):
        with scene.client("h2.test") as conn:
            stream = conn.request("/unary-bad", end=False, method="POST")
            conn.send(h2.data(stream, b"x"))
            conn.headers(bad, True, stream)
            got = conn.response(stream)
            check(got.reset == h2.PROTOCOL_ERROR, f"{bad}: {got.reset} {got.heads}")
    check("/unary-bad" not in scene.h2.got, "it did not go on")
    data, _ = raw.ask(scene.proxy.port, b"POST /bad HTTP/1.1\r\nHost: h1.test\r\nConnection: close\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nno colon\r\n\r\n")
    check(data.startswith(b"HTTP/1.1 400 "), f"HTTP/1: {data}")
    many = [("x-%d" % number, "v" * 200) for number in range(60)]
    data, _ = raw.ask(scene.proxy.port, b"POST /many HTTP/1.1\r\nHost: h1.test\r\nConnection: close\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n" + chunks(b"abc", many))
    check(data.startswith(b"HTTP/1.1 400 "), f"more than there may be: {data[:100]}")


def main():
    program = f"{sys.argv[1]}/proxy/larder-proxy"
    larder.need(program)
    with tempfile.TemporaryDirectory(prefix="larder-trailers.") as folder:
        scene = Scene(program, pathlib.Path(folder))
        for step in (from_h1_to_h1, of_one_hop, who_gets_none, of_another, from_h2, streaming, from_h1_to_h2, malformed):
            step(scene)
        check(scene.proxy.stop(), "it leaves by itself")
    check.end()


if __name__ == "__main__":
    main()
