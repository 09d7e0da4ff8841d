#!/usr/bin/env python3
"""What is known of a response in parts, and what it is worth later: parts.py BUILD

The beginning of a body that broke off or was left, a restart by kill -9, a proxy without a store, and
requests that accept only what is stored. Bytes are compared, and what the origin was asked for.
"""
import http.client
import json
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402
from pieces import Content, Origin, Resource  # noqa: E402

SMALL, LARGE, HUGE = 100_000, 3_000_000, 40_000_000
check = raw.Checks()


def ask(proxy, url, upto=None, begun=lambda: None, **fields):
    """(status, body or what came of it, fields); `begun` is called when its first byte is here"""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=90)
    connection.request("GET", url, headers={k.replace("_", "-"): v for k, v in fields.items()})
    response = connection.getresponse()
    body = response.read(1)
    begun()
    try:
        body += response.read(None if upto is None else upto - 1)
    except http.client.IncompleteRead as broken:
        body += broken.partial
    connection.close()
    return response.status, body, response.headers


def status(proxy):
    connection = http.client.HTTPConnection("127.0.0.1", proxy.admin, timeout=90)
    connection.request("GET", "/status")
    return json.loads(connection.getresponse().read())


def wait(what, condition):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    check(False, f"{what}: waited in vain")


def stored(proxy):
    """Nothing is on its way to the disk: a piece goes first, the table of pieces follows."""
    wait("the disk", lambda: status(proxy)["memory"]["flights"] == 0)
    for _ in range(3):
        time.sleep(0.5)
        wait("the disk", lambda: status(proxy)["store"]["dirty"] == 0)


def whole(proxy, origin, path, known):
    """What is not known is asked for, once, and all of it comes."""
    resource = origin.resources[path]
    before = len(resource.answered())
    code, body, fields = ask(proxy, origin.base + path)
    check(code == 200 and len(body) == resource.contents[0].size and
          resource.contents[0].holds(0, body), f"{path}: {code}, {len(body)} bytes")
    log = resource.answered()[before:]
    check(len(log) == 1 and log[0][0] in [f"bytes={first}-" for first in known],
          f"{path}: asked for {log}")
    check("fwd=partial" in fields["Cache-Status"], f"{path}: {fields['Cache-Status']}")
    code, body, fields = ask(proxy, origin.base + path)
    check("; hit" in fields["Cache-Status"] and resource.contents[0].holds(0, body), path)


def broken_start(proxy, origin, path):
    """It breaks off when it is on its way to the client: before that, what is missing would be asked
    for at once, and nobody would see that it broke."""
    resource = origin.resources[path]
    resource.fault = "breaks"
    resource.may_break.clear()
    code, body, _ = ask(proxy, origin.base + path, begun=resource.may_break.set)
    half = resource.contents[0].size // 2  # a reset may cost the end of it
    check(code == 200 and 0 < len(body) <= half, f"{path}: {code}, {len(body)} bytes")
    resource.fault = None
    code, part, fields = ask(proxy, origin.base + path, Range="bytes=10-19")
    check(code == 206 and resource.contents[0].holds(10, part) and
          "; hit" in fields["Cache-Status"], f"{path}: {fields['Cache-Status']}")
    whole(proxy, origin, path, range(len(body), half + 1))


def left(proxy, origin, path):
    """The client leaves, and there is too much left to go on for nobody."""
    resource = origin.resources[path]
    ask(proxy, origin.base + path, upto=200_000)
    wait("the fetch to end", lambda: status(proxy)["memory"]["flights"] == 0)
    resource.answered()
    sent = resource.sent
    check(sent < resource.contents[0].size, f"{path}: the origin sent everything for nobody")
    code, body, fields = ask(proxy, origin.base + path, Range="bytes=1000-1999")
    check(code == 206 and resource.contents[0].holds(1000, body) and
          "; hit" in fields["Cache-Status"], f"{path}: {fields['Cache-Status']}")
    code, body, _ = ask(proxy, origin.base + path)
    check(len(body) == resource.contents[0].size and resource.contents[0].holds(0, body), path)


def restart(proxy, origin, path):
    resource = origin.resources[path]
    for bytes_ in ("1000-1999", "5000-5999", f"{LARGE - 500_000}-"):
        ask(proxy, origin.base + path, Range="bytes=" + bytes_)
    stored(proxy)
    proxy.kill()
    proxy.start()
    before = len(resource.answered())
    for first, last in ((1000, 1999), (5500, 5600), (LARGE - 1000, LARGE - 1)):
        code, body, fields = ask(proxy, origin.base + path, Range=f"bytes={first}-{last}")
        check(code == 206 and len(body) == last - first + 1 and
              resource.contents[0].holds(first, body), f"{path} {first}: {code}")
        check("; hit" in fields["Cache-Status"], f"{path} {first}: {fields['Cache-Status']}")
    check(len(resource.answered()) == before, "the origin was asked for what is there")
    code, body, _ = ask(proxy, origin.base + path, Range="bytes=0-6999")
    check(len(body) == 7000 and resource.contents[0].holds(0, body), path)
    log = resource.answered()[before:]
    check(sorted(entry[0] for entry in log) ==
          ["bytes=0-999", "bytes=2000-4999", "bytes=6000-6999"], str(log))


def only_if_cached(proxy, origin, path):
    resource = origin.resources[path]
    url = origin.base + path
    ask(proxy, url, Range="bytes=0-999")
    before = resource.requests
    code, body, _ = ask(proxy, url, Range="bytes=100-199", Cache_Control="only-if-cached")
    check(code == 206 and resource.contents[0].holds(100, body), f"{path}: {code}")
    for wanted in ({"Range": "bytes=900-1099"}, {"Range": "bytes=5000-"}, {}):
        code, _, _ = ask(proxy, url, Cache_Control="only-if-cached", **wanted)
        check(code == 504, f"{path} {wanted}: {code}")
    check(resource.requests == before, "the origin was asked in spite of only-if-cached")


def ignored(proxy, origin, path):
    """Each piece costs all that is before it: so there must not be one every 8 MiB."""
    resource = origin.resources[path]
    ask(proxy, origin.base + path, upto=200_000)
    wait("the fetch to end", lambda: resource.log)
    code, body, _ = ask(proxy, origin.base + path)
    check(len(body) == resource.contents[0].size and resource.contents[0].holds(0, body), path)
    sent = resource.sent / resource.contents[0].size
    print(f"{path}: the origin sent {sent:.1f} times the file for {resource.requests} requests", flush=True)
    check(sent < 3, f"{path}: the origin sent {sent:.1f} times the file")


def ahead(proxy, origin, path):
    """Who asks for much and reads nothing makes us ask for little of it."""
    resource = origin.resources[path]
    ask(proxy, origin.base + path, Range="bytes=0-0")
    before = resource.requests
    with raw.connect(proxy.port, receive_buffer=4096) as conn:
        specs = ",".join(f"{at}-{at + 1_000_000}" for at in range(1_000_000, 40_000_000, 3_000_000))
        conn.sendall(f"GET {origin.base}{path} HTTP/1.1\r\nHost: x\r\nRange: bytes={specs}\r\n\r\n"
                     .encode())
        wait("the first bytes", lambda: resource.requests > before)
        time.sleep(1)
        asked = resource.requests - before
        check(asked <= 5, f"{path}: {asked} pieces asked for")


def old_version(proxy):
    """What came in HTTP/1.0 is told so, also when it is large enough to be known in parts."""
    def serve(conn, _head, _rest):
        conn.sendall(b"HTTP/1.0 200 OK\r\nCache-Control: max-age=60\r\nETag: \"1\"\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (LARGE, bytes(LARGE)))
    origin = raw.Origin(serve)
    for _ in range(2):
        code, body, fields = ask(proxy, origin.base + "/old")
        check(code == 200 and len(body) == LARGE and fields["Via"].startswith("1.0 "), fields["Via"])


def in_memory(proxy, origin, path):
    ask(proxy, origin.base + path, Range="bytes=0-999")
    code, body, fields = ask(proxy, origin.base + path, Range="bytes=500-599")
    check(code == 206 and "; hit" in fields["Cache-Status"], f"{path}: {fields['Cache-Status']}")
    whole(proxy, origin, path, [1000])


def main():
    program = f"{sys.argv[1]}/proxy/larder-proxy"
    larder.need(program)
    sizes = {"/broken/small": SMALL, "/broken/large": LARGE, "/left": HUGE, "/restart": LARGE,
             "/only": LARGE, "/memory": SMALL, "/ignored": 60_000_000, "/ahead": HUGE}
    origin = Origin({path: Resource(Content(1, size)) for path, size in sizes.items()})
    origin.resources["/ignored"].fault = "ignores"
    with tempfile.TemporaryDirectory(prefix="larder-parts.") as store:
        proxy = larder.Proxy(program, store, "--store-size", "256MiB", "--memory", "32MiB")
        proxy.start()
        broken_start(proxy, origin, "/broken/small")
        broken_start(proxy, origin, "/broken/large")
        left(proxy, origin, "/left")
        restart(proxy, origin, "/restart")
        only_if_cached(proxy, origin, "/only")
        ignored(proxy, origin, "/ignored")
        ahead(proxy, origin, "/ahead")
        old_version(proxy)
        check(proxy.stop(), "it did not leave by itself")
    proxy = larder.Proxy(program, store, "--memory", "32MiB")
    proxy.command = [word for word in proxy.command if word not in ("--store", store)]
    proxy.start()
    in_memory(proxy, origin, "/memory")
    check(proxy.stop(), "it did not leave by itself")
    check.end()


if __name__ == "__main__":
    main()
