#!/usr/bin/env python3
"""A million small objects: bench/million.py BUILD

Fills each cache on disk with the same objects through its own proxying, one cache after the other
in the same run, and says what they cost: time, CPU, bytes on disk and in memory, and how long a
restart takes to the first hit. One worker each on core 0; origin (nginx) and wrk on core 1.

Settings from the environment: OBJECTS (1000000), SIZE (4096), PEERS (larder nginx squid
trafficserver), DIR (/var/tmp). Memory is anonymous and shared pages of all processes, its growth
over the second half of the objects, at rest: what is set aside at the start, caches of hot objects
that are full by then, and what waits to be written do not count.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
OBJECTS = int(os.environ.get("OBJECTS", 1000000))
SIZE = int(os.environ.get("SIZE", 4096))
PEERS = os.environ.get("PEERS", "larder nginx squid trafficserver").split()
CONNECTIONS = 32
MEMORY = 256  # MiB for hot objects and what waits to be written, where that is a setting
SETTLE = 15  # seconds until writers rest and indexes are on disk
PATIENCE = 60  # seconds for the first hit after a restart
DISK = max(1 << 30, OBJECTS * (SIZE + 4096) * 3 // 2)  # more than anybody needs for them


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def descendants(pid):
    found = [pid]
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            for child in children.read().split():
                found += descendants(int(child))
    except OSError:
        pass
    return found


def cpu_seconds(pid):
    """User and system time of the whole program."""
    ticks = 0
    for p in descendants(pid):
        try:
            with open(f"/proc/{p}/stat") as stat:
                fields = stat.read().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(pid):
    """Anonymous and shared memory, pages that processes share counted once."""
    total = 0
    for p in descendants(pid):
        try:
            with open(f"/proc/{p}/smaps_rollup") as rollup:
                for line in rollup:
                    if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                        total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total


def disk_bytes(path):
    return sum(
        os.lstat(os.path.join(base, name)).st_blocks * 512
        for base, _, names in os.walk(path)
        for name in names
    )


def wait_for_port(port, process):
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"did not start: {process.args}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"does not listen: {process.args}")


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(120)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as out:
        out.write(text)


class Origin:
    def __init__(self, top):
        self.port = free_port()
        self.dir = os.path.join(top, "origin")
        write(os.path.join(self.dir, "body"), "x" * SIZE)
        write(
            os.path.join(self.dir, "config"),
            f"""daemon off; pid {self.dir}/pid; error_log {self.dir}/log crit; user root;
            worker_processes 1; events {{ worker_connections 4096; }}
            http {{ access_log off; keepalive_requests 1000000000; etag on;
            server {{ listen 127.0.0.1:{self.port} backlog=4096; root {self.dir};
            location / {{ try_files /body =404; expires 30d; }} }} }}""",
        )
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["taskset", "-c", "1", "nginx", "-c", f"{self.dir}/config"], cwd=self.dir)
        wait_for_port(self.port, self.process)


class Peer:
    """One cache: how it is started. `store` is the directory whose blocks are counted."""

    def __init__(self, name, top, build, origin):
        self.name, self.build, self.origin = name, build, origin
        self.dir = os.path.join(top, name)
        self.store = os.path.join(self.dir, "store")
        self.port = free_port()
        self.env = dict(os.environ)
        os.makedirs(self.store)
        os.chmod(self.store, 0o777)
        self.command = getattr(self, name)()
        self.process = None

    def larder(self):
        return [
            f"{self.build}/proxy/larder-proxy", "--listen", f"127.0.0.1:{self.port}",
            "--admin", f"127.0.0.1:{free_port()}", "--workers", "1",
            "--site", f"*=http://127.0.0.1:{self.origin.port}", "--allow", "127.0.0.0/8",
            "--allow-target", "127.0.0.0/8", "--store", self.store,
            "--store-size", f"{DISK >> 20}MiB", "--memory", f"{MEMORY}MiB",
        ]

    def nginx(self):
        write(
            f"{self.dir}/config",
            f"""daemon off; pid {self.dir}/pid; error_log {self.dir}/log crit; user root;
            worker_processes 1; events {{ worker_connections 4096; }}
            http {{ access_log off; sendfile on; keepalive_requests 1000000000;
            proxy_cache_path {self.store} levels=1:2 keys_zone=all:512m max_size={DISK >> 20}m
            inactive=30d use_temp_path=off;
            upstream origin {{ server 127.0.0.1:{self.origin.port}; keepalive 64; }}
            server {{ listen 127.0.0.1:{self.port} backlog=4096;
            location / {{ proxy_pass http://origin; proxy_http_version 1.1;
            proxy_set_header Connection ""; proxy_cache all; proxy_cache_key $request_uri; }} }} }}""",
        )
        return ["nginx", "-c", f"{self.dir}/config"]

    def squid(self):
        write(
            f"{self.dir}/config",
            f"""http_port 127.0.0.1:{self.port} accel defaultsite=bench no-vhost
cache_peer 127.0.0.1 parent {self.origin.port} 0 no-query originserver name=origin
cache_peer_access origin allow all
http_access allow all
never_direct allow all
cache_mem {MEMORY} MB
cache_dir rock {self.store} {DISK >> 20} slot-size=8192 max-size=1000000
access_log none
cache_log {self.dir}/log
cache_store_log none
pid_filename none
shutdown_lifetime 0 seconds
client_idle_pconn_timeout 1 hour
workers 1
visible_hostname bench
""",
        )
        command = ["squid", "-N", "-n", f"million{os.getpid()}", "-f", f"{self.dir}/config"]
        os.chmod(self.dir, 0o777)
        subprocess.run([*command, "-z"], check=True, stderr=subprocess.DEVNULL)
        return command

    def trafficserver(self):
        etc = f"{self.dir}/etc"
        shutil.copytree("/etc/trafficserver", etc)
        places = {"sysconfdir": "etc", "runtimedir": "run", "logdir": "log", "cachedir": "cache",
                  "localstatedir": "var", "datadir": "share", "libexecdir": "libexec"}
        for place in places.values():
            os.makedirs(f"{self.dir}/{place}", exist_ok=True)
        write(f"{self.dir}/runroot.yaml", "prefix: .\nexec_prefix: .\n" + "".join(
            f"{name}: {self.dir}/{place}\n" for name, place in places.items()))
        records = {
            "http.server_ports": f"STRING {self.port}:ip-in=127.0.0.1",
            "url_remap.remap_required": "INT 1", "reverse_proxy.enabled": "INT 1",
            "exec_thread.autoconfig": "INT 0", "exec_thread.limit": "INT 1",
            "accept_threads": "INT 0", "cache.ram_cache.size": f"INT {MEMORY << 20}",
            "cache.min_average_object_size": "INT 4000", "log.logging_enabled": "INT 0",
            "http.cache.required_headers": "INT 0", "admin.user_id": "STRING trafficserver",
            "diags.output.note": "STRING L",
            "cache.dir.sync_frequency": "INT 2",  # or what was stored in the last minute is lost
        }
        lines = [f"CONFIG proxy.config.{name} {value}" for name, value in records.items()]
        write(f"{etc}/records.config", "\n".join(lines) + "\n")
        write(f"{etc}/remap.config",
              f"map http://127.0.0.1:{self.port}/ http://127.0.0.1:{self.origin.port}/\n")
        write(f"{etc}/storage.config", f"{self.store} {DISK >> 20}M\n")
        subprocess.run(["chown", "-R", "trafficserver", self.dir], check=True)  # it refuses root
        return ["traffic_server", f"--run-root={self.dir}"]

    def start(self):
        log = open(os.path.join(self.dir, "output"), "a")
        self.process = subprocess.Popen(
            ["taskset", "-c", "0", *self.command], env=self.env, cwd=self.dir, stdout=log,
            stderr=log)
        return self.process

    def fill(self, first, last):
        done = os.path.join(self.dir, f"filled-{last}")
        env = {**os.environ, "FROM": str(first), "TO": str(last), "DONE": done}
        wrk = subprocess.Popen(
            ["taskset", "-c", "1", "wrk", "-t1", f"-c{CONNECTIONS}", "-d7200s", "-s",
             f"{HERE}/fill.lua", f"http://127.0.0.1:{self.port}/"],
            env=env, stdout=subprocess.PIPE, text=True)
        while not os.path.exists(done) and wrk.poll() is None:
            time.sleep(0.02)
        wrk.send_signal(signal.SIGINT)
        out, _ = wrk.communicate()
        return json.loads(out.strip().splitlines()[-1])

    def get(self, number):
        """Status of one request, or None while nobody answers."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as to:
                to.sendall(f"GET /o/{number} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
                           "Connection: close\r\n\r\n".encode())
                answer = b""
                while len(answer) < 12:
                    some = to.recv(4096)
                    if not some:
                        return None
                    answer += some
                return int(answer[9:12])
        except (OSError, ValueError):
            return None


def until_hit(peer, number):
    """Seconds from the start to the first hit; the origin is down, so nothing else is a 200."""
    began = time.monotonic()
    peer.start()
    while time.monotonic() - began < PATIENCE:
        if peer.get(number) == 200:
            return time.monotonic() - began
        time.sleep(0.001)
    return None


def drop_page_cache():
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w") as knob:
            knob.write("3")
        return True
    except OSError:
        return False


def kept(peer):
    """Of a thousand objects, how many are there without the origin, in parts of a whole."""
    step = max(1, OBJECTS // 1000)
    numbers = range(1, OBJECTS + 1, step)
    return sum(peer.get(n) == 200 for n in numbers) / len(numbers)


def measure(name, top, build, origin):
    peer = Peer(name, top, build, origin)
    peer.start()
    wait_for_port(peer.port, peer.process)
    pid = peer.process.pid
    row = {"peer": name, "objects": OBJECTS, "size": SIZE}
    began, cpu = time.monotonic(), cpu_seconds(pid)
    first = peer.fill(1, OBJECTS // 2)
    filled = time.monotonic() - began
    time.sleep(SETTLE)  # what waits to be written is no price of an object
    half = memory(pid)
    began = time.monotonic()
    second = peer.fill(OBJECTS // 2 + 1, OBJECTS)
    row["bad"] = first["bad"] + second["bad"] + first["errors"] + second["errors"]
    row["fill_s"] = filled + time.monotonic() - began
    row["fill_rate"] = OBJECTS / row["fill_s"]
    row["cpu_us_per_object"] = (cpu_seconds(pid) - cpu) * 1e6 / OBJECTS
    time.sleep(SETTLE)
    row["memory"] = memory(pid)
    row["memory_per_object"] = (row["memory"] - half) / (OBJECTS - OBJECTS // 2)
    stop(peer.process)
    row["disk_per_object"] = disk_bytes(peer.store) / OBJECTS
    stop(origin.process)
    row["first_hit_ms"] = until_hit(peer, OBJECTS // 2)
    row["kept"] = kept(peer)
    stop(peer.process)
    if drop_page_cache():
        row["first_hit_cold_ms"] = until_hit(peer, OBJECTS // 3)
        stop(peer.process)
    for name in ("first_hit_ms", "first_hit_cold_ms"):
        row[name] = row.get(name) and row[name] * 1000
    origin.start()
    shutil.rmtree(peer.dir, ignore_errors=True)
    return row


COLUMNS = [
    ("peer", "peer", "{}"),
    ("fill_rate", "objects/s", "{:.0f}"),
    ("cpu_us_per_object", "CPU µs/object", "{:.0f}"),
    ("disk_per_object", "disk B/object", "{:.0f}"),
    ("memory_per_object", "memory B/object", "{:.1f}"),
    ("first_hit_ms", "first hit ms", "{:.0f}"),
    ("first_hit_cold_ms", "cold ms", "{:.0f}"),
    ("kept", "kept", "{:.1%}"),
    ("bad", "errors", "{}"),
]


def table(rows):
    lines = [[title for _, title, _ in COLUMNS]]
    for row in rows:
        lines.append(["–" if row.get(key) is None else form.format(row[key])
                      for key, _, form in COLUMNS])
    for line in [lines[0], ["---"] * len(COLUMNS), *lines[1:]]:
        print("| " + " | ".join(line) + " |")


def main():
    build = os.path.abspath(sys.argv[1])
    top = tempfile.mkdtemp(prefix="larder-million-", dir=os.environ.get("DIR", "/var/tmp"))
    os.chmod(top, 0o755)
    origin = Origin(top)
    rows = []
    try:
        for name in PEERS:
            rows.append(measure(name, top, build, origin))
            print(json.dumps(rows[-1]), flush=True)
    finally:
        stop(origin.process)
        shutil.rmtree(top, ignore_errors=True)
    print()
    table(rows)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
