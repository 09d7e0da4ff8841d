#!/usr/bin/env python3
"""The same zones, made by chance, in larder-dns and in Knot, and the same questions to both:
dns_peer.py BUILD [SEED]

Wildcards, empty non-terminals, delegations with and without glue, chains of aliases, types without
a name, by UDP and TCP. Both must say the same: code, bits, answer and authority; in the additional
section ours may say less, but for glue.
"""
import collections
import json
import pathlib
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import dnsraw  # noqa: E402
import larder  # noqa: E402

LABELS = ["a", "b", "c", "d", "*", "www", "_tcp", "x-1"]
APEX = "d.test"
CHILD = "k.d.test"
ELSEWHERE = ["www.other.example", "d.testing", "test"]
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28,
         "SRV": 33, "DS": 43, "CAA": 257, "SSHFP": 44, "TLSA": 52, "SVCB": 64, "HTTPS": 65,
         "TYPE4242": 4242}
NAMES_IN = {2: (0, 1), 5: (0, 1), 6: (0, 2), 12: (0, 1), 15: (2, 1), 33: (6, 1)}  # behind so much
QUESTIONS = 2000
AA, TC, RD = 0x400, 0x200, 0x100
ZONE = """$ORIGIN {apex}.
@ 3600 IN SOA ns1.{apex}. hostmaster.{apex}. 7 3600 900 1209600 60
@ 3600 IN NS ns1.{apex}.
"""


class World:
    """Zones, as {owner: {type: [data]}}; what they say is valid in both servers."""

    def __init__(self, chance):
        self.chance = chance
        self.zones = {APEX: collections.defaultdict(dict), CHILD: collections.defaultdict(dict)}
        self.cuts = set()
        for apex, zone in self.zones.items():
            zone["ns1." + apex]["A"] = ["192.0.2.53"]
            for _ in range(40 if apex == APEX else 8):
                self.add(apex, zone)
        self.zones[APEX][CHILD] = {"NS": [f"ns1.{CHILD}."]}

    def below(self, apex, deepest=4):
        labels = [self.chance.choice(LABELS) for _ in range(self.chance.randint(1, deepest))]
        return ".".join(labels + [apex])

    def target(self):
        if self.chance.random() < 0.15:
            return self.chance.choice(ELSEWHERE) + "."
        return self.below(APEX if self.chance.random() < 0.9 else CHILD) + "."

    def behind_cut(self, name):
        return any(name == cut or name.endswith("." + cut) for cut in self.cuts)

    def add(self, apex, zone):
        name = apex if self.chance.random() < 0.05 else self.below(apex)
        taken = [owner for owner in zone if owner.endswith("." + name)]
        if name in zone or self.behind_cut(name) or (apex == APEX and name.endswith(CHILD)):
            return
        what = self.chance.random()
        if what < 0.2 and name != apex:
            zone[name]["CNAME"] = [self.target()]
        elif what < 0.35 and name != apex and "*" not in name and not taken:
            self.delegate(name, zone)
        else:
            for kind in self.chance.sample(["A", "AAAA", "MX", "TXT", "SRV", "CAA", "PTR", "SVCB",
                                            "HTTPS", "TLSA", "SSHFP", "TYPE4242"],
                                           self.chance.randint(1, 3)):
                count = self.chance.randint(1, 4)
                zone[name][kind] = sorted({self.data(kind) for _ in range(count)})

    def delegate(self, name, zone):
        self.cuts.add(name)
        hosts = [self.chance.choice([f"ns.{name}", f"a.b.{name}", "ns.other.example",
                                     f"ns1.{APEX}"]) for _ in range(2)]
        zone[name]["NS"] = sorted({host + "." for host in hosts})
        for host in set(hosts):
            if host.endswith("." + name):
                zone[host]["A"] = ["192.0.2.77"]
                if self.chance.random() < 0.5:
                    zone[host]["AAAA"] = ["2001:db8::77"]
        if self.chance.random() < 0.4:
            zone[name]["DS"] = ["12345 13 2 " + "1F" * 32]

    def data(self, kind):
        number = self.chance.randint(1, 250)
        return {"A": f"192.0.2.{number}", "AAAA": f"2001:db8::{number}", "PTR": self.target(),
                "MX": f"{number} {self.target()}", "TXT": f'"text" "{"x" * number}"',
                "SRV": f"1 2 {number} {self.target()}", "CAA": f'0 issue "ca{number}.example"',
                "SVCB": self.service(), "HTTPS": self.service(),
                "SSHFP": f"4 2 00{number:02X}" + "1f" * 30,
                "TLSA": f"3 1 1 {number:02x} " + "0A" * 31, "TYPE4242": f"\\# 2 00{number:02x}"}[kind]

    def service(self):
        """The data of a SVCB or HTTPS record."""
        if self.chance.random() < 0.2:
            return f"0 {self.target()}"
        params = ["alpn=h2,h3", 'key667="a\\010b"', "port=8443", "ipv4hint=192.0.2.1,192.0.2.2",
                  "ech=AAECAw==", 'ipv6hint="2001:db8::1"', "mandatory=alpn,port", "key65000"]
        chosen = self.chance.sample(params, self.chance.randint(0, len(params)))
        if params[6] in chosen:
            chosen = [param for param in params if param in chosen or param in params[0:3:2]]
            self.chance.shuffle(chosen)
        target = self.chance.choice([".", self.target()])
        return " ".join([str(self.chance.randint(1, 9)), target] + chosen)

    def master(self, apex):
        lines = [ZONE.format(apex=apex)]
        for owner, sets in self.zones[apex].items():
            lines += [f"{owner}. 300 IN {kind} {data}"
                      for kind, rows in sets.items() for data in rows]
        return "\n".join(lines) + "\n"

    def names(self, apex):
        rows = []
        for owner, sets in self.zones[apex].items():
            if owner == CHILD and apex != CHILD:
                continue  # a zone of ours inside another needs no words
            relative = owner[: -len(apex) - 1] if owner != apex else "@"
            records = [f"300 {kind} {data}" for kind, datas in sets.items() for data in datas]
            rows.append({"name": relative, "records": records})
        return rows

    def question(self):
        """(name, type)"""
        chance = self.chance
        what = chance.random()
        apex = CHILD if chance.random() < 0.15 else APEX
        if what < 0.5:
            name = chance.choice(sorted(self.zones[apex]))
            if chance.random() < 0.3:
                name = name.split(".", 1)[1]
            if chance.random() < 0.3:
                name = chance.choice(LABELS) + "." + name
        elif what < 0.95:
            name = self.below(apex, 5)
        else:
            name = chance.choice(ELSEWHERE + ["", "d.test.x"])
        name = "".join(chance.choice([c.upper(), c]) for c in name)
        return name, chance.choice(sorted(TYPES.values()))


def write_configs(world, folder, ours, theirs):
    zones = [{"name": apex, "nameservers": [f"ns1.{apex}"], "ttl": "1h",
              "soa": {"serial": 7, "minimum": "60s"}, "names": world.names(apex)}
             for apex in world.zones]
    (folder / "dns.yaml").write_text(json.dumps({"listen": [f"127.0.0.1:{ours}"], "zones": zones}))
    for apex in world.zones:
        (folder / f"{apex}.zone").write_text(world.master(apex))
    (folder / "knot.conf").write_text(f"""
server:
  rundir: "{folder}"
  listen: 127.0.0.1@{theirs}
database:
  storage: "{folder}"
log:
  - target: stderr
    any: error
template:
  - id: default
    storage: "{folder}"
    zonefile-sync: -1
    journal-content: none
zone:
""" + "".join(f"  - domain: {apex}\n    file: {apex}.zone\n" for apex in world.zones))


def ask(port, message, tcp):
    if tcp:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as conn:
            conn.sendall(dnsraw.framed(message))
            return dnsraw.Answer(dnsraw.receive(conn))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        for _ in range(10):
            sock.send(message)
            sock.settimeout(3)
            try:
                return dnsraw.Answer(sock.recv(65535))
            except (TimeoutError, ConnectionRefusedError):
                pass
    raise SystemExit(f"no answer from port {port}")


def plain(packet, kind, data, at_of):
    """The data of a record with its names written out."""
    skip, names = NAMES_IN.get(kind, (0, 0))
    if not names:
        return data
    at = at_of + skip
    out = [data[:skip]]
    for _ in range(names):
        name, at = dnsraw.read_name(packet, at)
        out.append(name.encode() + b"/")
    return b"".join(out) + packet[at:at_of + len(data)]


def records(answer):
    """{section: sorted records}, whatever compression was used."""
    out = {0: [], 1: [], 2: []}
    for section, name, kind, ttl, data, at in located(answer):
        out[section].append((name, kind, ttl, plain(answer.packet, kind, data, at)))
    return {section: sorted(rows) for section, rows in out.items()}


def located(answer):
    packet, at = answer.packet, 12 + len(answer.question)
    for section, count in enumerate(struct.unpack(">HHH", packet[6:12])):
        for _ in range(count):
            name, at = dnsraw.read_name(packet, at)
            kind, _, ttl, length = struct.unpack(">HHIH", packet[at:at + 10])
            if kind != dnsraw.OPT:
                yield section, name, kind, ttl, packet[at + 10:at + 10 + length], at + 10
            at += 10 + length


def zone_of(name):
    """Which zone has the name; "": none."""
    return next((apex for apex in (CHILD, APEX) if ("." + name.lower()).endswith("." + apex)), "")


def leaves_zone(name, rows):
    """Whether a chain of aliases leads to another zone: Knot goes no further there, ours does."""
    targets = [row[3][:-1].decode() for row in rows if row[1] == dnsraw.CNAME]
    return any(zone_of(target) != zone_of(name) for target in targets)


def compare(name, kind, ours, theirs):
    """What differs, in words; ""."""
    bits = AA | RD | TC
    mine, other = records(ours), records(theirs)
    if ours.question != theirs.question:
        return "question"
    if leaves_zone(name, mine[0]):
        return "" if set(other[0]) <= set(mine[0]) else f"chain {mine[0]}, not {other[0]}"
    if ours.rcode != theirs.rcode:
        return f"code {ours.rcode}, not {theirs.rcode}"
    if ours.flags & bits != theirs.flags & bits:
        return f"flags {ours.flags:04x}, not {theirs.flags:04x}"
    if ours.truncated:
        return ""
    for section in (0, 1):
        if mine[section] != other[section]:
            return f"section {section}: {mine[section]}, not {other[section]}"
    glue = other[2] if mine[1] and mine[1][0][1] == dnsraw.NS and not mine[0] else []
    if not set(glue) <= set(mine[2]):
        return f"glue {mine[2]}, not {other[2]}"
    return ""


def make_world(chance, check, folder, ports):
    """A world that ours takes: it refuses aliases that lead back to themselves."""
    while True:
        world = World(chance)
        write_configs(world, folder, *ports)
        if subprocess.run([*check, "--check"], capture_output=True, check=False).returncode == 0:
            return world


def ask_both(world, chance, number, ports):
    """What differs in the answers to a question of chance, in words; ""."""
    name, kind = world.question()
    message = dnsraw.query(name, kind, number, chance.choice([None, b""]), chance.choice([0, RD]),
                           chance.choice([512, 1232, 4096]))
    tcp = chance.random() < 0.05
    fault = compare(name, kind, *(ask(port, message, tcp) for port in ports))
    if fault:
        print(f"WRONG: {name} type {kind} {'tcp' if tcp else 'udp'}: {fault}")
    return fault


def main():
    build = pathlib.Path(sys.argv[1])
    if not shutil.which("knotd"):
        print("skipped: knotd is missing (knot)")
        raise SystemExit(77)
    chance = random.Random(larder.seed(*sys.argv[2:3]))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        ports = larder.free_port(), larder.free_port()
        ours = [build / "dnsredir/larder-dns", "--config", folder / "dns.yaml"]
        world = make_world(chance, ours, folder, ports)
        programs = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    for command in (ours, ["knotd", "-c", folder / "knot.conf"])]
        try:
            for port, program in zip(ports, programs):
                larder.await_port("127.0.0.1", port, program)
            faults = sum(1 for number in range(QUESTIONS) if ask_both(world, chance, number, ports))
        finally:
            for program in programs:
                program.terminate()
                program.wait()
    print(f"{faults} differences in {QUESTIONS} answers")
    raise SystemExit(1 if faults else 0)


main()
