#!/usr/bin/env python3
"""Signed zones of larder-dns, validated by delv from a trust anchor: dns_dnssec.py BUILD

Positive answers, wildcards, chains, steered answers by client subnet and by health, what does not
exist, signed and unsigned zones inside one another; keys that are rolled over by a reload; and
signatures that are made anew while the server runs.
"""
import concurrent.futures
import pathlib
import shutil
import signal
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

PATIENCE = 60  # seconds, for a machine that does much else
BUILD = pathlib.Path(sys.argv[1])
DNS = str(BUILD / "dnsredir/larder-dns")
failures = 0


def expect(what, good, got=""):
    global failures
    print(f"ok: {what}" if good else f"FAIL: {what}: got {got!r}", flush=True)
    failures += not good


def until(what, probe):
    end = time.monotonic() + PATIENCE
    while True:
        got, good = probe()
        if good or time.monotonic() > end:
            expect(what, good, got)
            return
        time.sleep(0.05)


class Relay:
    """A resolver's place between delv and the server: adds a client subnet to each query."""

    def __init__(self, server):
        self.server, self.subnet = server, bytes([10, 2, 0])
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def with_subnet(self, query):
        """Behind the options of OPT, which is the last record: it has the root for a name."""
        option = struct.pack(">HHHBB", 8, 7, 1, 24, 0) + self.subnet
        at = 12
        while query[at]:
            at += 1 + query[at]
        at += 1 + 4 + 9  # the question; of OPT all before the length
        length = int.from_bytes(query[at:at + 2], "big")
        if query[at - 8:at - 6] != b"\x00\x29" or at + 2 + length != len(query):
            raise SystemExit(f"not the query that was expected: {query.hex()}")
        return query[:at] + struct.pack(">H", length + len(option)) + query[at + 2:] + option

    def run(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                out.settimeout(PATIENCE)
                out.sendto(self.with_subnet(query), ("127.0.0.1", self.server))
                self.socket.sendto(out.recv(4096), peer)


class World:
    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="larder-dnssec-"))
        self.port, self.admin = larder.free_port(), larder.free_port()
        for key in ("one", "two", "inner"):
            subprocess.run([DNS, "--make-key", str(self.dir / key)], check=True,
                           stdout=subprocess.DEVNULL)
        self.keys, self.extra, self.validity = "one", "", "14d"
        self.write()
        self.log = open(self.dir / "log", "wb")
        self.process = subprocess.Popen([DNS, "--config", str(self.dir / "dns.yaml")],
                                        stderr=self.log)
        larder.await_port("127.0.0.1", self.admin, self.process)
        self.relay = Relay(self.port)
        self.trust("one")

    def write(self):
        (self.dir / "dns.yaml").write_text(f"""
listen: ["127.0.0.1:{self.port}"]
admin: {{ address: "127.0.0.1:{self.admin}" }}
replicas:
  - {{ name: fra, addresses: [192.0.2.1] }}
  - {{ name: nyc, addresses: [192.0.2.2] }}
nearest: {{ map: [{{ prefix: 127.0.0.0/8, replica: fra }},
                  {{ prefix: 10.2.0.0/16, replica: [nyc, fra] }}] }}
zones:
  - name: inner.ex
    nameservers: [ns.ex]
    dnssec: {{ key: inner }}
    names: [{{ name: www, policy: nearest }}]
  - name: plain.ex
    nameservers: [ns.ex]
    names: [{{ name: www, records: ["A 192.0.2.9"] }}]
  - name: ex
    nameservers: [ns.ex]
    dnssec: {{ key: [{self.keys}], validity: {self.validity}, cds: yes }}
    names:
      - {{ name: ns, records: ["A 127.0.0.1"] }}
      - {{ name: www, policy: nearest, ttl: 30s }}
      - {{ name: both, policy: static, answers: 2, ttl: 30s }}
      - {{ name: "*.wild", policy: nearest }}
      - {{ name: alias, records: ["CNAME a.wild"] }}
      - {{ name: mail, records: ["MX 10 mx", "MX 20 a.mx", "TXT \\"some text\\""] }}
      - {{ name: cut, records: ["NS ns.cut"] }}
      - {{ name: ns.cut, records: ["A 192.0.2.53"] }}
      {self.extra}
""")

    def run(self, *options):
        done = subprocess.run([DNS, "--config", str(self.dir / "dns.yaml"), *options],
                              capture_output=True, text=True)
        return done.stdout + done.stderr

    def trust(self, key):
        """The anchor is the DS record that larder-dns prints for one key."""
        keys, self.keys = self.keys, key
        self.write()
        line = next(text for text in self.run("--ds").splitlines() if text.startswith("ex. "))
        self.keys = keys
        self.write()
        tag, algorithm, kind, digest = line.split()[3:]
        (self.dir / "anchor").write_text(
            f'trust-anchors {{ ex. static-ds {tag} {algorithm} {kind} "{digest}"; }};\n')

    def delv(self, name, kind="A", port=None):
        done = subprocess.run(
            ["delv", "@127.0.0.1", "-p", str(port or self.port), "-a", str(self.dir / "anchor"),
             "+root=ex", "-4", name, kind], capture_output=True, text=True, timeout=PATIENCE)
        return done.stdout + done.stderr

    def delv_all(self, cases):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda case: self.delv(*case[:2]), cases))

    def dig(self, *words):
        return subprocess.run(
            ["dig", "@127.0.0.1", "-p", str(self.port), "+norecurse", "+tries=5", "+time=5",
             *words], capture_output=True, text=True, check=True).stdout

    def drain(self, replica):
        """What probes would find out in their time: it is not given any more, at once."""
        url = f"http://127.0.0.1:{self.admin}/drain?replica={replica}"
        urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=PATIENCE).close()

    def reload(self):
        self.write()
        self.process.send_signal(signal.SIGHUP)

    def end(self):
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        log = (self.dir / "log").read_text(errors="replace")
        shutil.rmtree(self.dir)
        return status, log


def positive(w):
    cases = (("www.ex", "A", "192.0.2.1"), ("mail.ex", "MX", "20 a.mx.ex."),
             ("ex", "SOA", "hostmaster.ex."), ("ex", "CDS", " 13 2 "),
             ("b.a.wild.ex", "A", "192.0.2.1"), ("alias.ex", "A", "a.wild.ex."),
             ("www.inner.ex", "A", "192.0.2.1"), ("inner.ex", "DS", " 13 2 "))
    for (name, kind, want), got in zip(cases, w.delv_all(cases)):
        expect(f"{name} {kind}", "; fully validated" in got and want in got, got)
    got = w.delv("both.ex")
    expect("both.ex", "; fully validated" in got and "192.0.2.1" in got and "192.0.2.2" in got, got)


def negative(w):
    cases = (("a.b.nothing.ex", "A", "ncache nxdomain"),
             ("x.mail.ex", "A", "ncache nxdomain"),
             ("www.ex", "MX", "ncache nxrrset"), ("wild.ex", "A", "ncache nxrrset"),
             ("x.wild.ex", "MX", "ncache nxrrset"), ("cut.ex", "DS", "ncache nxrrset"))
    for (name, kind, want), got in zip(cases, w.delv_all(cases)):
        expect(f"{name} {kind}: {want}",
               "; negative response, fully validated" in got and want in got, got)
    got = w.delv("www.plain.ex")
    expect("a zone that is known to be unsigned", "; unsigned answer" in got and "192.0.2.9" in got,
           got)


def bits(w):
    got = w.dig("+dnssec", "+qr", "+cdflag", "www.ex")
    flags = got.split(";; flags: ")[-1].split(";")[0].split()
    expect("neither AD nor CD", flags == ["qr", "aa"], flags)
    expect("DO is echoed", "flags: do;" in got.split("ANSWER SECTION")[0].split("EDNS")[-1], got)
    expect("no signatures without DO", "RRSIG" not in w.dig("www.ex"))
    got = w.dig("+dnssec", "x.cut.ex")
    expect("a referral tells that nothing is signed there",
           "cut.ex.\t\t\t60\tIN\tNSEC\t\\000.cut.ex. NS RRSIG NSEC" in got and
           "flags: qr;" in got and "ns.cut.ex." in got, got)
    got = w.dig("+dnssec", "+bufsize=512", "+ignore", "x.mail.ex")
    expect("what does not fit is truncated", " tc" in got, got)
    got = w.dig("+dnssec", "+bufsize=512", "x.mail.ex")
    kinds = [words[3] for words in map(str.split, got.splitlines())
             if len(words) > 4 and words[0][0] != ";"]
    expect("and comes by TCP", kinds.count("RRSIG") == 3, got)


def steered(w):
    got = w.delv("www.ex", port=w.relay.port)
    expect("by client subnet", "; fully validated" in got and "192.0.2.2" in got, got)
    expect("with its scope", "CLIENT-SUBNET: 10.2.0.0/24/16" in
           w.dig("+dnssec", "+subnet=10.2.0.0/24", "www.ex"))
    w.drain("fra")
    got = w.delv("www.ex")
    expect("after a failover", "; fully validated" in got and "192.0.2.2" in got, got)
    got = w.delv("x.wild.ex")
    expect("a wildcard after a failover", "; fully validated" in got and "192.0.2.2" in got, got)
    got = w.delv("both.ex")
    expect("one of two after a failover", "; fully validated" in got and "192.0.2.1" not in got,
           got)


def rollover(w):
    """The second key is published, then trusted, then signs; then the first one goes."""
    w.keys, w.extra = "one, two", '- { name: added, records: ["TXT added"] }'
    w.reload()

    def published():
        got = w.dig("+short", "ex", "DNSKEY")
        return got, got.count("257 3 13") == 2
    until("a second key is published", published)
    got = w.delv("added.ex", "TXT")
    expect("what a reload added", "; fully validated" in got and "added" in got, got)
    expect("both are told to the parent", w.run("--ds").count("\nex. IN DS ") +
           w.run("--ds").startswith("ex. IN DS ") == 2, w.run("--ds"))
    w.trust("two")
    got = w.delv("www.ex")
    expect("by the second key, which does not sign yet", "; fully validated" in got, got)

    def tag():
        return w.dig("+dnssec", "ns.ex").split("RRSIG")[1].split()[6]

    before = tag()
    w.keys = "two, one"
    w.reload()
    until("the second key signs", lambda: (before, tag() != before))
    w.keys = "two"
    w.reload()

    def gone():
        got = w.dig("+short", "ex", "DNSKEY")
        return got, got.count("257 3 13") == 1
    until("the first key goes", gone)
    for name, kind in (("www.ex", "A"), ("nothing.ex", "A")):
        got = w.delv(name, kind)
        expect(f"{name} by the second key", "fully validated" in got, got)


def renewal(w):
    """Signatures that are good for seconds are made anew while the server runs."""
    def expiry():
        return w.dig("+dnssec", "mail.ex", "MX").split("RRSIG")[1].split()[4]

    old = expiry()
    w.validity = "10s"
    w.reload()
    until("a reload signs anew", lambda: (old, expiry() != old))
    short = expiry()
    until("and so does time", lambda: (short, expiry() != short))

    def good():
        got = w.delv("mail.ex", "MX")
        return got, "; fully validated" in got
    until("they are good", good)


def files(w):
    (w.dir / "one").chmod(0o644)
    w.keys = "one"
    w.write()
    got = w.run("--check")
    expect("a key that others can read is refused", "others can get at the key (mode 0644)" in got,
           got)
    done = subprocess.run([DNS, "--make-key", str(w.dir / "two")], capture_output=True, text=True)
    expect("a key is never overwritten", done.returncode == 1 and "File exists" in done.stderr,
           done.stderr)


def main():
    if not shutil.which("delv") or not shutil.which("dig"):
        print("skipped: bind9-dnsutils is not there")
        sys.exit(77)
    w = World()
    for part in (positive, negative, bits, steered, rollover, renewal, files):
        part(w)
    status, log = w.end()
    expect("it ends well", status == 0, status)
    expect("no key is in the log", "PRIVATE" not in log, log)
    if failures:
        print(log)
    sys.exit(1 if failures else 0)


main()
