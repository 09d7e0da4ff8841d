#!/usr/bin/env python3
"""A file against what is in force, and reloads of both daemons by larderctl: diff.py BUILD"""
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
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
    expect(daemon.ctl("diff", "--json", f"{here}/now.yaml"), 0, '"changes": []')
    daemon.stop()


def dns(build, folder):
    daemon = Daemon(build, folder, "dnsredir/larder-dns", DNS, "--dns", secret=ONE,
                    address="192.0.2.1", policy="nearest")
    expect(daemon.ctl("diff"), 0, "no difference")
    expect(daemon.ctl("reload"), 0, "nothing has changed")
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
    daemon.write("other.yaml", policy="hashed", port=larder.free_port())
    expect(daemon.ctl("diff", str(folder / "other.yaml")), 1, "only a restart changes:\n- listen: ",
           "policy: hashed")
    daemon.write("now.yaml", policy="nearest")
    expect(daemon.ctl("reload"), 0, "nothing has changed")
    expect(daemon.ctl("diff"), 1, "only a restart changes:\n- listen: ")
    daemon.stop()


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    for case in (proxy, dns):
        with tempfile.TemporaryDirectory(prefix="larder-diff-") as folder:
            case(build, pathlib.Path(folder))
    check.end()


if __name__ == "__main__":
    main()
