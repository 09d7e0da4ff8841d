"""Load, by tools that others have made: wrk, h2load, curl, dnsperf; what they cannot do is done by
the programs of bench/load. All of it on the cores of the load."""
import json
import os
import re
import signal
import subprocess
import time

from harness.processes import PATIENCE, Failed

SLOWEST_FILL = 500  # objects a second
LARGE = 1 << 19  # bytes: of such objects few are asked for at once
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Load:
    def __init__(self, cores, build):
        self.cores, self.build = cores, build
        self.next_fresh = 10_000_000  # numbers of objects that nobody has asked for

    def run(self, command, env=None, timeout=600):
        """A program to its end: what it has said."""
        cores = ",".join(str(core) for core in sorted(self.cores))
        done = subprocess.run(["taskset", "-c", cores, *command], capture_output=True, text=True,
                              env={**os.environ, **(env or {})}, timeout=timeout, check=False)
        if done.returncode != 0:
            raise Failed(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
        return done

    def call(self, *how, **more):
        """What it has said on its standard output."""
        return self.run(*how, **more).stdout

    def wrk(self, base, seconds, connections=64, **settings):
        """{requests, seconds, bytes, errors, p50_ms, …}; settings are those of load/wrk.lua."""
        if settings.get("fresh"):
            settings["first"] = self.next_fresh
            self.next_fresh += 10_000_000
        env = {name.upper(): str(value) for name, value in settings.items()}
        out = self.call(["wrk", f"-t{min(len(self.cores), connections)}", f"-c{connections}",
                         f"-d{seconds}s", "--timeout", "20s", "-s", f"{HERE}/load/wrk.lua",
                         base + "/"], env)
        return json.loads(out.strip().splitlines()[-1])

    def h2load(self, urls, *how, timeout=600):
        """{requests, failed, seconds}."""
        out = self.call(["h2load", "-i", urls, f"-t{len(self.cores)}", *how], timeout=timeout)
        done = re.search(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored", out)
        if not done:
            raise Failed(f"h2load said: {out[-500:]}")
        took = re.search(r"finished in ([\d.]+)(us|ms|s)", out)
        scale = {"us": 1e-6, "ms": 1e-3, "s": 1}
        return {"requests": int(done[1]), "errors": int(done[2]) + int(done[3]),
                "seconds": float(took[1]) * scale[took[2]] if took else 0.0}

    def dnsperf(self, port, queries, seconds):
        """{requests, seconds, errors}; whatever is not NOERROR is one."""
        out = self.call(["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", queries, "-l",
                         str(seconds), "-q", "100", "-c", "8"])
        done = int(re.search(r"Queries completed:\s+(\d+)", out)[1])
        lost = int(re.search(r"Queries lost:\s+(\d+)", out)[1])
        right = sum(int(n) for n in re.findall(r"NOERROR (\d+)", out))
        return {"requests": done, "seconds": seconds, "errors": lost + done - right}

    def subnets(self, port, seconds, networks):
        """{requests, seconds, errors}: queries from that many client subnets."""
        out = self.call([f"{self.build}/bench/ecsload", str(port), str(seconds), str(networks)])
        found = re.match(r"(\d+) answered, (\d+)", out)
        return {"requests": int(found[1]), "seconds": seconds, "errors": int(found[2])}

    def each_once(self, server, first, last, size, prefix="o"):
        """Objects `first` to `last`: {requests, seconds, bad, errors}. wrk has no end but time, so the
        script tells of its own; a server that comes to a stand does not, and is given up."""
        at_once = 8 if size >= LARGE else 32
        done = os.path.join(server.dir, f"filled-{prefix}-{first}-{last}-{size}")
        env = {**os.environ, "FROM": str(first), "TO": str(last), "DONE": done, "SIZE": str(size),
               "AT_ONCE": str(at_once), "PREFIX": prefix}
        if os.path.exists(done):
            os.unlink(done)
        cores = ",".join(map(str, sorted(self.cores)))
        began = time.monotonic()
        with subprocess.Popen(
                ["taskset", "-c", cores, "wrk", "-t1", f"-c{at_once}", "-d7200s", "-s",
                 f"{HERE}/load/fill.lua", server.base + "/"], env=env, stdout=subprocess.PIPE,
                text=True) as wrk:
            end = began + PATIENCE + (last - first + 1) / SLOWEST_FILL
            while not os.path.exists(done) and wrk.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            wrk.send_signal(signal.SIGINT)
            out, _ = wrk.communicate()
        if not os.path.exists(done):
            raise Failed(f"{server.title} does not answer {last - first + 1} requests in "
                         f"{time.monotonic() - began:.0f} s")
        return json.loads(out.strip().splitlines()[-1])

    def own(self, name, *arguments, timeout=600):
        """A program of bench/load: its line of JSON."""
        out = self.call([f"{self.build}/bench/{name}", *map(str, arguments)], timeout=timeout)
        return json.loads(out.strip().splitlines()[-1])

    def own_in(self, host, name, *arguments, timeout=3600):
        """The same on a host of a network."""
        out = self.call(host.command(f"{self.build}/bench/{name}", *arguments), timeout=timeout)
        return json.loads(out.strip().splitlines()[-1])

    def handshakes(self, port, seconds, path, tls, resume, at_once=4):
        """{requests, seconds, errors, resumed}: a TLS connection for each request, at_once of them under
        way; `resumed` is the part of handshakes that were. One that is not what was asked for is no
        measurement."""
        options = ["--tls", tls, "--seconds", seconds, "--connections", at_once]
        load = self.own("handshaker", *options, *(["--resume"] if resume else []), port, path)
        done, resumed = load["requests"], load["resumed"]
        if resumed != (done if resume else 0) or not done:
            raise Failed(f"{resumed} of {done} handshakes were resumed; sessions given: "
                         f"{load['sessions']}, errors: {load['errors']}")
        return {**load, "resumed": resumed / done}
