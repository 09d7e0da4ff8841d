#!/usr/bin/env python3
"""Holds docs/caching-coverage.md to the tests it names: coverage.py ROOT.

Prints one line per name that stands for no test, per id that comes twice and per promise without
any test; exits 1 if there is one.
"""
import fnmatch
import pathlib
import re
import sys

ROW = re.compile(r"\| ([a-z]+-\d+) \| (.+) \| (.*) \| (.*) \|$")
TEST = re.compile(r"^Test\(\s*(\w+),\s*(\w+)", re.MULTILINE)


def unit_tests(root):
    return {"/".join(test) for file in (root / "tests/unit").rglob("test_*.c")
            for test in TEST.findall(file.read_text())}


def conformance_cases(root):
    """file/case, in every role of the proxy."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(root / "tests/scenario/conformance"))
    import run
    return {name for mode in ("forward", "replica", "strict") for name, _ in run.collect(mode, [])}


def rows(page):
    for number, line in enumerate(page.read_text().splitlines(), 1):
        row = ROW.match(line)
        if row:
            yield number, row[1], re.findall(r"`([^`]+)`", row[3]), re.findall(r"`([^`]+)`", row[4])
        elif line.startswith("| ") and not line.startswith("| id "):
            yield number, line, [], []  # a row that cannot be read is one without tests


def is_program(root, name, cases):
    return (root / "tests/scenario" / name).is_file() or bool(fnmatch.filter(cases, name))


def violations(root, page):
    tests, cases = unit_tests(root), conformance_cases(root)
    seen = set()
    for number, name, unit, program in rows(page):
        where = f"{page.name}:{number}:"
        if name in seen:
            yield f"{where} {name} comes twice"
        seen.add(name)
        if not unit and not program:
            yield f"{where} {name} has no test"
        yield from (f"{where} no unit test {test}" for test in unit if test not in tests)
        yield from (f"{where} no scenario {test}" for test in program
                    if not is_program(root, test, cases))
    if not seen:
        yield f"{page.name}: no rows"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    found = list(violations(root, root / "docs/caching-coverage.md"))
    print("\n".join(found) or "every test named exists")
    return 1 if found else 0


sys.exit(main())
