#!/usr/bin/env python3
"""Requests through a hundred reloads: reload.py BUILD

Clients of all kinds ask without a pause - connections that last, new ones, HTTP/2 with many streams
- while the configuration changes again and again, in two files. None of them may be refused or fail,
and each answer tells which configuration made it: on one connection they only get newer, and after a
reload is over nobody sees an older one. Faulty configurations in between are refused, with the
place of the fault in the answer and in the log, and change nothing. At the end one configuration is
in memory: none was left behind. Before that, the largest size that is stored is changed by itself.
"""
import itertools
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import h2  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

RELOADS = 100
PIPELINED = 32
STREAMS = 32
check = raw.Checks()
stop = threading.Event()
newest = [0]  # the configuration that is in force for sure


def serve(conn, _head, _rest):
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 5\r\n\r\n"
                 b"whole")


# ---- configurations ----

def write(directory, number):
    """What can be changed by a reload changes each time; the name tells which it is."""
    (directory / "proxy.yaml").write_text(
        f"include: conf.d/*.yaml\n"
        f"name: reload-{number}\n"
        f"timeouts: {{first-byte: {number + 10}s, client-idle: {number % 7 + 60}s}}\n"
        f"limits: {{head: {number % 9 + 16}KiB}}\n"
        f"connect-ports: [{number + 1024}]\n"
        f"log: {{access: {directory}/access.{number % 3}.log,"
        f" format: {('squid', 'combined', 'json')[number % 3]}}}\n")
    (directory / "conf.d" / "sites.yaml").write_text("sites:\n" + "".join(
        f"  - {{hosts: [s{n}.example], origins: [http://127.0.0.1:{n + 1}]}}\n"
        for n in range(number % 5 + 1)))


FAULTS = [
    ("conf.d/sites.yaml", "sites: []\nname: twice\n", r"sites\.yaml:2:1: duplicate"),
    ("conf.d/sites.yaml", "sites:\n  - {hosts: [a.example]}\n", r"sites\.yaml:2:5: \"origins\""),
    ("proxy.yaml", "nme: x\n", r"proxy\.yaml:1:1: unknown .* did you mean \"name\""),
    ("proxy.yaml", "timeouts: {connect: soon}\n", r"proxy\.yaml:1:21: \"connect\" cannot be"),
    ("proxy.yaml", "name: [\n", r"proxy\.yaml:2:1: not YAML"),
    ("proxy.yaml", "include: gone.yaml\n", r"proxy\.yaml:1:10: .*gone\.yaml\" cannot be read"),
]


# ---- clients ----

class Crowd:
    """Each client counts what it got, and what was wrong."""

    def __init__(self, port, base):
        self.port, self.base = port, base
        self.count, self.wrong = 0, []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.guard, args=(run,))
                        for run in (self.lasting, self.lasting, self.new, self.streams)]

    def guard(self, run):
        try:
            while not stop.is_set():
                run()
        except Exception as problem:  # pylint: disable=broad-except
            self.wrong.append(f"{run.__name__}: {problem!r}")

    def note(self, kind, answers, names):
        with self.lock:
            self.count += answers
        if names != sorted(names):
            self.wrong.append(f"{kind}: an older configuration after a newer one: {names}")

    def request(self, path, close=False):
        return (f"GET {self.base}/{path} HTTP/1.1\r\nHost: a\r\n"
                f"{'Connection: close' if close else 'Accept: */*'}\r\n\r\n").encode()

    @staticmethod
    def read(conn, wanted):
        data = b""
        while data.count(b"\r\n\r\nwhole") < wanted:
            more = conn.recv(1 << 16)
            if not more:
                raise ConnectionError(f"closed after {data[-200:]!r}")
            data += more
        return data

    def names(self, kind, data, wanted):
        names = [int(n) for n in re.findall(rb"\r\nCache-Status: reload-(\d+);", data)]
        if raw.statuses(data) != [200] * wanted or len(names) != wanted:
            self.wrong.append(f"{kind}: {raw.statuses(data)} {names}")
        return names

    def lasting(self):
        least, last = newest[0], 0
        with raw.connect(self.port, 60) as conn:
            for n in range(100):
                conn.sendall(b"".join(self.request(n % 4) for _ in range(PIPELINED)))
                names = self.names("lasting", self.read(conn, PIPELINED), PIPELINED)
                self.note("lasting", PIPELINED, [max(least, last), *names])
                least, last = newest[0], names[-1]
                if stop.is_set():
                    return

    def new(self):
        least = newest[0]
        with raw.connect(self.port, 60) as conn:
            conn.sendall(self.request("new", close=True))
            data, how = raw.until_end(conn)
        names = self.names("new", data, 1)
        self.note("new", 1, [least, *names])
        if how != "fin":
            self.wrong.append(f"new: ended by {how}")

    def streams(self):
        with h2.Connection(self.port, timeout=60) as conn:
            conn.authority = self.base.split("//")[1]
            for n in range(20):
                least = newest[0]
                ids = [conn.request(f"/h2-{n % 3}") for _ in range(STREAMS)]
                names = []
                for stream in ids:
                    got = conn.response(stream)
                    if got.status != 200 or bytes(got.body) != b"whole":
                        raise ConnectionError(f"{got.heads} {got.reset} {conn.goaways}")
                    names.append(int(re.match(r"reload-(\d+);", got.fields["cache-status"])[1]))
                    del conn.streams[stream]
                self.note("streams", STREAMS, [least, *names])
                if stop.is_set():
                    return


# ---- the administrator ----

def admin(proxy, method, path):
    if proxy.process.poll() is not None:
        print("WRONG: the proxy has ended:", proxy.log.read_text()[-6000:], flush=True)
    data, _ = raw.ask(proxy.admin, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
                                   f"Content-Length: 0\r\nConnection: close\r\n\r\n".encode(), 60)
    head, _, body = data.partition(b"\r\n\r\n")
    if not body:
        print("WRONG: no answer; the proxy said:", proxy.log.read_text()[-6000:], flush=True)
    return int(head.split()[1]), json.loads(body)


def wait(what, condition):
    end = time.monotonic() + 120
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"{what}: waited in vain")
        time.sleep(0.002)


def reload_to(proxy, directory, number):
    write(directory, number)
    status, answer = admin(proxy, "POST", "/reload")
    check(status == 200 and any(c["path"] == "name" for c in answer["changes"]),
          f"reload {number}: {status} {answer}")
    wait("the workers", lambda: admin(proxy, "GET", "/reload/state")[1]["taken"])
    check(refusal(proxy) == "", f"after a reload: {refusal(proxy)!r}")
    check("reload_refused" not in admin(proxy, "GET", "/status")[1], "/status after a reload")
    newest[0] = number


def refusal(proxy):
    """What /warnings say of the last reload."""
    warnings = admin(proxy, "GET", "/warnings")[1]["warnings"]
    return "".join(one["what"] for one in warnings if "reload" in one["what"])


def refuse(proxy, directory, log, number):
    """A fault is refused, said where it is, and logged; then the files are good again."""
    name, text, pattern = FAULTS[number % len(FAULTS)]
    (directory / name).write_text(text)
    before = admin(proxy, "GET", "/reload/state")[1]
    status, answer = admin(proxy, "POST", "/reload")
    after = admin(proxy, "GET", "/reload/state")[1]
    check(status == 400 and re.search(pattern, "\n".join(answer["errors"])),
          f"{pattern}: {status} {answer}")
    check(after["reloads"] == before["reloads"] and after["refused"] == before["refused"] + 1,
          f"{before} -> {after}")
    check(re.search("refused: .*" + pattern, refusal(proxy)), f"{pattern}: {refusal(proxy)!r}")
    said = admin(proxy, "GET", "/status")[1].get("reload_refused", "")
    check(re.search(pattern, said), f"{pattern}: /status says {said!r}")
    logged = log.read_text().replace('\\"', '"')
    check(number >= len(FAULTS) or re.search("reload_refused .*" + pattern, logged),
          f"{pattern} is not in the log")


def by_tool(build, proxy, directory):
    """The same by larderctl: what would change, the reload, and what is wrong with a file."""
    def run(*words):
        return subprocess.run([f"{build}/ctl/larderctl", *words, "--admin",
                               f"127.0.0.1:{proxy.admin}"], capture_output=True, text=True,
                              timeout=120, check=False)
    same = run("diff")
    check(same.returncode == 0 and same.stdout == "no difference\n", f"{same}")
    write(directory, RELOADS)
    with (directory / "proxy.yaml").open("a") as file:
        file.write("memory: 77MiB\n")
    diff = run("diff")
    check(diff.returncode == 1, f"{diff}")
    check(re.search(r"a reload would change:\n(.*\n)*  name: reload-\d+ -> reload-100  # .*"
                    r"proxy\.yaml:2:7\n", diff.stdout), diff.stdout)
    check(re.search(r"only a restart changes:\n  memory\.size: 256MiB -> 77MiB  # .*proxy\.yaml:7:9",
                    diff.stdout), diff.stdout)
    done = run("reload")
    check(done.returncode == 0 and done.stdout.startswith("changed:\n"), f"{done}")
    newest[0] = RELOADS
    still = run("diff")
    check(still.returncode == 1 and "memory.size" in still.stdout and "name" not in still.stdout,
          f"what waits for a restart is not forgotten: {still}")
    (directory / "proxy.yaml").write_text("log: {level: loud}\n")
    for verb, code in (("diff", 2), ("reload", 1)):
        bad = run(verb)
        check(bad.returncode == code and "proxy.yaml:1:14: \"level\" cannot be" in bad.stderr,
              f"{bad}")


def sizes(build):
    """How large what is stored may be changes while the store is open."""
    def respond(conn, head, _rest):
        length = int(head.split(b" ")[1].rsplit(b"/", 1)[1])
        conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: %d\r\n\r\n"
                     % length + b"x" * length)

    def kept(length):
        data, _ = raw.ask(proxy.port, f"GET {origin.base}/{next(names)}/{length} HTTP/1.1\r\n"
                                      f"Host: a\r\nConnection: close\r\n\r\n".encode(), 60)
        return b"; stored" in re.search(rb"\r\nCache-Status: ([^\r]*)", data)[1]

    names = itertools.count()
    origin = raw.Origin(respond)
    with tempfile.TemporaryDirectory(prefix="larder-reload.") as name:
        file = pathlib.Path(name) / "proxy.yaml"
        file.write_text("store: {object-max: 10KiB}\n")
        proxy = larder.Proxy(f"{build}/proxy/larder-proxy", f"{name}/store", "--config", str(file))
        proxy.start()
        check(kept(10_000) and not kept(20_000), "at the start the size does not hold")
        for most, lengths in (("0", (10_000, 20_000, 2_000_000)), ("15KiB", (10_000, 15_000)),
                              ("1MiB", (10_000, 1_000_000))):
            file.write_text(f"store: {{object-max: {most}}}\n")
            check(admin(proxy, "POST", "/reload")[0] == 200, f"{most}: no reload")
            larder.await_taken(proxy.admin)
            check(all(map(kept, lengths)), f"{most}: what fits is not stored")
            check(most == "0" or not kept(2_000_000), f"{most}: what is larger is stored")
        check(proxy.stop(), "it did not leave by itself")


def ending(build):
    """A proxy that has a request to finish before it ends loads nothing any more, and says so."""
    asked, go = threading.Event(), threading.Event()

    def late(conn, head, rest):
        asked.set()
        go.wait(120)
        serve(conn, head, rest)

    origin = raw.Origin(late)
    with tempfile.TemporaryDirectory(prefix="larder-reload.") as name:
        proxy = larder.Proxy(f"{build}/proxy/larder-proxy", f"{name}/store", "--set",
                             "timeouts.drain=5min")
        proxy.start()
        with raw.connect(proxy.port) as conn:
            conn.sendall(f"GET {origin.base}/ HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            asked.wait(60)
            proxy.process.send_signal(signal.SIGTERM)
            wait("it to end", lambda: admin(proxy, "POST", "/reload")[0] != 200)
            status, answer = admin(proxy, "POST", "/reload")
            check(status == 503 and "about to end" in answer["error"], f"{status} {answer}")
            tool = subprocess.run([f"{build}/ctl/larderctl", "reload", "--admin",
                                   f"127.0.0.1:{proxy.admin}"], capture_output=True, text=True,
                                  timeout=120, check=False)
            check(tool.returncode == 1 and "about to end" in tool.stderr, f"{tool}")
            go.set()
            check(raw.until_head(conn)[0].startswith(b"HTTP/1.1 200"), "its request")
        check(proxy.process.wait(timeout=60) == 0, "it did not leave by itself")


class Logged(larder.Proxy):
    log = None

    def popen(self):
        with self.log.open("wb") as file:
            return subprocess.Popen(self.command, stderr=file)


def main():
    build = sys.argv[1]
    larder.need(f"{build}/proxy/larder-proxy")
    sizes(build)
    ending(build)
    origin = raw.Origin(serve)
    with tempfile.TemporaryDirectory(prefix="larder-reload.") as name:
        directory = pathlib.Path(name)
        (directory / "conf.d").mkdir()
        write(directory, 0)
        proxy = Logged(f"{build}/proxy/larder-proxy", f"{name}/store", "--config",
                       f"{name}/proxy.yaml", "--workers", "2")
        proxy.log = directory / "stderr"
        proxy.start()
        crowd = Crowd(proxy.port, origin.base)
        began = time.monotonic()
        for thread in crowd.threads:
            thread.start()
        faults = 0
        for number in range(1, RELOADS):
            reload_to(proxy, directory, number)
            if number % 8 == 0:
                refuse(proxy, directory, proxy.log, faults)
                faults += 1
        write(directory, RELOADS - 1)
        by_tool(build, proxy, directory)
        seconds = time.monotonic() - began
        idle = raw.connect(proxy.port)  # a connection that goes on holds no old configuration
        stop.set()
        for thread in crowd.threads:
            thread.join()
        print(f"{crowd.count} requests in {seconds:.1f} s through {RELOADS} reloads and {faults} "
              f"refused ones")
        check(crowd.count > 10 * RELOADS, f"only {crowd.count} requests")
        for problem in crowd.wrong[:5]:
            check(False, problem)
        wait("old configurations to be gone",
             lambda: admin(proxy, "GET", "/reload/state")[1]["settings"] == 1)
        idle.close()
        check(proxy.stop(), "it did not leave by itself")
    check.end()


if __name__ == "__main__":
    main()
