#!/usr/bin/env python3
"""The resolver of larder-dns, its redirection and its explanations: dns_resolver.py BUILD

Upstream is a name server of this process, which answers by the name it is asked for: at once,
slowly, never, with what no client must see, or with records by the hundred.
"""
import atexit
import http.server
import json
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402

CONFIG = """
listen: ["127.0.0.1:{dns}"]
admin: {{ address: "127.0.0.1:{admin}" }}
workers: 2
replicas:
  - {{ name: fra, addresses: [127.0.0.1] }}
  - {{ name: nyc, addresses: [127.0.0.41] }}
  - {{ name: sin, addresses: ["2001:db8::1"], drain: yes }}
nearest: {{ map: [{{ prefix: 127.0.0.0/16, replica: fra }}, {{ prefix: 127.1.0.0/16, replica: [nyc, fra] }}] }}
resolver:
  allow: [127.0.0.0/16]
  {way}
  outstanding: {outstanding}
  per-client: {per_client}
  timeout: {timeout}
  private-addresses: [10.0.0.0/8]
  private-names: [inside.example]
redirect:
  - {{ names: ["*.cdn.example"], ttl: 20s }}
zones:
  - name: ours.example
    nameservers: [ns.ours.example]
    names:
      - {{ name: www, policy: nearest, replicas: [fra, nyc] }}
      - {{ name: alias, records: ["CNAME one.example.org."] }}
      - {{ name: extra, records: ["A 192.0.2.{extra}"] }}
"""
PATIENCE = 60
ORIGIN = "127.0.0.3"
failures = []


def expect(what, good, seen=""):
    print("ok:" if good else "FAILED:", what, "" if good else seen, flush=True)
    if not good:
        failures.append(what)


def until(call, want, patience=PATIENCE):
    """Calls until the result is as wanted; the last result."""
    end = time.monotonic() + patience
    while True:
        got = call()
        if want(got) or time.monotonic() > end:
            return got
        time.sleep(0.02)


def pack_name(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part) + b"\0"


def read_name(packet, at):
    labels = []
    while packet[at]:
        labels.append(packet[at + 1 : at + 1 + packet[at]].decode("latin-1"))
        at += packet[at] + 1
    return ".".join(labels).lower(), at + 1


class Upstream:
    """A resolver that others forward to, by UDP and TCP."""

    def __init__(self):
        self.port = larder.free_port()
        self.asked, self.lock = {}, threading.Lock()
        self.released = threading.Event()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.tcp = socket.create_server(("127.0.0.1", self.port))
        self.held, self.released = [], set()
        threading.Thread(target=self.serve_udp, daemon=True).start()
        threading.Thread(target=self.serve_tcp, daemon=True).start()

    def count(self, name):
        with self.lock:
            return self.asked.get(name, 0)

    def records(self, name, kind):
        """Of the answer section."""
        if kind != 1:
            return []
        if name.startswith("big."):
            return [(name, 1, 300, bytes([192, 0, 2, n])) for n in range(200)]
        if name.startswith("chain."):
            return [(name, 5, 300, pack_name("a.cdn.example")),
                    ("a.cdn.example", 1, 300, b"\xc0\0\2\7")]
        if name.startswith("origin."):
            return [(name, 1, 300, socket.inet_aton(ORIGIN))]
        if "private" in name or name.endswith("inside.example"):
            return [(name, 1, 300, bytes([10, 1, 2, 3]))]
        return [(name, 1, 300, bytes([192, 0, 2, 2]))]

    def answer(self, packet, udp):
        """None: no answer."""
        number, flags = struct.unpack(">HH", packet[:4])
        name, at = read_name(packet, 12)
        kind = struct.unpack(">H", packet[at : at + 2])[0]
        with self.lock:
            self.asked[name] = self.asked.get(name, 0) + 1
        if name.startswith("never."):
            return None
        rcode = 3 if name.startswith("no.") else 2 if name.startswith("fail.") else 0
        records = self.records(name, kind) if rcode == 0 else []
        truncated = 0x200 if udp and len(records) > 20 else 0
        records = [] if truncated else records
        head = struct.pack(">HHHHHH", number, 0x8180 | truncated | rcode, 1, len(records),
                           0 if records or truncated else 1, 0)
        body = packet[12 : at + 4]
        for owner, rtype, ttl, data in records:
            body += pack_name(owner) + struct.pack(">HHIH", rtype, 1, ttl, len(data)) + data
        if not records and not truncated:
            soa = pack_name("ns.example") + pack_name("h.example") + struct.pack(">5I", 1, 2, 3, 4, 60)
            body += pack_name("example") + struct.pack(">HHIH", 6, 1, 60, len(soa)) + soa
        return head + body

    def serve_udp(self):
        while True:
            packet, peer = self.udp.recvfrom(4096)
            name, _ = read_name(packet, 12)
            answer = self.answer(packet, True)
            if (name.startswith("slow.") or ".slow." in name) and name not in self.released:
                self.held.append((name, answer, peer))
            elif answer:
                if name.startswith("spoof."):
                    wrong = bytes([answer[0] ^ 1]) + answer[1:-4] + bytes([203, 0, 113, 66])
                    self.udp.sendto(wrong, peer)
                self.udp.sendto(answer, peer)

    def release(self):
        """What was held is answered, and what is asked of it again: the first may come too late for
        who has asked once more meanwhile."""
        while self.held:
            name, answer, peer = self.held.pop()
            self.released.add(name)
            self.udp.sendto(answer, peer)

    def serve_tcp(self):
        while True:
            conn, _ = self.tcp.accept()
            with conn:
                head = conn.recv(2, socket.MSG_WAITALL)
                if len(head) == 2:
                    packet = conn.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL)
                    answer = self.answer(packet, False)
                    conn.sendall(struct.pack(">H", len(answer)) + answer)


class Server:
    def __init__(self, build, folder, way, port=None, **options):
        self.build, self.dns, self.admin = build, port or larder.free_port(), larder.free_port()
        self.path = folder / f"dns-{self.dns}.yaml"
        self.options = {"way": way, "outstanding": 100, "per_client": 50, "timeout": "1min",
                        "extra": 1, **options}
        self.write()
        self.process = subprocess.Popen([build / "dnsredir/larder-dns", "--config", self.path])
        atexit.register(self.process.kill)  # a script that fails leaves nothing behind
        larder.await_port("127.0.0.1", self.dns, self.process)
        larder.await_port("127.0.0.1", self.admin, self.process)

    def write(self, **options):
        self.options.update(options)
        self.path.write_text(CONFIG.format(dns=self.dns, admin=self.admin, **self.options))

    def dig(self, *arguments, source="127.0.0.5"):
        command = ["dig", "-b", source, "@127.0.0.1", "-p", str(self.dns), "+tries=1", "+time=60",
                   *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout

    def short(self, *arguments, **options):
        return self.dig("+short", *arguments, **options).split()

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics") as page:
            for line in page.read().decode().splitlines():
                if line.startswith(f"larder_dns_{name} "):
                    return float(line.split()[1])
        return None

    def explain(self, *arguments):
        command = [self.build / "ctl/larderctl", "dns", "explain", *arguments, "--admin",
                   f"127.0.0.1:{self.admin}"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def close(self):
        self.process.terminate()
        expect("TERM ends it", self.process.wait(60) == 0)


def flags_of(text):
    for line in text.splitlines():
        if line.startswith(";; flags:"):
            return line.split(":")[1].split(";")[0].split()
    return []


def check_answers(server, upstream):
    text = server.dig("One.Example.ORG")
    expect("a name of others is resolved", "192.0.2.2" in text and "NOERROR" in text, text)
    expect("its case is kept", "One.Example.ORG." in text, text)
    expect("the header's bits", flags_of(text) == ["qr", "rd", "ra"], text)
    asked = upstream.count("one.example.org")  # more than once where the first answer was late
    expect("from the cache", server.short("one.example.org") == ["192.0.2.2"] and
           upstream.count("one.example.org") == asked, (asked, upstream.count("one.example.org")))
    ttl = until(lambda: int(server.dig("+noall", "+answer", "one.example.org").split()[1]),
                lambda ttl: ttl < 300)
    expect("its time to live counts down", 200 < ttl < 300, ttl)
    text = server.dig("www.example.org", source="127.1.0.5")
    expect("not for those who are not allowed", "REFUSED" in text and "EDE: 18" in text and
           "ra" not in flags_of(text), text)
    expect("who were not asked about", upstream.count("www.example.org") == 0)
    text = server.dig("+norecurse", "www.example.org")
    expect("nor without being asked to", "REFUSED" in text and "EDE: 20" in text, text)
    text = server.dig("no.example.org")
    expect("a name that does not exist", "NXDOMAIN" in text and "SOA" in text, text)
    text = server.dig("fail.example.org")
    expect("a failure", "SERVFAIL" in text and "EDE: 22" in text, text)
    expect("200 addresses come by TCP", len(server.short("big.example.org")) == 200)
    text = server.dig("+ignore", "big.example.org")
    expect("and not by UDP", "tc" in flags_of(text) and "ANSWER: 0" in text, text)
    expect("over TCP", server.short("+tcp", "one.example.org") == ["192.0.2.2"])
    expect("an answer with another number is none",
           server.short("spoof.example.org") == ["192.0.2.2"], server.short("spoof.example.org"))
    expect("private addresses are taken out", server.short("private.example.org") == [])
    expect("but where they belong", server.short("x.inside.example") == ["10.1.2.3"])
    text = server.dig("alias.ours.example")
    expect("our chain is followed", "one.example.org." in text and "192.0.2.2" in text and
           flags_of(text) == ["qr", "aa", "rd", "ra"], text)
    expect("our zones come first", server.short("extra.ours.example") == ["192.0.2.1"])
    expect("all of it is counted", server.metric("resolver_questions_total") >= 10)


def check_redirect(server, upstream):
    expect("a listed name is redirected", server.short("v.cdn.example") == ["127.0.0.1"])
    expect("nobody was asked", upstream.count("v.cdn.example") == 0)
    expect("the replica itself finds the origin",
           server.short("v.cdn.example", source="127.0.0.1") == ["192.0.2.2"])
    expect("what is not listed is resolved", server.short("cdn.example") == ["192.0.2.2"])
    chain = server.short("chain.example.org")
    expect("an alias of others stays what it is",
           chain[0] == "a.cdn.example." and chain[1].startswith("192.0.2."), chain)


class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"origin")

    def log_message(self, *_):
        pass


def check_proxy(build, folder, server):
    """A client is sent to a larder-proxy, whose own resolver is this larder-dns."""
    origin = http.server.ThreadingHTTPServer((ORIGIN, larder.free_port(ORIGIN)), Origin)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    proxy = larder.Proxy(build / "proxy/larder-proxy", folder / "store",
                         "--nameserver", f"127.0.0.1:{server.dns}")
    proxy.start()
    expect("the client is sent to the proxy", server.short("origin.cdn.example") == ["127.0.0.1"])
    status, body, _ = larder.Client(proxy.port).get(
        f"http://origin.cdn.example:{origin.server_port}/x")
    expect("which finds the origin past the redirection", (status, body) == (200, b"origin"),
           (status, body))
    expect("the proxy ends", proxy.stop())
    origin.shutdown()


def tcp_query(number, name):
    message = struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0) + pack_name(name)
    message += struct.pack(">HH", 1, 1)
    return struct.pack(">H", len(message)) + message


def tcp_answer(conn):
    head = conn.recv(2, socket.MSG_WAITALL)
    body = conn.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL)
    return struct.unpack(">H", body[:2])[0], body[3] & 15


def check_order(server, upstream):
    """RFC 7766 6.2.1.1: who is quick does not wait for who is slow."""
    with socket.create_connection(("127.0.0.1", server.dns), PATIENCE,
                                  source_address=("127.0.0.5", 0)) as conn:
        conn.sendall(tcp_query(1, "slow.example.org") + tcp_query(2, "one.example.org") +
                     tcp_query(3, "extra.ours.example"))
        expect("ours comes first", tcp_answer(conn) == (3, 0))
        expect("then what is known", tcp_answer(conn) == (2, 0))
        until(lambda: len(upstream.held), lambda n: n > 0)
        upstream.release()
        answer = tcp_answer(conn)
        expect("then what was waited for", answer == (1, 0), answer)


def check_half_close(server, upstream):
    """A client that has said all still listens."""
    with socket.create_connection(("127.0.0.1", server.dns), PATIENCE,
                                  source_address=("127.0.0.5", 0)) as conn:
        conn.sendall(tcp_query(4, "half.slow.example.org") + tcp_query(5, "extra.ours.example"))
        conn.shutdown(socket.SHUT_WR)
        expect("what is ready comes at once", tcp_answer(conn) == (5, 0))
        until(lambda: len(upstream.held), lambda n: n > 0)
        upstream.release()
        answer = tcp_answer(conn)
        expect("what is not, later", answer == (4, 0), answer)
        expect("and then the end", conn.recv(1) == b"")


def check_reload(server, upstream):
    asked = upstream.count("one.example.org")
    conn = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    conn.bind(("127.0.0.5", 0))
    conn.settimeout(PATIENCE)
    conn.connect(("127.0.0.1", server.dns))
    conn.send(tcp_query(7, "q.slow.example.org")[2:])
    until(lambda: len(upstream.held), lambda n: n > 0)
    server.write(extra=2, per_client=40)
    server.process.send_signal(1)
    expect("a reload", until(lambda: server.short("extra.ours.example"),
                             lambda got: got == ["192.0.2.2"]) == ["192.0.2.2"])
    expect("keeps the cache", server.short("one.example.org") == ["192.0.2.2"] and
           upstream.count("one.example.org") == asked)
    server.write(extra=3, outstanding=99)
    server.process.send_signal(1)
    until(lambda: server.short("extra.ours.example"), lambda got: got == ["192.0.2.3"])
    expect("with other settings resolves on", server.short("two.example.org") == ["192.0.2.2"])
    until(lambda: len(upstream.held), lambda n: n > 0)
    upstream.release()
    answer = conn.recv(4096)
    expect("and what was asked before is answered", struct.unpack(">H", answer[:2])[0] == 7 and
           answer[3] & 15 == 0, answer)


def forward(port):
    return f'forward: "127.0.0.1:{port}"'


def check_loop(build, folder):
    """Two that ask each other: nobody knows the name, and that is what clients are told."""
    ports = larder.free_port(), larder.free_port()
    servers = [Server(build, folder, forward(ports[1 - n]), ports[n], timeout="300ms")
               for n in range(2)]
    text = servers[0].dig("round.example.org")
    expect("a loop over two ends", "SERVFAIL" in text, text)
    expect("and both live on", [server.short("extra.ours.example") for server in servers] ==
           [["192.0.2.1"]] * 2)
    for server in servers:
        server.close()


AUTHORITY = """
listen: ["127.0.0.1:{dns}"]
zones:
  - name: signed.example
    nameservers: [ns.signed.example]
    dnssec: {{ key: key }}
    names: [{{ name: www, records: ["A 192.0.2.80"] }}]
  - name: plain.example
    nameservers: [ns.plain.example]
    names: [{{ name: www, records: ["A 192.0.2.81"] }}]
"""


def check_validation(build, folder):
    """Forwards to a server that signs one zone, and does not sign another one that is said to be."""
    program, port = build / "dnsredir/larder-dns", larder.free_port()
    subprocess.run([program, "--make-key", folder / "key"], check=True, stdout=subprocess.DEVNULL)
    (folder / "authority.yaml").write_text(AUTHORITY.format(dns=port))
    command = [program, "--config", folder / "authority.yaml"]
    anchor = subprocess.run([*command, "--ds"], check=True, capture_output=True, text=True).stdout
    (folder / "anchors").write_text(anchor + anchor.replace("signed.", "plain."))
    authority = subprocess.Popen(command)
    atexit.register(authority.kill)
    larder.await_port("127.0.0.1", port, authority)
    server = Server(build, folder, forward(port) + "\n  trust-anchor: anchors")
    text = server.dig("+noadflag", "www.signed.example")
    expect("who does not ask is not told", "192.0.2.80" in text and
           flags_of(text) == ["qr", "rd", "ra"], text)
    text = server.dig("+adflag", "www.signed.example")
    expect("what was validated says so", "RRSIG" not in text and
           flags_of(text) == ["qr", "rd", "ra", "ad"], text)
    text = server.dig("+dnssec", "+noadflag", "www.signed.example")
    expect("with its signature for who knows it", "RRSIG" in text and "ad" in flags_of(text), text)
    text = server.dig("no.signed.example")
    expect("even of what is not there", "NXDOMAIN" in text and "ad" in flags_of(text), text)
    text = server.dig("www.plain.example")
    expect("what should be signed is no answer", "SERVFAIL" in text and "EDE: 6" in text, text)
    text = server.dig("+cdflag", "www.plain.example")
    expect("but to who checks it himself", "192.0.2.81" in text and "cd" in flags_of(text) and
           "ad" not in flags_of(text), text)
    server.close()
    authority.terminate()
    expect("the other ends, too", authority.wait(60) == 0)


def check_root(build, folder):
    """From the root on, which here knows everything itself."""
    try:
        root = Root()
    except OSError as error:
        print(f"skipped: recursion from a root of our own: {error}")
        return
    (folder / "hints").write_text(f". 3600 NS a.root.\na.root. 3600 A {Root.ADDRESS}\n")
    server = Server(build, folder, "root-hints: hints\n  loopback: yes")
    text = server.dig("www.some.example")
    expect("recursion from the root", "192.0.2.53" in text and
           flags_of(text) == ["qr", "rd", "ra"], text)
    text = server.dig("no.some.example")
    expect("of a name that does not exist", "NXDOMAIN" in text, text)
    expect("which was asked", root.asked > 0)
    server.close()


class Root:
    """A root server at port 53 of an address of its own, for who may have that."""

    ADDRESS = "127.53.53.53"

    def __init__(self):
        self.asked = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.ADDRESS, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            packet, peer = self.socket.recvfrom(4096)
            self.asked += 1
            name, at = read_name(packet, 12)
            kind = struct.unpack(">H", packet[at : at + 2])[0]
            answer, authority, additional, rcode = b"", b"", b"", 0
            if (name, kind) == ("", 2):
                answer = b"\0" + struct.pack(">HHIH", 2, 1, 3600, 8) + pack_name("a.root")
                additional = pack_name("a.root") + struct.pack(">HHIH", 1, 1, 3600, 4)
                additional += socket.inet_aton(self.ADDRESS)
            elif (name, kind) == ("www.some.example", 1):
                answer = pack_name(name) + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([192, 0, 2, 53])
            else:
                rcode = 3 if name.startswith("no.") else 0
                soa = pack_name("a.root") + pack_name("h.root") + struct.pack(">5I", 1, 2, 3, 4, 60)
                authority = b"\0" + struct.pack(">HHIH", 6, 1, 60, len(soa)) + soa
            head = packet[:2] + struct.pack(">HHHHH", 0x8400 | rcode, 1, bool(answer),
                                            bool(authority), bool(additional))
            self.socket.sendto(head + packet[12 : at + 4] + answer + authority + additional, peer)


def check_floods(build, folder, upstream):
    # A slow machine, too, reads all that is sent at once before the first of it is given up.
    server = Server(build, folder, forward(upstream.port), outstanding=20, per_client=15, timeout="3s")
    peers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for n, peer in enumerate(peers):
        peer.bind((f"127.0.0.{6 + n}", 0))
        peer.settimeout(PATIENCE)
        peer.connect(("127.0.0.1", server.dns))
    codes = []
    for n in range(60):
        peers[0].send(tcp_query(n, f"never.{n}.example.org")[2:])
    while len(codes) < 60:
        codes.append(peers[0].recv(4096)[3] & 15)
    expect("whoever waits too long is told", codes == [2] * 60, codes)
    refused = until(lambda: server.metric("resolver_client_limited_total") +
                    server.metric("unresolved_total"), lambda count: count >= 45)
    expect("one client cannot have all", refused >= 45, refused)
    asked = until(lambda: sum(upstream.count(f"never.{n}.example.org") > 0 for n in range(60)),
                  lambda count: count > 0)
    expect("no more than its part was asked", 0 < asked <= 15, asked)
    peers[1].send(tcp_query(99, "three.example.org")[2:])
    answer = peers[1].recv(4096)
    expect("others are served meanwhile", answer[3] & 15 == 0, answer)
    for n in range(60):
        peers[1].send(tcp_query(n, f"never.{n + 100}.example.org")[2:])
    some = until(lambda: server.metric("resolver_open_questions"), lambda count: count > 0)
    codes = [peers[1].recv(4096)[3] & 15 for _ in range(60)]
    expect("nor can all have more than there is", codes == [2] * 60, codes)
    all_of_them = server.metric("resolver_open_questions")
    expect("as the limit says", 0 < some <= 20 and all_of_them <= 20, (some, all_of_them))
    expect("authoritative answers do not wait", server.short("extra.ours.example") == ["192.0.2.1"])
    server.close()


def check_turns(build, folder, upstream):
    """Names that nobody answers keep their client from nothing: neither once it was told so, nor
    while they wait."""
    for timeout, told in (("300ms", True), ("1min", False)):
        server = Server(build, folder, forward(upstream.port), outstanding=200, per_client=15,
                        timeout=timeout)
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        peer.bind(("127.0.0.6", 0))
        peer.settimeout(PATIENCE)
        peer.connect(("127.0.0.1", server.dns))
        for n in range(15):
            peer.send(tcp_query(n, f"never.{timeout}.{n}.example.org")[2:])
        if told:
            codes = [peer.recv(4096)[3] & 15 for _ in range(15)]
            expect("all are told", codes == [2] * 15, codes)
        else:
            until(lambda: server.metric("resolver_open_questions"), lambda count: count == 15)
        answer = until(lambda: server.dig("four.example.org", source="127.0.0.6"),
                       lambda text: "NOERROR" in text)
        expect(f"the client is served, with a timeout of {timeout}", "NOERROR" in answer, answer)
        if told:
            limited = server.metric("resolver_client_limited_total")
            expect("and was refused nothing", limited == 0, limited)
        else:
            expect("as one of the others gave way", server.metric("resolver_gave_way_total") > 0)
            expect("before its time", server.metric("resolver_timeouts_total") == 0)
        server.close()


def check_explain(server):
    text = server.explain("www.ours.example", "--client", "127.1.2.0/24")
    page = text.stdout
    for part in ["nearest.map, 127.1.0.0/16", "/16", "nyc", "given", "not needed",
                 "www.ours.example. 30 A 127.0.0.41", "ours.example.: the name", "scope 16"]:
        expect(f"explain says {part}", text.returncode == 0 and part in page, page + text.stderr)
    page = json.loads(server.explain("v.cdn.example", "--client", "127.0.0.9", "--json").stdout)
    expect("a redirected name", page["redirected"] and
           page["answer"]["records"][0]["data"] == "127.0.0.1", page)
    expect("why a replica is not a candidate",
           [row["why"] for row in page["candidates"] if row["replica"] == "sin"] ==
           ["it has no address of this family"], page)
    page = json.loads(server.explain("v.cdn.example", "--client", "127.0.0.9", "--type", "AAAA",
                                     "--json").stdout)
    expect("only a draining one has the family", page["level"] == "only draining ones are up" and
           page["candidates"][0]["verdict"] == "given", page)
    page = server.explain("v.cdn.example", "--client", "127.0.0.1").stdout
    expect("the replica itself", "what the resolver finds" in page, page)
    urllib.request.urlopen(urllib.request.Request(
        f"http://127.0.0.1:{server.admin}/drain?replica=nyc", method="POST"))
    page = server.explain("www.ours.example", "--client", "127.1.2.0/24").stdout
    expect("who was passed over, and why", "passed over: draining: drained by larderctl" in page and
           "127.0.0.1" in page, page)
    expect("it is what dig gets", server.short("+subnet=127.1.2.0/24", "www.ours.example") ==
           ["127.0.0.1"])
    bad = server.explain("www..example")
    expect("a name that is none", bad.returncode == 2 and "domain name" in bad.stderr, bad.stderr)


def main():
    build = pathlib.Path(sys.argv[1])
    larder.need(build / "dnsredir/larder-dns")
    if not shutil.which("dig"):
        print("skipped: dig is missing (bind9-dnsutils)")
        sys.exit(77)
    upstream = Upstream()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        server = Server(build, folder, forward(upstream.port))
        check_answers(server, upstream)
        check_redirect(server, upstream)
        check_proxy(build, folder, server)
        check_order(server, upstream)
        check_half_close(server, upstream)
        check_reload(server, upstream)
        check_explain(server)
        expect("latency is counted", server.metric("answer_seconds_count") > 0)
        server.close()
        check_floods(build, folder, upstream)
        check_turns(build, folder, upstream)
        check_loop(build, folder)
        check_validation(build, folder)
        check_root(build, folder)
    sys.exit(1 if failures else 0)


main()
