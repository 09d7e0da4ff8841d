"""A large file known by formula, and an origin that serves it in pieces, rightly or not.

Byte `i` of a version is byte `i` modulo a prime of that version's own noise: a piece that comes from
another place is found out unless it is off by a multiple of the prime, and one of another version
always. As a module: Content, FileContent, Resource, Origin.
"""
import email.utils
import random
import socket
import threading
import time

import ranges
import raw

PRIME = 1_000_003
REACH = 9 * PRIME  # longest stretch that can be cut out in one go
MODIFIED = 1_700_000_000
STEP = 1 << 16
PATIENCE = 60


class Content:
    """One version of the file."""

    def __init__(self, version, size):
        self.version, self.size = version, size
        noise = random.Random(f"version {version}").randbytes(PRIME)
        self.noise = memoryview(noise * (REACH // PRIME + 2))

    def cut(self, first, length):
        start = first % PRIME
        return self.noise[start:start + length]

    def holds(self, first, piece):
        """`piece` is what this version has from `first` on."""
        if first + len(piece) > self.size:
            return False
        return all(piece[at:at + REACH] == self.cut(first + at, min(REACH, len(piece) - at))
                   for at in range(0, len(piece), REACH))


class FileContent:
    """A version that is just bytes."""

    def __init__(self, data, version=1):
        self.version, self.size = version, len(data)
        self.data = memoryview(data)

    def cut(self, first, length):
        return self.data[first:first + length]


class Resource:
    """What is under one path: versions, how they are validated, and what is wrong with the answers.

    fault: None, or one of
      "ignores"    200 to every Range
      "shifted"    206 with another range than was asked for, and says so
      "total"      206 with a total that is one too large
      "breaks"     every other answer breaks off in the middle, once `may_break` is set (it is)
      "refuses"    every other range is answered with 416
      "multipart"  a single range as multipart/byteranges
      "unasked"    206 to a request without Range
    kind: Content-Type
    validators: "strong", "weak" (an ETag that does not change with the version), "date", "none"
    """

    def __init__(self, *contents, fault=None, validators="strong", cache="max-age=3600",
                 kind="x/whole"):
        self.contents = contents
        self.kind = kind
        self.fault = fault
        self.validators = validators
        self.cache = cache
        self.current = 0  # the version that is served now
        self.lock = threading.Lock()
        self.may_break = threading.Event()
        self.may_break.set()
        self.requests = self.sent = 0
        self.log = []  # (Range, status, bytes)

    def begin(self):
        with self.lock:
            self.requests += 1
            return self.requests, self.contents[self.current]

    def count(self, wanted, status, size):
        with self.lock:
            self.sent += size
            self.log.append((wanted, status, size))

    def answered(self):
        """The log, once all that was asked for is in it: a client may have the last byte of an
        answer before that answer is counted."""
        end = time.monotonic() + 60
        while len(self.log) < self.requests and time.monotonic() < end:
            time.sleep(0.001)
        return list(self.log)

    def fields(self, content):
        """ETag and Last-Modified of a version."""
        modified = email.utils.formatdate(MODIFIED + 86_400 * content.version, usegmt=True)
        return {"strong": {"ETag": f'"v{content.version}"', "Last-Modified": modified},
                "weak": {"ETag": 'W/"same"'},
                "date": {"Last-Modified": modified},
                "none": {}}[self.validators]

    def holds(self, condition, content):
        """RFC 9110 13.1.5 for an If-Range."""
        if condition is None:
            return True
        fields = self.fields(content)
        if condition.startswith(('"', "W/")):
            return condition == fields.get("ETag") and not condition.startswith("W/")
        return condition == fields.get("Last-Modified")


class Origin(raw.Origin):
    """Serves `resources`, a dictionary by path."""

    def __init__(self, resources):
        self.resources = resources
        super().__init__(self.answer)

    def run(self, conn):
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STEP)  # what is sent, is nearly read
        super().run(conn)

    def answer(self, conn, head, _):
        resource = self.resources[raw.path_of(head)]
        asked = ranges.fields_of(head.partition(b"\r\n")[2].rstrip(b"\r\n"))
        number, content = resource.begin()
        status, fields, pieces = self.choose(resource, content, asked, number)
        if head.startswith(b"HEAD"):
            pieces = []
        fields = {**resource.fields(content), **fields}
        breaks = resource.fault == "breaks" and number % 2
        self.send_head(conn, resource, status, fields)
        size = sum(length for _, length in pieces if isinstance(length, int))
        sent = 0
        try:
            for stretch in self.stretches(pieces, content):
                if breaks and sent + len(stretch) > size // 2:
                    conn.sendall(stretch[:size // 2 - sent])
                    sent = size // 2
                    resource.may_break.wait(PATIENCE)
                    if number % 4 == 1:
                        raw.reset(conn)
                    return True
                conn.sendall(stretch)
                sent += len(stretch)
        finally:
            resource.count(asked.get("range"), status, sent)
        return False

    def choose(self, resource, content, asked, number):
        """(status, fields, pieces): a piece is (first byte, length), or (text, None)."""
        own = resource.fields(content)
        if asked.get("if-none-match") and asked["if-none-match"] == own.get("ETag"):
            return 304, {}, []
        specs = asked.get("range", "").removeprefix("bytes=").replace(" ", "").split(",")
        if resource.fault == "unasked" and specs == [""]:
            specs = [f"0-{content.size // 2}"]
        whole = (200, {"Content-Length": content.size, "Content-Type": resource.kind},
                 [(0, content.size)])
        if specs == [""] or resource.fault == "ignores" or \
                not resource.holds(asked.get("if-range"), content):
            return whole
        status, found = ranges.expected(specs, content.size)
        if status == 416 or (resource.fault == "refuses" and number % 2):
            return 416, {"Content-Range": f"bytes */{content.size}", "Content-Length": 0}, []
        if status == 200:
            return whole
        if len(found) > 1 or resource.fault == "multipart":
            return self.multipart(found, resource, content)
        return self.single(resource, content, *found[0])

    def single(self, resource, content, first, last):
        if resource.fault == "shifted":
            first = min(first + 1000, content.size - 2000)
            last = max(first, min(last + 500, content.size - 1))
        total = content.size + (resource.fault == "total")
        return 206, {"Content-Range": f"bytes {first}-{last}/{total}",
                     "Content-Length": last - first + 1, "Content-Type": resource.kind}, \
            [(first, last - first + 1)]

    def multipart(self, found, resource, content):
        boundary = f"{random.getrandbits(100):x}"
        pieces = []
        for first, last in found:
            pieces.append(((f"\r\n--{boundary}\r\n" if pieces else f"--{boundary}\r\n") +
                           f"Content-Type: {resource.kind}\r\n"
                           f"Content-Range: bytes {first}-{last}/{content.size}\r\n\r\n", None))
            pieces.append((first, last - first + 1))
        pieces.append((f"\r\n--{boundary}--\r\n", None))
        length = sum(len(place) if size is None else size for place, size in pieces)
        return 206, {"Content-Type": f"multipart/byteranges; boundary={boundary}",
                     "Content-Length": length}, pieces

    def send_head(self, conn, resource, status, fields):
        lines = {"Date": email.utils.formatdate(time.time(), usegmt=True),
                 "Accept-Ranges": "bytes", **fields}
        if status != 416:
            lines["Cache-Control"] = resource.cache
        text = f"HTTP/1.1 {status} X\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines.items())
        conn.sendall(text.encode() + b"\r\n")

    def stretches(self, pieces, content):
        """The bytes of the pieces, in steps small enough to count."""
        for place, length in pieces:
            if length is None:
                yield place.encode()
                continue
            for at in range(0, length, STEP):
                yield content.cut(place + at, min(STEP, length - at))
