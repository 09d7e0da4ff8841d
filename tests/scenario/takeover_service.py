#!/usr/bin/env python3
"""What a service manager hears while processes take over one from the other: takeover_service.py BUILD

This script is the manager. It goes on hearing that all is well, from the one that serves, and from
nobody that the service stops until that one does. A newer process is started by `larderctl upgrade`,
too, which says when it serves, or why not.
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
            "dnsredir/larder-dns": """
admin: {{ address: "127.0.0.1:{admin}" }}
resolver: {{ allow: [127.0.0.1] }}
"""}
LARDERCTL = BUILD / "ctl/larderctl"


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
    port, admin = larder.free_port(), larder.free_port()
    config = folder / "yaml"
    config.write_text((CONFIG + more).format(port=port, folder=folder, admin=admin))
    options = (["--dns", "--admin", f"127.0.0.1:{admin}"] if program.name == "larder-dns"
               else ["--admin", f"unix:{folder}/admin"])
    manager = Manager(folder)
    old = Old(program, config, folder, manager.environment)
    try:
        until("the first one is ready", lambda: manager.hears("READY=1", old.process))
        old.replace()
        succeed(manager, old, options, config)
    finally:
        old.kill()


def succeed(manager, old, options, config):
    good = config.read_text()
    config.write_text(good + "\nno-such: 1\n")
    said = old.upgrade(LARDERCTL, *options, good=False)
    check("no-such" in said and "the older one serves on" in said, f"why not: {said}")
    config.write_text(good)
    old.upgrade(LARDERCTL, *options)
    check(os.path.samefile(f"/proc/{old.process.pid}/fd/2", old.log.name),
          "it does not write where the older one does")
    until("the third one tells that it is well",
          lambda: manager.hears("WATCHDOG=1", old.process))
    for process in old.gone:
        process.terminate()
        check(process.wait(PATIENCE) == 0, f"an older one ended with {process.returncode}")
    old.process.terminate()
    until("it tells that it stops", lambda: manager.hears("STOPPING=1", old.process))
    check(old.process.wait(PATIENCE) == 0, f"it ended with {old.process.returncode}")
    stopping = [pid for text, pid in manager.heard if text == "STOPPING=1"]
    check(stopping == [old.process.pid], f"the service would have been stopped: {manager.heard}")


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


def stateful(folder):
    """What is bound in a state is of one process."""
    config = folder / "yaml"
    config.write_text(CONFIG.format(port=larder.free_port(), folder=folder)
                      + f"state: {folder}/state\nresolver: {{ allow: [127.0.0.1] }}\n")
    old = Old(BUILD / "dnsredir/larder-dns", config, folder)
    try:
        until("it is ready", lambda: old.logged("sandbox"))
        old.fail("--set=workers=2")
        check("has the state" in old.said(), old.said())
        check(not old.logged("takeover"), old.said())
        old.end()
    finally:
        old.kill()


def main():
    for program, more in PROGRAMS.items():
        with tempfile.TemporaryDirectory() as folder:
            serve(BUILD / program, more, pathlib.Path(folder))
    for part in (refusals, stateful):
        with tempfile.TemporaryDirectory() as folder:
            part(pathlib.Path(folder))
    check.end()


main()
