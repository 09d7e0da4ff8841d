#!/usr/bin/env python3
"""Few descriptors, and an administrator's door that others lean on: limits.py BUILD

With 64 descriptors, or little memory, more clients than they suffice for are served all the same, as
long as others have had no request under way for a second, or part of a head: those are closed, or else
those whose request's body does not come. Where all have one, who comes is turned away; the rest, the store and the administrator go on.
Idle connections to the admin port, and those with half a request, keep nobody out, and no web page reads it
through a name that points here.
"""
import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs  # noqa: E402
import h2  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

FILES = 64
CLIENTS = 100
CREEPERS = 16
FILLERS = {"handshakes": 240, "bodies": 700}
LARGE = 8 << 20  # more than the sockets of this machine hold
SLOW = 5.5  # seconds: longer than a body may let others wait
WAITED = 1.2  # seconds: longer than who is idle may keep its place
PAUSE = 1.5  # seconds in which the proxy does not run: longer than who finds no place waits for one
release = threading.Event()  # of the requests that the origin holds
check = raw.Checks()


def serve(conn, head, _rest):
    if raw.path_of(head).startswith("/held"):
        release.wait()
    body = bytes(LARGE) if raw.path_of(head) == "/large" else b"ok"
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


def status_of(conn, request):
    """What one request on this connection is answered with; 0 when it is closed."""
    try:
        conn.sendall(request)
        head, body = raw.until_head(conn)
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        while length and len(body) < int(length[1]) and (more := conn.recv(4096)):
            body += more
        return (raw.statuses(head) or [0])[0]
    except ConnectionError:
        return 0


def until(condition, what):
    end = time.monotonic() + 60
    while not (so := condition()) and time.monotonic() < end:
        time.sleep(0.01)
    check(so, what)


def request_of(origin, path):
    return f"GET {origin.base}/{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def come(proxy, origin, path, held):
    """A new client with its request: the connection, if it is served."""
    with contextlib.suppress(ConnectionError):
        conn = held.enter_context(raw.connect(proxy.port))
        if status_of(conn, request_of(origin, path)) == 200:
            return conn
    return None


def is_open(conn):
    timeout = conn.gettimeout()
    conn.setblocking(False)
    try:
        return conn.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    finally:
        conn.settimeout(timeout)


def crowd(proxy, origin, held):
    """Who has just been answered stays; who has only waited since gives way."""
    served = [conn for n in range(CLIENTS) if (conn := come(proxy, origin, n, held))]
    conns = [conn for conn in served if is_open(conn)]
    check(8 <= len(conns) <= FILES // 2, f"{len(conns)} of {CLIENTS} clients are there at once")
    time.sleep(WAITED)
    stays, asked_at = conns[0], None
    for n in range(len(conns) - 1):
        status, before, asked_at = status_of(stays, request_of(origin, "same")), asked_at, time.monotonic()
        if status == 0 and before and asked_at - before > WAITED - 0.3:  # this machine did something else
            stays = come(proxy, origin, "same", held)
        else:
            check(status == 200, "who asks all the time stays")
        check(come(proxy, origin, f"new-{n}", held), f"new client {n} is served")
    gone = [status_of(conn, request_of(origin, "old")) for conn in conns[1:]].count(0)
    check(gone >= len(conns) // 2, f"{gone} of {len(conns)} have given way")


def silent(proxy, origin, held):
    """A head that does not end keeps nobody out, nor does HTTP/2 without a request."""
    for said in (b"GET / HTTP/1.1\r\nHost: a\r\nA: ", h2.PREFACE + h2.settings()):
        with contextlib.ExitStack() as others:
            for _ in range(CLIENTS):
                with contextlib.suppress(ConnectionError):
                    others.enter_context(raw.connect(proxy.port)).sendall(said)
            time.sleep(WAITED)
            check(come(proxy, origin, "beside", held), f"served beside clients that say {said}")
    until(lambda: metric(proxy, "h2_open") == 0, "none of HTTP/2 is left")


def begin_body(proxy, origin, begin, others):
    """A client that has sent so much of a request whose body is to come."""
    if begin is None:
        conn = others.enter_context(h2.Connection(proxy.port, timeout=60))
        conn.authority = origin.base[len("http://"):]
        conn.request("/held-creep", end=False, method="POST")
        return conn.socket
    conn = others.enter_context(raw.connect(proxy.port))
    conn.sendall(begin)
    return conn


def creeping(program, store, origin):
    """Bodies of which a byte comes now and then, or not even that, keep nobody out for ever."""
    proxy = larder.Proxy(program, f"{store}/creeping", "--workers", "1", "--set",
                         f"limits.connections={CREEPERS}", "--set", "timeouts.client-body=30min")
    proxy.start()
    await_starter(proxy)
    release.clear()
    post = f"POST {origin.base}/held-creep HTTP/1.1\r\nHost: a\r\n".encode()
    kinds = {"chunk extension": (post + b"Transfer-Encoding: chunked\r\n\r\n5;a=", b"a"),
             "chunks": (post + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
             "length": (post + b"Content-Length: 100000\r\n\r\n", b"a"),
             "HTTP/2": (None, h2.data(1, b"a"))}
    for kind, (begin, drop) in kinds.items():
        until(lambda: metric(proxy, "clients_open") == 0, "all others have left")
        with contextlib.ExitStack() as others:
            done = threading.Event()
            conns = [begin_body(proxy, origin, begin, others) for _ in range(CREEPERS)]

            def drip(conns=conns, done=done, drop=drop):
                while not done.wait(.5):
                    for conn in conns:
                        with contextlib.suppress(OSError):
                            conn.sendall(drop)
            threading.Thread(target=drip, daemon=True).start()
            until(lambda: metric(proxy, "clients_open") == CREEPERS, f"no more room: {kind}")
            served, end = None, time.monotonic() + 60
            while served is None and time.monotonic() < end:
                time.sleep(.05)
                served = come(proxy, origin, "beside", others)
            check(served is not None, f"served beside bodies: {kind}")
            done.set()
    release.set()
    check(metric(proxy, "clients_evicted_total") == len(kinds), "one each has given way")
    check(proxy.stop(), "it left by itself")


def reading_nothing(program, store, origin):
    """Responses of which nobody takes anything keep nobody out, either."""
    proxy = larder.Proxy(program, f"{store}/reading", "--workers", "1", "--set",
                         f"limits.connections={CREEPERS}", "--set", "timeouts.client-body=30min")
    proxy.start()
    await_starter(proxy)
    with contextlib.ExitStack() as others:
        began = time.monotonic()
        for _ in range(CREEPERS):
            conn = others.enter_context(raw.connect(proxy.port, receive_buffer=4096))
            conn.sendall(request_of(origin, "large"))
        until(lambda: metric(proxy, "clients_open") == CREEPERS, "all of them read nothing")
        check(come(proxy, origin, "at-once", others) is None or time.monotonic() > began + SLOW - 1,
              "they might read yet")
        served, end = None, time.monotonic() + 60
        while served is None and time.monotonic() < end:
            time.sleep(.05)
            served = come(proxy, origin, "beside", others)
        check(served is not None, "served beside those who read nothing")
    check(proxy.stop(), "it left by itself")


HANDSHAKE = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # its beginning
HANDSHAKE_TAKES = 73 << 10
SCARCE = 15 << 20  # of 16 MiB
SWAMPED = 19 << 20  # and above


@contextlib.contextmanager
def stopped(proxy):
    """All that is done meanwhile comes to it at once."""
    proxy.process.send_signal(signal.SIGSTOP)
    os.waitpid(proxy.process.pid, os.WUNTRACED)
    try:
        yield
    finally:
        proxy.process.send_signal(signal.SIGCONT)


def with_little_memory(program, store, certificates, *more):
    """A proxy that waits for what does not come, and its port for TLS."""
    tls = larder.free_port()
    proxy = larder.Proxy(program, store, "--workers", "1", "--memory", "16MiB",
                         "--listen-tls", f"127.0.0.1:{tls}",
                         "--certificate", certificates.path("proxy.pem"),
                         "--key", certificates.path("proxy.key"),
                         "--set", "timeouts.client-head=30min",
                         "--set", "timeouts.client-body=30min", *more)
    proxy.start()
    return proxy, tls


def scarce(program, state, certificates, origin):
    """Before all memory is taken, who is idle stays: others have begun what they do not finish. They
    have come all at once: else those that came first give way to the last."""
    proxy, tls = with_little_memory(program, f"{state}/scarce", certificates)
    with contextlib.ExitStack() as others:
        idle = come(proxy, origin, "idle", others)
        time.sleep(WAITED)

        def used():
            return metric(proxy, "memory_used_bytes")

        missing = SCARCE + (750 << 10) - used()
        with stopped(proxy):
            for _ in range(missing // HANDSHAKE_TAKES):
                others.enter_context(raw.connect(tls)).sendall(HANDSHAKE)

        def is_scarce():
            """Or was, where this takes longer than a second: then the first have given way for it."""
            return used() > SCARCE + (100 << 10) or metric(proxy, "clients_evicted_total") > 0

        until(is_scarce, "memory is scarce")
        time.sleep(WAITED)
        check(is_scarce() and used() < 16 << 20, "there is still some")
        check(come(proxy, origin, "beside", others), "who comes, where memory is scarce")
        check(metric(proxy, "clients_evicted_total") > 0, "somebody has given way")
        check(status_of(idle, request_of(origin, "idle")) == 200, "not who is idle")
    check(proxy.stop(), "it left by itself")


class Steady:
    """A client that keeps its connection, and opens another when it was closed between requests."""

    def __init__(self, proxy, held):
        self.port, self.held = proxy.port, held
        self.conn = held.enter_context(raw.connect(proxy.port))

    def ask(self, request):
        status = status_of(self.conn, request)
        if status == 0:
            self.conn = self.held.enter_context(raw.connect(self.port))
            status = status_of(self.conn, request)
        return status


def filling(program, state, certificates, origin):
    """Handshakes and bodies that do not come, fewer than may connect, hold all memory: they give way
    to who connects, and to who is there."""
    release.clear()
    body = f"POST {origin.base}/held-fill HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
    for kind, said in (("handshakes", HANDSHAKE), ("bodies", body.encode())):
        proxy, tls = with_little_memory(program, f"{state}/{kind}", certificates)
        with contextlib.ExitStack() as others:
            stays = Steady(proxy, others)
            with stopped(proxy):  # else those that came first give way to the last
                for _ in range(FILLERS[kind]):
                    conn = others.enter_context(raw.connect(tls if kind == "handshakes" else proxy.port))
                    conn.sendall(said)
            until(lambda: metric(proxy, "memory_used_bytes") > (15 << 20), f"no more room: {kind}")
            time.sleep(WAITED if kind == "handshakes" else SLOW)
            until(lambda: stays.ask(request_of(origin, "same")) == 200, f"who stays: {kind}")
            until(lambda: come(proxy, origin, "beside", others), f"who comes: {kind}")
            for n in range(20):
                check(stays.ask(request_of(origin, f"{n}")) == 200, f"who stays again: {kind}")
                check(come(proxy, origin, f"more-{n}", others), f"who comes again: {kind}")
            check(metric(proxy, "clients_evicted_total") > 0, f"others have given way: {kind}")
        check(proxy.stop(), "it left by itself")
    release.set()


HALF_HEAD = b"GET http://a/ HTTP/1.1\r\nHost: a\r\n" + b"A: " + b"a" * 7000 + b"\r\nB: " + b"b" * 8000 + \
    b"\r\nC: " + b"c" * 8000 + b"\r\nD: " + b"d" * 7000
HALF_BLOCK = h2.frame(h2.HEADERS, 0, 1, b"".join(h2.literal(b"a%d" % n, b"a" * 4000) for n in range(4))) + \
    h2.frame(h2.CONTINUATION, 0, 1, h2.literal(b"b", b"b" * 8000))
PREFACE = h2.PREFACE + h2.settings()
GROWING = {  # how many, what they say first, whether they rest after it, and what all of them say at once
    "handshakes": (400, b"", False, HANDSHAKE),
    "heads": (900, b"", False, HALF_HEAD),
    "HTTP/2": (900, b"", False, PREFACE),
    "blocks": (400, PREFACE, False, HALF_BLOCK),
    "HTTP/2 at rest": (900, PREFACE, True, h2.ping()),
}


def rest(proxy, conns):
    """A session of HTTP/2 holds little once nothing has happened for a second."""
    until(lambda: metric(proxy, "h2_open") == len(conns), "they have begun")
    until(lambda: metric(proxy, "memory_used_bytes") < len(conns) * 9000, "they rest")


def begin_all(proxy, port, count, first, rests, others):
    conns = [others.enter_context(raw.connect(port)) for _ in range(count)]
    until(lambda: metric(proxy, "clients_open") == count, "they have come")
    for at in range(0, count, 200):  # so many have room before they rest
        for conn in conns[at:at + 200]:
            conn.sendall(first)
        if rests:
            rest(proxy, conns[:at + 200])
    return conns


def growing(program, state, certificates, origin):
    """Clients that hold little want more all at once, and nobody comes meanwhile: as many get it as there is
    room for."""
    for kind, (count, first, rests, then) in GROWING.items():
        proxy, tls = with_little_memory(program, f"{state}/growing", certificates)
        await_starter(proxy)
        with contextlib.ExitStack() as others:
            port = tls if kind == "handshakes" else proxy.port
            conns = begin_all(proxy, port, count, first, rests, others)
            with stopped(proxy):
                for conn in conns:
                    with contextlib.suppress(ConnectionError):  # it may have given way already
                        conn.sendall(then)
            seen = []

            def is_short(proxy=proxy, seen=seen):
                """Who had come a second before, on a slow machine, has given way to who would be refused."""
                seen.append(metric(proxy, "memory_used_bytes"))
                return metric(proxy, "clients_refused_total") + metric(proxy, "clients_evicted_total") > 0

            until(is_short, f"not all get it: {kind}")
            for _ in range(20):
                is_short()
            check(max(seen) < SWAMPED, f"{max(seen)} bytes are used: {kind}")
            until(lambda proxy=proxy, others=others: come(proxy, origin, "beside", others),
                  f"who comes then: {kind}")
        check(proxy.stop(), "it left by itself")


TUNNELS = {"silent": (2000, 0), "full": (600, 4096)}  # how many, and what each may hold beyond the limit


def tunnel_to(port, proxy, others):
    conn = others.enter_context(raw.connect(proxy.port))
    conn.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: a\r\n\r\n" % port)
    return conn


def fill(conns):
    """Sends what is taken without waiting, until hardly anything is. All that sockets of this machine
    hold is bounded: others test, too."""
    for conn in conns:
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        conn.setblocking(False)
    sent = len(conns) << 20
    while sent > len(conns) << 10:
        sent = 0
        for conn in conns:
            with contextlib.suppress(OSError):
                sent += conn.send(bytes(1 << 16))


def talk(tunnel):
    check(status_of(tunnel, b"GET /talk HTTP/1.1\r\nHost: a\r\n\r\n") == 200, "the target talks")


def silent_tunnels(program, state, certificates, origin):
    """Tunnels to a target that says nothing, and takes nothing, hold all memory: they give way, but no
    tunnel whose target has just spoken."""
    target = socket.create_server(("127.0.0.1", 0), backlog=4096)  # accepts in the kernel only
    target.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    target.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)  # sockets hold less for it
    for kind, (count, piece) in TUNNELS.items():
        proxy, _ = with_little_memory(program, f"{state}/tunnels-{kind}", certificates,
                                      "--connect-ports", "1-65535")
        with contextlib.ExitStack() as others:
            talks = tunnel_to(origin.port, proxy, others)
            check(status_of(talks, b"") == 200, "a tunnel to who talks")
            conns = []
            for n in range(count):
                if n % 100 == 0:
                    talk(talks)
                conns.append(tunnel_to(target.getsockname()[1], proxy, others))
            if kind == "full":
                until(lambda proxy=proxy: metric(proxy, "tunnels_open") == count + 1, "all are open")
                fill(conns)
            talk(talks)
            talked = time.monotonic()

            def is_scarce(proxy=proxy, others=others):
                """Who was refused while all came at once leaves room; so a few more come."""
                scarce = metric(proxy, "memory_used_bytes") > SCARCE
                for _ in range(0 if scarce else 8):
                    tunnel_to(target.getsockname()[1], proxy, others)
                return scarce

            until(is_scarce, f"no more room: {kind}")
            used = metric(proxy, "memory_used_bytes")
            check(used < SWAMPED + count * piece, f"{used} bytes are used: {kind}")
            for n in range(8):
                until(lambda proxy=proxy, others=others, n=n: come(proxy, origin, f"beside-{n}", others),
                      f"who comes: {kind}")
            check(time.monotonic() > talked + 20 or is_open(talks), f"who has talked stays: {kind}")
        check(proxy.stop(), "it left by itself")
    target.close()


def await_starter(proxy):
    """Who looked whether the port answers is a client, too, and may still be on its way in."""
    until(lambda: metric(proxy, "client_connections_total") > 0 and metric(proxy, "clients_open") == 0,
          "who looked whether it is there has left")


def few_places(program, store, count, *more):
    proxy = larder.Proxy(program, store, "--workers", "1", "--set", f"limits.connections={count}", *more)
    proxy.start()
    await_starter(proxy)
    return proxy


def burst(program, store, origin):
    """Of more than are allowed that come in one turn, as many are served as are allowed."""
    proxy = few_places(program, f"{store}/burst", 8)
    release.clear()
    with contextlib.ExitStack() as held:
        with stopped(proxy):
            conns = [held.enter_context(raw.connect(proxy.port)) for _ in range(16)]
            for n, conn in enumerate(conns):
                conn.sendall(request_of(origin, f"held-burst-{n}"))
        until(lambda: metric(proxy, "clients_refused_total") == 8, "others are refused")
        release.set()
        served = [status_of(conn, b"") for conn in conns]
        check(served.count(200) == 8, f"{served}")
    check(proxy.stop(), "it left by itself")


def rush(program, store, origin):
    """A crowd that has filled all places within a moment keeps nobody out: who comes then waits until it
    shows that nothing follows."""
    for said in (b"", b"GET / HTTP/1.1\r\nHost: a\r\nA: "):
        proxy = few_places(program, f"{store}/rush", 40)
        with contextlib.ExitStack() as held:
            with stopped(proxy):
                for _ in range(40):
                    held.enter_context(raw.connect(proxy.port)).sendall(said)
                conns = [held.enter_context(raw.connect(proxy.port)) for _ in range(8)]
                for conn in conns:
                    conn.sendall(request_of(origin, "rush"))
                time.sleep(PAUSE)
            served = [status_of(conn, b"") for conn in conns]
            check(set(served) == {200}, f"who comes behind a crowd that says {said}: {served}")
            check(metric(proxy, "clients_refused_total") == 0, "nobody is refused")
        check(proxy.stop(), "it left by itself")


def unread(program, store, origin):
    """What has come while the proxy could not run is read before its sender may give way."""
    proxy = few_places(program, f"{store}/unread", 8)
    with contextlib.ExitStack() as held:
        conns = [held.enter_context(raw.connect(proxy.port)) for _ in range(8)]
        until(lambda: metric(proxy, "clients_open") == 8, "all places are taken")
        with stopped(proxy):
            newcomers = [held.enter_context(raw.connect(proxy.port)) for _ in range(4)]  # it hears of them first
            for conn in conns:
                conn.sendall(request_of(origin, "unread"))
            time.sleep(WAITED)
        served = [status_of(conn, b"") for conn in conns]
        check(set(served) == {200}, f"who has sent a request is answered: {served}")
        del newcomers
    check(proxy.stop(), "it left by itself")


def unread_bodies(program, store, origin):
    """So is a body that was late before."""
    proxy = few_places(program, f"{store}/bodies", 8, "--set", "timeouts.client-body=30min")
    release.clear()
    post = f"POST {origin.base}/held-bodies HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n".encode()
    with contextlib.ExitStack() as held:
        conns = [begin_body(proxy, origin, post, held) for _ in range(8)]
        until(lambda: metric(proxy, "clients_open") == 8, "all places are taken")
        with stopped(proxy):
            newcomers = [held.enter_context(raw.connect(proxy.port)) for _ in range(4)]  # it hears of them first
            for conn in conns:
                conn.sendall(bytes(1000))
            time.sleep(SLOW)
        release.set()
        served = [status_of(conn, b"") for conn in conns]
        check(set(served) == {200}, f"whose body has come is answered: {served}")
        del newcomers
    check(proxy.stop(), "it left by itself")


def hold(proxy, origin, count, path, held):
    """Clients whose requests the origin holds; they need not have found a place."""
    conns = [held.enter_context(raw.connect(proxy.port)) for _ in range(count)]
    for n, conn in enumerate(conns):
        conn.sendall(request_of(origin, f"held-{path}-{n}"))
    return conns


def queue(program, store, origin):
    """Where fewer places become free than clients come, nobody waits ever longer: some are refused, and
    the next may wait again."""
    proxy = few_places(program, f"{store}/queue", 8)
    release.clear()
    with contextlib.ExitStack() as held:
        asked = len(origin.heads)
        inside = hold(proxy, origin, 8, "inside", held)
        until(lambda: len(origin.heads) == asked + 8, "all places are taken")
        inside += hold(proxy, origin, 60, "queue", held)  # in this order

        def refused():
            return metric(proxy, "clients_refused_total")
        for asked in range(asked + 10, asked + 68, 2):
            if refused():
                break
            for _ in range(2):
                raw.reset(inside.pop(0))
            until(lambda asked=asked: len(origin.heads) >= asked or refused(), "two more are in, or refused")
        check(refused() > 0, "a queue does not last for ever")
        release.set()
    check(proxy.stop(), "it left by itself")


def shortage_over(program, store, origin):
    """That places were short once does not count for who comes later."""
    proxy = few_places(program, f"{store}/over", 8)
    release.clear()
    with contextlib.ExitStack() as held:
        conns = hold(proxy, origin, 8, "first", held)
        refused = hold(proxy, origin, 1, "refused", held)
        until(lambda: metric(proxy, "clients_refused_total") == 1, "who finds no place is refused")
        release.set()
        served = [status_of(conn, b"") for conn in conns]
        check(set(served) == {200}, f"who is in is served: {served}")
        release.clear()
        asked = len(origin.heads)
        for n, conn in enumerate(conns):
            conn.sendall(request_of(origin, f"held-again-{n}"))
        until(lambda: len(origin.heads) == asked + 8, "all places are taken again")
        with stopped(proxy):
            later = hold(proxy, origin, 1, "later", held)[0]  # it hears of this one first
            raw.reset(conns[0])
        release.set()
        check(status_of(later, b"") == 200, "who comes later waits for a place")
        del refused
    check(proxy.stop(), "it left by itself")


def busy(proxy, origin, held):
    """Who has a request under way is not closed for another."""
    conns = []
    refused = metric(proxy, "clients_refused_total")
    while True:
        asked = len(origin.heads)
        with contextlib.suppress(ConnectionError):
            conn = held.enter_context(raw.connect(proxy.port))
            conn.sendall(request_of(origin, f"held-{len(conns)}"))
        while len(origin.heads) == asked and metric(proxy, "clients_refused_total") == refused:
            time.sleep(0.01)
        if len(origin.heads) == asked:
            break
        conns.append(conn)
    check(admin_status(proxy, "/metrics", "127.0.0.1") == 200, "the administrator is answered")
    release.set()
    served = [status_of(conn, b"") for conn in conns]
    check(len(conns) >= 8 and set(served) == {200}, f"clients that were let in: {served}")


def many_origins(proxy):
    """Connections that only wait for the next request make room for who asks one."""
    origins = [raw.Origin(serve) for _ in range(FILES)]
    with raw.connect(proxy.port) as conn:
        for origin in origins:
            head = f"GET {origin.base}/ HTTP/1.1\r\nHost: a\r\n\r\n".encode()
            check(status_of(conn, head) == 200, f"{origin.base} through a connection that is there")
    with raw.connect(proxy.port) as conn:
        head = f"GET {origins[0].base}/new HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        check(status_of(conn, head) == 200, "a new client after that")


def admin_status(proxy, path, host):
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n" if host else \
        f"GET {path} HTTP/1.0\r\n\r\n"
    with contextlib.suppress(ConnectionError):
        return (raw.statuses(raw.ask(proxy.admin, request.encode())[0]) or [0])[0]
    return 0


def metric(proxy, name):
    data, _ = raw.ask(proxy.admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return int(data.split(f"\nlarder_{name} ".encode())[1].split(b"\n")[0])


def names(proxy):
    for host in ("127.0.0.1", "127.0.0.1:3129", "[::1]:3129", "localhost:3129", "proxy.test", None):
        check(admin_status(proxy, "/status", host) == 200, f"/status for {host}")
    for host in ("rebound.example", "127.0.0.1.rebound.example:3129", "localhost.rebound.example"):
        for path in ("/status", "/metrics", "/"):
            check(admin_status(proxy, path, host) == 403, f"{path} for {host}")
    for path in ("/healthz", "/readyz", "/proxy.pac", "/wpad.dat"):
        check(admin_status(proxy, path, "wpad.example.net") == 200, f"{path} for any name")


def warned(store, program):
    """Of few descriptors one hears when somebody asked for more, or hardly any are left."""
    for files, more, expected in ((FILES, [], True), (9000, [], False),
                                  (9000, ["--set", "limits.connections=8000"], True)):
        proxy = larder.Proxy(program, f"{store}/warned", "--store-size", "64MiB", "--workers", "1",
                             *more)
        proxy.command[:0] = ["sh", "-c", f'ulimit -n {files} && exec "$@"', "sh"]
        proxy.start()
        text, _ = raw.ask(proxy.admin, b"GET /warnings HTTP/1.1\r\nHost: localhost\r\n\r\n")
        check((b"limit of open files" in text) == expected, f"{files} descriptors, {more}: {text}")
        check(proxy.stop(), "it left by itself")


def lean_on_admin(proxy, held):
    for n in range(FILES):
        with contextlib.suppress(ConnectionError):
            held.enter_context(raw.connect(proxy.admin))
        if n % 16 == 0:
            check(admin_status(proxy, "/status", "localhost") == 200, f"with {n} idle connections")


def lean_on_admin_with_half_a_head(proxy, held):
    """More of them than the admin port takes; each would be waited for for ten seconds."""
    for _ in range(150):
        with contextlib.suppress(ConnectionError):
            conn = held.enter_context(raw.connect(proxy.admin))
            conn.sendall(b"GET /status HTTP/1.1\r\nHost: loc")
    check(admin_status(proxy, "/readyz", "localhost") == 200, "with 150 halves of a request")


def gone_before_accept(proxy, log):
    """Clients that reset while they wait to be accepted: nobody knows their address any more."""
    for _ in range(50):
        conn = raw.connect(proxy.port)
        conn.sendall(b"CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: a\r\n\r\n")
        raw.reset(conn)
    check(raw.statuses(raw.ask(proxy.port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")[0]) == [400],
          "the proxy goes on after resets")
    check(proxy.stop(), "the second proxy left by itself")
    clients = {line.split()[2] for line in log.read_text().splitlines()}
    check(clients == {"127.0.0.1"}, f"clients in the log: {clients}")


def second_process(proxy, program):
    """An address somebody listens on is not shared in silence."""
    for option, address in (("--listen", f"127.0.0.1:{proxy.port}"),
                            ("--admin", f"127.0.0.1:{proxy.admin}")):
        ports = {"--listen": f"127.0.0.1:{larder.free_port()}",
                 "--admin": f"127.0.0.1:{larder.free_port()}", option: address}
        command = [program, *(word for pair in ports.items() for word in pair)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=60, check=False)
            check(done.returncode == 1 and address.encode() in done.stderr,
                  f"a second process with {option} {address}: {done}")
        except subprocess.TimeoutExpired:
            check(False, f"a second process shares {option} {address}")


def main():
    program = str(pathlib.Path(sys.argv[1]) / "proxy" / "larder-proxy")
    larder.need(program)
    origin = raw.Origin(serve)
    with tempfile.TemporaryDirectory() as store:
        certificates = certs.Certs(store)
        certificates.sign("proxy", "IP:127.0.0.1")
        proxy = larder.Proxy(program, store + "/few", "--store-size", "64MiB", "--workers", "1")
        proxy.command[:0] = ["sh", "-c", f'ulimit -n {FILES} && exec "$@"', "sh"]
        proxy.start()
        for scene in (crowd, silent, busy):
            with contextlib.ExitStack() as held:
                scene(proxy, origin, held)
        check(metric(proxy, "clients_evicted_total") > 0, "who gives way is counted")
        many_origins(proxy)
        check(metric(proxy, "store_commit_errors_total") == 0, "the store had its descriptors")
        check(proxy.stop(), "the first proxy left by itself")

        proxy = larder.Proxy(program, store + "/door", "--store-size", "64MiB", "--workers", "1",
                             "--set", "name=proxy.test", "--access-log", store + "/log")
        proxy.start()
        names(proxy)
        second_process(proxy, program)
        with contextlib.ExitStack() as held:
            for _ in range(3):
                lean_on_admin(proxy, held)
        with contextlib.ExitStack() as held:
            lean_on_admin_with_half_a_head(proxy, held)
        gone_before_accept(proxy, pathlib.Path(store) / "log")
        rush(program, store, origin)
        burst(program, store, origin)
        unread(program, store, origin)
        unread_bodies(program, store, origin)
        queue(program, store, origin)
        shortage_over(program, store, origin)
        creeping(program, store, origin)
        reading_nothing(program, store, origin)
        scarce(program, store, certificates, origin)
        filling(program, store, certificates, origin)
        growing(program, store, certificates, origin)
        silent_tunnels(program, store, certificates, origin)
        warned(store, program)
    check.end()


if __name__ == "__main__":
    main()
