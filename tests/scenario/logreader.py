#!/usr/bin/env python3
"""The native log as calamaris reads it, and larderctl top on a terminal: logreader.py BUILD

calamaris, which has read Squid's logs for decades, counts in ours what was asked for: requests, hits and
misses, denied ones, hosts. larderctl top draws on a pseudo terminal, follows its size, counts by something
else at a key, and leaves it as it was at q.
"""
import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

check = raw.Checks()


def serve(conn, head, _rest):
    kept = b"no-store" if b"/private" in head else b"max-age=600"
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: " + kept + b"\r\nContent-Type: text/html\r\n"
                 b"Content-Length: 1000\r\n\r\n" + b"x" * 1000)


def wait(what, condition):
    end = time.monotonic() + 120
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"{what}: waited in vain")
        time.sleep(0.01)


def traffic(proxy, origin):
    client = larder.Client(proxy.port)
    for path in ("a", "b", "c", "private", "private"):
        check(client.get(f"{origin.base}/{path}")[0] == 200, path)
    for path in ("a", "a", "b"):
        check(client.get(f"{origin.base}/{path}")[0] == 200, path)
    client.get("http://127.0.0.1:1/")  # no such port
    raw.ask(proxy.port, b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    return 10


def read_by_calamaris(log, requests):
    if not shutil.which("calamaris"):
        print("calamaris is not there")
        return
    with log.open() as lines:
        done = subprocess.run(["calamaris", "-a"], stdin=lines, capture_output=True, text=True,
                              timeout=120, check=False)
    report = done.stdout
    check(done.returncode == 0 and not done.stderr, done.stderr[:500])
    wanted = {"lines parsed": requests, "invalid lines": 0, "Total amount": requests,
              "unique hosts/users": 1, "Total amount cached": 3, "TCP_MISS": 5, "TCP_DENIED": 2,
              "CONNECT": 1, "HIER_DIRECT": 5}
    for name, count in wanted.items():
        got = re.search(rf"^ ?{name}:? +[a-z]* +(\d+)\b", report, re.M)
        check(got and int(got[1]) == count, f"{name}: {got and got[0]}, not {count}")


# ---- the screen ----

class Screen:
    def __init__(self, build, proxy):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            os.execv(f"{build}/ctl/larderctl", ["larderctl", "top", "--admin",
                                                f"127.0.0.1:{proxy.admin}"])
        self.size(10, 60)
        self.seen = ""

    def size(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        """False at the end."""
        ready, _, _ = select.select([self.fd], [], [], 0.05)
        if not ready:
            return True
        try:
            more = os.read(self.fd, 65536).decode(errors="replace")
        except OSError:
            return False
        self.seen += more
        return bool(more)

    def until(self, what, pattern):
        end = time.monotonic() + 120
        while not re.search(pattern, self.seen):
            if time.monotonic() > end or not self.read():
                raise SystemExit(f"{what}: {self.seen[-800:]!r}")

    def key(self, key):
        self.seen = ""
        os.write(self.fd, key)


def watch(build, proxy, origin):
    screen = Screen(build, proxy)
    screen.until("the first frame", r"\x1b\[\?1049h(.|\n)*\x1b\[J")
    client = larder.Client(proxy.port)
    host = re.escape(origin.base.split("//")[1])

    def ask():
        for _ in range(3):
            client.get(f"{origin.base}/top")
        return re.search(host + r"\x1b", screen.seen)

    end = time.monotonic() + 120
    while not ask() and time.monotonic() < end:
        screen.read()
    check(re.search(host, screen.seen) and "host" in screen.seen, screen.seen[-800:])
    screen.key(b"s")
    screen.until("by status", r"status\x1b")
    while not re.search(r"  200\x1b", screen.seen):
        ask()
        screen.read()
    screen.size(3, 30)
    screen.until("the smaller frame, with keys in its last line", r"\x1b\[H[^\n]{,50}\n[^\n]{,50}\n"
                 r"\x1b\[J\x1b\[3;1H\x1b\[2m[^\n\x1b]{,29}\x1b\[0m$")
    screen.key(b"q")
    while screen.read():
        pass
    check("\x1b[?1049l" in screen.seen and "\x1b[?25h" in screen.seen, "left as it was")
    check(os.waitstatus_to_exitcode(os.waitpid(screen.pid, 0)[1]) == 0, "0 at q")


def main():
    build = sys.argv[1]
    larder.need(f"{build}/proxy/larder-proxy")
    origin = raw.Origin(serve)
    with tempfile.TemporaryDirectory(prefix="larder-logreader.") as directory:
        log = pathlib.Path(directory) / "access.log"
        proxy = larder.Proxy(f"{build}/proxy/larder-proxy", f"{directory}/store",
                             "--access-log", str(log))
        proxy.start()
        requests = traffic(proxy, origin)
        wait("the log", lambda: log.exists() and len(log.read_text().splitlines()) >= requests)
        read_by_calamaris(log, requests)
        watch(build, proxy, origin)
        check(proxy.stop(), "it did not leave by itself")
    check.end()


if __name__ == "__main__":
    main()
