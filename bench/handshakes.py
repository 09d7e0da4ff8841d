#!/usr/bin/env python3
"""Plain hits during a storm of TLS handshakes: bench/handshakes.py BUILD [rsa|ec]

One worker on core 0 with a plain and a TLS listener. On core 1: a few clients that ask for one object
in memory over plain connections, and measure each answer; in every other phase, beside them, clients
that connect, do a full handshake and leave, as fast as they can (`openssl s_time -new`). Prints the
latency of the hits without and with the storm, and how many handshakes there were.
Settings: ROUNDS (3), SECONDS_EACH (4), STORM (4, clients).
"""
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "lib"))
import certs as certificates  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", 3))
SECONDS = int(os.environ.get("SECONDS_EACH", 4))
STORM = int(os.environ.get("STORM", 4))
BODY = b"x" * 1000


def serve(conn, *_):
    conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nContent-Length: %d\r\n\r\n%b" %
                 (len(BODY), BODY))


def hits(port, base):
    """Milliseconds of each."""
    times = []
    request = f"GET {base}/hit HTTP/1.1\r\nHost: o\r\n\r\n".encode()
    with raw.connect(port) as conn:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            began = time.perf_counter()
            conn.sendall(request)
            data = b""
            while not data.endswith(BODY):
                data += conn.recv(65536)
            times.append((time.perf_counter() - began) * 1000)
            time.sleep(0.002)
    return times


def storm(port):
    return [subprocess.Popen(
        ["taskset", "-c", "1", "openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new",
         "-time", str(SECONDS)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(STORM)]


def quantile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def main():
    kind = sys.argv[2] if len(sys.argv) > 2 else "rsa"
    source = raw.Origin(serve)
    with tempfile.TemporaryDirectory(prefix="larder-storm.") as folder:
        certs = certificates.Certs(folder)
        certs.sign("one", "IP:127.0.0.1", rsa=kind == "rsa")
        tls = larder.free_port()
        proxy = larder.Proxy(f"{sys.argv[1]}/proxy/larder-proxy", folder + "/store",
                             "--listen-tls", f"127.0.0.1:{tls}", "--certificate",
                             certs.path("one.pem"), "--key", certs.path("one.key"),
                             "--workers", "1")
        proxy.command = ["taskset", "-c", "0", *proxy.command]
        proxy.start()
        os.sched_setaffinity(0, {1})
        larder.Client(proxy.port).get(source.base + "/hit")
        alone, beside, done = [], [], 0
        for _ in range(ROUNDS):
            alone.append(hits(proxy.port, source.base))
            others = storm(tls)
            beside.append(hits(proxy.port, source.base))
            for other in others:
                text = other.communicate()[0]
                done += int((re.search(r"(\d+) connections in", text) or [0, 0])[1])
        for name, runs in (("alone", alone), ("in the storm", beside)):
            p50, p99 = (statistics.median(quantile(run, share) for run in runs)
                        for share in (0.5, 0.99))
            worst = max(max(run) for run in runs)
            print(f"{name:13} p50 {p50:.2f} ms, p99 {p99:.2f} ms, worst {worst:.2f} ms,"
                  f" {sum(map(len, runs))} hits")
        print(f"{done} handshakes ({kind}) in {ROUNDS * SECONDS} s")
        proxy.stop()


if __name__ == "__main__":
    main()
