#!/usr/bin/env python3
"""A wall clock that jumps: clock.py BUILD [ROUNDS [SEED|fresh]]

The clock of the proxy goes a day back, a day ahead, ten years ahead, to 1970, and comes right again,
while it runs and between its lives. The proxy lives, every body is right, the store goes on taking
and keeping objects; and nothing is served as fresh long after its lifetime because the clock that
measured it was wrong: not what was stored while the clock was ahead, nor what was stored before it
went back.
"""
import random
import sys
import tempfile
import time

import layer as layers
import load as loads

DAY = 86_400
YEARS = 10 * 365 * DAY
MINUTES = 300  # so long no step of the test takes
LIFETIME = 1  # seconds, of the paths of the kind "renew"


class Jumps:
    def __init__(self, build, store):
        self.world = loads.World("clock", scale=0.2)
        self.world.serve()
        self.layer = layers.Layer(build, store)
        self.proxy = layers.Proxy(self.layer, f"{build}/proxy/larder-proxy", store,
                                  "--store-size", "1GiB", "--memory", "64MiB", "--workers", "2")
        self.load = loads.Load(self.world, self.proxy)

    def jump(self, seconds):
        self.now = seconds
        self.layer.wall(seconds)

    def outlived(self, label):
        """What was stored until now must not be fresh when its lifetime is over."""
        client = loads.Client(self.load)
        paths = self.world.paths["renew"]
        for path in paths:
            client.get(path, {})
        over = time.monotonic() + LIFETIME + 1.2  # lifetimes count in whole seconds
        return lambda: self.expect_validated(paths, over, label)

    def expect_validated(self, paths, over, label):
        client = loads.Client(self.load)
        time.sleep(max(0, over - time.monotonic()))
        for path in paths:
            before = self.world.requests[path]
            client.get(path, {})
            if self.world.requests[path] == before:
                self.load.fail(f"{label}: {path} is served as fresh")

    def work(self, label):
        written = loads.status(self.proxy)["store"]["written_objects"]
        for _ in range(12):  # by chance nothing changes in so short a time, and all are hits
            self.load.busy(0.25, clients=3, changes=0.1)
            self.load.settle()
            if loads.status(self.proxy)["store"]["written_objects"] > written:
                break
        else:
            self.load.fail(f"{label}: nothing is stored")
        self.load.sweep(kept=True, label=label)

    def between_lives(self, seconds, label):
        if not self.proxy.stop():
            self.load.fail(f"{label}: ended with {self.proxy.process.returncode}")
        self.jump(seconds)
        self.proxy.start()
        self.load.sweep(kept=True, label=label)
        self.work(label)

    def run(self, jumps):
        self.jump(0)
        self.proxy.start()
        self.work("at first")
        for seconds, label in jumps:
            stored_before = self.outlived(f"stored before the clock went {label}")
            self.jump(seconds)
            self.work(f"the clock went {label}")
            if seconds < 0:
                stored_before()
            stored_meanwhile = self.outlived(f"stored while the clock was {label}")
            self.jump(0)
            self.work(f"right again after {label}")
            if seconds > 0:
                stored_meanwhile()
        for seconds, label in jumps[::2]:
            self.between_lives(seconds, f"started with a clock {label}")
        self.between_lives(0, "started with the right clock")
        if not self.proxy.stop():
            self.load.fail(f"ended with {self.proxy.process.returncode}")


def main():
    build = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    layers.need(build)
    loads.larder.seed(*sys.argv[3:4])
    jumps = [(-DAY, "a day back"), (DAY, "a day ahead"), (YEARS, "ten years ahead"),
             (-time.time(), "to 1970")]
    # By less than a minute clocks may differ, and lifetimes with them (cache/policy.h).
    jumps += [(random.choice((-1, 1)) * (MINUTES + 10 ** random.uniform(2, 9)), "somewhere")
              for _ in range(rounds)]
    with tempfile.TemporaryDirectory(prefix="larder-clock-") as root:
        case = Jumps(build, f"{root}/store")
        case.run(jumps)
        print(dict(sorted(case.load.counts.items())))
    print(f"{len(jumps)} jumps, {len(case.load.wrong)} wrong")
    sys.exit(1 if case.load.wrong or not case.load.counts["hits"] else 0)


if __name__ == "__main__":
    main()
