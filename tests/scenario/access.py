#!/usr/bin/env python3
"""Who may go where: access.py BUILD

Rules by user, group, host list, method and hours; passwords in every way a client may say them, and
in many no client should; reloads; what larderctl explain and the log say of it all.
"""
import base64
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import h2  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

check = raw.Checks()

# Of "password", by libcrypt (bcrypt of the lowest cost, yescrypt) and openssl passwd.
BCRYPT = "$2y$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm"
YESCRYPT = "$y$j75$saltsaltsalt$EJVmvLaWqQibNwAKXpgavjVqkjgw4EyKMKuwMa4X504"
APR1 = "$apr1$r31.....$ARC3pREO82RIm0aQ2zszC0"

CONFIG = """
listen: "127.0.0.1:{port}"
admin: "127.0.0.1:{admin}"
workers: {workers}
allow-targets: 127.0.0.0/8
connect-ports: 1-65535
log: {{access: access.log}}
users: {{file: passwd, groups: groups, realm: "Our \\"école\\""}}
access:
  - deny: {{host-files: list}}
  - allow: {{hosts: free.test}}
  - deny: {{groups: pupils, methods: PUT}}
  - deny: {{groups: pupils, hours: "{never}"}}
  - allow: {{users: "*"}}
"""


class World:
    def __init__(self, build, folder):
        self.folder = pathlib.Path(folder)
        self.build = build
        self.port, self.admin = larder.free_port(), larder.free_port()
        self.log = open(self.folder / "stderr", "wb")
        self.write("passwd", f"anna:{BCRYPT}\nbert:{YESCRYPT}\npaul:{APR1}\n"
                             f"gr\u00fcn:{APR1}\n")
        self.write("groups", "pupils: paul\n")
        self.write("list", "# what nobody may see\nblocked.test\n0.0.0.0 hosts.test\n"
                           "192.0.2.77\nxn--bro-hoa.test\n")
        self.configure("00:00-00:01" if time.localtime().tm_hour > 11 else "23:58-23:59")
        self.process = subprocess.Popen(
            [f"{build}/proxy/larder-proxy", "--config", str(self.folder / "larder.yaml")],
            stderr=self.log)
        larder.await_port("127.0.0.1", self.port, self.process)
        larder.await_port("127.0.0.1", self.admin, self.process)

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")

    def configure(self, never):
        self.write("larder.yaml", CONFIG.format(port=self.port, admin=self.admin, never=never,
                                                workers=os.environ.get("LARDER_WORKERS", "2")))

    def said(self, event):
        return [line for line in (self.folder / "stderr").read_text().splitlines()
                if f" {event} " in line]

    def reload(self, event):
        """SIGHUP, until the proxy says once more how that went."""
        before = len(self.said(event))
        self.process.send_signal(signal.SIGHUP)
        until(lambda: len(self.said(event)) > before, f"a reload ends with {event}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        check(self.process.wait(timeout=60) == 0, "the proxy leaves by itself")
        self.log.close()


def until(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return check(True, what)
        time.sleep(0.01)
    return check(False, what)


def basic(user, password):
    both = f"{user}:{password}".encode() if isinstance(user, str) else user + b":" + password
    return b"Basic " + base64.b64encode(both)


def serve(conn, head, rest):
    """Tells the length of what it was sent."""
    fields = head.lower()
    body = rest
    if b"transfer-encoding: chunked" in fields:
        while not body.endswith(b"0\r\n\r\n"):
            body += conn.recv(65536)
        body = raw.unchunked(head, body)
    match = re.search(rb"content-length: (\d+)", fields)
    while match and len(body) < int(match[1]):
        body += conn.recv(65536)
    said = b"%d" % len(body)
    kept = b"max-age=60\r\nVary: Proxy-Authorization" if b"/kept " in head else b"no-store"
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: %s\r\nContent-Length: %d\r\n\r\n%s"
                 % (kept, len(said), said))


def request(world, target, *fields, method=b"GET", host=b"a", body=b""):
    head = b"%s %s HTTP/1.1\r\nHost: %s\r\n" % (method, target, host)
    head += b"".join(b"%s\r\n" % field for field in fields)
    if method in (b"PUT", b"POST"):
        head += b"Content-Length: %d\r\n" % len(body)
    data, _ = raw.ask(world.port, head + b"Connection: close\r\n\r\n" + body, timeout=60)
    return data


def status(*args, **kwargs):
    return (raw.statuses(request(*args, **kwargs)) or [0])[0]


def reason(*args, **kwargs):
    """Why it was not let through. Port 25 is refused behind the rules, before any name is asked for:
    so "target-port" says that they hold."""
    match = re.search(rb"Cache-Status: .*detail=([a-z-]+)", request(*args, **kwargs))
    return match[1].decode() if match else None


def auth(user, password):
    return b"Proxy-Authorization: " + basic(user, password)


# ---- cases ----

def passwords(world, origin):
    url = origin.base.encode() + b"/"
    answer = request(world, url)
    check(b" 407 " in answer.split(b"\r\n")[0], "without a password")
    check('Proxy-Authenticate: Basic realm="Our \\"école\\"", charset="UTF-8"\r\n'.encode() in answer,
          f"the challenge: {answer[:400]}")
    check(b"Proxy-Status:" in answer and b"no-store" in answer, "407 is told, and not kept")
    for user in ("anna", "bert", "paul", "gr\u00fcn"):
        check(status(world, url, auth(user, "password")) == 200, f"{user} is let in")
        check(status(world, url, auth(user, "passwore")) == 407, f"{user} with a wrong password")
    check(status(world, url, auth("nobody", "password")) == 407, "nobody")
    check(status(world, url, b"pRoxy-authorization:   bASIC  " +
                 base64.b64encode(b"anna:password") + b"  ") == 200, "in another notation")
    check(reason(world, b"http://free.test:25/") == "target-port", "a rule before asks nobody")


def tricks(world, origin):
    url = origin.base.encode() + b"/"
    right = auth("anna", "password")
    wrong = auth("anna", "wrong")
    encode = base64.b64encode
    for fields, wanted in (
            ([right, right], 407), ([right, wrong], 407), ([wrong, right], 407),
            ([b"Authorization: " + basic("anna", "password")], 407),
            ([b"Connection: Proxy-Authorization", right], 200),
            ([right + b", " + basic("anna", "password")], 407),
            ([b"Proxy-Authorization: " + basic("anna", "password")[6:]], 407),
            ([b"Proxy-Authorization: Basic"], 407), ([b"Proxy-Authorization:"], 407),
            ([b"Proxy-Authorization: Basic " + encode(b"anna")], 407),
            ([b"Proxy-Authorization: Basic " + encode(b"anna:password\0")], 407),
            ([b"Proxy-Authorization: Basic " + encode(b"anna\0:password")], 407),
            ([b"Proxy-Authorization: Basic " + encode(b"anna\0x:password")], 407),
            ([b"Proxy-Authorization: Basic " + encode(b"anna:password\n")], 407),
            ([b"Proxy-Authorization: Basic " + encode(b":password")], 407),
            ([b"Proxy-Authorization: Basic " + encode(b"\xff\xfe:password")], 407),
            ([b"Proxy-Authorization: Basic " + encode(b"anna:" + b"p" * 200)], 407),
            ([b"Proxy-Authorization: Basic " + encode(b"anna:" + b"p" * 20000)], 407),
            ([b"Proxy-Authorization: Basic " + b"A" * 40000], 431),
            ([b"Proxy-Authorization: Basic YW5uYTpwYXNz d29yZA=="], 407),
            ([b"Proxy-Authorization: Basic YW5uYTpwYXNzd29yZA==\x00"], 400),
            ([b"Proxy-Authorization : " + basic("anna", "password")], 400),
            ([b"Proxy-Authorization: Digest username=\"anna\""], 407),
            ([b"Proxy-Authorization: Basic YW5uYTpwYXNzd29yZA"], 200),
    ):
        got = status(world, url, *fields)
        check(got == wanted, f"{got}, not {wanted}, for {[f[:60] for f in fields]}")
    # Who takes the proxy for a site is nobody, whatever it says.
    got = status(world, b"/", right, host=b"127.0.0.1")
    check(got == 403, f"a site's client: {got}")


def counted(world, origin):
    """A Host that is not the URL's is counted once, though who asks has to be found out first."""
    def overruled():
        with urllib.request.urlopen(f"http://127.0.0.1:{world.admin}/metrics", timeout=60) as page:
            text = page.read().decode()
        return int(text.split("\nlarder_hosts_overruled_total ")[1].split("\n")[0])
    before = overruled()
    check(status(world, origin.base.encode() + b"/", auth("anna", "password")) == 200, "one more")
    check(overruled() - before == 1, f"it was counted {overruled() - before} times")


def selected(world, origin):
    """Passwords select no responses, as origins do not see them; so they are in no key."""
    url = origin.base.encode() + b"/kept"
    check(status(world, url, auth("anna", "password")) == 200, "anna fetches it")
    answer = request(world, url, auth("bert", "password"))
    check(b"; hit" in answer, f"and bert has it from the cache: {answer}")


def hosts(world):
    right = auth("anna", "password")
    for host in (b"blocked.test", b"BLOCKED.test", b"www.blocked.test", b"blocked.test.",
                 b"a.b.c.Blocked.TEST.", b"hosts.test", b"192.0.2.77", b"[::ffff:192.0.2.77]",
                 b"[::FFFF:C000:24D]", b"xn--bro-hoa.test", b"XN--BRO-HOA.test"):
        check(reason(world, b"http://%s:25/" % host, right) == "access", f"GET {host}")
        check(reason(world, b"http://%s:25/" % host, right, host=b"free.test") == "access",
              f"GET {host} with another Host")
        check(reason(world, b"%s:443" % host, right, method=b"CONNECT") == "access",
              f"CONNECT {host}")
    for host, wanted in ((b"blocked%2etest", "target-port"), (b"b%6cocked.test", "target-port"),
                         (b"notblocked.test", "target-port"),
                         (b"blocked.test.free.test", "target-port"),
                         (b"b\xc3\xbcro.test", "bad-request"),
                         (b"blocked.test@free.test", "bad-request"),
                         (b"3221226061", "bad-request"), (b"0xc000024d", "bad-request"),
                         (b"192.0.589", "bad-request")):
        got = reason(world, b"http://%s:25/" % host, right)
        check(got == wanted, f"{got} for {host}")


def upgrades(world, origin):
    """A WebSocket is a request like others: the rules come first."""
    asked = (b"Upgrade: websocket", b"Connection: Upgrade",
             b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Sec-WebSocket-Version: 13")
    right = auth("anna", "password")
    url = origin.base.encode() + b"/"
    check(reason(world, b"http://blocked.test:25/", right, *asked) == "access", "a blocked host")
    check(status(world, url, *asked) == 407, "who is it?")
    check(status(world, url, *asked, auth("anna", "wrong")) == 407, "with a wrong password")
    check(status(world, url, *asked, right) == 200, "an origin that does not upgrade answers")
    check(reason(world, b"http://free.test:25/", *asked) == "target-port", "one free for all")


def groups(world, origin):
    url = origin.base.encode() + b"/"
    check(status(world, url, auth("paul", "password"), method=b"PUT", body=b"x") == 403,
          "pupils do not PUT")
    check(status(world, url, auth("anna", "password"), method=b"PUT", body=b"x") == 200,
          "others do")
    check(status(world, url, auth("paul", "password")) == 200, "pupils GET")


def bodies(world, origin):
    """What a client sends while its password is compared gets to the origin."""
    world.write("passwd", "".join(f"user{n}:{BCRYPT}\n" for n in range(20)) +
                f"anna:{BCRYPT}\npaul:{APR1}\n")
    world.reload("reloaded")
    for n in range(20):
        body = b"x" * (n * 40000)
        answer = request(world, origin.base.encode() + b"/", auth(f"user{n}", "password"),
                         method=b"POST", body=body)
        check(answer.endswith(b"\r\n\r\n%d" % len(body)), f"{len(body)} bytes sent: {answer[-80:]}")


def tunnels(world, echo):
    target = b"127.0.0.1:%d" % echo
    for user, password, wanted in (("anna", "password", 200), ("anna", "no", 407)):
        with raw.connect(world.port) as conn:
            conn.sendall(b"CONNECT %s HTTP/1.1\r\nHost: a\r\n%s\r\n\r\nearly" %
                         (target, auth(user, password)))
            head, rest = raw.until_head(conn)
            check(raw.statuses(head) == [wanted], f"CONNECT as {user}: {head[:60]}")
            if wanted == 200:
                conn.sendall(b" and late")
                conn.shutdown(socket.SHUT_WR)
                check(rest + raw.until_end(conn)[0] == b"early and late", "the tunnel echoes")
    check(status(world, target, method=b"CONNECT") == 407, "CONNECT without a password")


def http2(world, origin, echo):
    field = ("proxy-authorization", basic("anna", "password").decode())
    wrong = ("proxy-authorization", basic("anna", "wrong").decode())
    authority = origin.base.removeprefix("http://")

    def get(conn, *fields):
        stream = conn.request("/", authority=authority, more=fields)
        return conn.response(stream).status

    def connect(conn, *fields):
        stream = conn.headers([(":method", "CONNECT"), (":authority", f"127.0.0.1:{echo}"),
                               *fields], end=False)
        conn.send(h2.data(stream, b"hello", end=True))
        answer = conn.response(stream)
        return answer.status, bytes(answer.body)

    with h2.Connection(world.port, timeout=60) as conn:
        check(get(conn) == 407, "h2 without a password")
        check(get(conn, field) == 200, "h2 with one")
        check(get(conn, wrong) == 407, "h2 with a wrong one")
        check(get(conn, field, field) == 407, "h2 with two fields")
        check(get(conn, field, wrong) == 407, "h2 with two different fields")
        check(connect(conn, field) == (200, b"hello"), "h2 CONNECT")
        check(connect(conn)[0] == 407, "h2 CONNECT without a password")
        check("proxy-authenticate" in conn.streams[1].fields, "h2 is told how")


def curl(world, origin):
    """A client as people use it: it asks, is asked, and asks again."""
    def run(*words):
        return subprocess.run(["curl", "-s", "-m", "60", "-x", f"http://127.0.0.1:{world.port}",
                               "-o", "/dev/null", "-w", "%{http_code}", *words],
                              capture_output=True, text=True, check=False).stdout
    url = origin.base + "/"
    check(run(url) == "407", "curl without a user")
    check(run("-U", "anna:password", url) == "200", "curl -U")
    check(run("--proxy-anyauth", "-U", "anna:password", url) == "200", "curl --proxy-anyauth")
    check(run("--proxy-anyauth", "-U", "anna:wrong", url) == "407", "curl with a wrong password")
    check(run("--proxy-anyauth", "-p", "-U", "anna:password", url) == "200", "curl through CONNECT")


def flood(world, origin):
    """Many who guess hold up nobody who is known, and nothing else."""
    url = origin.base.encode() + b"/"
    right = auth("anna", "password")
    check(status(world, url, right) == 200, "anna is known")
    seen = []

    def guess(first):
        for n in range(first, first + 40):
            seen.append(status(world, url, auth(f"user-{n}", f"guess-{n}")))
    threads = [threading.Thread(target=guess, args=(n * 1000,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        check(status(world, url, right) == 200, "anna is let in while others guess")
        check(reason(world, b"http://free.test:25/") == "target-port",
              "and who needs no password")
    for thread in threads:
        thread.join()
    check(set(seen) <= {407, 429, 503} and 429 in seen, f"guesses get {set(seen)}")


def reloads(world, origin):
    right = auth("anna", "password")
    reads = len(world.said("host_file_read"))
    check(reads == 1, f"the list is read once: {reads}")
    world.reload("reloaded")
    check(len(world.said("host_file_read")) == reads, "what has not changed is not read again")
    world.write("list", "blocked.test\nhosts.test\nlate.test\n")
    check(reason(world, b"http://late.test:25/", right) == "target-port", "not listed yet")
    world.reload("reloaded")
    check(reason(world, b"http://late.test:25/", right) == "access", "listed by the reload")
    world.write("list", "blocked.test\nno host at all\n")
    world.write("passwd", "anna:plain\n")
    world.reload("reload_refused")
    until(lambda: all(any(where in line for line in world.said("reload_refused"))
                      for where in ("list:2: ", "passwd:1: ")), "both are told, by line")
    check("plain" not in "".join(world.said("reload_refused")), "and no password")
    check(reason(world, b"http://late.test:25/", right) == "access", "the old list stays")
    check(status(world, origin.base.encode() + b"/", right) == 200, "the old password, too")
    world.write("list", "blocked.test\n")
    world.write("passwd", f"paul:{APR1}\n")
    world.reload("reloaded")
    check(status(world, origin.base.encode() + b"/", right) == 407, "who is gone is not let in")


def told(world):
    """What explain says is what happens, with the rule; and --check finds what a reload would."""
    def explain(url, *words):
        done = subprocess.run([f"{world.build}/ctl/larderctl", "explain", url, "--json", "--admin",
                               f"127.0.0.1:{world.admin}", "--client", "127.0.0.1", *words],
                              capture_output=True, text=True, check=False)
        answer = json.loads(done.stdout)
        return answer["next"]["status"], answer["access"]
    place = str(world.folder / "larder.yaml")
    check(explain("http://www.blocked.test/") ==
          (403, {"verdict": "deny", "rule": 1, "place": f"{place}:10"}), "explain a list")
    check(explain("http://a.test/") ==
          (407, {"verdict": "who", "rule": 5, "place": f"{place}:14"}),
          f"explain who: {explain('http://a.test/')}")
    check(explain("http://a.test/", "--user", "paul")[1]["verdict"] == "allow", "explain as paul")
    check(explain("http://a.test/", "--user", "paul", "--method", "PUT")[1] ==
          {"verdict": "deny", "rule": 3, "place": f"{place}:12"}, "explain a group")
    text = subprocess.run([f"{world.build}/ctl/larderctl", "explain", "http://blocked.test/",
                           "--admin", f"127.0.0.1:{world.admin}", "--client", "127.0.0.1"],
                          capture_output=True, text=True, check=False).stdout
    check("rule 1 (" in text and "denies it" in text, f"in words: {text}")
    before = (world.folder / "list").read_text()
    world.write("list", "a:80\n")
    done = subprocess.run([f"{world.build}/ctl/larderctl", "check", place], capture_output=True,
                          text=True, check=False)
    check(done.returncode == 1 and "list:1:" in done.stdout + done.stderr, f"check: {done}")
    world.write("list", before)
    lone = world.folder / "lone.yaml"
    world.write("nobody", "# nobody yet\n")
    world.write("lone.yaml", "store: {size: 1GiB}\nusers: {file: nobody}\n")
    done = subprocess.run([f"{world.build}/proxy/larder-proxy", "--check", "--config", str(lone)],
                          cwd=world.folder, capture_output=True, text=True, check=False)
    check(done.returncode == 0 and "lone.yaml:2:15: " in done.stderr and
          "nobody: no users in it, so nobody can log in" in done.stderr, f"nobody: {done}")
    check("lone.yaml:1:15: " in done.stderr and "without store.path" in done.stderr,
          f"a store that has no place: {done}")
    world.write("lone.yaml", "bogus: 1\nusers: {file: none}\ntimeouts: {first-byte: 3x}\n")
    done = subprocess.run([f"{world.build}/proxy/larder-proxy", "--check", "--config", str(lone)],
                          cwd=world.folder, capture_output=True, text=True, check=False)
    check(re.findall(r"^\S*lone\.yaml:(\d+:\d+): ", done.stderr, re.M) == ["1:1", "2:15", "3:24"],
          f"errors in the order of the file: {done.stderr}")


def logged(world, origin):
    log = (world.folder / "access.log").read_text()
    check(re.search(r"TCP_DENIED/403 .* http://www\.blocked\.test:25/ - HIER_NONE/- - access:1#",
                    log), "a rule in the log")
    check(re.search(r"TCP_DENIED/407 .* credentials:5#", log), "who is not known, in the log")
    check(re.search(r"/200 .* anna HIER_DIRECT", log), "who is, in the log")
    check(" gr%C3%BCn " in log, "a name in the log is escaped")
    everything = log + (world.folder / "stderr").read_text() + \
        b"".join(origin.heads).decode("latin-1")
    for secret in ("password", base64.b64encode(b"anna:password").decode().rstrip("="), BCRYPT[8:],
                   "guess-1", "roxy-authorization"):
        where = everything.replace("wrong-password", "").lower()
        check(secret.lower() not in where, f"{secret} is written down nowhere")


def echo_server():
    server = socket.create_server(("127.0.0.1", 0))

    def run():
        while True:
            conn, _ = server.accept()
            threading.Thread(target=echo, args=(conn,), daemon=True).start()

    def echo(conn):
        with conn:
            while data := conn.recv(65536):
                conn.sendall(data)
    threading.Thread(target=run, daemon=True).start()
    return server.getsockname()[1]


def own_ports(build, folder, origin):
    """Whoever came through the proxy to its own ports would be this machine, and an administrator."""
    proxy = larder.Proxy(f"{build}/proxy/larder-proxy", f"{folder}/store", "--connect-ports",
                         "1-65535", "--allow-target", "0.0.0.0/8", "--allow-target", "::1")
    proxy.start()
    names = ("127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]")
    for port in (proxy.admin, proxy.port):
        for name in names:
            asked = f"{name}:{port}"
            data, _ = raw.ask(proxy.port, f"GET http://{asked}/status HTTP/1.1\r\nHost: x\r\n"
                              "Connection: close\r\n\r\n".encode())
            check(raw.statuses(data)[:1] == [403] and b"detail=target-own" in data and
                  b"its own ports" in data, f"GET at {asked}: {data[:300]}")
            data, _ = raw.ask(proxy.port, f"POST http://{asked}/reload HTTP/1.1\r\nHost: x\r\n"
                              "Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
            check(raw.statuses(data)[:1] == [403], f"POST at {asked}: {data[:300]}")
            data, _ = raw.ask(proxy.port,
                              f"CONNECT {asked} HTTP/1.1\r\nHost: {asked}\r\n\r\n".encode())
            check(raw.statuses(data)[:1] == [403], f"CONNECT to {asked}: {data[:300]}")
        with h2.Connection(proxy.port, timeout=60) as conn:
            check(conn.response(conn.connect(f"127.0.0.1:{port}")).status == 403, "by HTTP/2")
            conn.authority = f"127.0.0.1:{port}"
            check(conn.response(conn.request("/status")).status == 403, "by HTTP/2, too")
    data, _ = raw.ask(proxy.port, f"GET {origin.base}/ HTTP/1.1\r\nHost: x\r\n"
                      "Connection: close\r\n\r\n".encode())
    check(raw.statuses(data)[:1] == [200], "what else is here may be asked for")
    check(proxy.stop(), "it leaves by itself")


def private_networks(build, folder, origin):
    """Where they are denied, nobody is led there, by any notation; the page says what opens them."""
    proxy = larder.Proxy(f"{build}/proxy/larder-proxy", f"{folder}/store", "--connect-ports",
                         "1-65535", "--set", "private-targets=deny")
    proxy.start()
    for host in ("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "[fd00::1]",
                 "[::ffff:10.0.0.1]", "[64:ff9b::10.0.0.1]"):
        data, _ = raw.ask(proxy.port, f"GET http://{host}/ HTTP/1.1\r\nHost: x\r\n"
                          "Connection: close\r\n\r\n".encode())
        check(raw.statuses(data)[:1] == [403] and b"detail=target-private" in data and
              b"allow-targets: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16]" in data,
              f"GET at {host}: {data[:300]}")
        data, _ = raw.ask(proxy.port, f"CONNECT {host}:443 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        check(raw.statuses(data)[:1] == [403], f"CONNECT to {host}: {data[:300]}")
    data, _ = raw.ask(proxy.port, f"GET {origin.base}/ HTTP/1.1\r\nHost: x\r\n"
                      "Connection: close\r\n\r\n".encode())
    check(raw.statuses(data)[:1] == [200], "what allow-targets has is reached")
    check(proxy.stop(), "it leaves by itself")


def main():
    build = sys.argv[1]
    larder.need(f"{build}/proxy/larder-proxy")
    larder.need("/usr/bin/curl")
    origin, echo = raw.Origin(serve), echo_server()
    with tempfile.TemporaryDirectory() as folder:
        world = World(build, folder)
        try:
            passwords(world, origin)
            counted(world, origin)
            selected(world, origin)
            hosts(world)
            upgrades(world, origin)
            groups(world, origin)
            tricks(world, origin)
            told(world)
            tunnels(world, echo)
            http2(world, origin, echo)
            curl(world, origin)
            bodies(world, origin)
            flood(world, origin)
            world.stop()
            logged(world, origin)
        finally:
            world.process.kill()
    with tempfile.TemporaryDirectory() as folder:
        world = World(build, folder)
        try:
            reloads(world, origin)
            world.stop()
        finally:
            world.process.kill()
    with tempfile.TemporaryDirectory() as folder:
        own_ports(build, folder, origin)
        private_networks(build, folder, origin)
    check.end()


main()
