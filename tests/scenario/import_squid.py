#!/usr/bin/env python3
"""Configurations of Squid as Larder's: import_squid.py BUILD [--write | --squid] [NAME...]

Each folder in tests/scenario/squid is an institution: squid.conf with its lists, what it becomes
(larder.yaml) and what is told of the rest (notes.txt), and a table of requests with the decision on
each. What is made must be what is written there (--write renews it), pass --check, and decide as the
table says; with --squid the installed Squid is asked the same, and has to agree.

Networks 10.x are 127.x when it runs; lines of squid.conf that have no say in decisions are left out
there.
"""
import base64
import gzip
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import dnsraw  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

check = raw.Checks()
HERE = pathlib.Path(__file__).resolve().parent / "squid"
APR1 = "$apr1$r31.....$ARC3pREO82RIm0aQ2zszC0"  # "password"
PEOPLE = ("anna", "bert", "paul", "carla", "dora")
TARGET = "127.255.255.254"  # of all names, for Squid: nothing listens there

# What only the real Squid would mind, or wait for.
UNREAL = re.compile(
    r"^(http_port|https_port|cache_dir|cache_mem|access_log|logformat|workers|icp_port|snmp_port|"
    r"cache_peer|never_direct|dns_\w+|unknown_\w+|error_directory|coredump_dir|via|shutdown_lifetime|"
    r"visible_hostname|auth_param negotiate|delay_\w+|acl phish|http_access deny to_localhost)\b")


def mapped(text):
    return re.sub(r"(?<![\d.])10\.(?=\d+\.\d+\.\d+)", "127.", text)


def place(case, folder, change=lambda text: text):
    """The case's files in `folder`, with what they all need."""
    for path in sorted((HERE / case).rglob("*")):
        to = folder / path.relative_to(HERE / case)
        if path.is_dir():
            to.mkdir(exist_ok=True)
        else:
            to.write_text(change(path.read_text()).replace("@DIR@", str(folder)))
    (folder / "passwd").write_text("".join(f"{name}:{APR1}\n" for name in PEOPLE))
    if "tls-cert" in (folder / "squid.conf").read_text():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=proxy", "-keyout", folder / "proxy.key", "-out", folder / "proxy.pem"],
                       check=True, stderr=subprocess.DEVNULL)


def translate(build, folder):
    """What larderctl makes of it, and says."""
    made = subprocess.run([f"{build}/ctl/larderctl", "import-squid", "--lists",
                           folder / "lists", folder / "squid.conf"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    check(made.returncode in (0, 1), f"larderctl ends with {made.returncode}")
    return made.stdout, made.stderr


def compare(path, text, write):
    if write:
        path.write_text(text)
    want = path.read_text() if path.exists() else ""
    check(text == want, f"{path.relative_to(HERE)} is what is made")
    if text != want:
        sys.stdout.writelines(f"WRONG: {line}\n" for line in text.splitlines()
                              if line not in want.splitlines())


def golden(build, case, write):
    with tempfile.TemporaryDirectory(prefix="larder-squid-") as name:
        folder = pathlib.Path(name)
        place(case, folder)
        yaml, notes = translate(build, folder)
        compare(HERE / case / "larder.yaml", yaml.replace(name, "@DIR@"), write)
        compare(HERE / case / "notes.txt", notes.replace(name, "@DIR@"), write)
        (folder / "larder.out").write_text(yaml)
        checked = subprocess.run([f"{build}/proxy/larder-proxy", "--check", "--config",
                                  folder / "larder.out"], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, timeout=60)
        check(checked.returncode == 0, f"{case}: --check: {checked.stdout}")


# ---- decisions ----

def in_window(window, when):
    """"MTWHF 08:00-15:59", the last minute included, as Squid has it."""
    days, times = window.split()
    first, last = times.split("-")
    now = time.strftime("%H:%M", when)
    return "MTWHFAS"[when.tm_wday] in days and first <= now <= last


def expected(text, when):
    words = text.split()
    while words[0].startswith("@"):
        window, decision = f"{words[0][1:]} {words[1]}", words[2]
        if in_window(window, when):
            return decision
        words = words[3:]
    return words[0]


class Row:
    def __init__(self, line):
        request, self.wanted = line.split(": ", 1)
        client, user, self.method, self.host, port = request.split()
        self.client = mapped(client)
        self.user, _, self.password = user.partition("!")
        self.port, self.text = int(port), request

    def head(self):
        target = f"{self.host}:{self.port}"
        url = target if self.method == "CONNECT" else f"http://{target}/"
        lines = [f"{self.method} {url} HTTP/1.1", f"Host: {target}", "Connection: close"]
        if self.user != "-":
            both = f"{self.user}:{self.password or 'password'}"
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(both.encode()).decode()}")
        if self.method not in ("GET", "CONNECT", "DELETE"):
            lines.append("Content-Length: 0")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def ask(self, port):
        """allow, deny or who."""
        with socket.create_connection(("127.0.0.1", port), timeout=60,
                                      source_address=(self.client, 0)) as conn:
            conn.sendall(self.head())
            status = int(raw.until_head(conn)[0].split(b" ")[1])
        return {403: "deny", 407: "who"}.get(status, "allow")


def rows_of(case):
    lines = (HERE / case / "requests.txt").read_text().splitlines()
    return [Row(line) for line in lines if line and not line.startswith("#")]


def reaches(name, row):
    """Larder reaches no other port below 1024 without CONNECT, whatever its rules say."""
    return name == "Squid" or row.method == "CONNECT" or row.port in (80, 443) or row.port >= 1024


def decide(name, case, port):
    """Every row of the table; once more where the minute has changed meanwhile."""
    for row in rows_of(case):
        while True:
            want = expected(row.wanted, time.gmtime())
            got = row.ask(port)
            if want == expected(row.wanted, time.gmtime()):
                break
        # Squid asks whoever is known again when the last name of a rule that denies is about people.
        same = got == want or (name, got, want, row.password) == ("Squid", "who", "deny", "")
        if not reaches(name, row):
            same = got == "deny"
        check(same, f"{name}, {case}: {row.text}: {got}, and not {want}")


def ask_larder(build, case, names):
    with tempfile.TemporaryDirectory(prefix="larder-squid-") as name:
        folder = pathlib.Path(name)
        place(case, folder, mapped)
        yaml, _ = translate(build, folder)
        (folder / "larder.out").write_text(yaml)
        port = larder.free_port()
        sets = [f"listen=['127.0.0.1:{port}']", "admin=unix:" + str(folder / "admin"), "store={}",
                "log.access=[]", f"nameservers=['127.0.0.1:{names.port}']", "workers=1"]
        command = [f"{build}/proxy/larder-proxy", "--config", str(folder / "larder.out")]
        with open(folder / "stderr", "wb") as log:
            proxy = subprocess.Popen(command + [word for pair in sets for word in ("--set", pair)],
                                     stderr=log, env={**os.environ, "TZ": "UTC0"})
        try:
            larder.await_port("127.0.0.1", port, proxy)
            decide("Larder", case, port)
        finally:
            proxy.terminate()
            check(proxy.wait(timeout=60) == 0, f"{case}: larder-proxy ends well")


# ---- the real one ----

def real_configuration(folder, case, port):
    """squid.conf without what has no say, and with what it needs here."""
    text = (folder / "squid.conf").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if not UNREAL.match(line.strip())]
    hosts = sorted({row.host for row in rows_of(case)})
    (folder / "hosts").write_text("".join(f"{TARGET} {host}\n" for host in hosts))
    lines += [f"http_port 127.0.0.1:{port}", f"pid_filename {folder}/pid", "cache deny all",
              f"hosts_file {folder}/hosts", f"cache_log {folder}/cache.log", "access_log none",
              "shutdown_lifetime 0 seconds", "connect_timeout 2 seconds", "pinger_enable off",
              "visible_hostname squid.example", f"coredump_dir {folder}", "netdb_filename none"]
    (folder / "real.conf").write_text("\n".join(lines) + "\n")


def ask_squid(case):
    with tempfile.TemporaryDirectory(prefix="larder-squid-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o777)
        place(case, folder, mapped)
        port = larder.free_port()
        real_configuration(folder, case, port)
        with open(folder / "stderr", "wb") as log:
            squid = subprocess.Popen(["squid", "-N", "-f", folder / "real.conf", "-n", "larder"
                                      + str(port)], stdout=log, stderr=log,
                                     env={**os.environ, "TZ": "UTC0"})
        try:
            larder.await_port("127.0.0.1", port, squid)
            decide("Squid", case, port)
        except SystemExit:
            print((folder / "stderr").read_text(errors="replace"))
            raise
        finally:
            squid.terminate()
            squid.wait(timeout=60)


def know_directives(build):
    """Each directive of this Squid's documentation is known to the translation."""
    path = pathlib.Path("/usr/share/doc/squid-common/squid.conf.documented.gz")
    text = gzip.open(path, "rt", errors="replace").read() if path.exists() else ""
    tags = sorted(set(re.findall(r"^#  TAG: (\S+)", text, re.M)))
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.writelines(f"{tag} x y z w\n" for tag in tags)
        file.flush()
        told = subprocess.run([f"{build}/ctl/larderctl", "import-squid", file.name],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              timeout=60).stderr
    unknown = [line for line in told.splitlines() if "not known to this" in line]
    check(not unknown, f"directives: {unknown}")
    print(f"{len(tags)} directives of Squid, {len(unknown)} unknown", flush=True)


def long_lists(build):
    """Lists that become files: all of them, also of one acl, and of acls with names alike."""
    with tempfile.TemporaryDirectory(prefix="larder-squid-") as name:
        folder = pathlib.Path(name)
        names = [[f"h{number}.list{part}.example" for number in range(600)] for part in range(4)]
        for part, hosts in enumerate(names):
            (folder / f"list{part}").write_text("".join(f"{host}\n" for host in hosts))
        (folder / "squid.conf").write_text(
            f'acl bad dstdomain "{folder}/list0" "{folder}/list1"\n'
            f'acl worse.sites dstdomain "{folder}/list2"\nacl worse_sites dstdomain "{folder}/list3"\n'
            "http_access deny bad\nhttp_access deny worse.sites\nhttp_access deny worse_sites\n"
            "http_access allow all\n")
        yaml, notes = translate(build, folder)
        used = set(re.findall(r'"([^"]*\.hosts)"', yaml))
        written = {str(path) for path in (folder / "lists").iterdir()}
        check(len(used) == 4 and used == written, f"each list has a file: {used} {written} {notes}")
        found = "".join(path.read_text() for path in (folder / "lists").iterdir()).splitlines()
        missing = {host for hosts in names for host in hosts} - {line.lstrip("=") for line in found}
        check(not missing, f"no name is lost: {len(missing)}")


def main():
    build = os.path.abspath(sys.argv[1])
    options = [word for word in sys.argv[2:] if word.startswith("--")]
    named = [word for word in sys.argv[2:] if not word.startswith("--")]
    names = dnsraw.NoNames()
    if "--squid" in options and not shutil.which("squid"):
        print("there is no squid")
        sys.exit(77)
    if "--squid" in options:
        know_directives(build)
    for case in named or sorted(path.name for path in HERE.iterdir() if path.is_dir()):
        golden(build, case, "--write" in options)
        ask_larder(build, case, names)
        if "--squid" in options:
            ask_squid(case)
        print(f"{case}: {len(rows_of(case))} requests", flush=True)
    long_lists(build)
    check.end()


if __name__ == "__main__":
    main()
