#!/usr/bin/env python3
"""Adds up meson's test logs: totals.py BUILD… prints one line per build, then the grand total.

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


def count(test):
    """(passed, failed, skipped) of one entry of testlog.json."""
    if test["result"] == "SKIP":
        return 0, 0, 1
    output = ANSI.sub("", test.get("stdout", "") + test.get("stderr", ""))
    inner = [tuple(map(int, m)) for m in SYNTHESIS.findall(output)]
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
    for build in sys.argv[1:]:
        try:
            sums = [sum(column) for column in zip(*map(count, read(build)))] or [0, 0, 0]
        except FileNotFoundError:
            sums = [0, 1, 0]  # it did not get as far as running a test
        print(f"{build + ':':16} passed {sums[0]}, failed {sums[1]}, skipped {sums[2]}")
        totals = [a + b for a, b in zip(totals, sums)]
    passed, failed, skipped = totals
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


sys.exit(main())
