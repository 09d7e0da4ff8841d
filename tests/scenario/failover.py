#!/usr/bin/env python3
"""A site has several origins, or a name several addresses, and one of them is in trouble: failover.py BUILD

Whatever it does without having answered (it refuses, resets, keeps silent), what is safe to repeat is
asked of the next one; nothing is asked twice that has been answered, or that twice is not as once.
Who has waited for a silent one in vain has done so for others: they are not sent there.

Silence is a matter of time, in which whoever is to be heard has to be: a limit that a machine may
stand still for, so the cases wait for theirs together.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

SILENCE = 8  # seconds until an origin counts as silent
AT_ONCE = 8  # cases
PUT = {"method": "PUT", "body": b"this is the end"}
POST = {"method": "POST", "body": b"this is the end"}
check = raw.Checks()
pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
running = []
over = threading.Event()


def good(conn, head, rest):
    if b"content-length:" in head.lower():
        while not rest.endswith(b"end"):
            rest += conn.recv(65536)
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 4\r\n\r\ngood")
    return False


def resets(conn, _head, _rest):
    raw.reset(conn)
    return True


def closes(_conn, _head, _rest):
    return True


def silent(_conn, _head, _rest):
    over.wait(60)
    return True


def stammers(conn, _head, _rest):
    conn.sendall(b"HTTP/1.1 20")
    return True


def mumbles(conn, _head, _rest):
    conn.sendall(b"HTTP/1.1 20")
    return silent(conn, None, None)


def babbles(conn, _head, _rest):
    conn.sendall(b"ICY 200 OK\r\n\r\n")
    return True


def fails(conn, _head, _rest):
    conn.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno")
    return False


PROMPT = {good, resets, closes, stammers, babbles, fails}


def times(serves):
    """Nobody is waited for in vain where all of them do at once whatever they do."""
    first_byte = raw.PATIENCE if PROMPT.issuperset(serves) else SILENCE
    return f"timeouts: {{ first-byte: {first_byte}s, connect: 20s, client-body: 60s }}\n"


class Secure(raw.Origin):
    """Speaks TLS, as name.test."""

    certs = None

    def run(self, conn):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certs.path("name.pem"), self.certs.path("name.key"))
        try:
            super().run(context.wrap_socket(conn, server_side=True))
        except OSError:
            pass


def resolver(addresses):
    """A name server that has these addresses for every name. Returns its port."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def answer():
        while True:
            query, peer = server.recvfrom(4096)
            end = query.index(b"\0", 12) + 5
            given = addresses if query[end - 4:end - 2] == b"\0\1" else ()
            records = [b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(a) for a in given]
            head = query[:2] + struct.pack(">5H", 0x8180, 1, len(records), 0, 0)
            server.sendto(head + query[12:end] + b"".join(records), peer)

    threading.Thread(target=answer, daemon=True).start()
    return server.getsockname()[1]


class Lab:
    """A proxy and its origins."""

    def __init__(self, program, origins, config, url, host, *options):
        self.origins, self.url, self.host = origins, url, host
        self.said = ""  # in Cache-Status, by the last response
        self.asked = 0
        self.state = tempfile.TemporaryDirectory(prefix="larder-failover-")
        file = pathlib.Path(self.state.name) / "proxy.yaml"
        file.write_text(config, encoding="ascii")
        self.proxy = larder.Proxy(program, self.state.name, "--config", str(file), "--workers", "1", *options)
        if Secure.certs:
            trusts = dict(os.environ, SSL_CERT_FILE=Secure.certs.path("ca.pem"), SSL_CERT_DIR=self.state.name)
            self.proxy.popen = lambda: subprocess.Popen(self.proxy.command, env=trusts)
        self.proxy.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        check(self.proxy.stop(), "the proxy leaves by itself")
        self.state.cleanup()

    def ask(self, method="GET", body=b"", fields="", path="/x"):
        """(statuses, how many requests each origin has got because of it)"""
        before = [len(origin.heads) for origin in self.origins]
        fields += f"Host: {self.host}\r\nConnection: close\r\n"
        fields += f"Content-Length: {len(body)}\r\n" if body else ""
        request = f"{method} {self.url}{path} HTTP/1.1\r\n{fields}\r\n".encode() + body
        data, _ = raw.ask(self.proxy.port, request, timeout=60, half_close=False)
        self.asked += 1
        self.said = re.search(rb"Cache-Status: [^;]*; (.*)\r\n", data)[1].decode()
        return raw.statuses(data), [len(origin.heads) - n for origin, n in zip(self.origins, before)]

    def admin(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.proxy.admin}{path}") as got:
            return got.read().decode()

    def settle(self):
        """Until all that were answered are recorded and counted, which is done behind the answer."""
        end = time.monotonic() + raw.PATIENCE
        while self.counted("larder_requests_total") != self.asked and time.monotonic() < end:
            time.sleep(0.01)

    def last(self, path="/x"):
        """What the proxy recorded about the last request for it."""
        url = self.url + path if self.url else f"http://{self.host}{path}"
        return json.loads(self.admin("/explain?" + urllib.parse.urlencode({"url": url})))["last"]

    def counted(self, metric):
        lines = self.admin("/metrics").splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith(metric + " ")), 0)


def site(program, serves):
    """One site with these origins, each a function."""
    origins = [raw.Origin(serve) for serve in serves]
    bases = ", ".join(f'"{origin.base}"' for origin in origins)
    config = f"sites:\n  - {{ hosts: [site.test], origins: [{bases}] }}\n"
    return Lab(program, origins, config + times(serves), "", "site.test")


def name(program, serves, scheme="http", kind=raw.Origin):
    """One name with such origins, each at an address; the first one speaks no TLS."""
    origins = [raw.Origin(serves[0])]
    hosts = [f"127.0.0.{i + 1}" for i in range(len(serves))]
    origins += [kind(serve, host, origins[0].port) for serve, host in zip(serves[1:], hosts[1:])]
    authority = f"name.test:{origins[0].port}"
    return Lab(program, origins, times(serves), f"{scheme}://{authority}", authority,
               "--nameserver", f"127.0.0.1:{resolver(hosts)}")


def case(*args, **how):
    running.append(pool.submit(play, *args, **how))


def play(make, what, serves, *wanted, **how):
    """Each of `wanted` is what one request after the other sees."""
    with make(serves) as lab:
        for i, want in enumerate(wanted):
            got = lab.ask(**how)
            check(got == want, f"{what}, request {i + 1}: {got}, not {want}")


def once():
    """Answers once, and then keeps silent on that connection and every other one."""
    answered = threading.Event()

    def serve(conn, head, rest):
        return silent(conn, head, rest) if answered.is_set() else answered.set() or good(conn, head, rest)
    return serve


def sites(of):
    case(of, "resets", (resets, good), ([200], [1, 1]), ([200], [1, 1]))
    case(of, "closes", (closes, resets, good), ([200], [1, 1, 1]))
    case(of, "closes, HEAD", (closes, good), ([200], [1, 1]), method="HEAD")
    case(of, "closes, PUT", (closes, good), ([200], [1, 1]), **PUT)
    case(of, "closes, POST", (closes, good), ([502], [1, 0]), **POST)
    case(of, "all close", (closes, resets), ([502], [1, 1]))
    case(of, "silent", (silent, good), ([200], [1, 1]), ([200], [0, 1]), ([200], [0, 1]))
    case(of, "silent, POST", (silent, good), ([504], [1, 0]), ([200], [0, 1]), **POST)
    case(of, "all silent", (silent, silent), ([504], [1, 1]), ([504], [1, 0]))
    case(of, "stammers", (stammers, good), ([502], [1, 0]))
    case(of, "mumbles", (mumbles, good), ([504], [1, 0]), ([504], [1, 0]))
    case(of, "babbles", (babbles, good), ([502], [1, 0]))
    case(of, "fails", (fails, good), ([503], [1, 0]))


def names(of):
    case(of, "address resets", (resets, good), ([200], [1, 1]), ([200], [0, 1]))
    case(of, "address resets, POST", (resets, good), ([502], [1, 0]), ([200], [0, 1]), **POST)
    case(of, "address closes, two of three", (closes, closes, good), ([502], [1, 1, 0]), ([200], [0, 0, 1]))
    case(of, "address silent", (silent, good), ([200], [1, 1]), ([200], [0, 1]))
    case(of, "address silent, POST", (silent, good), ([504], [1, 0]), ([200], [0, 1]), **POST)
    case(of, "address silent after an answer", (once(), good), ([200], [1, 0]), ([200], [1, 1]), ([200], [0, 1]))
    case(of, "all addresses silent", (silent, silent), ([504], [1, 1]))
    case(of, "the only address is silent", (silent,), ([504], [1]), ([504], [1]))
    case(of, "address stammers", (stammers, good), ([502], [1, 0]), ([502], [1, 0]))
    case(of, "address fails", (fails, good), ([503], [1, 0]))


def stale(of):
    """What is stored is given at once while its only origin is known to be silent."""
    dumb = threading.Event()

    def fickle(conn, head, rest):
        if dumb.is_set() and raw.path_of(head) != "/other":
            return silent(conn, head, rest)
        conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=0\r\nETag: \"a\"\r\n"
                     b"Content-Length: 4\r\n\r\ngood")
        return False

    with of((fickle,)) as lab:
        check(lab.ask() == ([200], [1]), "it is stored")
        dumb.set()
        check(lab.ask() == ([200], [1]), "it stands in for an origin that is silent")
        check(re.fullmatch(r"fwd=stale; ttl=-\d+; detail=stale-if-error", lab.said), f"for one asked: {lab.said}")
        lab.settle()
        hits = lab.counted("larder_hits_total")
        for _ in range(3):
            check(lab.ask() == ([200], [0]), "and nobody waits for that any more")
            check(re.fullmatch(r"hit; ttl=-\d+; detail=origin-silent", lab.said), f"for one not asked: {lab.said}")
        lab.settle()
        last = lab.last()
        check((last["outcome"], last["reason"], last["fwd"], last["collapsed"]) ==
              ("stale", "origin-silent", None, False), f"recorded: {last}")
        check(lab.counted("larder_hits_total") == hits + 3, "these are hits")
        check(lab.counted('larder_requests_by_reason_total{reason="origin-silent"}') == 3, "and counted by their reason")
        check(lab.ask(fields="Cache-Control: no-cache\r\n") == ([504], [1]), "but who insists on it")
        check(lab.ask(path="/other") == ([200], [1]), "the origin is heard of")
        check(lab.ask() == ([200], [1]), "and asked again")


def secure_names(of):
    case(of, "address silent in TLS", (good, good), ([200], [0, 1]), ([200], [0, 1]))
    case(of, "address silent in TLS, POST", (good, good), ([200], [0, 1]), **POST)


def main(build):
    program = f"{build}/proxy/larder-proxy"
    larder.need(program)
    with tempfile.TemporaryDirectory(prefix="larder-failover-") as folder:
        Secure.certs = certs.Certs(pathlib.Path(folder))
        Secure.certs.sign("name", "DNS:name.test")
        for of in (lambda serves: site(program, serves), lambda serves: name(program, serves)):
            running.append(pool.submit(stale, of))
        secure_names(lambda serves: name(program, serves, "https", Secure))
        sites(lambda serves: site(program, serves))
        names(lambda serves: name(program, serves))
        for one in running:
            one.result()
    over.set()
    check.end()


main(*sys.argv[1:])
