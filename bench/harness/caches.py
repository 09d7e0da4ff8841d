"""The caches under measurement, each started as its expert would for this work: larder and its
peers, and the limits that tell how much of a number is the kernel's."""
import os
import resource
import shutil
import subprocess
import time

from harness.processes import Failed, Program, free_port, write
from harness.template import fill


class Want:
    """What a scenario asks of a cache."""

    TOLD = {"mode": "{}", "workers": "{} workers", "memory_mib": "memory {:,} MiB",
            "store_mib": "store {:,} MiB", "disk": "no disk", "networks": "{:,} networks",
            "hosts": "{:,} hosts"}

    def __init__(self, mode="http", workers=1, memory_mib=256, store_mib=8192, disk=True,
                 files=(), networks=0, hosts=0, sync_s=60):
        self.mode = mode  # "http", "h2c" or "tls" (HTTP/2 by ALPN)
        self.workers = workers
        self.memory_mib = memory_mib
        self.store_mib = store_mib
        self.disk = disk
        self.files = files  # (count, size): for who serves files instead of caching
        self.networks = networks  # clients of so many may not ask, nor does 127.0.0.2 get anything
        self.hosts = hosts  # so many may not be asked for
        self.sync_s = sync_s  # for who writes down where things lie from time to time: how often

    def __str__(self):
        """What is not as usual."""
        usual = Want()
        return ", ".join(form.format(getattr(self, name)) for name, form in self.TOLD.items()
                         if getattr(self, name) != getattr(usual, name))


class Cache(Program):
    """One of them. `port` answers as a replica of the origin, `forward` as a forward proxy."""

    modes = ("http",)
    configured = ("config", "networks", "hosts")
    needs = ()  # programs
    is_limit = False
    forwards = False
    ready_s = None  # seconds from the start until it listened
    held = {}  # {(prefix, size): objects from 1 on} that it was filled with since its start

    def __init__(self, where, origin, want, certificate, cores):
        self.origin, self.want, self.certificate = origin, want, certificate
        os.makedirs(where, exist_ok=True)
        os.chmod(where, 0o777)
        self.dir = where
        self.store = os.path.join(where, "store")
        os.makedirs(self.store, exist_ok=True)
        os.chmod(self.store, 0o777)
        self.port, self.forward, self.admin = free_port(), free_port(), free_port()
        super().__init__(self.title, self.prepare(), where, cores)

    title = ""

    @property
    def store_path(self):
        """Where its objects are on disk."""
        return self.store

    @property
    def base(self):
        scheme = "https" if self.want.mode == "tls" else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    def ports(self):
        return {"PORT": self.port, "FORWARD_PORT": self.forward, "ADMIN_PORT": self.admin,
                "ORIGIN_PORT": self.origin.port}

    def begin(self):
        self.held = {}
        began = time.monotonic()
        self.start().await_port(self.port)
        self.ready_s = time.monotonic() - began
        return self

    def denied_networks(self):
        """16 addresses apart, so that none can be taken together with another."""
        count = self.want.networks
        for i in range(count - 1):
            yield f"11.{i >> 12 & 255}.{i >> 4 & 255}.{(i & 15) << 4}/32"
        if count:
            yield "127.0.0.2/32"

    @staticmethod
    def blocked_host(number):
        return f"h{number}.blocked{number % 977}.example"

    def lists(self, network, host):
        """Writes both as files of lines of these forms; their paths, or None where there are none."""
        paths = []
        for name, form, items in (("networks", network, self.denied_networks()),
                                  ("hosts", host, map(self.blocked_host, range(self.want.hosts)))):
            path = os.path.join(self.dir, name) if getattr(self.want, name) else None
            if path:
                write(path, "".join(form.format(item) for item in items))
            paths.append(path)
        return paths

    def config(self, name, **more):
        """The file of bench/peers with what is the same for all filled in."""
        path = os.path.join(self.dir, "config")
        write(path, fill(name, {
            "DIR": self.dir, "PORT": self.port, "LISTEN": f"127.0.0.1:{self.port}",
            "FORWARD": f"127.0.0.1:{self.forward}", "FORWARD_PORT": self.forward,
            "ORIGIN": f"127.0.0.1:{self.origin.port}", "ORIGIN_HOST": "127.0.0.1",
            "ORIGIN_PORT": self.origin.port, "WORKERS": self.want.workers,
            "MEMORY_MIB": self.want.memory_mib, "MEMORY": self.want.memory_mib << 20,
            "STORE_MIB": self.want.store_mib, **more}))
        return path

    def prepare(self):
        """Writes its files; returns the command."""
        raise NotImplementedError

    @classmethod
    def suits(cls, want):
        return want.mode in cls.modes

    @classmethod
    def missing(cls, build):
        return [name for name in cls.needs if not shutil.which(name)]


class Larder(Cache):
    title = "larder"
    configured = ("config", "hosts")  # its networks are in the first
    modes = ("http", "h2c", "tls")
    forwards = True
    build = ""  # the driver's

    def prepare(self):
        tls = self.want.mode == "tls"
        listen = (["--listen-tls", f"127.0.0.1:{self.port}", "--certificate",
                   self.certificate.chain, "--key", self.certificate.key]
                  if tls else ["--listen", f"127.0.0.1:{self.port}"])
        return [f"{self.build}/proxy/larder-proxy", *self.rules(), *listen, "--listen",
                f"127.0.0.1:{self.forward}", "--admin", f"127.0.0.1:{self.admin}", "--workers",
                str(self.want.workers), "--site", f"*=http://127.0.0.1:{self.origin.port}",
                "--allow-target", "127.0.0.0/8", "--store", self.store,
                "--store-size", f"{self.want.store_mib}MiB", "--memory",
                f"{self.want.memory_mib}MiB", "--access-log", os.path.join(self.dir, "access.log"),
                "--set", "limits.connections=30000", "--set",
                f"connect-ports={self.origin.port}"]

    def rules(self):
        networks, hosts = self.lists("{}, ", "{}\n")
        if not networks and not hosts:
            return ["--allow", "127.0.0.0/8"]
        path = os.path.join(self.dir, "config")
        text = "access:\n"
        if networks:
            with open(networks, encoding="ascii") as listed:
                text += f"  - deny: {{ from: [{listed.read()}] }}\n"
        if hosts:
            text += f"  - deny: {{ host-files: {hosts} }}\n"
        write(path, text + "  - allow: { from: 127.0.0.0/8 }\n")
        return ["--config", path]

    @classmethod
    def missing(cls, build):
        path = f"{build}/proxy/larder-proxy"
        return [] if os.access(path, os.X_OK) else [path]


class Nginx(Cache):
    title, needs, modes = "nginx", ("nginx",), ("http", "h2c", "tls")

    @property
    def store_path(self):
        return os.path.join(self.dir, "cache")

    def prepare(self):
        tls = self.want.mode == "tls"
        networks, hosts = self.lists("{} 1;\n", ".{} 1;\n")
        maps, rules = "", ""
        if networks:
            maps += f"geo $denied {{ default 0; include {networks}; }}\n"
            rules += "if ($denied) { return 403; } "
        if hosts:
            maps += (f"map_hash_max_size {max(2048, self.want.hosts * 2)}; map_hash_bucket_size 256;\n"
                     f"map $host $blocked {{ hostnames; default 0; include {hosts}; }}\n")
            rules += "if ($blocked) { return 403; }"
        path = self.config("nginx.conf", MAPS=maps, RULES=rules, LISTEN_OPTIONS={
            "http": "", "h2c": "http2", "tls": "ssl http2"}[self.want.mode],
            TLS=(f"ssl_certificate {self.certificate.chain}; "
                 f"ssl_certificate_key {self.certificate.key};" if tls else ""))
        return ["nginx", "-c", path]


class Haproxy(Cache):
    title, needs, modes = "haproxy", ("haproxy",), ("http", "h2c", "tls")

    def prepare(self):
        options = {"http": "", "h2c": "proto h2",
                   "tls": f"ssl crt {self.certificate.both} alpn h2,http/1.1"}
        networks, hosts = self.lists("{}\n", "{}\n")
        rules = f"http-request deny if {{ src -f {networks} }}\n" if networks else ""
        rules += f"http-request deny if {{ req.hdr(host),host_only -f {hosts} }}\n" if hosts else ""
        return ["haproxy", "-f", self.config(
            "haproxy.cfg", RULES=rules, LISTEN_OPTIONS=options[self.want.mode],
            OBJECT_MAX=min(11_000_000, self.want.memory_mib << 19),
            MAXCONN=resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 5000)]


class Varnish(Cache):
    """One pool of threads for one core. As many threads as may be needed: each connection and each
    stream of HTTP/2 takes one."""

    title, needs = "varnish", ("varnishd",)
    modes = ("http", "h2c")

    def prepare(self):
        memory = max(self.want.memory_mib, 1024)
        return ["varnishd", "-F", "-n", os.path.join(self.dir, "work"), "-a",
                f"127.0.0.1:{self.port}", "-f", self.config("varnish.vcl"), "-s",
                f"malloc,{memory}M", "-p", "feature=+http2", "-p", "thread_pools=1", "-p",
                "thread_pool_max=20000", "-p", "timeout_idle=3600", "-p", "nuke_limit=9999999"]


class Squid(Cache):
    title, needs, forwards = "squid", ("squid",), True

    def prepare(self):
        disk = (f"cache_dir rock {self.store} {self.want.store_mib} slot-size=8192 "
                "max-size=1000000" if self.want.disk else "")
        memory = self.want.memory_mib if self.want.disk else 3072
        networks, hosts = self.lists("{}\n", ".{}\n")
        rules = f'acl denied src "{networks}"\nhttp_access deny denied\n' if networks else ""
        rules += f'acl blocked dstdomain "{hosts}"\nhttp_access deny blocked\n' if hosts else ""
        path = self.config("squid.conf", RULES=rules, VHOST="vhost" if hosts else "no-vhost", DISK=disk, MEMORY_MIB=memory)
        command = ["squid", "-N", "-n", f"bench{os.getpid()}", "-f", path]
        if disk:
            subprocess.run([*command, "-z"], check=True, stderr=subprocess.DEVNULL)
        return command


class TrafficServer(Cache):
    title, needs, modes = "trafficserver", ("traffic_server",), ("http", "tls")
    configured = tuple(f"etc/{name}.config" for name in ("records", "remap", "storage",
                                                         "ssl_multicert"))

    def prepare(self):
        etc = f"{self.dir}/etc"
        shutil.copytree("/etc/trafficserver", etc)
        places = {"sysconfdir": "etc", "runtimedir": "run", "logdir": "log", "cachedir": "cache",
                  "localstatedir": "var", "datadir": "share", "libexecdir": "libexec"}
        for place in places.values():
            os.makedirs(f"{self.dir}/{place}", exist_ok=True)
        write(f"{self.dir}/runroot.yaml", "prefix: .\nexec_prefix: .\n" + "".join(
            f"{name}: {self.dir}/{place}\n" for name, place in places.items()))
        tls = self.want.mode == "tls"
        path = self.config("trafficserver.config", TLS=":ssl" if tls else "",
                           CONNECT=f"443 {self.origin.port}", SYNC=self.want.sync_s)
        os.replace(path, f"{etc}/records.config")
        write(f"{etc}/ssl_multicert.config", f"dest_ip=* ssl_cert_name={self.certificate.chain} "
                                             f"ssl_key_name={self.certificate.key}\n" if tls else "")
        write(f"{etc}/remap.config", f"map {self.base}/ http://127.0.0.1:{self.origin.port}/\n")
        write(f"{etc}/storage.config", f"{self.store} {self.want.store_mib}M\n")
        subprocess.run(["chown", "-R", "trafficserver", self.dir], check=True)  # it refuses root
        return ["traffic_server", f"--run-root={self.dir}"]


class H2o(Cache):
    title, needs, modes = "h2o", ("h2o",), ("http", "h2c", "tls")

    def prepare(self):
        for count, size in self.want.files:
            body = "x" * size
            for number in range(1, count + 1):
                write(f"{self.dir}/files/o/{number}/{size}", body)
        tls = (f"\n  ssl:\n    certificate-file: {self.certificate.chain}\n"
               f"    key-file: {self.certificate.key}")
        return ["h2o", "-c", self.config("h2o.yaml", TLS=tls if self.want.mode == "tls" else "")]


class Epoll(Cache):
    """A raw epoll server with canned answers, one thread."""

    title, is_limit = "epoll", True
    build = ""

    def prepare(self):
        return [f"{self.build}/bench/epoll", str(self.port)]

    @classmethod
    def missing(cls, build):
        path = f"{build}/bench/epoll"
        return [] if os.access(path, os.X_OK) else [path]


CACHES = {cache.title: cache for cache in
          (Larder, Nginx, Varnish, Squid, TrafficServer, Haproxy, H2o, Epoll)}


def make(name, *args):
    if name not in CACHES:
        raise Failed(f"no peer is called {name}; known: {', '.join(CACHES)}")
    return CACHES[name](*args)
