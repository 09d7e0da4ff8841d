#!/usr/bin/env python3
"""Upgrade (RFC 9110 7.8), through a proxy and a replica: upgrade.py BUILD

A request for another protocol goes to the origin on a connection of its own, and with 101 both become
a tunnel; any other answer is one. What follows a request that might have changed the protocol is never
taken for another request, on neither side.
"""
import contextlib
import json
import pathlib
import socket
import ssl
import sys
import tempfile
import threading
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs as certificates  # noqa: E402
import h2  # noqa: E402
import h2_origins  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402
import websocket as ws  # noqa: E402

check = raw.Checks()
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nplain"


def field(head, name):
    """All values of a field, joined; None without one."""
    values = [line.partition(":")[2].strip() for line in head.decode().split("\r\n")
              if line.lower().startswith(name.lower() + ":")]
    return ", ".join(values) if values else None


class Origin(raw.Origin):
    """What /NAME does is do_NAME(); a request that asks for no upgrade gets PLAIN."""

    def __init__(self):
        self.early = []  # what came before the answer
        self.ends = []   # how tunnels ended
        self.left = threading.Event()  # the proxy has, where the body stalled
        super().__init__(self.answer)

    def answer(self, conn, head, rest):
        name = raw.path_of(head).split("?")[0].strip("/").replace("-", "_")
        asked = (field(head, "Upgrade") or "").lower() in ("websocket", "chat/2")
        act = getattr(self, "do_" + name, None)
        if act and (asked or name.startswith("unasked")):
            return act(conn, head, rest) or True
        conn.sendall(PLAIN)
        return False

    def do_echo(self, conn, head, rest):
        conn.sendall(ws.switch(field(head, "Sec-WebSocket-Key"), "X-Of-Origin: 1", "Keep-Alive: x"))
        with contextlib.suppress(EOFError):
            ws.echo(conn, rest)

    def do_eager(self, conn, head, rest):
        """Speaks in the same breath."""
        conn.sendall(ws.switch(field(head, "Sec-WebSocket-Key")) + ws.frame(ws.TEXT, b"first"))
        with contextlib.suppress(EOFError):
            ws.echo(conn, rest)

    def do_late(self, conn, head, rest):
        """Says first that it is thinking; what the client has sent meanwhile must not be here."""
        conn.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n")
        self.go.wait(60)
        conn.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            rest += conn.recv(1 << 16)
        conn.setblocking(True)
        self.early.append(rest)
        conn.sendall(ws.switch(field(head, "Sec-WebSocket-Key")))
        with contextlib.suppress(EOFError):
            ws.echo(conn, rest)

    def do_raw(self, conn, head, rest):
        """No frames: sends back what came when the client has said its last."""
        conn.sendall(ws.switch(field(head, "Sec-WebSocket-Key")))
        data, how = raw.until_end(conn)
        self.ends.append(how)
        conn.sendall(rest + data)

    def do_breaks(self, conn, head, rest):
        conn.sendall(ws.switch(field(head, "Sec-WebSocket-Key")) + b"beginning")
        raw.reset(conn)

    def decline(self, conn, status, *fields, body=b"declined"):
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *fields]
        conn.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        data = b""
        with contextlib.suppress(OSError):
            data = raw.until_end(conn)[0]
        self.early.append(data)

    def do_forbidden(self, conn, *_):
        self.decline(conn, 403)

    def do_required(self, conn, *_):
        self.decline(conn, 426, "Upgrade: websocket", "Connection: Upgrade")

    def do_ignored(self, conn, *_):
        self.decline(conn, 200, "Cache-Control: max-age=60")

    def do_stalls(self, conn, *_):
        """Announces a body, and nothing of it comes."""
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        with contextlib.suppress(OSError):
            raw.until_end(conn)
        self.left.set()

    def do_not_modified(self, conn, *_):
        self.decline(conn, 304, body=b"")

    def do_other_protocol(self, conn, *_):
        conn.sendall(b"HTTP/1.1 101 X\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\nchat")

    def do_two_protocols(self, conn, *_):
        conn.sendall(b"HTTP/1.1 101 X\r\nUpgrade: websocket, chat\r\nConnection: Upgrade\r\n\r\nx")

    def do_no_connection(self, conn, *_):
        conn.sendall(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\nx")

    def do_silent(self, conn, *_):
        """Leaves without a word."""

    def do_unasked(self, conn, *_):
        conn.sendall(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + PLAIN)


class SafeOrigin(Origin):
    """Over TLS, and h2 is what it would like best."""

    def __init__(self, certs):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certs.path("good.pem"), certs.path("good.key"))
        self.context.set_alpn_protocols(["h2", "http/1.1"])
        self.chosen = []
        super().__init__()

    def run(self, conn):
        with contextlib.suppress(OSError), self.context.wrap_socket(conn, server_side=True) as safe:
            self.chosen.append(safe.selected_alpn_protocol())
            super().run(safe)

    def do_echo(self, conn, head, rest):
        super().do_echo(conn, head, rest)
        with contextlib.suppress(OSError):
            conn.unwrap()  # who leaves without a word has broken off


class Serving2(h2_origins.Serving):
    def do_echo(self, stream, path, *_):
        self.head(stream, 200, ("content-length", "5"), ("cache-control", "max-age=60"))
        self.body(stream, b"plain")


class OnlyHttp2(h2_origins.Origin):
    """Refuses whoever offers HTTP/1.1 alone (RFC 7301 3.2)."""

    def __init__(self, certs):
        self.refused = 0
        super().__init__(certs)

    def run(self, conn, *_):
        conn.settimeout(60)
        with contextlib.suppress(OSError):
            hello = conn.recv(5, socket.MSG_PEEK | socket.MSG_WAITALL)
            length = 5 + int.from_bytes(hello[3:5], "big")
            hello = conn.recv(length, socket.MSG_PEEK | socket.MSG_WAITALL)
            if b"\x08http/1.1" in hello and b"\x02h2\x08" not in hello:
                self.refused += 1
                conn.recv(length, socket.MSG_WAITALL)
                conn.sendall(bytes((21, 3, 3, 0, 2, 2, 120)))
                raw.until_end(conn)
                conn.close()
                return
            with self.context.wrap_socket(conn, server_side=True) as safe:
                Serving2(safe, self).run()


class Deaf(h2_origins.Origin):
    """Speaks HTTP/2 whatever was agreed on: nothing, when HTTP/1.1 alone is offered."""

    def run(self, conn, *_):
        conn.settimeout(60)
        with contextlib.suppress(OSError), self.context.wrap_socket(conn, server_side=True) as safe:
            if safe.selected_alpn_protocol() == "h2":
                Serving2(safe, self).run()
                return
            safe.sendall(h2.settings((h2.MAX_CONCURRENT_STREAMS, 100)))
            self.said.append(raw.until_head(safe)[0])
            safe.sendall(h2.goaway(0, h2.PROTOCOL_ERROR, SMUGGLED))
            safe.unwrap()

    def __init__(self, certs):
        self.said = []
        super().__init__(certs)


class Scene:
    def __init__(self, program, folder):
        certs = certificates.Certs(folder)
        certs.sign("good", "DNS:localhost,IP:127.0.0.1")
        self.origin, self.safe, self.http2 = Origin(), SafeOrigin(certs), OnlyHttp2(certs)
        self.deaf = Deaf(certs)
        self.log = folder / "access.log"
        file = folder / "proxy.yaml"
        file.write_text(f"sites:\n  - {{hosts: site.test, origins: '{self.origin.base}'}}\n"
                        f"  - {{hosts: http2.test, origins: '{self.http2.base}', "
                        f"ca: {certs.path('ca.pem')}}}\n"
                        f"  - {{hosts: deaf.test, origins: '{self.deaf.base}', "
                        f"ca: {certs.path('ca.pem')}}}\n"
                        f"  - {{hosts: safe.test, origins: 'https://localhost:{self.safe.port}', "
                        f"ca: {certs.path('ca.pem')}}}\n")
        self.proxy = larder.Proxy(program, str(folder / "store"), "--config", str(file),
                                  "--workers", "1", "--access-log", str(self.log))
        self.other = larder.Proxy(program, str(folder / "other"), "--workers", "1",
                                  "--set", "upgrades=[chat/2]", "--set", "timeouts.tunnel-idle=2s",
                                  "--set", "timeouts.origin-body=2s")
        self.proxy.start()
        self.other.start()

    def target(self, path):
        return self.origin.base + path

    def ask(self, target, *more, host=None, behind=b"", port=None):
        """The handshake with `behind` in one breath: (connection, head, what came behind it)"""
        host = host or f"127.0.0.1:{self.origin.port}"
        conn = raw.connect(port or self.proxy.port, 60)
        conn.sendall(ws.request(target, host, *more) + behind)
        head, rest = raw.until_head(conn)
        return conn, head, rest

    def open(self, target, *more, **how):
        conn, head, rest = self.ask(target, *more, **how)
        check(head.startswith(b"HTTP/1.1 101 "), f"{target}: {head}")
        return ws.Client(conn, rest)

    def admin(self, path, proxy=None):
        with urllib.request.urlopen(f"http://127.0.0.1:{(proxy or self.proxy).admin}{path}") as answer:
            return answer.read().decode()


def talk(client, name):
    """A conversation with an echo, to its end."""
    big = bytes(range(256)) * 8192
    with client.conn:
        check(client.ask(ws.TEXT, b"hello") == (ws.TEXT, b"hello"), f"{name}: text")
        check(client.ask(ws.PING, b"there?") == (ws.PONG, b"there?"), f"{name}: ping")
        sender = threading.Thread(target=client.send, args=(ws.BINARY, big))
        sender.start()
        check(client.reader.message() == (ws.BINARY, big), f"{name}: two megabytes")
        sender.join()
        client.send(ws.TEXT, b"in ", final=False)
        client.send(ws.CONTINUATION, b"two")
        check(client.reader.message() == (ws.TEXT, b"in two"), f"{name}: fragments")
        check(client.close(), f"{name}: closed by both")


def tunnels(scene):
    conn, head, rest = scene.ask(scene.target("/echo"), "Keep-Alive: x", "Connection: x-hop",
                                 "X-Hop: 1", "Proxy-Authorization: Basic eDp5", "X-Kept: 1")
    check(head.startswith(b"HTTP/1.1 101 "), f"through a proxy: {head}")
    check(field(head, "Upgrade") == "websocket" and field(head, "Connection").lower() == "upgrade" and
          field(head, "Sec-WebSocket-Accept") == ws.accept_of(ws.KEY) and
          field(head, "X-Of-Origin") == "1" and field(head, "Keep-Alive") is None and
          field(head, "Content-Length") is None and "1.1" in field(head, "Via"), f"its head: {head}")
    status = field(head, "Cache-Status")
    check("fwd=bypass" in status and "fwd-status=101" in status and "detail=upgrade" in status, status)
    asked = scene.origin.heads[-1]
    check(asked.startswith(b"GET /echo HTTP/1.1\r\n") and field(asked, "Upgrade") == "websocket" and
          field(asked, "Connection") == "upgrade" and field(asked, "Sec-WebSocket-Key") == ws.KEY and
          field(asked, "X-Hop") is None and field(asked, "Proxy-Authorization") is None and
          field(asked, "X-Kept") == "1" and field(asked, "Via"), f"what was asked: {asked}")
    talk(ws.Client(conn, rest), "through a proxy")
    talk(scene.open("/echo?q=1", host="site.test"), "a replica")
    talk(scene.open("/echo", host="safe.test"), "a replica, TLS to the origin")
    check(scene.safe.chosen == ["http/1.1"], f"ALPN: {scene.safe.chosen}")


def first_words(scene):
    client = scene.open(scene.target("/eager"), behind=ws.frame(ws.TEXT, b"early", b"mask"))
    with client.conn:
        check(client.reader.message() == (ws.TEXT, b"first"), "behind the 101")
        check(client.reader.message() == (ws.TEXT, b"early"), "behind the request")
        check(client.close(), "closed")
    scene.origin.go = threading.Event()
    conn, head, rest = scene.ask(scene.target("/late"), behind=ws.frame(ws.TEXT, b"early", b"mask"))
    with conn:
        check(head.startswith(b"HTTP/1.1 103 ") and not rest, f"an interim response: {head}")
        conn.sendall(ws.frame(ws.TEXT, b"more", b"mask"))
        scene.origin.go.set()
        head, rest = raw.until_head(conn)
        check(head.startswith(b"HTTP/1.1 101 "), f"and then: {head}")
        client = ws.Client(conn, rest)
        check([client.reader.message()[1] for _ in range(2)] == [b"early", b"more"], "in order")
        check(client.close(), "closed")
    check(scene.origin.early.pop() == b"", "nothing reaches the origin before it has agreed")


def ends(scene):
    client = scene.open(scene.target("/raw"), behind=b"one ")
    with client.conn as conn:
        conn.sendall(b"two")
        conn.shutdown(socket.SHUT_WR)
        check(raw.until_end(conn) == (b"one two", "fin"), "the client has closed its direction only")
    check(scene.origin.ends == ["fin"], f"as the origin sees it: {scene.origin.ends}")
    client = scene.open(scene.target("/breaks"))
    with client.conn as conn:
        data, how = raw.until_end(conn)
        check(b"beginning".startswith(bytes(client.reader.buffer) + data) and how != "open",
              f"the origin broke off: {data} {how}")
    client = scene.open(scene.target("/raw"))
    raw.reset(client.conn)
    while len(scene.origin.ends) < 2:  # the test's own limit of time, else
        pass_a_moment()
    check(scene.get_plain("/after") == 200, "after a client that broke off")


def pass_a_moment():
    threading.Event().wait(0.01)


def declined(scene):
    for path, status in (("/forbidden", 403), ("/required", 426), ("/ignored", 200),
                         ("/not-modified", 502), ("/silent", 502), ("/other-protocol", 502),
                         ("/two-protocols", 502), ("/no-connection", 502)):
        for target, host in ((scene.target(path), None), (path, "site.test")):
            conn, head, rest = scene.ask(target, host=host, behind=SMUGGLED)
            with conn:
                data, how = raw.until_end(conn)
                data = rest + data
                check(head.startswith(b"HTTP/1.1 %d " % status), f"{path}: {head}")
                check(field(head, "Connection").lower() == "close" and how != "open" and
                      b"HTTP/1.1" not in data, f"{path}: the connection ends, {how}: {head} {data}")
                if status in (403, 426, 200):
                    check(data == b"declined", f"{path}: its body: {data}")
                    check("detail=upgrade" in field(head, "Cache-Status"), f"{path}: {head}")
    check(not any(b"smuggled" in head for head in scene.origin.heads), "nothing was smuggled")
    check(all(data == b"" for data in scene.origin.early), f"{scene.origin.early}")
    # Who goes on as if it had been agreed, only later: the connection is over.
    conn, head, rest = scene.ask(scene.target("/ignored"))
    with conn:
        check(rest + raw.until_end(conn)[0] == b"declined", f"declined: {head} {rest}")
    check(scene.get_plain("/unasked") == 502, "101 to an ordinary request")


def only_http2(scene):
    """An origin that speaks nothing in which the protocol could change is not told of it."""
    for number in range(2):
        conn, head, rest = scene.ask(f"/echo?{number}", host="http2.test", behind=SMUGGLED)
        with conn:
            data, how = raw.until_end(conn)
            check(head.startswith(b"HTTP/1.1 200 ") and rest + data == b"plain" and how != "open" and
                  field(head, "Connection").lower() == "close", f"an ordinary answer: {head} {data}")
            check("detail=upgrade" in field(head, "Cache-Status"), f"{head}")
    asked = [dict(head) for head in scene.http2.heads]
    check(scene.http2.refused == 2 and len(asked) == 2, f"asked: {scene.http2.refused} {asked}")
    check(asked[0][":path"] == "/echo?0" and asked[0][":method"] == "GET" and
          "upgrade" not in asked[0] and "connection" not in asked[0], f"what was asked: {asked[0]}")


def frames_for_an_answer(scene):
    """An origin that answers HTTP/1.1 with frames of HTTP/2: that is no answer (RFC 9113 3.2), and
    what is asked of it in HTTP/2 is answered as ever."""
    conn, head, rest = scene.ask("/echo", host="deaf.test", behind=SMUGGLED)
    with conn:
        data, how = raw.until_end(conn)
        check(head.startswith(b"HTTP/1.1 502 ") and how != "open" and
              field(head, "Connection").lower() == "close" and b"smuggled" not in rest + data,
              f"frames for an answer: {head} {data}")
        check("error=http_protocol_error" in (field(head, "Proxy-Status") or ""), f"{head}")
    check(len(scene.deaf.said) == 1 and scene.deaf.said[0].startswith(b"GET /echo HTTP/1.1\r\n"),
          f"asked once: {scene.deaf.said}")
    data, _ = raw.ask(scene.proxy.port, b"GET /echo HTTP/1.1\r\nHost: deaf.test\r\n"
                      b"Connection: close\r\n\r\n", half_close=False)
    check(data.startswith(b"HTTP/1.1 200 ") and data.endswith(b"plain"), f"in HTTP/2: {data}")


def ordinary(scene):
    """Requests that are no upgrade, whatever they say, and what the origin is not told."""
    usual = "Connection: upgrade\r\nUpgrade: websocket\r\n"
    cases = (
        ("a body", "GET {} HTTP/1.1", usual + "Content-Length: 3\r\n", b"abc"),
        ("a chunked body", "GET {} HTTP/1.1", usual + "Transfer-Encoding: chunked\r\n",
         b"3\r\nabc\r\n0\r\n\r\n"),
        ("POST", "POST {} HTTP/1.1", usual + "Content-Length: 0\r\n", b""),
        ("HEAD", "HEAD {} HTTP/1.1", usual, b""),
        ("HTTP/1.0", "GET {} HTTP/1.0", usual, b""),
        ("two protocols", "GET {} HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket, chat\r\n", b""),
        ("two lines", "GET {} HTTP/1.1", usual + "Upgrade: h2c\r\n", b""),
        ("h2c", "GET {} HTTP/1.1", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
         "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n", b""),
        ("not allowed", "GET {} HTTP/1.1", "Connection: upgrade\r\nUpgrade: chat\r\n", b""),
        ("not named", "GET {} HTTP/1.1", "Connection: close\r\nUpgrade: websocket\r\n", b""),
        ("no protocol", "GET {} HTTP/1.1", "Connection: upgrade\r\nUpgrade: ,\r\n", b""),
    )
    for number, (name, line, fields, body) in enumerate(cases):
        path = f"/echo?{number}"
        request = line.format(path) + "\r\nHost: site.test\r\n" + fields + "\r\n"
        data, how = raw.ask(scene.proxy.port, request.encode() + body)
        check(data.startswith(b"HTTP/1.1 200 ") and how == "fin", f"{name}: {data} {how}")
        asked = scene.origin.heads[-1]
        check(raw.path_of(asked) == path and field(asked, "Upgrade") is None and
              field(asked, "Connection") is None and field(asked, "HTTP2-Settings") is None,
              f"{name}, what was asked: {asked}")


def alone(scene):
    """Neither shared, nor kept, nor on a connection that had carried something else."""
    check(scene.get_plain("/kept") == 200 and scene.get_plain("/kept") == 200, "an ordinary one")
    before, asked = scene.origin.connections, len(scene.origin.heads)
    clients = [scene.open("/eager", host="site.test") for _ in range(3)]
    check(scene.origin.connections - before == 3 and len(scene.origin.heads) - asked == 3,
          f"{scene.origin.connections - before} connections")
    for client in clients:
        with client.conn:
            check(client.reader.message() == (ws.TEXT, b"first"), "each has its own")
    conn, head, rest = scene.ask("/ignored", host="site.test")
    conn.close()
    check(b" 200 " in head, f"declined with 200: {head}")
    asked = len(scene.origin.heads)
    check(scene.get_plain("/ignored") == 200 and len(scene.origin.heads) == asked + 1,
          "and that was not kept")
    conn, head, _ = scene.ask("/ignored", host="site.test")
    conn.close()
    check(len(scene.origin.heads) == asked + 2, f"what is stored is no answer to it: {head}")


def rules(scene):
    conn, head, _ = scene.ask("http://127.0.0.1:25/echo")
    conn.close()
    check(head.startswith(b"HTTP/1.1 403 "), f"a port that may not be asked: {head}")
    conn, head, _ = scene.ask("http://192.0.2.1:80/echo", "Via: 1.1 " + scene.name())
    conn.close()
    check(head.startswith(b"HTTP/1.1 508 "), f"a loop: {head}")
    conn, head, _ = scene.ask("/echo", host="127.0.0.1:1")
    conn.close()
    check(head.startswith(b"HTTP/1.1 400 "), f"no such site: {head}")


def told(scene):
    query = urllib.parse.urlencode([("url", "http://site.test/echo"), ("header", "Upgrade: websocket"),
                                    ("header", "Connection: Upgrade")], quote_via=urllib.parse.quote)
    answer = json.loads(scene.admin("/explain?" + query))
    check("upgrade" in json.dumps(answer) and "tunnel" in json.dumps(answer), f"{answer}")
    metrics = scene.admin("/metrics")
    check('larder_requests_by_outcome_total{outcome="tunnel"}' in metrics, "a metric")
    check('larder_requests_by_reason_total{reason="upgrade"}' in metrics, "another")
    lines = []
    while not lines:
        lines = [line for line in scene.log.read_text().split("\n") if "/echo?q=1" in line]
        pass_a_moment()
    check(" TCP_TUNNEL/101 " in lines[0] and " GET " in lines[0] and lines[0].endswith(
        " upgrade") and int(lines[0].split()[4]) > 2_000_000, f"the log: {lines[0]}")


def configured(scene):
    """Another protocol, and tunnels in which nothing moves."""
    conn, head, _ = scene.ask(scene.target("/echo?w"), port=scene.other.port)
    conn.close()
    check(head.startswith(b"HTTP/1.1 200 "), f"websocket is not allowed there: {head}")
    listener = socket.create_server(("127.0.0.1", 0))
    with raw.connect(scene.other.port, 60) as conn:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        conn.sendall(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: upgrade\r\n"
                     "Upgrade: Chat/2\r\n\r\n".encode())
        origin, _ = listener.accept()
        with origin:
            head, _ = raw.until_head(origin)
            check(field(head, "Upgrade") == "chat/2", f"what was asked: {head}")
            origin.sendall(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: CHAT/2\r\n\r\nhi")
            head, rest = raw.until_head(conn)
            check(head.startswith(b"HTTP/1.1 101 "), f"chat: {head}")
            check((rest + conn.recv(2 - len(rest)) if len(rest) < 2 else rest) == b"hi", "chat")
            check(raw.until_end(origin)[1] != "open" and raw.until_end(conn)[1] != "open",
                  "nothing moves: it ends")
    listener.close()


def abandoned(scene):
    """An answer that stalls behind its head, to a client that leaves: its end may be that of one
    direction, and so the origin's time for bodies ends it. Who breaks off is known to be gone."""
    for leave, proxy, protocol in ((raw.reset, scene.proxy, "websocket"),
                                   (lambda conn: conn.close(), scene.other, "chat/2")):
        scene.origin.left.clear()
        with raw.connect(proxy.port, 60) as conn:
            conn.sendall(ws.request(scene.target("/stalls"), f"127.0.0.1:{scene.origin.port}")
                         .replace(b"websocket", protocol.encode(), 1))
            head, _ = raw.until_head(conn)
            check(head.startswith(b"HTTP/1.1 200 ") and field(head, "Connection") == "close", f"{head}")
            leave(conn)
        check(scene.origin.left.wait(60), f"{leave}: the origin is left")
        while "\nlarder_fetches_open 0\n" not in scene.admin("/metrics", proxy):
            pass_a_moment()


def get_plain(scene, path):
    data, _ = raw.ask(scene.proxy.port, f"GET {path} HTTP/1.1\r\nHost: site.test\r\n"
                      "Connection: close\r\n\r\n".encode(), half_close=False)
    return int(data[9:12] or 0)


def name(scene):
    head = scene.origin.heads[0]
    return field(head, "Via").split()[-1]


Scene.get_plain, Scene.name = get_plain, name


def main():
    program = f"{sys.argv[1]}/proxy/larder-proxy"
    larder.need(program)
    with tempfile.TemporaryDirectory(prefix="larder-upgrade.") as folder:
        scene = Scene(program, pathlib.Path(folder))
        for step in (tunnels, first_words, ends, declined, only_http2, frames_for_an_answer, ordinary, alone,
                     rules, told, configured, abandoned):
            step(scene)
        check(scene.proxy.stop() and scene.other.stop(), "they leave by themselves")
    check.end()


if __name__ == "__main__":
    main()
