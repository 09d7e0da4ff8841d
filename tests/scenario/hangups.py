#!/usr/bin/env python3
"""Many SIGHUPs while a reload is under way are one more reload: hangups.py BUILD

The configuration is a pipe, so that a reload lasts as long as nobody writes to it. Signals that come
meanwhile must not each be a reload of its own: the main thread, and with it the admin listener, would
be busy with them one after the other for however long that takes.
"""
import os
import pathlib
import re
import signal
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

BURST = 30
PATIENCE = 60
TEXT = b"connect-ports: [1024-65535]\n"
check = raw.Checks()


def wait(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"{what}: waited in vain")
        time.sleep(0.005)


def reloads(proxy):
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}/metrics", timeout=60) as answer:
        return int(re.search(rb"^larder_reloads_total (\d+)", answer.read(), re.M)[1])


def is_delivered(process):
    """No SIGHUP waits for the process: the next one is not merged with it by the kernel."""
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    pending = int(re.search(r"^ShdPnd:\s*(\w+)", text, re.M)[1], 16)
    return not pending >> (signal.SIGHUP - 1) & 1


def hang_up(proxy):
    proxy.process.send_signal(signal.SIGHUP)
    wait("a signal", lambda: is_delivered(proxy.process))


def open_pipe(path):
    """Its writing end, once the proxy has begun to read."""
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def burst(proxy, file):
    pipe, ends = file.with_suffix(".pipe"), []
    os.mkfifo(pipe)
    pipe.rename(file)
    hang_up(proxy)
    wait("the reload to begin", lambda: ends.append(open_pipe(file)) or ends[-1] is not None)
    plain = file.with_suffix(".plain")
    plain.write_bytes(TEXT)
    plain.rename(file)  # what the next reload reads
    for _ in range(BURST):
        hang_up(proxy)
    os.write(ends[-1], TEXT)
    os.close(ends[-1])


def main():
    program = f"{sys.argv[1]}/proxy/larder-proxy"
    larder.need(program)
    with tempfile.TemporaryDirectory(prefix="larder-hangups.") as directory:
        file = pathlib.Path(directory) / "proxy.yaml"
        file.write_bytes(TEXT)
        proxy = larder.Proxy(program, f"{directory}/store", "--config", str(file))
        proxy.start()
        check(reloads(proxy) == 0, "none yet")
        burst(proxy, file)
        wait("the second reload", lambda: reloads(proxy) >= 2)
        hang_up(proxy)
        wait("the third reload", lambda: reloads(proxy) >= 3)
        check(reloads(proxy) == 3, f"{reloads(proxy)} reloads, where 3 were to be")
        check(proxy.stop(), "it did not leave by itself")
        for _ in range(3):  # what nobody takes any more is given back (a matter for the sanitizer)
            proxy.start()
            hang_up(proxy)
            proxy.process.send_signal(signal.SIGTERM)
            proxy.process.send_signal(signal.SIGHUP)  # it may be gone before it looks
            check(proxy.process.wait(timeout=60) == 0, f"left with {proxy.process.returncode}")
    check.end()


if __name__ == "__main__":
    main()
