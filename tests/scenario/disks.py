#!/usr/bin/env python3
"""Several store directories: disks.py BUILD

One of three fails while the proxy serves, is taken out, and comes back at the next start: every body
is the origin's of that moment throughout. A directory that is not there is left out; one that
another process has stops the start. Two crashes move everything aside.
"""
import hashlib
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

SMALL, LARGE = 120, 6
check = raw.Checks()
version = 1


def body_of(path):
    """Follows from the path and from the version of everything."""
    seed = hashlib.sha256(f"{path} {version}".encode()).digest()
    return seed * (60000 if "/large" in path else 200)


def serve(conn, head, _rest):
    path = raw.path_of(head)
    body = body_of(path)
    if head.startswith(b"POST"):
        body = b""
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n"
                 b"Content-Length: %d\r\n\r\n" % len(body) + body)


def paths():
    return [f"/small{n}" for n in range(SMALL)] + [f"/large{n}" for n in range(LARGE)]


def ask_all(proxy, origin, when):
    """Every body is what the origin has now. How many came from the cache."""
    wrong = hits = 0
    client = larder.Client(proxy.port)
    for path in paths():
        client.connection.request("GET", f"{origin.base}{path}", headers={"Host": "a"})
        response = client.connection.getresponse()
        data = response.read()
        wrong += response.status != 200 or data != body_of(path)
        hits += "; hit" in response.headers.get("Cache-Status", "")
    client.connection.close()
    check(wrong == 0, f"{when}: {wrong} of {SMALL + LARGE} bodies are wrong")
    return hits


def change_all(proxy, origin):
    """The origin has something else by now, and the proxy is told (RFC 9111 4.4)."""
    global version
    version += 1
    client = larder.Client(proxy.port)
    for path in paths():
        client.connection.request("POST", f"{origin.base}{path}", body=b"",
                                  headers={"Host": "a"})
        client.connection.getresponse().read()
    client.connection.close()


def directories(proxy):
    larder.await_port("127.0.0.1", proxy.admin, proxy.process)
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}/status", timeout=60) as answer:
        return {pathlib.Path(row["path"]).name: row
                for row in json.load(answer)["store"]["directories"]}


def until(holds, what):
    """In the end it holds: writing is behind what is served."""
    end = time.monotonic() + 60
    while True:
        held = holds()
        if held or time.monotonic() > end:
            check(held, what)
            return
        time.sleep(0.05)


def await_state(proxy, name, state):
    until(lambda: directories(proxy)[name]["state"] == state, f"{name} is {state}")


def proxy_on(program, root, names):
    proxy = larder.Proxy(program, "none", "--store-size", "64MiB", "--workers", "2")
    at = proxy.command.index("--store")
    stores = ", ".join(str(root / name) for name in names)
    proxy.command[at:at + 2] = ["--set", f"store.directories=[{stores}]"]
    return proxy


def refused(program, root, names, who):
    """A second process on one of the directories: the status, and who has it."""
    other = proxy_on(program, root, names)
    done = subprocess.run(other.command, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    check(done.returncode == 1, f"a second process ends with 1, not {done.returncode}")
    check("store_in_use" in done.stderr and f"dir={root / names[-1]}" in done.stderr and
          f"pid={who.process.pid} program=larder-proxy" in done.stderr and
          "in use by another process" in done.stderr, f"and says who: {done.stderr}")


def what_to_do(program, root):
    """Directories that cannot be used: the start says why, and what can be done about it."""
    (root / "file").write_text("no directory")
    (root / "same").symlink_to(root / "a")
    for names, said in ((["file/x"], ["store_open", "Not a directory", 'next="name a directory']),
                        (["a", "same"], ["this process, which has it under another name",
                                         'next="name each directory once'])):
        done = subprocess.run(proxy_on(program, root, names).command, stderr=subprocess.PIPE,
                              text=True, timeout=60, check=False)
        check(done.returncode == 1 and all(text in done.stderr for text in said),
              f"{names}: {done.returncode}, {done.stderr}")
    proxy = proxy_on(program, root, ["a"])
    size = 2 * shutil.disk_usage(root).total >> 30 << 30  # not more: a sanitizer maps no more than a TiB
    proxy.command[proxy.command.index("64MiB")] = f"{size >> 30}GiB"
    with open(root / "said", "w+", encoding="utf-8") as said:
        proxy.popen = lambda: subprocess.Popen(proxy.command, stderr=said)
        proxy.start()
        check(proxy.stop(), "the proxy left by itself")
        said.seek(0)
        text = said.read()
        check(f"store_exceeds_disk dir={root / 'a'} size={size} disk=" in text,
              f"what is larger than the disk is warned of: {text}")


def fail_one(program, root, origin):
    proxy = proxy_on(program, root, "abc")
    proxy.start()
    ask_all(proxy, origin, "first")
    until(lambda: ask_all(proxy, origin, "again") == SMALL + LARGE, "all from the cache")
    until(lambda: all(row["objects"] > 0 for row in directories(proxy).values()), "each has some")
    refused(program, root, "xb", proxy)
    refused(program, root, "c", proxy)

    with open(root / "b" / "index.mdb", "r+b") as index:
        index.truncate(8192)  # the roots are there, and nothing they lead to
        ask_all(proxy, origin, "b begins to fail")
        directories(proxy)
        index.truncate(0)  # whatever is read there is SIGBUS from now on
    ask_all(proxy, origin, "b fails")
    change_all(proxy, origin)
    await_state(proxy, "b", "out")
    ask_all(proxy, origin, "changed")
    until(lambda: ask_all(proxy, origin, "changed, again") == SMALL + LARGE, "the others have all")
    check("cause" in directories(proxy)["b"], "and it is said why")
    change_all(proxy, origin)
    ask_all(proxy, origin, "changed again")
    check(proxy.stop(), "the proxy left by itself")


def come_back(program, root, origin):
    proxy = proxy_on(program, root, "abc")
    proxy.start()
    ask_all(proxy, origin, "back")
    check(all(row["state"] == "in" for row in directories(proxy).values()), "all are in")
    until(lambda: ask_all(proxy, origin, "back, again") == SMALL + LARGE, "all from the cache")
    check(proxy.stop(), "the proxy left by itself")


def miss_one(program, root, origin):
    (root / "c").rename(root / "away")
    (root / "c").write_text("no directory")
    proxy = proxy_on(program, root, "abc")
    proxy.start()
    await_state(proxy, "c", "out")
    check(ask_all(proxy, origin, "c is not there") > 0, "the others have what they had")
    change_all(proxy, origin)
    ask_all(proxy, origin, "changed without c")
    check(proxy.stop(), "the proxy left by itself")
    (root / "c").unlink()
    (root / "away").rename(root / "c")
    proxy.start()
    ask_all(proxy, origin, "c is there again")
    check(proxy.stop(), "the proxy left by itself")


def crash_twice(program, root, origin):
    """The third start moves aside what the process died of; what ended by kill -9 is not counted."""
    proxy = proxy_on(program, root, "abc")
    for end in (signal.SIGKILL, signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT):
        proxy.start()
        ask_all(proxy, origin, "before a crash")
        check(not list(root.glob("?/aside-*")), "nothing is aside")
        proxy.process.send_signal(end)
        status = proxy.process.wait(timeout=60)
        # A sanitizer reports it, and ends with a status of its own or by abort().
        reported = end != signal.SIGKILL and (status > 0 or status == -signal.SIGABRT)
        check(status == -end or reported,
              f"it ends by the signal: {status}")
    proxy.start()
    for name in "abc":
        aside = list((root / name).glob("aside-*"))
        check(len(aside) == 1 and (aside[0] / "index.mdb").exists(), f"{name} is moved aside")
    hits = ask_all(proxy, origin, "after two crashes")
    check(hits == 0, f"the cache is empty: {hits}")
    until(lambda: ask_all(proxy, origin, "and again") == SMALL + LARGE, "and used")
    check(proxy.stop(), "the proxy left by itself")


def main():
    program = str(pathlib.Path(sys.argv[1]) / "proxy" / "larder-proxy")
    larder.need(program)
    origin = raw.Origin(serve)
    with tempfile.TemporaryDirectory() as root:
        root = pathlib.Path(root)
        fail_one(program, root, origin)
        come_back(program, root, origin)
        miss_one(program, root, origin)
        crash_twice(program, root, origin)
    with tempfile.TemporaryDirectory() as root:
        what_to_do(program, pathlib.Path(root))
    check.end()


if __name__ == "__main__":
    main()
