#!/usr/bin/env python3
"""What a service manager hears while processes take over one from the other: takeover_service.py BUILD

This script is the manager. It goes on hearing that all is well, from the one that serves.
"""
import os
import pathlib
import socket
import struct
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402
from succession import PATIENCE, Old, check, until  # noqa: E402

BUILD = pathlib.Path(sys.argv[1]).resolve()
CONFIG = """
listen: ["127.0.0.1:{port}"]
workers: 2
takeover: {folder}/takeover
"""
PROGRAMS = {"proxy/larder-proxy": 'admin: "unix:{folder}/admin"',
            "dnsredir/larder-dns": "resolver: {{ allow: [127.0.0.1] }}"}


class Manager:
    def __init__(self, folder):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(folder / "notify"))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.settimeout(PATIENCE)
        self.environment = dict(os.environ, WATCHDOG_USEC="3600000000",
                                NOTIFY_SOCKET=str(folder / "notify"))
        self.heard = []

    def hears(self, message, process):
        """Once more."""
        text, control, _, _ = self.sock.recvmsg(4096, socket.CMSG_SPACE(12))
        self.heard.append((text.decode(), struct.unpack("3i", control[0][2])[0]))
        return self.heard[-1] == (message, process.pid)


def serve(program, more, folder):
    port = larder.free_port()
    config = folder / "yaml"
    config.write_text((CONFIG + more).format(port=port, folder=folder))
    manager = Manager(folder)
    old = Old(program, config, folder, manager.environment)
    try:
        until("the first one is ready", lambda: manager.hears("READY=1", old.process))
        old.replace()
        old.replace()
        until("the third one tells that it is well",
              lambda: manager.hears("WATCHDOG=1", old.process))
    finally:
        old.kill()


def request(port, held):
    """One that its origin does not answer."""
    conn = raw.connect(port, PATIENCE)
    at = held.getsockname()[1]
    conn.sendall(f"GET http://127.0.0.1:{at}/ HTTP/1.1\r\nHost: 127.0.0.1:{at}\r\n\r\n".encode())
    return conn, held.accept()[0]


def refusals(folder):
    """Nobody gets sockets that are closed already."""
    port = larder.free_port()
    config = folder / "yaml"
    config.write_text((CONFIG + PROGRAMS["proxy/larder-proxy"]).format(port=port, folder=folder) + f"""
allow-targets: [127.0.0.0/8]
timeouts: {{ drain: 1h }}
""")
    held = socket.create_server(("127.0.0.1", 0))
    held.settimeout(PATIENCE)
    old = Old(BUILD / "proxy/larder-proxy", config, folder)
    try:
        larder.await_port("127.0.0.1", port, old.process)
        ends = request(port, held)
        old.process.terminate()
        until("it drains", lambda: old.logged("drain"))
        old.fail("--set=workers=2")
        check("this one ends already" in old.said(), old.said())
        check(old.logged("takeover_begins") == 0, old.said())
        for end in ends:
            end.close()
        old.end()
    finally:
        old.kill()


def main():
    for program, more in PROGRAMS.items():
        with tempfile.TemporaryDirectory() as folder:
            serve(BUILD / program, more, pathlib.Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        refusals(pathlib.Path(folder))
    check.end()


main()
