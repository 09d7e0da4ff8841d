#!/usr/bin/env python3
"""An origin that gives back what it is sent: echo_origin.py PORT DIR

  POST, PUT     the request's body, whatever its framing
  /chunked/F    the file F in DIR as chunks of unlike sizes
  anything else the file in DIR, fresh for an hour; 404
"""
import http.server
import pathlib
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root = pathlib.Path(sys.argv[2])

    def answer(self, status, body, **fields):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def chunks(self, data):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        at, size = 0, 1
        while at < len(data):
            piece = data[at:at + size]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            at, size = at + size, size * 3
        self.wfile.write(b"0\r\n\r\n")

    def do_GET(self):
        file = self.root / pathlib.Path(self.path).name
        if not file.is_file():
            self.answer(404, b"nothing here\n")
        elif self.path.startswith("/chunked/"):
            self.chunks(file.read_bytes())
        else:
            self.answer(200, file.read_bytes(), Cache_Control="max-age=3600")

    do_HEAD = do_GET

    def do_POST(self):
        self.answer(200, self.body(), Cache_Control="no-store")

    do_PUT = do_POST

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
