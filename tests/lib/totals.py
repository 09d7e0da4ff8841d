#!/usr/bin/env python3
"""Adds up meson's test logs: totals.py BUILD… prints what the failed tests said that matters, one
line per build, then the grand total: who sees only the end of a run's output, ROOM lines of it, sees
the reason, and the seed. Of each failed test the lines that tell most come first, and all of them
share the room.

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


SEED = re.compile(r"\bseeds? \d+")
# What is wrong; then what says where and how; then what may have to do with it.
TELLING = [re.compile(pattern) for pattern in (
    r"^ *(WRONG|FAIL|wrong:)|\[----\] +\S|\bSUMMARY: |CHECK|FATAL|Traceback|EXPECT.* failed",
    r"Error|ERROR|Sanitizer|Exception|expected|failed|FAIL|---- |did not|ended with|runtime error",
    r" #\d+ 0x|File \"|warn|^late ")]
NOISE = re.compile(r" info |\[PASS\] |\[----\] *$|^ok ")
ROOM = 76         # lines for all failed tests: the end of the output of CI is 85
LEAST = 5         # … but as many for each
WIDTH = 1000      # of a line
SIZE = 24_000     # characters for all failed tests


def output_of(test):
    return ANSI.sub("", test.get("stdout", "") + "\n" + test.get("stderr", ""))


def cut(line, width):
    return line if len(line) <= width else line[:width - 1] + "…"


def rank(line):
    return next((n for n, pattern in enumerate(TELLING) if pattern.search(line)), len(TELLING))


def most_telling(lines, most):
    """At most so many: the first ones of the highest rank, then of the next; when none says
    anything, the last ones. In the order in which they were said, rank by rank, each once."""
    ranked = [(rank(line), line) for line in dict.fromkeys(lines)
              if line.strip() and not NOISE.search(line)]
    telling = sorted((item for item in ranked if item[0] < len(TELLING)), key=lambda item: item[0])
    return [line for _, line in telling[:most]] or [line for line in lines if line.strip()][-most:]


def tell(build, test, room, size):
    """What a failed test said, as far as it tells something; else how it ended."""
    lines = output_of(test).splitlines()
    seed = next((found[0] for line in lines if (found := SEED.search(line))), "no seed")
    print(f"--- {build}: {test['name']}: {test['result']}, {test.get('returncode')}, {seed}")
    for line in most_telling(lines, room):
        line = cut(line, max(80, min(WIDTH, size)))
        size -= len(line)
        print(line)


def tell_all(failed):
    """They share the room: at least some of it for each of the first."""
    for build, test in failed[:ROOM // (LEAST + 1)]:
        share = min(len(failed), ROOM // (LEAST + 1))
        tell(build, test, max(LEAST, ROOM // share - 1), SIZE // share)
    for build, test in failed[ROOM // (LEAST + 1):]:
        print(f"--- {build}: {test['name']}: {test['result']}")


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
    lines, failures = [], []
    for build in sys.argv[1:]:
        try:
            tests = read(build)
            for test in tests:
                if test["result"] not in ("OK", "EXPECTEDFAIL", "SKIP"):
                    failures.append((build, test))
            sums = [sum(column) for column in zip(*map(count, tests))] or [0, 0, 0]
        except FileNotFoundError:
            sums = [0, 1, 0]  # it did not get as far as running a test
        lines.append(f"{build + ':':16} passed {sums[0]}, failed {sums[1]}, skipped {sums[2]}")
        totals = [a + b for a, b in zip(totals, sums)]
    passed, failed, skipped = totals
    tell_all(failures)
    print("\n".join(lines))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


sys.exit(main())
