#!/usr/bin/env python3
"""How much, and how fast: quotas.py BUILD

Quotas of users and addresses, in bodies, HTTP/2 and tunnels; what they survive; what is free; and
that a pace is not exceeded.
"""
import base64
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import h2  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

check = raw.Checks()
APR1 = "$apr1$r31.....$ARC3pREO82RIm0aQ2zszC0"  # of "password"
USERS = ("anna", "bert", "carl", "dora", "eva", "fred", "gerd", "hugo", "ines", "jens", "karl",
         "lena")
SIZE = 100000

# A month: the day might end while the test runs.
CONFIG = """
listen: "127.0.0.1:{port}"
admin: "127.0.0.1:{admin}"
workers: {workers}
allow-targets: 127.0.0.0/8
connect-ports: 1-65535
log: {{access: access.log}}
state: state
users: passwd
shares: {{free-hits: {free}}}
access:
  - allow: {{users: [anna, bert, carl, dora, hugo, ines], limits: {{quota: 300KiB, per: month}}}}
  - allow: {{users: [jens, karl, lena], limits: {{quota: 20KiB, per: month}}}}
  - allow: {{users: eva, limits: {{quota: 100KiB, per: month, slow: 1MiB}}}}
  - allow: {{users: fred, limits: {{rate: 64KiB}}}}
  - allow: {{users: gerd}}
  - allow: {{hosts: "=127.0.0.1", limits: {{quota: 150KiB, per: month}}}}
"""


class World:
    def __init__(self, build, folder):
        self.folder = pathlib.Path(folder)
        self.build = build
        self.port, self.admin = larder.free_port(), larder.free_port()
        (self.folder / "passwd").write_text("".join(f"{user}:{APR1}\n" for user in USERS))
        self.configure("no")
        self.log = open(self.folder / "stderr", "ab")
        self.start()

    def configure(self, free, config=CONFIG):
        (self.folder / "larder.yaml").write_text(config.format(
            port=self.port, admin=self.admin, free=free,
            workers=os.environ.get("LARDER_WORKERS", "2")))

    def start(self):
        self.process = subprocess.Popen(
            [f"{self.build}/proxy/larder-proxy", "--config", str(self.folder / "larder.yaml")],
            stderr=self.log)
        larder.await_port("127.0.0.1", self.port, self.process)
        larder.await_port("127.0.0.1", self.admin, self.process)

    def page(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=60) as answer:
            return answer.read().decode()

    def used(self, who):
        rows = json.loads(self.page("/status"))["access"]["accounts"]
        return next((row["month"] for row in rows if row["who"] == who), 0)

    def metric(self, name):
        return int(self.page("/metrics").split(f"\nlarder_{name} ")[1].split("\n")[0])

    def reload(self):
        before = self.metric("reloads_total")
        self.process.send_signal(signal.SIGHUP)
        until(lambda: self.metric("reloads_total") > before, "a reload")
        larder.await_taken(self.admin)


def until(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return check(True, what)
        time.sleep(0.01)
    return check(False, what)


def auth(user):
    return "Proxy-Authorization: Basic " + \
        base64.b64encode(f"{user}:password".encode()).decode() + "\r\n"


uploaded = []
tails = []
ended = []


def serve(conn, head, rest):
    """/SIZE/NAME; names with "keep" may be stored. What is posted is counted, and never answered."""
    if head.startswith(b"POST"):
        uploaded.append(len(rest))
        tails.append(rest)
        try:
            while data := conn.recv(1 << 16):
                uploaded[-1] += len(data)
                tails[-1] = (tails[-1] + data)[-5:]
        finally:
            ended.append(len(uploaded))
        return True
    size = int(raw.path_of(head).split("/")[1])
    keep = b"max-age=3600" if b"keep" in head.split(b"\r\n")[0] else b"no-store"
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: %s\r\nContent-Length: %d\r\n\r\n" %
                 (keep, size) + b"x" * size)
    return False


def get(world, origin, path, user=None, more=""):
    """(status, bytes of the body, all of it)"""
    request = f"GET {origin.base}{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{more}" + \
        (auth(user) if user else "") + "\r\n"
    answer, _ = raw.ask(world.port, request.encode(), timeout=120)
    head, _, body = answer.partition(b"\r\n\r\n")
    return (raw.statuses(head + b"\r\n") or [0])[0], len(body), answer.decode("utf-8", "replace")


def is_closed(conn):
    try:
        conn.sendall(b"y")
        return False
    except OSError:
        return True


# ---- cases ----

def bodies(world, origin):
    for n in range(3):
        check(get(world, origin, f"/{SIZE}/{n}", "anna")[:2] == (200, SIZE), f"anna's body {n}")
    # What is used up by then is less than the quota: one more begins, and is cut.
    status, size, _ = get(world, origin, f"/{SIZE}/3", "anna")
    check(status == 200 and 0 < size < SIZE, f"the one that uses it up: {status}, {size}")
    status, _, answer = get(world, origin, f"/{SIZE}/4", "anna")
    check(status == 403 and re.search(r"You have used \d+ KiB of 300 KiB\. You can continue on "
                                      r"\d{4}-\d\d-01 00:00\.", answer), f"then: {answer}")
    answer = get(world, origin, f"/{SIZE}/4", "anna", "Accept-Language: de\r\n"
                 "Accept: text/html\r\n")[2]
    check("von 300 KiB verbraucht" in answer and "<h1>Nicht erlaubt" in answer, "in German")
    check(get(world, origin, f"/{SIZE}/5", "bert")[:2] == (200, SIZE), "bert has one of his own")
    used = world.used("user anna")
    check(300 * 1024 <= used < 300 * 1024 + 2 * 65536, f"anna has used {used}")


def nobody(world, origin):
    """Who needs no name is known by the address."""
    check(get(world, origin, f"/{SIZE}/n0")[0] == 407, "users stand before")
    world.configure("no", CONFIG.replace("access:\n", "access:\n  - allow: {{methods: HEAD}}\n")
                    .replace('  - allow: {{hosts: "=127', '  - allow: {{methods: GET, hosts: "=127')
                    .replace("  - allow: {{users:", "  - allow: {{ports: 1, users:"))
    world.reload()
    check(get(world, origin, f"/{SIZE}/n1")[:2] == (200, SIZE), "the address's first")
    status, size, _ = get(world, origin, f"/{SIZE}/n2")
    check(status == 200 and size < SIZE, f"the address's second is cut: {size}")
    check(get(world, origin, f"/{SIZE}/n3")[0] == 403, "and then no more")
    check(world.used("client 127.0.0.1") >= 150 * 1024, "its account")
    world.configure("no")
    world.reload()


def http2(world, origin):
    authority = origin.base.removeprefix("http://")
    field = ("proxy-authorization", auth("carl")[21:].strip())
    with h2.Connection(world.port, timeout=60) as conn:
        sizes = []
        for n in range(5):
            answer = conn.response(conn.request(f"/{SIZE}/h{n}", authority=authority, more=[field]))
            sizes.append((answer.status, len(answer.body), answer.reset))
        check(sizes[:3] == [(200, SIZE, None)] * 3, f"carl's: {sizes}")
        check(sizes[3][0] == 200 and sizes[3][1] < SIZE and sizes[3][2] is not None,
              f"the fourth stream is reset: {sizes[3]}")
        check(sizes[4][0] == 403, "the fifth is refused, and the connection lives")


def tunnels(world, echo):
    """Both ways count; the tunnel ends properly for both sides."""
    with raw.connect(world.port, 60) as conn:
        conn.sendall(f"CONNECT 127.0.0.1:{echo} HTTP/1.1\r\nHost: a\r\n{auth('dora')}\r\n".encode())
        head, got = raw.until_head(conn)
        check(raw.statuses(head) == [200], f"a tunnel: {head}")

        size, how = len(got), None
        while how is None and size < 100 * 8192:
            try:
                conn.sendall(b"y" * 8192)
                wanted = size + 8192
                while how is None and size < wanted:
                    data = conn.recv(8192)
                    size += len(data)
                    how = None if data else "fin"
            except ConnectionError:
                how = "reset"
        check(how in ("fin", "reset") and size >= 100 * 1024, f"it ends: {how}, {size}")
        until(lambda: is_closed(conn), "and is closed, though the client goes on")
    until(lambda: world.used("user dora") >= 300 * 1024, "dora's quota is used up")
    check(world.used("user dora") < 300 * 1024 + 8 * 65536, "and not by much more")
    answer, _ = raw.ask(world.port, f"CONNECT 127.0.0.1:{echo} HTTP/1.1\r\nHost: a\r\n"
                        f"{auth('dora')}\r\n".encode(), timeout=60)
    check(raw.statuses(answer) == [403], "no further tunnel")


def uploads(world, origin):
    """What is sent counts, too, and is given up when it has used the quota up."""
    size = 8 << 20
    with raw.connect(world.port, 60) as conn:
        conn.sendall(f"POST {origin.base}/post HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n"
                     f"{auth('ines')}\r\n".encode())
        conn.sendall(b"p" * 65536)
        # The reset of an upload takes with it what the origin has not read.
        until(lambda: uploaded, "the origin has the beginning")
        for _ in range((size >> 16) - 1):
            if select.select([conn], [], [], 0.05)[0]:
                break  # one that goes on for long is reset, and may lose the answer
            conn.sendall(b"p" * 65536)
        answer, how = raw.until_end(conn)
        check(raw.statuses(answer) == [403] and how != "open", f"past the quota: {how}, {answer}")
        check(b" of 300 KiB" in answer, f"and why: {answer}")
    check(uploaded[-1] < size // 2, f"the origin had {uploaded}")
    check(world.used("user ines") < 300 * 1024 + 8 * 65536, "ines has not used much more")


def upload_in_pieces(world, origin):
    """What is behind the quota does not reach the origin, and neither does an end of the rest."""
    count = len(uploaded)
    with h2.Connection(world.port, timeout=60) as conn:
        conn.authority = origin.base.split("/")[-1]
        more = (("proxy-authorization", auth("jens").split(": ")[1].strip()),)
        stream = conn.headers(conn.fields_of("/post", "POST", more=more), end=False)
        conn.send(h2.data(stream, bytes(16384)))
        until(lambda: len(uploaded) > count and uploaded[-1] >= 16384, "the origin has the beginning")
        conn.send(h2.data(stream, bytes(8192)) + h2.data(stream, bytes(4096), end=True))
        check(conn.response(stream).status == 403, "what has used the quota up is answered")
    until(lambda: world.used("user jens") >= 20 * 1024, "jens has used his quota up")
    check(tails[-1] != b"0\r\n\r\n", "an upload that was cut off is whole for the origin")


def upload_unheard(world, origin):
    """The origin is left at once, and not when the client has taken the answer."""
    count, before = len(uploaded), len(ended)
    with h2.Connection(world.port, (h2.INITIAL_WINDOW_SIZE, 0), timeout=60) as conn:
        conn.authority = origin.base.split("/")[-1]
        more = (("proxy-authorization", auth("lena").split(": ")[1].strip()),)
        stream = conn.headers(conn.fields_of("/post", "POST", more=more), end=False)
        conn.send(h2.data(stream, bytes(16384)))
        until(lambda: len(uploaded) > count and uploaded[-1] >= 16384, "the origin has the beginning")
        conn.send(h2.data(stream, bytes(8192)))
        until(lambda: len(ended) > before, "the origin is left")
        conn.send(h2.ping())
        conn.until(lambda: conn.pings)
        got = conn.streams[stream]
        check(got.status == 403 and not got.done, f"before the answer was taken: {got.status}")


def upload_at_once(world, origin):
    """However much of it comes while the password is checked, the origin has no whole one."""
    count = len(uploaded)
    body = b"k" * 32768
    answer, _ = raw.ask(world.port, f"POST {origin.base}/post HTTP/1.1\r\nHost: a\r\n"
                        f"Content-Length: {len(body)}\r\n{auth('karl')}\r\n".encode() + body,
                        timeout=60)
    check(raw.statuses(answer) == [403], f"an upload beyond the quota: {answer[:200]}")
    check(b"You have used 32 KiB of 20 KiB" in answer, f"and why: {answer}")
    time.sleep(0.1)  # the origin may just be hearing of it
    check(all(size < len(body) for size in uploaded[count:]), f"the origin had {uploaded[count:]}")


def pace(world, origin):
    """A lower bound holds on every machine."""
    size, burst = 80 * 1024, 16 * 1024
    begin = time.monotonic()
    check(get(world, origin, f"/{size}/p", "fred")[:2] == (200, size), "slow, and whole")
    check(time.monotonic() - begin >= (size - burst) / 65536 - 0.5, "not faster than its pace")
    status, got, _ = get(world, origin, f"/{3 * SIZE}/s", "eva")
    check((status, got) == (200, 3 * SIZE), f"over the quota slowly: {status}, {got}")
    check(get(world, origin, f"/{SIZE}/s2", "eva")[:2] == (200, SIZE), "and again")


def free(world, origin):
    world.configure("yes")
    world.reload()
    for n in range(8):
        check(get(world, origin, f"/{SIZE}/keep", "hugo")[:2] == (200, SIZE), f"a hit is free: {n}")
    used = world.used("user hugo")
    check(SIZE <= used < 2 * SIZE, f"counted once: {used}")
    world.configure("no")
    world.reload()
    check(get(world, origin, f"/{SIZE}/keep", "hugo")[:2] == (200, SIZE), "one more")
    check(world.used("user hugo") >= 2 * SIZE, "now it counts")


def survives(world, origin):
    """kill -9 loses what was not written yet, and that is at most what came after the last group."""
    before = {who: world.used(f"user {who}") for who in ("anna", "bert", "carl", "dora", "hugo")}
    groups = world.metric("accounts_written_total")
    get(world, origin, f"/{SIZE}/last", "gerd")  # nobody counts gerd's: nothing is written for him
    check(get(world, origin, "/1000/last", "bert")[0] == 200, "one more of bert's")
    until(lambda: world.metric("accounts_written_total") > groups, "written within some time")
    world.process.kill()
    world.process.wait()
    world.start()
    for who, used in before.items():
        check(world.used(f"user {who}") >= used, f"{who}: {used}, now {world.used(f'user {who}')}")
    check(world.used("user gerd") == 0, "gerd is not counted")
    check(get(world, origin, f"/{SIZE}/6", "anna")[0] == 403, "anna's is still used up")


def told(world):
    log = (world.folder / "access.log").read_text()
    check(re.search(r"TCP_DENIED/403 .* anna HIER_NONE/- - quota#", log), "the log says quota")
    world.configure("no", CONFIG.replace("state: state\n", ""))
    done = subprocess.run([f"{world.build}/proxy/larder-proxy", "--check", "--config",
                           str(world.folder / "larder.yaml")], capture_output=True, text=True,
                          check=False)
    check(done.returncode == 1 and "no place to record" in done.stderr, f"a quota needs a place: {done}")


def echo_server():
    server = socket.create_server(("127.0.0.1", 0))

    def echo(conn):
        with conn:
            try:
                while data := conn.recv(65536):
                    conn.sendall(data)
            except OSError:
                pass

    def run():
        while True:
            threading.Thread(target=echo, args=(server.accept()[0],), daemon=True).start()
    threading.Thread(target=run, daemon=True).start()
    return server.getsockname()[1]


def main():
    build = sys.argv[1]
    larder.need(f"{build}/proxy/larder-proxy")
    origin, echo = raw.Origin(serve), echo_server()
    with tempfile.TemporaryDirectory() as folder:
        world = World(build, folder)
        try:
            bodies(world, origin)
            http2(world, origin)
            tunnels(world, echo)
            uploads(world, origin)
            upload_in_pieces(world, origin)
            upload_unheard(world, origin)
            upload_at_once(world, origin)
            pace(world, origin)
            free(world, origin)
            nobody(world, origin)
            survives(world, origin)
            world.process.send_signal(signal.SIGTERM)
            check(world.process.wait(timeout=60) == 0, "the proxy leaves by itself")
            told(world)
        finally:
            world.process.kill()
            world.log.close()
    check.end()


main()
