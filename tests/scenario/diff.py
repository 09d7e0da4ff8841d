#!/usr/bin/env python3
"""A file against what is in force, and reloads of both daemons by larderctl: diff.py BUILD"""
import json
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402

check = raw.Checks()
PROXY = """
listen: "127.0.0.1:{port}"
admin: "127.0.0.1:{admin}"
workers: 1
timeouts: {{connect: {connect}}}
{more}
"""
DNS = """
listen: "127.0.0.1:{port}"
admin: {{address: "127.0.0.1:{admin}"}}
workers: 1
keys: [{{name: k, secret: "{secret}"}}]
replicas: [{{name: fra, addresses: [{address}]}}]
zones:
  - {{name: ex.test, nameservers: [ns.ex.test], names: [{{name: www, policy: {policy}}}]}}
"""
ONE, OTHER = "A" * 43 + "=", "B" * 42 + "A="


class Daemon:
    def __init__(self, build, folder, program, form, *options, **values):
        self.build, self.folder, self.form, self.options = build, folder, form, options
        self.values = {"port": larder.free_port(), "admin": larder.free_port(), **values}
        self.write("now.yaml")
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen([f"{build}/{program}", "--config", "now.yaml"],
                                        cwd=folder, stderr=self.log)
        larder.await_port("127.0.0.1", self.values["admin"], self.process)

    def write(self, name, **changes):
        self.values.update(changes)
        (self.folder / name).write_text(self.form.format(**self.values))

    def ctl(self, verb, *words):
        """Exit status, and all that it says. Runs elsewhere than the daemon."""
        done = subprocess.run([f"{self.build}/ctl/larderctl", verb, *self.options, "--admin",
                               f"127.0.0.1:{self.values['admin']}", *words], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, cwd="/")
        return done.returncode, done.stdout

    def shown(self, verb):
        """What the verb says, which takes no --dns."""
        done = subprocess.run([f"{self.build}/ctl/larderctl", verb, "--admin",
                               f"127.0.0.1:{self.values['admin']}"], text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def stop(self):
        self.process.terminate()
        check(self.process.wait(timeout=60) == 0, "it leaves by itself")
        self.log.close()


def expect(got, status, *words):
    check(got[0] == status and all(word in got[1] for word in words),
          f"{status}, {words}: {got[0]}, {got[1]}")
    check("AAAA" not in got[1] and "BBBB" not in got[1], "no secret is told")


def proxy(build, folder):
    daemon = Daemon(build, folder, "proxy/larder-proxy", PROXY, connect="10s", more="")
    here = str(folder)
    expect(daemon.ctl("diff"), 0, "no difference")
    expect(daemon.ctl("diff", f"{here}/now.yaml"), 0, "no difference")
    expect(daemon.ctl("diff", f"{here}/none.yaml"), 2, "none.yaml cannot be read: No such file")
    expect(daemon.ctl("diff", "a", "b"), 2, "one file at most")
    daemon.write("next.yaml", connect="10000ms")
    expect(daemon.ctl("diff", f"{here}/next.yaml"), 0, "no difference")
    daemon.write("next.yaml", connect="3s", more="memory: 300MiB\npac: {direct: [in.test]}")
    expect(daemon.ctl("diff", f"{here}/next.yaml"), 1, "a reload would change:",
           "timeouts.connect: 10s -> 3s  # ", "/next.yaml:5:21", "+ pac.direct: in.test",
           "only a restart changes:\n  memory.size: 256MiB -> 300MiB")
    expect(daemon.ctl("diff"), 0, "no difference")
    daemon.write("next.yaml", more="timeuots: {}")
    expect(daemon.ctl("diff", f"{here}/next.yaml"), 2, 'did you mean "timeouts"', "has errors")
    check("last reload" not in daemon.shown("status")[1], "no reload was refused")
    daemon.write("now.yaml", more="timeuots: {}")
    expect(daemon.ctl("reload"), 1, "the old one stays in force")
    expect(daemon.shown("status"), 0, "! the last reload was refused: ", 'did you mean "timeouts"')
    daemon.write("now.yaml", connect="10s", more="")
    expect(daemon.ctl("diff", "--json", f"{here}/now.yaml"), 0, '"changes": []')
    daemon.stop()


LISTENERS = """
listen:
{listen}
admin: "127.0.0.1:{admin}"
memory: {memory}
workers: {workers}
timeouts: {{connect: {connect}}}
{more}
"""


ANYBODY = ssl.create_default_context()
ANYBODY.check_hostname, ANYBODY.verify_mode = False, ssl.CERT_NONE


def get(port, path, scheme="http"):
    with urllib.request.urlopen(f"{scheme}://127.0.0.1:{port}{path}", timeout=60,
                                context=ANYBODY) as answer:
        return answer.read().decode()


def speaks_tls(port):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as conn:
        try:
            ANYBODY.wrap_socket(conn).close()
        except OSError:
            return False
        return True


def listeners(build, folder):
    """What only a restart changes is told as such, and everybody hears what is in force."""
    certs.Certs(folder).self_signed("one", "CN=localhost")  # and "other"
    one, other = ("{certificate: %s.pem, key: %s.key}" % (n, n) for n in ("one", "other"))
    plain, tls = larder.free_port(), larder.free_port()
    both = "  - 127.0.0.1:%d\n  - {address: 127.0.0.1:%d, tls: %s}"
    daemon = Daemon(build, folder, "proxy/larder-proxy", LISTENERS, connect="10s", more="",
                    memory="64MiB", workers="1", port=plain, listen=both % (plain, tls, one))
    daemon.write("now.yaml", listen=both % (plain, tls, other))
    expect(daemon.ctl("diff"), 1, f"a reload would change:\n  listen[127.0.0.1:{tls}].tls.cert")
    daemon.write("now.yaml", connect="3s", listen=f"  - {{address: 127.0.0.1:{plain}, tls: {one}}}"
                                                  f"\n  - 127.0.0.1:{tls}")
    restart = ("only a restart changes:\n",
               f"\n+ listen[127.0.0.1:{plain}].tls: {{certificate: one.pem, key: one.key}}  # now.",
               f"\n- listen[127.0.0.1:{tls}].tls: {{certificate: one.pem, key: one.key}}  # now.")
    status, told = daemon.ctl("diff")
    expect((status, told), 1, "a reload would change:\n  timeouts.connect: 10s -> 3s", *restart)
    check("tls" not in told.split("only a restart")[0], f"no reload changes who speaks TLS: {told}")
    for name in ("one.pem", "one.key"):
        (folder / name).rename(folder / f"kept.{name}")
    expect(daemon.ctl("reload"), 1, "one.pem", "the old one stays in force")  # of the next start
    for name in ("one.pem", "one.key"):
        (folder / f"kept.{name}").rename(folder / name)
    expect(daemon.ctl("reload"), 0, "changed:\n  timeouts.connect: 10s -> 3s", *restart)
    check(speaks_tls(tls) and not speaks_tls(plain), "the ports stay as they were")
    # The file has another address, without TLS; the certificate of the running one is gone.
    away = larder.free_port()
    daemon.write("now.yaml", listen=f"  - 127.0.0.1:{away}", memory="99MiB", workers="2",
                 more="pac: {}")
    for name in ("one.pem", "one.key"):
        (folder / name).unlink()
    for _ in range(2):
        expect(daemon.ctl("reload"), 0, "only a restart changes:\n", f"+ listen[127.0.0.1:{away}]",
               "memory.size: 64MiB -> 99MiB", "workers: 1 -> 2")
    wait_taken(daemon.values["admin"])
    check(speaks_tls(tls) and not speaks_tls(plain), "the ports stay as they were still")
    for port in (daemon.values["admin"], plain):
        script = get(port, "/proxy.pac")
        check(f"127.0.0.1:{plain};" in script and str(away) not in script, script)
        page = get(port, "/setup")
        check(f"http://127.0.0.1:{plain}" in page and str(away) not in page, page[-2000:])
    check(f"<code>https://127.0.0.1:{tls}/proxy.pac" in get(tls, "/setup", "https"),
          "the script is where the page was asked for")
    status = json.loads(get(daemon.values["admin"], "/status"))
    check(status["listen"] == [f"127.0.0.1:{plain}", f"127.0.0.1:{tls}"], status["listen"])
    config = get(daemon.values["admin"], "/config")
    check("  size: 64MiB  # " in config and "\nworkers: 1  # " in config and
          f"address: 127.0.0.1:{plain}  # now.yaml:3\n" in config and str(away) not in config, config)
    daemon.stop()


def wait_taken(admin):
    while not json.loads(get(admin, "/reload/state"))["taken"]:
        pass


def dns(build, folder):
    daemon = Daemon(build, folder, "dnsredir/larder-dns", DNS, "--dns", secret=ONE,
                    address="192.0.2.1", policy="nearest")
    expect(daemon.ctl("diff"), 0, "no difference")
    expect(daemon.ctl("reload"), 0, "no setting has changed")
    daemon.write("now.yaml", secret=OTHER, address="192.0.2.7")
    change = ('- keys: {name: k, secret: "(not shown)"}', "- replicas: {name: fra, addresses: [192.",
              "+ replicas: {name: fra, addresses: [192.0.2.7]}  # now.yaml:")
    expect(daemon.ctl("diff"), 1, "a reload would change:", *change)
    expect(daemon.ctl("reload"), 0, "changed:", *change)
    expect(daemon.ctl("diff"), 0, "no difference")
    daemon.write("now.yaml", policy="nearst")
    wrong = ('now.yaml:8:', '"policy" cannot be "nearst"', 'did you mean "nearest"')
    expect(daemon.ctl("diff"), 2, *wrong, "has errors")
    expect(daemon.ctl("reload"), 1, *wrong, "the old one stays in force")
    expect(daemon.shown("dns"), 0, "! the last reload was refused: ", *wrong)
    daemon.write("other.yaml", policy="hashed", port=larder.free_port())
    expect(daemon.ctl("diff", str(folder / "other.yaml")), 1, "only a restart changes:\n- listen: ",
           "policy: hashed")
    daemon.write("now.yaml", policy="nearest")
    expect(daemon.ctl("reload"), 0, "no setting has changed")
    check("last reload" not in daemon.shown("dns")[1], "a reload that is taken ends that")
    expect(daemon.ctl("diff"), 1, "only a restart changes:\n- listen: ")
    daemon.stop()


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    for case in (proxy, listeners, dns):
        with tempfile.TemporaryDirectory(prefix="larder-diff-") as folder:
            case(build, pathlib.Path(folder))
    check.end()


if __name__ == "__main__":
    main()
