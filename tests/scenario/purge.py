#!/usr/bin/env python3
"""What was purged is gone, and stays so: purge.py BUILD

Responses are stored: variants, a part, one in memory and one on disk, one that is still on its way.
`larderctl purge` says what it has found of them; then the origin is asked again, `larderctl explain`
says that nothing is stored, and a kill -9 brings nothing back. The same of a prefix, a host, and all.
A question that is wrong, or comes from elsewhere, purges nothing, and is told why.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

LARGE = 100_000  # not for memory
SITE = "http://www.example.test"
check = raw.Checks()


def size_of(path):
    return LARGE if "large" in path else 1000


class Origin:
    """Each body says which answer it is of, so that an old one is known."""

    def __init__(self):
        self.lock = threading.Lock()
        self.asked = {}
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.origin = raw.Origin(self.serve)
        self.base = self.origin.base

    def times(self, path):
        with self.lock:
            return self.asked.get(path, 0)

    def serve(self, conn, head, _rest):
        path = raw.path_of(head)
        with self.lock:
            number = self.asked[path] = self.asked.get(path, 0) + 1
        body = (b"%d:" % number).ljust(size_of(path), b".")
        lines = [b"HTTP/1.1 200 OK", b"Cache-Control: max-age=3600", b'ETag: "%d"' % number]
        if path.startswith("/vary"):
            lines.append(b"Vary: Accept-Encoding")
        if b"\r\nRange: bytes=0-99\r\n" in head:
            lines[0] = b"HTTP/1.1 206 Partial Content"
            lines.append(b"Content-Range: bytes 0-99/%d" % len(body))
            body = body[:100]
        lines.append(b"Content-Length: %d" % len(body))
        conn.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body[:50])
        if path == "/slow" and number == 1:
            self.begun.set()
            self.go_on.wait(60)
        conn.sendall(body[50:])


class Setup:
    def __init__(self, build, folder):
        self.origin = Origin()
        self.ctl = str(build / "ctl/larderctl")
        self.store = f"{folder}/store"
        self.proxy = larder.Proxy(str(build / "proxy/larder-proxy"), self.store, "--store-size", "64MiB",
                                  "--workers", "2", "--site",
                                  f"www.example.test={self.origin.base}")
        self.start()

    def start(self):
        self.proxy.start()
        self.client = larder.Client(self.proxy.port)

    def kill(self):
        self.proxy.kill()
        self.start()

    def url(self, path):
        return self.origin.base + path

    def get(self, url, **fields):
        status, body, _ = self.client.get(url, **fields)
        return status, body

    def keep(self, *urls):
        """Fetches them, and sees that they are kept."""
        for url in urls:
            status, _ = self.get(url)
            check(status == 200 and self.is_kept(url), f"{url} is kept")

    def is_kept(self, url, **fields):
        status, _ = self.get(url, Cache_Control="only-if-cached", **fields)
        check(status in (200, 206, 504), f"{url}: {status}")
        return status != 504

    def run(self, *arguments, admin=None):
        """(exit status, output, errors)"""
        done = subprocess.run([self.ctl, *arguments, "--admin", f"127.0.0.1:{admin or self.proxy.admin}"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    def purge(self, *arguments, said):
        status, out, errors = self.run("purge", *arguments)
        check(status == 0 and out == said and not errors,
              f"purge {arguments}: {status}, {out!r}, {errors!r}, not {said!r}")

    def explained(self, url):
        data, _ = raw.ask(self.proxy.admin, f"GET /explain?url={url} HTTP/1.1\r\nHost: localhost\r\n"
                                            "Connection: close\r\n\r\n".encode(), 60)
        return json.loads(data.partition(b"\r\n\r\n")[2])

    def await_disk(self, *urls):
        """They are large, so memory lets them go when they are written."""
        for url in urls:
            while self.explained(url)["stored"]["where"] != "store":
                pass

    def post(self, target, *lines, method="POST", host="localhost"):
        head = "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *lines])
        data, _ = raw.ask(self.proxy.admin, f"{head}\r\n\r\n".encode(), 60, half_close=False)
        return raw.statuses(data)[0]


def what_was_found(setup):
    vary, part, small, large = (setup.url(path) for path in ("/vary", "/part", "/small", "/large"))
    for coding in ("gzip", "br"):
        setup.get(vary, Accept_Encoding=coding)
    setup.get(part, Range="bytes=0-99")
    setup.keep(small, large)
    setup.get(small)
    check(setup.is_kept(part, Range="bytes=0-99"), "the part is kept")
    check(len(setup.explained(vary)["variants"]["known"]) == 2, "two variants")
    setup.purge(vary, part, small, large, setup.url("/never"),
                said=f"{vary}: purged: 2 variants, 2,000 bytes\n"
                     f"{part}: purged: 1 response, 100 bytes\n"
                     f"{small}: purged: 1 response, 1,000 bytes\n"
                     f"{large}: purged: 1 response, {LARGE:,} bytes\n"
                     f"{setup.url('/never')}: was not stored\n")
    setup.kill()
    for url in (vary, part, small, large):
        found = setup.explained(url)
        check(found["stored"] is None and found["variants"] is None, f"{url} is not stored: {found}")
    check(not setup.is_kept(part, Range="bytes=0-99"), "no part is left")
    for coding in ("gzip", "br"):
        check(not setup.is_kept(vary, Accept_Encoding=coding), f"no {coding} is left")
    check(setup.get(small)[1].startswith(b"2:") and setup.is_kept(small), "another is fetched, and kept")


def what_is_on_its_way(setup):
    url, first = setup.url("/slow"), {}

    def early():
        first["got"] = larder.Client(setup.proxy.port, 60).get(url)[:2]

    reader = threading.Thread(target=early)
    reader.start()
    check(setup.origin.begun.wait(60), "the first answer has begun")
    while setup.explained(url)["fetching"] is None:
        pass
    status, out, _ = setup.run("purge", url)
    check(status == 0 and out.endswith("; what is on its way will not be stored\n"), out)
    check(setup.get(url)[1].startswith(b"2:"), "who comes later is not given what was before")
    setup.origin.go_on.set()
    reader.join(60)
    check(first["got"] == (200, b"1:".ljust(1000, b".")), f"who was there has all of it: {first}")
    check(setup.get(url)[1].startswith(b"2:") and setup.origin.times("/slow") == 2,
          "what is kept is the later one")


def many_at_once(setup):
    img, other, site = setup.url("/img/large"), setup.url("/imh/large"), SITE + "/x"
    setup.keep(img, setup.url("/img/y/z?q"), other, site)
    setup.purge("--prefix", setup.url("/img/"), said=f"{setup.url('/img/')}: purged: everything with this prefix\n")
    check(not setup.is_kept(img) and not setup.is_kept(setup.url("/img/y/z?q")), "what is below it")
    check(setup.is_kept(other) and setup.is_kept(site), "and nothing else")
    setup.keep(img)
    setup.await_disk(img, other)
    setup.kill()
    check(setup.is_kept(img) and not setup.is_kept(setup.url("/img/y/z?q")), "the same after a kill -9")
    setup.purge("--host", "www.example.test", said="www.example.test: purged: everything of this host\n")
    check(not setup.is_kept(site) and setup.is_kept(other), "a host, and no other")
    setup.keep(site)
    setup.purge("/x", "-H", "Host: www.example.test", said="/x: purged: 1 response, 1,000 bytes\n")
    check(not setup.is_kept(site), "a URL of a site")
    setup.keep(site)
    setup.purge("--all", said="purged: everything\n")
    setup.kill()
    check(not any(map(setup.is_kept, (img, other, site))), "everything")


def what_is_refused(setup):
    kept = setup.url("/kept")
    setup.keep(kept)
    asked = f"/purge?url={kept}"
    check(setup.post(asked, method="GET") == 405, "what follows a link purges nothing")
    check(setup.post(asked, "Origin: http://evil.example") == 403, "nor does another site's page")
    check(setup.post(asked, host="evil.example") == 403, "nor one by another name")
    for query in ("", "?", "?url=", "?url=x&url=y", "?all=no", "?host=a%2Fb", "?host=", "?prefix=",
                  "?url=http://a/&method=POST", "?url=http://a/%", "?stale=yes"):
        check(setup.post("/purge" + query, "Content-Length: 0") == 400, f"/purge{query} is no question")
    bad, good = "no-url", setup.url("/never")
    status, out, errors = setup.run("purge", bad, good)
    check(status == 2 and out == f"{good}: was not stored\n" and '"no-url" is not a URL' in errors, errors)
    for arguments in ((), ("--all", kept), ("--host", "a", "--prefix", kept), ("--all", "-H", "A: b")):
        check(setup.run("purge", *arguments)[0] == 2, f"purge {arguments}")
    status, _, errors = setup.run("purge", kept, good, admin=larder.free_port())
    check(status == 1 and errors.count("nothing listens") == 1, errors)
    check(setup.is_kept(kept), "it is still there")


def what_is_said_of_the_scheme(setup):
    """Behind who ends TLS it is another URL; who purges may say so in the same words."""
    url, secure = "http://www.example.test/scheme", {"X_Forwarded_Proto": "https"}
    for fields in ({}, secure):
        status, _ = setup.get(url, **fields)
        check(status == 200 and setup.is_kept(url, **fields), f"{url} with {fields} is kept")
    status, out, _ = setup.run("purge", url, "-H", "X-Forwarded-Proto: https")
    check(status == 0 and "not stored" not in out, f"{status} {out}")
    check(setup.is_kept(url) and not setup.is_kept(url, **secure), "it is the other one that is gone")


def more_than_are_remembered(setup):
    answers = [setup.post(f"/purge?prefix=http://full.example/{n}/", "Content-Length: 0")
               for n in range(1025)]
    check(answers[0] == 200 and answers[-1] == 503, f"{answers[0]} … {answers[-1]}")
    status, _, errors = setup.run("purge", "--prefix", "http://full.example/x/")
    check(status == 1 and "1024" in errors, f"{status} {errors}")


def who_does_not_wait(setup):
    url = setup.url("/left")
    setup.keep(url)
    with raw.connect(setup.proxy.admin) as conn:
        conn.sendall(f"POST /purge?url={url} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
    while setup.is_kept(url):
        pass


def a_store_that_cannot_be_opened(setup):
    """Its error is that, and not that its purges are lost."""
    proxy = larder.Proxy(setup.proxy.command[0], setup.store)
    done = subprocess.run(proxy.command, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    check(done.returncode == 1 and "store_open" in done.stderr and "purges_" not in done.stderr,
          f"a store that another process has: {done.returncode}, {done.stderr}")


def main():
    build = pathlib.Path(sys.argv[1])
    larder.need(build / "proxy/larder-proxy")
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(build, folder)
        what_was_found(setup)
        what_is_on_its_way(setup)
        many_at_once(setup)
        what_is_refused(setup)
        what_is_said_of_the_scheme(setup)
        who_does_not_wait(setup)
        more_than_are_remembered(setup)
        a_store_that_cannot_be_opened(setup)
        data, _ = raw.ask(setup.proxy.admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
                                             b"Connection: close\r\n\r\n", 60)
        told = [line for line in data.decode().splitlines() if line.startswith("larder_purges_total ")]
        check(told and int(told[0].split()[1]) >= 2, f"purges are counted: {told}")
        check(setup.proxy.stop(), "it ends well")
    check.end()


main()
