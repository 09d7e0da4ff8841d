#!/usr/bin/env python3
"""An origin with deterministic bodies and counters, for the scenario scripts.

    origin.py --listen HOST:PORT [--tls CERT KEY] [--root DIR] [--name NAME]

  /o/ID/SIZE[?cc=CACHE-CONTROL]  SIZE bytes that follow from ID; ETag, Last-Modified, 304
  /page/COUNT/TAG[?cc=...]       a page of COUNT objects and an icon: scripts, styles, pictures
  /name                          NAME, uncacheable
  /counters, /reset              what was asked for: JSON; forgets it
  anything else                  the file under DIR, with ETag and Last-Modified

Prints "ready" once it listens. As a module: body(id, size), serve().
"""
import argparse
import email.utils
import hashlib
import http.server
import json
import os
import random
import ssl
import sys
import threading
import urllib.parse

EPOCH = 1_700_000_000  # Last-Modified of everything made here
PAGE_KINDS = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


def body(name, size):
    """The bytes of object `name`: the same in every process and run."""
    return random.Random(str(name)).randbytes(size)


def page(count, tag):
    """HTML that makes a browser fetch `count` objects, and an icon; no two tags share one."""
    kinds = list(PAGE_KINDS)
    paths = [f"/part/{tag}-{n}.{kinds[n % len(kinds)]}" for n in range(count)]
    tags = {"js": '<script src="{}"></script>', "css": '<link rel="stylesheet" href="{}">',
            "svg": '<img src="{}" alt="">'}
    lines = [tags[p.rsplit(".", 1)[1]].format(p) for p in paths]
    lines.insert(0, f'<link rel="icon" href="/part/{tag}-icon.svg">')
    return "<!doctype html><title>page</title>\n" + "\n".join(lines) + "\n"


def part(path):
    """One object of a page: it counts itself, so that the page can tell that it was loaded."""
    kind = path.rsplit(".", 1)[1]
    text = {"js": "window.parts = (window.parts || 0) + 1;\n",
            "css": f"/* {path} */\n",
            "svg": '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8">'
                   '<rect width="8" height="8" fill="teal"/></svg>\n'}[kind]
    return text.encode(), PAGE_KINDS[kind]


class Counters:
    """What the origin was asked for and what it sent."""

    def __init__(self):
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        self.requests = self.full = self.not_modified = self.bytes = self.connections = 0
        self.paths = {}

    def count(self, path, status, size):
        with self.lock:
            self.requests += 1
            self.full += status == 200
            self.not_modified += status == 304
            self.bytes += size
            self.paths[path] = self.paths.get(path, 0) + 1

    def json(self):
        with self.lock:
            names = ("requests", "full", "not_modified", "bytes", "connections", "paths")
            return json.dumps({name: getattr(self, name) for name in names}).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    counters = Counters()
    root = None
    name = "origin"

    def setup(self):
        super().setup()
        self.counters.connections += 1

    def log_message(self, *_):
        pass

    def answer(self, content, kind="application/octet-stream", cache="max-age=3600",
               modified=EPOCH, tag=None):
        tag = tag or f'"{hashlib.md5(content).hexdigest()[:16]}"'
        fresh = self.headers.get("If-None-Match", "") == tag
        if not self.headers.get("If-None-Match"):
            since = self.headers.get("If-Modified-Since")
            fresh = bool(since) and email.utils.parsedate_to_datetime(since).timestamp() >= modified
        self.send_response(304 if fresh else 200)
        self.send_header("ETag", tag)
        self.send_header("Last-Modified", email.utils.formatdate(modified, usegmt=True))
        if cache:
            self.send_header("Cache-Control", cache)
        if not fresh:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        sent = 0
        if not fresh and self.command != "HEAD":
            self.wfile.write(content)
            sent = len(content)
        self.counters.count(self.path, 304 if fresh else 200, sent)

    def plain(self, content, kind="text/plain"):
        """An answer that is neither stored nor counted."""
        self.send_response(200)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def missing(self):
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.counters.count(self.path, 404, 0)

    def file(self, path):
        full = os.path.realpath(os.path.join(self.root, urllib.parse.unquote(path).lstrip("/")))
        if not full.startswith(os.path.realpath(self.root) + os.sep) or not os.path.isfile(full):
            return self.missing()
        stat = os.stat(full)
        with open(full, "rb") as stream:
            return self.answer(stream.read(), cache=None, modified=int(stat.st_mtime),
                               tag=f'"{stat.st_size:x}-{stat.st_mtime_ns:x}"')

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        cache = urllib.parse.parse_qs(url.query).get("cc", ["max-age=3600"])[0]
        steps = url.path.strip("/").split("/")
        if steps[0] == "o" and len(steps) == 3:
            self.answer(body(steps[1], int(steps[2])), cache=cache,
                        tag=f'"{steps[1]}-{steps[2]}"')
        elif steps[0] == "page" and len(steps) == 3:
            self.answer(page(int(steps[1]), steps[2]).encode(), "text/html", cache)
        elif steps[0] == "part":
            self.answer(*part(url.path))
        elif url.path == "/counters":
            self.plain(self.counters.json(), "application/json")
        elif url.path == "/reset":
            self.counters.reset()
            self.plain(b"forgotten\n")
        elif url.path == "/name":
            self.plain(self.name.encode())
        elif self.root:
            self.file(url.path)
        else:
            self.missing()

    do_HEAD = do_GET


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a peer that leaves is no news
            super().handle_error(request, client_address)


def serve(host, port, tls=None, root=None, name="origin"):
    """A listening server; call serve_forever() on it."""
    handler = type("Handler", (Handler,),
                   {"counters": Counters(), "root": root, "name": name})
    server = Server((host, port), handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    return server


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--root")
    parser.add_argument("--name", default="origin")
    options = parser.parse_args()
    host, port = options.listen.rsplit(":", 1)
    server = serve(host, int(port), options.tls, options.root, options.name)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
