#!/usr/bin/env python3
"""A busy socket of larder-dns keeps nobody else waiting: dns_busy.py BUILD

While one client asks without a pause, and the worker stays with its socket: TCP, the socket of
another address, a reload, the end. With one socket, which the worker waits in while nobody waits
for anything else, and with two. And answers leave whole: no router may cut them.
"""
import contextlib
import json
import pathlib
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
sys.path.insert(0, str(LIB))
import larder  # noqa: E402

CONFIG = """
listen: [{listen}]
admin: {{ address: "127.0.0.1:{admin}" }}
workers: 1
rate-limit: {{ responses-per-second: 0, errors-per-second: 0 }}
resolver: {{ allow: 127.0.0.9/32, forward: "127.0.0.1:{upstream}", timeout: 1min }}
zones:
  - name: ex.test
    nameservers: [ns.ex.test]
    names:
      - {{ name: ns, records: ["A 192.0.2.53"] }}
      - {{ name: www, records: ["A 192.0.2.{last}"] }}
"""
PATIENCE = 60
HEAD = struct.pack(">HHHHHH", 7, 0, 1, 0, 0, 0)
QUERY = HEAD + b"\3www\2ex\4test\0" + struct.pack(">HH", 1, 1)
ELSEWHERE = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\1a\5other\0" + struct.pack(">HH", 1, 1)
failures = []


def expect(what, good, seen=""):
    print("ok:" if good else "FAILED:", what, "" if good else seen)
    if not good:
        failures.append(what)


def udp_ask(address, port):
    """The last byte of the first address; asked for until it comes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((address, port))
        sock.settimeout(1)
        for _ in range(PATIENCE):
            sock.send(QUERY)
            try:
                return sock.recv(512)[-1]
            except TimeoutError:
                pass
    return None


def tcp_ask(conn):
    conn.sendall(struct.pack(">H", len(QUERY)) + QUERY)
    data = b""
    while len(data) < 2 or len(data) < 2 + struct.unpack(">H", data[:2])[0]:
        piece = conn.recv(4096)
        if not piece:
            return None
        data += piece
    return data[-1]


class Server:
    def __init__(self, build, folder, addresses):
        self.build, self.addresses, self.path = build, addresses, folder / "dns.yaml"
        self.port, self.admin = larder.free_port(), larder.free_port()
        self.upstream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.upstream.bind(("127.0.0.1", 0))
        self.write(1)
        self.running = []
        self.process = subprocess.Popen([build / "dnsredir/larder-dns", "--config", self.path])
        larder.await_port(addresses[0], self.port, self.process)
        larder.await_port("127.0.0.1", self.admin, self.process)

    def write(self, last):
        listen = ", ".join(f'"{address}:{self.port}"' for address in self.addresses)
        self.path.write_text(CONFIG.format(listen=listen, admin=self.admin, last=last,
                                           upstream=self.upstream.getsockname()[1]))

    def load(self):
        """So many that there is always a query waiting; refused, which makes no difference."""
        command = [self.build / "bench/ecsload", str(self.port), "3600"]
        self.running = [subprocess.Popen(command) for _ in range(2)]
        self.answer_more()

    def answer_more(self):
        before = self.answered()
        while self.answered() < before + 3000:
            time.sleep(0.01)  # nothing else ends it: a test that hangs is stopped

    def loaded(self):
        return all(load.poll() is None for load in self.running)

    def unload(self):
        for load in self.running:
            load.kill()
            load.wait()

    def answered(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/status") as page:
            return json.load(page)["queries"]["udp"]


    def waits(self):
        """How often the worker has waited for queries by UDP and nothing else."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics") as page:
            lines = page.read().decode().splitlines()
        return next(int(line.split()[1]) for line in lines
                    if line.startswith("larder_dns_udp_waits_total "))

    def waits_again(self):
        before = self.waits()
        while self.waits() == before:
            time.sleep(0.01)

    def waits_not(self):
        before = self.waits()
        self.answer_more()
        return self.waits() == before


def nobody_else_waits(server):
    """Who waits for something else than UDP queries is not kept waiting by a wait for these."""
    server.load()
    if len(server.addresses) > 1:
        expect("no one of several sockets is waited on", server.waits() == 0)
        server.unload()
        return
    server.waits_again()
    with socket.create_connection((server.addresses[0], server.port), PATIENCE) as conn:
        tcp_ask(conn)
        expect("no wait beside a TCP connection", server.waits_not())
    server.waits_again()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.9", 0))
        sock.connect((server.addresses[0], server.port))
        sock.send(ELSEWHERE)
        asked = server.upstream.recvfrom(512)
        expect("nor beside a question that is being resolved", server.waits_not())
        ready = [server.upstream]
        while server.upstream in ready:  # it may have asked again meanwhile
            flags = struct.pack(">H", 0x8183)  # no such name
            server.upstream.sendto(asked[0][:2] + flags + asked[0][4:], asked[1])
            ready = select.select([sock, server.upstream], [], [], 60)[0]
            if server.upstream in ready and sock not in ready:
                asked = server.upstream.recvfrom(512)
            else:
                break
        expect("which is answered then", sock in ready and sock.recv(512)[:2] == ELSEWHERE[:2])
    server.waits_again()
    server.unload()


def beside_a_load(server):
    server.load()
    got, others = [], []
    with socket.create_connection((server.addresses[0], server.port), PATIENCE) as conn:
        for _ in range(50):
            got.append(tcp_ask(conn))
            others.append(udp_ask(server.addresses[-1], server.port))
    expect("the load went on", server.loaded())
    expect("TCP was served", got == [1] * 50, got)
    expect("and every address", others == [1] * 50, others)
    server.unload()


def at_rest_again(server):
    """The loop watches the socket again, whatever pause there is."""
    got = []
    for n in range(20):
        time.sleep(0.0002 * n)
        got.append(udp_ask(server.addresses[0], server.port))
    expect("then single queries", got == [1] * 20, got)


def reload_and_end(server):
    server.load()
    server.write(2)
    server.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + PATIENCE
    while udp_ask(server.addresses[0], server.port) != 2 and time.monotonic() < end:
        pass
    expect("a reload reaches it", udp_ask(server.addresses[0], server.port) == 2)
    server.process.terminate()
    expect("TERM ends it", server.process.wait(PATIENCE) == 0)
    server.unload()


def next_from(raw, port):
    """The next packet that a port has sent, of no more than are waited for at once."""
    for _ in range(1000):
        packet = raw.recv(4096)
        if struct.unpack(">H", packet[20:22])[0] == port:
            break
    return packet


def whole(server):
    """The don't-fragment bit, where we may look at packets."""
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    except PermissionError:
        print("not looked at: the don't-fragment bit (needs CAP_NET_RAW)")
        return
    with raw:
        raw.settimeout(1)
        packet, end = bytes(22), time.monotonic() + PATIENCE
        while struct.unpack(">H", packet[20:22])[0] != server.port and time.monotonic() < end:
            # Others' packets come here, too, and may leave no room for ours.
            udp_ask(server.addresses[0], server.port)
            with contextlib.suppress(TimeoutError):
                packet = next_from(raw, server.port)
    expect("an answer may not be cut", struct.unpack(">H", packet[6:8])[0] == 0x4000, packet[:20])


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        for addresses in (["127.0.0.1"], ["127.0.0.1", "127.0.0.2"]):
            server = Server(build, pathlib.Path(folder), addresses)
            try:
                nobody_else_waits(server)
                beside_a_load(server)
                at_rest_again(server)
                whole(server)
                reload_and_end(server)
            finally:
                server.unload()
                server.process.kill()
    sys.exit(bool(failures))


main()
