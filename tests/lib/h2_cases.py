"""What the scripts of HTTP/2 cases share: an origin, what is expected, and a program that plays the
cases. Each has a connection of its own and the section it is about in its name. After each, another
connection that has been there all the while is served as before."""
import contextlib
import os
import pathlib
import re
import socket
import sys
import tempfile
import threading
import time

import h2
import larder
import raw

check = raw.Checks()
CASES, HASTY = [], []
LARGE = bytes(range(256)) * 4096  # 1 MiB


def case(function):
    CASES.append(function)
    return function


def hasty(function):
    """What waits for the proxy's patience to end is played with one that has little: where nothing is
    late, a slow client must not be told that it is."""
    HASTY.append(function)
    return case(function)


def add(title, run):
    run.__name__ = title
    CASES.append(run)


# ---- the origin ----

def some(conn):
    more = conn.recv(65536)
    if not more:
        raise ConnectionError("a body that stops")
    return more


def read_body(conn, head, rest):
    fields = {line.split(b":")[0].lower(): line.split(b":", 1)[1].strip()
              for line in head.split(b"\r\n")[1:] if b":" in line}
    if b"content-length" in fields:
        while len(rest) < int(fields[b"content-length"]):
            rest += some(conn)
    elif b"transfer-encoding" in fields:
        while not re.search(rb"(^|\r\n)0\r\n([^\r]+\r\n)*\r\n$", rest):
            rest += some(conn)
        rest = unchunk(rest)
    return rest


def unchunk(text):
    body = b""
    while True:
        line, text = text.split(b"\r\n", 1)
        size = int(line, 16)
        if size == 0:
            return body
        body += text[:size]
        text = text[size + 2:]


def answer(conn, body=b"", fields=b"", status=b"200 OK"):
    conn.sendall(b"HTTP/1.1 " + status + b"\r\nCache-Control: no-store\r\nContent-Length: %d\r\n%s\r\n"
                 % (len(body), fields) + body)


slow_may_end = threading.Event()
slow_is_asked = threading.Event()


def serve(conn, head, rest):
    path = raw.path_of(head).split("?")[0]
    if path == "/early":  # the response does not wait for the body
        answer(conn, b"early")
        return True
    if path == "/expect":
        conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = read_body(conn, head, rest)
    if path == "/large":
        answer(conn, b"" if head.startswith(b"HEAD") else LARGE)
    elif path == "/interim":
        conn.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nTE: trailers\r\n"
                     b"Trailer: x\r\nProxy-Authenticate: Basic\r\nUpgrade: x\r\nKeep-Alive: x\r\n"
                     b"Connection: upgrade, TE, x-hop\r\nX-Hop: 1\r\n\r\n")
        answer(conn, b"final")
    elif path == "/chunked":
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: no-store\r\n\r\n"
                     b"3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Trailer: t\r\n\r\n")
    elif path == "/etag":
        conn.sendall(b'HTTP/1.1 200 OK\r\nETag: "a"\r\nCache-Control: max-age=60\r\n'
                     b"Content-Length: 3\r\n\r\nabc")
    elif path == "/204":
        conn.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    elif path == "/head":
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
    elif path == "/short":
        conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 100\r\n\r\nonly")
        return True
    elif path == "/slow":
        conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 10\r\n\r\n12345")
        slow_is_asked.set()
        slow_may_end.wait(raw.PATIENCE)
        conn.sendall(b"67890")
    elif path == "/connection":
        answer(conn, b"x", b"Connection: close, x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
                           b"Proxy-Connection: close\r\nX-Kept: 1\r\n")
        return True
    else:
        answer(conn, body or b"ok")
    return False


def echo_server():
    """TCP, byte by byte what came, then its end."""
    server = socket.create_server(("127.0.0.1", 0))

    def run(conn):
        with conn:
            with contextlib.suppress(ConnectionError):
                while piece := conn.recv(65536):
                    conn.sendall(piece)

    def accept():
        while True:
            threading.Thread(target=run, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return server.getsockname()[1]


# ---- what is expected ----

def goes(conn, *codes):
    """The connection is given up with one of these codes."""
    code = conn.end()
    check(conn.closed and code in codes, f"{name()}: GOAWAY {code}, expected {codes}, "
                                         f"{conn.closed} {conn.goaways}")


def resets(conn, stream, *codes):
    """The stream is reset with one of these codes, and the connection lives on."""
    got = conn.response(stream)
    check(got.reset in codes, f"{name()}: RST_STREAM {got.reset}, expected {codes}, "
                              f"{got.heads} {conn.goaways}")
    lives(conn)


def lives(conn):
    got = conn.get("/lives")
    check(got.status == 200 and got.body == b"ok" and got.ended,
          f"{name()}: the connection does not live on: {got.heads} {got.reset} {conn.goaways}")


def refused(conn, fields, end=True, *codes):
    resets(conn, conn.headers(fields, end), *(codes or (h2.PROTOCOL_ERROR,)))


def metric(conn, what):
    text, _ = raw.ask(conn.proxy.admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return int(text.split(f"\nlarder_{what} ".encode())[1].split(b"\n")[0])


def name():
    return CURRENT[0]


CURRENT = [""]


def simple(conn, *more, path="/", method="GET", **how):
    return conn.fields_of(path, method, more=more, **how)


def without(conn, left_out):
    return [field for field in simple(conn) if field[0] != left_out]


def open_raw(proxy, first):
    conn = h2.Connection(proxy.port, preface=False)
    conn.send(first)
    return conn


# ---- the program ----

def connection(proxy, origin, echo):
    conn = h2.Connection(proxy.port)
    conn.proxy, conn.origin, conn.echo = proxy, origin, echo
    conn.authority = f"127.0.0.1:{origin.port}"
    return conn


def run_case(function, proxy, origin, echo):
    CURRENT[0] = function.__name__
    slow_may_end.clear()
    failed, begun = check.failed, time.monotonic()
    try:
        with connection(proxy, origin, echo) as conn:
            function(conn)
    except Exception as error:  # pylint: disable=broad-except
        check(False, f"{name()}: {error!r}")
        if proxy.process.poll() is not None:
            check(False, f"{name()}: the proxy has ended: {proxy.process.returncode}")
            check.end()
    if "TRACE" in os.environ:
        print(f"{time.monotonic() - begun:.2f}", function.__name__, flush=True)
    if check.failed > failed:
        print("  in", function.__name__, flush=True)
    slow_may_end.set()


def started(store, head, idle):
    """A proxy that waits so long for a head, and for a request."""
    program = str(pathlib.Path(sys.argv[1]) / "proxy" / "larder-proxy")
    larder.need(program)
    proxy = larder.Proxy(program, store, "--store-size", "64MiB", "--workers",
                         os.environ.get("LARDER_WORKERS", "1"), "--connect-ports",
                         "443,1024-65535", "--set", "limits.head=16KiB", "--set",
                         "limits.target=2KiB", "--set", f"timeouts.client-head={head}", "--set",
                         f"timeouts.client-idle={idle}", "--set", "timeouts.client-body=20s")
    proxy.start()
    return proxy


def main(last=None):
    """`last(proxy, origin, witness)` ends the proxy itself, when all cases have been."""
    only = sys.argv[2:]
    origin = raw.Origin(serve)
    echo = f"127.0.0.1:{echo_server()}"
    with tempfile.TemporaryDirectory() as store:
        patient = started(f"{store}/patient", "1min", "1min")
        impatient = started(f"{store}/hasty", "500ms", "1500ms") if HASTY else None
        for function in CASES:
            if only and not any(word in function.__name__ for word in only):
                continue
            proxy = impatient if function in HASTY else patient
            run_case(function, proxy, origin, echo)
            CURRENT[0] = "beside " + function.__name__
            with connection(proxy, origin, echo) as witness:
                lives(witness)
        if last:
            CURRENT[0] = last.__name__
            with connection(patient, origin, echo) as witness:
                lives(witness)
                last(patient, origin, witness)
        for proxy in (impatient, None if last else patient):
            check(proxy is None or proxy.stop(), "it leaves by itself")
    check.end()
