"""Updates (RFC 2136) and signatures (RFC 8945) as bytes, made without the code that is tested."""
import hashlib
import hmac
import ipaddress
import socket
import struct
import time

IN, NONE, ANY = 1, 254, 255
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "TXT": 16, "AAAA": 28, "ANY": 255}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED",
          6: "YXDOMAIN", 7: "YXRRSET", 8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE"}
ERRORS = {16: "BADSIG", 17: "BADKEY", 18: "BADTIME", 22: "BADTRUNC"}


def wire_name(text):
    labels = [label for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def record(owner, kind, dns_class, ttl=0, data=b""):
    return wire_name(owner) + struct.pack(">HHIH", TYPES[kind], dns_class, ttl, len(data)) + data


def add(owner, address, ttl=60):
    packed = ipaddress.ip_address(address).packed
    return record(owner, "A" if len(packed) == 4 else "AAAA", IN, ttl, packed)


def update(zone, changes, prereqs=(), number=0x1234):
    head = struct.pack(">HHHHHH", number, 5 << 11, 1, len(prereqs), len(changes), 0)
    return head + wire_name(zone) + struct.pack(">HH", 6, 1) + b"".join([*prereqs, *changes])


def with_cookie(message, half):
    """The message with EDNS and a client's half of a cookie."""
    count = struct.unpack(">H", message[10:12])[0] + 1
    opt = b"\0" + struct.pack(">HHIHHH", 41, 1232, 0, 4 + len(half), 10, len(half)) + half
    return message[:10] + struct.pack(">H", count) + message[12:] + opt


def query(name, kind="A", number=0x1234):
    head = struct.pack(">HHHHHH", number, 0, 1, 0, 0, 0)
    return head + wire_name(name) + struct.pack(">HH", TYPES[kind], 1)


class Key:
    def __init__(self, name, secret, digest="sha256"):
        self.name, self.secret, self.digest = name, secret, digest
        self.algorithm = wire_name("hmac-" + digest)

    def mac(self, before, message, when, fudge, error=0, other=b""):
        variables = (wire_name(self.name) + struct.pack(">HI", ANY, 0) + self.algorithm +
                     struct.pack(">HIHHH", when >> 32, when & 0xFFFFFFFF, fudge, error, len(other)))
        head = struct.pack(">H", len(before)) + before if before else b""
        data = head + message + variables + other
        return hmac.new(self.secret, data, getattr(hashlib, self.digest)).digest()

    def sign(self, message, when=None, fudge=300, keep=None, spoil=False):
        """The message with a record, whose MAC is cut to `keep` bytes."""
        when = int(time.time()) if when is None else when
        mac = self.mac(b"", message, when, fudge)[:keep]
        if spoil:
            mac = bytes([mac[0] ^ 1]) + mac[1:]
        data = (self.algorithm + struct.pack(">HIHH", when >> 32, when & 0xFFFFFFFF, fudge, len(mac)) +
                mac + message[:2] + struct.pack(">HH", 0, 0))
        count = struct.unpack(">H", message[10:12])[0] + 1
        return (message[:10] + struct.pack(">H", count) + message[12:] + wire_name(self.name) +
                struct.pack(">HHIH", 250, ANY, 0, len(data)) + data)


class Reply:
    """What came back: the code, and what its signature says: "good", "none", "bad", or "unsigned"
    with the error."""

    def __init__(self, packet, key=None, signed=b""):
        self.packet = packet
        self.number, flags, *counts = struct.unpack(">HHHHHH", packet[:12])
        self.rcode = RCODES[flags & 15]
        self.opcode = flags >> 11 & 15
        self.answers = counts[1]
        self.error, self.signature = 0, "none"
        if key:
            self.read_signature(packet, key, signed, counts)

    def read_signature(self, packet, key, signed, counts):
        start = wire_name(key.name) + struct.pack(">HHI", 250, ANY, 0)
        at = packet.rfind(start)
        if at < 0:
            return
        data = packet[at + len(start) + 2 + len(key.algorithm):]
        high, low, fudge, mac_len = struct.unpack(">HIHH", data[:10])
        mac = data[10:10 + mac_len]
        _, error, other_len = struct.unpack(">HHH", data[10 + mac_len:16 + mac_len])
        other = data[16 + mac_len:16 + mac_len + other_len]
        self.error = ERRORS.get(error, error)
        message = packet[:10] + struct.pack(">H", counts[3] - 1) + packet[12:at]
        sent = signed.rfind(start)
        there = signed[sent + len(start) + 2 + len(key.algorithm):]
        sent_len = struct.unpack(">H", there[8:10])[0]
        want = key.mac(there[10:10 + sent_len], message, high << 32 | low, fudge, error, other)
        self.signature = "unsigned" if not mac else "good" if mac == want else "bad"

    def __str__(self):
        return f"{self.rcode}{' ' + str(self.error) if self.error else ''} ({self.signature})"


def ask_udp(port, packet, key=None, patience=60):
    """The reply to the packet, which is sent until it comes; None if none does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(min(5, patience))
        end = time.monotonic() + patience
        while time.monotonic() < end:
            try:
                sock.send(packet)
                return Reply(sock.recv(65535), key, packet)
            except (TimeoutError, ConnectionRefusedError):
                pass
    return None


def receive(conn):
    data = b""
    while len(data) < 2 or len(data) < 2 + struct.unpack(">H", data[:2])[0]:
        want = 2 - len(data) if len(data) < 2 else 2 + struct.unpack(">H", data[:2])[0] - len(data)
        piece = conn.recv(want)
        if not piece:
            return None
        data += piece
    return data[2:]


def ask_tcp(port, packets, keys):
    """Sends all packets at once; their replies in order."""
    with socket.create_connection(("127.0.0.1", port), 60) as conn:
        conn.sendall(b"".join(struct.pack(">H", len(p)) + p for p in packets))
        return [Reply(receive(conn), key, packet) for packet, key in zip(packets, keys)]
