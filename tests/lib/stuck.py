"""What is known of a request that waits too long, told while it still waits: by the proxy's admin
port, by its sockets and threads, and once the client has left, by the proxy's record of it.
"""
import json
import pathlib
import threading
import time
import urllib.parse
import urllib.request

PATIENCE = 60


def open_page(proxy, path):
    return urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}{path}", timeout=PATIENCE)


def ask(proxy, path):
    """A page of the admin port, or why it does not come."""
    try:
        with open_page(proxy, path) as got:
            return json.load(got)
    except (OSError, ValueError) as error:
        return {"error": str(error)}


def counts(proxy):
    """What is under way, and what tells whether anything moves."""
    now = ask(proxy, "/status")
    return {name: now.get(name) for name in
            ("error", "claims", "connections", "requests", "bytes", "memory", "store")
            if name in now}


def sockets(ports):
    """The connections to and from these ports with bytes that one of both ends has not taken; those
    are what pauses, or is not woken. Both ends of a connection are there."""
    told = []
    for line in pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        words = line.split()
        here, there = (int(word.split(":")[1], 16) for word in words[1:3])
        unsent, unread = (int(word, 16) for word in words[4].split(":"))
        if (here in ports or there in ports) and words[3] == "01" and (unsent or unread):
            told.append(f"{here}->{there} unsent {unsent} unread {unread}")
    return told


def threads(pid):
    """Who runs, who waits, and for what, as far as the kernel tells."""
    told = []
    for task in sorted(pathlib.Path(f"/proc/{pid}/task").iterdir()):
        try:
            name, state = (task / "stat").read_text(encoding="utf-8").split(" (", 1)[1].split(") ")
            told.append(f"{name} {state[0]} {(task / 'wchan').read_text(encoding='ascii')}")
        except OSError:
            pass
    return told


class Record(threading.Thread):
    """Listens to the proxy's decisions for the one about a request that took so many seconds."""

    def __init__(self, proxy, url, seconds):
        super().__init__(daemon=True)
        self.proxy, self.url, self.seconds = proxy, url, seconds
        self.line = "none: it was made before, or never"
        self.start()

    def is_meant(self, decision):
        return decision.get("url") == self.url and decision["elapsed_us"] > self.seconds * 1e6

    def run(self):
        try:
            with open_page(self.proxy, "/tail") as tail:
                for line in tail:
                    if line.strip() and self.is_meant(json.loads(line)):
                        self.line = line.decode().strip()
                        return
        except (OSError, ValueError) as error:
            self.line = f"none: {error}"


def tell(proxy, origin, url, seconds, leave):
    """Prints all that, without raising an error. `seconds` have passed since the request was sent;
    `leave` resets the client's connection, which might be half-closed otherwise."""
    record = Record(proxy, url, 0.9 * seconds)
    print("  counts:", json.dumps(counts(proxy)))
    time.sleep(1)
    print("  a second later:", json.dumps(counts(proxy)))
    print("  sockets:", "; ".join(sockets({proxy.port, origin.port})) or "nothing on its way")
    print("  threads:", "; ".join(threads(proxy.process.pid)))
    known = ask(proxy, "/explain?" + urllib.parse.urlencode({"url": url}))
    print("  known:", json.dumps(known))
    leave()
    record.join(PATIENCE)
    print("  decision:", record.line, flush=True)
