#!/usr/bin/env python3
"""Origins that speak TLS: tls_origins.py BUILD

Whom the proxy believes: the system's store, a site's own authority, or, when told so, anybody; and
what it says when it does not. Bodies both ways; a body that ends without a word is not whole;
connections and sessions are used again, and never where they would be believed for another reason.
"""
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs as certificates  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

BIG = 8 << 20
WORKERS = os.environ.get("LARDER_WORKERS", "1")
BODY = hashlib.shake_128(b"origins").digest(1 << 16) * (BIG >> 16)
check = raw.Checks()


class Origin(raw.Origin):
    """The same over TLS; notes the names that clients ask for."""

    def __init__(self, certs, name):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certs.path(name + ".pem"), certs.path(name + ".key"))
        self.context.sni_callback = lambda _conn, asked, _context: self.asked.append(asked)
        self.asked = []
        self.handshakes = []
        super().__init__(self.answer)
        self.base = f"https://localhost:{self.port}"

    def run(self, conn, *_):
        conn.settimeout(120)
        with contextlib.suppress(OSError), self.context.wrap_socket(conn, server_side=True) as safe:
            self.handshakes.append(safe.session_reused)
            super().run(safe)

    def answer(self, conn, head, rest):
        path = raw.path_of(head)
        length = re.search(rb"(?i)content-length: (\d+)", head)
        left = int(length[1]) - len(rest) if length else 0
        while left > 0:
            rest += (more := conn.recv(min(left, 1 << 16)))
            left -= len(more)
        if "/close" in path:
            conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n\r\n" + BODY[:50000])
            if "cut" in path:  # FIN, and nothing said
                socket.socket(fileno=conn.detach()).close()
            else:
                with contextlib.suppress(OSError):
                    conn.unwrap()
            return True
        body = BODY if "/big" in path else hashlib.sha256(rest).hexdigest().encode()
        once = b"Connection: close\r\n" if "/once" in path else b""
        conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n" + once
                     + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return bool(once)


class Plain(raw.Origin):
    """No TLS there, as its answer to the hello says."""

    def run(self, conn, *_):
        with conn:
            conn.recv(1 << 16)
            conn.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


class Scene:
    def __init__(self, program, folder):
        self.certs = certs = certificates.Certs(folder)
        certs.sign("good", "DNS:localhost,IP:127.0.0.1")
        certs.sign("wrong", "DNS:elsewhere.test")
        certs.sign("old", "DNS:localhost", days=-1)
        certs.self_signed("self", "CN=localhost", "DNS:localhost")
        self.good, self.wrong, self.old, self.self = (
            Origin(certs, name) for name in ("good", "wrong", "old", "self"))
        self.plain = Plain(None)
        self.file = folder / "proxy.yaml"
        self.log = open(folder / "log", "w+")  # noqa: SIM115
        sites = [f"{{hosts: {name}, origins: '{origin.base}'{extra}}}" for name, origin, extra in (
            ("good.test", self.good, f", ca: {certs.path('ca.pem')}"),
            ("other-ca.test", self.good, f", ca: {certs.path('other.pem')}"),
            ("system.test", self.good, ""),
            ("wrong.test", self.wrong, ""),
            ("old.test", self.old, ""),
            ("self.test", self.self, ""),
            ("pinned.test", self.self, f", ca: {certs.path('self.pem')}"),
            ("any.test", self.self, ", verify: no"),
            ("anyname.test", self.wrong, ", verify: no"))]
        sites.append(f"{{hosts: plain.test, origins: 'https://localhost:{self.plain.port}'}}")
        sites.append(f"{{hosts: address.test, origins: 'https://127.0.0.1:{self.good.port}'}}")
        self.file.write_text("sites:\n" + "".join(f"  - {site}\n" for site in sites)
                             + "log: {access: access.log, format: json}\n"
                             + "timeouts: {connect: 1min}\n")
        self.proxy = larder.Proxy(program, str(folder / "store"), "--config", str(self.file),
                                  "--workers", WORKERS)
        # What the system trusts is this authority, and nobody else.
        self.start(SSL_CERT_FILE=certs.path("ca.pem"), SSL_CERT_DIR=str(folder / "none"))

    def start(self, **environment):
        self.proxy.popen = lambda: subprocess.Popen(
            self.proxy.command, env=dict(os.environ, **environment), stderr=self.log)
        self.proxy.start()

    def get(self, host, path, method="GET", body=b""):
        """(status, fields, body, how it ended); host "": `path` is a whole URL."""
        request = f"{method} {path} HTTP/1.1\r\nHost: {host or 'a'}\r\nConnection: close\r\n"
        if body:
            request += f"Content-Length: {len(body)}\r\n"
        data, how = raw.ask(self.proxy.port, request.encode() + b"\r\n" + body, 120, False)
        head, _, rest = data.partition(b"\r\n\r\n")
        return raw.statuses(data[:20])[0] if data else 0, head.decode(), rest, how

    def metric(self, name):
        data, _ = raw.ask(self.proxy.admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return int(re.search(rf"(?m)^{name} (\d+)$", data.decode())[1])

    def reload(self):
        before = self.metric("larder_reloads_total")
        self.proxy.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 60
        while self.metric("larder_reloads_total") == before and time.monotonic() < end:
            time.sleep(0.005)
        larder.await_taken(self.proxy.admin)

    def logged(self):
        self.log.seek(0)
        return self.log.read()


def believed(scene):
    for host in ("good.test", "system.test", "address.test", "pinned.test", "any.test",
                 "anyname.test"):
        status, _, body, _ = scene.get(host, "/believed")
        check(status == 200 and body == hashlib.sha256(b"").hexdigest().encode(),
              f"{host} is answered: {status}")
    check(scene.good.asked == ["localhost", "localhost", None],
          f"names are asked for, addresses not: {scene.good.asked}")
    status, _, body, _ = scene.get("", scene.good.base + "/forward")
    check(status == 200, f"so is an https:// URL: {status}")
    status, head, _, _ = scene.get("", scene.good.base + "/forward")
    check("; hit" in head, "and the next time from the cache")
    check(b"Host: localhost:%d\r\n" % scene.good.port in scene.good.heads[-1],
          "the origin hears its name")


def refused(scene):
    for host, reason in (("other-ca.test", "tls-certificate"), ("wrong.test", "tls-name"),
                         ("old.test", "tls-expired"), ("self.test", "tls-certificate"),
                         ("plain.test", "tls-handshake")):
        before = len(scene.wrong.heads + scene.old.heads + scene.self.heads + scene.plain.heads)
        status, head, page, _ = scene.get(host, "/refused")
        check(status == 502 and f"detail={reason}" in head, f"{host} is refused: {status} {head}")
        error = "tls_protocol_error" if reason == "tls-handshake" else "tls_certificate_error"
        check(f"error={error}" in head, f"{host} in the words of RFC 9209")
        check(b"certificate" in page or b"TLS handshake" in page, f"{host}: the page says why")
        after = len(scene.wrong.heads + scene.old.heads + scene.self.heads + scene.plain.heads)
        check(before == after, f"{host} is asked nothing")
    status, head, _, _ = scene.get("", scene.self.base + "/forward")
    check(status == 502 and "tls-certificate" in head, "an https:// URL is verified, too")
    log = scene.logged()
    check("origin_tls_failed host=localhost" in log and "certificate has expired" in log,
          "the log says what OpenSSL said")
    check(log.count('verify: no') == 2, "and warns of sites that verify nothing")


def bodies(scene):
    status, _, body, how = scene.get("good.test", "/big")
    check(status == 200 and body == BODY and how == "fin", "a large body arrives whole")
    status, _, body, _ = scene.get("good.test", "/up", "POST", BODY)
    check(body == hashlib.sha256(BODY).hexdigest().encode(), "a large body is sent whole")
    status, head, body, how = scene.get("good.test", "/close")
    check(status == 200 and how == "fin" and len(body) >= 50000, "a body that ends with its "
          "connection is whole when that is said")
    _, head, _, _ = scene.get("good.test", "/close")
    check("; hit" in head, "and kept")
    status, head, body, how = scene.get("good.test", "/close/cut")
    whole = how == "fin" and (b"\r\n0\r\n\r\n" in body or "chunked" not in head)
    check(not whole, "when it is not said, the client's does not look whole either")
    before = len(scene.good.heads)
    scene.get("good.test", "/close/cut")
    check(len(scene.good.heads) == before + 1, "and it is not kept as whole")


def kept(scene):
    workers = int(WORKERS)  # each has connections and sessions of its own
    before = scene.good.connections
    for n in range(5 * workers):
        scene.get("good.test", f"/kept/{n}")
    check(scene.good.connections <= before + workers, "a connection carries many requests")
    before = scene.metric("larder_origin_tls_resumed_total")
    for n in range(4 * workers):
        check(scene.get("good.test", f"/once/{n}")[0] == 200, "a new connection each")
    check(scene.metric("larder_origin_tls_resumed_total") >= before + 3 * workers,
          "resumes the session")
    check(any(scene.good.handshakes), "as the origin sees it")
    # An idle connection to the same place, that nobody verified, must not serve who wants that.
    scene.get("any.test", "/idle")
    status, head, _, _ = scene.get("self.test", "/idle")
    check(status == 502 and "tls-certificate" in head, "unverified connections are apart")
    status, head, _, _ = scene.get("other-ca.test", "/idle")
    check(status == 502 and "tls-certificate" in head, "so are those verified by another's word")


def becomes(scene, status):
    """Whether that is, at last, how good.test answers."""
    end = time.monotonic() + 60
    got, number = None, 0
    while got != status and time.monotonic() < end:
        number += 1
        got = scene.get("good.test", f"/becomes/{status}/{number}")[0]
    return got == status


def reloaded(scene):
    """What is as it was is used on: connections and sessions. Who is trusted no more is not."""
    workers = int(WORKERS)  # of more than one nobody knows which have been asked
    scene.get("good.test", "/before")
    scene.reload()
    before = scene.good.connections
    for n in range(4 * workers):
        check(scene.get("good.test", f"/after/{n}")[0] == 200, "after a reload")
    new = scene.good.connections - before
    check(new == 0 or (workers > 1 and new <= workers), f"connections stay: {new} new ones")
    for n in range(2 * workers):
        scene.get("good.test", f"/once/before/{n}")
    scene.reload()
    before = scene.metric("larder_origin_tls_resumed_total")
    scene.get("good.test", "/once/after")
    resumed = scene.metric("larder_origin_tls_resumed_total") - before
    check(resumed == 1 or workers > 1, f"so do sessions: {resumed} resumed")
    ca = pathlib.Path(scene.certs.path("ca.pem"))
    was = ca.read_bytes()
    ca.write_bytes(pathlib.Path(scene.certs.path("other.pem")).read_bytes())
    scene.reload()
    check(becomes(scene, 502), "another authority counts at once")
    ca.write_bytes(was)
    scene.reload()
    check(becomes(scene, 200), "and so does the old one again")


def silent(scene):
    """An origin that takes the connection and never speaks."""
    patient = scene.file.read_text()
    scene.file.write_text(patient.replace("connect: 1min", "connect: 1s"))
    scene.reload()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        begun = time.monotonic()
        thread = threading.Thread(target=lambda: results.append(
            scene.get("", f"https://localhost:{mute.getsockname()[1]}/")))
        results = []
        thread.start()
        thread.join(25)
        check(results and results[0][0] == 504 and "connect" in results[0][1],
              f"it is given up after the time to connect: {results and results[0][0]}")
        check(time.monotonic() - begun < 25, "and not later")
    scene.file.write_text(patient)


def by_hash(scene, folder):
    """The system's store as Debian has it, a file for each certificate, read when it is needed."""
    folder.mkdir()
    for name, status in (("other", 502), ("ca", 200)):
        shutil.copy(scene.certs.path(f"{name}.pem"), folder)
        scene.certs.openssl("rehash", str(folder))
        if name == "other":
            scene.start(SSL_CERT_DIR=str(folder))
        got = scene.get("system.test", f"/hashed/{name}")[0]
        check(got == status, f"with {name} among what the system trusts: {got}")
    check(scene.proxy.stop(), "the proxy ends well")


def main():
    program = str(pathlib.Path(sys.argv[1]) / "proxy" / "larder-proxy")
    larder.need(program)
    with tempfile.TemporaryDirectory(prefix="larder-tls-") as name:
        scene = Scene(program, pathlib.Path(name))
        believed(scene)
        refused(scene)
        bodies(scene)
        kept(scene)
        reloaded(scene)
        silent(scene)
        check(scene.proxy.stop(), "the proxy ends well")
        by_hash(scene, pathlib.Path(name) / "hashed")
        log = scene.logged()
        check("Sanitizer" not in log and "runtime error" not in log, log[-8000:])
        lines = (pathlib.Path(name) / "access.log").read_text().splitlines()
        check("tls-name" in {json.loads(line).get("reason") for line in lines},
              "the access log has the reason")
    check.end()


main()
