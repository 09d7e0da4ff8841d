#!/usr/bin/env python3
"""Both programs under a service manager: service.py BUILD

This script is the manager: it opens the sockets, hears READY and WATCHDOG, stops and starts the
programs. Nobody is refused between two of them; who came meanwhile is answered by the next.
"""
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402

PATIENCE = 60
QUERY = struct.pack(">HHHHHH", 7, 0, 1, 0, 0, 0) + b"\3www\2ex\4test\0" + struct.pack(">HH", 1, 1)
ZONE = """
listen: ["127.0.0.1:{port}"]
workers: 2
zones:
  - name: ex.test
    nameservers: [ns.ex.test]
    names: [{{ name: ns, records: ["A 192.0.2.53"] }}, {{ name: www, records: ["A 192.0.2.1"] }}]
"""
failures = []


def expect(what, good, seen=""):
    print("ok:" if good else "FAILED:", what, "" if good else seen)
    if not good:
        failures.append(what)


def opened(kind, family=socket.AF_INET, address=None):
    sock = socket.socket(family, kind)
    sock.bind(address or ("127.0.0.1", larder.free_port()))
    if kind == socket.SOCK_STREAM:
        sock.listen(64)
    sock.settimeout(PATIENCE)
    return sock


class Service:
    """A program with sockets that are the manager's, and what it says of itself."""

    def __init__(self, folder, sockets, command):
        self.sockets, self.command = sockets, [str(word) for word in command]
        self.heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.heard.bind(str(folder / "notify"))
        self.heard.settimeout(PATIENCE)
        self.log = open(folder / "log", "w+")

    def start(self):
        # The shell becomes the program, and so has its number; descriptors begin at 3.
        shell = 'export LISTEN_PID=$$; exec "$@"'
        moves = [(sock.fileno(), 3 + n) for n, sock in enumerate(self.sockets)]

        def place():
            high = [os.dup(source) for source, _ in moves]
            for (_, target), source in zip(moves, high):
                os.dup2(source, target)

        environment = dict(os.environ, LISTEN_FDS=str(len(moves)), WATCHDOG_USEC="10000000",
                           NOTIFY_SOCKET=self.heard.getsockname())
        self.process = subprocess.Popen(
            ["bash", "-c", shell, "service", *self.command], env=environment, stderr=self.log,
            preexec_fn=place, pass_fds=[target for _, target in moves])
        self.await_message("READY=1")

    def await_message(self, message):
        while self.heard.recv(4096).decode() != message:
            pass

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()  # else it keeps this script's output open for ever
            status = "not ended"
        expect(f"{pathlib.Path(self.command[0]).name} ends", status == 0, status)

    def logged(self):
        self.log.seek(0)
        return self.log.read()


def http_get(sock, path="/healthz"):
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    data = b""
    while True:
        piece = sock.recv(65536)
        if not piece:
            return data
        data += piece


def client_of(sock):
    conn = socket.socket(sock.family, socket.SOCK_STREAM)
    conn.settimeout(PATIENCE)
    conn.connect(sock.getsockname())
    return conn


def proxy(build, folder):
    clients, strange = opened(socket.SOCK_STREAM), opened(socket.SOCK_STREAM)
    admin = opened(socket.SOCK_STREAM, socket.AF_UNIX, str(folder / "admin"))
    service = Service(folder, [strange, admin, clients], [
        build / "proxy/larder-proxy", "--listen", f"127.0.0.1:{clients.getsockname()[1]}",
        "--admin", f"unix:{folder}/admin", "--workers", "2"])
    service.start()
    expect("a client is served", b" 400 " in http_get(client_of(clients)))
    expect("so is the administrator", b" 200 " in http_get(client_of(admin)))
    service.await_message("WATCHDOG=1")
    service.await_message("WATCHDOG=1")  # so the workers have answered the first
    expect("a socket too many is told of", "inherited_unused" in service.logged())
    service.stop()
    expect("the administrator's socket stays", (folder / "admin").exists())
    early = client_of(clients)
    answer = []
    waiting = threading.Thread(target=lambda: answer.append(http_get(early)))
    waiting.start()
    service.start()
    waiting.join(PATIENCE)
    expect("who came between is served", answer and b" 400 " in answer[0], answer)
    service.stop()


def udp_ask(sock, port):
    sock.sendto(QUERY, ("127.0.0.1", port))
    return sock.recv(512)[-4:]


def redirector(build, folder):
    tcp = opened(socket.SOCK_STREAM)
    port = tcp.getsockname()[1]
    udp = opened(socket.SOCK_DGRAM, address=("127.0.0.1", port))
    (folder / "dns.yaml").write_text(ZONE.format(port=port))
    service = Service(folder, [tcp, udp],
                      [build / "dnsredir/larder-dns", "--config", folder / "dns.yaml"])
    service.start()
    asker = opened(socket.SOCK_DGRAM)
    expect("UDP is answered", udp_ask(asker, port) == bytes([192, 0, 2, 1]))
    conn = client_of(tcp)
    conn.sendall(struct.pack(">H", len(QUERY)) + QUERY)
    expect("so is TCP", conn.recv(2048)[-4:] == bytes([192, 0, 2, 1]))
    conn.close()
    service.await_message("WATCHDOG=1")
    service.await_message("WATCHDOG=1")
    service.stop()
    asker.sendto(QUERY, ("127.0.0.1", port))
    service.start()
    expect("who asked between is answered", asker.recv(512)[-4:] == bytes([192, 0, 2, 1]))
    service.stop()
    expect("every socket was taken", "inherited_unused" not in service.logged())


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    for part in proxy, redirector:
        with tempfile.TemporaryDirectory() as folder:
            part(build, pathlib.Path(folder))
    sys.exit(bool(failures))


main()
