#!/usr/bin/env python3
"""Calls that fail under the store: errors.py BUILD [long [SEED|fresh]]

Each case is a proxy of its own above the layer of faults, all at once. A load fills the store; then
calls begin to fail, and the load goes on until one has failed: a case that strikes nothing proves
nothing, and fails. The proxy lives, every body is right, and what was stored goes on being served.
When the fault ends, objects are stored again. After a restart without the layer all is right, too.
"""
import contextlib
import errno
import random
import subprocess
import sys
import tempfile
import threading
import time

import layer as layers
import load as loads

WRITING = ("open", "write", "pwrite", "fsync", "fdatasync", "truncate", "fallocate", "rename",
           "unlink")
READING = ("read", "pread", "sendfile", "mmap")
PATIENCE = 90  # seconds until a call is made that is to fail


class Case:
    """`tight`: a store so small that segments are dropped. `cold`: nothing is in memory (never with
    `tight`: a spare file is one of which nothing is in memory). `reopened`: the calls fail in a second
    life, before it has written. `may_miss`: why it is no failure that no call is struck."""

    def __init__(self, name, calls, error=errno.EIO, tight=False, cold=False, reopened=False,
                 may_miss=None, **rule):
        self.name, self.calls, self.error, self.rule = name, calls, error, rule
        self.tight, self.cold, self.reopened, self.may_miss = tight, cold, reopened, may_miss
        self.failures = []

    def fail(self, text):
        self.failures.append(f"{self.name}: {text}")

    def run(self, build, root, load_seconds):
        try:
            self.live(build, f"{root}/{self.name}", load_seconds)
        except (Exception, SystemExit) as error:
            self.fail(f"{type(error).__name__}: {error}")

    def live(self, build, store, seconds):
        program = f"{build}/proxy/larder-proxy"
        world = loads.World(self.name, scale=0.15)
        world.serve()
        self.layer = layers.Layer(build, store)
        proxy = layers.Proxy(self.layer, program, store,
                             "--store-size", "16MiB" if self.tight else "256MiB",
                             "--memory", "2MiB", "--workers", "1")
        load = loads.Load(world, proxy)
        if self.cold and self.error != errno.EIO:
            load.tries = 20  # what no disk says leaves a record where it is, to be read again
        try:
            proxy.start()
            load.busy(seconds, clients=2)
            load.settle()
            if self.reopened:
                if not proxy.stop():
                    self.fail(f"ended with {proxy.process.returncode} before any fault")
                proxy.start()
            self.suffer(load, proxy, seconds)
            self.recover(load, proxy)
            if not proxy.stop():
                self.fail(f"ended with {proxy.process.returncode}")
            proxy.popen = lambda: loads.larder.Proxy.popen(proxy)
            loads.larder.Proxy.start(proxy)
            self.kept = load.sweep(label="after the restart")
            if not self.kept:
                self.fail("the store is empty after a restart")
            if not proxy.stop():
                self.fail(f"the second life ended with {proxy.process.returncode}")
        finally:
            proxy.kill()
            self.failures += [f"{self.name}: {text}" for text in load.wrong]

    def suffer(self, load, proxy, seconds):
        """While calls fail. A full disk costs the oldest segments, and a write that is cut short
        tells of one; what could not be replaced is not served in its old form either."""
        with contextlib.ExitStack() as stack:
            if self.cold:
                stack.enter_context(self.layer.rule("mincore", effect="cold"))
            rule = stack.enter_context(self.layer.rule(self.calls, self.error, **self.rule))
            began = time.monotonic()
            load.start(clients=2, changes=0.1)
            until = began + (seconds if self.may_miss else PATIENCE)
            while not rule.struck and time.monotonic() < until and proxy.process.poll() is None:
                time.sleep(0.005)
            load.stop()  # the commit has failed by then, and the next is a second away
            self.sweep(load, "after the first call that failed")
            load.busy(max(0.0, began + seconds - time.monotonic()), clients=2, changes=0.1)
            self.served = self.sweep(load, "while calls fail")
            self.struck = rule.struck
        if proxy.process.poll() is not None:
            self.fail(f"ended with {proxy.process.returncode}")
        if not self.struck and not self.may_miss:
            self.fail("no call was struck")

    def sweep(self, load, when):
        served = load.sweep(label=when)
        same = sum(load.world.versions[path] == version for path, version in load.durable.items())
        full = self.error == errno.ENOSPC or self.rule.get("effect") == "short"
        if not full and same >= 4 and not served:
            self.fail(f"no hits {when}, {same} were stored")
        return served

    def recover(self, load, proxy):
        """Until something is written again: the store pauses for up to 64 s."""
        self.errors = loads.status(proxy)["store"]["commit_errors"]
        written = loads.status(proxy)["store"]["written_objects"]
        began = time.monotonic()
        while time.monotonic() < began + 150:
            load.busy(0.1, clients=1, changes=0.3)
            if loads.status(proxy)["store"]["written_objects"] > written + 3:
                self.waited = time.monotonic() - began
                return
            time.sleep(0.2)
        self.fail("nothing is stored again")


def cases():
    """Those of `make test`."""
    for part in ("seg", "index"):
        yield Case(f"sync-{part}", "fdatasync", pattern=f"{part}*")
        yield Case(f"root-{part}", "pwrite", pattern=f"{part}*")
        yield Case(f"full-{part}", ("write", "pwrite"), errno.ENOSPC, pattern=f"{part}*")
        yield Case(f"short-{part}", ("write", "pwrite"), effect="short", pattern=f"{part}*")
    yield Case("said-to-fail", ("fdatasync", "pwrite", "write"), effect="fail-after", chance=0.3)
    yield Case("no-room", "fallocate", errno.ENOSPC)
    yield Case("no-names", ("open", "rename", "unlink", "fsync"))
    yield Case("no-files", "open", errno.EMFILE)
    yield Case("reads", ("read", "pread", "sendfile"), chance=0.5)
    yield Case("short-reads", ("read", "pread", "sendfile"), effect="short", chance=0.5)
    yield Case("cold", "mincore", effect="cold")
    yield Case("slow", WRITING + READING, effect="slow", delay=0.02)
    yield Case("all", WRITING + READING, chance=0.2)


# What it takes that these are called at all: reading through the index before the first commit;
# pages that are not in memory; segments that are dropped, whose files may become spares.
NEEDS = {"read": {"reopened": True}, "pread": {"cold": True}, "unlink": {"tight": True},
         "rename": {"tight": True}}

# Of so many calls in a row at least one is struck: few are made for each segment, or in a life.
AMONG = {"read": 1, "fsync": 4, "truncate": 4, "fallocate": 4, "unlink": 4, "rename": 4}


def needs(calls, no_spares):
    """The options of a case of these calls."""
    wanted = {}
    for call in calls:
        wanted.update(NEEDS.get(call, {}))
    if "tight" in wanted:
        wanted.pop("cold", None)
    if no_spares and set(calls) <= {"rename"}:
        wanted["may_miss"] = "nothing is renamed without spares, and a file system that keeps all" \
                             " pages in memory has none"
    return wanted


def most(ways):
    """The highest chance of a failure: when everything has to be read, and nothing can be, no hit is
    left."""
    return 0.1 if ways.get("cold") else 1.0


def lies_in_memory(root):
    """Is it a file system of memory alone?"""
    kind = subprocess.run(("stat", "-f", "-c", "%T", root), stdout=subprocess.PIPE, text=True,
                          check=True)
    return kind.stdout.strip() in ("tmpfs", "ramfs")


def more(rng, no_spares):
    """Those that `make stress` has in addition."""
    for call in WRITING + READING:
        ways = needs([call], no_spares)
        among = AMONG.get(call, 20)
        for error in (errno.EIO, errno.ENOSPC, errno.EROFS, errno.ENOMEM):
            yield Case(f"{call}-{errno.errorcode[error]}", call, error, chance=most(ways), **ways)
        yield Case(f"{call}-once", call, skip=rng.randrange(among), count=1, **ways)
        yield Case(f"{call}-rarely", call, chance=1 / among, **ways)
    for number in range(20):
        calls = rng.sample(WRITING + READING, 3)
        effect = rng.choice(("fail", "fail-after", "short"))
        if effect == "fail-after":  # sendfile tells what it has sent, whatever happens behind that
            calls = [call for call in calls if call != "sendfile"]
        ways = needs(calls, no_spares)
        chance = min(most(ways), max(0.05, rng.random() ** 3))
        yield Case(f"mixed-{number}", calls, effect=effect, chance=chance, **ways)


def run_all(build, root, chosen, seconds):
    threads = [threading.Thread(target=case.run, args=(build, root, seconds)) for case in chosen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for case in chosen:
        print(f"{case.name}: struck {getattr(case, 'struck', '?')} times"
              f"{f' ({case.may_miss})' if case.may_miss else ''},"
              f" {getattr(case, 'served', '?')} hits meanwhile, {getattr(case, 'errors', '?')} failed"
              f" commits, stored again after {getattr(case, 'waited', -1):.1f} s,"
              f" {getattr(case, 'kept', '?')} after a restart", flush=True)
    return [text for case in chosen for text in case.failures]


def main():
    build, long = sys.argv[1], len(sys.argv) > 2
    layers.need(build)
    seed = loads.larder.seed(*sys.argv[3:4])
    failures = []
    with tempfile.TemporaryDirectory(prefix="larder-errors-") as root:
        chosen = list(cases())
        failures += run_all(build, root, chosen, 0.7)
        others = list(more(random.Random(seed), lies_in_memory(root))) if long else []
        for at in range(0, len(others), 12):
            failures += run_all(build, root, others[at:at + 12], 1.5)
    for text in failures[:40]:
        print("wrong:", text)
    print(f"{len(chosen) + len(others)} cases, {len(failures)} wrong")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
