#!/usr/bin/env python3
"""A wall clock that jumps under larder-dns: dns_clock.py BUILD

Lines of the query log are written within moments whatever the wall clock says, also when it was an
hour ahead and is right again.
"""
import pathlib
import subprocess
import sys
import tempfile
import time

import layer

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import tsig  # noqa: E402

HOUR = 3600
CONFIG = """
listen: ["127.0.0.1:{dns}"]
log: {{ queries: {log} }}
zones: [{{ name: ex.test, nameservers: [ns.ex.test], names: [{{ name: ns, records: "A 192.0.2.1" }}] }}]
"""


def await_lines(log, count):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if log.exists() and log.read_text().count("\n") >= count:
            return
        time.sleep(0.05)
    raise SystemExit(f"{count} lines were expected: {log.read_text() if log.exists() else None}")


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    larder.need(build / "dnsredir/larder-dns")
    if b"libtsan" in (build / "dnsredir/larder-dns").read_bytes():
        print("skipped: the layer cannot be preloaded")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        port, log = larder.free_port(), folder / "queries"
        (folder / "dns.yaml").write_text(CONFIG.format(dns=port, log=log))
        faults = layer.Layer(build, folder)
        process = subprocess.Popen(
            [build / "dnsredir/larder-dns", "--config", folder / "dns.yaml"],
            env=faults.environment())
        try:
            larder.await_port("127.0.0.1", port, process)
            if not faults.is_attached(process):
                print("skipped: the layer was not preloaded")
                sys.exit(77)
            for number, ahead in enumerate((0, HOUR, 0, -HOUR, 0), 1):
                faults.wall(ahead)
                time.sleep(0.3)  # the thread that writes wakes up several times
                tsig.ask_udp(port, tsig.query("ns.ex.test"))
                await_lines(log, number)
                print(f"ok: the clock is {ahead} seconds ahead", flush=True)
            process.terminate()
            if process.wait(60) != 0:
                raise SystemExit(f"ended with {process.returncode}")
        finally:
            if process.poll() is None:
                process.kill()


main()
