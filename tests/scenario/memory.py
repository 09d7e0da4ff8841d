#!/usr/bin/env python3
"""The memory limit, held: memory.py BUILD [READERS] [BYTES of each body] [MiB of memory]

Slow readers of large bodies of every kind (stored, of unknown length, not to be stored), while
others hang around idle: all that is counted stays below the limit at every look, every byte
arrives, and afterwards what was held is given back. When even the least of each transfer is too
much, what needs an origin is answered 503 and says why; what is stored is served all the same. Who
waits for a silent origin, and who reads nothing of what is stored, gives way after some seconds. The
names of the metrics are those of docs/memory.md.
"""
import asyncio
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

READERS = int(sys.argv[2]) if len(sys.argv) > 2 else 60
SIZE = int(sys.argv[3]) if len(sys.argv) > 3 else 3_000_000
LIMIT = (int(sys.argv[4]) if len(sys.argv) > 4 else 16) << 20
IDLE = 300
HANGING = 260
NO_READERS = 1500
SLOW_SECONDS = 4
UNIT = 64
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
check = raw.Checks()
hanging = asyncio.Event()


def piece_of(path, start, length):
    """Bytes [start, start + length) of a body; both are multiples of UNIT."""
    return b"".join(f"{path} {n}".encode().ljust(UNIT, b".") for n in
                    range(start // UNIT, (start + length) // UNIT))


def head_of(path):
    kind = path.split("/")[1]
    cache = "no-store" if kind == "pass" else "max-age=600"
    length = "Transfer-Encoding: chunked" if kind == "chunked" else f"Content-Length: {size_of(path)}"
    return (f"HTTP/1.1 200 OK\r\nCache-Control: {cache}\r\nETag: \"1\"\r\n{length}\r\n"
            f"Connection: close\r\n\r\n").encode()


def size_of(path):
    return (10 * UNIT if "/small" in path else SIZE) // UNIT * UNIT


async def origin(reader, writer):
    try:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        if path.startswith("/silent"):
            await hanging.wait()
        writer.write(head_of(path))
        if path.startswith("/hang"):
            await hanging.wait()
        step, size = 512 * UNIT, size_of(path)
        for at in range(0, size, step):
            data = piece_of(path, at, min(step, size - at))
            if "/chunked/" in path:
                data = b"%x\r\n%b\r\n" % (len(data), data)
            writer.write(data)
            await writer.drain()
        if "/chunked/" in path:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


class Body:
    """Takes in the bytes of a response, chunked or not, and compares them."""

    def __init__(self, path):
        self.path, self.at, self.right, self.pending = path, 0, True, b""

    def take(self, data):
        data = self.pending + data
        whole = len(data) // UNIT * UNIT
        self.right = self.right and data[:whole] == piece_of(self.path, self.at, whole)
        self.at += whole
        self.pending = data[whole:]

    def is_whole(self):
        return self.right and not self.pending and self.at == size_of(self.path)


async def ask(proxy, base, path, limit=2 ** 16):
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port, limit=limit)
    writer.write(f"GET {base}{path} HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    return reader, writer, int(head.split()[1]), head


async def come(proxy, base, path):
    """Who has connected and is slow to ask is closed where memory is over, and comes again."""
    end = time.monotonic() + 60
    while True:
        try:
            return await ask(proxy, base, path)
        except (OSError, asyncio.IncompleteReadError):
            if time.monotonic() > end:
                raise


async def read_chunk(reader, chunked, most):
    """The next bytes of the body, about `most`; b"" at the end."""
    if not chunked:
        return await reader.read(most)
    size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
    data = await reader.readexactly(size)
    await reader.readexactly(2)
    return data


async def slow_reader(proxy, base, path, end):
    reader, writer, status, head = await ask(proxy, base, path)
    body = Body(path)
    chunked = "transfer-encoding: chunked" in head.lower()
    while status == 200:
        data = await read_chunk(reader, chunked, 8192)
        if not data:
            break
        body.take(data)
        if time.monotonic() < end:
            await asyncio.sleep(0.1)
    writer.close()
    return status, body


def status_of(proxy):
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}/status", timeout=60) as answer:
        return json.load(answer)


async def memory_of(proxy):
    return (await asyncio.to_thread(status_of, proxy))["memory"]


async def watch(proxy, seen, done):
    while not done.is_set():
        memory = await memory_of(proxy)
        seen.append(memory)
        await asyncio.sleep(0.05)


async def slow_readers(proxy, base):
    seen, done = [], asyncio.Event()
    watcher = asyncio.create_task(watch(proxy, seen, done))
    idle = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(IDLE)]
    kinds = ("stored", "chunked", "pass")
    end = time.monotonic() + SLOW_SECONDS
    answers = await asyncio.gather(*(
        slow_reader(proxy, base, f"/{kinds[n % 3]}/{n}", end) for n in range(READERS)))
    connections = (await memory_of(proxy))["by_purpose"]["connections"]
    done.set()
    await watcher
    for _, writer in idle:
        writer.close()
    whole = sum(status == 200 and body.is_whole() for status, body in answers)
    wrong = [body.path for status, body in answers if not body.right]
    most = max(memory["used"] for memory in seen)
    resident = max(memory["resident"] for memory in seen)
    print(f"{len(seen)} looks: at most {most >> 10} KiB of {LIMIT >> 10} counted, "
          f"{resident >> 10} KiB resident; {connections // IDLE} bytes for an idle connection")
    check(most <= LIMIT, f"{most} bytes of {LIMIT} were used")
    check(whole == READERS and not wrong, f"{whole} of {READERS} bodies came whole, wrong: {wrong}")
    check(0 < connections < IDLE * 4096, f"{connections} bytes for {IDLE} idle connections")


async def settles(proxy):
    memory, end = {}, time.monotonic() + 60
    while time.monotonic() < end:
        memory = await memory_of(proxy)
        by = memory["by_purpose"]
        if by["promised"] == 0 and by["queued"] == 0 and by["bodies"] < 200_000:
            break
        await asyncio.sleep(0.1)
    check(memory["by_purpose"]["promised"] == 0, f"nothing is promised at the end: {memory}")
    check(memory["by_purpose"]["bodies"] < 200_000, f"bodies went: {memory}")


async def refuses(proxy, base):
    """With less memory than the least of so many transfers."""
    _, writer, status, _ = await ask(proxy, base, "/stored/small")
    writer.close()
    check(status == 200, "a small one is stored")
    waiting = []
    for n in range(HANGING):
        waiting.append(asyncio.create_task(come(proxy, base, f"/hang/{n}")))
    done, _ = await asyncio.wait(waiting, timeout=60)
    refused = [task.result() for task in done if not task.exception() and task.result()[2] == 503]
    check(0 < len(refused) < HANGING, f"{len(refused)} of {HANGING} refused")
    for _, _, _, head in refused:
        check(re.search(r"(?i)\r\nretry-after: 1\r\n", head) and "detail=memory" in head,
              f"the refusal says why: {head}")
    _, writer, status, head = await ask(proxy, base, "/stored/small")
    writer.close()
    check(status == 200 and "hit" in head.lower(), f"what is stored is served: {head}")
    hanging.set()
    for _, writer, _, _ in await asyncio.gather(*waiting):
        writer.close()


async def status_of_new(proxy, base, path):
    """Of a request on a connection of its own; 0: it was closed."""
    try:
        _, writer, status, _ = await ask(proxy, base, path)
    except (OSError, asyncio.IncompleteReadError):
        return 0
    writer.close()
    return status


async def comes_through(proxy, base, what, more=lambda: None):
    """Newcomers are kept out at first. Once those in the way have had their time they are served,
    whether it is stored or not."""
    status = 200
    for n in range(300):
        status = await status_of_new(proxy, base, f"/pass/small/early{n}")
        if status != 200:
            break
        more()  # those who were refused have left room
        await asyncio.sleep(0.1)
    check(status in (0, 503), f"{what} keep others out at first: {status}")
    for n in range(300):
        status = await status_of_new(proxy, base, f"/pass/small/late{n}")
        if status == 200:
            break
        await asyncio.sleep(0.1)
    for path in ("/stored/small", "/pass/small/last"):
        status = await status_of_new(proxy, base, path)
        check(status == 200, f"beside {what}: {path} is answered {status}")


async def silent_origin(proxy, base):
    await wait_in_vain(proxy, base, "silent")


async def silent_behind_heads(proxy, base):
    await wait_in_vain(proxy, base, "hang")


async def wait_in_vain(proxy, base, kind):
    """More requests than there is room for wait for an origin that says nothing, or no more."""
    hanging.clear()
    waiting = []

    def wait_for(count):
        for _ in range(count):
            waiting.append(asyncio.create_task(ask(proxy, base, f"/{kind}/{len(waiting)}")))

    wait_for(HANGING)
    await comes_through(proxy, base, f"requests to an origin that is {kind}", lambda: wait_for(16))
    hanging.set()
    for result in await asyncio.gather(*waiting, return_exceptions=True):
        if not isinstance(result, Exception):
            result[1].close()


async def no_readers(proxy, base):
    """More clients than there is room for read nothing of a body that is stored."""
    await status_of_new(proxy, base, "/stored/large")
    request = f"GET {base}/stored/large HTTP/1.1\r\nHost: o\r\n\r\n".encode()
    conns = []
    for _ in range(NO_READERS):
        try:
            conns.append(await asyncio.to_thread(raw.connect, proxy.port, 60, 4096))
            conns[-1].sendall(request)
        except OSError:
            break
    await comes_through(proxy, base, f"{len(conns)} who read nothing")
    for conn in conns:
        conn.close()


def names(proxy):
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    told = set(re.findall(r'^larder_memory_bytes\{purpose="([a-z]+)"\} \d+$', text, re.M))
    documented = set(re.findall(r"^\| `([a-z]+)` \|", (ROOT / "docs" / "memory.md").read_text(), re.M))
    check(told == documented, f"purposes: {told ^ documented} are not in both")
    for name in ("memory_limit_bytes", "memory_used_bytes", "memory_resident_bytes"):
        check(f"\nlarder_{name} " in text, f"{name} is told")
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), check=False)
        check(done.returncode == 0, "promtool likes the metrics")


def start(proxy):
    proxy.start()
    larder.await_port("127.0.0.1", proxy.admin, proxy.process)


async def run(program):
    server = await asyncio.start_server(origin, "127.0.0.1", 0, backlog=1024)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with tempfile.TemporaryDirectory(prefix="larder-memory.") as store:
        proxy = larder.Proxy(program, store + "/a", "--store-size", "2GiB", "--memory",
                             f"{LIMIT >> 20}MiB", "--workers", "2")
        start(proxy)
        await slow_readers(proxy, base)
        await settles(proxy)
        names(proxy)
        check(proxy.stop(), "the first proxy left by itself")
        proxy = larder.Proxy(program, store + "/b", "--store-size", "64MiB", "--memory", "8MiB",
                             "--workers", "2")
        start(proxy)
        await refuses(proxy, base)
        check(proxy.stop(), "the second proxy left by itself")
        for n, scene in enumerate((silent_origin, silent_behind_heads, no_readers)):
            proxy = larder.Proxy(program, f"{store}/c{n}", "--store-size", "64MiB", "--memory", "8MiB",
                                 "--workers", "1")
            start(proxy)
            await status_of_new(proxy, base, "/stored/small")
            await scene(proxy, base)
            check(proxy.stop(), f"the proxy of {scene.__name__} left by itself")
    server.close()


def main():
    program = str(pathlib.Path(sys.argv[1]) / "proxy" / "larder-proxy")
    larder.need(program)
    asyncio.run(run(program))
    check.end()


if __name__ == "__main__":
    main()
