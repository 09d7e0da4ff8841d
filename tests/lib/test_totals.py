#!/usr/bin/env python3
"""What totals.py tells of failed tests fits the end of an output of which 85 lines are seen, and the
line that says what is wrong is whole."""
import json
import pathlib
import subprocess
import sys
import tempfile

TOTALS = pathlib.Path(__file__).resolve().parent / "totals.py"
LONG = "WRONG: case 47: " + "x" * 900 + " the end"
TOO_LONG = "WRONG: case 48: " + "x" * 3000 + " the end"


def totals(*tests):
    """(lines, status)"""
    with tempfile.TemporaryDirectory() as build:
        folder = pathlib.Path(build) / "meson-logs"
        folder.mkdir()
        with open(folder / "testlog.json", "w") as log:
            for number, (result, output) in enumerate(tests):
                log.write(json.dumps({"name": f"test {number}", "result": result,
                                      "returncode": 1, "stdout": output}) + "\n")
        done = subprocess.run([sys.executable, TOTALS, build], capture_output=True, text=True,
                              check=False)
        return done.stdout.splitlines(), done.returncode


def need(good, what):
    if not good:
        print("WRONG:", what)
        sys.exit(1)


def main():
    lines, status = totals(("OK", ""), ("FAIL", "\n".join(
        ["seed 12345"] + [f"2026 warn of little worth {n}" for n in range(200)] + [LONG, TOO_LONG])))
    need(status == 1 and lines[-1] == "1 passed, 1 failed", lines[-1])
    need("seed 12345" in lines[0], f"no seed: {lines[0]}")
    need(lines[1] == LONG, f"what is wrong comes first, and whole: {lines[1][:80]}")
    need(len(lines[2]) == 1000 and lines[2].endswith("…"), f"cut: {len(lines[2])}")
    need(len(lines) <= 80, f"{len(lines)} lines")

    lines, _ = totals(*[("FAIL", "\n".join([LONG] * 40 + [f"WRONG: {n}" for n in range(90)]))] * 30)
    need(len(lines) <= 100 and sum(map(len, lines)) < 40_000, f"{len(lines)} lines of many tests")
    need(sum(line.startswith("---") for line in lines) == 30, "each is named")
    need(sum(line == LONG for line in lines) > 5, "some are told whole")

    lines, _ = totals(("FAIL", "nothing\nthat tells\nmuch"))
    need("that tells" in lines, "when no line says anything, the last ones are told")
    lines, status = totals(("OK", ""))
    need(status == 0 and lines[-1] == "1 passed, 0 failed", lines[-1])


main()
