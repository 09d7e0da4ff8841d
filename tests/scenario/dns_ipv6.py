#!/usr/bin/env python3
"""larder-dns by IPv6, from end to end: dns_ipv6.py BUILD

UDP and TCP on [::1] and on sockets bound to no address, which answer from the one that was asked;
client subnets and scopes; the client's own address; limits by /56; cookies; updates.
"""
import base64
import ctypes
import os
import pathlib
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import dnsraw  # noqa: E402
import larder  # noqa: E402
import tsig  # noqa: E402
from dnsraw import AAAA, COOKIE, ECS, Answer, option, query, subnet  # noqa: E402

SECOND = "2001:db8:ffff::53"  # of the server
ONE, SAME, OTHER = "2001:db8:1:100::1", "2001:db8:1:1ff::2", "2001:db8:1:200::1"
KEY = tsig.Key("k", b"s" * 32)
PATIENCE = 60
IP_MTU_DISCOVER, IP_PMTUDISC_PROBE = 10, 3
CONFIG = """
listen: ["[::1]:{one}", "[::]:{six}", "{both}"]
admin: {{ address: "[::1]:{admin}" }}
state: state
keys: [{{ name: k, secret: {secret} }}]
cookies: {{ secrets: e5e973e5a6b2a43f48e7dc849e37bfcf }}
rate-limit: {{ responses-per-second: 1, slip: 1, exempt: ["::1/128", 127.0.0.0/8, "{second}/128"] }}
tcp: {{ per-client: 3, timeout: 2min }}
replicas:
  - {{ name: fra, addresses: [192.0.2.1, "2001:db8:a::1"] }}
  - {{ name: nyc, addresses: [192.0.2.2, "2001:db8:a::2"] }}
  - {{ name: sin, addresses: [192.0.2.3] }}
nearest:
  map:
    - {{ prefix: "2001:db8:1:100::/56", replica: fra }}
    - {{ prefix: "2001:db8:1:200::/56", replica: nyc }}
    - {{ prefix: "2001:db8:7700::/40", replica: nyc }}
    - {{ prefix: "2001:db8:7701::/48", replica: [sin, fra] }}
    - {{ prefix: 198.51.100.0/24, replica: nyc }}
zones:
  - name: ex.test
    nameservers: [ns.ex.test]
    names:
      - {{ name: ns, records: ["A 192.0.2.53", "AAAA 2001:db8::53"] }}
      - {{ name: www, policy: nearest }}
      - {{ name: big, records: [{big}] }}
      - {{ name: d, update: {{ keys: k }} }}
"""
failures = []


def expect(what, good, seen=""):
    print("ok:" if good else "FAILED:", what, "" if good else seen, flush=True)
    if not good:
        failures.append(what)


class Server:
    def __init__(self, build, folder):
        self.one, self.six, self.both, self.admin = (larder.free_port("127.0.0.1") for _ in range(4))
        path = folder / "dns.yaml"
        path.write_text(CONFIG.format(
            one=self.one, six=self.six, both=self.both, admin=self.admin, second=SECOND,
            secret=base64.b64encode(KEY.secret).decode(),
            big=", ".join(f'"AAAA 2001:db8:b::{n:x}"' for n in range(100))))
        self.process = subprocess.Popen([build / "dnsredir/larder-dns", "--config", path])
        larder.await_port("::1", self.one, self.process)
        larder.await_port("::1", self.admin, self.process)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        expect("TERM ends it", self.process.wait(PATIENCE) == 0)


def ask(to, packet, source=None, patience=PATIENCE):
    """(the answer, the address it came from); asked again until one comes; None if none does."""
    family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((source or ("::" if family == socket.AF_INET6 else ""), 0))
        sock.settimeout(min(2, patience))
        end = time.monotonic() + patience
        while time.monotonic() < end:
            sock.sendto(packet, to)
            try:
                data, peer = sock.recvfrom(65535)
                return Answer(data), peer[:2]
            except TimeoutError:
                pass
    return None


def sources(server, own):
    """A socket that is bound to no address answers from the one that was asked."""
    asked = [("::1", server.one), ("::1", server.six), ("::1", server.both),
             ("127.0.0.1", server.both), ("127.0.0.77", server.both)]
    asked += [(SECOND, server.six), (SECOND, server.both)] if own else []
    for to in asked:
        answer, peer = ask(to, query("ns.ex.test", AAAA))
        expect(f"from {to[0]} port {to[1]}", peer == to, peer)
        expect("the answer", answer.addresses() == ["2001:db8::53"], answer.records)
        signed = KEY.sign(tsig.update("ex.test", [tsig.add("d.ex.test", "2001:db8::d")]))
        answer, peer = ask(to, signed)
        expect("an update, too", peer == to and answer.rcode == 0, (peer, answer.rcode))
    answer, _ = ask(("::1", server.one), query("d.ex.test", AAAA))
    expect("what was set", answer.addresses() == ["2001:db8::d"], answer.records)


def sockets_of(process):
    """The sockets of another process (pidfd_getfd), as far as we are allowed to have them."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    pidfd = os.pidfd_open(process.pid)
    for number in map(int, os.listdir(f"/proc/{process.pid}/fd")):
        fd = call(438, pidfd, number, 0)
        if fd >= 0 and stat.S_ISSOCK(os.fstat(fd).st_mode):
            with socket.socket(fileno=fd) as sock:
                yield sock
        elif fd >= 0:
            os.close(fd)
    os.close(pidfd)


def uncut(server):
    """Forged ICMP must not make the kernel cut answers to IPv4 clients in pieces (RFC 9715), also
    where they come to a socket of both families."""
    seen = [sock.getsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER) for sock in sockets_of(server.process)
            if sock.type == socket.SOCK_DGRAM and sock.getsockname()[1] == server.both]
    expect("no answer is cut", set(seen) <= {IP_PMTUDISC_PROBE}, seen)
    print("seen" if seen else "not allowed to look", flush=True)


def by_tcp(server, own):
    for to in [("::1", server.one), ("::1", server.both)] + ([(SECOND, server.six)] if own else []):
        answer, _ = ask(to, query("big.ex.test", AAAA))
        expect("100 addresses do not fit", answer.truncated and not answer.records)
        with socket.create_connection(to, PATIENCE) as conn:
            conn.sendall(b"".join(dnsraw.framed(query("big.ex.test", AAAA, n)) for n in range(50)))
            answers = [Answer(dnsraw.receive(conn)) for _ in range(50)]
        expect("by TCP they do, fifty times in order",
               [(a.number, len(a.addresses())) for a in answers] == [(n, 100) for n in range(50)])


def subnets(server):
    """(what, subnet, type, the first address, the source and scope in the answer; or a code)"""
    rows = [
        ("the map", subnet("2001:db8:7755::/48"), AAAA, "2001:db8:a::2", (48, 42)),
        ("a longer prefix", subnet("2001:db8:7701::/56"), AAAA, "2001:db8:a::1", (56, 48)),
        ("less than it takes", subnet("2001:db8:7700::/40"), AAAA, "2001:db8:a::2", (40, 48)),
        ("an address", subnet("2001:db8:7701:1:2:3:4:5/128"), AAAA, "2001:db8:a::1", (128, 48)),
        ("IPv4 as IPv6", subnet("::ffff:198.51.100.0/120"), AAAA, "2001:db8:a::2", (120, 120)),
        ("another name of it", subnet("198.51.100.0/24"), AAAA, "2001:db8:a::2", (24, 24)),
        ("bits behind the prefix", option(ECS, b"\0\2\x21\0\x20\x01\x0d\xb8\xff"), AAAA, 1, None),
        ("more bits than there are", option(ECS, b"\0\2\x81\0" + b"\x20" * 17), AAAA, 1, None),
        ("an address too short", option(ECS, b"\0\2\x30\0\x20\x01\x0d"), AAAA, 1, None),
        ("an address too long", option(ECS, b"\0\2\x20\0\x20\x01\x0d\xb8\0"), AAAA, 1, None),
        ("a scope in a query", option(ECS, b"\0\2\x20\x20\x20\x01\x0d\xb8"), AAAA, 1, None),
        ("no such family", option(ECS, b"\0\3\x20\0\x20\x01\x0d\xb8"), AAAA, 1, None),
    ]
    for what, options, kind, want, lengths in rows:
        answer, _ = ask(("::1", server.one), query("www.ex.test", kind, options=options))
        if isinstance(want, int):
            expect(f"{what}: malformed", answer.rcode == want and not answer.records, answer.rcode)
            continue
        seen = answer.options.get(ECS, b"\0\0\0\0")
        expect(f"{what}: {want}", answer.addresses()[:1] == [want], answer.addresses())
        expect(f"{what}: scope", (seen[2], seen[3]) == lengths, (seen[2], seen[3]))
        expect(f"{what}: what was told is told back", seen[4:] == options[8:], seen)


def own_addresses(server):
    """Without a subnet the client's address decides, be it that the resolver wants no location."""
    to = (SECOND, server.six)
    for source, want in ((ONE, "2001:db8:a::1"), (SAME, "2001:db8:a::1"), (OTHER, "2001:db8:a::2")):
        for options in (None, b"", option(ECS, b"\0\2\0\0")):
            with socket.create_connection(to, PATIENCE, (source, 0)) as conn:
                conn.sendall(dnsraw.framed(query("www.ex.test", AAAA, options=options)))
                answer = Answer(dnsraw.receive(conn))
            expect(f"{source} gets {want}", answer.addresses()[:1] == [want], answer.addresses())
            expect("no scope but for who told a subnet",
                   answer.options.get(ECS, b"\0\2\0\0")[:4] == b"\0\2\0\0", answer.options)


def limits(server):
    """One /56 is one client; another one is not concerned."""
    to = (SECOND, server.six)
    socks = {}
    for source in (ONE, SAME):
        socks[source] = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        socks[source].bind((source, 0))
        socks[source].settimeout(0.05)
    began, full, slipped = time.monotonic(), 0, 0
    for _ in range(40):
        for sock in socks.values():
            sock.sendto(query("ns.ex.test", AAAA), to)
    while not slipped and time.monotonic() < began + PATIENCE:
        for sock in socks.values():
            try:
                while True:
                    answer = Answer(sock.recv(4096))
                    full += len(answer.records) > 0
                    slipped += answer.truncated
            except TimeoutError:
                pass
    passed = time.monotonic() - began
    expect("both addresses together have one's part", full <= passed + 2, (full, passed))
    expect("and are told to come by TCP", slipped > 0)
    answer, _ = ask(to, query("ns.ex.test", AAAA), OTHER)
    expect("their neighbour has its own", not answer.truncated and answer.addresses())
    with socket.create_connection(to, PATIENCE, (ONE, 0)) as conn:
        conn.sendall(dnsraw.framed(query("ns.ex.test", AAAA)) * 20)
        got = [len(Answer(dnsraw.receive(conn)).addresses()) for _ in range(20)]
    expect("TCP is not limited", got == [1] * 20, got)


def connections(server):
    to, crowd = (SECOND, server.six), []
    other = socket.create_connection(to, PATIENCE, (OTHER, 0))
    for source in (ONE, SAME, ONE, SAME):
        conn = socket.create_connection(to, PATIENCE, (source, 0))
        conn.sendall(dnsraw.framed(query("ns.ex.test", AAAA)))
        expect("a connection is served", Answer(dnsraw.receive(conn)).rcode == 0)
        crowd.append(conn)
    expect("of four of one /56 the idlest goes", crowd[0].recv(1) == b"")
    other.sendall(dnsraw.framed(query("ns.ex.test", AAAA)))
    expect("and none of another", Answer(dnsraw.receive(other)).rcode == 0)
    for conn in [*crowd, other]:
        conn.close()


def cookies(server):
    to = (SECOND, server.six)
    first, _ = ask(to, query("ns.ex.test", AAAA, options=option(COOKIE, b"clientck")), ONE)
    cookie = first.options[COOKIE]
    expect("a cookie", len(cookie) == 24)
    got = [ask(to, query("ns.ex.test", AAAA, options=option(COOKIE, cookie)), ONE)[0]
           for _ in range(20)]
    expect("who brings it is not limited", all(a.addresses() for a in got))
    codes = {ask(to, query("ns.ex.test", AAAA, options=option(COOKIE, cookie)), SAME)[0].rcode
             for _ in range(20)}
    expect("it is no other address's", 23 in codes, codes)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    larder.need(build / "dnsredir/larder-dns")
    own = dnsraw.own_network([SECOND, ONE, SAME, OTHER])
    print("a network of its own" if own else "only ::1", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(build, pathlib.Path(folder))
        try:
            sources(server, own)
            uncut(server)
            by_tcp(server, own)
            subnets(server)
            if own:
                own_addresses(server)
                limits(server)
                connections(server)
                cookies(server)
            server.stop()
        finally:
            server.process.kill()
    sys.exit(1 if failures else 0)


main()
