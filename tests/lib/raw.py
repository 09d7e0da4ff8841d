"""Bytes as they are, for the scripts that attack: an origin that answers what it is told, and
clients that say what no client should."""
import socket
import struct
import sys
import threading

PATIENCE = 60  # seconds: a slow machine is no failure


def until_head(conn):
    """Everything up to the end of a head, and what came behind it; (b"", b"") at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = conn.recv(65536)
        if not more:
            return data, b""
        data += more
    head, rest = data.split(b"\r\n\r\n", 1)
    return head + b"\r\n\r\n", rest


def until_end(conn, limit=1 << 26):
    """All bytes up to the peer's close; (bytes, how it ended: "fin", "reset" or "open")."""
    data = []
    size = 0
    while size < limit:
        try:
            more = conn.recv(1 << 16)
        except ConnectionError:
            return b"".join(data), "reset"
        except TimeoutError:
            return b"".join(data), "open"
        if not more:
            return b"".join(data), "fin"
        data.append(more)
        size += len(more)
    return b"".join(data), "open"


class Origin:
    """Calls `serve(conn, head, rest)` for each request head on each connection, until it returns
    something true. `heads` keeps what was received, in order."""

    def __init__(self, serve, host="127.0.0.1", port=0):
        self.serve = serve
        self.heads = []
        self.connections = 0
        self.socket = socket.create_server((host, port), backlog=512)
        self.port = self.socket.getsockname()[1]
        self.base = f"http://{host}:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            conn, _ = self.socket.accept()
            self.connections += 1
            threading.Thread(target=self.run, args=(conn,), daemon=True).start()

    def run(self, conn):
        with conn:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while True:
                    head, rest = until_head(conn)
                    if not head.endswith(b"\r\n\r\n"):
                        return
                    self.heads.append(head)
                    if self.serve(conn, head, rest):
                        return
            except OSError:
                pass


def unchunked(head, body):
    """The body of a response without its framing, so far as it is whole."""
    if "chunked" not in (head if isinstance(head, str) else head.decode()).lower():
        return body
    content = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        content += rest[:int(size or b"0", 16)]
        body = rest[int(size or b"0", 16) + 2:]
    return content


def path_of(head):
    return head.split(b" ", 2)[1].decode()


def connect(port, timeout=PATIENCE, receive_buffer=None):
    conn = socket.socket()
    if receive_buffer:
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    conn.settimeout(timeout)
    conn.connect(("127.0.0.1", port))
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return conn


def reset(conn):
    """Closes with a RST."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


def ask(port, request, timeout=PATIENCE, half_close=True):
    """Sends bytes, returns (all that came back, how it ended)."""
    with connect(port, timeout) as conn:
        try:
            conn.sendall(request)
            if half_close:
                conn.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return until_end(conn)


def statuses(data):
    """The status of every message in a byte string whose bodies hold no "HTTP/1.1 "."""
    return [int(part[:3]) for part in data.split(b"HTTP/1.1 ")[1:]]


class Checks:
    """Counts what held and what did not."""

    def __init__(self):
        self.held = self.failed = 0

    def __call__(self, good, what):
        """Returns whether it held."""
        if good:
            self.held += 1
        else:
            self.failed += 1
            print("WRONG:", what, flush=True)
        return bool(good)

    def end(self):
        print(f"{self.held} held, {self.failed} wrong")
        sys.exit(1 if self.failed or not self.held else 0)
