"""WebSocket (RFC 6455) as far as the scenario scripts need it: the handshake, and frames, masked by
clients. It reads from anything that has recv()."""
import base64
import hashlib
import os
import struct

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CONTINUATION = 0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # of RFC 6455 1.3


def accept_of(key):
    """RFC 6455 4.2.2"""
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    return base64.b64encode(digest).decode()


def request(target, host, *more, key=KEY):
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", "Connection: Upgrade", "Upgrade: websocket",
             f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def switch(key, *more):
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
             f"Sec-WebSocket-Accept: {accept_of(key)}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def masked(payload, mask):
    whole = int.from_bytes((mask * (len(payload) // 4 + 1))[:len(payload)], "big")
    return (int.from_bytes(payload, "big") ^ whole).to_bytes(len(payload), "big")


def frame(opcode, payload=b"", mask=None, final=True):
    """`mask`: 4 bytes, for what a client sends."""
    head = bytes([opcode | (0x80 if final else 0)])
    flag = 0x80 if mask else 0
    if len(payload) < 126:
        head += bytes([flag | len(payload)])
    elif len(payload) < 1 << 16:
        head += bytes([flag | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([flag | 127]) + struct.pack(">Q", len(payload))
    return head + (mask + masked(payload, mask) if mask else payload)


class Reader:
    """Frames from a connection, of which `rest` has been received already."""

    def __init__(self, conn, rest=b""):
        self.conn, self.buffer = conn, bytearray(rest)

    def take(self, count):
        while len(self.buffer) < count:
            more = self.conn.recv(1 << 16)
            if not more:
                raise EOFError
            self.buffer += more
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def frame(self):
        """(opcode, is the last of its message, was masked, payload)"""
        first, second = self.take(2)
        length = second & 0x7F
        if length == 126:
            length = struct.unpack(">H", self.take(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self.take(8))[0]
        mask = self.take(4) if second & 0x80 else None
        payload = self.take(length)
        return first & 0xF, bool(first & 0x80), mask is not None, \
            masked(payload, mask) if mask else payload

    def message(self):
        """(opcode, payload), put together from its frames."""
        opcode, last, _, payload = self.frame()
        while not last:
            _, last, _, more = self.frame()
            payload += more
        return opcode, payload


def echo(conn, rest=b""):
    """An origin's end: sends every message back, answers pings, until it is closed."""
    reader = Reader(conn, rest)
    while True:
        opcode, payload = reader.message()
        if opcode == CLOSE:
            conn.sendall(frame(CLOSE, payload))
            return
        conn.sendall(frame(PONG if opcode == PING else opcode, payload))


class Client:
    """The client's end, after the handshake."""

    def __init__(self, conn, rest=b""):
        self.conn, self.reader = conn, Reader(conn, rest)

    def send(self, opcode, payload=b"", final=True):
        self.conn.sendall(frame(opcode, payload, os.urandom(4), final))

    def ask(self, opcode, payload=b""):
        self.send(opcode, payload)
        return self.reader.message()

    def close(self):
        """True: the other side has agreed, and closed."""
        agreed = self.ask(CLOSE, struct.pack(">H", 1000)) == (CLOSE, struct.pack(">H", 1000))
        return agreed and not self.reader.buffer and self.conn.recv(1) == b""
