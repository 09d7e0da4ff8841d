#!/usr/bin/env python3
"""kill -9 at random moments: killed.py BUILD [ROUNDS [SEED|fresh]]

A mixed load (small, large and chunked bodies, ranges, validations, POST and PURGE), killed without
warning at a random moment, started again on the same store, round after round. What is served
afterwards is, byte for byte, what the origin has or had; no version from before a change whose
removal was written comes back; and what was written before, with nothing waiting any more, is
there. Every other round runs on a store so small that segments are dropped all the time.
"""
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import load as loads  # noqa: E402


class Life:
    """A proxy and its load over many lives."""

    def __init__(self, program, directory, name, size):
        self.name, self.roomy = name, size != "16MiB"
        self.world = loads.World(name)
        self.world.serve()
        self.proxy = larder.Proxy(program, f"{directory}/{name}", "--store-size", size,
                                  "--memory", "64MiB" if self.roomy else "4MiB",
                                  "--workers", "2")
        self.load = loads.Load(self.world, self.proxy)
        self.proxy.start()

    def round(self, rng):
        load = self.load
        load.busy(rng.uniform(0.2, 0.8), least=60)
        load.settle()
        settled = len(load.durable)
        load.start()
        time.sleep(rng.choice((0, 0.02, 0.2, 0.5)) + rng.uniform(0, 0.3))
        self.proxy.kill()  # clients and writer are in the middle of something
        load.stop()
        load.crashed()
        self.proxy.start()
        hits = load.sweep(kept=self.roomy, label=f"{self.name} after the kill")
        return settled, hits


def main():
    program = sys.argv[1] + "/proxy/larder-proxy"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    larder.need(program)
    rng = random.Random(larder.seed(*sys.argv[3:4]))
    with tempfile.TemporaryDirectory(prefix="larder-killed-") as directory:
        lives = [Life(program, directory, "roomy", "1GiB"),
                 Life(program, directory, "tight", "16MiB")]
        for number in range(rounds):
            life = lives[number % 2]
            settled, hits = life.round(rng)
            print(f"round {number + 1} ({life.name}): {settled} durable, {hits} served after it,"
                  f" {len(life.load.wrong)} wrong", flush=True)
            if life.load.wrong:
                break
        failures = [text for life in lives for text in life.load.wrong]
        for life in lives:
            print(life.name, dict(sorted(life.load.counts.items())))
            if life.proxy.process.poll() is None and not life.proxy.stop():
                failures.append(f"{life.name}: ended with {life.proxy.process.returncode}")
            if not life.load.counts["hits"] or not life.load.counts["changes"]:
                failures.append(f"{life.name}: too little came through to mean anything")
    for text in failures[:20]:
        print("wrong:", text)
    print(f"{rounds} rounds, {len(failures)} wrong")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
