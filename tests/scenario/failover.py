#!/usr/bin/env python3
"""A site has several origins, and one of them is in trouble: failover.py BUILD

Whatever it does without having answered (it refuses, resets, keeps silent), what is safe to repeat is
asked of the next one; nothing is asked twice that has been answered, or that twice is not as once.
Who has waited for a silent one in vain has done so for others: they are not sent there.
"""
import pathlib
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

CONFIG = """
sites:
  - {{ hosts: [site.test], origins: [{}] }}
timeouts: {{ first-byte: 2s, client-body: 60s }}
"""
check = raw.Checks()
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


class Site:
    """A proxy for one site with these origins, each a function."""

    def __init__(self, program, *serves):
        self.origins = [raw.Origin(serve) for serve in serves]
        self.state = tempfile.TemporaryDirectory(prefix="larder-failover-")
        config = pathlib.Path(self.state.name) / "proxy.yaml"
        config.write_text(CONFIG.format(", ".join(f'"{o.base}"' for o in self.origins)), encoding="ascii")
        self.proxy = larder.Proxy(program, self.state.name, "--config", str(config), "--workers", "1")
        self.proxy.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        check(self.proxy.stop(), "the proxy leaves by itself")
        self.state.cleanup()

    def ask(self, method="GET", body=b""):
        """(statuses, how many requests each origin has got because of it)"""
        before = [len(origin.heads) for origin in self.origins]
        length = b"Content-Length: %d\r\n" % len(body) if body else b""
        data, _ = raw.ask(self.proxy.port, method.encode() + b" /x HTTP/1.1\r\nHost: site.test\r\n"
                          b"Connection: close\r\n" + length + b"\r\n" + body, timeout=60, half_close=False)
        return raw.statuses(data), [len(origin.heads) - n for origin, n in zip(self.origins, before)]


def case(program, what, serves, *wanted, **how):
    """Each of `wanted` is what one request after the other sees."""
    with Site(program, *serves) as site:
        for i, want in enumerate(wanted):
            got = site.ask(**how)
            check(got == want, f"{what}, request {i + 1}: {got}, not {want}")


def main(build):
    program = f"{build}/proxy/larder-proxy"
    larder.need(program)
    put = {"method": "PUT", "body": b"this is the end"}
    post = {"method": "POST", "body": b"this is the end"}
    case(program, "resets", (resets, good), ([200], [1, 1]), ([200], [1, 1]))
    case(program, "closes", (closes, resets, good), ([200], [1, 1, 1]))
    case(program, "closes, HEAD", (closes, good), ([200], [1, 1]), method="HEAD")
    case(program, "closes, PUT", (closes, good), ([200], [1, 1]), **put)
    case(program, "closes, POST", (closes, good), ([502], [1, 0]), **post)
    case(program, "all close", (closes, resets), ([502], [1, 1]))
    case(program, "silent", (silent, good), ([200], [1, 1]), ([200], [0, 1]), ([200], [0, 1]))
    case(program, "silent, POST", (silent, good), ([504], [1, 0]), ([200], [0, 1]), **post)
    case(program, "all silent", (silent, silent), ([504], [1, 1]), ([504], [1, 0]))
    case(program, "stammers", (stammers, good), ([502], [1, 0]))
    case(program, "mumbles", (mumbles, good), ([504], [1, 0]), ([504], [1, 0]))
    case(program, "babbles", (babbles, good), ([502], [1, 0]))
    case(program, "fails", (fails, good), ([503], [1, 0]))
    over.set()
    check.end()


main(*sys.argv[1:])
