#!/usr/bin/env python3
"""The protocol of larder-dns as dig, kdig and bare packets see it: dns_protocol.py BUILD

Cookies, NSID, keepalive, extended errors, CHAOS, EDNS versions and options, rate limits, how many
TCP connections one network may have, and by which names the admin address answers.
"""
import json
import os
import pathlib
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402

CONFIG = """
listen: ["127.0.0.1:{dns}"]
admin: {{ address: "127.0.0.1:{admin}" }}
cookies: {{ secrets: e5e973e5a6b2a43f48e7dc849e37bfcf, mode: {mode} }}
identity: fra-1
log: {{ queries: queries.json }}
version: larder
rate-limit: {{ responses-per-second: 1, errors-per-second: 1, exempt: [127.0.0.0/24] }}
tcp: {{ per-client: 5, timeout: 2min }}
zones:
  - name: ex.test
    nameservers: [ns.ex.test]
    names:
      - {{ name: ns, records: ["A 192.0.2.53"] }}
      - {{ name: www, records: ["A 192.0.2.1"] }}
      - {{ name: big, records: [{big}] }}
"""
PATIENCE = 60
COOKIE = 10
failures = []


def expect(what, good, seen=""):
    print("ok:" if good else "FAILED:", what, "" if good else seen)
    if not good:
        failures.append(what)


def query(name, number=1, options=b"", kind=1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    opt = b"\0" + struct.pack(">HHIH", 41, 1232, 0, len(options)) + options
    head = struct.pack(">HHHHHH", number, 0, 1, 0, 0, 1)
    return head + labels + b"\0" + struct.pack(">HH", kind, 1) + opt


def option(code, value):
    return struct.pack(">HH", code, len(value)) + value


class Answer:
    """The header, and the options of an OPT that is the last record, if there is one."""

    def __init__(self, packet):
        self.number, flags, _, self.answers, _, _ = struct.unpack(">HHHHHH", packet[:12])
        self.truncated = bool(flags & 0x200)
        self.rcode, self.options = flags & 15, {}
        at = packet.rfind(b"\0" + struct.pack(">HH", 41, 1232))
        if at < 0:
            return
        self.rcode |= packet[at + 5] << 4
        data = packet[at + 11 :]
        while data:
            code, length = struct.unpack(">HH", data[:4])
            self.options[code] = data[4 : 4 + length]
            data = data[4 + length :]


class Peer:
    """Somebody at an address of its own."""

    def __init__(self, port, address):
        self.server, self.address, self.number = ("127.0.0.1", port), address, 0
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, 0))
        self.udp.connect(self.server)

    def ask(self, name, options=b"", kind=1, patience=PATIENCE):
        """One answer, asked for until it comes, be it late; None if none comes."""
        end = time.monotonic() + patience
        self.number += 1
        while time.monotonic() < end:
            self.udp.settimeout(min(1, patience))
            try:
                self.udp.send(query(name, self.number, options, kind))
                while True:
                    answer = Answer(self.udp.recv(4096))
                    if answer.number == self.number:
                        return answer
            except TimeoutError:
                pass
        return None

    def connect(self):
        return socket.create_connection(self.server, PATIENCE, source_address=(self.address, 0))


def tcp_ask(conn, name, options=b"", kind=1):
    message = query(name, 7, options, kind)
    conn.sendall(struct.pack(">H", len(message)) + message)
    data = b""
    while len(data) < 2 or len(data) < 2 + struct.unpack(">H", data[:2])[0]:
        piece = conn.recv(65536)
        if not piece:
            return None
        data += piece
    return Answer(data[2:])


class Server:
    def __init__(self, build, folder, mode):
        self.dns, self.admin = larder.free_port(), larder.free_port()
        path = folder / f"dns-{mode}.yaml"
        big = ", ".join(f'"A 10.9.{n}.1"' for n in range(100))
        path.write_text(CONFIG.format(dns=self.dns, admin=self.admin, mode=mode, big=big))
        self.process = subprocess.Popen([build / "dnsredir/larder-dns", "--config", path])
        larder.await_port("127.0.0.1", self.dns, self.process)

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics") as page:
            for line in page.read().decode().splitlines():
                if line.startswith(f"larder_dns_{name} "):
                    return int(line.split()[1])
        return None

    def tool(self, program, *arguments):
        command = [program, "@127.0.0.1", "-p", str(self.dns), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout

    def close(self):
        self.process.terminate()
        expect("TERM ends it", self.process.wait(PATIENCE) == 0)


def by_tools(server):
    """What dig and kdig print: what must be in it, for these arguments."""
    rows = [
        ("dig", "+nsid www.ex.test", ["status: NOERROR", 'fra-1"', "192.0.2.1"]),
        ("dig", "+cookie www.ex.test", ["(good)", "192.0.2.1"]),
        ("dig", "+ednsopt=65001:abcd www.ex.test", ["status: NOERROR", "192.0.2.1"]),
        ("dig", "+edns=1 +noednsnegotiation www.ex.test", ["BADVERS", "version: 0"]),
        ("dig", "+ednsflags=0x7fff www.ex.test", ["status: NOERROR", "flags:; udp: 1232"]),
        ("dig", "+dnssec www.ex.test", ["flags: do; udp: 1232"]),
        ("dig", "+bufsize=512 +ignore big.ex.test", ["tc", "ANSWER: 0"]),
        ("dig", "+bufsize=512 big.ex.test", ["ANSWER: 100"]),
        ("dig", "+tcp +keepalive www.ex.test", ["192.0.2.1", "KEEPALIVE: 120.0 secs"]),
        ("dig", "+norecurse www.example.org", ["status: REFUSED", "EDE: 20"]),
        ("dig", "+opcode=NOTIFY www.ex.test", ["status: NOTIMP", "EDE: 21"]),
        ("dig", "CH TXT version.bind", ['"larder"']),
        ("dig", "CH TXT id.server", ['"fra-1"']),
        ("dig", "CH TXT authors.bind", ["status: REFUSED"]),
        ("dig", "+noedns www.ex.test", ["192.0.2.1", "ADDITIONAL: 0"]),
        ("dig", "+cdflag +adflag +zflag www.ex.test", ["flags: qr aa rd;"]),
        ("dig", "+qr +header-only +cookie .", ["status: NOERROR", "QUERY: 0", "(good)"]),
        ("kdig", "+nsid +cookie www.ex.test", ["status: NOERROR", "COOKIE", "6672612D31"]),
        ("kdig", "+padding=128 www.ex.test", ["status: NOERROR", "192.0.2.1"]),
        ("kdig", "+edns +subnet=192.0.2.0/24 www.ex.test", ["CLIENT-SUBNET: 192.0.2.0/24/0"]),
        ("kdig", "+tcp +keepopen www.ex.test big.ex.test", ["ANSWER: 100", "192.0.2.1"]),
    ]
    for program, arguments, wanted in rows:
        seen = server.tool(program, *arguments.split())
        missing = [want for want in wanted if want.lower() not in seen.lower()]
        expect(f"{program} {arguments}", not missing, f"{missing} in {seen}")


def cookies(server):
    one, other = Peer(server.dns, "127.0.0.7"), Peer(server.dns, "127.0.0.8")
    mine = os.urandom(8)
    first = one.ask("www.ex.test", option(COOKIE, mine))
    cookie = first.options[COOKIE]
    expect("a client's cookie alone is not enough here", first.rcode == 23 and first.answers == 0)
    expect("BADCOOKIE brings a cookie", cookie[:8] == mine and len(cookie) == 24)
    expect("which is good", one.ask("www.ex.test", option(COOKIE, cookie)).answers == 1)
    expect("not from elsewhere", other.ask("www.ex.test", option(COOKIE, cookie)).rcode == 23)
    expect("and not needed without", one.ask("www.ex.test").answers == 1)
    expect("a cut one is malformed", one.ask("www.ex.test", option(COOKIE, cookie[:9])).rcode == 1)
    with other.connect() as conn:
        expect("TCP proves as much", tcp_ask(conn, "www.ex.test", option(COOKIE, mine)).answers == 1)


def oversized(server):
    """What is larger than a UDP query may be is refused, counted, and hinders nobody."""
    peer, before = Peer(server.dns, "127.0.0.6"), server.metric("udp_oversized_total")
    largest = query("www.ex.test", 1, option(65001, bytes(2048 - 40 - 4)))
    rows = [
        ("2048 bytes", largest, "1 NOERROR"),
        ("2049 bytes", query("www.ex.test", 2, option(65001, bytes(2049 - 40 - 4))), "2 FORMERR"),
        ("60,000 bytes", query("www.ex.test", 3, option(65001, bytes(60000))), "3 FORMERR"),
        ("a large update", struct.pack(">HH", 4, 0x2800) + bytes(4000), "4 NOTIMP"),
        ("a response, then a query", struct.pack(">HH", 5, 0x8000) + bytes(4000), "6 NOERROR"),
    ]
    expect("the largest query has 2048 bytes", len(largest) == 2048, len(largest))
    for what, packet, want in rows:
        peer.udp.settimeout(PATIENCE)
        peer.udp.send(packet)
        if want.startswith("6"):
            peer.udp.send(query("www.ex.test", 6))
        answer = Answer(peer.udp.recv(4096))
        word = {0: "NOERROR", 1: "FORMERR", 4: "NOTIMP"}.get(answer.rcode)
        expect(f"{what}: {want}", f"{answer.number} {word}" == want, f"{answer.number} {word}")
    expect("they are counted", server.metric("udp_oversized_total") == before + 4)


def flood(peer, name, enough):
    """Asks as fast as it can until `enough` of the kinds of answers seen; returns them."""
    seen, end = set(), time.monotonic() + PATIENCE
    peer.udp.settimeout(0.05)
    while time.monotonic() < end and not enough(seen):
        for number in range(50):
            peer.udp.send(query(name, number))
        try:
            while True:
                answer = Answer(peer.udp.recv(4096))
                seen.add((answer.rcode, answer.truncated, answer.answers))
        except TimeoutError:
            pass
    return seen


def limits(server):
    """A flood from one network, whose real client has another way."""
    victim, neighbour = "127.1.1.1", Peer(server.dns, "127.1.2.1")
    seen = flood(Peer(server.dns, victim), "www.ex.test", lambda kinds: len(kinds) == 2 and
                 server.metric("limited_dropped_total") > 0)
    expect("some are answered, some truncated", seen == {(0, False, 1), (0, True, 0)}, seen)
    dropped = server.metric("limited_dropped_total")
    expect("some are dropped, and counted", dropped > 0)
    expect("slipped ones are counted", server.metric("limited_slipped_total") > 0)
    expect("batches are timed", server.metric("udp_batch_seconds_count") > 0)
    expect("a neighbour is served", neighbour.ask("www.ex.test").answers == 1)
    real = Peer(server.dns, victim)
    with real.connect() as conn:
        got = [tcp_ask(conn, "www.ex.test").answers for _ in range(20)]
        expect("TCP is not limited", got == [1] * 20, got)
        cookie = tcp_ask(conn, "www.ex.test", option(COOKIE, b"clientck")).options[COOKIE]
        answer = tcp_ask(conn, "ex.test", kind=252)
        expect("transfers are refused by it", answer.rcode == 5 and answer.options[15] == b"\0\x12")
    got = [real.ask("www.ex.test", option(COOKIE, cookie)) for _ in range(20)]
    expect("nor is who has a good cookie", all(a.answers == 1 and not a.truncated for a in got))
    seen = flood(Peer(server.dns, "127.1.2.1"), "www.example.org",
                 lambda kinds: kinds and server.metric("limited_dropped_total") > dropped)
    expect("errors are limited, too", seen == {(5, False, 0)}, seen)
    expect("and dropped", server.metric("limited_dropped_total") > dropped)


def connections(server):
    """Six connections of a network that may have five, beside one of another."""
    other = Peer(server.dns, "127.3.1.1").connect()
    tcp_ask(other, "www.ex.test")
    crowd = []
    for n in range(6):  # two addresses, one network
        crowd.append(Peer(server.dns, f"127.3.2.{n % 2 + 1}").connect())
        expect(f"connection {n + 1} is served", tcp_ask(crowd[-1], "www.ex.test").answers == 1)
    expect("the idlest of them has gone", crowd[0].recv(1) == b"")
    expect("the others are there", all(tcp_ask(c, "www.ex.test").answers == 1 for c in crowd[1:]))
    expect("and so is the other network's", tcp_ask(other, "www.ex.test").answers == 1)
    expect("it is counted", server.metric("tcp_client_evicted_total") == 1)
    for conn in crowd + [other]:
        conn.close()


def await_eviction(server, before):
    """What was sent to it has to be read first."""
    end = time.monotonic() + PATIENCE
    while server.metric("tcp_evicted_total") == before and time.monotonic() < end:
        time.sleep(0.05)


def half_messages(server):
    """Many begin a large message and do not end it: what is kept of them is bounded."""
    crowd, before = [], server.metric("tcp_evicted_total")
    half = struct.pack(">H", 65535) + b"x" * 60000  # 139 of them are 8 MiB
    while len(crowd) < 139 or (len(crowd) < 900 and server.metric("tcp_evicted_total") == before):
        address = f"127.4.{len(crowd) // 5}.1"
        crowd.append(socket.create_connection(("127.0.0.1", server.dns), PATIENCE, (address, 0)))
        crowd[-1].sendall(half)
    await_eviction(server, before)
    expect("one of them has gone", server.metric("tcp_evicted_total") > before, len(crowd))
    expect("and the others have not", len(select.select(crowd, [], [], PATIENCE)[0]) < 70)
    with Peer(server.dns, "127.5.1.1").connect() as other:
        expect("who asks is served", tcp_ask(other, "www.ex.test").answers == 1)
    for conn in crowd:
        conn.close()


def unread_answers(server):
    """Many ask for much and read nothing: what is kept for them is bounded, too."""
    crowd, before = [], server.metric("tcp_evicted_total")
    message = query("big.ex.test", 9)
    much = (struct.pack(">H", len(message)) + message) * 200  # 330 kB of answers
    while len(crowd) < 600 and server.metric("tcp_evicted_total") == before:
        conn = socket.socket()
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)  # the kernel keeps less for it
        conn.bind((f"127.6.{len(crowd) // 5}.1", 0))
        conn.connect(("127.0.0.1", server.dns))
        conn.sendall(much)
        crowd.append(conn)
    await_eviction(server, before)
    expect("one that does not read has gone", server.metric("tcp_evicted_total") > before)
    with Peer(server.dns, "127.5.2.1").connect() as other:
        expect("who reads is served", tcp_ask(other, "big.ex.test").answers == 100)
    for conn in crowd:
        conn.close()


def admin_hosts(server):
    """Web pages that make their own name resolve to this address (DNS rebinding) get nothing."""
    rows = [
        ("GET /status", "127.0.0.1:3130", 200),
        ("GET /status", "[::1]:3130", 200),
        ("GET /status", "localhost", 200),
        ("GET /status", "NS.ex.test.:3130", 200),
        ("GET /status", "", 200),
        ("GET /status", "evil.example", 403),
        ("GET /metrics", "127.0.0.1.evil.example:3130", 403),
        ("POST /reload", "evil.example:3130", 403),
        ("GET /readyz", "evil.example", 200),
    ]
    for request, host, want in rows:
        with socket.create_connection(("127.0.0.1", server.admin), PATIENCE) as conn:
            field = f"Host: {host}\r\n" if host else ""
            conn.sendall(f"{request} HTTP/1.1\r\n{field}\r\n".encode())
            seen = conn.makefile("rb").readline()
        expect(f"{request} of {host or 'nobody'}: {want}", b" %d " % want in seen, seen)


def query_log(path, server):
    """Written once the server has ended: every query a line, however odd its name."""
    peer = Peer(server.dns, "127.0.0.9")
    odd = peer.ask('a"b\n.ex.test')
    server.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    mine = [line for line in lines if line["client"] == "127.0.0.9"]
    expect("the last query is in the log", odd.rcode == 3 and mine and mine[-1]["rcode"] == "NXDOMAIN")
    expect("its name cannot break out", mine[-1]["name"] == 'a\\"b\\010.ex.test.', mine)
    expect("so is what was slipped", "slip" in {line["limited"] for line in lines})
    expect("and how it came", {line["proto"] for line in lines} == {"udp", "tcp"})
    path.rename(path.with_suffix(".old"))


def main():
    for tool in ("dig", "kdig"):
        larder.need(shutil.which(tool) or f"/usr/bin/{tool}")
    build = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(build, pathlib.Path(folder), "on")
        by_tools(server)
        oversized(server)
        limits(server)
        connections(server)
        half_messages(server)
        admin_hosts(server)
        query_log(pathlib.Path(folder) / "queries.json", server)
        server = Server(build, pathlib.Path(folder), "required")
        cookies(server)
        seen = server.tool("dig", "+cookie", "www.ex.test")
        expect("dig comes back after BADCOOKIE", "192.0.2.1" in seen and "(good)" in seen, seen)
        unread_answers(server)
        server.close()
    sys.exit(bool(failures))


main()
