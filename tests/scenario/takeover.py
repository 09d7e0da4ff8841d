#!/usr/bin/env python3
"""A newer process takes the place of an older one, and nobody notices: takeover.py BUILD [PART...]

Under a load of new and of kept connections, plain and over TLS, larder-proxy is replaced several
times, once by a process that fails: nobody is refused, no request fails, no body is wrong. A long
download and a tunnel that began before go on to their end; what was stored is a hit for the newer
one, what was invalidated meanwhile is not. What is fetched for nobody holds nothing up; what clients
of another worker wait for is fetched to its end. With quotas
and no store it goes as well, and they count. The same for larder-dns: no query goes without its
answer, not even one that waits for a resolver.
"""
import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402
from succession import PATIENCE, Old, check, until  # noqa: E402

BUILD = pathlib.Path(sys.argv[1]).resolve()
TIMES = 5

# ---- the proxy ----

GO_ON = threading.Event()  # the long download may end
LONG = 6_000_000
ENDLESS = threading.Semaphore(0)  # so many of them have begun
SHARING = threading.Event()  # what several wait for may end
SHARED = 100_000


def body_of(path):
    return (path.encode() + b" ") * 200


def serve(conn, head, _rest):
    path = raw.path_of(head)
    if head.startswith(b"POST"):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    elif path.startswith("/endless"):
        conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1000\r\n\r\n"
                     b"e")
        ENDLESS.release()
        conn.recv(1)  # until it is given up
    elif path == "/shared":
        conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: %d\r\n\r\n"
                     % SHARED + b"s" * (SHARED // 2))
        SHARING.wait(PATIENCE)
        conn.sendall(b"s" * (SHARED - SHARED // 2))
    elif path == "/long":
        conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n"
                     % LONG + b"l" * (LONG // 2))
        GO_ON.wait(PATIENCE)
        conn.sendall(b"l" * (LONG - LONG // 2))
    else:
        body = body_of(path)
        conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=6000\r\nContent-Length: %d\r\n\r\n"
                     % len(body) + body)


class Load(threading.Thread):
    """Asks until it is told to stop; `connect` makes a connection, which serves `each` requests."""

    def __init__(self, ask):
        super().__init__(daemon=True)
        self.ask, self.count, self.wrong, self.ends = ask, 0, [], False

    def run(self):
        while not self.ends and len(self.wrong) < 5:
            try:
                self.ask(self)
            except Exception as error:  # whatever a client would have seen
                self.wrong.append(repr(error))

    def stop(self, what):
        self.ends = True
        self.join(PATIENCE)
        check(not self.wrong, f"{what}: {self.wrong[:3]} of {self.count}")
        check(self.count > 0, f"{what}: nothing was asked")


def asks(connect, url, each):
    """`each` requests a connection; who is told that it closes has no right to one more."""
    def ask(load):
        connection = connect()
        begun_at = 0
        for _ in range(each):
            path = f"/o{load.count % 50}"
            headers = {"Host": "a"}
            last_begun_at, begun_at = begun_at, time.monotonic()
            try:
                try:
                    connection.request("GET", url(path), headers=headers)
                finally:
                    sent_at = time.monotonic()
                response = connection.getresponse()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # A kept one is not closed within a second of its last answer.
                if connection.fresh or sent_at < last_begun_at + 0.9:
                    raise
                return  # closed while it was idle, as clients have to bear: they ask once more
            connection.fresh = False
            body = response.read()
            if response.status != 200 or body != body_of(path):
                load.wrong.append(f"{response.status}, {len(body)} bytes")
            load.count += 1
            if response.headers.get("Connection", "").lower() == "close":
                break
            if load.ends:
                break
        connection.close()
    return ask


def http_to(port, context=None):
    def connect():
        connection = (http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE,
                                                  context=context)
                      if context else http.client.HTTPConnection("127.0.0.1", port,
                                                                 timeout=PATIENCE))
        connection.fresh = True
        return connection
    return connect


def status(admin):
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/status", timeout=PATIENCE) as answer:
        return json.load(answer)


def tunnel_to(port, target):
    conn = raw.connect(port, PATIENCE)
    conn.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: a\r\n\r\n" % target)
    head, _ = raw.until_head(conn)
    check(b" 200 " in head.split(b"\r\n")[0], head)
    return conn


def echo(listening):
    conn, _ = listening.accept()
    with conn:
        while data := conn.recv(4096):
            conn.sendall(data)


def outcome(client, url):
    code, body, fields = client.get(url, Host="a")
    return code, body, fields.get("Cache-Status", "")


def proxy(folder):
    origin = raw.Origin(serve)
    port, secure, admin = larder.free_port(), larder.free_port(), larder.free_port()
    echoing = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=echo, args=(echoing,), daemon=True).start()
    config = folder / "proxy.yaml"
    pair = certificate(folder)
    config.write_text(f"""
listen:
  - "127.0.0.1:{port}"
  - {{ address: "127.0.0.1:{secure}", tls: {{ certificate: {pair[0]}, key: {pair[1]} }} }}
admin: "127.0.0.1:{admin}"
workers: 2
store: {folder}/store
takeover: {folder}/takeover
connect-ports: [1-65535]
access: [{{ allow: {{}} }}]
allow-targets: [127.0.0.0/8]
timeouts: {{ drain: 1h }}
log: {{ access: {folder}/access.log }}
""")
    old = Old(BUILD / "proxy/larder-proxy", config, folder)
    try:
        replace_proxy(old, origin, (port, secure, admin), echoing.getsockname()[1])
    finally:
        GO_ON.set()
        old.kill()


def replace_proxy(old, origin, ports, echoing):
    port, secure, admin = ports
    for each in ports:
        larder.await_port("127.0.0.1", each, old.process)
    context = ssl._create_unverified_context()
    url = origin.base.__add__
    client = larder.Client(port, PATIENCE)
    for path in ("/stored", "/changed"):
        outcome(client, origin.base + path)
    until("both are stored", lambda: status(admin)["store"]["objects"] >= 2)
    long = raw.connect(port, PATIENCE)
    long.sendall(f"GET {origin.base}/long HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    begun = long.recv(65536)
    tunnel = tunnel_to(port, echoing)
    loads = {
        "a connection each": Load(asks(http_to(port), url, 1)),
        "kept connections": Load(asks(http_to(port), url, 100)),
        "TLS, one each": Load(asks(http_to(secure, context), url, 1)),
        "TLS, kept": Load(asks(http_to(secure, context), url, 100)),
    }
    for load in loads.values():
        load.start()
    old.replace()
    # The older one has its long download still, so the newer one is without the store.
    changed = larder.Client(port, PATIENCE)
    changed.connection.request("POST", origin.base + "/changed", body=b"", headers={"Host": "a"})
    check(changed.connection.getresponse().read() == b"", "the change")
    check(status(admin)["store"] is None, "the store of another was opened")
    GO_ON.set()
    data = begun
    while len(data.partition(b"\r\n\r\n")[2]) < LONG:
        more = long.recv(1 << 20)
        if not more:
            break
        data += more
    check(data.partition(b"\r\n\r\n")[2] == b"l" * LONG, f"the download: {len(data)} bytes")
    until("the newer one has the store", lambda: status(admin)["store"])
    tunnel.sendall(b"still there")
    check(tunnel.recv(100) == b"still there", "the tunnel")
    fresh = larder.Client(port, PATIENCE)
    code, body, how = outcome(fresh, origin.base + "/stored")
    check((code, body) == (200, body_of("/stored")) and "hit" in how, f"stored: {code} {how}")
    code, body, how = outcome(fresh, origin.base + "/changed")
    check(code == 200 and "hit" not in how, f"changed: {code} {how}")
    old.fail("--set=no-such=1", "--set=log.access=/proc/no-log", "--set=log.access=/no/folder/log")
    for _ in range(TIMES - 1):
        old.replace()
        until("it has the store", lambda: status(admin)["store"])
    tunnel.sendall(b"even now")
    check(tunnel.recv(100) == b"even now", "the tunnel, at last")
    tunnel.close()
    for what, load in loads.items():
        load.stop(what)
    print({what: load.count for what, load in loads.items()})
    old.end()


# ---- what the older one leaves ----

LEFT = 8


def leavings(folder):
    origin = raw.Origin(serve)
    port = larder.free_port()
    echoing = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=echo, args=(echoing,), daemon=True).start()
    config = folder / "proxy.yaml"
    config.write_text(f"""
listen: ["127.0.0.1:{port}"]
admin: "unix:{folder}/admin"
workers: 4
store: {folder}/store
takeover: {folder}/takeover
connect-ports: [1-65535]
access: [{{ allow: {{}} }}]
allow-targets: [127.0.0.0/8]
timeouts: {{ drain: 1h }}
""")
    old = Old(BUILD / "proxy/larder-proxy", config, folder)
    try:
        larder.await_port("127.0.0.1", port, old.process)
        leave(old, origin.base, port, echoing.getsockname()[1])
    finally:
        old.kill()
    old = Old(BUILD / "proxy/larder-proxy", config, folder)
    try:
        larder.await_port("127.0.0.1", port, old.process)
        change_twice(old, origin.base, port, folder)
    finally:
        old.kill()


def ask_shared(base, port):
    """The beginning, as far as it has come."""
    client = raw.connect(port, PATIENCE)
    client.sendall(f"GET {base}/shared HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    _, body = raw.until_head(client)
    while len(body) < SHARED // 2:
        body += client.recv(65536)
    return client, body


def share(old, base, port):
    """Who is gone has begun what clients of other workers get."""
    leader, _ = ask_shared(base, port)
    others = [ask_shared(base, port) for _ in range(LEFT)]
    raw.reset(leader)
    old.replace()
    until("the older one accepts no more", lambda: listeners(old.gone[0], port) == 0)
    SHARING.set()
    for client, body in others:
        rest, _ = raw.until_end(client)
        check(body + rest == b"s" * SHARED, f"shared: {len(body + rest)} bytes of {SHARED}")
    check(old.gone.pop().wait(PATIENCE) == 0, "the one that shared")


def leave(old, base, port, echoing):
    """Workers that have no client, but fetch for nobody, end; one has a tunnel."""
    share(old, base, port)
    tunnel = tunnel_to(port, echoing)
    for number in range(LEFT):
        with raw.connect(port, PATIENCE) as client:
            client.sendall(f"GET {base}/endless{number} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            raw.until_head(client)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    check(all(ENDLESS.acquire(timeout=PATIENCE) for _ in range(LEFT)), "not all have begun")
    old.replace()
    until("the newer one has the store", lambda: old.logged("store_late"))
    tunnel.sendall(b"still there")
    check(tunnel.recv(100) == b"still there", "the tunnel")
    tunnel.close()
    old.end()


def change_twice(old, base, port, folder):
    """The one that is replaced has not got the store itself; the first one has. Other folders, which
    nobody has, are open at once."""
    held = raw.connect(port, PATIENCE)
    held.sendall(f"GET {base}/endless HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    raw.until_head(held)
    old.replace()
    old.replace()
    check(old.gone[1].wait(PATIENCE) == 0, "the second one")
    until("the third one finds it locked", lambda: old.logged("store_late_waits"))
    code, _, _ = outcome(larder.Client(port, PATIENCE), base + "/changed")
    check(code == 200, f"in memory: {code}")
    old.fail("--workers=4")  # what has changed is known to the third one only
    check("older than what it knows" in old.said(), "the log does not say why it was refused")
    old.gone[0].kill()  # whose lock goes with it, sooner or later
    check(old.gone.pop(0).wait(PATIENCE) == -signal.SIGKILL, "the first one")
    until("the third one has the store", lambda: old.logged("store_late"))
    held.close()
    old.command.append(f"--set=store={folder}/other")
    old.replace()
    check((folder / "other/index.mdb").exists(), "a store of its own was late")
    check(old.gone[-1].wait(PATIENCE) == 0, "the third one")
    code, _, _ = outcome(larder.Client(port, PATIENCE), base + "/o")
    check(code == 200 and not old.logged("store_late_failed"), f"with another store: {code}")
    old.end()


# ---- who has quotas, and no store ----

QUOTA = 1 << 20


def accounts(folder):
    origin = raw.Origin(serve)
    port = larder.free_port()
    echoing = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=echo, args=(echoing,), daemon=True).start()
    config = folder / "proxy.yaml"
    config.write_text(f"""
listen: ["127.0.0.1:{port}"]
admin: "unix:{folder}/admin"
workers: 2
state: {folder}/state
takeover: {folder}/takeover
connect-ports: [1-65535]
access: [{{ allow: {{ limits: {{ quota: 1MiB, per: month }} }} }}]
allow-targets: [127.0.0.0/8]
timeouts: {{ drain: 1h }}
""")
    old = Old(BUILD / "proxy/larder-proxy", config, folder)
    try:
        larder.await_port("127.0.0.1", port, old.process)
        replace_accounts(old, origin.base, port, echoing.getsockname()[1])
    finally:
        old.kill()


def replace_accounts(old, base, port, echoing):
    """The ledger is the older one's until its tunnel ends; meanwhile bytes count from 0."""
    tunnel = tunnel_to(port, echoing)
    tunnel.sendall(b"t" * 100)
    check(tunnel.recv(100) != b"", "the tunnel")
    old.replace()
    code, _, _ = outcome(larder.Client(port, PATIENCE), base + "/o1")
    check(code == 200, f"the newer one: {code}")
    path = "/o" + "1" * 1000
    fetched = 0
    while code == 200 and fetched < 2 * QUOTA:
        try:
            code, _, _ = outcome(larder.Client(port, PATIENCE), base + path)
        except (http.client.IncompleteRead, ConnectionResetError):
            pass  # the quota's end
        fetched += len(body_of(path))
    check(code == 403, f"no quota while the older one has the ledger: {code} after {fetched}")
    old.process.send_signal(signal.SIGHUP)
    until("a reload is taken meanwhile", lambda: old.logged("reloaded"))
    check(not old.logged("quotas_late"), "the ledger of another was opened")
    old.fail("--set=workers=2")  # what has been used since is known to this one only
    check("has not got the quotas" in old.said(), "the log does not say why it was refused")
    tunnel.close()
    until("it has the ledger", lambda: old.logged("quotas_late"))
    code, _, _ = outcome(larder.Client(port, PATIENCE), base + "/o1")
    check(code == 403, f"what was used meanwhile was forgotten: {code}")
    old.end()


# ---- the redirector ----

QUERY = b"\0\0\0\1\0\0\0\0\0\0\3www\2ex\4test\0" + struct.pack(">HH", 1, 1)
ANSWER = bytes([192, 0, 2, 1])


def ask_udp(port, kept):
    def ask(load):
        sock = kept or socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", port))
        for _ in range(20):
            number = struct.pack(">H", load.count % 65536)
            sock.send(number + QUERY)
            got = sock.recv(512)
            if got[:2] != number or got[-4:] != ANSWER:
                load.wrong.append(got)
            load.count += 1
        if not kept:
            sock.close()
    return ask


def ask_tcp(port):
    def ask(load):
        with raw.connect(port, PATIENCE) as conn:
            conn.sendall(struct.pack(">H", 2 + len(QUERY)) + b"\0\7" + QUERY)
            got = b""
            while len(got) < 2 or len(got) < 2 + int.from_bytes(got[:2], "big"):
                more = conn.recv(512)
                if not more:
                    load.wrong.append(got)
                    return
                got += more
            if got[-4:] != ANSWER:
                load.wrong.append(got)
            load.count += 1
    return ask


def redirector(folder):
    port, admin = larder.free_port(), larder.free_port()
    config = folder / "dns.yaml"
    config.write_text(f"""
listen: ["127.0.0.1:{port}"]
admin: {{ address: "127.0.0.1:{admin}" }}
workers: 2
takeover: {folder}/takeover
rate-limit: {{ exempt: [127.0.0.0/8] }}
tcp: {{ timeout: 1s }}
zones:
  - name: ex.test
    nameservers: [ns.ex.test]
    names: [{{ name: ns, records: ["A 192.0.2.53"] }}, {{ name: www, records: ["A 192.0.2.1"] }}]
""")
    old = Old(BUILD / "dnsredir/larder-dns", config, folder)
    try:
        for each in (port, admin):
            larder.await_port("127.0.0.1", each, old.process)
        kept = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        loads = {"UDP": Load(ask_udp(port, None)), "UDP, one socket": Load(ask_udp(port, kept)),
                 "TCP": Load(ask_tcp(port))}
        for load in loads.values():
            load.start()
        for number in range(TIMES):
            old.replace()
            seen = loads["UDP"].count
            until("it answers", lambda: loads["UDP"].count > seen + 100)  # pylint: disable=W0640
            if number == 1:
                old.fail("--set=no-such=1", "--set=log.queries=/no/such/folder/log")
        for what, load in loads.items():
            load.stop(what)
        print({what: load.count for what, load in loads.items()})
        old.end()
    finally:
        old.kill()


class Held(threading.Thread):
    """A resolver that others forward to; it answers when it is told to."""

    def __init__(self):
        super().__init__(daemon=True)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.lock, self.asked, self.released = threading.Lock(), [], False

    def run(self):
        while True:
            packet, peer = self.sock.recvfrom(4096)
            with self.lock:
                self.asked.append((packet, peer))
                if self.released:
                    self.answer()

    def release(self):
        with self.lock:
            self.released = True
            self.answer()

    def names(self):
        """How many different ones were asked for, however often."""
        with self.lock:
            return len({packet[12:packet.index(b"\0", 12)].lower() for packet, _ in self.asked})

    def answer(self):
        """The same address for whatever is asked: one question, maybe an OPT."""
        for packet, peer in self.asked:
            end = packet.index(b"\0", 12) + 5
            self.sock.sendto(packet[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + packet[12:end]
                             + b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + ANSWER, peer)
        self.asked.clear()


FOREIGN = b"\1\0\0\1\0\0\0\0\0\0\4n%03d\5other\7example\0" + struct.pack(">HH", 1, 1)


def listeners(process, port):
    """How many sockets it has that listen there for connections."""
    lines = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    names = {f"socket:[{line[9]}]" for line in lines
             if line[1].endswith(f":{port:04X}") and line[3] == "0A"}
    count = 0
    for entry in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
        try:
            count += os.readlink(entry) in names
        except FileNotFoundError:  # closed meanwhile
            pass
    return count


def resolving(folder):
    """What waits for the resolver of the older one is answered by it, also when the sockets are
    read by another."""
    held = Held()
    held.start()
    port = larder.free_port()
    config = folder / "resolver.yaml"
    config.write_text(f"""
listen: ["127.0.0.1:{port}"]
workers: 2
takeover: {folder}/takeover
resolver: {{ allow: [127.0.0.0/8], forward: ["127.0.0.1:{held.sock.getsockname()[1]}"], timeout: 1min }}
""")
    old = Old(BUILD / "dnsredir/larder-dns", config, folder)
    try:
        larder.await_port("127.0.0.1", port, old.process)
        waiting = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]
        for number, sock in enumerate(waiting):  # of different names, by both workers
            sock.settimeout(PATIENCE)
            sock.connect(("127.0.0.1", port))
            sock.send(struct.pack(">H", number) + FOREIGN % number)
        until("all of them are forwarded", lambda: held.names() == len(waiting))
        check(listeners(old.process, port) > 0, "it listens")
        old.replace()
        until("the older one has closed its listeners", lambda: listeners(old.gone[0], port) == 0)
        held.release()
        for number, sock in enumerate(waiting):
            got = sock.recv(512)
            check(got[:2] == struct.pack(">H", number) and got[-4:] == ANSWER, f"resolved: {got}")
        old.gone[0].terminate()
        old.end()
    finally:
        old.kill()


def certificate(folder):
    """A pair of files."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                   check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


def main():
    options = json.loads((BUILD / "meson-info/intro-buildoptions.json").read_text())
    if any(one["name"] == "b_sanitize" and one["value"] == "thread" for one in options):
        print("skipped: ThreadSanitizer takes numbers of descriptors that libuv has closed for used")
        sys.exit(77)
    parts = {part.__name__: part for part in (proxy, leavings, accounts, redirector, resolving)}
    for part in [parts[name] for name in sys.argv[2:] or parts]:
        with tempfile.TemporaryDirectory() as folder:
            part(pathlib.Path(folder))
    check.end()


main()
