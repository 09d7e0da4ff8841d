#!/usr/bin/env python3
"""Two processes on one store: twice.py BUILD [SEED|fresh]

The second one is refused, says which directory it is and that it is in use, and ends with status 1;
the first is not disturbed: it serves what it has, and stores. When the first is gone, killed or
not, the next one has the store.
"""
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import load as loads  # noqa: E402
import raw  # noqa: E402

check = raw.Checks()


def refused(program, store):
    second = larder.Proxy(program, store, "--store-size", "64MiB", "--workers", "1")
    try:
        ended = subprocess.run(second.command, capture_output=True, text=True, timeout=60,
                               check=False)
    except subprocess.TimeoutExpired:
        check(False, "the second is not refused")
        return
    said = ended.stdout + ended.stderr
    check(ended.returncode == 1, f"the second ended with {ended.returncode}")
    check(any("store_open" in line and store in line and "in use" in line
              for line in said.splitlines()), f"the second said: {said}")
    check("ready" not in said, "the second served nothing")


def main():
    program = sys.argv[1] + "/proxy/larder-proxy"
    larder.need(program)
    larder.seed(*sys.argv[2:3])
    world = loads.World("twice", scale=0.3)
    world.serve()
    with tempfile.TemporaryDirectory(prefix="larder-twice-") as store:
        first = larder.Proxy(program, store, "--store-size", "64MiB", "--workers", "2")
        load = loads.Load(world, first)
        first.start()
        load.busy(0.4)
        load.settle()
        for _ in range(3):
            load.start()
            refused(program, store)
            load.stop()
            load.settle()
            check(load.sweep() > 0, "the first goes on serving")
            check(loads.status(first)["store"]["commit_errors"] == 0, "and storing")
        first.kill()
        load.crashed()
        first.start()
        check(load.sweep() > 0, "who comes after a killed one has its store")
        check(first.stop(), "it left by itself")
        first.start()
        check(load.sweep() > 0, "and who comes after one that left")
        check(first.stop(), "it left by itself")
    for text in load.wrong:
        check(False, text)
    check.end()


if __name__ == "__main__":
    main()
