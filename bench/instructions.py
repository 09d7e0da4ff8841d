#!/usr/bin/env python3
"""Instructions of the hot path, counted: instructions.py BUILD [--write] [KIND ...]

Each kind of bench-micro and bench-answer runs twice under valgrind, with two counts; the difference divided
by the difference of the counts is what one of them takes, whatever the machine does meanwhile. Compared
with bench/instructions.txt, which is of a release build by the compiler of Debian 12: more than 5 %
more is a failure, more than 5 % less should be written down (--write). Exits with 77 without valgrind.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
KNOWN = HERE / "instructions.txt"
MORE = 0.05
MICRO = ("parse-request", "parse-response", "key", "policy-store", "policy-reuse", "host-list",
         "store-find")
ANSWERS = ("plain", "ecs", "cookie")
PER_ROUND = 20_000  # answers of bench-answer


def counted(command):
    """Instructions of the whole program."""
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command],
        capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return int(found[1])


def of_micro(build, kind):
    less, more = 1000, 3000
    both = []
    for count in (less, more):
        with tempfile.TemporaryDirectory(prefix="larder-instructions.") as folder:
            both.append(counted([f"{build}/bench/bench-micro", folder, kind, str(count)]))
    return (both[1] - both[0]) / (more - less)


def of_answer(build, kind):
    with tempfile.TemporaryDirectory(prefix="larder-instructions.") as folder:
        one, two = (counted([f"{build}/bench/bench-answer", folder, rounds, kind])
                    for rounds in ("1", "2"))
    return (two - one) / PER_ROUND


def known():
    numbers = {}
    if KNOWN.exists():
        for line in KNOWN.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                kind, number = line.split()
                numbers[kind] = float(number)
    return numbers


# What each kind is called: how it is counted, and what its program calls it.
KINDS = {**{kind: (of_micro, kind) for kind in MICRO},
         **{f"answer-{kind}": (of_answer, kind) for kind in ANSWERS}}


def measure(build, wanted):
    for name, (how, kind) in KINDS.items():
        if not wanted or name in wanted:
            yield name, how(build, kind)


def main():
    words = [word for word in sys.argv[1:] if word != "--write"]
    if not words:
        sys.exit(__doc__)
    for kind in words[1:]:
        if kind not in KINDS:
            sys.exit(f"instructions.py: there is no kind {kind}; known: {', '.join(KINDS)}")
    if not shutil.which("valgrind"):
        print("skipped: valgrind is missing")
        sys.exit(77)
    write, before, now, failed = "--write" in sys.argv, known(), {}, False
    print(f"{'':16} {'now':>9} {'written':>9}")
    for kind, count in measure(os.path.abspath(words[0]), words[1:]):
        now[kind] = count
        was = before.get(kind)
        change = count / was - 1 if was else 0
        verdict = ("not written down" if was is None else "MORE" if change > MORE else
                   "less: write it down" if change < -MORE else "")
        failed = failed or was is None or change > MORE
        print(f"{kind:16} {count:9,.0f} {was or 0:9,.0f} {change:+7.1%} {verdict}", flush=True)
    if write:
        lines = "".join(f"{kind} {count:.0f}\n" for kind, count in {**before, **now}.items())
        KNOWN.write_text("# Instructions of one, by bench/instructions.py BUILD --write.\n" + lines,
                         encoding="utf-8")
        return
    if failed:
        sys.exit(f"more than {MORE:.0%} more instructions than {KNOWN.name} says, or not written "
                 "down there: mend it, or say why in the commit that writes it down")


main()
