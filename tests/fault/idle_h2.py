#!/usr/bin/env python3
"""Idle connections of HTTP/2: idle_h2.py BUILD [CONNECTIONS]

Each has had one answer and waits. What one more of them costs is said and bounded (docs/memory.md):
by the proxy's own account, and by what the process has in RAM, as the difference between some and
many of them, so that what any traffic costs is not among it. Then all of them ask again, and leave.
"""
import pathlib
import resource
import struct
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import h2  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402
import slowreader  # noqa: E402

SOME = 200
SPARE = 512  # descriptors for everything else
BODY = b"idle" * 256
FAT = 16384      # bytes; more than each costs at rest, and less than one that is not
COUNTED = 4608   # bytes of each; docs/memory.md says less
RESIDENT = 5632  # the bar is 8 KiB
check = raw.Checks()


def serve(conn, *_):
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nETag: \"1\"\r\n"
                 b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY))
    return False


class Client:
    """As a browser's: its fields go to HPACK's tables on both sides."""

    def __init__(self, port, authority):
        self.conn = raw.connect(port, 60)
        self.conn.sendall(h2.PREFACE + h2.settings((h2.ENABLE_PUSH, 0)))
        self.block = b"\x82\x86" + h2.literal(":path", "/idle") + b"".join(
            h2.indexed_literal(*field) for field in (
                (":authority", authority), ("user-agent", "idle/1.0 (one of many)"), ("accept", "*/*")))
        self.stream = -1

    def ask(self):
        """A hit, whole and right."""
        self.stream += 2
        self.conn.sendall(h2.frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, self.stream, self.block))
        data, body = b"", b""
        while True:
            while len(data) < 9 or len(data) < 9 + int.from_bytes(data[:3], "big"):
                more = self.conn.recv(65536)
                if not more:
                    return False
                data += more
            size = int.from_bytes(data[:3], "big")
            kind, flags, _ = struct.unpack(">BBI", data[3:9])
            payload, data = data[9:9 + size], data[9 + size:]
            if kind == h2.SETTINGS and not flags & h2.ACK:
                self.conn.sendall(h2.frame(h2.SETTINGS, h2.ACK))
            body += payload if kind == h2.DATA else b""
            if kind in (h2.DATA, h2.HEADERS) and flags & h2.END_STREAM:
                return body == BODY


def cost(proxy):
    """(resident bytes that are no file's, bytes counted for connections)"""
    memory = slowreader.answer_of(proxy, "/status")["memory"]
    return memory["resident"], memory["by_purpose"]["connections"]


def at_rest(proxy, most):
    """What they cost when they have given back what they can, which is counted; or in the end."""
    end = time.monotonic() + 120
    while cost(proxy)[1] > most and time.monotonic() < end:
        time.sleep(0.02)
    return cost(proxy)


def open_more(clients, count, proxy, authority):
    for _ in range(count):
        clients.append(Client(proxy.port, authority))
        if not check(clients[-1].ask(), f"connection {len(clients)} has a hit"):
            return


def main():
    total = int(sys.argv[2]) if len(sys.argv) > 2 else 700
    program = f"{sys.argv[1]}/proxy/larder-proxy"
    larder.need(program)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    total = min(total, (hard - SPARE) // 2)
    code = pathlib.Path(program).read_bytes()
    sanitized = b"libasan" in code or b"libtsan" in code
    server = raw.Origin(serve)
    authority = f"127.0.0.1:{server.port}"
    with tempfile.TemporaryDirectory(prefix="larder-idle.") as store:
        proxy = larder.Proxy(program, store, "--workers", "1", "--store-size", "64MiB",
                             "--memory", "64MiB", "--set", "timeouts.client-idle=1h")
        proxy.start()
        first = larder.Client(proxy.port)  # stays, so that it is in every account or in none
        first.get(f"{server.base}/idle")
        none, clients = min((cost(proxy) for _ in range(50)), key=lambda both: both[1]), []
        open_more(clients, 1, proxy, authority)
        counted = at_rest(proxy, none[1] + FAT)[1] - none[1]
        each = counted + 64  # a length may have a digit more
        open_more(clients, SOME - 1, proxy, authority)
        some = at_rest(proxy, none[1] + SOME * each)
        open_more(clients, total - SOME, proxy, authority)
        many = at_rest(proxy, none[1] + total * each)
        resident = (many[0] - some[0]) / (total - SOME)
        print(f"{total} connections: {resident:.0f} bytes resident, {counted} counted for each",
              flush=True)
        check(many[1] <= none[1] + total * each, f"{many[1] - none[1]} bytes counted for all of them")
        check(0 < counted < (FAT if sanitized else COUNTED), f"{counted} bytes counted for each")
        check(sanitized or resident < RESIDENT, f"{resident} bytes resident for each")
        check(all(client.ask() for client in clients), "all of them have a hit again")
        for client in clients:
            client.conn.close()
        after = at_rest(proxy, none[1] + total * 16)
        check(after[1] <= none[1] + total * 16, f"{after[1] - none[1]} bytes counted when they left")
        check(len(server.heads) == 1, f"the origin was asked {len(server.heads)} times")
        check(proxy.stop(), f"ended with {proxy.process.returncode}")
    check.end()


if __name__ == "__main__":
    main()
