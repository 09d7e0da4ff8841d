#!/usr/bin/env python3
"""Power loss: powerloss.py BUILD [IMAGES [SEED|fresh]]

A mixed load above a layer that writes down every change to the files of the store. From that, what
a power loss at random moments might have left is built (images.py), and the proxy started on it:
it lives, what it serves is byte for byte what the origin has or had, and when names were kept in
order, everything is there that had been written, and nothing that a written invalidation or an
acknowledged purge removed.
Some lives go on from such an image, with another load and another loss.
"""
import os
import pathlib
import random
import shutil
import sys
import tempfile

import images
import layer as layers
import load as loads

PER_LIFE = 5
SIZES = ("16MiB", "1GiB")


class Recorded:
    """One load, recorded; its images are started one after the other."""

    def __init__(self, build, root, world, number, rng):
        self.build, self.root, self.world, self.rng = build, root, world, rng
        self.number = number
        self.program = f"{build}/proxy/larder-proxy"
        self.size = SIZES[number % len(SIZES)]
        self.failures = []

    def options(self):
        # Where memory is short not all is stored that could be.
        memory = "4MiB" if self.size == "16MiB" else "64MiB"
        return ("--store-size", self.size, "--memory", memory, "--workers", "2")

    def record(self, initial):
        """Runs a load on a copy of the image `initial` (or on nothing); notes at which length of the
        journal what was durable."""
        watched = f"{self.root}/{self.number}"
        os.mkdir(watched)
        self.initial = initial
        store = f"{watched}/store"
        if initial:
            shutil.copytree(initial, store)
        else:
            os.mkdir(store)
        self.inodes = {e.name: e.stat().st_ino for e in pathlib.Path(store).iterdir()}
        self.journal = f"{self.root}/{self.number}.journal"
        layer = layers.Layer(self.build, store, self.journal)
        proxy = layers.Proxy(layer, self.program, store, *self.options())
        load = loads.Load(self.world, proxy)
        proxy.start()
        self.moments = [(0, {}, {})]  # (length of the journal, floors, durable)
        for _ in range(2):
            load.busy(self.rng.uniform(0.3, 0.9), clients=3, changes=0.05)
            self.purge(load)
            load.settle()
            self.moments.append((os.path.getsize(self.journal), dict(load.settled_floor),
                                 dict(load.durable)))
        load.busy(self.rng.uniform(0.1, 0.4), clients=3, changes=0.05)
        proxy.kill()
        self.failures += load.wrong
        shutil.rmtree(watched)

    def purge(self, load):
        """Now and then, of one kind or of all."""
        kind, roll = self.rng.choice(list(loads.KINDS)), self.rng.random()
        if roll < 0.4:
            load.purge({"prefix": f"{self.world.base}/{kind}/"}, [kind])
        elif roll < 0.5:
            load.purge({"host": "127.0.0.1"}, loads.KINDS)

    def losses(self, count):
        """Starts on `count` images; the last one stays. Its path."""
        journal = images.Journal(self.journal, self.initial, self.inodes)
        ends = journal.boundaries()
        kept = None
        for number, at in enumerate(sorted(self.rng.choices(range(len(ends)), k=count))):
            order = self.rng.choice(("ordered", "ordered", "loose"))
            image = f"{self.root}/{self.number}.image{number}"
            journal.advance(ends[at], self.rng)
            journal.image(image, self.rng, order)
            spare = f"{image}.kept" if number == count - 1 else None
            if spare:
                shutil.copytree(image, spare)
            self.start_on(image, ends[at], order)
            shutil.rmtree(image)
            kept = spare or kept
        os.unlink(self.journal)
        return kept

    def start_on(self, image, at, order):
        _, floors, durable = [m for m in self.moments if m[0] <= at][-1]
        proxy = loads.larder.Proxy(self.program, image, *self.options())
        load = loads.Load(self.world, proxy)
        if order == "ordered":
            load.floor.update(floors)
            load.durable.update(durable)
        label = f"life {self.number}, {order}, at {at}"
        proxy.start()
        hits = load.sweep(kept=self.size != "16MiB", label=label)
        load.busy(0.2, clients=3)  # and it can be written to
        load.sweep(label=label + ", written to")
        clean = proxy.stop()
        print(f"{label} ({self.size}): {len(load.durable)} durable, {hits} served,"
              f" {len(load.wrong)} wrong", flush=True)
        self.failures += load.wrong
        if not clean:
            self.failures.append(f"{label}: ended with {proxy.process.returncode}")
        return hits


def main():
    build = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    layers.need(build)
    rng = random.Random(loads.larder.seed(*sys.argv[3:4]))
    failures, number, left, image = [], 0, count, None
    with tempfile.TemporaryDirectory(prefix="larder-power-") as root:
        world = loads.World("", scale=0.4)
        world.serve()
        while left > 0 and not failures:
            life = Recorded(build, root, world, number, rng)
            life.record(image if number % 3 == 2 else None)
            image = life.losses(min(left, PER_LIFE))
            left -= PER_LIFE
            number += 1
            failures += life.failures
    for text in failures[:20]:
        print("wrong:", text)
    print(f"{count} losses, {len(failures)} wrong")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
