"""On what a run was made: so that its numbers can be read by somebody else."""
import datetime
import json
import os
import platform
import shutil
import subprocess

PACKAGES = ["nginx", "varnish", "squid-openssl", "trafficserver", "h2o", "haproxy", "gdnsd", "knot",
            "pdns-server", "wrk", "nghttp2-client", "dnsperf", "libuv1", "libnghttp2-14", "liblmdb0",
            "libssl3", "gnuplot-nox"]


def first_of(path, start):
    try:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                if line.startswith(start):
                    return line.partition(":")[2].strip().strip('"')
    except OSError:
        pass
    return "unknown"


def version_of(package):
    out = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", package],
                         capture_output=True, text=True, check=False).stdout
    state, _, version = out.partition(" ")
    return version if state == "installed" else None


def source_of(build):
    """The source tree that a folder of meson's is for, or None."""
    try:
        with open(f"{build}/meson-info/meson-info.json", encoding="utf-8") as info:
            return json.load(info)["directories"]["source"]
    except (OSError, ValueError, KeyError):
        return None


def commit_of(build):
    """That of the sources now; they may have changed after they were built."""
    source = source_of(build)
    if not source or not shutil.which("git"):
        return None
    out = subprocess.run(["git", "-C", source, "describe", "--always", "--dirty"],
                         capture_output=True, text=True, check=False)
    return out.stdout.strip() or None


def built(build):
    """When, or None."""
    try:
        when = os.stat(f"{build}/proxy/larder-proxy").st_mtime
    except OSError:
        return None
    return datetime.datetime.fromtimestamp(when).astimezone().isoformat(timespec="seconds")


def describe(build, server_cores, load_cores):
    memory = first_of("/proc/meminfo", "MemTotal").split()[0]
    return {
        "processor": first_of("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "server_cores": sorted(server_cores),
        "load_cores": sorted(load_cores),
        "memory_mib": int(memory) // 1024 if memory.isdigit() else None,
        "kernel": platform.release(),
        "system": first_os_name(),
        "load_average": os.getloadavg()[0],
        "commit": commit_of(build),
        "built": built(build),
        "versions": {name: version for name in PACKAGES if (version := version_of(name))},
    }


def first_os_name():
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    except OSError:
        return "unknown"
