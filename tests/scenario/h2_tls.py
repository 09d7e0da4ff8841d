#!/usr/bin/env python3
"""HTTP/2 over TLS: h2_tls.py BUILD

What ALPN decides stays decided; a site that is not served here is misdirected (RFC 9110 15.5.20), what a
proxy is asked for is not; several tunnels on one connection, beside requests, over TLS.
"""
import pathlib
import socket
import ssl
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs as certificates  # noqa: E402
import h2  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

check = raw.Checks()
BODY = bytes(range(256)) * 2000


def serve(conn, head, _rest):
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: %d\r\n\r\n%b" %
                 (len(BODY), BODY))


class Secure(h2.Connection):
    """The same over TLS."""

    def __init__(self, port, certs, alpn=("h2",), preface=True):
        context = ssl.create_default_context(cafile=certs.path("ca.pem"))
        context.set_alpn_protocols(list(alpn))
        connect = raw.connect
        try:
            raw.connect = lambda *how: context.wrap_socket(connect(port, raw.PATIENCE),
                                                           server_hostname="localhost")
            super().__init__(port, preface=preface)
        finally:
            raw.connect = connect


def echo_server():
    server = socket.create_server(("127.0.0.1", 0))

    def echo(conn):
        while data := conn.recv(65536):
            conn.sendall(data)
        conn.close()

    def accept():
        while True:
            conn, _ = server.accept()
            threading.Thread(target=echo, args=(conn,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return server.getsockname()[1]


def sites(port, certs, origin):
    with Secure(port, certs) as conn:
        check(conn.socket.selected_alpn_protocol() == "h2", "ALPN")
        for scheme, authority, status in (("https", "site.test", 200), ("https", "other.test", 421),
                                          ("http", f"127.0.0.1:{origin.port}", 200),
                                          ("https", "site.test", 200)):
            stream = conn.request("/a", scheme=scheme, authority=authority)
            got = conn.response(stream)
            check(got.status == status, f"{scheme}://{authority}: {got.status}")
            check(status != 200 or bytes(got.body) == BODY, f"{scheme}://{authority}: the body")


def tunnels(port, certs, origin):
    echo = echo_server()
    with Secure(port, certs) as conn:
        streams = [conn.connect(f"127.0.0.1:{echo}") for _ in range(5)]
        for stream in streams:
            conn.until(lambda stream=stream: conn.streams[stream].heads)
            check(conn.streams[stream].status == 200, f"CONNECT: {conn.streams[stream].status}")
        beside = conn.request("/a", authority="site.test", scheme="https")
        for number, stream in enumerate(streams):
            conn.send(h2.data(stream, bytes([number]) * 16000, end=True))
        for number, stream in enumerate(streams):
            got = conn.response(stream)
            check(bytes(got.body) == bytes([number]) * 16000 and got.ended, f"tunnel {number}")
        check(bytes(conn.response(beside).body) == BODY, "a request beside them")


def agreed(port, certs):
    """Who has agreed on HTTP/1.1 does not speak HTTP/2 (RFC 9113 3.2), nor the reverse."""
    with Secure(port, certs, ("http/1.1",)) as conn:
        data, how = raw.until_end(conn.socket)
        check(data.startswith(b"HTTP/1.1 505") or data.startswith(b"HTTP/1.1 400"),
              f"the preface after http/1.1: {data[:40]} {how}")
    with Secure(port, certs, preface=False) as conn:
        conn.send(b"GET http://site.test/a HTTP/1.1\r\nHost: site.test\r\n\r\n")
        data, how = raw.until_end(conn.socket)
        check(b"HTTP/1.1" not in data and h2.frame(h2.GOAWAY)[3:4] in data,
              f"HTTP/1 after h2: {data[:80]} {how}")


def main():
    program = f"{sys.argv[1]}/proxy/larder-proxy"
    larder.need(program)
    origin = raw.Origin(serve)
    with tempfile.TemporaryDirectory(prefix="larder-h2tls.") as folder:
        certs = certificates.Certs(folder)
        certs.sign("good", "DNS:localhost")
        tls = larder.free_port()
        proxy = larder.Proxy(program, folder + "/store", "--listen-tls", f"127.0.0.1:{tls}",
                             "--certificate", certs.path("good.pem"), "--key",
                             certs.path("good.key"), "--site", f"site.test={origin.base}",
                             "--connect-ports", "443,1024-65535")
        proxy.start()
        sites(tls, certs, origin)
        tunnels(tls, certs, origin)
        agreed(tls, certs)
        check(proxy.stop(), "it leaves by itself")
    check.end()


if __name__ == "__main__":
    main()
