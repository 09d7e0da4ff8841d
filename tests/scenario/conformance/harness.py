"""One case is a short sequence of steps: what a client asks, what the origin answers if it is
asked, and what each of them must see. Cases run side by side, each under a path of its own.

    case("max-age", miss("Cache-Control: max-age=60"), hit())

A line is a field as it is on the wire. In it, @+60 or @-60 is the HTTP date so many seconds from
the case's beginning. A wanted line may also be "Name: *" (there, whatever it says), "Name: 3..9" (a
number between) or "!Name" (not there). Unless told otherwise an answer's body names the case and
counts the answers, and everything end-to-end in an answer must reach the client.
"""
import collections
import contextlib
import dataclasses
import email.utils
import json
import pathlib
import re
import socket
import sys
import threading
import time
import urllib.parse
import urllib.request

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
import raw  # noqa: E402

PATIENCE = 60  # seconds until something that should happen has not
HOPS = {"connection", "keep-alive", "proxy-authenticate", "proxy-authentication-info",
        "proxy-authorization", "proxy-connection", "te", "transfer-encoding", "upgrade"}


class Wrong(Exception):
    """What was seen is not what had to be."""


def need(good, what):
    if not good:
        raise Wrong(what)


class Pulse:
    """When this program did not get to run for a while: what it answers as the origin, and asks as
    a client, was late then, and so were others, maybe."""

    BEAT, LATE = .05, .25

    def __init__(self):
        self.gaps = []  # (from, to) in monotonic seconds
        threading.Thread(target=self.beat, daemon=True).start()

    def beat(self):
        before = time.monotonic()
        while True:
            time.sleep(self.BEAT)
            now = time.monotonic()
            if now - before > self.BEAT + self.LATE:
                self.gaps.append((before, now))
            before = now

    def was_late(self, since):
        time.sleep(2 * self.BEAT)  # the gap that is just now, too
        return any(to > since for _, to in self.gaps)


# ---- the vocabulary of cases ----

@dataclasses.dataclass
class Answer:
    """What the origin says to one request."""
    lines: tuple = ()
    status: int = 200
    body: bytes = None     # None: one that names case and number
    framing: str = "length"  # or "chunked", "close", "none"
    interim: tuple = ()    # (status, lines) of each 1xx before
    pause: float = 0       # seconds before the head
    gate: threading.Event = None  # waited for before the head
    middle: bool = False   # … or in the middle of the answer
    until: int = 0         # requests that must have come before the head
    cut: int = None        # so many bytes of the body, then the connection breaks
    raw: bytes = None      # instead of everything; the connection closes behind it
    linger: float = 0      # seconds until the connection closes, or takes the next request
    drop: bool = False     # the connection closes without a word
    excess: bytes = b""    # behind the announced body


@dataclasses.dataclass
class Step:
    method: str = "GET"
    at: str = ""           # behind the case's path
    host: int = 0          # 1: the same path on another host; 2: on a site with rules of its own
    ask: tuple = ()        # fields of the request
    send: bytes = None     # its body
    version: str = "1.1"
    answers: tuple = (Answer(),)  # in the order of requests; the last one stays
    seen: int = 1          # requests that reach the origin before the response has ended; None: any
    later: int = 0         # … and behind the response's back
    saw: tuple = ()        # lines in the first of them
    status: int = None     # None: the answer's, or that of the last one stored
    want: tuple = ()       # lines in the response
    text: object = None    # the body: bytes, or the number of the answer it is from
    whole: bool = True     # False: the response must end as broken
    relay: bool = True     # what the answer says must reach the client
    interim: tuple = None  # statuses of the 1xx that must reach the client
    stored: bool = False   # the response comes from the store
    sleep: float = 0
    settle: bool = False


ANSWER_WORDS = {field.name for field in dataclasses.fields(Answer)} - {"interim", "status"}


def answer(*lines, **how):
    return Answer(lines=lines, **how)


def _step(lines, how, **preset):
    words = {**preset, **how}
    spoken = {name: words.pop(name) for name in list(words) if name in ANSWER_WORDS}
    if "answers" not in words:
        words["answers"] = (Answer(lines=tuple(lines), status=words.pop("says", 200),
                                   interim=words.pop("informs", ()), **spoken),)
    return Step(**words)


def miss(*lines, **how):
    """A request that reaches the origin, whose answer is `lines`; `says` is its status."""
    return _step(lines, how)


def hit(*want, **how):
    """A request answered without the origin, by what the last step that reached it brought."""
    return _step((), how, want=want, seen=0, stored=True)


def valid(*lines, **how):
    """A request that makes the cache validate; the origin answers 304 with `lines`."""
    return _step(lines, how, says=304, stored=True, relay=False)


def error(*lines, **how):
    """A request answered by the proxy itself: no field named Stored is in it."""
    how = {"status": 502, "seen": None, **how}
    return _step(lines, how, want=("Proxy-Status: *", "!Stored"), text=b"*", relay=False)


def gone(*want, **how):
    """A request whose connection the origin closes; the response comes from the store."""
    how = {"seen": None, "drop": True, **how}
    return _step((), how, want=want, stored=True, saw=how.pop("saw", ("Via: *",)))


def wait(seconds):
    return Step(sleep=seconds)


def settled():
    """What goes on behind the last response's back has ended, and its result is stored."""
    return Step(settle=True)


@dataclasses.dataclass
class Case:
    name: str
    steps: tuple
    play: object = None    # a function of a Course, in place of steps
    only: str = None       # "forward", "replica" or "strict"
    impatient: bool = False  # it needs a proxy that gives an origin only 5 seconds

    def run(self, course):
        if self.play:
            self.play(course)
        for number, step in enumerate(self.steps, 1):
            try:
                course.step(step)
            except Wrong as wrong:
                raise Wrong(f"step {number}: {wrong}") from None


class Cases(list):
    """The cases of one file."""

    def __call__(self, name, *steps, **how):
        self.append(Case(name, steps, **how))

    def play(self, name, **how):
        def add(function):
            self.append(Case(name, (), function, **how))
            return function
        return add


# ---- messages ----

class Message:
    def __init__(self, first, lines):
        self.first, self.lines, self.body, self.whole, self.interim = first, lines, b"", True, []

    def all(self, name):
        name = name.lower()
        return [value for key, value in self.lines if key.lower() == name]

    def get(self, name):
        return ", ".join(self.all(name)) if self.all(name) else None

    @property
    def status(self):
        return int(self.first.split(" ")[1])

    @property
    def method(self):
        return self.first.split(" ")[0]

    @property
    def target(self):
        return self.first.split(" ")[1]


def parse(head):
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    return Message(first, [(name, value.strip()) for name, _, value in
                           (line.partition(":") for line in lines)])


class Reader:
    def __init__(self, conn):
        self.conn, self.data = conn, b""

    def more(self):
        piece = self.conn.recv(1 << 16)
        self.data += piece
        return bool(piece)

    def until(self, mark):
        while mark not in self.data:
            if not self.more():
                return None
        piece, self.data = self.data.split(mark, 1)
        return piece + mark

    def exactly(self, size):
        while len(self.data) < size and self.more():
            pass
        piece, self.data = self.data[:size], self.data[size:]
        return piece

    def head(self):
        head = self.until(b"\r\n\r\n")
        return parse(head) if head else None

    def chunked(self, message):
        while True:
            line = self.until(b"\r\n")
            size = int(line.split(b";")[0], 16) if line else 0
            message.body += self.exactly(size) if line else b""
            end = self.exactly(2) if size else self.until(b"\r\n")
            if not line or end != b"\r\n":
                message.whole = False
            if not size or not message.whole:
                return

    def body(self, message, bodiless):
        length = message.get("Content-Length")
        if bodiless:
            return
        try:
            if "chunked" in (message.get("Transfer-Encoding") or ""):
                self.chunked(message)
            elif length is not None:
                message.body = self.exactly(int(length))
                message.whole = len(message.body) == int(length)
            elif message.first.startswith("HTTP/"):
                while self.more():
                    pass
                message.body = self.data
        except ConnectionError:
            message.whole = False


# ---- the origin ----

class Origin:
    """Listens on two hosts and one port; the first two steps of a path name a case. `names` are
    those of the sites a replica knows them by."""

    def __init__(self, names, hosts=("127.0.0.1", "127.0.0.2")):
        self.names = names
        self.courses = {}
        self.connections = set()
        self.sockets = [socket.create_server((hosts[0], 0), backlog=512)]
        self.port = self.sockets[0].getsockname()[1]
        for host in hosts[1:]:
            self.sockets.append(socket.create_server((host, self.port), backlog=512))
        for listening in self.sockets:
            threading.Thread(target=self.accept, args=(listening,), daemon=True).start()

    def accept(self, listening):
        while True:
            try:
                conn, _ = listening.accept()
            except OSError:
                return
            self.connections.add(conn)
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def close(self):
        """Refuses connections from now on, and ends those there are."""
        for each in (*self.sockets, *self.connections):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for listening in self.sockets:
            listening.close()

    def serve(self, conn):
        reader = Reader(conn)
        with conn:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while (request := reader.head()) is not None:
                    reader.body(request, False)
                    course = self.courses["/".join(request.target.split("?")[0].split("/")[:3])]
                    if not course.serve(conn, request):
                        return
            except OSError:
                pass
        self.connections.discard(conn)


def is_bodiless(method, status):
    return method == "HEAD" or status // 100 == 1 or status in (204, 304)


def body_lines(said, body):
    if said.framing == "chunked":
        return b"Transfer-Encoding: chunked\r\n"
    if said.framing == "length":
        return b"Content-Length: %d\r\n" % len(body)
    return b""


def encode(said, lines, body, method):
    """The bytes of an answer."""
    head = f"HTTP/1.1 {said.status} Whatever\r\n".encode()
    head += b"".join(line.encode("latin-1") + b"\r\n" for line in lines)
    if not is_bodiless("GET", said.status):
        head += body_lines(said, body)
    if is_bodiless(method, said.status):
        return head + b"\r\n"
    sent = body if said.cut is None else body[:said.cut]
    if said.framing == "chunked":
        sent = b"%x\r\n%s\r\n" % (len(sent), sent) if sent else b""
        sent += b"" if said.cut is not None else b"0\r\n\r\n"
    return head + b"\r\n" + sent + said.excess


# ---- a case under way ----

class Course:
    """One run of one case: the origin's side and the client's."""

    def __init__(self, case, path, proxy, origin, mode, spare=None):
        self.case, self.path, self.proxy, self.origin, self.mode = case, path, proxy, origin, mode
        self.spare = spare      # another origin, that may be closed
        self.began = time.time()
        self.lock = threading.Condition()
        self.requests = []      # everything the origin was asked
        self.alone = False      # an answer waited in vain for other requests
        self.given = {}         # by number: (answer, body)
        self.answers = collections.deque([Answer()])
        self.last = None        # the number of the answer that stands for what is stored
        origin.courses[path] = self

    def dated(self, line):
        line = line.replace(self.path.split("~")[0], self.path)  # it names itself, and is repeated
        return re.sub(r"@([+-]\d+)", lambda found: email.utils.formatdate(
            self.began + int(found[1]), usegmt=True), line)

    # -- as the origin --

    def choose(self, request):
        with self.lock:
            self.requests.append(request)
            number = len(self.requests)
            said = self.answers.popleft() if len(self.answers) > 1 else self.answers[0]
            if callable(said):
                said = said(request)
            body = said.body if said.body is not None else \
                f"answer {number} of {self.path}".encode()
            self.given[number] = (said, b"" if is_bodiless("GET", said.status) else body)
            self.last = number
            self.lock.notify_all()
            return said, body

    def serve(self, conn, request):
        """False: the connection is to be closed."""
        said, body = self.choose(request)
        time.sleep(said.pause)
        if said.gate and not said.middle:
            said.gate.wait(PATIENCE)
        with self.lock:
            self.alone |= not self.lock.wait_for(lambda: len(self.requests) >= said.until, PATIENCE)
        if said.drop:
            return False
        if said.raw is not None:
            conn.sendall(said.raw)
            time.sleep(said.linger)
            return False
        for status, lines in said.interim:
            conn.sendall("".join(f"{line}\r\n" for line in
                                 (f"HTTP/1.1 {status} Soon", *lines, "")).encode())
        data = encode(said, [self.dated(line) for line in said.lines], body, request.method)
        half = len(data) // 2 if said.middle else len(data)
        conn.sendall(data[:half])
        if half < len(data):
            said.gate.wait(PATIENCE)
            conn.sendall(data[half:])
        time.sleep(said.linger)
        return said.cut is None and said.framing != "close"

    def await_requests(self, count):
        with self.lock:
            self.lock.wait_for(lambda: len(self.requests) >= count, PATIENCE)
            need(len(self.requests) >= count,
                 f"the origin was asked {len(self.requests)} times, not {count}")

    def await_read(self, conns):
        """Until the proxy has read all that was sent on these connections, which it may not have accepted yet."""
        ours = {conn.getsockname()[1] for conn in conns}
        end = time.monotonic() + PATIENCE
        while not ours <= self.all_read() and time.monotonic() < end:
            time.sleep(.01)

    def all_read(self):
        """The ports of peers whose bytes have all been read from the proxy's sockets."""
        rows = (line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:])
        return {int(row[2].split(":")[1], 16) for row in rows
                if int(row[1].split(":")[1], 16) == self.proxy.port and int(row[4].split(":")[1], 16) == 0}

    def explain(self, at="", host=0):
        """What the proxy says about the URL."""
        url = self.url(at, host)
        if self.mode == "replica":
            url = f"http://{self.origin.names[host]}{self.path}{at}"
        query = urllib.parse.urlencode({"url": url})
        page = f"http://127.0.0.1:{self.proxy.admin}/explain?{query}"
        with urllib.request.urlopen(page, timeout=PATIENCE) as got:
            return json.load(got)

    def settle(self):
        """Waits until nobody fetches it."""
        end = time.monotonic() + PATIENCE
        while self.explain()["fetching"]:
            need(time.monotonic() < end, "the fetch does not end")
            time.sleep(.005)

    # -- as a client --

    def url(self, at="", host=0):
        return f"http://127.0.0.{host + 1}:{self.origin.port}{self.path}{at}"

    def head_of(self, step):
        lines = [self.dated(line) for line in step.ask]
        if self.mode != "replica":
            target, name = self.url(step.at, step.host), f"127.0.0.{step.host + 1}"
        else:
            target, name = self.path + step.at, self.origin.names[step.host]
        if step.send is not None:
            lines.append(f"Content-Length: {len(step.send)}")
        head = [f"{step.method} {target} HTTP/{step.version}", f"Host: {name}", *lines, "", ""]
        return "\r\n".join(head).encode("latin-1")

    def open(self, step):
        """Sends one request on a connection of its own."""
        conn = raw.connect(self.proxy.port, PATIENCE)
        conn.sendall(self.head_of(step) + (step.send or b""))
        return conn

    def send(self, step):
        """The same; the response."""
        return self.receive(self.open(step), step)

    def receive(self, conn, step):
        with conn:
            reader = Reader(conn)
            interim = []
            while (response := reader.head()) is not None and response.status // 100 == 1:
                interim.append(response)
            need(response is not None, "no response")
            response.interim = interim
            reader.body(response, is_bodiless(step.method, response.status))
            return response

    # -- one step --

    def step(self, step):
        """Plays it and checks everything it says; the response."""
        if step.sleep:
            time.sleep(step.sleep)
            return None
        if step.settle:
            self.settle()
            return None
        before = len(self.requests)
        stored = self.last
        self.answers = collections.deque(step.answers)
        response = self.send(step)
        seen = len(self.requests) - before if step.seen is None else step.seen
        need(step.later or len(self.requests) == before + seen,
             f"the origin was asked {len(self.requests) - before} times, not {seen}"
             f" (got {response.status}, {response.get('Cache-Status')})")
        self.await_requests(before + seen + step.later)
        self.check_asked(step, self.requests[before:])
        if step.stored:
            self.last = stored if seen == 0 else self.last
        self.check_response(step, response, stored)
        return response

    def check_asked(self, step, asked):
        if asked:
            for line in step.saw:
                check_line(asked[0], self.dated(line), "the origin saw")
            need(asked[0].method == step.method, f"the origin saw {asked[0].method}")
            need(step.at in ("", asked[0].target[-len(step.at):]), f"for {asked[0].target}")
            need(asked[0].body == (step.send or b""), f"the origin saw body {asked[0].body[:40]!r}")
        if asked and step.stored and not step.saw:
            need(asked[0].get("If-None-Match") or asked[0].get("If-Modified-Since"),
                 "the origin saw no condition")

    def check_response(self, step, response, stored):
        number = stored if step.stored and stored else self.last
        number = step.text if isinstance(step.text, int) else number
        said, body = self.given.get(number, (Answer(), b""))
        status = step.status or said.status
        need(response.status == status,
             f"status {response.status}, not {status} ({response.get('Cache-Status')})")
        need(response.whole == step.whole,
             f"the body ended {'well' if response.whole else 'early'}")
        for line in step.want:
            check_line(response, self.dated(line), "the client saw")
        if step.interim is not None:
            got = tuple(message.status for message in response.interim)
            need(got == step.interim, f"interim {got}, not {step.interim}")
        self.check_body(step, response, said, body)
        if step.relay and status == said.status:
            self.check_relayed(said, response, step.stored)
        self.last = number if step.stored else self.last

    def check_body(self, step, response, said, body):
        text = step.text if isinstance(step.text, bytes) else body
        if is_bodiless(step.method, response.status):
            text = b""
        elif not step.whole or said.cut is not None and step.text is None:
            need(text.startswith(response.body),
                 f"body {response.body[:80]!r}, not a part of {text!r}")
            return
        need(text == b"*" or response.body == text,
             f"body {response.body[:80]!r}, not {text[:80]!r}")

    def check_relayed(self, said, response, stored):
        sent = Message("", [tuple(map(str.strip, self.dated(line).split(":", 1)))
                            for line in said.lines])
        gone = HOPS | {word.strip().lower() for word in (sent.get("Connection") or "").split(",")}
        if stored:
            gone |= {"age"}
        for name, _ in sent.lines:
            if name.lower() not in gone:
                need(response.get(name) == sent.get(name),
                     f"{name}: {response.get(name)!r}, not {sent.get(name)!r}")


def check_line(message, line, who):
    if line.startswith("!"):
        need(message.get(line[1:]) is None, f"{who} {line[1:]}: {message.get(line[1:])}")
        return
    name, value = (part.strip() for part in line.split(":", 1))
    got = message.get(name)
    need(got is not None, f"{who} no {name}")
    numbers = re.fullmatch(r"(\d+)\.\.(\d+)", value)
    if numbers:
        need(got.isdigit() and int(numbers[1]) <= int(got) <= int(numbers[2]),
             f"{who} {name}: {got}")
    elif value.startswith("~"):
        need(re.fullmatch(value[1:], got), f"{who} {name}: {got}, not {value[1:]}")
    elif value != "*":
        need(got == value, f"{who} {name}: {got}, not {value}")
