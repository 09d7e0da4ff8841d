#!/usr/bin/env python3
"""Hits over HTTP/2 beside the peers: bench/h2.py BUILD [tls|plain ...]

One worker each on core 0; h2load on core 1 with 16 connections of 32 streams. Every cache is filled
with the same objects through its own proxying; h2o serves them as static files, it has no cache.
Rounds go server by server, so that a noisy minute hits all of them. CPU is user and system time of
all processes of a server. Then what an idle connection costs: IDLE of them, each after one request,
on a server that has just begun.

Settings: ROUNDS (3), SECONDS_EACH (4), SIZES (1024 65536), OBJECTS (10000; above 16 KiB 1000),
PEERS (larder haproxy nginx h2o trafficserver), IDLE (2000).
"""
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.argv, arguments = sys.argv[:2], sys.argv[2:]
import million  # noqa: E402
from million import cpu_seconds, free_port, memory, stop, wait_for_port, write  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", 3))
SECONDS = int(os.environ.get("SECONDS_EACH", 4))
SIZES = [int(size) for size in os.environ.get("SIZES", "1024 65536").split()]
PEERS = os.environ.get("PEERS", "larder haproxy nginx h2o trafficserver").split()
IDLE = int(os.environ.get("IDLE", 2000))
CONNECTIONS, STREAMS = 16, 32


def count(size):
    return int(os.environ.get("OBJECTS", 10000 if size <= 16384 else 1000))


class Origin:
    """nginx, with a file for each size; any object of a size is that file."""

    def __init__(self, top):
        self.port = free_port()
        self.dir = f"{top}/origin"
        for size in SIZES:
            write(f"{self.dir}/files/{size}", "x" * size)
        places = "".join(f"location ~ /{size}$ {{ try_files /files/{size} =404; expires 30d; }}\n"
                         for size in SIZES)
        write(f"{self.dir}/config", f"""daemon off; pid {self.dir}/pid; user root;
            error_log {self.dir}/log crit; worker_processes 1; events {{ worker_connections 4096; }}
            http {{ access_log {self.dir}/access; keepalive_requests 1000000000;
            server {{ listen 127.0.0.1:{self.port} backlog=4096; root {self.dir}; {places} }} }}""")
        self.process = subprocess.Popen(
            ["taskset", "-c", "1", "nginx", "-c", f"{self.dir}/config"], cwd=self.dir)
        wait_for_port(self.port, self.process)

    def asked(self):
        with open(f"{self.dir}/access") as log:
            return sum(1 for _ in log)


class Peer(million.Peer):
    def __init__(self, name, top, build, origin, tls):
        self.tls = tls
        self.certificate = f"{top}/cert.pem"
        self.key = f"{top}/key.pem"
        self.top = top
        super().__init__(name, top, build, origin)

    def larder(self):
        command = super().larder()
        if self.tls:
            at = command.index("--listen")
            command[at:at + 2] = ["--listen-tls", command[at + 1], "--certificate",
                                  self.certificate, "--key", self.key]
        return command

    def nginx(self):
        command = super().nginx()
        path = f"{self.dir}/config"
        with open(path) as config:
            text = config.read()
        tls = (f"ssl_certificate {self.certificate}; ssl_certificate_key {self.key};"
               if self.tls else "")
        text = text.replace("backlog=4096;", f"{'ssl ' if self.tls else ''}http2 backlog=4096; {tls}"
                            "http2_max_concurrent_streams 128; open_file_cache max=12000;"
                            "open_file_cache_valid 1h;")
        write(path, text)
        return command

    def haproxy(self):
        bind = f"ssl crt {self.top}/both.pem alpn h2" if self.tls else "proto h2"
        write(f"{self.dir}/config", f"""global
    nbthread 1
    maxconn 8192
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    http-reuse always
cache hits
    total-max-size 1024
    max-object-size 1100000
    max-age 86400
frontend front
    bind 127.0.0.1:{self.port} {bind}
    http-request cache-use hits
    default_backend origin
backend origin
    http-response cache-store hits
    server origin 127.0.0.1:{self.origin.port}
""")
        return ["haproxy", "-f", f"{self.dir}/config"]

    def h2o(self):
        for size in SIZES:
            for number in range(1, count(size) + 1):
                os.makedirs(f"{self.dir}/files/o/{number}", exist_ok=True)
                write(f"{self.dir}/files/o/{number}/{size}", "x" * size)
        tls = f"\n  ssl:\n    certificate-file: {self.certificate}\n    key-file: {self.key}"
        write(f"{self.dir}/config", f"""listen:
  host: 127.0.0.1
  port: {self.port}{tls if self.tls else ""}
num-threads: 1
max-connections: 8192
http2-idle-timeout: 3600
user: root
hosts:
  default:
    paths:
      /:
        file.dir: {self.dir}/files
""")
        return ["h2o", "-c", f"{self.dir}/config"]

    def trafficserver(self):
        command = super().trafficserver()
        path = f"{self.dir}/etc/records.config"
        with open(path) as config:
            text = config.read()
        write(path, text.replace(f"{self.port}:ip-in=127.0.0.1", f"{self.port}:ssl:ip-in=127.0.0.1") +
              "CONFIG proxy.config.http2.stream_error_rate_threshold FLOAT 1.0\n"
              "CONFIG proxy.config.ssl.server.multicert.exit_on_load_fail INT 1\n")
        write(f"{self.dir}/etc/ssl_multicert.config",
              f"dest_ip=* ssl_cert_name={self.certificate} ssl_key_name={self.key}\n")
        write(f"{self.dir}/etc/remap.config",
              f"map https://127.0.0.1:{self.port}/ http://127.0.0.1:{self.origin.port}/\n")
        subprocess.run(["chown", "-R", "trafficserver", self.dir], check=True)
        return command

    @property
    def base(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def start(self):
        super().start()
        wait_for_port(self.port, self.process)

    def load(self, size, *how):
        urls = f"{self.dir}/urls-{size}"
        if not os.path.exists(urls):
            write(urls, "".join(f"{self.base}/o/{n}/{size}\n" for n in range(1, count(size) + 1)))
        out = subprocess.run(
            ["taskset", "-c", "1", "h2load", "-i", urls, "-t1", *how], capture_output=True,
            text=True).stdout
        done = re.search(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored", out)
        if not done:
            raise SystemExit(f"{self.name}: {out}")
        return int(done[1]), int(done[2]) + int(done[3])

    def fill(self, size):
        for _ in range(2):  # twice: touched once before it counts
            right, wrong = self.load(size, f"-n{count(size)}", "-c1", "-m16")  # each begins at the first
            if wrong or right != count(size):
                raise SystemExit(f"{self.name}: filling: {wrong} failed of {count(size)}")
            time.sleep(1)

    def measure(self, size):
        before = cpu_seconds(self.process.pid)
        right, wrong = self.load(size, f"-D{SECONDS}", f"-c{CONNECTIONS}", f"-m{STREAMS}")
        used = cpu_seconds(self.process.pid) - before
        return {"per_second": right / SECONDS, "cpu_us": used * 1e6 / max(right, 1),
                "failed": wrong}

    def idle(self):
        """Bytes for a connection that has had one answer and waits."""
        before = memory(self.process.pid)
        load = subprocess.Popen(
            ["taskset", "-c", "1", "h2load", f"-n{IDLE * 2}", f"-c{IDLE}", "-m1", "-t1",
             "--rps=0.02", f"{self.base}/o/1/{SIZES[0]}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(20)
        grown = memory(self.process.pid) - before
        load.kill()
        load.wait()
        return grown / IDLE


def make_certificate(top):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", f"{top}/key.pem", "-out", f"{top}/cert.pem"],
        check=True, capture_output=True)
    with open(f"{top}/both.pem", "w") as both:
        for part in ("cert.pem", "key.pem"):
            with open(f"{top}/{part}") as one:
                both.write(one.read())
    for part in ("both.pem", "cert.pem", "key.pem"):
        os.chmod(f"{top}/{part}", 0o644)


def table(mode, results, idle):
    print(f"\n{mode}: {CONNECTIONS} connections of {STREAMS} streams, medians of {ROUNDS} rounds\n")
    print("| bytes | server | requests/s | CPU µs/request | of larder | idle, bytes |")
    print("|--:|---|--:|--:|--:|--:|")
    for size in SIZES:
        rows = {name: runs for (s, name), runs in results.items() if s == size}
        base = statistics.median(run["cpu_us"] for run in rows["larder"])
        for name, runs in rows.items():
            cpu = statistics.median(run["cpu_us"] for run in runs)
            rate = statistics.median(run["per_second"] for run in runs)
            failed = sum(run["failed"] for run in runs)
            print(f"| {size} | {name} | {rate:,.0f} | {cpu:.1f} | {cpu / base:.2f}× "
                  f"| {idle.get(name, 0):,.0f} |" + (f" {failed} failed" if failed else ""))


def compare(mode, build):
    top = tempfile.mkdtemp(prefix="larder-h2.", dir=os.environ.get("DIR", "/var/tmp"))
    os.chmod(top, 0o755)
    make_certificate(top)
    tls = mode == "tls"
    names = [name for name in PEERS if tls or name != "trafficserver"]
    running, results, idle = [], {}, {}
    try:
        origin = Origin(top)
        running.append(origin.process)
        peers = [Peer(name, top, build, origin, tls) for name in names]
        for peer in peers:
            peer.start()
            running.append(peer.process)
            for size in SIZES:
                peer.fill(size)
        for size in SIZES:
            for _ in range(ROUNDS):
                for peer in peers:
                    asked = origin.asked()
                    result = peer.measure(size)
                    result["origin"] = origin.asked() - asked
                    results.setdefault((size, peer.name), []).append(result)
                    print(json.dumps({"mode": mode, "size": size, "peer": peer.name, **result}),
                          flush=True)
        for peer in peers:  # begun anew: what the load left behind would be used again
            stop(peer.process)
            peer.start()
            running.append(peer.process)
            peer.load(SIZES[0], f"-n{count(SIZES[0])}", "-c1", "-m16")
            idle[peer.name] = peer.idle()
        table(mode, results, idle)
    finally:
        for process in reversed(running):
            stop(process)
        shutil.rmtree(top, ignore_errors=True)


for one in arguments or ["plain", "tls"]:
    compare(one, os.path.abspath(sys.argv[1]))
