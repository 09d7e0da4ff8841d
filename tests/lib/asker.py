#!/usr/bin/env python3
"""Asks without end, each time by a connection of its own: asker.py http PROXY-PORT URL | dns PORT NAME

Says "asking" after the first answer. On SIGTERM it says how many were answered and how many were not, and how
long the slowest waited; fails when one was not. An answer is status 200, or an address.
"""
import os
import signal
import socket
import struct
import sys
import time
import urllib.parse

PATIENCE = 60
PAUSE = 0.002


def ask_http(port, url):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as conn:
        head = f"GET {url} HTTP/1.1\r\nHost: {urllib.parse.urlsplit(url).netloc}\r\nConnection: close\r\n\r\n"
        conn.sendall(head.encode())
        answer = b"".join(iter(lambda: conn.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if not head.startswith(b"HTTP/1.1 200 ") or len(body) != int(fields[b"content-length"]):
        raise ConnectionError(f"{len(body)} bytes behind {head!r}")


def ask_dns(port, name):
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    query = struct.pack(">6H", os.getpid() & 0xffff, 0, 1, 0, 0, 0) + question + struct.pack(">2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as conn:
        conn.settimeout(PATIENCE)
        conn.connect(("127.0.0.1", port))
        conn.send(query)
        answer = conn.recv(2048)
    if struct.unpack(">4H", answer[:8])[3] == 0:
        raise ConnectionError(f"no address in {answer!r}")


def main():
    ask, port, what = {"http": ask_http, "dns": ask_dns}[sys.argv[1]], int(sys.argv[2]), sys.argv[3]
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    answered, failed, slowest = 0, [], 0
    while not ended:
        began = time.monotonic()
        try:
            ask(port, what)
            answered += 1
        except OSError as error:
            failed.append(f"{time.strftime('%T')} {error}")
        slowest = max(slowest, time.monotonic() - began)
        if answered == 1 and not failed:
            print("asking", flush=True)
        time.sleep(PAUSE)
    print(f"{answered} answered, {len(failed)} not, the slowest after {slowest * 1000:.0f} ms", *failed[:3],
          sep="\n", flush=True)
    sys.exit(bool(failed or not answered))


main()
