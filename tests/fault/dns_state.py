#!/usr/bin/env python3
"""What may happen to the state of larder-dns: dns_state.py BUILD

Bits that flip, a file that lost its end before the start or while it is in use, a disk that is full
or fails. larder-dns goes on answering, says what it knows and no more, refuses updates, and takes
them again once the disk is right.
"""
import base64
import errno
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import layer

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import tsig  # noqa: E402
from tsig import add, record, update  # noqa: E402

KEY = tsig.Key("ops-key", b"s" * 32)
NAMES = 40
CONFIG = f"""
listen: ["127.0.0.1:{{dns}}"]
admin: {{{{ address: "127.0.0.1:{{admin}}" }}}}
state: {{state}}
keys: [{{{{ name: ops-key, secret: {base64.b64encode(b"s" * 32).decode()} }}}}]
tcp: {{{{ timeout: 500ms }}}}
rate-limit: {{{{ exempt: [127.0.0.0/8] }}}}
replicas: [{{{{ name: fra, addresses: [192.0.2.1] }}}}]
zones:
  - name: ex.test
    nameservers: [ns.ex.test]
    names:
      - {{{{ name: ns, records: ["A 192.0.2.53"] }}}}
      - {{{{ name: "*.dyn", update: {{{{ keys: ops-key, types: [A, TXT] }}}} }}}}
      - {{{{ name: both, records: ["A 192.0.2.9"], update: {{{{ keys: ops-key, types: TXT }}}} }}}}
"""
failures = []


def expect(what, good, seen=""):
    print("ok:" if good else "FAILED:", what, "" if good else seen, flush=True)
    if not good:
        failures.append(what)


def address(number):
    return f"10.1.{number // 250}.{number % 250 + 1}"


def bind(number):
    """A message that binds a name, with a text of some size, so that there are pages."""
    text = b"\xc8" + b"x" * 200
    return update("ex.test", [add(f"n{number}.dyn.ex.test", address(number)),
                              record(f"n{number}.dyn.ex.test", "TXT", 1, 60, text)])


class Server:
    def __init__(self, build, folder, state, environment=None):
        self.build, self.state, self.environment = build, state, environment
        self.dns, self.admin = larder.free_port(), larder.free_port()
        self.config, self.log = folder / "dns.yaml", folder / "log"
        self.config.write_text(CONFIG.format(dns=self.dns, admin=self.admin, state=state))
        self.process = None

    def start(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [self.build / "dnsredir/larder-dns", "--config", self.config], stderr=log,
                env=self.environment)
        larder.await_port("127.0.0.1", self.admin, self.process)
        larder.await_port("127.0.0.1", self.dns, self.process)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        expect("TERM ends it", code == 0, f"{code} {self.said()}")

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()

    def said(self):
        return self.log.read_text(errors="replace")

    def update(self, message):
        reply = tsig.ask_udp(self.dns, KEY.sign(message), KEY)
        return reply.rcode if reply else None

    def ask(self, name, kind="A"):
        """The code, and the last address."""
        reply = tsig.ask_udp(self.dns, tsig.query(name, kind))
        last = ".".join(str(byte) for byte in reply.packet[-4:]) if reply.answers else None
        return (reply.rcode, last)

    def good(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics") as page:
            for line in page.read().decode().splitlines():
                if line.startswith("larder_dns_state_good "):
                    return int(line.split()[1])
        return None

    def fill(self):
        codes = {self.update(bind(number)) for number in range(NAMES)}
        expect("names are set", codes == {"NOERROR"}, codes)


def check_answers(server, what, lost=False):
    """Whatever the state is: what is written is answered, and what updates have set rightly or not at all."""
    expect(f"{what}: what is written is answered",
           server.ask("ns.ex.test") == ("NOERROR", "192.0.2.53"))
    expect(f"{what}: beside what updates may have set, too",
           server.ask("both.ex.test") == ("NOERROR", "192.0.2.9"))
    wrong, known = [], 0
    for number in range(NAMES):
        answer = server.ask(f"n{number}.dyn.ex.test")
        known += answer == ("NOERROR", address(number))
        if answer not in (("NOERROR", address(number)), ("SERVFAIL", None)):
            wrong.append((number, answer))
    expect(f"{what}: nothing wrong is answered", not wrong, wrong)
    if lost:
        expect(f"{what}: what nobody knows is SERVFAIL", known < NAMES)
        unknown = server.ask("nobody.dyn.ex.test")
        expect(f"{what}: and so is what may be there", unknown == ("SERVFAIL", None), unknown)
        code = server.update(bind(NAMES))
        expect(f"{what}: updates are refused", code == "SERVFAIL", code)
        expect(f"{what}: metrics say so", server.good() == 0)
        expect(f"{what}: and so does the log", "level=error" in server.said() or
               "state_" in server.said(), server.said())
    else:
        expect(f"{what}: all is known", known == NAMES, known)
    expect(f"{what}: it lives", server.process.poll() is None, server.said())


def check_drain(server, what):
    """A drain that is done, and will be forgotten."""
    told = subprocess.run([server.build / "ctl/larderctl", "drain", "fra",
                           "--admin", f"127.0.0.1:{server.admin}"], capture_output=True, text=True)
    expect(f"{what}: larderctl says that a drain will be forgotten",
           told.returncode == 1 and "the state could not be written" in told.stderr, told)


def flipped(data):
    """A value that was changed: another address, and all else is whole."""
    packed = bytes(int(part) for part in address(7).split("."))
    at = data.find(packed)
    out = bytearray(data)
    while at >= 0:
        out[at + 3] ^= 1
        at = data.find(packed, at + 1)
    return bytes(out)


def damaged_files(data):
    """What the file may be at the start."""
    yield "a value that changed", flipped(data)
    yield "half of it", data[: len(data) // 2]
    yield "its first page", data[:4096]
    yield "nothing in it", b""
    yield "zeros", bytes(len(data))


def before_the_start(build, folder):
    state = folder / "state"
    server = Server(build, folder, state)
    try:
        server.start()
        server.fill()
        expect("the state is good", server.good() == 1)
        server.stop()
        file = state / "larder-dns.mdb"
        whole = file.read_bytes()
        for what, data in damaged_files(whole):
            file.write_bytes(data)
            server.start()
            check_answers(server, what, lost=True)
            if what != "a value that changed":  # there the rest of the file is good
                check_drain(server, what)
            expect(f"{what}: the file is left as it was", file.read_bytes() == data or
                   what == "a value that changed")
            if what == "zeros":
                server.process.send_signal(signal.SIGHUP)  # a reload makes nothing worse
                check_answers(server, what, lost=True)
            server.stop()
        file.write_bytes(whole)
        server.start()
        check_answers(server, "the file as it was")
        expect("updates are made again", server.update(bind(1)) == "NOERROR")
        server.stop()
    finally:
        server.end()


def put_right(build, folder):
    """A damaged file that is moved away while the server runs: it begins anew."""
    server = Server(build, folder, folder / "state2")
    try:
        (folder / "state2").mkdir()
        (folder / "state2" / "larder-dns.mdb").write_bytes(b"nonsense" * 10000)
        server.start()
        expect("not with that file", server.update(bind(1)) == "SERVFAIL")
        (folder / "state2" / "larder-dns.mdb").rename(folder / "aside")
        end = time.monotonic() + 60
        while server.update(bind(1)) != "NOERROR" and time.monotonic() < end:
            time.sleep(0.1)
        expect("with a new one", server.ask("n1.dyn.ex.test") == ("NOERROR", address(1)))
        expect("of which all is known", server.ask("n2.dyn.ex.test") == ("NOERROR", None))
        expect("and metrics", server.good() == 1)
        server.stop()
    finally:
        server.end()


def cut_in_use(build, folder):
    """The file loses its end under the running server: a page that is mapped, and is not there."""
    for size in (4096, 4 * 4096):
        server = Server(build, folder, folder / f"cut{size}")
        try:
            server.start()
            server.fill()
            os.truncate(folder / f"cut{size}" / "larder-dns.mdb", size)
            code = server.update(bind(NAMES))
            expect(f"cut to {size} in use: refused", code == "SERVFAIL", code)
            check_answers(server, f"cut to {size} in use")
            expect("metrics say so", server.good() == 0)
            code = server.update(bind(NAMES))
            expect("and again", code == "SERVFAIL", code)
            server.stop()
        finally:
            server.end()


def failing_disk(build, folder):
    """Writes that fail, for a while."""
    state = folder / "failing"
    state.mkdir()
    faults = layer.Layer(build, state)
    server = Server(build, folder, state, faults.environment())
    try:
        server.start()
        if not faults.is_attached(server.process):
            print("skipped: the layer was not preloaded")
            return
        server.fill()
        for calls in (("pwrite", "write"), ("fsync", "fdatasync", "msync")):
            for error in (errno.EIO, errno.ENOSPC):
                with faults.rule(calls, error=error, pattern="*.mdb"):
                    code = server.update(bind(NAMES))
                    expect(f"{errno.errorcode[error]} of {calls[0]}: refused", code == "SERVFAIL", code)
                    check_answers(server, f"{errno.errorcode[error]} of {calls[0]}")
                    expect("metrics say so", server.good() == 0)
                end = time.monotonic() + 60
                while server.update(bind(1)) != "NOERROR" and time.monotonic() < end:
                    time.sleep(0.1)
                expect("and taken again", server.good() == 1, server.said())
        expect("what failed is not there", server.ask(f"n{NAMES}.dyn.ex.test") == ("NOERROR", None))
        server.stop()
        server.start()
        check_answers(server, "after a restart")
        server.stop()
    finally:
        server.end()


def slow_disk(build, folder):
    """A commit that takes longer than a client may be idle: the client waits for us, not we for it."""
    state = folder / "slow"
    state.mkdir()
    faults = layer.Layer(build, state)
    server = Server(build, folder, state, faults.environment())
    try:
        server.start()
        if not faults.is_attached(server.process):
            print("skipped: the layer was not preloaded")
            return
        server.fill()
        calls = ("fsync", "fdatasync", "msync", "pwrite", "write")
        with faults.rule(calls, effect="slow", delay=2, count=1, pattern="*.mdb") as rule:
            reply = tsig.ask_tcp(server.dns, [KEY.sign(bind(NAMES))], [KEY])[0]
            expect("the disk was slow", rule.struck == 1)
            expect("a slow disk: the update is answered by TCP", reply.rcode == "NOERROR")
        server.stop()
    finally:
        server.end()


def mount(where):
    where.mkdir()
    return subprocess.call(["mount", "-t", "tmpfs", "-o", "size=256k", "none", where],
                           stderr=subprocess.DEVNULL) == 0


def fill_disk(path):
    with open(path, "ab", buffering=0) as stream:
        try:
            while stream.write(bytes(4096)) == 4096:
                pass
        except OSError:
            pass


def full_disk(build, folder):
    disk = folder / "disk"
    if not mount(disk):
        print("skipped: no right to mount")
        return
    server = Server(build, folder, disk / "state")
    try:
        fill_disk(disk / "filler")  # at the first start already
        (disk / "state").mkdir()
        server.start()
        expect("a full disk at the start: answers",
               server.ask("ns.ex.test") == ("NOERROR", "192.0.2.53"))
        code = server.update(bind(1))
        expect("a full disk at the start: no updates", code == "SERVFAIL", code)
        (disk / "filler").unlink()
        end = time.monotonic() + 60
        while server.update(bind(1)) != "NOERROR" and time.monotonic() < end:
            time.sleep(0.1)
        server.fill()
        check_answers(server, "with room")
        fill_disk(disk / "filler")
        codes = {server.update(bind(NAMES + number)) for number in range(100)}
        expect("a disk that fills up: updates are refused", "SERVFAIL" in codes and
               codes <= {"SERVFAIL", "NOERROR"}, codes)
        check_answers(server, "a full disk")
        (disk / "filler").unlink()
        expect("with room, they are made", server.update(bind(1)) == "NOERROR")
        server.stop()
        server.start()
        check_answers(server, "after a restart")
        server.stop()
    finally:
        server.end()
        subprocess.call(["umount", "-l", disk])


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    larder.need(build / "dnsredir/larder-dns")
    preloads = b"libtsan" not in (build / "dnsredir/larder-dns").read_bytes()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        before_the_start(build, folder)
        put_right(build, folder)
        cut_in_use(build, folder)
        if preloads:
            failing_disk(build, folder)
            slow_disk(build, folder)
        full_disk(build, folder)
    sys.exit(1 if failures else 0)


main()
