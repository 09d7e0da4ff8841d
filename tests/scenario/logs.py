#!/usr/bin/env python3
"""Access logs of all kinds at once, and those who watch: logs.py BUILD

Files in Squid's, the combined, JSON and an own format, a syslog and a journald; none shows a secret.
A log that nobody reads loses lines, which are counted, and stops nothing. Files that were moved away
are opened anew by SIGUSR1 and by larderctl; a reload adds and drops logs, and is refused when one
cannot be opened. A start that cannot listen ends with its logs. larderctl tail and top show what
their filters let through, and one that stands still is waited for by nobody. top follows the size of
its terminal, and gives it back as it was, also for a while (Ctrl-Z).
"""
import fcntl
import http.client
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

SECRETS = ("sesame", "hunter2", "c29tZWJvZHk")
check = raw.Checks()


def serve(conn, head, _rest):
    if b"/upgrade" in head.split(b"\r\n")[0]:
        conn.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        return True
    gone = b"/gone" in head.split(b"\r\n")[0]
    conn.sendall(b"HTTP/1.1 " + (b"404 Not Found" if gone else b"200 OK") +
                 b"\r\nCache-Control: max-age=600\r\nContent-Type: text/plain; charset=x\r\n"
                 b"Content-Length: 5\r\n\r\nwhole")


def wait(what, condition):
    end = time.monotonic() + 120
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"{what}: waited in vain")
        time.sleep(0.01)


def metric(proxy, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}/metrics", timeout=60) as answer:
        return int(re.search(rf"^{name} (\d+)".encode(), answer.read(), re.M)[1])


class Socket:
    """What arrives as datagrams."""

    def __init__(self, path):
        self.lines = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            self.lines.append(self.socket.recv(65536).decode())


def config(directory, logs):
    (directory / "proxy.yaml").write_text("log:\n  access:\n" + "".join(
        f"    - {log}\n" for log in logs))


def get(proxy, url, *fields):
    lines = "".join(f"{field}\r\n" for field in fields)
    data, _ = raw.ask(proxy.port, f"GET {url} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}"
                                  "\r\n".encode(), 60)
    return (raw.statuses(data) or [0])[0]


def read(path):
    return path.read_text() if path.exists() else ""


def tool(build, proxy, *words, **more):
    return subprocess.run([f"{build}/ctl/larderctl", *words, "--admin",
                           f"127.0.0.1:{proxy.admin}"], capture_output=True, text=True,
                          timeout=120, check=False, **more)


def formats(directory, proxy, origin):
    syslog, journald = Socket(directory / "syslog"), Socket(directory / "journald")
    config(directory, [
        "squid.log",
        "{to: combined.log, format: combined}",
        "{to: all.json, format: json}",
        "{to: some.json, format: json, fields: [status, url, user_agent, request.authorization]}",
        "{to: own.log, format: '{client} {status} {outcome} \"{user_agent}\" "
        "{request.Authorization} {request.x-id} {{}} {referer}'}",
        "{to: fields.log, fields: [method, path, result]}",
        f"{{to: 'syslog:{directory}/syslog', format: '{{method}} {{url}}'}}",
        f"{{to: 'journald:{directory}/journald', format: '{{method}} {{url}}'}}"])
    check(larder_reload(proxy) == 200, "the logs are opened")
    check(get(proxy, f"{origin.base}/a?token=sesame&b=1", "Authorization: Basic c29tZWJvZHk6aHVu",
              "User-Agent: Agent \"1\" (x)", "X-Id: 7 8",
              "Referer: http://me:hunter2@there/p?token=sesame") == 200, "a request")
    base = re.escape(origin.base)
    wanted = {
        "squid.log": rf"^\d+\.\d{{3}} +\d+ 127\.0\.0\.1 TCP_MISS/200 \d+ GET {base}/a\?token=…&b=1 "
                     rf"- HIER_DIRECT/\S+ text/plain \S+$",
        "combined.log": rf"^127\.0\.0\.1 - - \[[^]]+\] \"GET {base}/a\?token=…&b=1 HTTP/1\.1\" 200 "
                        rf"\d+ \"there/p\" \"Agent '1' \(x\)\" TCP_MISS:HIER_DIRECT/\S+ \S+$",
        "own.log": r"^127\.0\.0\.1 200 miss \"Agent '1' \(x\)\" … 7%208 \{\} there/p$",
        "fields.log": r"^GET /a\?token=…&b=1 TCP_MISS$",
    }
    for name, pattern in wanted.items():
        wait(name, lambda name=name: read(directory / name))
        check(re.fullmatch(pattern + "\n", read(directory / name), re.M),
              f"{name}: {read(directory / name)}")
    wait("JSON", lambda: read(directory / "all.json") and read(directory / "some.json"))
    check(json.loads(read(directory / "all.json"))["outcome"] == "miss", "JSON has the decision")
    some = json.loads(read(directory / "some.json"))
    check(some == {"status": 200, "url": f"{origin.base}/a?token=…&b=1",
                   "user_agent": "Agent '1' (x)", "request.authorization": "…"}, f"{some}")
    wait("datagrams", lambda: syslog.lines and journald.lines)
    check(re.fullmatch(rf"<30>larder-proxy\[{proxy.process.pid}\]: GET {base}/a\?token=…&b=1",
                       syslog.lines[0]), f"as syslog(3) does: {syslog.lines}")
    entry = dict(line.split("=", 1) for line in journald.lines[0].splitlines())
    check(entry["MESSAGE"].endswith("token=…&b=1") and entry["PRIORITY"] == "6" and
          entry["SYSLOG_IDENTIFIER"] == "larder-proxy", f"journald: {journald.lines}")
    everything = "".join(read(path) for path in directory.glob("*.*")) + \
        "".join(syslog.lines + journald.lines)
    for secret in SECRETS:
        check(secret not in everything, f"{secret} is shown")
    check("hunter2" not in everything, "a password is shown")


def larder_reload(proxy):
    request = urllib.request.Request(f"http://127.0.0.1:{proxy.admin}/reload", method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status = answer.status
        wait("all workers", lambda: json.load(urllib.request.urlopen(
            f"http://127.0.0.1:{proxy.admin}/reload/state", timeout=60))["taken"])
        return status
    except urllib.error.HTTPError as problem:
        return problem.code


def moved_away(build, directory, proxy, origin):
    """By logrotate, and by hand; and what a reload changes."""
    log = directory / "squid.log"
    for way in ("signal", "larderctl"):
        log.rename(directory / f"{way}.old")
        if way == "signal":
            proxy.process.send_signal(signal.SIGUSR1)
        else:
            check(tool(build, proxy, "reopen").returncode == 0, "larderctl reopen")
        wait("the new file", log.exists)
        get(proxy, f"{origin.base}/after-{way}")
        wait("a line in it", lambda way=way: f"/after-{way}" in read(log))
        check(f"/after-{way}" not in read(directory / f"{way}.old"), "the old one is left alone")
    wait("a line in another one", lambda: "/after-larderctl" in read(directory / "fields.log"))
    config(directory, ["squid.log", "nowhere/at.log"])
    check(larder_reload(proxy) == 400, "a log that cannot be opened is no configuration")
    for said in (tool(build, proxy, "reload"),
                 subprocess.run([f"{build}/ctl/larderctl", "check", f"{directory}/proxy.yaml"],
                                capture_output=True, text=True, timeout=60, check=False)):
        check(said.returncode == 1 and re.search(r"proxy\.yaml:4:7: the folder of the log "
                                                 r"\".*nowhere/at\.log\": No such file", said.stderr),
              f"{said}")
    config(directory, ["squid.log"])
    check(larder_reload(proxy) == 200, "fewer logs")
    size = (directory / "fields.log").stat().st_size
    get(proxy, f"{origin.base}/fewer")
    wait("a line", lambda: "/fewer" in read(log))
    check((directory / "fields.log").stat().st_size == size, "a log that is gone gets no more")


def not_reopened(build, directory, proxy, origin):
    """Who asks for it is told of a log that cannot be, and it goes on with the old file."""
    (directory / "in").mkdir()
    config(directory, ["squid.log", "in/other.log"])
    check(larder_reload(proxy) == 200, "a log in a folder")
    (directory / "in").rename(directory / "out")
    said = tool(build, proxy, "reopen")
    check(said.returncode == 1 and not said.stdout and
          re.search(r'the log ".*in/other\.log" cannot be reopened: No such file', said.stderr),
          f"{said}")
    get(proxy, f"{origin.base}/goes-on")
    wait("the old file", lambda: "/goes-on" in read(directory / "out" / "other.log"))
    check(larder_reload(proxy) == 200, "what is open needs no folder")
    (directory / "out").rename(directory / "in")
    check(tool(build, proxy, "reopen").returncode == 0, "it is there again")


def absent(build, directory, proxy, origin):
    """A system's log that is not there keeps nothing from starting; it is found when it comes."""
    path = directory / "later"
    config(directory, ["squid.log", f"'journald:{path}'"])
    said = subprocess.run([f"{build}/ctl/larderctl", "check", f"{directory}/proxy.yaml"],
                          capture_output=True, text=True, timeout=60, check=False)
    check(said.returncode == 0 and f"the socket {path} of the log" in said.stderr, f"{said}")
    proxy.stop()
    proxy.start()
    lost = metric(proxy, "larder_access_log_dropped_total")
    get(proxy, f"{origin.base}/too-early")
    wait("it to be lost", lambda: metric(proxy, "larder_access_log_dropped_total") == lost + 1)
    said = tool(build, proxy, "reopen")
    check(said.returncode == 1 and f'"journald:{path}" cannot be reopened' in said.stderr, f"{said}")
    late = Socket(path)
    get(proxy, f"{origin.base}/in-time")
    wait("a datagram", lambda: late.lines)
    check("/in-time" in late.lines[0], f"{late.lines}")
    check(metric(proxy, "larder_access_log_dropped_total") == lost + 1, "nothing else is lost")


def stalled(directory, proxy, origin):
    """A syslog that does not read: its lines are lost and counted, and all else goes on."""
    mute = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    mute.bind(str(directory / "mute"))
    config(directory, ["squid.log", f"'syslog:{directory}/mute'"])
    check(larder_reload(proxy) == 200, "a log that nobody reads")
    request = f"GET {origin.base}/x?{'y' * 4000} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    count, lost = 0, metric(proxy, "larder_access_log_dropped_total")
    with raw.connect(proxy.port, 60) as conn:
        while metric(proxy, "larder_access_log_dropped_total") == lost:
            conn.sendall(request * 100)
            data = b""
            while data.count(b"\r\n\r\nwhole") < 100:
                data += conn.recv(1 << 20)
            count += 100
    print(f"{count} requests until lines were lost")
    config(directory, ["squid.log"])
    check(larder_reload(proxy) == 200, "without it again")
    get(proxy, f"{origin.base}/still-here")
    wait("the other log", lambda: "/still-here" in read(directory / "squid.log"))
    mute.close()


def origins(directory, proxy, origin):
    """Whom the origin was asked of: of a new connection and a used one, of a tunnel and an upgrade."""
    config(directory, ["squid.log", "{to: origins.log, format: '{method} {path} {outcome} {origin} {hierarchy}'}",
                       "{to: origins.json, format: json}"])
    check(larder_reload(proxy) == 200, "one with origins")
    for path in ("/new", "/used", "/new"):
        get(proxy, origin.base + path)
    get(proxy, f"http://127.0.0.1:{larder.free_port()}/nobody")
    raw.ask(proxy.port, f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1\r\nHost: a\r\n\r\n".encode(), 60)
    get(proxy, origin.base + "/upgrade", "Connection: upgrade", "Upgrade: websocket")
    wanted = ["GET /new miss 127.0.0.1 HIER_DIRECT/127.0.0.1",
              "GET /used miss 127.0.0.1 HIER_DIRECT/127.0.0.1",
              "GET /new hit-memory - HIER_NONE/-",
              "GET /nobody error - HIER_NONE/-",
              "CONNECT - tunnel 127.0.0.1 HIER_DIRECT/127.0.0.1",
              "GET /upgrade tunnel 127.0.0.1 HIER_DIRECT/127.0.0.1"]
    log = directory / "origins.log"
    wait("a line of each", lambda: read(log).count("\n") >= len(wanted))
    check(sorted(read(log).splitlines()) == sorted(wanted), read(log))
    wait("the same in JSON", lambda: read(directory / "origins.json").count("\n") >= len(wanted))
    lines = [json.loads(line) for line in read(directory / "origins.json").splitlines()]
    check([line.get("origin") for line in lines if line["url"].endswith("/new")] in
          (["127.0.0.1", None], [None, "127.0.0.1"]), f"{lines}")
    config(directory, ["squid.log"])
    check(larder_reload(proxy) == 200, "without it again")


def refused(directory, proxy):
    """The answer to a head that makes no sense is counted, too."""
    before = metric(proxy, "larder_client_sent_bytes_total")
    answer, _ = raw.ask(proxy.port, b"GET / HTTP/1.1\nHost: x\n\n", 60)
    check(raw.statuses(answer) == [400], f"{answer}")
    wait("a line", lambda: "error:invalid-request" in read(directory / "squid.log"))
    line = next(line for line in read(directory / "squid.log").splitlines()
                if "error:invalid-request" in line)
    check(f"/400 {len(answer)} " in line, f"{len(answer)} bytes: {line}")
    sent = metric(proxy, "larder_client_sent_bytes_total") - before
    check(sent == len(answer), f"{sent} bytes in the metrics, {len(answer)} sent")


class Tail:
    def __init__(self, build, proxy, *words):
        self.process = subprocess.Popen(
            [f"{build}/ctl/larderctl", *words, "--admin", f"127.0.0.1:{proxy.admin}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self):
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, out, err


def watchers(proxy):
    return metric(proxy, "larder_tail_watchers")


def watched(build, proxy, origin):
    tails = {
        "all": Tail(build, proxy, "tail", "-n", "4"),
        "missing": Tail(build, proxy, "tail", "-n", "1", "--status", "4xx", "--json"),
        "path": Tail(build, proxy, "tail", "-n", "2", "--path", "/b*", "--client", "127.0.0.0/8"),
        "hits": Tail(build, proxy, "tail", "-n", "1", "--outcome", "hit-memory", "--host", "127.*"),
        "top": Tail(build, proxy, "top", "--once", "-n", "4", "--by", "url"),
        "host": Tail(build, proxy, "tail", "-n", "1", "--host", origin.base.split("/")[-1]),
        "none": Tail(build, proxy, "tail", "--slower", "86400000"),
    }
    wait("all to watch", lambda: watchers(proxy) == len(tails))
    for path in ("/gone", "/b1", "/b1", "/b2?secret=sesame"):
        get(proxy, origin.base + path)
    status, out, _ = tails["all"].end()
    check(status == 0 and len(out.splitlines()) == 4 and "sesame" not in out and
          re.search(r"\d\d:\d\d:\d\d\.\d{3} 127\.0\.0\.1 +miss +404 .* GET http\S+/gone ", out), out)
    status, out, _ = tails["missing"].end()
    check(status == 0 and json.loads(out)["url"].endswith("/gone"), out)
    status, out, _ = tails["path"].end()
    check(status == 0 and [line.split()[-2].rsplit("/", 1)[1] for line in out.splitlines()] ==
          ["b1", "b1"], out)
    status, out, _ = tails["hits"].end()
    check(status == 0 and "/b1" in out, out)
    status, out, _ = tails["top"].end()
    rows = out.splitlines()
    check(status == 0 and "all of 4" in rows[0] and len(rows) == 5 and rows[2].endswith("/b1") and
          " 50 % " in rows[2], out)
    status, out, _ = tails["host"].end()
    check(status == 0 and "/gone" in out, f"a host as top shows it: {out}")
    tails["none"].process.send_signal(signal.SIGINT)
    check(tails["none"].end()[:2] == (0, ""), "nothing is that slow, and Ctrl-C is a good end")
    wait("them to be gone", lambda: watchers(proxy) == 0)
    wrong = tool(build, proxy, "tail", "--outcome", "luck")
    check(wrong.returncode == 2 and "there is no such outcome" in wrong.stderr, f"{wrong}")
    wrong = tool(build, proxy, "tail", "--status", "6xx")
    check(wrong.returncode == 2 and "1xx to 5xx" in wrong.stderr, f"{wrong}")


def watch(proxy):
    """One who watches what never comes. Returns the connection and the status of the answer."""
    line = http.client.HTTPConnection("127.0.0.1", proxy.admin, timeout=60)
    line.request("GET", "/tail?slower=86400000")
    return line, line.getresponse().status


def too_many_watch(build, proxy):
    lines, told = zip(*(watch(proxy) for _ in range(16)))
    check(set(told) == {200}, f"the first ones: {told}")
    more, status = watch(proxy)
    check(status == 503, f"one more: {status}")
    wrong = tool(build, proxy, "tail", "-n", "1")
    check(wrong.returncode == 2 and "too many clients" in wrong.stderr, f"{wrong}")
    for line in (*lines, more):
        line.close()
    wait("all to be gone", lambda: watchers(proxy) == 0)


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, *command):
        self.shown = b""
        self.pid, self.end = pty.fork()
        if self.pid == 0:
            os.execv(command[0], command)

    def await_text(self, wanted):
        """What is shown from now on has it."""
        self.shown = b""
        end = time.monotonic() + 60
        while wanted not in self.shown and time.monotonic() < end:
            if select.select([self.end], [], [], 1)[0]:
                self.shown += os.read(self.end, 65536)
        check(wanted in self.shown, f"{wanted} in the terminal: {self.shown[-500:]}")

    def resize(self, columns, rows):
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def echoes(self):
        return bool(termios.tcgetattr(self.end)[3] & termios.ECHO)


def in_a_terminal(build, proxy):
    top = Terminal(f"{build}/ctl/larderctl", "top", "--admin", f"127.0.0.1:{proxy.admin}")
    top.await_text(b"requests/s")
    check(not top.echoes(), "keys are taken, not shown")
    top.resize(40, 10)
    top.await_text(b"each s   hits  host")
    top.await_text(b"\x1b[10;1H\x1b[2m[q]uit")
    os.write(top.end, b"c")
    top.await_text(b"hits  client")
    os.write(top.end, b"\x1a")
    top.await_text(b"\x1b[?25h\x1b[?1049l")
    _, status = os.waitpid(top.pid, os.WUNTRACED)
    check(os.WIFSTOPPED(status) and top.echoes(), f"Ctrl-Z gives the terminal back: {status}")
    os.kill(top.pid, signal.SIGCONT)
    top.await_text(b"\x1b[?1049h")
    top.await_text(b"hits  client")
    check(not top.echoes(), "and it comes again")
    os.write(top.end, b"\x03")
    top.await_text(b"\x1b[?25h\x1b[?1049l")
    check(top.echoes(), "Ctrl-C gives the terminal back")
    _, status = os.waitpid(top.pid, 0)
    check(status == 0, f"and is a good end: {status}")
    os.close(top.end)


def slow_watcher(proxy, origin):
    """Who does not read loses lines; the proxy and other watchers go on."""
    request = f"GET {origin.base}/z?{'y' * 4000} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    with raw.connect(proxy.admin, 60, receive_buffer=4096) as mute, \
            raw.connect(proxy.port, 60) as conn:
        mute.sendall(b"GET /tail HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait("it to watch", lambda: watchers(proxy) == 1)
        while metric(proxy, "larder_tail_dropped_total") == 0:
            conn.sendall(request * 100)
            data = b""
            while data.count(b"\r\n\r\nwhole") < 100:
                data += conn.recv(1 << 20)
        # then it reads again, and is told
        data = b""
        while b'{"dropped":' not in data[-600000:]:
            more = mute.recv(1 << 20)
            data += more
            if not more:
                check(False, "the watcher was cut off")
                return
    wait("it to be gone", lambda: watchers(proxy) == 0 or not get(proxy, origin.base + "/end"))


def port_is_taken(build, directory, proxy):
    """A start that fails leaves at once: nobody keeps its logs open."""
    other = larder.Proxy(f"{build}/proxy/larder-proxy", f"{directory}/other", "--listen",
                         f"127.0.0.1:{proxy.port}", "--access-log", f"{directory}/other.log")
    done = subprocess.run(other.command, capture_output=True, text=True, timeout=120, check=False)
    check(done.returncode == 1, f"it ended with {done.returncode}")
    check("listen_failed" in done.stderr, f"it does not say what is wrong: {done.stderr}")
    check("access_log_stuck" not in done.stderr, f"it waits for its own logs: {done.stderr}")


def main():
    build = sys.argv[1]
    larder.need(f"{build}/proxy/larder-proxy")
    origin = raw.Origin(serve)
    with tempfile.TemporaryDirectory(prefix="larder-logs.") as name:
        directory = pathlib.Path(name)
        config(directory, ["squid.log"])
        proxy = larder.Proxy(f"{build}/proxy/larder-proxy", f"{name}/store", "--config",
                             f"{name}/proxy.yaml", "--workers", "2", "--set",
                             "connect-ports=[1-65535]")
        proxy.start()
        formats(directory, proxy, origin)
        moved_away(build, directory, proxy, origin)
        not_reopened(build, directory, proxy, origin)
        absent(build, directory, proxy, origin)
        config(directory, ["squid.log"])
        check(larder_reload(proxy) == 200, "one log")
        origins(directory, proxy, origin)
        refused(directory, proxy)
        stalled(directory, proxy, origin)
        watched(build, proxy, origin)
        too_many_watch(build, proxy)
        in_a_terminal(build, proxy)
        slow_watcher(proxy, origin)
        port_is_taken(build, directory, proxy)
        check(proxy.stop(), "it did not leave by itself")
    check.end()


if __name__ == "__main__":
    main()
