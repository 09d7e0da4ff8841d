#!/usr/bin/env python3
"""Files that are damaged: bitflips.py BUILD [ROUNDS [SEED|fresh]]

Flipped bits, zeroed, shuffled and random pages, lost and added ends, in segments and in the index:
while the proxy is stopped; right after its start, before anything has been written; and while they are
in use. Then everything is asked for, first from the cache alone, then with the origin, and more is
written. The proxy lives, and every body is right.
"""
import collections
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import load as loads  # noqa: E402

PAGE = 4096


def flip_bits(stream, size, rng):
    for _ in range(rng.choice((1, 1, 8, 200))):
        at = rng.randrange(size)
        byte = os.pread(stream.fileno(), 1, at)
        os.pwrite(stream.fileno(), bytes([byte[0] ^ 1 << rng.randrange(8)]), at)


def flip_in_trees(stream, size, rng):
    """Only in pages that are no values: those that LMDB believes."""
    pages = [at for at in range(0, size - PAGE + 1, PAGE)
             if int.from_bytes(os.pread(stream.fileno(), 8, at), "little") == at // PAGE
             and os.pread(stream.fileno(), 12, at)[10] & 0x0b]
    for at in rng.choices(pages, k=3) if pages else ():
        place = at + rng.choice((rng.randrange(16), rng.randrange(64), rng.randrange(PAGE)))
        byte = os.pread(stream.fileno(), 1, place)
        os.pwrite(stream.fileno(), bytes([byte[0] ^ 1 << rng.randrange(8)]), place)


def replace_pages(stream, size, rng):
    for _ in range(rng.choice((1, 3))):
        at = rng.randrange(max(1, size // PAGE)) * PAGE
        other = rng.randrange(max(1, size // PAGE)) * PAGE
        os.pwrite(stream.fileno(), rng.choice((bytes(PAGE), rng.randbytes(PAGE),
                                               os.pread(stream.fileno(), PAGE, other))), at)


def lose_end(stream, size, rng):
    os.truncate(stream.fileno(), rng.choice((0, size // 2, rng.randrange(size), size - 1)))


def add_end(stream, size, rng):
    os.pwrite(stream.fileno(), rng.randbytes(rng.choice((1, PAGE, 200_000))), size)


HARMS = (flip_bits, flip_bits, flip_in_trees, flip_in_trees, replace_pages, lose_end, add_end)
RUNNING = [harm for harm in HARMS if harm is not lose_end]

WHEN = ("stopped", "fresh", "in use")


def newest(store):
    """The segment that was written to last."""
    segments = pathlib.Path(store).glob("seg-*.mdb")
    return max(segments, key=lambda path: path.stat().st_mtime_ns).name


def damage(store, rng, harms, parts=("index.mdb", "seg-*.mdb")):
    """Harms one to three files; what was done."""
    done = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        path = rng.choice(sorted(pathlib.Path(store).glob(rng.choice(parts))))
        size = path.stat().st_size
        if size:
            harm = rng.choice(harms)
            with open(path, "r+b", buffering=0) as stream:
                harm(stream, size, rng)
            done.append(f"{harm.__name__} in {path.name}")
    return ", ".join(done)


class Rounds:
    def __init__(self, build, root, rng):
        self.program, self.root, self.rng = f"{build}/proxy/larder-proxy", root, rng
        self.world = loads.World("flips", scale=0.15)
        self.world.serve()
        self.failures, self.counts = [], collections.Counter()
        self.original, self.log = f"{root}/original", f"{root}/log"
        proxy, load = self.begin(self.original)
        for _ in range(3):
            load.busy(0.4, clients=3, changes=0.05)
            load.settle()
        self.floor, self.durable = load.settled_floor, load.durable
        self.must(proxy.stop(), "the first life")

    def must(self, good, what):
        if not good:
            self.failures.append(what)

    def begin(self, store):
        proxy = larder.Proxy(self.program, store, "--store-size", "256MiB", "--memory", "2MiB",
                             "--workers", "2")
        with open(self.log, "wb") as log:
            proxy.popen = lambda: subprocess.Popen(proxy.command, stderr=log)
            proxy.start()
        return proxy, loads.Load(self.world, proxy)

    def said(self):
        return pathlib.Path(self.log).read_text(errors="replace")

    def look(self, load, what):
        """Asks for everything, and writes."""
        hits = load.sweep(label=what)
        load.sweep(label=what, cached=False)
        load.busy(0.1, clients=2, changes=0)
        return hits

    def write(self, load, store):
        """Heads of what is stored are renewed, nothing else changes, until the index was written to."""
        index = pathlib.Path(store) / "index.mdb"
        before = index.stat().st_mtime_ns
        for _ in range(100):
            load.busy(0.1, clients=2, changes=0)
            load.settle()
            if index.stat().st_mtime_ns != before:
                return
        self.must(False, "nothing is written")

    def one(self, when):
        store = f"{self.root}/copy"
        shutil.copytree(self.original, store)
        what = damage(store, self.rng, HARMS) if when == "stopped" else ""
        proxy, load = self.begin(store)
        load.floor.update(self.floor)
        if when == "fresh":
            what = damage(store, self.rng, RUNNING)
        if when == "in use":
            self.look(load, "before the damage")
            self.write(load, store)
            load.settle()
            what = damage(store, self.rng, RUNNING, ["index.mdb", "seg-*.mdb", newest(store)])
        what = f"{what}, {when}"
        self.counts["hits"] += self.look(load, what)
        well, wrong = proxy.stop(), load.wrong
        self.counts[when] += 1
        self.counts["given up by the writer"] += "store_lost" in self.said()
        self.counts["begun anew"] += "store_index_lost" in self.said()
        self.must(well, f"{what}: ended with {proxy.process.returncode}")
        self.failures += wrong
        if self.failures:
            print(self.said()[-4000:])
        shutil.rmtree(store)


def main():
    build = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    loads.larder.need(f"{build}/proxy/larder-proxy")
    seed = loads.larder.seed(*sys.argv[3:4])
    with tempfile.TemporaryDirectory(prefix="larder-flips-") as root:
        rounds = Rounds(build, root, random.Random(seed))
        for number in range(count):
            rounds.one(WHEN[number % len(WHEN)])
            if rounds.failures:
                break
    counts = rounds.counts
    for text in rounds.failures[:20]:
        print("wrong:", text)
    print(f"{dict(counts)}, {len(rounds.failures)} wrong")
    sys.exit(1 if rounds.failures or not counts["hits"] else 0)


if __name__ == "__main__":
    main()
