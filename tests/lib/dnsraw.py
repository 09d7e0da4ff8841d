"""DNS messages as bytes, made and read without the code that is tested; and loopback addresses of
IPv6 in a network of the test's own."""
import ctypes
import fcntl
import os
import socket
import struct
import threading

A, NS, CNAME, SOA, TXT, AAAA, OPT, ANY = 1, 2, 5, 6, 16, 28, 41, 255
ECS, COOKIE, KEEPALIVE, EDE = 8, 10, 11, 15


def wire_name(text):
    labels = [label for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def option(code, value):
    return struct.pack(">HH", code, len(value)) + value


def subnet(text, source=None, scope=0):
    """The client subnet "2001:db8::/32", with an other source prefix length if given."""
    address, bits = text.split("/")
    family = 2 if ":" in address else 1
    packed = socket.inet_pton(socket.AF_INET6 if family == 2 else socket.AF_INET, address)
    return option(ECS, struct.pack(">HBB", family, int(bits) if source is None else source, scope) +
                  packed[: (int(bits) + 7) // 8])


def query(name, kind=A, number=1, options=None, flags=0, payload=1232, dns_class=1, version=0):
    """With an OPT when there are options, be they b""."""
    head = struct.pack(">HHHHHH", number, flags, 1, 0, 0, options is not None)
    opt = b"" if options is None else (
        b"\0" + struct.pack(">HHBBHH", OPT, payload, 0, version, 0, len(options)) + options)
    return head + wire_name(name) + struct.pack(">HH", kind, dns_class) + opt


def read_name(packet, at):
    """(labels in lower case, where it ends)"""
    labels, end = [], None
    while packet[at]:
        if packet[at] >= 0xc0:
            end = at + 2 if end is None else end
            at = struct.unpack(">H", packet[at:at + 2])[0] & 0x3fff
            continue
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1").lower())
        at += packet[at] + 1
    return ".".join(labels), end or at + 1


class Answer:
    """A response: its header, and its records as (section, name, type, ttl, data)."""

    def __init__(self, packet):
        self.packet, self.records, self.options, self.payload = packet, [], {}, None
        self.number, self.flags, questions, *counts = struct.unpack(">HHHHHH", packet[:12])
        self.rcode, self.truncated = self.flags & 15, bool(self.flags & 0x200)
        self.opcode = self.flags >> 11 & 15
        at = 12
        for _ in range(questions):
            _, at = read_name(packet, at)
            at += 4
        self.question = packet[12:at]
        for section, count in enumerate(counts):
            for _ in range(count):
                at = self.read_record(at, section)
        if at != len(packet):
            raise ValueError(f"{len(packet) - at} bytes behind the response")

    def read_record(self, at, section):
        name, at = read_name(self.packet, at)
        kind, dns_class, ttl, length = struct.unpack(">HHIH", self.packet[at:at + 10])
        data = self.packet[at + 10:at + 10 + length]
        if kind == OPT:
            self.rcode |= ttl >> 24 << 4
            self.payload = dns_class
            while data:
                code, size = struct.unpack(">HH", data[:4])
                self.options[code] = data[4:4 + size]
                data = data[4 + size:]
        else:
            self.records.append((section, name, kind, ttl, data))
        return at + 10 + length

    def data(self, kind, section=0):
        return [r[4] for r in self.records if r[0] == section and r[2] == kind]

    def addresses(self):
        return [socket.inet_ntop(socket.AF_INET if r[2] == A else socket.AF_INET6, r[4])
                for r in self.records if r[0] == 0 and r[2] in (A, AAAA)]


def framed(message):
    return struct.pack(">H", len(message)) + message


def receive(conn):
    """The next message of a TCP connection; None at its end."""
    data = b""
    while len(data) < 2 or len(data) < 2 + struct.unpack(">H", data[:2])[0]:
        want = 2 - len(data) if len(data) < 2 else 2 + struct.unpack(">H", data[:2])[0] - len(data)
        piece = conn.recv(want)
        if not piece:
            return None
        data += piece
    return data[2:]


def own_network(addresses):
    """Moves this process, of one thread yet, to a network of its own, whose loopback interface has
    these IPv6 addresses, too. False: that is not permitted here."""
    new_user, new_net = 0x10000000, 0x40000000
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(new_net | (0 if os.geteuid() == 0 else new_user)) != 0:
        return False
    up = struct.pack("16sh14x", b"lo", 0x41)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8914, up)  # SIOCSIFFLAGS
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        for address in addresses:
            packed = socket.inet_pton(socket.AF_INET6, address)
            fcntl.ioctl(sock, 0x8916, struct.pack("16sIi", packed, 128, 1))  # SIOCSIFADDR
    return True


class NoNames(threading.Thread):
    """A resolver for which no name exists."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.start()

    def run(self):
        while True:
            query, client = self.socket.recvfrom(4096)
            end = query.index(b"\0", 12) + 5
            self.socket.sendto(query[:2] + struct.pack("!HHHHH", 0x8183, 1, 0, 0, 0)
                               + query[12:end], client)
