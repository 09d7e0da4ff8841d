#!/usr/bin/env python3
"""Mirrors: mirrors.py BUILD

Scripted origins over TLS under paths of the proxy: redirects and whom they may lead to, what stays
fresh, tokens, digests, links rewritten for each Host, and what hostile origins send.
"""
import collections
import hashlib
import http.client
import http.server
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs as certificates  # noqa: E402
import h2  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

WORKERS = os.environ.get("LARDER_WORKERS", "1")
check = raw.Checks()
Answer = collections.namedtuple("Answer", "status headers body whole")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            self.server.seen.append((self.command, self.path, self.headers, body))
        self.server.answer(self)

    do_GET = do_HEAD = do_POST = handle_any

    def reply(self, status, body=b"", chunked=False, **fields):
        self.send_response_only(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif status != 304:
            self.send_header("Content-Length", len(body))
        self.end_headers()
        if self.command == "HEAD" or status == 304:
            return
        if not chunked:
            self.wfile.write(body)
            return
        for at in range(0, len(body), chunked):
            piece = body[at:at + chunked]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


class Origin(http.server.ThreadingHTTPServer):
    """`answer(handler)` answers; what was asked is in `seen`."""
    daemon_threads = True
    block_on_close = False

    def __init__(self, answer, context):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.seen, self.lock, self.context = answer, [], threading.Lock(), context
        self.base = f"{'https' if context else 'http'}://localhost:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def finish_request(self, request, client_address):
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, *_):
        pass  # the proxy closes what it needs no more

    def taken(self):
        with self.lock:
            seen, self.seen = self.seen, []
        return seen

    def paths(self):
        return [path for _, path, _, _ in self.taken()]


class Scene:
    def __init__(self, program, folder):
        certs = certificates.Certs(folder)
        certs.sign("good", "DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certs.path("good.pem"), certs.path("good.key"))
        self.answers = {}
        self.origin = Origin(lambda h: self.answers[h.path](h), context)
        self.cdn = Origin(lambda h: self.answers["cdn " + h.path](h), context)
        self.unsafe = Origin(lambda h: h.reply(200, b"unsafe"), None)
        ca = certs.path("ca.pem")
        mirrors = [f"{{path: {path}, origin: '{self.origin.base}{at}', ca: {ca}{extra}}}"
                   for path, at, extra in (
                       ("/plain/", "/base", ", url: 'http://mirror.test/seen/'"),
                       ("/debian/", "/debian/", ", preset: apt"),
                       ("/npm/", "/npm", ", preset: npm"),
                       ("/pip/", "/", f", preset: pip, files: '{self.cdn.base}/packages'"),
                       ("/v2/", "/v2/", ", preset: oci"))]
        file = folder / "proxy.yaml"
        file.write_text("pac: {}\naccess:\n"
                        "  - deny: {hosts: [denied.test]}\n"
                        "  - allow: {from: [127.0.0.1]}\nmirrors:\n" + "".join(f"  - {mirror}\n" for mirror in mirrors)
                        + f"log: {{access: {folder}/access.log, format: json}}\n")
        self.proxy = larder.Proxy(program, str(folder / "store"), "--config", str(file),
                                  "--workers", WORKERS)
        self.tls, self.ca = larder.free_port(), ca
        self.proxy.command += ["--listen-tls", f"127.0.0.1:{self.tls}", "--certificate",
                               certs.path("good.pem"), "--key", certs.path("good.key")]
        self.log = folder / "log"
        log = open(self.log, "w")  # noqa: SIM115
        self.proxy.popen = lambda: subprocess.Popen(self.proxy.command, stderr=log)
        self.proxy.start()

    def told(self, event):
        """Lines of the proxy's log."""
        return [line for line in self.log.read_text().splitlines() if event in line]

    def peak_memory(self):
        """In bytes, the most that the proxy has had in RAM so far."""
        status = pathlib.Path(f"/proc/{self.proxy.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) << 10

    def admin(self, path):
        data, _ = raw.ask(self.proxy.admin, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n"
                                            "Connection: close\r\n\r\n".encode(), 60)
        return json.loads(data.partition(b"\r\n\r\n")[2])

    def status(self):
        return self.admin("/status")

    def explain(self, question):
        return self.admin(f"/explain?{question}")

    def ctl(self, *words):
        """What larderctl says."""
        program = str(pathlib.Path(sys.argv[1]) / "ctl/larderctl")
        done = subprocess.run([program, *words, "--admin", f"127.0.0.1:{self.proxy.admin}"],
                              capture_output=True, text=True, timeout=120)
        return done.stdout + done.stderr

    def ask(self, path, method="GET", body=None, **fields):
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=90)
        connection.request(method, path, body,
                           {name.replace("_", "-"): value for name, value in fields.items()})
        response = connection.getresponse()
        try:
            body, whole = response.read(), True
        except (http.client.IncompleteRead, ConnectionError) as broken:
            body, whole = getattr(broken, "partial", b""), False
        connection.close()
        return Answer(response.status, response.headers, body, whole)


def together(s, path, count=4):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(s.ask(path))) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def pass_a_moment():
    time.sleep(0.01)


def is_hit(answer):
    return "; hit" in answer.headers.get("Cache-Status", "")


def plain(s):
    far = f"https://127.0.0.1:{s.cdn.server_port}"  # another host than localhost
    s.answers.update({
        "/base/x": lambda h: h.reply(302, b"moved", Location=far + "/x?signed=1"),
        "cdn /x?signed=1": lambda h: h.reply(200, b"from afar", Cache_Control="max-age=600"),
        "/base/round": lambda h: h.reply(302, Location="round"),
        "/base/unsafe": lambda h: h.reply(302, Location=s.unsafe.base + "/"),
        "/base/inside": lambda h: h.reply(302, Location=f"https://[::1]:{s.cdn.server_port}/"),
        "/base/port": lambda h: h.reply(302, Location="https://localhost:25/"),
        "/base/denied": lambda h: h.reply(302, Location="https://denied.test/"),
        "/base/scheme": lambda h: h.reply(302, Location="file:///etc/passwd"),
        "/base/none": lambda h: h.reply(302, b"nowhere", Cache_Control="no-store"),
        "/base/near": lambda h: h.reply(307, Location="/base/nearer"),
        "/base/nearer": lambda h: h.reply(200, b"near", Cache_Control="max-age=600"),
        "/base/cookie?places": lambda h: h.reply(200),
        "/base/cookie": lambda h: h.reply(200, b"c", Cache_Control="max-age=600", Set_Cookie="a=b",
                                          Alt_Svc='h3=":443"', Strict_Transport_Security="x"),
    })
    keys = {"PRIVATE-TOKEN": "k", "JOB-TOKEN": "k", "X-JFrog-Art-Api": "k", "npm-otp": "k"}
    answer = s.ask("/plain/x", Authorization="Basic eDp5", Cookie="a=b", Referer="http://r/", **keys)
    check(answer.status == 200 and answer.body == b"from afar", f"a redirect is followed: {answer}")
    near, far_seen = s.origin.taken(), s.cdn.taken()
    check(near[0][2].get("Authorization") == "Basic eDp5", "the origin gets credentials")
    check(all(near[0][2].get(name) == "k" for name in keys), "of whatever kind")
    check(not any(far_seen[0][2].get(name) for name in ("Authorization", "Cookie", "Referer", *keys)),
          f"another host gets none: {far_seen[0][2]}")
    s.ask("/plain/x")
    s.origin.taken(), s.cdn.taken()
    answer = s.ask("/plain/x")
    check(is_hit(answer) and answer.body == b"from afar" and not s.origin.paths()
          and not s.cdn.paths(), f"it is kept under the first URL: {answer}")
    check('"/plain/"' in answer.headers["Cache-Status"], "Cache-Status names the mirror")
    answer = s.ask("/plain/near", Authorization="Basic eDp5")
    check(answer.body == b"near" and s.origin.taken()[-1][2].get("Authorization"),
          "the same host is the same, credentials and all")
    for name, status, reason in (("round", 502, "redirect"), ("unsafe", 502, "redirect"),
                                 ("inside", 403, "target-address"), ("port", 502, "redirect"),
                                 ("scheme", 502, "redirect"), ("denied", 502, "redirect")):
        answer = s.ask("/plain/" + name)
        check(answer.status == status and reason in answer.headers["Cache-Status"],
              f"{name}: {answer}")
    check(len([p for p in s.origin.paths() if p == "/base/round"]) == 6, "five hops, no more")
    check(not s.unsafe.paths(), "from https nothing leads to http")
    told = s.told("mirror_redirect_refused")
    check(any(f"to={s.unsafe.base}" in line for line in told)
          and any("to=https://localhost:25" in line for line in told), f"where they led: {told}")
    check(s.ask("/plain/none").status == 302, "a redirect to nowhere is the client's")
    s.ask("/plain/cookie")
    answer = s.ask("/plain/cookie")
    check(is_hit(answer) and not {"set-cookie", "alt-svc", "strict-transport-security"}
          & {name.lower() for name in answer.headers}, f"nothing of the origin's host: {answer}")
    places = [f"{name}-{part}" for name in ("X_Forwarded", "X-Original", "X-Rewrite")
              for part in ("Host", "Proto", "Prefix", "URL")] + ["Forwarded"]
    s.origin.taken()
    s.ask("/plain/cookie?places", **{name: "host=evil.test" for name in places})
    asked = s.origin.taken()[0][2]
    check(not any("evil" in value and name.lower() not in (
        "x-original-proto", "x-original-prefix", "x-rewrite-host", "x-rewrite-proto",
        "x-rewrite-prefix", "x-forwarded-url") for name, value in asked.items()),
        f"the origin makes no links of what a client says: {asked.items()}")
    answer = s.ask("/plain/x", "GET", b"body")
    check(answer.status == 302, f"what has a body is not sent twice: {answer}")
    answer = s.ask("/plain/x", method="PUT", body=b"new")
    check(answer.status == 405 and answer.headers["Allow"] == "GET, HEAD", f"PUT: {answer}")
    check(s.ask("/plain/%2e%2e/x").status == 400, "nothing leads out of a mirror")
    check(s.ask("/elsewhere").status == 400, "other paths are nobody's")


def way(s):
    """What is kept under the first URL is as good as the least of what led there."""
    s.origin.taken()
    basic = {"Authorization": "Basic eDp5"}
    final = {"Cache_Control": "public, max-age=600", "ETag": '"w"'}
    # of the redirect; of the response; asked with; again with; is the second one a hit?
    cases = (({}, {}, {}, {}, True),
             ({"Cache_Control": "max-age=600"}, {}, {}, {}, True),
             ({"Cache_Control": "max-age=0"}, {}, {}, {}, False),
             ({"Cache_Control": "max-age=600", "Age": "600"}, {}, {}, {}, False),
             ({"Cache_Control": "no-store"}, {}, {}, {}, False),
             ({"Cache_Control": "private, max-age=600"}, {}, {}, {}, False),
             ({"Cache_Control": "no-cache"}, {}, {}, {}, False),
             ({"Vary": "X-Who"}, {}, {"X_Who": "1"}, {"X_Who": "1"}, True),
             ({"Vary": "X-Who"}, {}, {"X_Who": "1"}, {"X_Who": "2"}, False),
             ({"Vary": "X-Who"}, {"Vary": "X-Too"}, {"X_Who": "1"}, {"X_Who": "1", "X_Too": "1"}, False),
             ({"Vary": "*"}, {}, {}, {}, False),
             ({}, {}, basic, basic, False),
             ({"Cache_Control": "private"}, {}, basic, {}, False),
             ({"Cache_Control": "public, max-age=600"}, {}, basic, basic, True))
    for number, (hop, last, first, second, hit) in enumerate(cases):
        path = f"way{number}"
        s.answers[f"/base/{path}"] = lambda h, hop=hop, path=path: h.reply(302, Location=f"{path}/2", **hop)
        s.answers[f"/base/{path}/2"] = lambda h, path=path: h.reply(302, Location=f"/base/{path}/3",
                                                                    Cache_Control="public, max-age=900")
        s.answers[f"/base/{path}/3"] = lambda h, last=last: h.reply(200, b"end", **final, **last)
        check(s.ask("/plain/" + path, **first).body == b"end", path)
        answer = s.ask("/plain/" + path, **second)
        check(is_hit(answer) == hit, f"{hop} {last} {first} {second}: {answer}")
    # What never changes is as good as its name says, whatever leads there.
    s.answers["/npm/x/-/x-1.tgz"] = lambda h: h.reply(302, Location="/npm/y", Cache_Control="no-cache")
    s.answers["/npm/y"] = lambda h: h.reply(200, b"tar")
    check([is_hit(s.ask("/npm/x/-/x-1.tgz")) for _ in range(2)] == [False, True], "a tarball")
    s.origin.taken()


class SafeConnection(h2.Connection):
    """HTTP/2 over TLS, where a mirror is asked as a site would be."""

    def __init__(self, s):
        super().__init__(s.tls, preface=False)
        context = ssl.create_default_context(cafile=s.ca)
        context.set_alpn_protocols(["h2"])
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.authority = f"localhost:{s.tls}"
        self.send(h2.PREFACE + h2.settings())


def extended(s):
    """A 2xx to an extended CONNECT would be the beginning of another protocol (RFC 8441 5)."""
    s.ask("/plain/near")
    s.origin.taken()
    with SafeConnection(s) as conn:
        for protocol in ("websocket", "chat"):
            for path in ("/plain/near", "/plain/unseen", "/npm/small", "/v2/", "/proxy.pac", "/setup"):
                got = conn.response(conn.headers(
                    [(":method", "CONNECT"), (":protocol", protocol), (":scheme", "https"),
                     (":path", path), (":authority", conn.authority)], end=False))
                check(got.status == 501 and got.fields.get("proxy-status")
                      and "detail=upgrade" in got.fields["cache-status"],
                      f"{protocol} {path}: {got.heads} {got.reset}")
        check(not s.origin.paths(), "nobody is asked")
        for path in ("/plain/near", "/proxy.pac", "/setup"):
            got = conn.get(path, scheme="https")
            check(got.status == 200, f"{path} in HTTP/2: {got.heads} {got.reset}")


def apt(s):
    s.origin.taken()

    def release(h):
        if h.headers.get("If-None-Match") == '"1"':
            h.reply(304, ETag='"1"')
        else:
            h.reply(200, b"Origin: test\n", ETag='"1"', Cache_Control="max-age=9999")

    s.answers.update({
        "/debian/dists/a/InRelease": release,
        "/debian/dists/a/main/by-hash/SHA256/00": lambda h: h.reply(200, b"Packages"),
        "/debian/pool/main/a/a_1_all.deb": lambda h: h.reply(200, b"deb", Cache_Control="no-cache"),
        "/debian/pool/main/a/b_1_all.deb": lambda h: h.reply(404, Cache_Control="max-age=999"),
    })
    for path in ("dists/a/InRelease", "dists/a/main/by-hash/SHA256/00", "pool/main/a/a_1_all.deb"):
        first = s.ask("/debian/" + path)
        again = s.ask("/debian/" + path, Cache_Control="no-cache")
        check(first.status == again.status == 200 and first.body == again.body, f"{path}: {again}")
        asked = [(fields.get("If-None-Match"), at) for _, at, fields, _ in s.origin.taken()]
        if "InRelease" in path:
            check([etag for etag, _ in asked] == [None, '"1"'], f"validated each time: {asked}")
        else:
            check(len(asked) == 1 and is_hit(again), f"{path} needs no word of the origin: {again}")
    # The registry is down: what it has not forbidden still answers.
    for name, control, status in (("b", "max-age=9999", 200), ("c", "no-cache", 503),
                                  ("d", "max-age=0, must-revalidate", 503), ("e", None, 200)):
        fields = {"Cache_Control": control} if control else {}
        path = f"/debian/dists/{name}/InRelease"
        s.answers[path] = lambda h, fields=fields: h.reply(200, b"Suite: x\n", ETag='"2"', **fields)
        check(s.ask(path, Cache_Control="max-age=0").body == b"Suite: x\n", path)
        s.answers[path] = lambda h: h.reply(503, b"down")
        answer = s.ask(path, Cache_Control="max-age=0")
        check(answer.status == status, f"down, {control}: {answer}")
    s.origin.taken()
    s.ask("/debian/pool/main/a/b_1_all.deb")
    s.ask("/debian/pool/main/a/b_1_all.deb")
    check(len(s.origin.paths()) == 2, "what is not there may come any time")


def sha(body):
    return "sha256:" + hashlib.sha256(body).hexdigest()


def oci(s):
    layer, large, forged = b"layer " * 100, os.urandom(1 << 21), b"forged " * 300
    secret, empty = b"secret" * 50, b""
    tokens, ways, far = [], [], f"https://127.0.0.1:{s.cdn.server_port}"

    def guarded(reply):
        def answer(h):
            name = h.path.split("/")[2]
            if h.headers.get("Authorization") != f"Bearer t-{name}":
                h.reply(401, b"{}", WWW_Authenticate=(
                    f'Bearer realm="{far}/token",service="a registry",'
                    f'scope="repository:{name}:pull"'))
            else:
                reply(h)
        return answer

    def give(h, name):
        tokens.append(h.headers.get("Authorization"))
        ways.append(h.headers.get("Via") and h.headers.get("CDN-Loop"))
        h.reply(200, json.dumps({"token": "t-" + name, "expires_in": 300}).encode())

    def manifest(h):
        listed = "list" in h.headers.get("Accept", "")
        h.reply(200, b'{"list": 1}' if listed else b'{"one": 1}', ETag='"m%d"' % listed,
                Content_Type="application/json")

    def let_in():
        """Those of the requests that had a token: each worker has to get its own first."""
        return [fields["Authorization"] for _, _, fields, _ in s.origin.taken()
                if "Authorization" in fields]

    for name in ("a", "b", "c"):
        s.answers[f"cdn /token?service=a%20registry&scope=repository:{name}:pull"] = (
            (lambda h, name=name: give(h, name)) if name != "c" else (lambda h: h.reply(401)))
    for name, body in (("a", layer), ("a", large), ("c", secret)):
        s.answers[f"/v2/{name}/blobs/{sha(body)}"] = guarded(
            lambda h, body=body: h.reply(307, b"moved", Location=far + "/" + sha(body)))
        s.answers[f"cdn /{sha(body)}"] = lambda h, body=body: h.reply(200, body, ETag='"blob"')
    s.answers.update({
        f"/v2/b/blobs/{sha(layer)}": guarded(lambda h: h.reply(404, Cache_Control="max-age=999")),
        f"/v2/a/blobs/{sha(forged)}": guarded(lambda h: h.reply(200, forged[:-1] + b"?")),
        f"/v2/a/blobs/{sha(forged + b'c')}": guarded(
            lambda h: h.reply(200, forged, chunked=100)),
        f"/v2/a/blobs/{sha(b'not empty')}": guarded(lambda h: h.reply(200, b"")),
        f"/v2/a/blobs/{sha(empty)}": guarded(lambda h: h.reply(200, b"")),
        f"/v2/a/blobs/{sha(b'zipped')}": guarded(
            lambda h: h.reply(200, b"zipped", Content_Encoding="gzip")),
        f"/v2/a/manifests/{sha(b'{}')}": guarded(lambda h: h.reply(200, b"{}")),
        "/v2/a/manifests/latest": guarded(manifest),
        "/v2/a/tags/list": guarded(lambda h: h.reply(200, b"{}", Cache_Control="no-store")),
    })
    ping = s.ask("/v2/")
    check(ping.status == 200 and ping.body == b"{}" and not s.origin.paths(), f"ping: {ping}")

    answer = s.ask(f"/v2/a/blobs/{sha(layer)}", Authorization="Bearer mine")
    check(answer.status == 200 and answer.body == layer, f"a blob: {answer}")
    seen = s.origin.taken()
    check([fields.get("Authorization") for _, _, fields, _ in seen] == [None, "Bearer t-a"],
          f"asked without, then with what anybody gets: {seen}")
    check(not any(fields.get("Authorization") for _, _, fields, _ in s.cdn.taken()),
          "neither the token's server nor the other host gets a token")
    check(tokens == [None], f"tokens: {tokens}")
    check(all(ways), f"who gives tokens sees by where it was asked: {ways}")
    answer = s.ask(f"/v2/b/blobs/{sha(layer)}")
    check(is_hit(answer) and answer.body == layer and not s.origin.paths(),
          f"the same blob for another repository: {answer}")

    # A range of what is not here yet: the whole is fetched, compared and kept.
    answer = s.ask(f"/v2/a/blobs/{sha(large)}", Range="bytes=100-199")
    check(answer.status == 206 and answer.body == large[100:200], f"a range: {answer.status}")
    check(let_in() == ["Bearer t-a"], "with a token")
    answers = together(s, f"/v2/a/blobs/{sha(large)}")
    check(all(answer.body == large and answer.whole for answer in answers), "several at once")
    check([fields.get("Range") for _, path, fields, _ in s.cdn.taken() if "/token" not in path]
          == [None], "one fetch for all")
    head = s.ask(f"/v2/a/blobs/{sha(large)}", method="HEAD")
    check(head.status == 200 and int(head.headers["Content-Length"]) == len(large), f"HEAD: {head}")
    s.origin.taken()

    for status in (203, 202, 206):
        path = f"/v2/a/blobs/{sha(b'%d' % status)}"
        s.answers[path] = guarded(lambda h, status=status: h.reply(status, b"another"))
        check(s.ask(path).status == 502, f"{status} is no blob")
    path = f"/v2/a/blobs/{sha(b'twice')}"

    def twice(h):
        h.send_response_only(200)
        for name, value in (("Content-Encoding", "identity"), ("Content-Encoding", "gzip"),
                            ("Content-Length", "5")):
            h.send_header(name, value)
        h.end_headers()
        h.wfile.write(b"twice")

    s.answers[path] = guarded(twice)
    check(s.ask(path).status == 502, "the second line says how it is coded")
    s.origin.taken()

    for what, body, status in (("another body", forged, 200), ("in chunks", forged + b"c", 200),
                               ("an empty one", b"not empty", 502), ("encoded", b"zipped", 502)):
        for attempt in range(2):
            answer = s.ask(f"/v2/a/blobs/{sha(body)}")
            check(answer.status == status and (status != 200 or not answer.whole),
                  f"{what}: {answer.status}, whole: {answer.whole}, {len(answer.body)} bytes")
            check(let_in() == ["Bearer t-a"], f"{what} is not kept: {attempt}")
    check(s.ask(f"/v2/a/blobs/{sha(empty)}").whole, "an empty blob is one, too")
    check(s.ask(f"/v2/a/manifests/{sha(b'{}')}").body == b"{}", "a manifest by its digest")

    # What nobody compares is never a blob: no path of a client leads to the key of one.
    for path in ("_blobs", "%23blobs", "x/_blobs"):
        s.answers[f"/v2/{path}/{sha(b'wanted')}"] = lambda h: h.reply(
            200, b"planted", Cache_Control="public, max-age=600")
        check(s.ask(f"/v2/{path}/{sha(b'wanted')}").body == b"planted", path)
    s.answers[f"/v2/a/blobs/{sha(b'wanted')}"] = guarded(lambda h: h.reply(200, b"wanted"))
    check(s.ask(f"/v2/a/blobs/{sha(b'wanted')}").body == b"wanted", "a blob is what its name says")
    s.origin.taken()

    # What gives tokens has no end, or says that it is far.
    cut = threading.Event()

    def endless(h):
        h.send_response_only(200)
        h.send_header("Transfer-Encoding", "chunked")
        h.end_headers()
        try:
            while True:
                h.wfile.write(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
        except OSError:
            cut.set()

    def far_end(h):
        h.send_response_only(200)
        h.send_header("Content-Length", 1 << 40)
        h.end_headers()
        h.rfile.read(1)  # it is given up by the other side

    s.answers["cdn /endless"], s.answers["cdn /far"] = endless, far_end
    for name in ("endless", "far"):
        s.answers[f"/v2/{name}/tags/list"] = lambda h, name=name: h.reply(
            401, WWW_Authenticate=f'Bearer realm="{far}/{name}"')
        answer = s.ask(f"/v2/{name}/tags/list")
        check(answer.status == 502 and "origin-broken" in answer.headers["Cache-Status"],
              f"a token that is {name}: {answer}")
    check(cut.wait(60), "it is not read on")
    s.origin.taken()

    # Two wait for one blob, and who leads may not pull from where it asks.
    go, both = threading.Event(), b"of both" * 9
    s.answers[f"/v2/c/blobs/{sha(both)}"] = lambda h: (go.wait(60), h.reply(
        401, WWW_Authenticate=f'Bearer realm="{far}/none"'))
    s.answers["cdn /none"] = lambda h: h.reply(403)
    s.answers[f"/v2/a/blobs/{sha(both)}"] = guarded(lambda h: h.reply(200, both))
    led, followed = [], []
    threads = [threading.Thread(target=lambda: led.append(s.ask(f"/v2/c/blobs/{sha(both)}"))),
               threading.Thread(target=lambda: followed.append(s.ask(f"/v2/a/blobs/{sha(both)}")))]
    threads[0].start()
    while not s.origin.paths():
        pass_a_moment()
    threads[1].start()
    for _ in range(20):
        s.ask("/v2/")
    go.set()
    for thread in threads:
        thread.join()
    check(led[0].status == 403 and followed[0].body == both, f"each by itself: {led} {followed}")
    s.origin.taken()

    # What becomes private leaves the store: nor does it answer when the registry is down.
    state = [lambda h: h.reply(200, b"open", ETag='"o"', Cache_Control="max-age=0")]
    s.answers["/v2/c/manifests/once"] = lambda h: state[0](h)
    check(s.ask("/v2/c/manifests/once").body == b"open", "it is public")
    state[0] = lambda h: h.reply(401, WWW_Authenticate=f'Bearer realm="{far}/none"')
    check(s.ask("/v2/c/manifests/once").status == 403, "it is private")
    state[0] = lambda h: h.reply(502)
    answer = s.ask("/v2/c/manifests/once")
    check(answer.status == 502 and answer.body != b"open", f"it is gone: {answer}")
    s.origin.taken()

    answer = s.ask(f"/v2/c/blobs/{sha(secret)}", Authorization="Basic eDp5")
    check(answer.status == 403 and "pull" in answer.headers["Cache-Status"]
          and "WWW-Authenticate" not in answer.headers, f"a private one: {answer}")
    for _ in range(8):
        s.ask("/v2/a/tags/list")
    check(len([path for path in s.cdn.paths() if "repository:a:pull" in path]) <= 4,
          "no worker asks twice for a token")
    s.origin.taken()
    for accept, want in (("list", b'{"list": 1}'), ("one", b'{"one": 1}')) * 2:
        answer = s.ask("/v2/a/manifests/latest", Accept=accept)
        check(answer.body == want, f"by what is accepted: {answer}")
    check(let_in() == ["Bearer t-a"] * 2, "a tag is good for a minute")


def npm(s):
    base = s.origin.base + "/npm/"

    def packument(name, versions, readme=""):
        return json.dumps({"name": name, "readme": readme, "versions": {
            f"1.0.{i}": {"version": f"1.0.{i}", "tarball": base + "untouched", "dist": {
                "integrity": "sha512-x", "tarball": f"{base}{name}/-/{name}-1.0.{i}.tgz"}}
            for i in range(versions)}}).encode()

    def ours(body, host):
        for spelling in (b'"tarball": "', b'"tarball":"'):
            body = body.replace(b'"dist": {"integrity": "sha512-x", ' + spelling + base.encode(),
                                b'"dist": {"integrity": "sha512-x", ' + spelling
                                + f"http://{host}/npm/".encode())
        return body

    small, huge = packument("small", 3, f'"dist":{{"tarball":"{base}x"}}'), \
        packument("huge", 20000, "read me " * 100000)
    broken = b'{"dist":{"tarball":"' + base.encode() + b'x' + b"[" * 5000 + b"\\u00"

    def document(body, **fields):
        etag = f'"{hashlib.sha256(body).hexdigest()[:8]}"'

        def answer(h):
            if h.headers.get("If-None-Match") == etag:
                h.reply(304, ETag=etag)
            else:
                h.reply(200, body, ETag=etag, Content_Type="application/json; charset=utf-8",
                        Accept_Ranges="bytes", **fields)
        return answer

    s.answers.update({
        "/npm/small": document(small, Vary="Accept-Encoding", Cache_Control="max-age=9999"),
        "/npm/@s%2fmoved": lambda h: h.reply(301, Location="/npm/small"),
        "/npm/checked": document(small, Cache_Control="max-age=0"),
        "/npm/huge": document(huge),
        "/npm/broken": document(broken),
        "/npm/zipped": document(small, Content_Encoding="gzip"),
        "/npm/small/-/small-1.0.0.tgz": lambda h: h.reply(200, b"tar", Cache_Control="no-cache"),
        "/npm/-/npm/v1/security/advisories/bulk": lambda h: h.reply(200, b"{}"),
        "/npm/-/ping": lambda h: h.reply(200, b"{}", Cache_Control="no-store"),
    })
    here = f"127.0.0.1:{s.proxy.port}"
    first = s.ask("/npm/small", Accept_Encoding="gzip")
    check(first.body == ours(small, here), f"links lead here: {first.body[:400]}")
    check(first.headers["ETag"] and "Content-Length" not in first.headers
          and "Accept-Ranges" not in first.headers, f"another representation: {first.headers}")
    seen = s.origin.taken()
    check(seen[0][2].get("Accept-Encoding") == "identity", "it comes as it is")
    there = s.ask("/npm/small", Host="mirror.test:8080", Accept_Encoding="br")
    check(is_hit(there) and there.body == ours(small, "mirror.test:8080"), f"two Hosts: {there}")
    check(there.headers["ETag"] != first.headers["ETag"], "and two ETags")
    check(s.ask("/npm/small", If_None_Match=first.headers["ETag"]).status == 304, "304 by ours")
    for other in (there.headers["ETag"], f'"{hashlib.sha256(small).hexdigest()[:8]}"'):
        check(s.ask("/npm/small", If_None_Match=other).status == 200, "none by another")
    again = s.ask("/npm/small", If_None_Match=f'"x", {first.headers["ETag"]}')
    check(again.status == 304 and again.headers["ETag"] == first.headers["ETag"], f"304: {again}")
    before = s.peak_memory()
    for many, status in (("*," * 15000, 200), (f"{first.headers['ETag']}," * 1000, 304)):
        check(s.ask("/npm/small", If_None_Match=many).status == status, f"many ETags: {status}")
    check(s.peak_memory() - before < 64 << 20, f"many ETags cost little: {before}, {s.peak_memory()}")
    part = s.ask("/npm/small", Range="bytes=0-9")
    check(part.status == 200 and part.body == first.body, "no ranges of what is made on the way")
    head = s.ask("/npm/small", method="HEAD")
    check(head.status == 200 and head.headers["ETag"] == first.headers["ETag"]
          and "Content-Length" not in head.headers, f"HEAD: {head}")
    check(not s.origin.paths(), "all from the store")
    moved = s.ask("/npm/@s%2fmoved")
    check(moved.body == first.body, "redirected, and rewritten")
    s.origin.taken()

    # HTTP/2 over TLS, where every client names a host as one of a proxy would.
    there = f"localhost:{s.tls}"
    curl = subprocess.run(["curl", "-s", "--http2", "--noproxy", "*", "--cacert", s.ca, "-w",
                           "\n%{http_version}", f"https://{there}/npm/small"], capture_output=True)
    body, version = curl.stdout.rsplit(b"\n", 1)
    check(version == b"2" and body == ours(small, there).replace(b"http://", b"https://"),
          f"HTTP/2: {curl}")
    s.origin.taken()

    # Validated each time: the origin hears of its own ETag.
    one = s.ask("/npm/checked")
    two = s.ask("/npm/checked", If_None_Match=one.headers["ETag"])
    check(two.status == 304 and two.headers["ETag"] == one.headers["ETag"], f"validated: {two}")
    check(s.origin.taken()[-1][2].get("If-None-Match") == f'"{hashlib.sha256(small).hexdigest()[:8]}"',
          "the origin's ETag goes to the origin")

    answers = together(s, "/npm/huge")
    check(all(a.whole and a.body == ours(huge, here) for a in answers),
          f"{len(huge)} bytes, rewritten: {[len(a.body) for a in answers]}")
    fetched = s.origin.paths()
    check(fetched == ["/npm/huge"],
          f"one fetch for all of them: {fetched} {[a.headers.get('Cache-Status') for a in answers]}")
    check(s.ask("/npm/huge", Host="b.test").body == ours(huge, "b.test"), "for others from the store")
    answer = s.ask("/npm/broken")
    check(answer.whole and answer.body == broken.replace(base.encode(), f"http://{here}/npm/".encode()),
          "what is no JSON passes")
    check(s.ask("/npm/zipped").status == 502, "what is encoded though not asked is no use")
    check(s.ask("/npm/small", Host="a'b").status == 400, "a Host that cannot stand in links")
    s.origin.taken()

    for _ in range(2):
        answer = s.ask("/npm/small/-/small-1.0.0.tgz")
        check(answer.body == b"tar" and answer.headers["Content-Length"] == "3", f"tarball: {answer}")
    check(len(s.origin.paths()) == 1, "tarballs never change")
    found_by_its_urls(s, base)
    answer = s.ask("/npm/-/npm/v1/security/advisories/bulk", "POST", b'{"a":["1"]}')
    check(answer.body == b"{}" and s.origin.taken()[-1][3] == b'{"a":["1"]}', f"audit: {answer}")
    check(s.ask("/npm/-/npm/v1/security/x", "PUT", b"").status == 405, "nothing else changes things")


def found_by_its_urls(s, base):
    """explain and purge know it by what the client asks for, and by what the log says."""
    own = f"http://127.0.0.1:{s.proxy.port}/npm/"
    row = s.status()["recent"][0]
    check(row["url"] == base + "small/-/small-1.0.0.tgz" and row["mirror"] == "/npm/", f"{row}")
    for asked in ("url=/npm/small&header=Host%3A%20a.test", f"url={own}small", f"url={base}small",
                  f"url=http://larder.test:{s.proxy.port}/npm/small", f"url={base}small&mirror=/npm/"):
        explained = s.explain(asked)
        check(explained["request"]["site"] == explained["request"]["mirror"] == "/npm/"
              and explained["request"]["url"] == base + "small"
              and explained["next"]["action"] == "answer" and explained["last"]["mirror"] == "/npm/"
              and explained["freshness"]["lifetime"]["source"] == "mirror", f"{asked}: {explained}")
    explained = s.explain("url=http://mirror.test/seen/x")["request"]
    check(explained["mirror"] == "/plain/" and explained["url"] == f"{s.origin.base}/base/x",
          f"below what it is said to be seen as: {explained}")
    check("error" in s.explain(f"url={base}small&mirror=/debian/"), "it is of no other mirror")
    check(s.explain("url=http://a.test/npm/small")["request"]["mirror"] is None, "that is elsewhere")
    # the same URL as of a proxy is kept for itself: the mirror does not stand before it
    s.unsafe.answer = lambda h: h.reply(200, b"forward", Cache_Control="max-age=600")
    for _ in range(2):
        s.ask(f"{s.unsafe.base}/npm/x")
    explained = s.explain(f"url={s.unsafe.base}/npm/x")
    check(explained["request"]["mirror"] is None and explained["stored"], f"forward: {explained}")
    s.unsafe.answer = lambda h: h.reply(200, b"unsafe")

    for url in (f"{own}small", f"{base}small"):
        s.ask("/npm/small")
        check(s.ctl("explain", url).startswith(f"GET {base}small (mirror /npm/)\n"), url)
        purged = s.ctl("purge", url)
        check(purged.startswith(f"{url}: purged: ") and purged.endswith(" bytes (mirror /npm/)\n"),
              f"{url}: {purged}")
        check(s.ctl("purge", url) == f"{url}: was not stored\n", f"{url} is gone")
    check(s.explain(f"url={own}small")["stored"] is None, "by whatever URL")
    s.origin.taken()


def pip(s):
    s.origin.taken(), s.cdn.taken()
    wheel = b"wheel " * 50
    far = f"{s.cdn.base}/packages/ab/x-1-py3-none-any.whl"
    html = (f'<!DOCTYPE html><html><body><!-- <a href="{far}"> -->'
            f'<a href="{far}#sha256={hashlib.sha256(wheel).hexdigest()}" data-core-metadata="true">x</a>'
            f'<a href="/local/y-1.tar.gz">y</a><a href="../../rel/z-1.zip">z</a></body></html>').encode()
    as_json = json.dumps({"meta": {"api-version": "1.0"}, "name": "x", "files": [
        {"filename": "x", "url": far, "hashes": {"sha256": hashlib.sha256(wheel).hexdigest()}}]}).encode()

    def index(h):
        if "json" in h.headers.get("Accept", ""):
            h.reply(200, as_json, Content_Type="application/vnd.pypi.simple.v1+json")
        else:
            h.reply(200, html, Content_Type="text/html; charset=utf-8")

    s.answers.update({
        "/simple/x/": index,
        "/local/y-1.tar.gz": lambda h: h.reply(200, b"y"),
        "cdn /packages/ab/x-1-py3-none-any.whl": lambda h: h.reply(200, wheel, ETag='"w"'),
        "cdn /packages/ab/x-1-py3-none-any.whl.metadata": lambda h: h.reply(200, b"Name: x"),
    })
    root = f"http://127.0.0.1:{s.proxy.port}/pip/"
    new = f"{root}_files/ab/x-1-py3-none-any.whl"
    want = html.decode().replace(f'<a href="{far}#', f'<a href="{new}#').replace(
        '"/local', f'"{root}local')
    for _ in range(2):
        check(s.ask("/pip/simple/x/").body == want.encode(), "the index in HTML")
        answer = s.ask("/pip/simple/x/", Accept="application/vnd.pypi.simple.v1+json")
        check(answer.body == as_json.replace(far.encode(), new.encode()), f"in JSON: {answer}")
    check(len(s.origin.paths()) == 2, "both are kept")
    for path, body in (("_files/ab/x-1-py3-none-any.whl", wheel), ("local/y-1.tar.gz", b"y"),
                       ("_files/ab/x-1-py3-none-any.whl.metadata", b"Name: x")):
        check([s.ask("/pip/" + path).body for _ in range(2)] == [body] * 2, path)
    check(len(s.origin.paths()) == 1 and len(s.cdn.paths()) == 2, "files never change")
    part = s.ask("/pip/_files/ab/x-1-py3-none-any.whl", Range="bytes=-6")
    check(part.status == 206 and part.body == b"wheel ", f"ranges of files: {part}")
    explained = s.explain(f"url={far}")
    check(explained["request"]["mirror"] == "/pip/" and explained["stored"], f"{explained}")
    check("(mirror /pip/)" in s.ctl("purge", far), "a file by where it is from")


def prefixes(s):
    """Purges by prefix, by what clients ask for and by what the log says, take what lies in it and no more."""
    blob = b"a blob"
    digest = hashlib.sha256(blob).hexdigest()
    kept = {  # the path here: where the answer comes from, and its URL there
        "/plain/a/1": ("/base/a/1", s.origin.base),
        "/plain/ab": ("/base/ab", s.origin.base),
        "/debian/pool/x.deb": ("/debian/pool/x.deb", s.origin.base),
        "/npm/p/-/p-1.tgz": ("/npm/p/-/p-1.tgz", s.origin.base),
        "/pip/q/q-1.whl": ("/q/q-1.whl", s.origin.base),
        "/pip/_files/ab/r-1.whl": ("/packages/ab/r-1.whl", s.cdn.base),
        f"/v2/r/blobs/sha256:{digest}": (f"/v2/r/blobs/sha256:{digest}", s.origin.base),
    }
    for there, base in kept.values():
        key = there if base == s.origin.base else "cdn " + there
        body = blob if "blobs" in there else b"body"
        s.answers[key] = lambda h, body=body: h.reply(200, body, Cache_Control="max-age=600")
    here = f"http://127.0.0.1:{s.proxy.port}"
    blobs = f"/v2/r/blobs/sha256:{digest}"

    def purge(prefix, mirrors, gone):
        for path in kept:
            s.ask(path)
        said = s.ctl("purge", "--prefix", prefix)
        told = f" (mirror {mirrors})" if mirrors else ""
        check(said == f"{prefix}: purged: everything with this prefix{told}\n", f"{prefix}: {said!r}, not{told}")
        s.origin.taken(), s.cdn.taken()
        for path in kept:
            s.ask(path)
        paths = s.origin.paths() + s.cdn.paths()
        asked = {path for path, (there, _) in kept.items() if there in paths}
        check(asked == set(gone), f"{prefix} takes {sorted(asked)}, not {sorted(gone)}")

    every = set(kept)
    purge(f"{here}/plain/a/", "/plain/", {"/plain/a/1"})
    purge(f"{here}/plain/a", "/plain/", {"/plain/a/1", "/plain/ab"})
    purge(f"{here}/p", "/plain/, /pip/", {path for path in every if path.startswith("/p")})
    purge("http://mirror.test/seen/a/", "/plain/", {"/plain/a/1"})
    purge("http://mirror.test/", "/plain/", {path for path in every if path.startswith("/plain/")})
    purge(f"{here}/pip/", "/pip/", {path for path in every if path.startswith("/pip/")})
    purge(f"{here}/pip/_files/ab/", "/pip/", {"/pip/_files/ab/r-1.whl"})
    purge(f"{here}/pip/q/", "/pip/", {"/pip/q/q-1.whl"})
    purge(f"{s.cdn.base}/packages/ab/r", "/pip/", {"/pip/_files/ab/r-1.whl"})
    purge(f"{s.cdn.base}/", "/pip/", {"/pip/_files/ab/r-1.whl"})
    purge(f"{s.origin.base}/npm/p/", "/npm/, /pip/", {"/npm/p/-/p-1.tgz"})
    purge(f"{s.origin.base}/", "/plain/, /debian/, /npm/, /pip/, /v2/", every - {"/pip/_files/ab/r-1.whl"})
    purge(f"{here}/v2/r/", "/v2/", set())  # blobs are every repository's
    purge(f"{here}{blobs}", "/v2/", {blobs})
    purge(f"{here}/v2/", "/v2/", {blobs})
    purge(f"{here}/", "/plain/, /debian/, /npm/, /pip/, /v2/", every)
    check("lead nowhere" in s.ctl("purge", "--prefix", f"{here}/npm/../x"), "no way around a mirror")
    s.origin.taken(), s.cdn.taken()


def main():
    build = pathlib.Path(sys.argv[1])
    folder = pathlib.Path(tempfile.mkdtemp(prefix="larder-mirrors."))
    try:
        s = Scene(str(build / "proxy/larder-proxy"), folder)
        for part in (plain, way, extended, apt, oci, npm, pip, prefixes):
            part(s)
        check(s.proxy.stop(), "it ends as it should")
    finally:
        if check.failed:
            print((folder / "log").read_text()[-4000:])
        shutil.rmtree(folder, ignore_errors=True)
    check.end()


main()
