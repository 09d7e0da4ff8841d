#!/usr/bin/env python3
"""What a hostile peer does to a DNS server's sockets; the server must stay well and say the right
things. Malformed packets one by one are in tests/unit/dnsredir/test_packet.c.

Usage: dns_attack.py PORT NAME BIG-NAME CONNECTIONS-MAX. Prints what failed; exit status 1 then.
"""
import random
import socket
import struct
import sys
import threading

PORT, NAME, BIG, MOST = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
PATIENCE = 60
SUBNET = b"\0\x08\0\x07\0\x01\x18\0\x0a\x02\x00"
failures = []


def query(name, number=1, options=None):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    opt = b"" if options is None else b"\0" + struct.pack(">HHIH", 41, 1232, 0, len(options)) + options
    return struct.pack(">HHHHHH", number, 0, 1, 0, 0, bool(opt)) + labels + b"\0\0\1\0\1" + opt


def framed(message):
    return struct.pack(">H", len(message)) + message


def expect(what, good):
    if not good:
        failures.append(what)


def receive(conn, count):
    data = b""
    while len(data) < count:
        piece = conn.recv(count - len(data))
        if not piece:
            return None
        data += piece
    return data


def message(conn):
    """The next response, or None at the end."""
    length = receive(conn, 2)
    return length and receive(conn, struct.unpack(">H", length)[0])


def connect():
    conn = socket.create_connection(("127.0.0.1", PORT), PATIENCE)
    conn.settimeout(PATIENCE)
    return conn


def is_well(when):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.connect(("127.0.0.1", PORT))
        for number in range(1, 11):  # what the flood left in the queue may crowd one out
            sock.send(query(NAME, number))
            try:
                if sock.recv(4096)[:2] == struct.pack(">H", number):
                    return
            except OSError:
                pass
    failures.append("an answer by UDP " + when)


def mutate(chance, packet):
    packet = bytearray(packet)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(packet))
        what = chance.randrange(4)
        if what == 0:
            packet[at] = chance.randrange(256)
        elif what == 1:
            del packet[at + 1 :]
        elif what == 2:
            packet += chance.randbytes(20)
        else:
            packet[at:at] = packet[at : at + chance.randrange(30)]
    return bytes(packet)


def flood(count):
    chance = random.Random(7)
    seeds = [query(NAME), query(NAME, options=b""), query(BIG, options=SUBNET)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", PORT))
        sock.setblocking(False)
        for _ in range(count):
            try:
                sock.send(mutate(chance, chance.choice(seeds)))
                sock.recv(4096)
            except OSError:
                pass
    is_well("after 20,000 mutated packets")


def pieces():
    conn = connect()
    conn.send(b"\0\0" + framed(query(NAME, 77)))
    expect("an answer behind an empty message", (message(conn) or b"")[:2] == b"\0\x4d")
    for byte in framed(query(NAME, 78)):
        conn.send(bytes([byte]))
    expect("an answer to a query in single bytes", (message(conn) or b"")[:2] == b"\0\x4e")


def pipeline(count):
    conn = connect()
    stream = b"".join(framed(query(NAME, number)) for number in range(count))
    sender = threading.Thread(target=conn.sendall, args=(stream,))
    sender.start()
    numbers = [struct.unpack(">H", (message(conn) or b"\0\0")[:2])[0] for _ in range(count)]
    sender.join()
    expect("pipelined answers, all of them in order", numbers == list(range(count)))


def half_close(count):
    conn = connect()
    conn.sendall(framed(query(BIG)) * count)
    conn.shutdown(socket.SHUT_WR)
    got = 0
    while message(conn):
        got += 1
    expect(f"all large answers after a half close: {got} of {count}", got == count)


def stalls():
    """One peer that never reads and one that never ends its query: both are let go."""
    slow = connect()
    slow.setblocking(False)
    half = connect()
    half.send(b"\xff\xff" + b"x" * 100)
    try:
        while slow.send(framed(query(BIG)) * 100):
            pass
    except OSError:
        pass
    is_well("beside a peer that does not read")
    try:
        expect("the end of a half query", half.recv(1) == b"")
    except OSError:
        failures.append("the end of a half query")
    slow.settimeout(PATIENCE)
    try:
        while slow.recv(65536):
            pass
    except TimeoutError:
        failures.append("the end of a peer that does not read")
    except OSError:
        pass


def crowd(most):
    conns = [connect() for _ in range(most + 20)]
    last = connect()
    last.send(framed(query(NAME, 5)))
    expect("an answer to the last of many connections", (message(last) or b"")[:2] == b"\0\5")
    expect("the first of them has gone", conns[0].recv(1) == b"")
    is_well("beside many connections")


flood(20000)
pieces()
pipeline(10000)
half_close(400)
stalls()
crowd(MOST)
for failure in failures:
    print("missing:", failure)
sys.exit(bool(failures))
