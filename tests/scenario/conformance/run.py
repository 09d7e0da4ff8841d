#!/usr/bin/env python3
"""Cache behaviour seen from outside, case by case: run.py LARDER-PROXY MODE [CASE…]

Every line of docs/caching.md that a program can show has its cases, in files named like its
sections. They run side by side against one proxy. MODE is what that is: "forward", the "replica" of
a site, or "strict", a forward proxy whose clients may not bypass it (cases made for it only).
LARDER_WORKERS says how many workers it has (2).

Lifetimes and timeouts are seconds. A case that fails while this program itself did not get to run
for a while has shown nothing: it is played again, under another path, with nothing beside it.
"""
import concurrent.futures
import fnmatch
import importlib.util
import json
import os
import pathlib
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parents[1] / "lib")]
import harness  # noqa: E402
import larder  # noqa: E402

FILES = sorted(path for path in HERE.glob("*.py") if path.stem not in ("harness", "run"))
AT_ONCE = 96
TRIES = 4  # of a case, as long as the machine is late each time


def configuration(mode, origin, spare, patience):
    """Directives as YAML; JSON is some."""
    def site(host, port, **how):
        return {"hosts": host, "origins": f"http://127.0.0.1:{port}", **how}

    sites = [site("*.test", origin.port), site("spare.test", spare.port),
             site("own.test", origin.port,
                  **{"targeted": ["Own-Cache-Control", "CDN-Cache-Control"],
                     "store-set-cookie": False})]
    return json.dumps({"timeouts": {"first-byte": f"{patience}s"},
                       "cache": {"clients-may-bypass": mode != "strict"},
                       "sites": sites if mode == "replica" else []})


def cases_of(path):
    spec = importlib.util.spec_from_file_location(f"cases_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.cases


def collect(mode, patterns):
    """[(file/name, case)]"""
    found = [(f"{path.stem}/{case.name}", case) for path in FILES for case in cases_of(path)
             if case.only == mode or case.only is None and mode != "strict"]
    names = [name for name, _ in found]
    if len(set(names)) != len(names):
        raise SystemExit(f"twice: {sorted({name for name in names if names.count(name) > 1})}")
    return [(name, case) for name, case in found
            if not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]


def play(path, case, *place):
    """None, or what was wrong."""
    course = harness.Course(case, path, *place)
    try:
        case.run(course)
    except harness.Wrong as wrong:
        return str(wrong)
    except Exception as error:  # a broken case is a failed one, and the others go on
        return repr(error)
    return None


def run(name, case, pulse, *place):
    """(None, or what was wrong; whether that may be the machine's fault)"""
    began = time.monotonic()
    wrong = play(f"/{name}", case, *place)
    return wrong, wrong is not None and pulse.was_late(began)


def again(name, case, wrong, pulse, *place):
    """The same for a case that was late, played by itself."""
    for number in range(2, TRIES + 1):
        print(f"late {name}: {wrong}", flush=True)
        began = time.monotonic()
        wrong = play(f"/{name}~{number}", case, *place)
        if wrong is None or not pulse.was_late(began):
            return wrong
    return wrong


def run_all(found, pulse, *place):
    """How many failed."""
    def patience(item):
        return -sum(step.sleep for step in item[1].steps)  # those that sleep begin first

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [(name, case, pool.submit(run, name, case, pulse, *place))
                for name, case in sorted(found, key=patience)]
    for name, case, future in sorted(runs, key=lambda item: item[0]):
        wrong, late = future.result()
        if late:
            wrong = again(name, case, wrong, pulse, *place)
        failed += wrong is not None
        print(f"FAIL {name}: {wrong}" if wrong else f"ok   {name}", flush=True)
    return failed


def life(program, mode, found, pulse, origin, spare, patience):
    """How many of the cases failed with a proxy that waits so many seconds for an origin."""
    with tempfile.TemporaryDirectory(prefix="larder-") as store:
        config = pathlib.Path(store) / "larder.yaml"
        config.write_text(configuration(mode, origin, spare, patience))
        proxy = larder.Proxy(program, store, "--config", str(config),
                             "--workers", os.environ.get("LARDER_WORKERS", "2"))
        proxy.start()
        failed = run_all(found, pulse, proxy, origin, mode, spare)
        if not proxy.stop():
            print("FAIL: the proxy did not leave by itself")
            failed += 1
    return failed


def main():
    program, mode, *patterns = sys.argv[1:]
    found = collect(mode, patterns)
    origin = harness.Origin(["host0.test", "host1.test", "own.test"])
    spare = harness.Origin(["spare.test"], ["127.0.0.1"])
    began, pulse, failed = time.monotonic(), harness.Pulse(), 0
    for impatient in (False, True):
        some = [item for item in found if item[1].impatient == impatient]
        if some:
            failed += life(program, mode, some, pulse, origin, spare, 5 if impatient else 60)
    print(f"{mode}: {len(found) - failed} held, {failed} failed, "
          f"in {time.monotonic() - began:.1f} s")
    sys.exit(1 if failed or not found else 0)


if __name__ == "__main__":
    main()
