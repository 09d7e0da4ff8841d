#!/usr/bin/env python3
"""Fair shares of one rate: shares.py BUILD

Clients that want all they can get, by one connection or by several, from one address or from two of
a network, by bodies and by a tunnel, get the same number of bytes; one with a rate of its own gets
that, and what the cache answers is free. What is compared is bytes, over a stretch in which so many
moved together; only the rate goes by the clock.
"""
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

check = raw.Checks()
TOTAL, OWN = 1 << 20, 32 << 10  # bytes a second
WARM, STRETCH = 512 << 10, 2 << 20
FAIR = 0.4  # of a fair part, more or less; by connections, one would have a seventh of it all
KEPT = 1 << 20

CONFIG = """
listen: "127.0.0.1:{port}"
admin: "127.0.0.1:{admin}"
workers: {workers}
allow-targets: 127.0.0.0/8
connect-ports: 1-65535
shares: {{total: {total}, free-hits: yes, client: 24/64}}
access:
  - allow: {{from: 127.0.5.0/24, limits: {{rate: {own}}}}}
  - allow: {{from: 127.0.0.0/8}}
"""


def endless(listener):
    """/keep is a body that may be stored; all else, tunnels too, never ends."""
    def run(conn):
        with conn:
            try:
                head = raw.until_head(conn)[0]
                if b" /keep " in head:
                    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\n"
                                 b"Content-Length: %d\r\n\r\n" % KEPT + b"k" * KEPT)
                    return
                conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n\r\n")
                while True:
                    conn.sendall(b"x" * 65536)
            except OSError:
                pass
    while True:
        threading.Thread(target=run, args=(listener.accept()[0],), daemon=True).start()


class Client:
    """Takes what it can get; `moved` counts."""

    def __init__(self, name):
        self.name, self.moved, self.lock, self.conns = name, 0, threading.Lock(), []

    def take(self, port, address, first, then=b""):
        conn = socket.create_connection(("127.0.0.1", port), source_address=(address, 0),
                                        timeout=120)
        conn.sendall(first)
        if then:  # in a tunnel
            check(b" 200 " in raw.until_head(conn)[0], f"{self.name}: a tunnel")
            conn.sendall(then)
        self.conns.append(conn)
        threading.Thread(target=self.read, args=(conn,), daemon=True).start()

    def read(self, conn):
        try:
            while data := conn.recv(65536):
                with self.lock:
                    self.moved += len(data)
        except OSError:
            pass

    def close(self):
        for conn in self.conns:
            conn.shutdown(socket.SHUT_RDWR)
            conn.close()


def until_all_move(clients):
    """On a busy machine one of them may begin when others have had much."""
    end = time.monotonic() + 120
    while not all(client.moved for client in clients):
        if time.monotonic() > end:
            raise SystemExit(f"not all of them move: {[client.moved for client in clients]}")
        time.sleep(0.01)


def until_moved(clients, bytes_):
    """Bytes of each since now, when together they are so many, and the seconds it took."""
    before, began = [client.moved for client in clients], time.monotonic()
    while time.monotonic() < began + 120:
        now = [client.moved - was for client, was in zip(clients, before)]
        if sum(now) >= bytes_:
            return now, time.monotonic() - began
        time.sleep(0.01)
    raise SystemExit(f"they move too little: {now}")


def compete(port, origin):
    plain = f"GET http://127.0.0.1:{origin}/%d HTTP/1.1\r\nHost: a\r\n\r\n"
    one, four, tunnel, own = Client("one"), Client("four"), Client("tunnel"), Client("own")
    one.take(port, "127.0.1.1", (plain % 0).encode())
    for n in range(4):  # of two addresses, which are one client
        four.take(port, f"127.0.2.{1 + n % 2}", (plain % (10 + n)).encode())
    tunnel.take(port, "127.0.3.1", f"CONNECT 127.0.0.1:{origin} HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
                b"GET /t HTTP/1.1\r\nHost: a\r\n\r\n")
    own.take(port, "127.0.5.1", (plain % 20).encode())
    clients = (one, four, tunnel, own)
    until_all_move(clients)
    until_moved(clients, WARM)
    moved, seconds = until_moved(clients, STRETCH)
    part = (sum(moved) - moved[3]) / 3
    for client, got in zip(clients[:3], moved):
        check(abs(got - part) <= FAIR * part, f"{client.name}: {got} of {part:.0f}")
    its = seconds * OWN
    check(0 < moved[3] <= 2 * its + OWN, f"own: {moved[3]} of {its:.0f}")
    print("bytes:", dict(zip((client.name for client in clients), moved)))
    return clients


KEEP = "GET http://127.0.0.1:%d/keep HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def hits(port, origin, clients):
    """While the others wait for each other."""
    request = KEEP % origin
    before = sum(client.moved for client in clients)
    for _ in range(4):
        answer, _ = raw.ask(port, request.encode(), timeout=120)
        check(b"; hit" in answer.split(b"\r\n\r\n")[0] and answer.endswith(b"k" * 1000), "a hit")
    others = sum(client.moved for client in clients) - before
    check(others < 4 * KEPT, f"hits are free: {4 * KEPT} while others had {others}")


def main():
    build = os.path.abspath(sys.argv[1])
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=endless, args=(listener,), daemon=True).start()
    origin = listener.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="larder-shares-") as name:
        port, admin = larder.free_port(), larder.free_port()
        (pathlib.Path(name) / "larder.yaml").write_text(CONFIG.format(
            port=port, admin=admin, total=TOTAL, own=OWN,
            workers=os.environ.get("LARDER_WORKERS", "2")))
        with open(pathlib.Path(name) / "stderr", "wb") as log:
            proxy = subprocess.Popen([f"{build}/proxy/larder-proxy", "--config",
                                      f"{name}/larder.yaml"], stderr=log)
        larder.await_port("127.0.0.1", port, proxy)
        raw.ask(port, (KEEP % origin).encode(), timeout=120)  # no hit: it pays
        clients = compete(port, origin)
        hits(port, origin, clients)
        for client in clients:
            client.close()
        proxy.terminate()
        check(proxy.wait(timeout=60) == 0, "the proxy leaves by itself")
    check.end()


if __name__ == "__main__":
    main()
