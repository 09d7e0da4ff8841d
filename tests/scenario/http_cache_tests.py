#!/usr/bin/env python3
"""Mark Nottingham's tests of HTTP caches against a site of larder-proxy: http_cache_tests.py BUILD [--beside]

The suite (cache-tests.fyi) comes from npm, in one version. What is expected to fail is in
http_cache_tests.expected, each with its reason; the suite asks about choices, too, and reads RFC 7234.
Another test that fails is a fault, and so is one of these that passes. With --beside, nginx, varnish
and squid as they are configured for the benchmark take the same tests, and a table is printed.
"""
import atexit
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import types

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "lib"), str(HERE.parent.parent / "bench")]
import larder  # noqa: E402
import raw  # noqa: E402
from harness import caches  # noqa: E402

PACKAGE = "http-cache-tests@0.4.5"
EXPECTED = HERE / "http_cache_tests.expected"
PLAY = """
import fetch from 'node-fetch'
import suites from './tests/index.mjs'
import surrogate from './tests/surrogate-control.mjs'
import { runTests, getResults } from './client/runner.mjs'

const [base, only] = process.argv.slice(1)
const tests = [...suites, surrogate].flatMap(suite => suite.tests)
  .filter(test => !test.browser_only && (!only || test.id === only))
await runTests([{ tests }], fetch, false, base)
const results = getResults()
console.log(JSON.stringify(tests.map(test => [test.id, test.kind || 'required', results[test.id]])))
process.exit() // also where a cache keeps a connection open
"""
CONFIG = """
sites:
  - {{ hosts: [127.0.0.1], origins: ["http://127.0.0.1:{port}"], targeted: [Surrogate-Control, CDN-Cache-Control] }}
"""
KINDS = ("required", "optimal", "check")
PLAYS = 4  # of a test, all but the first alone, before it is believed that it comes out otherwise

check = raw.Checks()


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def fetch_suite(folder):
    """Its folder; its dependencies are beside it."""
    if not shutil.which("npm"):
        skip("npm is not installed")
    done = subprocess.run(["npm", "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund",
                           "--fetch-retries=1", PACKAGE], capture_output=True, text=True, timeout=300, cwd=folder)
    if done.returncode:
        skip(f"npm has no {PACKAGE}: {done.stderr[-300:]}")
    return folder / "node_modules" / PACKAGE.partition("@")[0]


class Suite:
    """Its origin, and its client for whatever is before that."""

    def __init__(self, folder, state):
        self.folder = folder
        self.origin = types.SimpleNamespace(port=larder.free_port())
        settings = {"protocol": "http", "port": self.origin.port, "pidfile": state / "origin.pid"}
        process = subprocess.Popen(["node", "server/server.mjs"], cwd=folder, stdout=subprocess.DEVNULL, env={
            **os.environ, **{f"npm_config_{name}": str(value) for name, value in settings.items()}})
        atexit.register(process.kill)
        larder.await_port("127.0.0.1", self.origin.port, process)

    def play(self, port, only=""):
        """{id: (kind, None where it passed, else why not)}"""
        done = subprocess.run(["node", "--no-warnings", "--input-type=module", "--eval", PLAY,
                               f"http://127.0.0.1:{port}", only], cwd=self.folder, check=True, text=True,
                              stdout=subprocess.PIPE, timeout=600)
        return {name: (kind, None if result is True else result[1])
                for name, kind, result in json.loads(done.stdout)}


def passed(results):
    """[how many of all, of a kind, …]"""
    kinds = [kind for kind, why in results.values() if why is None]
    return [len(kinds), *map(kinds.count, KINDS)]


def expected_failures():
    """{id: reason}"""
    lines = [line.split(maxsplit=1) for line in EXPECTED.read_text(encoding="utf-8").splitlines()
             if line and not line.startswith("#")]
    return {name: reason for name, reason in lines}


def judge(suite, port, results):
    """Some tests are about a second or two: on a busy machine one may come out otherwise, once."""
    expected = expected_failures()
    for name in sorted(expected.keys() - results.keys()):
        check(False, f"{name} is expected to fail, and the suite has no such test")
    for name, (kind, why) in results.items():
        plays = 1
        while (why is None) == (name in expected) and plays < PLAYS:
            why = suite.play(port, name)[name][1]
            plays += 1
        if name in expected:
            check(why, f"{name} passes; it was expected to fail: {expected[name]}")
        else:
            check(why is None, f"{name} ({kind}): {why}")


def beside(suite, state):
    """[(title, results), …] of the peers."""
    rows = []
    for title in ("nginx", "varnish", "squid"):
        cache = caches.make(title, str(state / title), suite.origin, caches.Want(disk=False), None, None)
        atexit.register(cache.stop)
        rows.append((title, suite.play(cache.begin().port)))
        cache.stop()
    return rows


def show(rows):
    print(f"| {PACKAGE} | passes | {' | '.join(KINDS)} |\n|---|---|---|---|---|")
    for title, results in rows:
        print(f"| {title} |", " | ".join(map(str, passed(results))), "|")
    kinds = [kind for kind, _ in rows[0][1].values()]
    print("| of |", len(kinds), "|", " | ".join(str(kinds.count(kind)) for kind in KINDS), "|", flush=True)


def main(build, *options):
    program = f"{build}/proxy/larder-proxy"
    larder.need(program)
    with tempfile.TemporaryDirectory(prefix="larder-cache-tests-", ignore_cleanup_errors=True) as name:
        state = pathlib.Path(name)
        state.chmod(0o755)  # peers give up root
        suite = Suite(fetch_suite(state), state)
        config = state / "proxy.yaml"
        config.write_text(CONFIG.format(port=suite.origin.port), encoding="utf-8")
        proxy = larder.Proxy(program, str(state / "store"), "--config", str(config))
        proxy.start()
        results = suite.play(proxy.port)
        show([("larder", results), *(beside(suite, state) if options else [])])
        judge(suite, proxy.port, results)
        check(proxy.stop(), "the proxy ends by itself")
    check.end()


main(*sys.argv[1:])
