#!/usr/bin/env python3
"""handshaker resumes what it says, and sees what was not resumed: handshaker.py HANDSHAKER

The server of this test counts by itself which handshakes were resumed, in both versions of TLS.
"""
import contextlib
import json
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs as certificates  # noqa: E402
import raw  # noqa: E402

ENOUGH = 6  # requests
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
check = raw.Checks()


class Server:
    """Answers one request on each connection, and closes it."""

    def __init__(self, certs, tickets=2, status=b"200 OK"):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certs.path("one.pem"), certs.path("one.key"))
        self.context.num_tickets = tickets
        self.status, self.versions, self.resumed, self.full = status, set(), 0, 0
        self.lock = threading.Lock()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            threading.Thread(target=self.serve, args=(self.socket.accept()[0],), daemon=True).start()

    def serve(self, plain):
        with plain, self.context.wrap_socket(plain, server_side=True) as conn:
            with self.lock:
                self.versions.add(conn.version())
                self.resumed += conn.session_reused
                self.full += not conn.session_reused
            data = b""
            while b"\r\n\r\n" not in data:
                data += conn.recv(65536)
            conn.sendall(b"HTTP/1.1 %b\r\nContent-Length: 5\r\n\r\nhello" % self.status)
            with contextlib.suppress(OSError):  # of an end without it a client cannot resume
                conn.unwrap()


def run(make_server, *options):
    """(what it says, the server), of a run long enough on a slow machine, too."""
    for seconds in (0.5, 2, 8, 32):
        server = make_server()
        out = subprocess.run([sys.argv[1], "--connections", "2", "--seconds", str(seconds), *options,
                              str(server.port), "/o"], capture_output=True, text=True, check=True)
        got = json.loads(out.stdout)
        if got["requests"] + got["errors"] >= ENOUGH:
            break
    return got, server


def resumes(certs):
    for version, name in VERSIONS.items():
        got, server = run(lambda: Server(certs), "--resume", "--tls", version)
        check(got["requests"] == got["resumed"] == server.resumed >= ENOUGH and got["errors"] == 0,
              f"{name.name}: all are resumed: {got}, {server.resumed} by the server")
        check(server.full == 2, f"but the first of each connection: {server.full}")
        check(server.versions == {f"TLSv{version}"}, f"{server.versions}")


def does_not(certs):
    for version, name in VERSIONS.items():
        got, server = run(lambda: Server(certs), "--tls", version)
        check(got["requests"] == server.full >= ENOUGH and got["errors"] == 0,
              f"{name.name}: all are full: {got}, {server.full} by the server")
        check(got["resumed"] == server.resumed == 0, f"{got}, {server.resumed} by the server")


def sees(certs):
    """A server that gives no tickets."""
    got, server = run(lambda: Server(certs, tickets=0), "--resume")
    check(got["requests"] >= ENOUGH and got["resumed"] == server.resumed == got["sessions"] == 0,
          f"what was not resumed does not look so: {got}")


def fails(certs):
    got, _ = run(lambda: Server(certs, status=b"404 Not Found"), "--resume")
    check(got["requests"] == 0 and got["errors"] >= ENOUGH, f"another answer is an error: {got}")
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    out = subprocess.run([sys.argv[1], "--seconds", "60", str(port), "/o"], capture_output=True,
                         text=True, check=True).stdout
    check(json.loads(out)["errors"] >= 1000, f"who is refused gives up: {out}")


with tempfile.TemporaryDirectory() as folder:
    made = certificates.Certs(folder)
    made.sign("one", "IP:127.0.0.1")
    for part in (resumes, does_not, sees, fails):
        part(made)
check.end()
