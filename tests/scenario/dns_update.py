#!/usr/bin/env python3
"""Dynamic update of larder-dns with nsupdate, dig and bare packets: dns_update.py BUILD

What an update sets is answered, and outlives SIGKILL; prerequisites; who may what; signatures that are
bad, late, cut or played back; drains by hand.
"""
import base64
import json
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import tsig  # noqa: E402
from tsig import ANY, NONE, add, record, update, with_cookie  # noqa: E402

SECRETS = {name: bytes([number]) * 32 for number, name in enumerate(
    ["fra-key", "ops-key", "late-key", "replay-key", "crash-key", "wide-key"], 1)}
KEYS = {name: tsig.Key(name, secret) for name, secret in SECRETS.items()}
KEYS["wide-key"] = tsig.Key("wide-key", SECRETS["wide-key"], "sha512")
COOKIE_SECRET = "e5e973e5a6b2a43f48e7dc849e37bfcf"

CONFIG = """
listen: ["127.0.0.1:{dns}"]
admin: {{ address: "127.0.0.1:{admin}" }}
state: state
log: {{ queries: queries.json }}
cookies: {{ secrets: """ + COOKIE_SECRET + """ }}
keys:
  - {{ name: fra-key, secret-file: fra.key }}
{keys}
replicas:
  - {{ name: fra, target: fra.at.ex.test }}
  - {{ name: nyc, target: nyc.at.ex.test }}
zones:
  - name: ex.test
    nameservers: [ns.ex.test]
    soa: {{ serial: 100, minimum: 0s }}
    names:
      - {{ name: ns, records: ["A 192.0.2.53"] }}
      - {{ name: www, policy: failover, replicas: [fra, nyc], ttl: 0s }}
      - {{ name: fra.at, update: {{ keys: [fra-key, ops-key], max-ttl: 5min }} }}
      - {{ name: nyc.at, update: {{ keys: ops-key }} }}
      - {{ name: "*.dyn", update: {{ keys: [ops-key, wide-key, late-key, replay-key, crash-key],
           types: [A, AAAA, CNAME, TXT] }} }}
"""
failures = []


def expect(what, good, seen=""):
    print("ok:" if good else "FAILED:", what, "" if good else seen, flush=True)
    if not good:
        failures.append(what)


class Server:
    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.dns, self.admin = larder.free_port(), larder.free_port()
        self.config = folder / "dns.yaml"
        keys = "\n".join(f"  - {{ name: {name}, secret: {base64.b64encode(secret).decode()}, "
                         f"algorithm: hmac-{KEYS[name].digest} }}"
                         for name, secret in SECRETS.items() if name != "fra-key")
        self.config.write_text(CONFIG.format(dns=self.dns, admin=self.admin, keys=keys))
        for file, name in (("fra", "fra-key"), ("ops", "ops-key")):
            secret = base64.b64encode(SECRETS[name]).decode()
            (folder / f"{file}.key").write_text(
                f'key "{name}" {{\n\talgorithm hmac-sha256;\n\tsecret "{secret}";\n}};\n')
            (folder / f"{file}.key").chmod(0o600)
        self.start()

    def start(self):
        self.process = subprocess.Popen([self.build / "dnsredir/larder-dns", "--config", self.config])
        larder.await_port("127.0.0.1", self.dns, self.process)
        larder.await_port("127.0.0.1", self.admin, self.process)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)

    def stop(self):
        self.process.terminate()
        expect("TERM ends it", self.process.wait(60) == 0)

    def dig(self, *arguments):
        command = ["dig", "@127.0.0.1", "-p", str(self.dns), "+tries=3", "+time=20", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout

    def short(self, *arguments):
        return self.dig("+short", *arguments).split()

    def serial(self):
        return int(self.short("ex.test", "SOA")[2])

    def nsupdate(self, script, *options):
        """What nsupdate prints: nothing when all went well."""
        text = f"server 127.0.0.1 {self.dns}\nzone ex.test\n{script}\nsend\n"
        command = ["nsupdate", "-t", "60", *options]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)
        return done.stdout + done.stderr

    def page(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}") as page:
            return page.read().decode()

    def metric(self, name):
        for line in self.page("/metrics").splitlines():
            if line.startswith(f"larder_dns_{name} "):
                return int(line.split()[1])
        return None

    def ctl(self, *arguments):
        command = [self.build / "ctl/larderctl", *arguments, "--admin", f"127.0.0.1:{self.admin}"]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    def ask(self, packet, key=None):
        return tsig.ask_udp(self.dns, packet, key)


def by_nsupdate(server):
    fra = ["-k", server.folder / "fra.key"]
    ops = ["-k", server.folder / "ops.key"]
    before = server.serial()
    said = server.nsupdate("prereq nxdomain fra.at.ex.test\nupdate add fra.at.ex.test 60 A 192.0.2.1", *fra)
    expect("a replica binds its address", said == "", said)
    expect("which is answered", server.short("fra.at.ex.test") == ["192.0.2.1"])
    expect("under the names that steer to it", "192.0.2.1" in server.short("www.ex.test"))
    expect("the serial has gone on", server.serial() == before + 1, server.serial())
    said = server.nsupdate("prereq nxdomain fra.at.ex.test\nupdate add fra.at.ex.test 60 A 192.0.2.2", *fra)
    expect("not twice", "YXDOMAIN" in said, said)
    expect("and nothing changes", server.short("fra.at.ex.test") == ["192.0.2.1"])
    said = server.nsupdate("prereq yxrrset fra.at.ex.test AAAA\nupdate delete fra.at.ex.test", *fra)
    expect("a set that is not there", "NXRRSET" in said, said)
    said = server.nsupdate("update delete fra.at.ex.test A\nupdate add fra.at.ex.test 9 A 192.0.2.3\n"
                           "update add fra.at.ex.test 9 AAAA 2001:db8::3", "-v", *fra)
    expect("another address, by TCP", said == "", said)
    expect("IPv4", server.short("fra.at.ex.test") == ["192.0.2.3"])
    expect("IPv6", server.short("fra.at.ex.test", "AAAA") == ["2001:db8::3"])
    said = server.nsupdate("update add nyc.at.ex.test 60 A 192.0.2.4", *fra)
    expect("another's name is refused", "REFUSED" in said, said)
    said = server.nsupdate("update add ns.ex.test 60 A 192.0.2.4", *ops)
    expect("and one that is not open", "REFUSED" in said, said)
    said = server.nsupdate("update add fra.at.ex.test 60 A 192.0.2.4")
    expect("nobody may without a signature", "REFUSED" in said, said)
    said = server.nsupdate("update add fra.at.ex.test 60 TXT x", *ops)
    expect("a type that is not open", "REFUSED" in said, said)
    said = server.nsupdate("update add example.org 60 A 192.0.2.4", *ops)
    expect("a name outside the zone", "NOTZONE" in said, said)
    wrong = base64.b64encode(b"x" * 32).decode()
    said = server.nsupdate("update add fra.at.ex.test 60 A 192.0.2.4", "-y", f"hmac-sha256:fra-key:{wrong}")
    expect("another secret", "BADSIG" in said, said)
    said = server.nsupdate("update add fra.at.ex.test 60 A 192.0.2.4", "-y", f"hmac-sha256:no-key:{wrong}")
    expect("another key", "BADKEY" in said, said)
    wide = base64.b64encode(SECRETS["wide-key"]).decode()
    said = server.nsupdate("update add a.dyn.ex.test 60 TXT \"hello there\"", "-y", f"hmac-sha512:wide-key:{wide}")
    expect("by SHA-512, below a wildcard", said == "", said)
    expect("a text", "hello there" in server.dig("+short", "a.dyn.ex.test", "TXT"))
    said = server.nsupdate("update delete fra.at.ex.test AAAA", *fra)
    expect("an address is withdrawn", said == "" and server.short("fra.at.ex.test", "AAAA") == [], said)


def by_dig(server):
    secret = base64.b64encode(SECRETS["fra-key"]).decode()
    seen = server.dig("-y", f"hmac-sha256:fra-key:{secret}", "ns.ex.test")
    expect("a signed query is answered signed",
           "TSIG PSEUDOSECTION" in seen and "verif" not in seen and "192.0.2.53" in seen, seen)
    seen = server.dig("+tcp", "-y", f"hmac-sha256:fra-key:{secret}", "ns.ex.test")
    expect("by TCP, too", "TSIG PSEUDOSECTION" in seen and "verif" not in seen, seen)
    wrong = base64.b64encode(b"x" * 32).decode()
    seen = server.dig("-y", f"hmac-sha256:fra-key:{wrong}", "ns.ex.test")
    expect("another secret is not", "NOTAUTH" in seen and "192.0.2.53" not in seen, seen)


def by_packets(server):
    ops = KEYS["ops-key"]
    good = add("p.dyn.ex.test", "192.0.2.9")
    rows = [
        ("nothing to change", ops.sign(update("ex.test", [])), "NOERROR (good)"),
        ("an address", ops.sign(update("ex.test", [good])), "NOERROR (good)"),
        ("a MAC cut to half", ops.sign(update("ex.test", [good]), keep=16), "NOERROR (good)"),
        ("cut further", ops.sign(update("ex.test", [good]), keep=15), "FORMERR (none)"),
        ("a MAC that is wrong", ops.sign(update("ex.test", [good]), spoil=True),
         "NOTAUTH BADSIG (unsigned)"),
        ("no signature", update("ex.test", [good]), "REFUSED (none)"),
        ("two signatures", ops.sign(ops.sign(update("ex.test", [good]))), "FORMERR (none)"),
        ("another zone", ops.sign(update("example.org", [])), "NOTAUTH (good)"),
        ("a name as zone", ops.sign(update("p.dyn.ex.test", [])), "NOTAUTH (good)"),
        ("outside the zone", ops.sign(update("ex.test", [add("example.org", "192.0.2.9")])),
         "NOTZONE (good)"),
        ("a name in use", ops.sign(update("ex.test", [], [record("p.dyn.ex.test", "ANY", NONE)])),
         "YXDOMAIN (good)"),
        ("a name not in use", ops.sign(update("ex.test", [], [record("q.dyn.ex.test", "ANY", ANY)])),
         "NXDOMAIN (good)"),
        ("a set in use", ops.sign(update("ex.test", [], [record("p.dyn.ex.test", "A", NONE)])),
         "YXRRSET (good)"),
        ("a set not in use", ops.sign(update("ex.test", [], [record("p.dyn.ex.test", "TXT", ANY)])),
         "NXRRSET (good)"),
        ("a prerequisite with a ttl",
         ops.sign(update("ex.test", [], [record("p.dyn.ex.test", "A", ANY, 1)])), "FORMERR (good)"),
        ("an address of three bytes",
         ops.sign(update("ex.test", [record("p.dyn.ex.test", "A", 1, 60, b"abc")])),
         "FORMERR (good)"),
    ]
    for what, packet, want in rows:
        reply = server.ask(packet, ops)
        expect(f"{what}: {want}", str(reply) == want, reply)
        reply = tsig.ask_tcp(server.dns, [packet], [ops])[0]
        expect(f"{what}, by TCP: {want}", str(reply) == want, reply)
    stranger = tsig.Key("stranger", b"s" * 32)
    reply = server.ask(stranger.sign(update("ex.test", [good])), stranger)
    expect("a stranger", str(reply) == "NOTAUTH BADKEY (unsigned)", reply)
    for what, packet, key in (
            ("an update", ops.sign(with_cookie(update("ex.test", []), b"clientck")), ops),
            ("and what is refused", with_cookie(update("ex.test", [good]), b"clientck"), None)):
        reply = server.ask(packet, key)
        expect(f"{what} has a cookie in its answer (RFC 7873 5.2)",
               struct.pack(">HH", 10, 24) + b"clientck\1" in reply.packet, reply.packet)
    cut = ops.sign(update("ex.test", [good]))
    for length in range(12, len(cut), 7):
        reply = server.ask(cut[:length], ops)
        expect(f"the first {length} bytes", reply.rcode == "FORMERR", reply)


def pipelined(server):
    """What stands behind an update on its connection sees it."""
    ops, packets, keys = KEYS["ops-key"], [], []
    for number in range(10):
        change = [record("s.dyn.ex.test", "A", ANY), add("s.dyn.ex.test", f"192.0.2.{number}")]
        packets += [ops.sign(update("ex.test", change)), tsig.query("s.dyn.ex.test")]
        keys += [ops, None]
    replies = tsig.ask_tcp(server.dns, packets, keys)
    expect("all are answered in order",
           all(str(r) == "NOERROR (good)" for r in replies[::2]) and
           all(r.packet.endswith(bytes([192, 0, 2, n])) for n, r in enumerate(replies[1::2])),
           [str(r) for r in replies])


def times(server):
    late, now = KEYS["late-key"], int(time.time())
    packet = update("ex.test", [add("l.dyn.ex.test", "192.0.2.9")])
    reply = server.ask(late.sign(packet, now - 4000), late)
    expect("a clock that is slow", str(reply) == "NOTAUTH BADTIME (good)", reply)
    reply = server.ask(late.sign(packet, now + 4000), late)
    expect("a clock that is fast", str(reply) == "NOTAUTH BADTIME (good)", reply)
    reply = server.ask(late.sign(packet, now - 4000, fudge=65535), late)
    expect("no fudge is that large", str(reply) == "NOTAUTH BADTIME (good)", reply)
    reply = server.ask(late.sign(packet, now - 100), late)
    expect("a little late", str(reply) == "NOERROR (good)", reply)
    reply = server.ask(late.sign(packet, now - 101), late)
    expect("older than one that was taken", str(reply) == "NOTAUTH BADTIME (good)", reply)
    reply = server.ask(late.sign(tsig.query("l.dyn.ex.test"), now - 150), late)
    expect("which does not matter for queries", str(reply) == "NOERROR (good)", reply)


def replays(server):
    """A message that somebody has kept does nothing, be it of the same second, nor after a crash."""
    key, when = KEYS["replay-key"], int(time.time()) - 100
    bind = key.sign(update("ex.test", [add("r.dyn.ex.test", "192.0.2.9")]), when)
    withdraw = key.sign(update("ex.test", [record("r.dyn.ex.test", "ANY", ANY)]), when)
    later = key.sign(update("ex.test", [record("r.dyn.ex.test", "ANY", ANY)]), when + 1)
    expect("set", str(server.ask(bind, key)) == "NOERROR (good)")
    expect("withdrawn", str(server.ask(withdraw, key)) == "NOERROR (good)")
    serial = server.serial()
    expect("a repetition is answered as before", str(server.ask(bind, key)) == "NOERROR (good)")
    expect("and does nothing", server.short("r.dyn.ex.test") == [] and server.serial() == serial)
    server.kill()
    server.start()
    expect("nor after a crash", str(server.ask(bind, key)) == "NOERROR (good)")
    expect("still nothing", server.short("r.dyn.ex.test") == [] and server.serial() == serial)
    expect("a second later", str(server.ask(later, key)) == "NOERROR (good)")
    reply = server.ask(bind, key)
    expect("it is too old", str(reply) == "NOTAUTH BADTIME (good)", reply)
    expect("and nothing is set", server.short("r.dyn.ex.test") == [])


def crashes(server):
    """What was answered NOERROR is there after SIGKILL, at whatever moment."""
    key = KEYS["crash-key"]
    for crash in range(4):
        last = None
        for number in range(1 + crash):
            change = [record("k.dyn.ex.test", "A", ANY), add("k.dyn.ex.test", f"10.{crash}.0.{number}")]
            reply = server.ask(key.sign(update("ex.test", change)), key)
            expect(f"crash {crash}, update {number}", str(reply) == "NOERROR (good)", reply)
            last = f"10.{crash}.0.{number}"
        serial = server.serial()
        server.kill()
        server.start()
        seen = server.short("k.dyn.ex.test")
        expect(f"crash {crash}: all that was answered is there", seen == [last], seen)
        expect(f"crash {crash}: and the serial", server.serial() == serial, server.serial())


def last_moments(server):
    """What is committed while it is told to stop is answered: nobody is left in doubt."""
    wide, socks = KEYS["wide-key"], []
    for number in range(40):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(("127.0.0.1", server.dns))
        sock.send(wide.sign(update("ex.test", [add(f"m{number}.dyn.ex.test", "192.0.2.7")])))
        socks.append(sock)
    server.stop()
    answered = []
    for number, sock in enumerate(socks):
        with sock:
            sock.setblocking(False)
            try:
                answered += [number] if sock.recv(4096)[3] & 15 == 0 else []
            except (BlockingIOError, ConnectionRefusedError):
                pass
    server.start()
    dynamic = {row["name"] for row in json.loads(server.page("/status"))["dynamic"]}
    kept = [number for number in range(40) if f"m{number}.dyn.ex.test." in dynamic]
    expect("what was committed at the end was answered", kept == answered, (kept, answered))


def drains(server):
    said = server.nsupdate("update add nyc.at.ex.test 60 A 192.0.2.4", "-k", server.folder / "ops.key")
    expect("another replica binds", said == "", said)
    expect("both are there", server.short("www.ex.test") == ["fra.at.ex.test.", "192.0.2.3"])
    expect("a drain by hand", server.ctl("drain", "fra").returncode == 0)
    expect("is at work", server.short("www.ex.test")[0] == "nyc.at.ex.test.")
    server.kill()
    server.start()
    expect("after a crash, too", server.short("www.ex.test")[0] == "nyc.at.ex.test.")
    expect("and is shown", "drained by larderctl" in server.ctl("dns").stdout, server.ctl("dns").stdout)
    expect("until undrain", server.ctl("undrain", "fra").returncode == 0)
    last_moments(server)
    expect("after a restart, too", server.short("www.ex.test")[0] == "fra.at.ex.test.")
    said = server.nsupdate("update delete fra.at.ex.test", "-k", server.folder / "fra.key")
    expect("who withdraws its address", said == "", said)
    expect("gets no clients", server.short("www.ex.test") == ["nyc.at.ex.test.", "192.0.2.4"])
    expect("which is shown", "its target has no address" in server.ctl("dns").stdout)


def shown(server):
    seen = server.ctl("dns").stdout
    expect("larderctl dns shows what is set", "fra.at.ex.test." in seen and "A 192.0.2.3" in seen, seen)
    status = json.loads(server.page("/status"))
    rows = {row["name"]: row["records"] for row in status["dynamic"]}
    expect("/status has it", rows["fra.at.ex.test."] == ["9 A 192.0.2.3"], rows)
    expect("metrics", server.metric("dynamic_names") == len(rows) and server.metric("updates_made_total") > 0)
    text = subprocess.run([server.build / "dnsredir/larder-dns", "--config", server.config,
                           "--print-config"], capture_output=True, text=True, timeout=60).stdout
    secrets = [base64.b64encode(s).decode() for s in SECRETS.values()] + [COOKIE_SECRET]
    expect("--print-config has no secret", "fra-key" in text and not any(s in text for s in secrets))
    other = subprocess.run([server.build / "dnsredir/larder-dns", "--config", server.config],
                           capture_output=True, text=True, timeout=60)
    expect("one process has the state", other.returncode == 1 and "state_failed" in other.stderr,
           other.stderr)


def reloads(server):
    """A reload keeps what is set, and what it no longer opens is not answered."""
    text = server.config.read_text()
    server.config.write_text(text.replace("- { name: fra.at, update", "- { name: fra2.at, update"))
    server.process.send_signal(signal.SIGHUP)
    while server.short("fra.at.ex.test"):
        time.sleep(0.02)
    server.config.write_text(text)
    server.process.send_signal(signal.SIGHUP)
    while server.short("fra.at.ex.test") != ["192.0.2.3"]:
        time.sleep(0.02)
    expect("what is set comes back with its name", True)


def main():
    build = pathlib.Path(sys.argv[1])
    if not shutil.which("nsupdate"):
        print("nsupdate is missing (bind9-dnsutils)")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(build, pathlib.Path(folder))
        try:
            by_nsupdate(server)
            by_dig(server)
            by_packets(server)
            pipelined(server)
            times(server)
            shown(server)
            reloads(server)
            replays(server)
            crashes(server)
            drains(server)
            server.stop()
            logged = (server.folder / "queries.json").read_text()
            expect("the query log tells them", '"opcode":"UPDATE","tsig":"good"' in logged)
        finally:
            server.process.kill()
    sys.exit(1 if failures else 0)


main()
