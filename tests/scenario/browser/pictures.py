#!/usr/bin/env python3
"""The pictures of the dashboard in docs/, taken anew: pictures.py BUILD FOLDER [SECONDS]   (root)

In a network of its own, thirty clients ask for pages, pictures, packages, videos and tunnels by Zipf's law, in waves
of five minutes: over HTTP/1 and HTTP/2, plain and by TLS. One origin is down, one fails now and then, and of four
replicas one is down, too. After SECONDS Chromium takes the pictures; the charts show five minutes until there are more,
so 230 fill most of them. They show made-up traffic, on a real proxy and a real redirector.
"""
import http.client
import http.server
import math
import os
import pathlib
import random
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "lib"))
import certs  # noqa: E402
import larder  # noqa: E402

PROXY, PLAIN, TLS, ADMIN = "10.0.3.1", 3128, 3443, 3129
DNS, DNS_ADMIN = "10.0.3.53", 3130
ORIGIN, TUNNELLED, DEAD = "10.0.4.1", "10.0.4.2", "10.0.4.9"
PLACES = [f"10.0.3.{n}" for n in range(20, 50)]
HOSTS = {"cdn.example.com": "image/jpeg", "www.example.net": "text/html", "static.example.org": "text/css",
         "api.example.com": "application/json", "account.example.com": "text/html", "video.example.tv": "video/mp4",
         "deb.debian.org": "application/octet-stream", "registry.npmjs.org": "application/octet-stream",
         "pypi.org": "text/html", "ads.example.net": ""}
TUNNELS = {"shop.example.com": 400_000, "chat.example.net": 30_000, "mail.example.org": 60_000,
           "cloud.example.net": 250_000}  # how much each sends at most at once

PROXY_YAML = f"""
name: larder-1
listen:
  - "{PROXY}:{PLAIN}"
  - {{ address: "{PROXY}:{TLS}", tls: {{ certificate: proxy.pem, key: proxy.key }} }}
admin: {{ address: "127.0.0.1:{ADMIN}", dns: "127.0.0.1:{DNS_ADMIN}" }}
workers: 2
store: {{ path: /var/cache/larder, size: 4GiB }}
memory: 192MiB
nameservers: ["{DNS}"]
access:
  - deny: {{ hosts: ads.example.net }}
  - allow: 10.0.3.0/24
mirrors:
  - {{ path: /npm/, origin: "https://registry.npmjs.org/", preset: npm, ca: ca.pem }}
  - {{ path: /pypi/, origin: "https://pypi.org/", preset: pip, ca: ca.pem }}
  - {{ path: /debian/, origin: "http://deb.debian.org/debian", preset: apt }}
"""
DNS_YAML = f"""
listen: ["{DNS}:53"]
admin: {{ address: "127.0.0.1:{DNS_ADMIN}" }}
replicas:
  - {{ name: larder-1, addresses: ["{PROXY}"], location: [52.5, 13.4], capacity: 100, admin: "http://127.0.0.1:{ADMIN}" }}
  - {{ name: fra, addresses: [10.0.5.2], location: [50.1, 8.7], capacity: 100, admin: "http://127.0.0.1:4002" }}
  - {{ name: nyc, addresses: [10.0.5.3], location: [40.7, -74.0], capacity: 100, admin: "http://127.0.0.1:4003" }}
  - {{ name: sin, addresses: [10.0.5.4], location: [1.4, 103.8], capacity: 100, admin: "http://127.0.0.1:4004" }}
nearest:
  map:
    - {{ prefix: 10.0.3.32/27, replica: [larder-1, fra] }}
    - {{ prefix: 10.0.3.64/26, replica: [fra, larder-1] }}
    - {{ prefix: 10.0.3.128/25, replica: [nyc, fra] }}
zones:
  - {{ name: cdn.example.net, nameservers: [ns1.cdn.example.net], names: [{{ name: www, policy: nearest }}] }}
"""


def zones():
    """A zone for each host, with its address."""
    addresses = {host: ORIGIN for host in HOSTS} | {host: TUNNELLED for host in TUNNELS} | {"legacy.example.org": DEAD}
    return "".join(f'  - {{ name: {host}, nameservers: [ns.{host}], names: [{{ name: "@", records: ["A {address}"] }}] }}\n'
                   for host, address in addresses.items())


def size_of(path):
    return random.Random(path).randrange(1_000, 40_000)


class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def fields_and_size(self, host):
        """What a host says of its responses, and how large this one is."""
        if host == "video.example.tv":
            return {"Cache-Control": "max-age=60", "Vary": "*"}, 230_000
        if host == "deb.debian.org":
            return ({}, 9_000) if "/dists/" in self.path else ({"Cache-Control": "max-age=86400"}, 300_000)
        if host == "registry.npmjs.org":
            return {"Cache-Control": "max-age=86400"}, 105_000
        kept = {"api.example.com": "no-store", "account.example.com": "private", "www.example.net": "max-age=20",
                "cdn.example.com": "max-age=3600", "static.example.org": "max-age=86400"}
        return {"Cache-Control": kept.get(host, "max-age=300")}, size_of(self.path)

    def do_GET(self):
        host = self.headers["Host"].partition(":")[0]
        time.sleep(random.uniform(0.015, 0.04))
        tag = '"v1"'
        if host == "api.example.com" and random.random() < 0.03:
            return self.answer(503, {}, b"")
        if self.headers.get("If-None-Match") == tag and "/dists/" not in self.path:
            return self.answer(304, {"ETag": tag, "Cache-Control": "max-age=20"}, None)
        fields, size = self.fields_and_size(host)
        return self.answer(200, {**fields, "ETag": tag, "Content-Type": HOSTS.get(host, "text/html")}, bytes(size))

    def answer(self, status, fields, body):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


class Replica(http.server.BaseHTTPRequestHandler):
    """Admin port of a replica elsewhere, with some load."""
    protocol_version = "HTTP/1.1"
    began = time.monotonic()

    def do_GET(self):
        passed = (time.monotonic() - self.began) * {4002: 23, 4003: 9}[self.server.server_address[1]]
        self.send_response(200)
        self.send_header("Larder-Load", f"requests={int(passed)}, bytes={int(passed * 23_000)}, connections=12, draining=0, overload=0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class TunnelEnd(socketserver.BaseRequestHandler):
    """Sends as many bytes as each line asks for."""

    def handle(self):
        for line in self.request.makefile("rb"):
            self.request.sendall(bytes(int(line)))


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_):
        pass


def serve(address, port, handler, context=None):
    server = Server((address, port), handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def zipf(most):
    return min(int(most ** random.random()), most)


def drawn():
    """What somebody asks for next: a URL, or a path of a mirror."""
    draw = random.choices(
        ["cdn", "www", "static", "api", "account", "legacy", "video", "ads", "/npm/", "/debian/", "/pypi/"],
        [34, 20, 11, 5, 3, 1.3, 0.8, 1, 9, 4, 2])[0]
    return {
        "cdn": lambda: f"http://cdn.example.com/img/{zipf(4000):04d}.jpg",
        "www": lambda: f"http://www.example.net/news/{zipf(400)}",
        "static": lambda: f"http://static.example.org/app-{zipf(120)}.css",
        "api": lambda: f"http://api.example.com/v1/items/{zipf(3000)}",
        "account": lambda: f"http://account.example.com/cart?user={zipf(500)}",
        "legacy": lambda: f"http://legacy.example.org/{zipf(30)}",
        "video": lambda: f"http://video.example.tv/live/seg{int(time.time() * 10)}.mp4",
        "ads": lambda: f"http://ads.example.net/banner/{zipf(50)}",
        "/npm/": lambda: f"/npm/pkg{zipf(200)}/-/pkg-1.0.tgz",
        "/debian/": lambda: "/debian/dists/bookworm/InRelease" if random.random() < 0.5
        else f"/debian/pool/main/p/p{zipf(900)}_1.deb",
        "/pypi/": lambda: f"/pypi/simple/p{zipf(120)}/",
    }[draw]()


class Client(threading.Thread):
    """One browser: one connection, and requests at random moments."""

    def __init__(self, address, context=None):
        super().__init__(daemon=True)
        self.address, self.context, self.connection = (address, 0), context, None

    def connect(self):
        port = TLS if self.context else PLAIN
        plain = socket.create_connection((PROXY, port), 60, self.address)
        connection = http.client.HTTPConnection(PROXY, port, timeout=60)
        connection.sock = self.context.wrap_socket(plain, server_hostname="proxy.example.net") if self.context else plain
        return connection

    def run(self):
        while True:
            wave = 0.25 + 0.75 * math.sin(math.pi * (time.monotonic() % 300) / 300) ** 2
            time.sleep(random.expovariate(2.6 * wave))
            try:
                self.connection = self.connection or self.connect()
                self.connection.request("GET", drawn())
                self.connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                self.connection = None


class Tunneller(threading.Thread):
    def __init__(self, address, host):
        super().__init__(daemon=True)
        self.address, self.host = (address, 0), host

    def run(self):
        while True:
            with socket.create_connection((PROXY, PLAIN), 60, self.address) as connection:
                connection.sendall(f"CONNECT {self.host}:443 HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
                stream = connection.makefile("rb")
                while stream.readline() not in (b"\r\n", b""):
                    pass
                for _ in range(random.randrange(4, 9)):
                    size = random.randrange(TUNNELS[self.host])
                    connection.sendall(b"%d\n" % size)
                    stream.read(size)
                    time.sleep(random.expovariate(0.5))


def ask_names():
    """Visitors of www.cdn.example.net, from everywhere."""
    query = b"\0\1\0\0\0\1\0\0\0\0\0\0\3www\3cdn\7example\3net\0\0\1\0\1"
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.bind((f"10.0.3.{random.choice([40, 70, 80, 130, 140, 150, 160])}", 0))
            asker.sendto(query, (DNS, 53))
        time.sleep(0.1)


def network_of_its_own():
    if os.environ.get("LARDER_NAMESPACE") != "pictures":
        os.environ["LARDER_NAMESPACE"] = "pictures"
        os.execvp("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv])
    for command in ("ip link set lo up", "ip route add local 10.0.0.0/16 dev lo", "mount -t tmpfs tmpfs /var/cache"):
        subprocess.run(command.split(), check=True)
    os.mkdir("/var/cache/larder")


def world(folder):
    made = certs.Certs(folder)
    made.sign("registry", "DNS:registry.npmjs.org,DNS:pypi.org")
    made.sign("proxy", "DNS:proxy.example.net")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.path("registry.pem"), made.path("registry.key"))
    serve(ORIGIN, 80, Origin)
    serve(ORIGIN, 443, Origin, context)
    serve(TUNNELLED, 443, TunnelEnd)
    for port in (4002, 4003):
        serve("127.0.0.1", port, Replica)
    (folder / "proxy.yaml").write_text(PROXY_YAML)
    (folder / "dns.yaml").write_text(DNS_YAML + zones())


def people(folder, running):
    trusting = ssl.create_default_context(cafile=folder / "ca.pem")
    for place in PLACES:
        Client(place).start()
    for place in PLACES[:6]:
        Client(place, trusting).start()
    for place, host in zip(PLACES[6:], [*TUNNELS, "shop.example.com"]):
        Tunneller(place, host).start()
    threading.Thread(target=ask_names, daemon=True).start()
    running.append(subprocess.Popen(
        ["h2load", "-c", "4", "-m", "1", "--rps", "1", "-D", "100000", f"https://{PROXY}:{TLS}/npm/pkg8/-/pkg-1.0.tgz"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))


def main():
    build, to = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 230
    network_of_its_own()
    random.seed(1)
    running = []
    with tempfile.TemporaryDirectory(prefix="larder-pictures.") as name:
        folder = pathlib.Path(name)
        world(folder)
        try:
            running.append(subprocess.Popen([build / "proxy" / "larder-proxy", "--config", folder / "proxy.yaml"]))
            running.append(subprocess.Popen([build / "dnsredir" / "larder-dns", "--config", folder / "dns.yaml"]))
            larder.await_port(PROXY, PLAIN, running[0])
            larder.await_port("127.0.0.1", DNS_ADMIN, running[1])
            people(folder, running)
            time.sleep(seconds)
            subprocess.run(["node", "pictures.mjs", shutil.which("chromium"), f"http://127.0.0.1:{ADMIN}", to],
                           cwd=HERE, check=True)
        finally:
            for process in running:
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
