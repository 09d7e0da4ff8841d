#!/usr/bin/env python3
"""Clients that speak TLS to the proxy: tls.py BUILD [SEED|fresh]

Handshakes and what is agreed on in them; certificates by name; sessions, over a reload too; bodies
compared byte for byte, for slow readers as well; ends that are said and ends that are not; and what
is no TLS at all. A reload takes new certificates over, and keeps the old ones when a file is broken.
"""
import contextlib
import hashlib
import os
import pathlib
import random
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs as certificates  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

BIG = 24 << 20
check = raw.Checks()


def body_of(size):
    return hashlib.shake_128(b"tls").digest(1 << 16) * (size >> 16)


BODY = body_of(BIG)


def serve(conn, head, _rest):
    path = head.split()[1].decode()
    if path.startswith("/close"):  # delimited by the end of the connection
        conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n\r\n" + BODY[:100000])
        return True
    size = BIG if path.startswith("/big") else 1000
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n"
                 b"Content-Length: %d\r\n\r\n" % size + BODY[:size])
    return False


class Proxy(larder.Proxy):
    """With one more listener, for TLS, and a configuration that can be changed."""

    def __init__(self, program, folder, certs, *options):
        self.tls = larder.free_port()
        self.certs = certs
        self.log = open(folder / "log", "w+")  # noqa: SIM115
        self.file = folder / "proxy.yaml"
        super().__init__(program, str(folder / "store"), "--config", str(self.file), *options)
        at = self.command.index("--listen")
        del self.command[at:at + 2]
        self.configure(["one", "two"])

    def configure(self, names, head="5min"):
        """`head`: the patience with handshakes and heads."""
        pairs = ", ".join(f"{{certificate: {self.certs.path(name + '.pem')}, "
                          f"key: {self.certs.path(name + '.key')}}}" for name in names)
        self.file.write_text(
            f"listen:\n  - address: 127.0.0.1:{self.tls}\n    tls: {{certificates: [{pairs}]}}\n"
            f"  - 127.0.0.1:{self.port}\n"
            f"timeouts: {{client-head: {head}}}\nconnect-ports: [1024-65535]\n")

    def popen(self):
        return subprocess.Popen(self.command, stderr=self.log)

    def logged(self):
        self.log.seek(0)
        return self.log.read()

    def reload(self, event=None):
        """SIGHUP, and waits until all workers have taken it, or for what the log says of it."""
        def seen():
            return self.logged().count(event) if event else self.metric("larder_reloads_total")

        before = seen()
        self.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 60
        while seen() == before and time.monotonic() < end:
            time.sleep(0.01)
        larder.await_taken(self.admin)

    def metric(self, name):
        data, _ = raw.ask(self.admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        found = [line.split()[-1] for line in data.decode().splitlines()
                 if line.startswith(name + " ")]
        return float(found[0]) if found else None

    def await_metric(self, name, least):
        end = time.monotonic() + 60
        while (self.metric(name) or 0) < least and time.monotonic() < end:
            time.sleep(0.01)
        return self.metric(name) or 0


def context(certs, alpn=(), latest=None):
    made = ssl.create_default_context(cafile=certs.path("ca.pem"))
    if alpn:
        made.set_alpn_protocols(list(alpn))
    if latest:
        made.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with warnings.catch_warnings(action="ignore"):
            made.maximum_version = latest
        made.set_ciphers("ALL:@SECLEVEL=0")
    return made


def connect(proxy, made, name="one.test", session=None):
    plain = socket.create_connection(("127.0.0.1", proxy.tls), timeout=120)
    return made.wrap_socket(plain, server_hostname=name, session=session)


def fails(proxy, made, name="one.test"):
    """What the handshake fails with; "" when it does not."""
    try:
        connect(proxy, made, name).close()
    except (ssl.SSLError, ConnectionError) as error:
        return str(error)
    return ""


def get(conn, url):
    """(head, body) of one response with a length."""
    conn.sendall(f"GET {url} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    head, body = raw.until_head(conn)
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    parts = [body]
    left = length - len(body)
    while left > 0:
        more = conn.recv(1 << 16)
        if not more:
            break
        parts.append(more)
        left -= len(more)
    return head, b"".join(parts)


def handshakes(proxy, certs, origin):
    conn = connect(proxy, context(certs))
    check(conn.version() == "TLSv1.3", "TLS 1.3 is agreed on")
    check(get(conn, origin.base + "/a")[1] == BODY[:1000], "a request is answered")
    check(b"hit" in get(conn, origin.base + "/a")[0], "the next one on it, too")
    conn.close()
    with connect(proxy, context(certs, latest=ssl.TLSVersion.TLSv1_2)) as conn:
        check(conn.version() == "TLSv1.2", "TLS 1.2 is agreed on")
        check(conn.cipher()[0].startswith("ECDHE-ECDSA-"), "with a cipher of the list")
        check(get(conn, origin.base + "/a")[1] == BODY[:1000], "and answers")
    check(fails(proxy, context(certs, latest=ssl.TLSVersion.TLSv1_1)), "TLS 1.1 is refused")
    old = context(certs, latest=ssl.TLSVersion.TLSv1_2)
    old.set_ciphers("ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
    check(fails(proxy, old), "a cipher that is not on the list is refused")


def protocols(proxy, certs):
    for offered, want in ((["http/1.1"], "http/1.1"), (["foo", "http/1.1"], "http/1.1"),
                          (["h2", "http/1.1"], "h2"), ([], None)):
        with connect(proxy, context(certs, offered)) as conn:
            check(conn.selected_alpn_protocol() == want, f"of {offered} {want} is chosen")
    said = fails(proxy, context(certs, ["foo", "bar"]))
    check("NO_APPLICATION_PROTOCOL" in said.upper().replace(" ", "_"),
          f"who speaks neither is refused: {said}")


def names(proxy, certs):
    for name in ("one.test", "two.test", "sub.two.test"):
        check(not fails(proxy, context(certs), name), f"{name} has its certificate")
    check("match" in fails(proxy, context(certs), "three.test"), "others get the first")
    made = context(certs)
    made.check_hostname = False
    with connect(proxy, made, None) as conn:
        check("one.test" in str(conn.getpeercert()["subjectAltName"]), "as does who names none")


def session_of(proxy, made, origin, name="one.test"):
    with connect(proxy, made, name) as conn:
        get(conn, origin.base + "/a")  # the ticket comes before the answer
        return conn.session


def sessions(proxy, certs, origin):
    made = context(certs)
    session = session_of(proxy, made, origin)
    with connect(proxy, made, session=session) as conn:
        check(conn.session_reused, "a session is resumed")
        check(get(conn, origin.base + "/a")[1] == BODY[:1000], "and answers")
    with connect(proxy, made, "two.test", session) as conn:
        check(not conn.session_reused, "not under another name")
    session = session_of(proxy, made, origin)
    proxy.reload()
    with connect(proxy, made, session=session) as conn:
        check(conn.session_reused, "it is after a reload")


def bodies(proxy, certs, origin):
    made = context(certs)
    for what in ("fetched", "stored"):
        with connect(proxy, made) as conn:
            _, body = get(conn, origin.base + "/big")
            check(body == BODY, f"a large body arrives whole, {what}")
    with connect(proxy, made) as conn:
        conn.sendall(f"GET {origin.base}/close HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        head, body = raw.until_head(conn)
        rest, how = raw.until_end(conn) if b"chunked" not in head.lower() else (b"", "fin")
        check(how == "fin", "a body without a length ends well")
    with connect(proxy, made) as conn:
        conn.sendall(b"".join(f"GET {origin.base}/a HTTP/1.1\r\nHost: a\r\n\r\n".encode()
                              for _ in range(100)))
        data = b""
        while data.count(b"HTTP/1.1 200") < 100 or len(data) < 100 * 1000:
            more = conn.recv(1 << 16)
            if not more:
                break
            data += more
        check(data.count(BODY[:1000]) == 100, "a hundred in a row are answered")


def slow_reader(proxy, certs, origin):
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    plain.connect(("127.0.0.1", proxy.tls))
    conn = context(certs).wrap_socket(plain, server_hostname="one.test")
    conn.sendall(f"GET {origin.base}/big HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    head, body = raw.until_head(conn)
    parts, size = [body], len(body)
    while size < BIG:
        if size < 200000:
            time.sleep(0.01)
        more = conn.recv(4096 if size < 200000 else 65536)
        if not more:
            break
        parts.append(more)
        size += len(more)
    check(b"".join(parts) == BODY, "a slow reader gets every byte")
    conn.close()


def ends(proxy, certs, origin):
    conn = connect(proxy, context(certs))
    conn.sendall(f"GET {origin.base}/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    data = b""
    clean = True
    try:
        while more := conn.recv(65536):
            data += more
    except ssl.SSLError:
        clean = False
    check(clean and data.endswith(BODY[:1000]), "the end is said (close_notify)")
    conn.close()
    conn = connect(proxy, context(certs))
    conn.sendall(f"GET {origin.base}/big HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    conn.recv(1000)
    conn.close()  # leaves in the middle: nobody else is hurt
    conn = connect(proxy, context(certs))
    conn.sendall(f"GET {origin.base}/a HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    plain = socket.socket(fileno=conn.detach())
    plain.settimeout(120)
    plain.shutdown(socket.SHUT_WR)
    data, how = raw.until_end(plain)
    check(len(data) > 1000, "who closes one direction without a word is answered all the same")
    plain.close()


def tunnel(proxy, certs, origin):
    with connect(proxy, context(certs)) as conn:
        conn.sendall(f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        check(b" 200 " in raw.until_head(conn)[0], "a tunnel is opened")
        check(get(conn, "/big")[1] == BODY, "and carries every byte")


def renegotiation(proxy):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.tls}", "-tls1_2"],
        input="R\n", capture_output=True, text=True, timeout=120)
    check("no renegotiation" in done.stderr, "who wants to negotiate anew is refused")


def pac(proxy):
    data, _ = raw.ask(proxy.admin, b"GET /proxy.pac HTTP/1.1\r\nHost: localhost\r\n\r\n")
    check(f"PROXY localhost:{proxy.port};".encode() in data, "the PAC file prefers the plain port")


def no_tls(proxy, origin):
    ask = f"GET {origin.base}/a HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    for what, said in (("GET", ask), ("CONNECT", b"CONNECT a.test:443 HTTP/1.1\r\n\r\n")):
        data, _ = raw.ask(proxy.tls, said)
        check(data.startswith(b"HTTP/1.1 400 ") and b"TLS" in data, f"a plain {what} gets a sentence")
    for what, said in (("garbage", b"\0" * 64 + b"\xff" * 64), ("SSH", b"SSH-2.0-OpenSSH_9\r\n"),
                       ("a record that is too long", b"\x16\x03\x01\xff\xff" + b"x" * 100),
                       ("a broken hello", b"\x16\x03\x01\x00\x2a\x01\x00\x00\x26\x03\x03"
                        + b"r" * 32 + b"\xff\xff\xff\xff")):
        data, how = raw.ask(proxy.tls, said)
        check(how in ("fin", "reset") and b"HTTP" not in data, f"{what} is hung up on")
    timeouts = 'larder_tls_handshakes_failed_total{reason="timeout"}'
    before = proxy.metric(timeouts)
    proxy.configure(["one", "two"], head="2s")
    proxy.reload()
    with raw.connect(proxy.tls) as conn:
        conn.sendall(b"\x16\x03\x01\x02")
        check(raw.until_end(conn)[1] in ("fin", "reset"), "who says nothing more is hung up on")
    check(proxy.await_metric(timeouts, before + 1) == before + 1, "that is counted")
    proxy.configure(["one", "two"])
    proxy.reload()


def crowd(proxy, certs, origin):
    """Many at once, each with connections of its own, while certificates are read again."""
    answered = []

    def client(number):
        made = context(certs)
        session = None
        for n in range(6):
            with connect(proxy, made, ("one.test", "two.test")[number % 2], session) as conn:
                for path in (f"/crowd/{number % 3}/{n}", "/big" if n == number else "/a"):
                    _, body = get(conn, origin.base + path)
                    answered.append(body == (BODY if path == "/big" else BODY[:1000]))
                session = conn.session

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        proxy.reload()
    for thread in threads:
        thread.join()
    check(len(answered) == 96 and all(answered), f"a crowd is answered during reloads "
          f"{len(answered)} {answered.count(False)}")


def idle(proxy, certs, origin):
    """What a connection holds, that has carried a large body and waits; and that it is given back."""
    purpose = 'larder_memory_bytes{purpose="connections"}'
    deadline = time.monotonic() + 60
    while proxy.metric("larder_clients_open") > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    before = proxy.metric(purpose)
    conns = [connect(proxy, context(certs)) for _ in range(50)]
    for conn in conns:
        get(conn, origin.base + "/a")
    get(conns[0], origin.base + "/big")
    each = (proxy.metric(purpose) - before) / 50
    check(4096 < each < 24576, f"an idle connection holds {each} bytes, and no buffers")
    for conn in conns:
        conn.close()
    while proxy.metric(purpose) > before + each and time.monotonic() < deadline:
        time.sleep(0.01)
    check(proxy.metric(purpose) <= before + each, "and gives them back")


def mutations(proxy, certs, origin):
    """Hellos with some bytes changed, cut off, in pieces: each is hung up on, and hurts nobody."""
    seed = larder.seed(*sys.argv[2:3])
    dice = random.Random(seed)
    for _ in range(200):
        bio = ssl.MemoryBIO()
        made = context(certs, dice.choice(([], ["http/1.1"], ["h2", "http/1.1"])))
        client = made.wrap_bio(ssl.MemoryBIO(), bio, server_hostname="one.test")
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        hello = bytearray(bio.read())
        for _ in range(dice.choice((1, 1, 2, 8))):
            hello[dice.randrange(len(hello))] = dice.choice((0, 1, 0xff, dice.randrange(256)))
        hello = hello[:dice.choice((len(hello), len(hello), dice.randrange(1, len(hello))))]
        with raw.connect(proxy.tls) as conn, contextlib.suppress(OSError):
            cut = dice.randrange(len(hello))
            conn.sendall(hello[:cut])
            conn.sendall(hello[cut:])
            conn.shutdown(socket.SHUT_WR)
            if raw.until_end(conn)[1] == "open":
                check(False, f"seed {seed}: a changed hello is not hung up on: {hello.hex()}")
    with connect(proxy, context(certs)) as conn:
        check(get(conn, origin.base + "/a")[1] == BODY[:1000], f"seed {seed}: the proxy goes on")


def reloads(proxy, certs):
    proxy.configure(["one", "three"])
    proxy.reload()
    check(not fails(proxy, context(certs), "three.test"), "a reload takes a new certificate")
    check("match" in fails(proxy, context(certs), "two.test"), "and drops the old one")
    key = pathlib.Path(certs.path("three.key"))
    good = key.read_text()
    key.write_text("broken\n")
    proxy.reload("reload_refused")
    check(not fails(proxy, context(certs), "three.test"), "a broken file keeps what there is")
    log = proxy.logged()
    check("three.key: no start line; expected a PEM file" in log or
          "three.key: " in log.split("reload_refused")[-1], "the log says which file, and why")
    key.write_text(good)
    certs.sign("soon", "DNS:soon.test", days=3)
    proxy.configure(["one", "soon"])
    proxy.reload()
    check("soon.pem: the certificate expires on" in proxy.logged(), "an end that is near is logged")


def checks(program, proxy, certs):
    command = [program, "--check", "--listen-tls", "127.0.0.1:1",
               "--certificate", certs.path("one.pem"), "--key"]
    done = subprocess.run([*command, certs.path("one.key")], capture_output=True, text=True)
    check(done.returncode == 0, "--check likes good files")
    done = subprocess.run([*command, certs.path("two.key")], capture_output=True, text=True)
    check(done.returncode == 1 and "two.key: not the key of" in done.stderr,
          "--check sees that a key is another's")
    done = subprocess.run([*command, certs.path("none.key")], capture_output=True, text=True)
    check(done.returncode == 1 and "none.key: No such file" in done.stderr,
          "--check sees that a file is not there")


def curl(proxy, certs, origin):
    done = subprocess.run(
        ["curl", "-sS", "--proxy", f"https://127.0.0.1:{proxy.tls}", "--proxy-cacert",
         certs.path("ca.pem"), "-o", certs.path("got"), origin.base + "/big"],
        capture_output=True, text=True)
    check(done.returncode == 0 and pathlib.Path(certs.path("got")).read_bytes() == BODY,
          f"curl with an https:// proxy gets it all {done.stderr}")


def main():
    program = str(pathlib.Path(sys.argv[1]) / "proxy" / "larder-proxy")
    larder.need(program)
    with tempfile.TemporaryDirectory(prefix="larder-tls-") as name:
        folder = pathlib.Path(name)
        certs = certificates.Certs(folder)
        certs.sign("one", "DNS:one.test,IP:127.0.0.1")
        certs.sign("two", "DNS:two.test,DNS:*.two.test", rsa=True)
        certs.sign("three", "DNS:three.test")
        origin = raw.Origin(serve)
        proxy = Proxy(program, folder, certs, "--workers", os.environ.get("LARDER_WORKERS", "2"))
        proxy.start()
        handshakes(proxy, certs, origin)
        protocols(proxy, certs)
        names(proxy, certs)
        sessions(proxy, certs, origin)
        bodies(proxy, certs, origin)
        slow_reader(proxy, certs, origin)
        ends(proxy, certs, origin)
        tunnel(proxy, certs, origin)
        renegotiation(proxy)
        pac(proxy)
        no_tls(proxy, origin)
        curl(proxy, certs, origin)
        crowd(proxy, certs, origin)
        idle(proxy, certs, origin)
        mutations(proxy, certs, origin)
        reloads(proxy, certs)
        checks(program, proxy, certs)
        check(proxy.metric("larder_tls_resumed_total") >= 2, "resumed sessions are counted")
        check(proxy.stop(), "the proxy ends well")
        log = proxy.logged()
        check("Sanitizer" not in log and "runtime error" not in log, log[-8000:])
    check.end()


main()
