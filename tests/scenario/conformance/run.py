#!/usr/bin/env python3
"""Cache behaviour seen from outside, case by case: run.py LARDER-PROXY MODE [CASE…]

Every line of docs/caching.md that a program can show has its cases, in files named like its
sections. They run side by side against one proxy. MODE is what that is: "forward", the "replica" of
a site, or "strict", a forward proxy whose clients may not bypass it (cases made for it only).
LARDER_WORKERS says how many workers it has (2).
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


def configuration(mode, origin, spare):
    """Directives as YAML; JSON is some."""
    def site(host, port, **how):
        return {"hosts": host, "origins": f"http://127.0.0.1:{port}", **how}

    sites = [site("*.test", origin.port), site("spare.test", spare.port),
             site("own.test", origin.port,
                  **{"targeted": ["Own-Cache-Control", "CDN-Cache-Control"],
                     "store-set-cookie": False})]
    return json.dumps({"timeouts": {"first-byte": "5s"},
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


def run(name, case, *place):
    """None, or what was wrong."""
    course = harness.Course(case, f"/{name}", *place)
    try:
        case.run(course)
    except harness.Wrong as wrong:
        return str(wrong)
    except Exception as error:  # a broken case is a failed one, and the others go on
        return repr(error)
    return None


def run_all(found, *place):
    """How many failed."""
    def patience(item):
        return -sum(step.sleep for step in item[1].steps)  # those that sleep begin first

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [(name, pool.submit(run, name, case, *place))
                for name, case in sorted(found, key=patience)]
        for name, future in sorted(runs, key=lambda item: item[0]):
            wrong = future.result()
            failed += wrong is not None
            print(f"FAIL {name}: {wrong}" if wrong else f"ok   {name}", flush=True)
    return failed


def main():
    program, mode, *patterns = sys.argv[1:]
    found = collect(mode, patterns)
    origin = harness.Origin(["host0.test", "host1.test", "own.test"])
    spare = harness.Origin(["spare.test"], ["127.0.0.1"])
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="larder-") as store:
        config = pathlib.Path(store) / "larder.yaml"
        config.write_text(configuration(mode, origin, spare))
        proxy = larder.Proxy(program, store, "--config", str(config),
                             "--workers", os.environ.get("LARDER_WORKERS", "2"))
        proxy.start()
        failed = run_all(found, proxy, origin, mode, spare)
        left = proxy.stop()
    print(f"{mode}: {len(found) - failed} held, {failed} failed, "
          f"in {time.monotonic() - began:.1f} s")
    sys.exit(1 if failed or not left or not found else 0)


if __name__ == "__main__":
    main()
