"""Where scenarios are run: cores, folders, the origin, servers, and how one is measured."""
import contextlib
import os
import resource
import shutil
import tempfile
import time

from harness import caches, redirectors
from harness.certificate import Certificate
from harness.configurations import Configurations
from harness.load import Load
from harness.origin import Origin
from harness.processes import Failed
from harness.scenario import per_request


MOST_WRITING = 5  # seconds
FILES = 65_536  # descriptors: haproxy takes two for each connection


def raise_limits():
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    except (OSError, ValueError):  # not root: as many as there may be
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Lab:
    def __init__(self, build, where, seconds, quick, full=False, traces=()):
        raise_limits()
        self.build, self.dir, self.seconds, self.quick = build, where, seconds, quick
        self.full = full
        self.traces = traces  # the user's own, for the simulator
        cores = sorted(os.sched_getaffinity(0))
        half = max(1, len(cores) // 2)
        self.server_cores, self.load_cores = set(cores[:half]), set(cores[half:] or cores)
        self.most_workers = half
        self.load = Load(self.load_cores, build)
        self.origin = None
        self.configurations = Configurations(where, build)
        self.scenario = ""  # the name of the one that is run
        for kind in (caches.Larder, caches.Epoll, *redirectors.REDIRECTORS.values()):
            kind.build = build
        self.certificate = Certificate(where)

    # ---- servers ----

    def begin_origin(self):
        self.origin = Origin(tempfile.mkdtemp(prefix="origin.", dir=self.dir), self.load_cores)
        os.chmod(self.origin.dir, 0o755)
        self.configurations.keep(self.origin, self.scenario)
        return self.origin.begin()

    @contextlib.contextmanager
    def without_origin(self):
        self.origin.stop()
        try:
            yield
        finally:
            self.origin.begin()
            self.origin._looks = 0

    def cores_for(self, workers):
        """Those of servers, or all of them for more workers than these are."""
        if workers > len(self.server_cores):
            return self.server_cores | self.load_cores
        return set(sorted(self.server_cores)[:max(1, workers)])

    def server(self, name, scenario, want):
        """Made, not started."""
        where = tempfile.mkdtemp(prefix=f"{name}.", dir=self.dir)
        os.chmod(where, 0o777)
        if getattr(scenario, "redirects", False):
            want = want or redirectors.World()
            server = redirectors.make(name, where, self.cores_for(1), want)
        else:
            server = caches.make(name, where, self.origin, want, self.certificate,
                                 self.cores_for(want.workers))
        told = f" ({want})" if str(want) else ""
        self.configurations.keep(server, self.scenario + told)
        return server

    def drop(self, *servers):
        """They end side by side."""
        for server in servers:
            server.ask_to_end()
        for server in servers:
            server.stop()
            shutil.rmtree(server.dir, ignore_errors=True)

    # ---- measuring ----

    @staticmethod
    def settle(server):
        """Its writers write, until it rests."""
        end, quiet, before = time.monotonic() + MOST_WRITING, 0, server.usage().total
        while quiet < 2 and time.monotonic() < end:
            time.sleep(0.25)
            now = server.usage().total
            quiet = quiet + 1 if now - before < 0.02 else 0
            before = now

    def fill(self, server, count, size, prefix="o", times=2):
        """It has objects 1 to `count`: each is asked for twice, but those that have been before."""
        first = server.held.get((prefix, size), 0) + 1
        if first > count:
            return
        for _ in range(times):
            bad = self.load.each_once(server, first, count, size, prefix)["bad"]
            if bad:
                raise Failed(f"{server.title}: {bad} of {count} objects did not come")
        server.held[prefix, size] = count
        self.settle(server)

    def under(self, server, load):
        """The usual numbers of a load on a server, and its memory afterwards."""
        asked = self.origin.asked() if self.origin else None
        before = server.usage()
        seen = load()
        used = server.usage() - before
        if not server.is_alive() or used.total < 0:
            raise Failed(f"{server.title} has ended under load: {server.tail()}")
        if self.origin:
            asked = self.origin.asked() - asked
        return {**seen, **per_request(used, seen, asked), "memory_mib": server.memory() / (1 << 20)}
