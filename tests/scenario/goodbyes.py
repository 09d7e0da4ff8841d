#!/usr/bin/env python3
"""Signals until the very end: goodbyes.py BUILD

A process that has been told to end goes on ending, whatever it is told meanwhile: by who stops a service
twice, rotates its log, or loads its configuration anew. Each is sent again and again until it has gone.
"""
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

PATIENCE = 60
TIMES = 3
check = raw.Checks()
DNS = """
listen: ["127.0.0.1:{port}"]
admin: {{ address: "127.0.0.1:{admin}" }}
state: {folder}/state
log: {{ queries: {folder}/queries }}
zones:
  - name: ex.test
    nameservers: [ns.ex.test]
    names: [{{ name: www, records: ["A 192.0.2.1"] }}]
"""


def end(process, what):
    process.send_signal(signal.SIGTERM)
    limit = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < limit:
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM):
            process.send_signal(number)
        time.sleep(0.0005)
    check(process.poll() == 0, f"{what} ended with {process.poll()}")
    process.kill()


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    larder.need(build / "proxy/larder-proxy")
    with tempfile.TemporaryDirectory(prefix="larder-goodbyes.") as folder:
        proxy = larder.Proxy(str(build / "proxy/larder-proxy"), f"{folder}/store", "--access-log", f"{folder}/log")
        for _ in range(TIMES):
            proxy.start()
            end(proxy.process, "larder-proxy")
        admin = larder.free_port()
        config = pathlib.Path(folder, "dns.yaml")
        config.write_text(DNS.format(port=larder.free_port(), admin=admin, folder=folder))
        for _ in range(TIMES):
            process = subprocess.Popen([str(build / "dnsredir/larder-dns"), "--config", str(config)])
            larder.await_port("127.0.0.1", admin, process)
            end(process, "larder-dns")
    check.end()


main()
