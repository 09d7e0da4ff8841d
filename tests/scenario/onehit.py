#!/usr/bin/env python3
"""What is asked for once does not push out what is hot: onehit.py BUILD

Much of the memory is taken by objects of 4 KiB that are asked for again and again. Then come bodies
of one size after the other that nobody asks for twice, from as small as the hot ones to 23 % of all
memory, of known length and of unknown: afterwards the hot ones are still in memory. With a store,
where what waits for the disk may take a third, and without. What was too large to be kept at once is
kept when it is asked for again.
"""
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

HOT_SIZE = 4096
TAKES = HOT_SIZE + 1200  # with its head, its entry, and what the heap adds
MOST = 2000  # of one size
KEPT = 0.98
check = raw.Checks()


def serve(conn, head, _):
    kind, size = raw.path_of(head).split("/")[1:3]
    start = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\n"
    if kind == "chunked":
        conn.sendall(start + f"Transfer-Encoding: chunked\r\n\r\n{int(size):x}\r\n".encode() +
                     bytes(int(size)) + b"\r\n0\r\n\r\n")
    else:
        conn.sendall(start + f"Content-Length: {size}\r\n\r\n".encode() + bytes(int(size)))


class Scene:
    def __init__(self, program, memory, hot, *options):
        """`hot`: the share of memory that is to be so."""
        self.hot = int(memory * hot / TAKES)
        self.sizes = (HOT_SIZE, 30_000, memory // 16 - 1000, 1_000_000, memory * 23 // 100)
        self.memory = memory
        self.origin = raw.Origin(serve)
        self.proxy = larder.Proxy(program, "", "--memory", str(memory), "--workers", "1", *options)
        at = self.proxy.command.index("--store")
        del self.proxy.command[at:at + 2]
        self.proxy.start()
        self.client = larder.Client(self.proxy.port)

    def get(self, kind, size, number):
        """Whether it came from memory."""
        status, body, fields = self.client.get(f"{self.origin.base}/{kind}/{size}/{number}")
        check(status == 200 and len(body) == size, f"/{kind}/{size}/{number}: {status}, {len(body)}")
        self.how = fields["Cache-Status"]
        return "; hit" in self.how and "detail=" not in self.how

    def ask_for_hot(self):
        """The share that came from memory."""
        return sum(self.get("hot", HOT_SIZE, number) for number in range(self.hot)) / self.hot

    def run(self, where):
        warm, end = 0, time.monotonic() + 60
        while warm < 1 and time.monotonic() < end:  # what waits for the disk has its own share of memory
            warm = self.ask_for_hot()
        for _ in range(5):
            warm = self.ask_for_hot()
        check(warm == 1, f"{where}: {warm:.1%} of what is hot are in memory")
        for kind in ("once", "chunked"):
            for size in self.sizes:
                count = min(MOST, self.memory // size + 1)
                for number in range(count):
                    self.get(kind, size, number)
                kept = self.ask_for_hot()
                print(f"{where}, {kind}, {count} of {size} bytes: {kept:.1%} of what is hot stayed",
                      flush=True)
                check(kept >= KEPT, "that is too little")

    def ask_again(self):
        """Small ones that nobody asks for twice have filled memory, and give way."""
        for number in range(MOST):
            self.get("once", HOT_SIZE, number)
        for kind in ("once", "chunked"):
            came, said = [], []
            for _ in range(3):
                came.append(self.get(kind, self.sizes[-1], MOST))
                said.append(self.how)
            check(came == [False, False, True],
                  "\n  ".join([f"{kind}, asked for again: from memory {came}", *said]))

    def end(self):
        check(self.proxy.stop(), "it did not end well")


def main():
    program = f"{sys.argv[1]}/proxy/larder-proxy"
    alone = Scene(program, 8 << 20, 0.6)
    alone.run("without a store")
    alone.end()
    roomy = Scene(program, 8 << 20, 0.1)
    roomy.ask_for_hot()
    roomy.ask_again()
    roomy.end()
    for memory in (8 << 20, 32 << 20):
        with tempfile.TemporaryDirectory() as store:
            stored = Scene(program, memory, 0.3, "--store", store, "--store-size", "256MiB")
            stored.run(f"{memory >> 20} MiB, with a store")
            stored.end()
    check.end()


main()
