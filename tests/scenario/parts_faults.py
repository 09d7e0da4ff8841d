#!/usr/bin/env python3
"""Responses filled from several connections, and an origin that does not go along: parts_faults.py BUILD

One client has a download that comes slowly and well; another one asks for a range far ahead of it. What
the origin says to that may not harm the first: it has changed, it is several with validators of their
own, it serves one body at a time. Or it is too busy for a while, in the midst of a response; or what it
gives to one is for nobody else.
"""
import http.client
import pathlib
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402
import ranges  # noqa: E402
from pieces import Content  # noqa: E402

SIZE, FAR = 30_000_000, 20_000_000
# Behind what is known from the beginning on, and what is asked for before a head is sent.
BEGINNING = 5_000_000
KNOWN_TAIL = BEGINNING + (32 << 20)
LONG = KNOWN_TAIL + 300_000
STEP = 1 << 17
PATIENCE = 60
check = raw.Checks()


class Origin(raw.Origin):
    """`contents`: what its connections have, by `choose(number, headers)`; which also says whether
    it answers at all. The first body comes slowly until `hurry` is set."""

    def __init__(self, *contents, choose=lambda origin, number, fields: origin.contents[0]):
        self.contents = contents
        self.choose = choose
        self.hurry = threading.Event()
        self.lock = threading.Lock()
        self.asked = []  # (Range, status)
        self.bodies = 0  # under way
        self.first_sent = 0
        super().__init__(self.answer)

    def note(self, wanted, status):
        with self.lock:
            self.asked.append((wanted, status))

    def answer(self, conn, head, _):
        fields = ranges.fields_of(head.partition(b"\r\n")[2].rstrip(b"\r\n"))
        with self.lock:
            number = len(self.asked)
        wanted = fields.get("range")
        content = self.choose(self, number, fields)
        if content is None:
            self.note(wanted, 503)
            conn.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")
            return False
        tag = f'"v{content.version}"'
        status, first, last = 200, 0, content.size - 1
        if wanted and fields.get("if-range") in (None, tag):
            status, found = ranges.expected([wanted.removeprefix("bytes=")], content.size)
            first, last = found[0]
        self.note(wanted, status)
        place = f"Content-Range: bytes {first}-{last}/{content.size}\r\n" if status == 206 else ""
        conn.sendall((f"HTTP/1.1 {status} X\r\nETag: {tag}\r\n"
                      f"{self.says(fields)}Accept-Ranges: bytes\r\n{place}Content-Length: {last - first + 1}\r\n\r\n")
                     .encode())
        self.change_bodies(1)
        try:
            self.body(conn, content, first, last, number == 0)
        finally:
            self.change_bodies(-1)
        return False

    def change_bodies(self, by):
        with self.lock:
            self.bodies += by

    def says(self, fields):
        return "Cache-Control: max-age=3600\r\n"

    def body(self, conn, content, first, last, slowly):
        at = first
        while at <= last:
            slow = slowly and not self.hurry.is_set()
            step = min(last + 1 - at, 2000 if slow else STEP)
            conn.sendall(content.cut(at, step))
            at += step
            if slow:
                self.first_sent = at
                self.hurry.wait(0.02)


def first_of(fields):
    return int(fields.get("range", "bytes=0-")[6:].partition("-")[0])


class BusyOrigin(Origin):
    """503 to so many requests for what is behind the first pieces."""

    def __init__(self, times, content):
        self.left = times
        self.tail_asked, self.tail_may = threading.Event(), threading.Event()
        super().__init__(content, choose=lambda origin, _, fields: origin.serves(fields))
        self.hurry.set()

    def serves(self, fields):
        if first_of(fields) < KNOWN_TAIL:
            return self.contents[0]
        self.tail_asked.set()
        self.tail_may.wait(PATIENCE)
        self.left -= 1
        return None if self.left >= 0 else self.contents[0]

    def tries(self):
        return sum(status == 503 for _, status in self.asked)


class OwnOrigin(Origin):
    """Each user has a tail of his own, under the one ETag. `private`: it says so; else only the
    request's credentials do. The first answer with a tail waits for `may`."""

    def __init__(self, private):
        self.private = private
        self.tail_asked, self.may = threading.Event(), threading.Event()
        self.users = {name: Content(name, LONG) for name in ("alice", "bob", "carol")}
        for content in self.users.values():
            content.version = 1
        super().__init__(Content(1, LONG), choose=lambda origin, _, fields: origin.of(fields))
        self.hurry.set()

    def of(self, fields):
        if first_of(fields) < KNOWN_TAIL:
            return self.contents[0]
        self.tail_asked.set()
        self.may.wait(PATIENCE)
        return self.users[fields.get("cookie" if self.private else "authorization")]

    def says(self, fields):
        own = self.private and first_of(fields) >= KNOWN_TAIL
        return f"Cache-Control: {'private' if own else 'max-age=3600'}\r\n"

    def is_right(self, name, first, body):
        """[first, LONG) as this user is to have it."""
        shared = max(0, KNOWN_TAIL - first)
        return len(body) == LONG - first and self.contents[0].holds(first, body[:shared]) and \
            self.users[name].holds(first + shared, body[shared:])


class Download(threading.Thread):
    """Of all of /file; `begun` when its first bytes are here."""

    def __init__(self, proxy, origin, **fields):
        super().__init__()
        self.fields = fields
        self.proxy, self.url = proxy, origin.base + "/file"
        self.begun = threading.Event()
        self.body, self.broken = b"", None
        self.start()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=PATIENCE)
        try:
            connection.request("GET", self.url, headers=self.fields)
            response = connection.getresponse()
            self.body = response.read(1)
            self.begun.set()
            self.body += response.read()
        except http.client.IncompleteRead as broken:
            self.body += broken.partial
            self.broken = broken
        except OSError as error:
            self.broken = error

    def is_whole(self, content):
        self.join()
        return not self.broken and len(self.body) == content.size and content.holds(0, self.body)


def part(proxy, origin, first, last, **fields):
    """(status, body, fields)"""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE)
    connection.request("GET", origin.base + "/file",
                       headers={"Range": f"bytes={first}-{last}", **fields})
    response = connection.getresponse()
    return response.status, response.read(), response.headers


def once_asked(origin, count):
    """Lets the first body hurry as soon as so many requests have been answered."""
    def watch():
        end = time.monotonic() + PATIENCE
        while len(origin.asked) < count and time.monotonic() < end:
            time.sleep(0.01)
        origin.hurry.set()
    threading.Thread(target=watch, daemon=True).start()


def far_ahead(proxy):
    """It need not wait until the first connection has come there."""
    one = Content(1, SIZE)
    origin = Origin(one)
    download = Download(proxy, origin)
    download.begun.wait(PATIENCE)
    code, body, _ = part(proxy, origin, FAR, FAR + 99)
    check(origin.first_sent < FAR and not origin.hurry.is_set(), "far ahead: it has waited")
    check(code == 206 and len(body) == 100 and one.holds(FAR, body), f"far ahead: {code}")
    origin.hurry.set()
    check(download.is_whole(one), f"far ahead: the download: {len(download.body)}")


def changed(proxy):
    """Each gets what is right for it, whole, and the newer one is what is kept."""
    one, two = Content(1, SIZE), Content(2, SIZE)
    origin = Origin(one, two, choose=lambda origin, number, _: origin.contents[number > 0])
    download = Download(proxy, origin)
    download.begun.wait(PATIENCE)
    code, body, fields = part(proxy, origin, FAR, FAR + 99)
    check(code == 206 and fields["ETag"] == '"v2"' and two.holds(FAR, body),
          f"changed: {code} {fields['ETag']}")
    origin.hurry.set()
    check(download.is_whole(one), f"changed: the download broke off at {len(download.body)}")
    code, body, fields = part(proxy, origin, 5, SIZE - 1)
    check(code == 206 and fields["ETag"] == '"v2"' and two.holds(5, body) and
          len(body) == SIZE - 5, f"changed, later: {code} {fields['ETag']} {len(body)}")


def balanced(proxy):
    """The same bytes with another ETag on each machine behind the origin's name."""
    one, other = Content(1, SIZE), Content(1, SIZE)
    other.version = "other"
    origin = Origin(one, other, choose=lambda origin, number, _: origin.contents[number % 2])
    download = Download(proxy, origin)
    download.begun.wait(PATIENCE)
    code, body, _ = part(proxy, origin, FAR, FAR + 99)
    check(code == 206 and len(body) == 100 and one.holds(FAR, body), f"balanced: {code}")
    origin.hurry.set()
    check(download.is_whole(one), f"balanced: the download broke off at {len(download.body)}")


def one_at_a_time(proxy):
    """Then the second waits for what the first brings."""
    one = Content(1, SIZE)
    origin = Origin(one, choose=lambda origin, *_: None if origin.bodies else one)
    download = Download(proxy, origin)
    download.begun.wait(PATIENCE)
    once_asked(origin, 2)
    code, body, _ = part(proxy, origin, FAR, FAR + 99)
    check(code == 206 and len(body) == 100 and one.holds(FAR, body), f"one at a time: {code}")
    check(download.is_whole(one), f"one at a time: the download broke off at {len(download.body)}")
    refused = [status for _, status in origin.asked if status == 503]
    check(len(refused) == 1, f"one at a time: refused {len(refused)} times")


def busy(proxy):
    """The head is out, so there is no other answer: what is missing is asked for again, in a while,
    once for all who wait."""
    content = Content(1, LONG)
    origin = BusyOrigin(2, content)
    part(proxy, origin, 0, BEGINNING - 1)
    downloads = [Download(proxy, origin)]
    origin.tail_asked.wait(PATIENCE)
    downloads += [Download(proxy, origin) for _ in range(4)]
    for download in downloads:
        download.begun.wait(PATIENCE)
    origin.tail_may.set()
    for download in downloads:
        check(download.is_whole(content), f"busy: a download broke off at {len(download.body)}")
    check(origin.tries() == 2, f"busy: {origin.tries()} refusals")


def fetches(proxy):
    """How many are under way."""
    data, _ = raw.ask(proxy.admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return int(data.split(b"\nlarder_fetches_open ")[1].split(b"\n")[0])


def busy_for_long(proxy, first_byte_ms):
    """It has as long as it may take for an answer; and nobody is asked for who has left."""
    content = Content(1, LONG)
    origin = BusyOrigin(10**9, content)
    origin.tail_may.set()
    part(proxy, origin, 0, BEGINNING - 1)
    download = Download(proxy, origin)
    check(not download.is_whole(content) and content.holds(0, download.body) and
          len(download.body) == KNOWN_TAIL, f"busy for long: {len(download.body)}")
    check(1 < origin.tries() < first_byte_ms // 500 + 3, f"busy for long: {origin.tries()} tries")
    before = origin.tries()
    with raw.connect(proxy.port) as conn:
        conn.sendall(f"GET {origin.base}/file HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while origin.tries() == before and conn.recv(1 << 20):
            pass
    end = time.monotonic() + PATIENCE
    while fetches(proxy) and time.monotonic() < end:
        time.sleep(0.01)
    late = origin.tries()
    check(late - before <= 3, f"busy for long: {late - before} tries, though who asked has left")
    time.sleep(2)
    check(origin.tries() == late, f"busy for long: {origin.tries() - late} tries for nobody")


def for_one(proxy, private):
    """Nobody has another's bytes, be it while they arrive: before a head, and behind it, where only
    the origin's word is news by then."""
    name_of = "Cookie" if private else "Authorization"
    what = "private" if private else "with credentials"
    for ranged in (False, True) if private else (True,):
        origin = OwnOrigin(private)
        part(proxy, origin, 0, BEGINNING - 1)
        first = KNOWN_TAIL if ranged else 0
        own = {"Range": f"bytes={first}-"} if ranged else {}
        downloads = {"alice": Download(proxy, origin, **own, **{name_of: "alice"})}
        origin.tail_asked.wait(PATIENCE)
        downloads["bob"] = Download(proxy, origin, **own, **{name_of: "bob"})
        if not ranged:
            downloads["bob"].begun.wait(PATIENCE)
        origin.may.set()
        for name, download in downloads.items():
            download.join()
            check(not download.broken and origin.is_right(name, first, download.body),
                  f"{what}, {name} from {first} on: {len(download.body)} {download.broken}")
        code, body, fields = part(proxy, origin, KNOWN_TAIL, LONG - 1, **{name_of: "carol"})
        check(code == 206 and origin.is_right("carol", KNOWN_TAIL, body),
              f"{what}, later: {code} {fields['Cache-Status']}")
        asked = sum(int((wanted or "bytes=0-")[6:].split("-")[0]) >= KNOWN_TAIL
                    for wanted, _ in origin.asked)
        check(asked == 3, f"{what} from {first} on: {asked} requests for three")
        code, body, fields = part(proxy, origin, 0, BEGINNING - 1)
        check("; hit" in fields["Cache-Status"], f"{what}, the rest: {fields['Cache-Status']}")


def main():
    program = f"{sys.argv[1]}/proxy/larder-proxy"
    larder.need(program)
    with tempfile.TemporaryDirectory(prefix="larder-parts-faults.") as store:
        proxy = larder.Proxy(program, store, "--store-size", "512MiB", "--memory", "64MiB",
                             "--workers", "2")
        proxy.start()
        far_ahead(proxy)
        changed(proxy)
        balanced(proxy)
        one_at_a_time(proxy)
        busy(proxy)
        for_one(proxy, True)
        for_one(proxy, False)
        check(proxy.stop(), "it did not leave by itself")
    with tempfile.TemporaryDirectory(prefix="larder-parts-faults.") as store:
        proxy = larder.Proxy(program, store, "--store-size", "512MiB",
                             "--set", "timeouts.first-byte=5s")
        proxy.start()
        busy_for_long(proxy, 5000)
        check(proxy.stop(), "it did not leave by itself")
    check.end()


if __name__ == "__main__":
    main()
