"""Networks of namespaces: hosts, links with a rate (tc's token bucket) and a delay (bench/load/relay,
for kernels without netem). Needs root; goes with the namespaces of the run."""
import os
import re
import subprocess
import time

from harness.processes import PATIENCE, Failed, Program

LAN_KBIT = 100_000
CONFIGURED = ("config", "dns.yaml", "nets.csv")  # files of whatever is started on a host


def call(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def unavailable():
    """Why there can be no such networks here, or None."""
    try:
        if os.geteuid() != 0:
            return "needs root, for network namespaces"
        if not os.path.exists("/dev/net/tun"):
            return "needs /dev/net/tun"
        call("ip", "netns", "add", "larder-try")
        call("ip", "netns", "del", "larder-try")
        call("tc", "-V")
        call("ethtool", "--version")
        return None
    except (Failed, OSError) as failed:
        return f"no network namespaces: {failed}"


class Host:
    def __init__(self, name):
        self.name = name
        call("ip", "netns", "add", name)
        self.call("ip", "link", "set", "lo", "up")

    def call(self, *command):
        return call("ip", "netns", "exec", self.name, *command)

    def command(self, *command):
        return ["ip", "netns", "exec", self.name, *map(str, command)]

    def forward(self):
        self.call("sysctl", "-qw", "net.ipv4.ip_forward=1")

    def route(self, to, via):
        self.call("ip", "route", "add", to, "via", via)

    def close(self):
        call("ip", "netns", "del", self.name)

    def listens(self, port):
        return bool(re.search(rf":{port}\s", self.call("ss", "-Hltn")))


class End:
    """Of a link."""

    def __init__(self, host, device, address):
        self.host, self.device, self.address = host, device, address

    def sent(self):
        """Bytes so far, with their IP headers."""
        text = self.host.call("cat", f"/sys/class/net/{self.device}/statistics/tx_bytes")
        return int(text)

    def limit(self, kbit):
        """At this rate, whole packets one after the other, and a queue that loses none."""
        self.host.call("tc", "qdisc", "add", "dev", self.device, "root", "tbf", "rate",
                       f"{kbit}kbit", "burst", "1600" if kbit < 10_000 else "64kb", "limit", "64mb")


class Network:
    def __init__(self, lab):
        self.lab, self.hosts, self.programs, self.links = lab, {}, [], 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in reversed(self.programs):
            program.stop()
        for number in range(1, self.links + 1):
            try:  # whatever has come to no host
                call("ip", "link", "del", f"la{number}")
            except Failed:
                pass
        for host in self.hosts.values():
            host.close()

    def host(self, name):
        self.hosts[name] = Host(f"{name}{os.getpid()}")
        return self.hosts[name]

    def link(self, a, b, delay_ms=0, kbit=LAN_KBIT):
        """(End at a, End at b); `delay_ms` one way. The devices have addresses 10.0.N.1 and .2."""
        self.links += 1
        names = f"la{self.links}", f"lb{self.links}"
        if delay_ms:
            self._relay(names, delay_ms)
        else:
            call("ip", "link", "add", names[0], "type", "veth", "peer", "name", names[1])
        ends = []
        for number, (host, name) in enumerate(zip((a, b), names), 1):
            address = f"10.0.{self.links}.{number}"
            call("ip", "link", "set", name, "netns", host.name)
            if delay_ms:
                host.call("ip", "addr", "add", address, "peer",
                          f"10.0.{self.links}.{3 - number}", "dev", name)
            else:
                host.call("ip", "addr", "add", f"{address}/24", "dev", name)
                host.call("ethtool", "-K", name, "tso", "off", "gso", "off", "gro", "off")
            host.call("ip", "link", "set", name, "up")
            ends.append(End(host, name, address))
            ends[-1].limit(kbit)
        return ends

    def _relay(self, names, delay_ms):
        program = Program("relay", [f"{self.lab.build}/bench/relay", *names, str(delay_ms)],
                          self.lab.dir).start()
        self.programs.append(program)
        end = time.monotonic() + PATIENCE
        while names[1] not in call("ip", "-o", "link"):
            if not program.is_alive() or time.monotonic() > end:
                raise Failed(f"no relay:\n{program.tail()}")
            time.sleep(0.02)

    def program(self, host, name, command, where, port):
        """Started there, and listening."""
        program = Program(name, host.command(*command), where)
        program.configured = CONFIGURED
        self.lab.configurations.keep(program, self.lab.scenario, command)
        self.programs.append(program.start())
        end = time.monotonic() + PATIENCE
        while not host.listens(port):
            if not program.is_alive() or time.monotonic() > end:
                raise Failed(f"{name} does not listen:\n{program.tail()}")
            time.sleep(0.05)
        return program
