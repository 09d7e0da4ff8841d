#!/usr/bin/env python3
"""Who waits while another's request is validated: followers.py BUILD

A 304 confirms what is stored for the request that was sent. Somebody else who waited for it may have
it only as any stored response: not where the response asks for a validation each time, has no
lifetime, or was made for who is authorised. The origin's pages differ by who asks, and their ETags
with them. Where the response may be had by all, the origin is asked once; also for those who ask for
a validation themselves.
"""
import pathlib
import re
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

FOLLOWERS = 5
# Path: what the origin says of it, the field that tells who asks, whether followers share.
PAGES = {
    "no-cache": (b"no-cache", "Cookie", False),
    "public-no-cache": (b"public, no-cache", "Authorization", False),
    "now": (b"max-age=0", "Cookie", False),
    "must": (b"max-age=0, must-revalidate", "Cookie", False),
    "authorised": (b"max-age=60", "Authorization", False),
    "shared": (b"max-age=60", "X-Who", True),
    "reloaded": (b"max-age=60", "X-Who", True),
    "reloaded-hard": (b"max-age=60", "X-Who", True),
}
RELOAD = {"reloaded": "max-age=0", "reloaded-hard": "no-cache"}
check = raw.Checks()


class Scene:
    def __init__(self, program, store):
        self.origin = raw.Origin(self.serve)
        self.proxy = larder.Proxy(program, store, "--workers", "1")
        self.may_confirm = threading.Event()
        self.conditional = 0
        self.proxy.start()

    def serve(self, conn, head, _):
        path = raw.path_of(head)[1:]
        says, field, shared = PAGES[path]
        who = re.search(b"\r\n%b: ([^\r]*)" % field.encode(), head, re.I)
        who = b"all" if shared else who[1] if who else b"nobody"
        tag = b'"' + who.replace(b" ", b"-") + b'"'
        known = re.search(b"\r\nIf-None-Match: ([^\r]*)", head, re.I)
        if known:
            self.conditional += 1
            self.may_confirm.wait(raw.PATIENCE)
        same = known and known[1] == tag
        old = b"" if known or path in RELOAD else b"Age: 100\r\n"  # stale as it comes
        conn.sendall(b"HTTP/1.1 %b\r\nCache-Control: %b\r\nETag: %b\r\n%bContent-Length: %d\r\n\r\n%b"
                     % (b"304 Not Modified" if same else b"200 OK", says, tag, old, len(who),
                        b"" if same else who))

    def ask(self, path, who):
        fields = "" if who == "nobody" else f"{PAGES[path][1]}: {who}\r\n"
        if path in RELOAD and who != "user 0":
            fields += f"Cache-Control: {RELOAD[path]}\r\n"
        conn = raw.connect(self.proxy.port)
        conn.sendall(f"GET {self.origin.base}/{path} HTTP/1.1\r\nHost: x\r\n{fields}"
                     "Connection: close\r\n\r\n".encode())
        return conn

    def page(self, path):
        """Stored for the first user, and validated for one; the others ask meanwhile."""
        shared = PAGES[path][2]
        first = "nobody" if path == "authorised" else "user 0"
        stored = raw.until_end(self.ask(path, first))[0]
        check(stored.startswith(b"HTTP/1.1 200"), f"{path}: stored")
        self.conditional = 0
        self.may_confirm.clear()
        leader = "user 1" if path in RELOAD else first
        conns = {leader: self.ask(path, leader)}
        end = time.monotonic() + 60
        while self.conditional == 0 and time.monotonic() < end:
            time.sleep(0.01)
        check(self.conditional == 1, f"{path}: it is being validated")
        for number in range(2, 2 + FOLLOWERS):
            conns[f"user {number}"] = self.ask(path, f"user {number}")
        for _ in range(2):  # the only worker has been at all of these by now
            answer, _ = raw.ask(self.proxy.port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            check(answer.startswith(b"HTTP/1.1 4"), f"nothing for {answer[:80]}")
        self.may_confirm.set()
        for who, conn in conns.items():
            got = raw.until_end(conn)[0]
            body = got.partition(b"\r\n\r\n")[2].decode()
            check(got.startswith(b"HTTP/1.1 200") and body == ("all" if shared else who),
                  f"{path}: {who} had {body}")
        if shared:
            check(self.conditional == 1, f"{path}: {self.conditional} validations")


def main():
    program = str(pathlib.Path(sys.argv[1]) / "proxy" / "larder-proxy")
    larder.need(program)
    with tempfile.TemporaryDirectory(prefix="larder-followers.") as store:
        scene = Scene(program, store)
        for path in PAGES:
            scene.page(path)
        check(scene.proxy.stop(), "it leaves by itself")
    check.end()


main()
