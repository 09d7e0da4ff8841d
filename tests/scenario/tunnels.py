#!/usr/bin/env python3
"""Much through tunnels (CONNECT): tunnels.py BUILD

Bytes go from socket to socket in the kernel while the other side takes them, and through memory when it
does not: whatever happens on either side, each end gets what the other has sent, byte for byte, and the
same end.
"""
import contextlib
import json
import pathlib
import random
import socket
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

check = raw.Checks()
opened = []  # the tunnels so far
MIB = 1 << 20
BODY = random.Random(7).randbytes(24 * MIB)
IDLE_S = 5


class Target:
    """Each connection is given to what do() was set to, in a thread of its own."""

    def __init__(self):
        self.act = None
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            conn, _ = self.socket.accept()
            conn.settimeout(60)
            threading.Thread(target=self.run, args=(conn, self.act), daemon=True).start()

    @staticmethod
    def run(conn, act):
        with conn, contextlib.suppress(OSError):
            act(conn)


def tunnel(proxy, target, act, receive_buffer=None):
    """The target begins when the head is here, which is read without a byte of what is behind it."""
    go = threading.Event()
    target.act = lambda conn: go.wait(60) and act(conn)
    conn = raw.connect(proxy.port, 60, receive_buffer)
    conn.sendall(f"CONNECT 127.0.0.1:{target.port} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    head, rest = raw.until_head(conn)
    check(head.startswith(b"HTTP/1.1 200") and not rest, f"{head}")
    go.set()
    opened.append(conn)
    return conn


def down(proxy, target):
    with tunnel(proxy, target, lambda conn: conn.sendall(BODY)) as conn:
        data, how = raw.until_end(conn)
    check(data == BODY and how == "fin", f"down: {len(data)} bytes, {how}")


def up(proxy, target):
    """With its end passed on, and an answer behind it."""
    came = []

    def act(conn):
        data, how = raw.until_end(conn)
        came.append((data == BODY, how))
        conn.sendall(b"thanks")

    with tunnel(proxy, target, act) as conn:
        conn.sendall(BODY)
        conn.shutdown(socket.SHUT_WR)
        data, how = raw.until_end(conn)
    check(came == [(True, "fin")], f"up: {came}")
    check((data, how) == (b"thanks", "fin"), f"behind it: {data}, {how}")


def both(proxy, target):
    """All of it comes back while it is being sent."""
    def act(conn):
        while data := conn.recv(100_000):
            conn.sendall(data)

    conn = tunnel(proxy, target, act)

    def send():
        conn.sendall(BODY)
        conn.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    with conn:
        data, how = raw.until_end(conn)
        sender.join()
    check(data == BODY and how == "fin", f"both ways: {len(data)} bytes, {how}")


def pieces(proxy, target):
    """Little and much in turn, so that it goes now one way, now the other."""
    seen = random.Random(11)
    sizes = [seen.choice((1, 700, 16384, 65536, 300_000)) for _ in range(150)]

    def act(conn):
        at = 0
        for size in sizes:
            conn.sendall(BODY[at:at + size])
            at += size
            time.sleep(0.001)

    with tunnel(proxy, target, act) as conn:
        data, how = raw.until_end(conn)
    check(data == BODY[:sum(sizes)] and how == "fin", f"in pieces: {len(data)} bytes, {how}")


def memory(proxy):
    url = f"http://127.0.0.1:{proxy.admin}/metrics"
    with urllib.request.urlopen(url, timeout=60) as page:
        lines = page.read().decode().splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("larder_memory_bytes{"))


def in_kernel():
    """How much the sockets on the way to a client with a small one may hold: they grow as the kernel
    sees fit."""
    most = {name: int(pathlib.Path(f"/proc/sys/net/ipv4/tcp_{name}").read_text().split()[2])
            for name in ("rmem", "wmem")}
    return most["rmem"] + 2 * most["wmem"]


def slow(proxy, target):
    """Who reads nothing for a while makes the target wait, and costs next to no memory."""
    sent, begun = [0], threading.Event()
    body = BODY * ((in_kernel() + 16 * MIB) // len(BODY) + 1)

    def act(conn):
        begun.set()
        for at in range(0, len(body), 65536):
            conn.sendall(body[at:at + 65536])
            sent[0] = at

    before = memory(proxy)
    conn = tunnel(proxy, target, act, receive_buffer=16384)
    begun.wait(60)
    was = -1
    while sent[0] != was:
        was = sent[0]
        time.sleep(0.5)
    check(was < len(body) - 8 * MIB, f"the target has sent {was} bytes to nobody")
    held = memory(proxy) - before
    check(held < MIB, f"{held} bytes are held")
    with conn:
        data, how = raw.until_end(conn, 2 * len(body))
    check(data == body and how == "fin", f"slow: {len(data)} bytes, {how}")


def target_resets(proxy, target):
    def act(conn):
        conn.sendall(BODY[:8 * MIB])
        raw.reset(conn)

    with tunnel(proxy, target, act) as conn:
        data, how = raw.until_end(conn)
    check(how == "reset" and BODY.startswith(data), f"a target's reset came as {how}")


def client_resets(proxy, target):
    ended = []
    end = threading.Event()

    def act(conn):
        ended.append(raw.until_end(conn))
        end.set()

    conn = tunnel(proxy, target, act)
    conn.sendall(BODY[:8 * MIB])
    raw.reset(conn)
    check(end.wait(60) and ended[0][1] == "reset" and BODY.startswith(ended[0][0]),
          f"a client's reset came as {ended[0][1] if ended else 'nothing'}")


def client_leaves_while_much_comes(proxy, target):
    """The target is told, and nobody else is disturbed."""
    told = threading.Event()

    def act(conn):
        try:
            while True:
                conn.sendall(BODY[:MIB])
        except OSError:
            told.set()

    conn = tunnel(proxy, target, act)
    for _ in range(50):
        conn.recv(65536)
    raw.reset(conn)
    check(told.wait(60), "the target sends on to nobody")


def idle(proxy, target):
    """Silence ends it, also behind much. It begins with the last byte, when that is sent or later."""
    came, ended, last = threading.Event(), threading.Event(), []

    def act(conn):
        conn.sendall(BODY[:4 * MIB])
        came.wait(60)
        last.append(time.monotonic())
        conn.sendall(b"!")
        raw.until_end(conn)
        ended.set()

    with tunnel(proxy, target, act) as conn:
        data = b""
        while len(data) < 4 * MIB and (more := conn.recv(1 << 20)):
            data += more
        came.set()
        more, _ = raw.until_end(conn)
        took = time.monotonic() - last[0]
    check(data + more == BODY[:4 * MIB] + b"!", "what came before the silence")
    check(took >= IDLE_S * 0.9, f"silence lasted {took:.1f} s")
    check(ended.wait(60), "the target was not told")


def counted(proxy, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}/metrics", timeout=60) as page:
        lines = page.read().decode().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"larder_{name} "))


def logged(proxy, target, log):
    """What went that way is counted like all else."""
    end = time.monotonic() + 60
    while counted(proxy, "requests_total") < len(opened) and time.monotonic() < end:
        time.sleep(0.01)  # those before are counted behind their end
    before = counted(proxy, "tunnel_sent_bytes_total")
    with tunnel(proxy, target, lambda conn: conn.sendall(BODY[:5 * MIB])) as conn:
        raw.until_end(conn)
    end = time.monotonic() + 60
    lines = []
    while time.monotonic() < end and not lines:
        every = [json.loads(one) for one in log.read_text().split("\n")[:-1]]  # behind it is half a line, or none
        lines = [one for one in every  # who left before may have had as much
                 if one["end"] == "complete" and 5 * MIB < one["bytes"] < 5 * MIB + 1000]
        time.sleep(0.05)
    check(len(lines) == 1, f"logged: {lines}")
    sent = counted(proxy, "tunnel_sent_bytes_total") - before
    check(5 * MIB <= sent < 5 * MIB + 1000, f"counted: {sent}")


def stops(proxy, target):
    """The process leaves while much comes."""
    def act(conn):
        while True:
            conn.sendall(BODY[:MIB])

    conn = tunnel(proxy, target, act)
    with conn:
        conn.recv(65536)
        check(proxy.stop(), "it did not stop by itself")


def main():
    build = pathlib.Path(sys.argv[1])
    program = build / "proxy/larder-proxy"
    larder.need(program)
    target = Target()
    with tempfile.TemporaryDirectory(prefix="larder-tunnels.") as directory:
        log = pathlib.Path(directory, "access.log")
        config = pathlib.Path(directory, "config")
        config.write_text(f"log:\n  access: [{{to: {log}, format: json}}]\n")
        proxy = larder.Proxy(str(program), f"{directory}/store", "--config", str(config),
                             "--connect-ports", "1-65535", "--set", "timeouts.drain=2s")
        proxy.start()
        down(proxy, target)
        up(proxy, target)
        both(proxy, target)
        pieces(proxy, target)
        slow(proxy, target)
        target_resets(proxy, target)
        client_resets(proxy, target)
        client_leaves_while_much_comes(proxy, target)
        logged(proxy, target, log)
        stops(proxy, target)
        impatient = larder.Proxy(str(program), f"{directory}/other", "--connect-ports", "1-65535",
                                 "--set", f"timeouts.tunnel-idle={IDLE_S}s")
        impatient.start()
        idle(impatient, target)
        check(impatient.stop(), "the other did not stop by itself")
    check.end()


main()
