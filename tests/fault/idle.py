#!/usr/bin/env python3
"""Many idle connections: idle.py BUILD [CONNECTIONS]

Each asks for one hit and stays open; then they leave, and as many come again. What one costs the
process is said, and bounded (docs/memory.md); hits are served beside them; what the first took is
not counted any more when they left, and serves the second.

Clients are processes of their own, at loopback addresses of their own: ports are few.
"""
import multiprocessing
import pathlib
import resource
import socket
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import origin as content  # noqa: E402
import raw  # noqa: E402
import slowreader  # noqa: E402

EACH = 5000  # connections of one client's process, and of one address
SPARE = 512  # descriptors for everything else
BODY = content.body("idle", 3000)
PER_CONNECTION = 1024  # bytes; docs/memory.md says less
ONCE = 8 << 20  # what any traffic makes the process grow by: stacks, and gaps in the heap
check = raw.Checks()


def serve(conn, *_):
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nContent-Length: %d\r\n\r\n%b" %
                 (len(BODY), BODY))
    return False


def ask(conn, base):
    """A hit, whole and right; the connection stays open."""
    conn.sendall(f"GET {base}/idle HTTP/1.1\r\nHost: o\r\n\r\n".encode())
    head, data = raw.until_head(conn)
    while len(data) < len(BODY):
        more = conn.recv(65536)
        if not more:
            return False
        data += more
    return head.startswith(b"HTTP/1.1 200") and b"hit" in head.lower() and data == BODY


def hang_around(number, count, port, base, pipe):
    """One client's process: opens, tells how many hits it had, and waits to be told to go."""
    conns, right = [], 0
    try:
        for _ in range(count):
            conn = socket.socket()
            conn.settimeout(60)
            # The port is chosen when it connects: one that is bound is lost to every other address.
            conn.setsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
            conn.bind((f"127.0.1.{number + 1}", 0))
            conn.connect(("127.0.0.1", port))
            conns.append(conn)
            right += ask(conn, base)
    except OSError as error:
        print(f"client {number}: after {len(conns)}: {error}", flush=True)
    pipe.send(right)
    pipe.recv()
    again = sum(ask(conn, base) for conn in conns[::97])
    pipe.send((again, len(conns[::97])))
    for conn in conns:
        conn.close()


class Crowd:
    def __init__(self, total, port, base):
        self.members = []
        for number, first in enumerate(range(0, total, EACH)):
            ours, theirs = multiprocessing.Pipe()
            count = min(EACH, total - first)
            process = multiprocessing.Process(target=hang_around, daemon=True,
                                              args=(number, count, port, base, theirs))
            process.start()
            self.members.append((process, ours))
        self.right = sum(pipe.recv() for _, pipe in self.members)

    def leave(self):
        """The others asked once more before; all that did so had a hit."""
        for _, pipe in self.members:
            pipe.send(None)
        answers = [pipe.recv() for _, pipe in self.members]
        for process, _ in self.members:
            process.join()
        return all(right == asked for right, asked in answers)


def cost(proxy):
    """(resident bytes that are no file's, bytes counted for connections, all bytes counted)"""
    memory = slowreader.answer_of(proxy, "/status")["memory"]
    return memory["resident"], memory["by_purpose"]["connections"], memory["used"]


def settled(proxy, most):
    """What is counted for connections, once it is no more than `most`, or in the end."""
    end = time.monotonic() + 20
    while cost(proxy)[1] > most and time.monotonic() < end:
        time.sleep(0.05)
    return cost(proxy)


def crowd(proxy, base, total, sanitized):
    before = cost(proxy)
    there = Crowd(total, proxy.port, base)
    now = cost(proxy)
    with raw.connect(proxy.port) as conn:
        check(ask(conn, base), "a hit beside them")
    resident, counted = ((now[i] - before[i]) / total for i in (0, 1))
    print(f"{total} connections, {there.right} hits: {resident:.0f} bytes resident, {counted:.0f}"
          f" counted for each; {now[2] - before[2]} bytes counted in all", flush=True)
    check(there.right == total, f"{there.right} of {total} had a hit")
    check(0 < counted < PER_CONNECTION, f"{counted} bytes counted for each")
    if not sanitized:
        grown = now[0] - before[0]
        check(grown < total * PER_CONNECTION + ONCE, f"{grown} bytes more are resident")
    check(there.leave(), "those that asked again had a hit")
    after = settled(proxy, before[1] + total * counted / 100)
    check(after[1] - before[1] <= total * counted / 100, f"{after[1]} bytes counted when they left,"
          f" {before[1]} before they came")
    return before, now, after


def allowed(total):
    """So many connections, or what descriptors suffice for: the proxy keeps a second for each."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    most = (hard - SPARE) // 2
    if total > most:
        print(f"{most} connections instead of {total}: there are {hard} descriptors")
    return min(total, most)


def again(proxy, base, total, sanitized, last):
    """What further crowds made it grow by. A process may grow once by what is no connection's, a
    thread's heap, when it pleases; what is lost with connections is lost with each crowd."""
    grown, most = [], max(last[1][0], last[2][0])
    while len(grown) < 4 and (not grown or grown[-1] >= total * 256 + (1 << 20)):
        _, now, after = crowd(proxy, base, total, sanitized)
        grown.append(now[0] - most)
        most = max(most, now[0], after[0])
        print(f"{now[0] >> 10} KiB with crowd {len(grown) + 1}, {after[0] >> 10} without", flush=True)
    return grown


def main():
    total = allowed(int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
    program = f"{sys.argv[1]}/proxy/larder-proxy"
    larder.need(program)
    code = pathlib.Path(program).read_bytes()
    sanitized = b"libasan" in code or b"libtsan" in code
    server = raw.Origin(serve)
    with tempfile.TemporaryDirectory(prefix="larder-idle.") as store:
        proxy = larder.Proxy(program, store, "--workers", "1", "--store-size", "64MiB",
                             "--memory", "64MiB")
        proxy.start()
        larder.Client(proxy.port).get(server.base + "/idle")
        first = crowd(proxy, server.base, total, sanitized)
        print(f"resident, in KiB: {first[0][0] >> 10} before, {first[1][0] >> 10} with the first,"
              f" {first[2][0] >> 10} without them")
        grown = again(proxy, server.base, total, sanitized, first)
        if not sanitized:
            check(grown[-1] < total * 256 + (1 << 20), f"{grown} bytes more with further crowds")
        check(len(server.heads) == 1, f"the origin was asked {len(server.heads)} times")
        check(proxy.stop(), f"ended with {proxy.process.returncode}")
    check.end()


if __name__ == "__main__":
    main()
