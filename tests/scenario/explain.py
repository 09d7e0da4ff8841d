#!/usr/bin/env python3
"""What /explain foretells is what happens: explain.py BUILD [SEED|fresh]

Responses are fetched with some requests; after a while the proxy is asked what it would do with
another request, and then gets it. Outcome, reason, fwd, status and Cache-Status must be those
foretold, and asking must have changed nothing. The cases are those of FIXED, and random ones.

Ages grow with the seconds of the proxy's clock. What was foretold in one second and came in another
is not compared: that is counted, and may be the fate of few.
"""
import json
import pathlib
import random
import re
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

CASES, BATCH = 240, 60
PAUSE = 1.5  # what lives for a second is stale by then
BODY = b"0123456789" * 10

# Each row is a choice; None or "" leaves the field out.
RESPONSE_FIELDS = [
    ("Cache-Control", [None, None, "max-age=1", "max-age=60", "max-age=60", "s-maxage=1", "private",
                       "no-store", "no-cache", "max-age=1, must-revalidate", "public",
                       "max-age=1, stale-while-revalidate=60", "max-age=1, stale-while-revalidate=1",
                       "max-age=60, immutable", "max-age=600, public", "max-age=1, stale-if-error=0",
                       "no-store, must-understand, max-age=60"]),
    ("Expires", [None, None, None, "0", "Fri, 01 Jan 2100 00:00:00 GMT"]),
    ("Last-Modified", [None, None, "Mon, 01 Jan 2024 00:00:00 GMT"]),
    ("ETag", [None, '"1"', '"1"', 'W/"1"']),
    ("Age", [None, None, None, "5", "100", "x"]),
    ("Vary", [None, None, None, "Accept-Language", "X-Kind, Accept-Encoding", "*"]),
    ("Set-Cookie", [None, None, None, None, "a=b"]),
    ("Via", [None, None, None, "1.0 old"]),
]
STATUSES = [200, 200, 200, 200, 200, 203, 204, 301, 302, 404, 410, 500, 299]
REQUEST_FIELDS = [
    ("Cache-Control", [""] * 8 + ["no-cache", "no-store", "max-age=0", "max-age=3", "min-fresh=30",
                                  "min-fresh=1000", "max-stale", "max-stale=1", "only-if-cached",
                                  "max-age=100, max-stale=1000"]),
    ("Pragma", [""] * 8 + ["no-cache"]),
    ("Accept-Language", ["", "de", "de;q=0.5, en"]),
    ("X-Kind", ["", "", "1"]),
    ("Authorization", [""] * 6 + ["Basic eDp5"]),
    ("Range", [""] * 6 + ["bytes=0-9", "bytes=90-", "bytes=200-", "bytes=0-1,5-6"]),
    ("If-None-Match", [""] * 6 + ['"1"', '"2"', "*"]),
    ("If-Modified-Since", [""] * 8 + ["Mon, 01 Jan 2024 00:00:00 GMT"]),
    ("If-Match", [""] * 15 + ['"1"']),
    ("If-Range", [""] * 12 + ['"1"']),
    ("Via", [""] * 20 + ["1.1 larder"]),
]
METHODS = ["GET"] * 12 + ["HEAD", "HEAD", "POST", "OPTIONS", "DELETE", "BREW"]

# What is known in parts, and may be used stale: where most can be foretold wrongly.
PART = [("Range", ["bytes=0-9"] * 3 + ["bytes=90-"])]
OF_PART = [("Range", [""] * 3 + ["bytes=0-9", "bytes=0-9", "bytes=90-", "bytes=0-1,5-6"]),
           ("If-Range", [""] * 3 + ['"1"', '"2"']),
           ("Cache-Control", [""] * 6 + ["max-stale", "max-stale=1", "only-if-cached"])]
PART_FIELDS = [("Cache-Control", ["max-age=1, stale-while-revalidate=60"] * 3 + ["max-age=1"] * 2 +
                ["max-age=60"])]

# What was foretold wrongly once: fields of the response; of the request before; of the one after;
# does the origin die between them?
SWR = ("Cache-Control", "max-age=1, stale-while-revalidate=60")
FIRST, WHOLE = ("Range", "bytes=0-9"), []
WEAK, STRONG = ("ETag", 'W/"1"'), ("ETag", '"1"')
OLD = ("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
FIXED = [
    ([SWR, STRONG], [FIRST], WHOLE, True),
    ([SWR, STRONG], [FIRST], WHOLE, False),
    ([SWR, STRONG, ("Age", "x")], [("Cache-Control", "max-stale=1"), FIRST], WHOLE, True),
    ([SWR, STRONG], [FIRST], [("Range", "bytes=90-")], True),
    ([SWR, WEAK], [FIRST], WHOLE, False),
    ([SWR, WEAK], [FIRST], [FIRST], False),
    ([SWR, WEAK], [FIRST], [FIRST, ("Cache-Control", "only-if-cached")], False),
    ([SWR, WEAK, ("Vary", "Accept-Language")], [FIRST], WHOLE, False),
    ([("Cache-Control", "max-age=1"), WEAK], [FIRST], [("Cache-Control", "max-stale")], False),
    ([("Cache-Control", "max-age=60"), STRONG], [FIRST], WHOLE, True),
    ([("Cache-Control", "max-age=60"), STRONG], [],
     [("Cache-Control", "only-if-cached"), ("If-Match", '"1"')], False),
    ([("Cache-Control", "max-age=60"), OLD], [], [("If-Unmodified-Since", "Mon, 01 Jan 2024 00:00:00 GMT")],
     False),
    ([("Cache-Control", "max-age=60"), OLD], [], [("If-Unmodified-Since", "Sat, 01 Jan 2000 00:00:00 GMT")],
     False),
    ([("Cache-Control", "max-age=60")], [], [FIRST, ("If-Range", '"1"')], False),
    ([("Cache-Control", "max-age=60")], None, [FIRST, ("If-Range", '"1"')], False),
    ([("Cache-Control", "max-age=1, must-revalidate"), ("Vary", "Accept-Language")],
     [("Accept-Language", "de")], [FIRST, ("If-Range", '"1"')], False),
]
check = raw.Checks()


def choose(chance, rows):
    chosen = [(name, chance.choice(values)) for name, values in rows]
    return [(name, value) for name, value in chosen if value]


class Case:
    def __init__(self, number, chance):
        self.number = number
        self.status = chance.choice(STATUSES)
        self.fields = choose(chance, RESPONSE_FIELDS)
        self.part = chance.random() < 0.5  # the origin answers ranges
        self.earlier = [("GET", choose(chance, REQUEST_FIELDS)) if chance.random() < 0.3 else
                        ("GET", []) for _ in range(chance.choice([0, 1, 1, 1, 2]))]
        self.method = chance.choice(METHODS)
        self.request = choose(chance, REQUEST_FIELDS)
        self.dies = chance.random() < 0.15  # the origin does, after the first requests
        self.path = f"/{number}"
        if chance.random() < 0.25:
            self.of_a_part(chance)

    def of_a_part(self, chance):
        self.status, self.part, self.method = 200, True, "GET"
        self.fields = [*choose(chance, PART_FIELDS),
                       *[field for field in self.fields if field[0] not in ("Cache-Control", "Expires")]]
        self.earlier = [("GET", choose(chance, PART))]
        self.request = choose(chance, OF_PART)

    def fix(self, fields, earlier, request, dies):
        self.status, self.part, self.method = 200, True, "GET"
        self.fields, self.request, self.dies = fields, request, dies
        self.earlier = [] if earlier is None else [("GET", earlier)]

    def __str__(self):
        return (f"case {self.number}: {self.status} {self.fields}{' part' if self.part else ''}; "
                f"before {self.earlier}; then {self.method} {self.request}"
                f"{', the origin dead' if self.dies else ''}")


class Scene:
    def __init__(self, program, store, cases):
        self.cases = {case.path: case for case in cases}
        self.late = False
        self.origin = raw.Origin(self.serve)
        self.proxy = larder.Proxy(program, store, "--store-size", "64MiB", "--workers", "1",
                                  "--set", "name=larder")
        self.proxy.start()

    def serve(self, conn, head, _):
        case = self.cases[raw.path_of(head)]
        if self.late and case.dies:
            return True
        conn.sendall(answer(case, head))
        return False

    def explain(self, url, case):
        query = [("url", url), ("method", case.method)]
        query += [("header", f"{name}: {value}") for name, value in case.request]
        text = urllib.parse.urlencode(query, quote_via=urllib.parse.quote)
        with urllib.request.urlopen(f"http://127.0.0.1:{self.proxy.admin}/explain?{text}") as got:
            return json.load(got)

    def ask(self, url, method, fields):
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        data, _ = raw.ask(self.proxy.port, (f"{method} {url} HTTP/1.1\r\n"
                                            f"Host: 127.0.0.1:{self.origin.port}\r\n{lines}"
                                            "Connection: close\r\n\r\n").encode(), half_close=False)
        return data.partition(b"\r\n\r\n")[0].decode("latin-1")

    def asked(self, case):
        """How often the origin was asked for it."""
        return sum(raw.path_of(head) == case.path for head in self.origin.heads)

    def last(self, url, case, before):
        """The log of the request just made: it is written when the response has been sent."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            last = self.explain(url, case)["last"]
            if last and last != before:
                return last
            time.sleep(0.002)
        raise SystemExit(f"no record of {case}")


def field(head, name):
    found = re.search(rf"(?im)^{name}: *(.*?)\r?$", head)
    return found[1] if found else None


def answer(case, head):
    text = head.decode("latin-1")
    lines = "".join(f"{name}: {value}\r\n" for name, value in case.fields)
    now = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    lines = f"Date: {now}\r\n{lines}"
    etag = dict(case.fields).get("ETag")
    modified = dict(case.fields).get("Last-Modified")
    asked_etag, asked_date = field(text, "If-None-Match"), field(text, "If-Modified-Since")
    if case.status == 200 and ((etag and asked_etag == etag) or
                               (modified and not asked_etag and asked_date == modified)):
        return f"HTTP/1.1 304 Not Modified\r\n{lines}\r\n".encode()
    bodyless = case.status == 204 or text.startswith("HEAD ")
    asked = re.match(r"bytes=(\d+)-(\d+)$", field(text, "Range") or "")
    if case.part and asked and case.status == 200 and not field(text, "If-Range"):
        first, last = int(asked[1]), min(int(asked[2]), len(BODY) - 1)
        return (f"HTTP/1.1 206 Partial Content\r\n{lines}"
                f"Content-Range: bytes {first}-{last}/{len(BODY)}\r\n"
                f"Content-Length: {last - first + 1}\r\n\r\n").encode() + BODY[first:last + 1]
    length = "" if case.status == 204 else f"Content-Length: {len(BODY)}\r\n"
    return (f"HTTP/1.1 {case.status} X\r\n{lines}{length}\r\n").encode() + (b"" if bodyless else BODY)


def without_ttl(cache_status):
    return re.sub(r"; ttl=-?\d+", "", cache_status)


def compare(case, foretold, head, last):
    upcoming = foretold["next"]
    status = int(head.split(" ")[1])
    told = field(head, "Cache-Status") or ""
    failed = last["fwd"] and (last["outcome"] == "error" and case.dies or
                              last["reason"] == "stale-if-error" and "stale" in upcoming["outcomes"])

    check(last["outcome"] in upcoming["outcomes"] or failed,
          f"{case}: {upcoming['outcomes']} foretold, {last['outcome']} came ({told})")
    if not failed:
        check(last["reason"] == upcoming["reason"],
              f"{case}: {upcoming['reason']} foretold, {last['reason']} came ({told})")
    check(last["fwd"] == upcoming["fwd"], f"{case}: {upcoming['fwd']} foretold, {last['fwd']} came")
    check(f"; fwd={last['fwd']}" in told if last["fwd"] else "; fwd=" not in told,
          f"{case}: {last['fwd']} logged, {told} told")
    if last["outcome"] == "error" and upcoming["action"] != "refuse":
        check(case.dies and status in (502, 504), f"{case}: {status} came, and the origin was dead")
    elif upcoming["status"]:  # that of an answer which the origin has a part in, when it gives it
        check(status == upcoming["status"], f"{case}: {upcoming['status']} foretold, {status} came")
    if upcoming["action"] in ("answer", "answer-and-validate", "refuse"):
        check(without_ttl(told) == without_ttl(upcoming["cache_status"]),
              f"{case}: {upcoming['cache_status']} foretold, {told} came")
    if last["outcome"] not in ("hit", "hit-memory") or status == 416:
        return  # 416 is ours, without an age
    age = int(field(head, "Age"))
    current = foretold["freshness"]["age"]["current"]
    check(age == current, f"{case}: an age of {current} foretold, {age} came")


def account_adds_up(case, foretold):
    if foretold["freshness"]:
        age = foretold["freshness"]["age"]
        check(age["field"] + age["transit"] + age["resident"] == age["current"], f"{case}: {age}")
        check(foretold["freshness"]["remaining"] ==
              foretold["freshness"]["lifetime"]["seconds"] - age["current"], f"{case}")


def one(scene, case, remembers):
    """The reason foretold, and whether all happened within one second of the proxy's clock."""
    url = scene.origin.base + case.path
    asked = scene.asked(case)
    foretold = scene.explain(url, case)
    while True:
        again = scene.explain(url, case)
        if again["now"] == foretold["now"]:
            check(again["next"] == foretold["next"], f"{case}: asking changed something")
        foretold = again
        if time.time() % 1 < 0.7:  # else too little of this second is left for the request
            break
        time.sleep(1.01 - time.time() % 1)
    check(scene.asked(case) == asked, f"{case}: asking reached the origin")
    account_adds_up(case, foretold)
    check(bool(foretold["last"]) == bool(case.earlier and remembers), f"{case}: the last request is not known")
    head = scene.ask(url, case.method, case.request)
    last = scene.last(url, case, foretold["last"])
    within = last["time_ms"] // 1000 == foretold["now"]
    if within:
        compare(case, foretold, head, last)
    return foretold["next"]["reason"], within


def bad_questions(admin):
    """Each is answered with 400 and a sentence that names what is wrong."""
    for query, word in (("", "no URL"), ("url=", "no URL"), ("url=foo", "foo"), ("url=%zz", "%zz"),
                        ("url=http://a/&url=http://b/", "more than once"), ("uri=x", "uri"),
                        ("url=http://a/&header=x", "header field"), ("url=http://a/&method=A%20B", "method"),
                        ("url=http://a/&header=A:%0ab", "header field"),
                        ("url=http://a/&client=x", "address"),
                        ("url=http://a/" + 65 * "&header=A:b", "more than")):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{admin}/explain?{query}")
            check(False, f"{query} was answered")
        except urllib.error.HTTPError as error:
            said = json.load(error)["error"]
            check(error.code == 400 and word in said, f"{query}: {error.code} {said}")


def refusals(scene):
    """(url, query, status, reason) of requests that are not let through."""
    for url, query, status, reason in (
            ("http://a.example/", "client=192.0.2.7", 403, "access"),
            ("http://a.example:25/", "client=127.0.0.1", 403, "target-port"),
            ("/path", "header=Host:%20a.example", 400, "no-site"),
            ("a.example:22", "method=CONNECT", 403, "target-port"),
            ("http://a.example/", "header=Via:%201.1%20larder", 508, "loop"),
            ("http://169.254.169.254/latest", "", 403, "target-address"),
            ("[fe80::1]:443", "method=CONNECT", 403, "target-address"),
            (f"http://127.0.0.1:{scene.proxy.port}/", "", 403, "target-own"),
            (f"http://127.0.0.1:{scene.proxy.admin}/", "", 403, "target-own"),
            ("http://192.0.2.80/", "", None, "absent"),
            ("http://169.254.169.254.example/", "", None, "absent"),
            ("http://a b/", "", 400, "bad-request")):
        text = f"url={urllib.parse.quote(url)}&{query}"
        with urllib.request.urlopen(f"http://127.0.0.1:{scene.proxy.admin}/explain?{text}") as got:
            upcoming = json.load(got)["next"]
        check((upcoming["status"], upcoming["reason"]) == (status, reason),
              f"{url} {query}: {upcoming['status']} {upcoming['reason']}")


def secrets(scene, case):
    """What others sent as a cookie selects variants, and is not told."""
    case.status, case.dies = 200, False
    case.fields = [("Cache-Control", "max-age=60"), ("Vary", "Cookie, X-Kind")]
    url = scene.origin.base + case.path
    scene.ask(url, "GET", [("Cookie", "s=hush"), ("X-Kind", "1")])
    told = scene.explain(url, case)
    known = [variant["selected_by"] for variant in told["variants"]["known"]]
    check(known == [{"cookie": "…", "x-kind": "1"}], f"variants by {known}")
    check("hush" not in json.dumps(told), "a cookie is shown")


def all_decided(admin):
    """No request ended without an outcome and a reason, and the sums agree: all have been answered,
    and are counted soon."""
    end = time.monotonic() + raw.PATIENCE
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/status") as got:
            requests = json.load(got)["requests"]
        sums = {by: sum(requests[by].values()) for by in ("by_outcome", "by_reason", "by_end")}
        if set(sums.values()) == {requests["total"]} or time.monotonic() > end:
            break
        time.sleep(0.05)
    for by, total in sums.items():
        check("none" not in requests[by], f"{requests[by]}")
        check(total == requests["total"], f"{by}: {requests}")


def main():
    program = str(pathlib.Path(sys.argv[1]) / "proxy" / "larder-proxy")
    larder.need(program)
    chance = random.Random(larder.seed(*sys.argv[2:3]))
    cases = [Case(number, chance) for number in range(CASES)]
    for number, fixed in enumerate(FIXED):  # the last ones are asked about after a restart
        cases[number].fix(*fixed)
        cases[-1 - number].fix(*fixed)
    secret = Case(CASES, random.Random(0))
    counts, parted = {}, 0
    with tempfile.TemporaryDirectory() as store:
        scene = Scene(program, store, [*cases, secret])
        bad_questions(scene.proxy.admin)
        refusals(scene)
        secrets(scene, secret)
        # The ring remembers the last 128 requests: so many cases at a time.
        for first in range(0, CASES, BATCH):
            some = cases[first:first + BATCH]
            scene.late = False
            for case in some:
                for method, fields in case.earlier:
                    scene.ask(scene.origin.base + case.path, method, fields)
            time.sleep(PAUSE)
            scene.late = True
            restarts = first + BATCH >= CASES  # the last ones are found on disk
            if restarts:
                all_decided(scene.proxy.admin)
                check(scene.proxy.stop(), "the proxy left by itself")
                scene.proxy.start()
            for case in some:
                reason, within = one(scene, case, not restarts)
                counts[reason] = counts.get(reason, 0) + 1
                parted += not within
        check(scene.proxy.stop(), "the proxy left by itself")
    print(", ".join(f"{word} {count}" for word, count in sorted(counts.items())))
    check(parted <= CASES // 10, f"in {parted} cases a second passed before the answer")
    check.end()


if __name__ == "__main__":
    main()
