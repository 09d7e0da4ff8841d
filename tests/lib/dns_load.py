#!/usr/bin/env python3
"""Asks one name again and again over UDP with a few queries under way, and counts the losses.

Usage: dns_load.py PORT NAME SECONDS. Prints "answered N lost M".
"""
import socket
import struct
import sys
import time

WINDOW = 32
PATIENCE = 60  # seconds until a query counts as lost


def query(number, name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", number, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)


def main():
    port, name, seconds = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(("127.0.0.1", port))
    sock.settimeout(0.1)
    waiting, number, answered, lost = {}, 0, 0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end or waiting:
        while len(waiting) < WINDOW and time.monotonic() < end:
            number = (number + 1) & 0xFFFF
            waiting[number] = time.monotonic()
            sock.send(query(number, name))
        try:
            reply = sock.recv(2048)
        except socket.timeout:
            late = [n for n, since in waiting.items() if time.monotonic() - since > PATIENCE]
            lost += len(late)
            for n in late:
                del waiting[n]
            continue
        got, flags, _, answers = struct.unpack(">HHHH", reply[:8])
        if waiting.pop(got, None) is not None and flags & 15 == 0 and answers > 0:
            answered += 1
    print(f"answered {answered} lost {lost}")
    sys.exit(1 if lost or not answered else 0)


if __name__ == "__main__":
    main()
