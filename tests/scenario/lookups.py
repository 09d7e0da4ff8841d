#!/usr/bin/env python3
"""One client that asks for many names leaves some look-ups to others: lookups.py BUILD

The name server answers for one name only. A client asks for hundreds of others, by GET and by CONNECT: at
some point it gets 503 with the reason dns-busy, at once. Another client's name is looked up all the same, and
what the first one has asked for before is still known to it.
"""
import pathlib
import select
import socket
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import dnsraw  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

check = raw.Checks()
HALF = 512  # of what a worker asks at once
REASON = 'larder_requests_by_reason_total{reason="dns-busy"}'
KNOWN = ("good.example", "known.example")


class Nameserver:
    """Says 127.0.0.1 of KNOWN, and nothing of all else."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            packet, client = self.socket.recvfrom(4096)
            name, end = dnsraw.read_name(packet, 12)
            kind = struct.unpack(">H", packet[end:end + 2])[0]
            if name in KNOWN:
                answers = kind == dnsraw.A
                record = b"\xc0\x0c" + struct.pack(">HHIH", dnsraw.A, 1, 3600, 4) + socket.inet_aton("127.0.0.1")
                head = packet[:2] + struct.pack(">HHHHH", 0x8180, 1, answers, 0, 0)
                self.socket.sendto(head + packet[12:end + 4] + (record if answers else b""), client)


def serve(conn, _head, _rest):
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok")


def connect(port, client):
    conn = socket.create_connection(("127.0.0.1", port), 60, (client, 0))
    conn.settimeout(60)
    return conn


def send(conn, name, port, method="GET"):
    target = f"{name}:443" if method == "CONNECT" else f"http://{name}:{port}/"
    conn.sendall(f"{method} {target} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())


def head_of(conn):
    return raw.until_head(conn)[0]


def status_of(head):
    return int(head.split()[1]) if head else None


def metric(proxy, name):
    data, _ = raw.ask(proxy.admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 60)
    return next((int(line.rsplit(" ", 1)[1]) for line in data.decode().splitlines() if line.startswith(name + " ")), 0)


def ask_for_many(proxy):
    """(connections that wait, heads of refusals)"""
    waiting = []
    for number in range(HALF + 40):
        conn = connect(proxy.port, "127.0.0.1")
        send(conn, f"n{number}.example", 80, "CONNECT" if number % 3 == 0 else "GET")
        waiting.append(conn)
    while metric(proxy, REASON) < 40:
        time.sleep(0.05)
    refused = select.select(waiting, [], [], 0)[0]
    return [conn for conn in waiting if conn not in refused], [head_of(conn) for conn in refused]


def main():
    build = pathlib.Path(sys.argv[1])
    larder.need(build / "proxy/larder-proxy")
    nameserver, origin = Nameserver(), raw.Origin(serve)
    with tempfile.TemporaryDirectory() as folder:
        proxy = larder.Proxy(str(build / "proxy/larder-proxy"), folder, "--workers", "1", "--nameserver",
                             f"127.0.0.1:{nameserver.port}", "--set", "timeouts.connect=2min")
        proxy.start()
        first = connect(proxy.port, "127.0.0.1")
        send(first, "known.example", origin.port)
        check(status_of(head_of(first)) == 200, "a name is looked up")
        waiting, refused = ask_for_many(proxy)
        check([status_of(head) for head in refused] == [503] * 40, f"40 are refused: {refused[:2]}")
        check(all(b"\r\nRetry-After: 1\r\n" in head and b"dns-busy" in head for head in refused),
              f"for a moment, and it says why: {refused[0]}")
        check(metric(proxy, REASON) == 40, f"{REASON}: {metric(proxy, REASON)}")
        other = connect(proxy.port, "127.0.0.2")
        send(other, "good.example", origin.port)
        check(status_of(head_of(other)) == 200, "another client's name is looked up")
        for name in KNOWN:
            again = connect(proxy.port, "127.0.0.1")
            send(again, name, origin.port)
            check(status_of(head_of(again)) == 200, f"{name} is known, to the first one, too")
        for conn in waiting:
            conn.close()
        proxy.kill()
    check.end()


main()
