"""Programs under measurement: started on the cores they may have, their CPU time and memory taken
from the kernel, and stopped."""
import os
import random
import signal
import socket
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
PATIENCE = 60  # seconds, for a machine that does much else


class Failed(Exception):
    """A program did not do what it should; the message is for the user."""


def ephemeral_ports():
    """The first and the last of those that the kernel gives to who connects."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as ports:
        first, last = map(int, ports.read().split())
    return first, last


def ports_for_servers():
    """None of them is given to a connection: one that a server of ours has left for a while, to
    start again, would be taken by some connection of the load's or the server's own."""
    first, last = ephemeral_ports()
    below, above = range(1024, first), range(last + 1, 65536)
    return below if len(below) >= len(above) else above


given_ports = set()


def free_port():
    """A port of loopback that nobody has, and that is given once. Scenarios run in a network
    namespace of their own, so that nobody else takes it either."""
    for port in random.sample(ports := ports_for_servers(), len(ports)):
        if port in given_ports:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            given_ports.add(port)
            return port
    raise Failed("no port is free for a server")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def family(pid):
    """The process and all that descend from it."""
    found = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as children:
                for child in children.read().split():
                    found += family(int(child))
    except OSError:
        pass
    return found


class Usage:
    """What a program has used so far: seconds of processor time, user and kernel."""

    def __init__(self, user=0.0, kernel=0.0):
        self.user, self.kernel = user, kernel

    def __sub__(self, before):
        return Usage(self.user - before.user, self.kernel - before.kernel)

    @property
    def total(self):
        return self.user + self.kernel


def usage_of(pids):
    user = kernel = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
                fields = stat.read().rpartition(")")[2].split()
                user += int(fields[11])
                kernel += int(fields[12])
        except OSError:
            pass  # it has ended
    return Usage(user / TICK, kernel / TICK)


def memory_of(pids):
    """Anonymous and shared memory in RAM, bytes; pages that processes share are counted once."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
                for line in rollup:
                    if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                        total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total


def listens(port, udp=False):
    """Whether something is bound to a port of loopback."""
    kinds = ("udp", "udp6") if udp else ("tcp", "tcp6")
    for kind in kinds:
        with open(f"/proc/net/{kind}", encoding="ascii") as table:
            next(table)
            for line in table:
                fields = line.split()
                if int(fields[1].rpartition(":")[2], 16) == port and (udp or fields[3] == "0A"):
                    return True
    return False


class Program:
    """One process with what it starts, on some cores, its output in a file."""

    configured = ("config",)  # what it reads, in its folder; not all of them need be there

    def __init__(self, name, command, where, cores=None, env=None, before=None):
        self.name, self.command, self.dir, self.cores = name, command, where, cores
        self.env = {**os.environ, **(env or {})}
        self.before = before
        self.process = None
        self.leaving = None  # its processes when it was asked to end
        self.log = os.path.join(where, "output")

    def _place(self):
        if self.cores:
            os.sched_setaffinity(0, self.cores)
        if self.before:
            self.before()

    def ports(self):
        """{name: port} of those that were chosen for it."""
        return {}

    def start(self):
        self.leaving = None
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, preexec_fn=self._place, start_new_session=True)
        return self

    def await_port(self, port, udp=False, patience=PATIENCE):
        end = time.monotonic() + patience
        while not listens(port, udp):
            if self.process.poll() is not None or time.monotonic() > end:
                raise Failed(f"{self.name} does not listen on port {port}:\n{self.tail()}")
            time.sleep(0.02)
        return self

    def tail(self, lines=12):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-lines:])

    @property
    def pids(self):
        return family(self.process.pid) if self.process else []

    def usage(self):
        return usage_of(self.pids)

    def memory(self):
        return memory_of(self.pids)

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def ask_to_end(self):
        """The first half of stop(), which need not come after it."""
        if self.is_alive() and not self.leaving:
            self.leaving = self.pids
            self.process.send_signal(signal.SIGTERM)

    def stop(self):
        if not self.process:
            return
        self.ask_to_end()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pass
        self.kill(self.leaving or self.pids)  # what it left behind, and itself if need be

    def kill(self, pids=None):
        """At once, with all that it has started."""
        for pid in pids or self.pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self.process.wait()
        self.process = None
