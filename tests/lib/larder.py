"""What the Python scenario scripts share: free ports, seeds, programs started and ended by pid,
requests through a proxy."""
import atexit
import fcntl
import http.client
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time


RESERVED = []  # of this process, as long as it lives
RESERVATIONS = f"/tmp/larder-ports-{os.getuid()}"


def reserve(port):
    """Whether no other test has it, who may be about to listen on it; ports.sh does the same."""
    os.makedirs(RESERVATIONS, exist_ok=True)
    file = os.open(f"{RESERVATIONS}/{port}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return False
    RESERVED.append(file)
    return True


def free_port(host="127.0.0.1"):
    """A port that nothing listens on, below the range the kernel hands out itself, and that no
    other test is given until this process has ended."""
    while True:
        port = 10000 + secrets.randbelow(20000)
        if not reserve(port):
            continue
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
                return port
            except OSError:
                continue


def await_port(host, port, process=None, seconds=120):
    """Waits until something accepts on host:port; fails when the process ends first."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection((host, port), timeout=1).close()
            return
        except OSError:
            if process and process.poll() is not None:
                raise SystemExit(f"{process.args[0]} ended with status {process.returncode}")
            time.sleep(0.005)
    raise SystemExit(f"nothing listens on {host}:{port}")


def await_taken(admin, seconds=120):
    """Waits until all workers of a proxy go by the configuration that was loaded last."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=seconds)
        connection.request("GET", "/reload/state")
        taken = json.loads(connection.getresponse().read())["taken"]
        connection.close()
        if taken:
            return
        time.sleep(0.005)
    raise SystemExit("a reload is not taken over")


def seed(given=None, fixed=1):
    """Of a randomised test, printed: what its command line gives (a number, or "fresh" for one that
    nobody has tried), else the fixed one: the same test every time."""
    number = fixed if given is None else secrets.randbits(32) if given == "fresh" else int(given)
    random.seed(number)  # what is drawn without a generator of its own follows from it, too
    print(f"seed {number}", flush=True)
    return number


class Proxy:
    """A larder-proxy on ports of its own. `options` are added to its command line."""

    def __init__(self, program, store, *options):
        self.port, self.admin = free_port(), free_port()
        self.command = [program, "--listen", f"127.0.0.1:{self.port}",
                        "--admin", f"127.0.0.1:{self.admin}", "--store", store,
                        "--allow", "127.0.0.0/8", "--allow-target", "127.0.0.0/8", *options]
        self.process = None

    def popen(self):
        return subprocess.Popen(self.command)

    def start(self):
        self.process = self.popen()
        atexit.register(self.process.kill)  # a script that fails leaves nothing behind
        for port in (self.port, self.admin):
            await_port("127.0.0.1", port, self.process)

    def kill(self):
        """SIGKILL: no chance to tidy up."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; True when it left by itself with status 0."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=60) == 0
        except subprocess.TimeoutExpired:
            self.kill()
            return False


class Client:
    """One persistent connection to a proxy."""

    def __init__(self, port, timeout=90):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def get(self, url, **fields):
        """(status, body, fields of the response)"""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        self.connection.request("GET", url, headers=headers)
        response = self.connection.getresponse()
        return response.status, response.read(), response.headers


def need(path):
    if not os.access(path, os.X_OK):
        print(f"skipped: {path} is not there")
        sys.exit(77)
