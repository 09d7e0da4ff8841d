#!/usr/bin/env python3
"""The origin closes at every byte of a response: prefixes.py BUILD

For each prefix of each response, and each kind of client, what arrives must be an error made by
the proxy or recognisably incomplete, and only a complete response may be found in the cache.
"""
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

FRESH = b"Cache-Control: max-age=60\r\n"
BODY = b"0123456789"
# name: bytes, and from how many on they are a complete message
RESPONSES = {
    "length": b"HTTP/1.1 200 OK\r\n" + FRESH + b"Content-Length: 10\r\n\r\n" + BODY,
    "chunked": b"HTTP/1.1 200 OK\r\n" + FRESH + b"Transfer-Encoding: chunked\r\n\r\n"
               b"4\r\n0123\r\n6;x=y\r\n456789\r\n0\r\nX-Trailer: t\r\n\r\n",
    "old": b"HTTP/1.0 200 OK\r\n" + FRESH + b"Content-Length: 10\r\n\r\n" + BODY,
    "interim": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
               b"HTTP/1.1 200 OK\r\n" + FRESH + b"Content-Length: 10\r\n\r\n" + BODY,
    "error": b"HTTP/1.1 404 Not Found\r\n" + FRESH + b"Content-Length: 10\r\n\r\n" + BODY,
}
VERSIONS = ("1.1", "1.0")


def is_complete(data, end):
    """Could a careful client take this for a whole message?"""
    while data.startswith(b"HTTP/1.1 1"):
        data = data.partition(b"\r\n\r\n")[2]
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator:
        return False
    head = head.lower()
    if b"\r\ntransfer-encoding: chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    if b"\r\ncontent-length: " in head:
        length = int(head.split(b"\r\ncontent-length: ")[1].split(b"\r\n")[0])
        return len(body) >= length
    return end == "fin"


def main():
    program = str(pathlib.Path(sys.argv[1]) / "proxy" / "larder-proxy")
    larder.need(program)
    check = raw.Checks()

    def serve(conn, head, _):
        name, length = raw.path_of(head).split("/")[1:3]
        conn.sendall(RESPONSES[name][:int(length)])
        return True

    origin = raw.Origin(serve)
    with tempfile.TemporaryDirectory() as store:
        proxy = larder.Proxy(program, store, "--store-size", "64MiB", "--workers", "1")
        proxy.start()
        for name, response in RESPONSES.items():
            for length in range(len(response) + 1):
                for version in VERSIONS:
                    one(check, proxy, origin, name, length, version)
        check(proxy.stop(), "the proxy left by itself")
    check.end()


def one(check, proxy, origin, name, length, version):
    url = f"{origin.base}/{name}/{length}/{version}"
    host = f"Host: 127.0.0.1:{origin.port}\r\n"
    whole = length == len(RESPONSES[name])
    what = f"{name}, {length} of {len(RESPONSES[name])} bytes, HTTP/{version}"

    data, end = raw.ask(proxy.port, f"GET {url} HTTP/{version}\r\n{host}\r\n".encode())
    final = [status for status in raw.statuses(data) if status >= 200]
    ours = final == [502]
    check(end != "open", f"{what}: the client's connection was left open")
    check(ours or whole == is_complete(data, end), f"{what}: {data!r}, {end}")

    data, end = raw.ask(proxy.port, f"GET {url} HTTP/1.1\r\n{host}"
                                    "Cache-Control: only-if-cached\r\n\r\n".encode())
    status = raw.statuses(data)
    check(whole or status == [504], f"{what}: found in the cache afterwards: {data!r}")
    check(not whole or (status in ([200], [404]) and is_complete(data, end)),
          f"{what}: complete, but not found in the cache: {data!r}")


if __name__ == "__main__":
    main()
