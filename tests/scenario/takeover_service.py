#!/usr/bin/env python3
"""What a service manager hears while processes take over one from the other: takeover_service.py BUILD

This script is the manager. It goes on hearing that all is well, from the one that serves, and from
nobody that the service stops until that one does. A newer process is started by `larderctl upgrade`,
too, which says when it serves, or why not. Of one that hangs, older or newer, it hears in bounded time.
"""
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
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
    check("no-such" in said and "the older one still serves" in said, f"why not: {said}")
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
        check("this one is already stopping" in old.said(), old.said())
        check(old.logged("takeover_begins") == 0, old.said())
        for end in ends:
            end.close()
        old.end()
    finally:
        old.kill()


def begin(folder, more=""):
    port = larder.free_port()
    config = folder / "yaml"
    config.write_text((CONFIG + PROGRAMS["proxy/larder-proxy"]).format(port=port, folder=folder) + more)
    old = Old(BUILD / "proxy/larder-proxy", config, folder)
    larder.await_port("127.0.0.1", port, old.process)
    until("it is ready", lambda: old.logged("ready"))
    return old, port


def one_that_hangs(folder):
    """Whoever says nothing is not waited for without end, and nothing has changed."""
    shutil.copy(LARDERCTL, folder / "larderctl")
    other = folder / "larder-proxy"
    other.write_text(f"#!/bin/sh\necho $$ > {folder}/pid\nexec sleep 1000\n")
    other.chmod(0o755)
    old, port = begin(folder)
    try:
        command = [folder / "larderctl", "upgrade", "--admin", f"unix:{folder}/admin", "--wait"]
        for wrong in ("0", "1s", ""):
            told = subprocess.run([*command, wrong], text=True, timeout=PATIENCE, capture_output=True)
            check(told.returncode == 2 and "seconds" in told.stderr, f"--wait {wrong}: {told}")
        told = subprocess.run([*command, "5"], text=True, timeout=PATIENCE, capture_output=True)
        check(told.returncode == 1 and "has not begun to serve within 5 s, and was ended" in told.stderr
              and "the older one still serves" in told.stderr, f"upgrade: {told}")
        pid = (folder / "pid").read_text().strip()
        check(not pathlib.Path(f"/proc/{pid}").exists(), f"{pid} is there still")
        raw.connect(port, PATIENCE).close()
        old.upgrade(LARDERCTL, "--admin", f"unix:{folder}/admin")
        old.end()
    finally:
        old.kill()


def one_in_the_way(folder):
    """A process that has got the sockets and hangs is named to whoever comes next."""
    old, _ = begin(folder)
    try:
        with socket.socket(socket.AF_UNIX) as hangs:
            hangs.connect(f"{folder}/takeover")
            hangs.sendall(struct.pack("I16s", 0x4c445433, b"larder-proxy"))
            check(hangs.recv(1), "it is given the sockets")
            old.fail("--set=workers=2")
            check(f"is already taking over\" by={os.getpid()}" in old.said(), old.said())
        old.replace()
        old.end()
    finally:
        old.kill()


def older_one_that_hangs(folder):
    old, _ = begin(folder)
    try:
        old.process.send_signal(signal.SIGSTOP)
        newer = old.popen("--takeover")
        check(newer.wait(PATIENCE) != 0, "it took over from one that hangs")
        check("the process there is silent" in old.said(), old.said())
        old.process.send_signal(signal.SIGCONT)
        old.replace()
        old.end()
    finally:
        old.process.send_signal(signal.SIGCONT)
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
    for part in (refusals, one_that_hangs, one_in_the_way, older_one_that_hangs, stateful):
        with tempfile.TemporaryDirectory() as folder:
            part(pathlib.Path(folder))
    check.end()


main()
