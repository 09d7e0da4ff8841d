#!/usr/bin/env python3
"""Extended CONNECT (RFC 8441): h2_websocket.py BUILD

WebSockets as streams of one connection beside requests and other tunnels. To the origin they are
Upgrade in HTTP/1.1, with a key of the proxy's own, whose answer is looked at; 101 is 200 to the client,
and no other 2xx is.
"""
import contextlib
import os
import pathlib
import ssl
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs as certificates  # noqa: E402
import h2  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402
import upgrade  # noqa: E402
import websocket as ws  # noqa: E402

check = raw.Checks()
upgrade.check = check
ENABLE_CONNECT_PROTOCOL = 8
field = upgrade.field


class Tunnel:
    """What is said on a stream, as a connection that websocket.Client can use."""

    def __init__(self, conn, stream):
        self.conn, self.stream, self.at = conn, stream, 0

    def sendall(self, data):
        for at in range(0, len(data), h2.FRAME_MAX):
            part = data[at:at + h2.FRAME_MAX]
            self.conn.until(lambda: min(self.conn.room(self.stream), self.conn.room(0)) >= len(part))
            self.conn.sent(self.stream, len(part))
            self.conn.send(h2.data(self.stream, part))

    def recv(self, most):
        state = self.conn.streams[self.stream]
        self.conn.until(lambda: len(state.body) > self.at or state.done)
        data = bytes(state.body[self.at:self.at + most])
        self.at += len(data)
        return data


class Connection(h2.Connection):
    """Keeps to the windows of the other side."""

    def __init__(self, port):
        self.windows = {}
        super().__init__(port)
        self.authority = "site.test"
        self.until(lambda: self.settings)

    def room(self, stream):
        start = self.settings.get(h2.INITIAL_WINDOW_SIZE, 65535) if stream else 65535
        return self.windows.setdefault(stream, start)

    def sent(self, stream, count):
        for of in (0, stream):
            self.windows[of] = self.room(of) - count

    def take(self, got):
        if got.kind == h2.WINDOW_UPDATE:
            self.windows[got.stream] = self.room(got.stream) + int.from_bytes(got.payload, "big")
        super().take(got)

    def fields(self, path, *more, protocol="websocket", method="CONNECT", scheme="http"):
        return [(":method", method), (":protocol", protocol), (":scheme", scheme), (":path", path),
                (":authority", self.authority), ("sec-websocket-version", "13"), *more]

    def tunnel(self, path, *more, **how):
        """The stream's id, when its head is there."""
        stream = self.headers(self.fields(path, *more, **how), end=False)
        self.head(stream)
        return stream

    def client(self, path, *more):
        stream = self.tunnel(path, *more)
        got = self.streams[stream]
        check(got.status == 200, f"{path}: {got.heads} {got.reset}")
        return ws.Client(Tunnel(self, stream))


class Origin(upgrade.Origin):
    def do_wrong_key(self, conn, head, rest):
        conn.sendall(ws.switch(ws.KEY) + b"x")

    def do_no_key(self, conn, head, rest):
        conn.sendall(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nx")

    def do_moved(self, conn, *_):
        self.decline(conn, 302, "Location: /elsewhere")


class SafeOrigin(upgrade.SafeOrigin):
    pass


def talk(scene):
    with Connection(scene.proxy.port) as conn:
        check(conn.settings.get(ENABLE_CONNECT_PROTOCOL) == 1, f"offered: {conn.settings}")
        client = conn.client("/echo", ("origin", "http://site.test"), ("sec-websocket-protocol", "chat"),
                             ("sec-websocket-key", ws.KEY))
        head = conn.streams[client.conn.stream].fields
        check("sec-websocket-accept" not in head and "upgrade" not in head and
              "connection" not in head and head.get("x-of-origin") == "1" and
              "detail=upgrade" in head["cache-status"] and "via" in head, f"its head: {head}")
        asked = scene.origin.heads[-1]
        key = field(asked, "Sec-WebSocket-Key")
        check(asked.startswith(b"GET /echo HTTP/1.1\r\n") and field(asked, "Upgrade") == "websocket" and
              field(asked, "Connection") == "upgrade" and len(key) == 24 and key != ws.KEY and
              field(asked, "Sec-WebSocket-Version") == "13" and field(asked, "Host") == "site.test" and
              field(asked, "Sec-WebSocket-Protocol") == "chat" and "2.0" in field(asked, "Via"),
              f"what was asked: {asked}")
        check(client.ask(ws.TEXT, b"hello") == (ws.TEXT, b"hello"), "text")
        check(client.ask(ws.PING, b"?") == (ws.PONG, b"?"), "ping")
        big = os.urandom(1 << 20)
        check(client.ask(ws.BINARY, big) == (ws.BINARY, big), "a megabyte")
        check(conn.get("/plain").body == b"plain", "a request beside it")
        others = [conn.client(f"/echo?{n}") for n in range(8)]
        for n, other in enumerate(others):
            check(other.ask(ws.TEXT, b"%d" % n) == (ws.TEXT, b"%d" % n), f"one of several: {n}")
        for other in (client, *others):
            check(other.close(), "closed by both")
            conn.send(h2.data(other.conn.stream, b"", True))
        conn.authority = "safe.test"
        client = conn.client("/echo")
        check(client.ask(ws.TEXT, b"safe") == (ws.TEXT, b"safe"), "TLS to the origin")
        check(scene.safe.chosen == ["http/1.1"], f"ALPN: {scene.safe.chosen}")
        check(client.close(), "closed by both")


def ends(scene):
    with Connection(scene.proxy.port) as conn:
        stream = conn.tunnel("/raw")
        conn.send(h2.data(stream, b"one "), h2.data(stream, b"two", True))
        got = conn.response(stream)
        check(got.body == b"one two" and got.ended and got.reset is None,
              f"the client has closed its direction only: {bytes(got.body)} {got.reset}")
        check(scene.origin.ends == ["fin"], f"as the origin sees it: {scene.origin.ends}")
        stream = conn.tunnel("/raw")
        conn.send(h2.rst(stream))
        while len(scene.origin.ends) < 2:
            upgrade.pass_a_moment()
        stream = conn.tunnel("/breaks")
        got = conn.response(stream)
        check(b"beginning".startswith(bytes(got.body)) and got.reset == h2.CANCEL,
              f"the origin broke off: {bytes(got.body)} {got.ended} {got.reset}")
        client = conn.client("/eager")
        check(client.reader.message() == (ws.TEXT, b"first"), "behind the 101")
        conn.send(h2.rst(client.conn.stream))
        scene.origin.go = threading.Event()
        stream = conn.headers(conn.fields("/late"), end=False)
        conn.send(h2.data(stream, ws.frame(ws.TEXT, b"early", b"mask")))
        conn.until(lambda: conn.streams[stream].heads)
        check(conn.streams[stream].heads[0][0] == (":status", "103"), "an interim response")
        conn.sync()
        scene.origin.go.set()
        client = ws.Client(Tunnel(conn, stream))
        check(conn.head(stream).status == 200 and client.reader.message() == (ws.TEXT, b"early"),
              "in order")
        check(scene.origin.early.pop() == b"", "nothing reaches the origin before it has agreed")
        check(conn.get("/plain").body == b"plain", "the connection goes on")


def declined(scene):
    with Connection(scene.proxy.port) as conn:
        for path, status in (("/forbidden", 403), ("/required", 426), ("/moved", 302), ("/ignored", 502),
                             ("/silent", 502), ("/other-protocol", 502), ("/two-protocols", 502),
                             ("/no-connection", 502), ("/wrong-key", 502), ("/no-key", 502)):
            stream = conn.headers(conn.fields(path), end=False)
            conn.send(h2.data(stream, upgrade.SMUGGLED))
            got = conn.response(stream)
            check(got.status == status, f"{path}: {got.heads} {got.reset}")
            if status in (403, 426, 302):
                check(got.body == b"declined", f"{path}: {bytes(got.body)}")
        check(not any(b"smuggled" in head for head in scene.origin.heads), "nothing was smuggled")
        check(all(data == b"" for data in scene.origin.early), f"{scene.origin.early}")
        for protocol in ("chat", "h2c", "connect-udp", "WebSocket2"):
            got = conn.response(conn.headers(conn.fields("/echo", protocol=protocol), end=True))
            check(got.status == 501, f"{protocol}: {got.heads} {got.reset}")
        got = conn.get("/plain")
        check(got.body == b"plain", "the connection goes on")


def malformed(scene):
    """Stream errors (RFC 8441 4, RFC 9113 8.1.1)."""
    with Connection(scene.proxy.port) as conn:
        asked = len(scene.origin.heads)
        good = conn.fields("/echo")
        cases = [[f for f in good if f[0] != name] for name in (":scheme", ":path", ":authority")]
        cases += [conn.fields("/echo", method="GET"), conn.fields("/echo", method="POST"),
                  conn.fields("/echo", protocol="websocket, h2c"), conn.fields("/echo", protocol=""),
                  conn.fields("/echo", ("content-length", "5")), conn.fields("/echo", scheme=""),
                  conn.fields("/echo", ("upgrade", "websocket")),
                  conn.fields("/echo", ("connection", "upgrade"))]
        for fields in cases:
            got = conn.response(conn.headers(fields, end=False))
            check(got.reset == h2.PROTOCOL_ERROR or got.status == 400, f"{fields}: {got.heads} {got.reset}")
        check(len(scene.origin.heads) == asked, f"{scene.origin.heads[asked:]}")
        check(conn.get("/plain").body == b"plain", "the connection goes on")


def main():
    program = f"{sys.argv[1]}/proxy/larder-proxy"
    larder.need(program)
    with tempfile.TemporaryDirectory(prefix="larder-h2ws.") as folder:
        upgrade.Origin, upgrade.SafeOrigin = Origin, SafeOrigin
        scene = upgrade.Scene(program, pathlib.Path(folder))
        for step in (talk, ends, declined, malformed):
            step(scene)
        check(scene.proxy.stop() and scene.other.stop(), "they leave by themselves")
    check.end()


if __name__ == "__main__":
    main()
