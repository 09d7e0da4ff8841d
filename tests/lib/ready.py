#!/usr/bin/env python3
"""A stand-in for a replica: answers GET /readyz with 200, or 503 while FILE exists.

Usage: ready.py PORT FILE
"""
import http.server
import os
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = self.path == "/readyz" and not os.path.exists(sys.argv[2])
        self.send_response(200 if ready else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
