#!/usr/bin/env python3
"""A disk that is full: full.py BUILD

The store lies on a small tmpfs that somebody else fills. Storing stops, serving does not; with room
again, objects are stored again. Needs the right to mount.
"""
import contextlib
import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

BODY = b"x" * 1000
check = raw.Checks()


def serve(conn, _head, _rest):
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n"
                 b"Content-Length: 1000\r\n\r\n" + BODY)


@contextlib.contextmanager
def small_disk(size):
    with tempfile.TemporaryDirectory() as root:
        where = pathlib.Path(root) / "disk"
        where.mkdir()
        if subprocess.call(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", where],
                           stderr=subprocess.DEVNULL) != 0:
            print("skipped: no right to mount")
            sys.exit(77)
        try:
            yield where
        finally:
            subprocess.call(["umount", "-l", where])


def fill(path, piece):
    """Writes until nothing of `piece` bytes fits any more."""
    with open(path, "ab", buffering=0) as stream, contextlib.suppress(OSError):
        while stream.write(bytes(piece)) == piece:
            pass


def ask_all(proxy, origin, prefix, count):
    """Every object is delivered whole, whatever becomes of storing it."""
    wrong = 0
    for n in range(count):
        with contextlib.suppress(OSError):
            data, _ = raw.ask(proxy.port,
                              f"GET {origin.base}/{prefix}{n} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            wrong += not (data.startswith(b"HTTP/1.1 200") and data.endswith(b"\r\n\r\n" + BODY))
            continue
        wrong += 1
    check(wrong == 0, f"{wrong} of {count} objects {prefix} not delivered")
    check(proxy.process.poll() is None, f"the proxy lives ({prefix}): {proxy.process.poll()}")


def is_stored_again(proxy, origin):
    end = time.monotonic() + raw.PATIENCE
    for n in itertools.count():
        data, _ = raw.ask(proxy.port,
                          f"GET {origin.base}/r{n} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        if b"; stored" in data or time.monotonic() > end:
            return b"; stored" in data
        time.sleep(0.2)


def main():
    program = str(pathlib.Path(sys.argv[1]) / "proxy" / "larder-proxy")
    larder.need(program)
    origin = raw.Origin(serve)
    for piece in (1 << 20, 4096):  # room for the segment in use, but for no next one; none at all
        with small_disk("20M") as disk:
            proxy = larder.Proxy(program, str(disk / "store"), "--store-size", "64MiB",
                                 "--workers", "1")
            proxy.start()
            ask_all(proxy, origin, "a", 100)
            fill(disk / "filler", piece)
            ask_all(proxy, origin, "b", 1200)
            ask_all(proxy, origin, "a", 100)
            os.unlink(disk / "filler")
            check(is_stored_again(proxy, origin), "with room again, objects are stored again")
            check(proxy.stop(), "the proxy left by itself")
    check.end()


if __name__ == "__main__":
    main()
