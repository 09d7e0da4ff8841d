"""HTTP/2 frame by frame, for the scripts that attack and compare: frames are built and read as
they are, nothing is corrected. Header blocks are written as literals, or as the bytes given; what
comes back is decoded by nghttp2's inflater."""
import ctypes
import socket
import struct
import time

import raw

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = range(10)
PRIORITY_UPDATE = 16

FRAME_MAX = 16384
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, \
    FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, \
    ENHANCE_YOUR_CALM = range(12)

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, \
    MAX_HEADER_LIST_SIZE = range(1, 7)


# ---- frames ----

def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def data(stream, content=b"", end=False, pad=None):
    flags = END_STREAM if end else 0
    if pad is not None:
        return frame(DATA, flags | PADDED, stream, bytes([pad]) + content + b"\0" * pad)
    return frame(DATA, flags, stream, content)


def rst(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def ping(payload=b"12345678", flags=0):
    return frame(PING, flags, 0, payload)


def goaway(last=0, code=NO_ERROR, debug=b""):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code) + debug)


def priority_update(stream, value):
    return frame(PRIORITY_UPDATE, 0, 0, struct.pack(">I", stream) + value)


# ---- header blocks ----

def integer(value, bits, first=0):
    """RFC 7541 5.1"""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out = bytearray([first | most])
    value -= most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    out.append(value)
    return bytes(out)


def octets(value):
    value = value.encode("latin-1") if isinstance(value, str) else value
    return integer(len(value), 7) + value


def literal(name, value):
    """Without indexing, without Huffman."""
    return b"\0" + octets(name) + octets(value)


def indexed_literal(name, value):
    """With incremental indexing: it enters the dynamic table."""
    return b"\x40" + octets(name) + octets(value)


def block_of(fields):
    return b"".join(literal(*field) for field in fields)


class Inflater:
    """libnghttp2's; one for each direction of a connection."""

    class Field(ctypes.Structure):
        _fields_ = [("name", ctypes.POINTER(ctypes.c_char)),
                    ("value", ctypes.POINTER(ctypes.c_char)),
                    ("name_len", ctypes.c_size_t), ("value_len", ctypes.c_size_t),
                    ("flags", ctypes.c_uint8)]

    library = None

    def __init__(self):
        if Inflater.library is None:
            Inflater.library = ctypes.CDLL("libnghttp2.so.14")
            Inflater.library.nghttp2_hd_inflate_hd2.restype = ctypes.c_ssize_t
        self.handle = ctypes.c_void_p()
        assert self.library.nghttp2_hd_inflate_new(ctypes.byref(self.handle)) == 0

    def __del__(self):
        self.library.nghttp2_hd_inflate_del(self.handle)

    def inflate(self, block):
        field, flags, fields = self.Field(), ctypes.c_int(), []
        while True:
            n = self.library.nghttp2_hd_inflate_hd2(
                self.handle, ctypes.byref(field), ctypes.byref(flags), block,
                ctypes.c_size_t(len(block)), ctypes.c_int(1))
            assert n >= 0, "a header block that is none"
            block = block[n:]
            if flags.value & 2:
                fields.append((ctypes.string_at(field.name, field.name_len).decode("latin-1"),
                               ctypes.string_at(field.value, field.value_len).decode("latin-1")))
            if flags.value & 1:
                self.library.nghttp2_hd_inflate_end_headers(self.handle)
                return fields

    def resize(self, size):
        """From now on a block has to begin with the table's new size, if that is smaller."""
        assert self.library.nghttp2_hd_inflate_change_table_size(
            self.handle, ctypes.c_size_t(size)) == 0


# ---- a connection ----

class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload

    def __repr__(self):
        return f"<{self.kind} {self.flags:#x} of {self.stream}: {self.payload[:32]!r}>"


class Stream:
    """What has come back on one stream."""

    def __init__(self):
        self.heads = []  # each a list of (name, value): interim ones, the response, trailers
        self.body = bytearray()
        self.ended = False
        self.reset = None  # the code

    @property
    def done(self):
        return self.ended or self.reset is not None

    @property
    def fields(self):
        finals = [head for head in self.heads if dict(head).get(":status", "1") >= "2"]
        return dict(finals[0]) if finals else {}

    @property
    def status(self):
        return int(self.fields.get(":status", 0))


class Connection:
    """`auto`: SETTINGS and PING are acknowledged and windows opened again as data comes."""

    def __init__(self, port, *pairs, preface=True, auto=True, receive_buffer=None, timeout=raw.PATIENCE):
        self.socket = raw.connect(port, timeout, receive_buffer)
        self.auto = auto
        self.timeout = timeout
        self.inflater = Inflater()
        self.buffer = bytearray()
        self.streams = {}
        self.frames = []  # all but DATA
        self.order = []   # the stream of each DATA frame, with its length
        self.goaways = []  # (last stream, code, debug)
        self.pings = []
        self.settings = {}
        self.acked = 0
        self.closed = None  # "fin" or "reset"
        self.next_id = 1
        self.block = None
        self.authority = None
        if preface:
            self.send(PREFACE + settings(*pairs))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # -- out --

    def send(self, *frames):
        """What cannot be sent any more is lost: the peer's last words are still to be read."""
        try:
            self.socket.sendall(b"".join(frames))
        except (BrokenPipeError, ConnectionError):
            pass

    def new_stream(self):
        stream = self.next_id
        self.next_id += 2
        self.streams[stream] = Stream()
        return stream

    def fields_of(self, path, method="GET", authority=None, scheme="http", more=()):
        return [(":method", method), (":scheme", scheme),
                (":authority", authority or self.authority), (":path", path), *more]

    def headers(self, fields, end=True, stream=None, flags=END_HEADERS, block=None):
        """HEADERS of a new stream (or of `stream`), CONTINUATIONs where fields need them; returns
        its id."""
        stream = stream or self.new_stream()
        flags |= END_STREAM if end else 0
        pieces = [block]
        if block is None:
            block = block_of(fields)
            pieces = [block[at:at + FRAME_MAX] for at in range(0, len(block), FRAME_MAX)]
        if len(pieces) == 1:
            self.send(frame(HEADERS, flags, stream, block))
        else:
            self.send(frame(HEADERS, flags & ~END_HEADERS, stream, pieces[0]),
                      *(frame(CONTINUATION, 0, stream, piece) for piece in pieces[1:-1]),
                      frame(CONTINUATION, END_HEADERS, stream, pieces[-1]))
        return stream

    def request(self, path, end=True, **how):
        return self.headers(self.fields_of(path, **how), end)

    def connect(self, authority):
        return self.headers([(":method", "CONNECT"), (":authority", authority)], end=False)

    # -- in --

    def read(self):
        """One frame, or None at the end."""
        while True:
            if len(self.buffer) >= 9:
                length = int.from_bytes(self.buffer[:3], "big")
                if len(self.buffer) >= 9 + length:
                    kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
                    got = Frame(kind, flags, stream, bytes(self.buffer[9:9 + length]))
                    del self.buffer[:9 + length]
                    self.take(got)
                    return got
            try:
                more = self.socket.recv(1 << 16)
            except ConnectionError:
                self.closed = "reset"
                return None
            if not more:
                self.closed = "fin"
                return None
            self.buffer += more

    def take(self, got):
        stream = self.streams.setdefault(got.stream, Stream()) if got.stream else None
        if got.kind != DATA:
            self.frames.append(got)
        if got.kind == DATA:
            self.take_data(got, stream)
        elif got.kind in (HEADERS, CONTINUATION):
            self.take_headers(got, stream)
        elif got.kind == RST_STREAM and stream:
            stream.reset = int.from_bytes(got.payload, "big")
        elif got.kind == GOAWAY:
            last, code = struct.unpack(">II", got.payload[:8])
            self.goaways.append((last, code, got.payload[8:]))
        elif got.kind == PING and got.flags & ACK:
            self.pings.append(got.payload)
        elif got.kind == PING and self.auto:
            self.send(ping(got.payload, ACK))
        elif got.kind == SETTINGS:
            self.take_settings(got)

    def take_settings(self, got):
        if got.flags & ACK:
            self.acked += 1
            return
        for at in range(0, len(got.payload), 6):
            self.settings.update([struct.unpack(">HI", got.payload[at:at + 6])])
        if self.auto:
            self.send(frame(SETTINGS, ACK))

    def take_data(self, got, stream):
        assert not got.flags & PADDED
        self.order.append((got.stream, len(got.payload)))
        stream.body += got.payload
        stream.ended |= bool(got.flags & END_STREAM)
        if self.auto and got.payload:
            updates = window_update(0, len(got.payload))
            if not stream.ended:
                updates += window_update(got.stream, len(got.payload))
            self.send(updates)

    def take_headers(self, got, stream):
        self.block = got.payload if got.kind == HEADERS else self.block + got.payload
        if got.kind == HEADERS:
            assert not got.flags & (PADDED | WITH_PRIORITY)
            stream.ended |= bool(got.flags & END_STREAM)
        if got.flags & END_HEADERS:
            stream.heads.append(self.inflater.inflate(self.block))

    # -- waiting --

    def until(self, holds):
        """Reads until it holds; False when the connection ended, or nothing came for long."""
        end = time.monotonic() + self.timeout
        while not holds():
            if self.closed or time.monotonic() > end:
                return False
            try:
                self.read()
            except TimeoutError:
                return False
        return True

    def response(self, stream):
        """The stream, when it is complete, or reset, or the connection is gone."""
        self.until(lambda: self.streams[stream].done)
        return self.streams[stream]

    def head(self, stream):
        """The stream, when its final head is there."""
        self.until(lambda: self.streams[stream].status or self.streams[stream].done)
        return self.streams[stream]

    def get(self, path, **how):
        return self.response(self.request(path, **how))

    def sync(self):
        """The peer has read all that was sent: a PING went there and back."""
        payload = struct.pack(">Q", len(self.pings) + 1)
        self.send(ping(payload))
        return self.until(lambda: payload in self.pings)

    def end(self):
        """Reads until the peer has closed; the code of its last GOAWAY, None without one."""
        self.until(lambda: self.closed)
        return self.goaways[-1][1] if self.closed and self.goaways else None

    def shutdown(self):
        self.socket.shutdown(socket.SHUT_WR)
