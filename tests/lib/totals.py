#!/usr/bin/env python3
"""Adds up meson's test logs: totals.py BUILD… prints what the failed tests said that matters, one
line per build, then the grand total: who sees only the end of a run's output sees the reason.

A Criterion program counts as many tests as it says it ran; any other program counts as one. The
closing line is "N passed, N failed" (", N skipped" when there are any); exits 1 on a failure or
when nothing ran.
"""
import json
import pathlib
import re
import sys

SYNTHESIS = re.compile(r"Synthesis: Tested: (\d+) \| Passing: (\d+) \| Failing: (\d+)"
                       r" \| Crashing: (\d+)")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


TELLING = re.compile(r"WRONG|Error|ERROR|Sanitizer|FATAL|CHECK|expected|failed|FAIL|---- | #\d+ 0x")
MOST = 25  # lines of one test


def output_of(test):
    return ANSI.sub("", test.get("stdout", "") + "\n" + test.get("stderr", ""))


def tell(build, test):
    """What a failed test said, as far as it tells something; else how it ended."""
    lines = output_of(test).splitlines()
    telling = [line for line in lines if TELLING.search(line) and " info " not in line]
    print(f"--- {build}: {test['name']}: {test['result']}, {test.get('returncode')}")
    for line in telling[:MOST] or lines[-MOST:]:
        print(line[:200])


def count(test):
    """(passed, failed, skipped) of one entry of testlog.json."""
    if test["result"] == "SKIP":
        return 0, 0, 1
    inner = [tuple(map(int, m)) for m in SYNTHESIS.findall(output_of(test))]
    passed = sum(i[1] for i in inner)
    failed = sum(i[2] + i[3] for i in inner)
    if test["result"] in ("OK", "EXPECTEDFAIL"):
        return max(passed, 1), 0, 0
    return passed, max(failed, 1), 0


def read(build):
    log = pathlib.Path(build, "meson-logs", "testlog.json")
    return [json.loads(line) for line in log.read_text().splitlines() if line.strip()]


def main():
    totals = [0, 0, 0]
    lines = []
    for build in sys.argv[1:]:
        try:
            tests = read(build)
            for test in tests:
                if test["result"] not in ("OK", "EXPECTEDFAIL", "SKIP"):
                    tell(build, test)
            sums = [sum(column) for column in zip(*map(count, tests))] or [0, 0, 0]
        except FileNotFoundError:
            sums = [0, 1, 0]  # it did not get as far as running a test
        lines.append(f"{build + ':':16} passed {sums[0]}, failed {sums[1]}, skipped {sums[2]}")
        totals = [a + b for a, b in zip(totals, sums)]
    passed, failed, skipped = totals
    print("\n".join(lines))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


sys.exit(main())
