#!/usr/bin/env python3
"""The options of larderctl: a verb takes those that its help names, and no others: usage.py BUILD"""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import raw  # noqa: E402

check = raw.Checks()
LARDERCTL = f"{sys.argv[1]}/ctl/larderctl"


def run(*words):
    done = subprocess.run([LARDERCTL, *words], capture_output=True, text=True, timeout=60,
                          check=False)
    return done.returncode, done.stdout + done.stderr


def help_of(verb):
    status, text = run(verb, "--help")
    check(status == 0 and text.startswith("usage: larderctl "), f"{verb} --help: {text}")
    return text


def options_of(text):
    """(OPTION, whether it has a value) as in "  -n, --count COUNT  ..."."""
    for row in re.findall(r"^  (-.*?)(?:  |$)", text, re.M):
        *names, last = row.split(", ")
        name, _, value = last.partition(" ")
        for one in (*names, name):
            yield one, bool(value)


verbs = re.findall(r"^  (\S+) ", run("--help")[1], re.M)
helps = {verb: help_of(verb) for verb in verbs}
known = {verb: dict(options_of(text)) for verb, text in helps.items()}
check(len(verbs) > 15 and known["tail"]["-n"] and not known["tail"]["--json"], f"read: {known}")
with_value = {name for options in known.values() for name, has in options.items() if has}
everything = {name for options in known.values() for name in options}
for verb in verbs:
    for name in sorted(everything):
        value = ["X: y"] if name in with_value else []
        status, text = run(verb, name, *value, "--help")
        if re.search(rf"(^|[ ,]){name}([ ,\n])", helps[verb]):
            check((status, text) == (0, helps[verb]), f"{verb} {name}: {text}")
        else:
            check(status == 2 and f'unknown option "{name}"' in text, f"{verb} {name}: {text}")

for words, meant in ((("tail", "--hots", "x"), "--host"), (("top", "--onec"), "--once"),
                     (("tail", "--root", "x"), None), (("tail", "--foo"), None),
                     (("drain", "--prxoy"), None), (("check", "--proxy,"), "--proxy"),
                     (("top", "--slower  filters"), None)):
    status, text = run(*words)
    check(status == 2 and (f'did you mean "{meant}"' in text if meant else "did you" not in text),
          f"{words}: {text}")

with open("/dev/full", "wb") as full:
    for words in (("--help",), ("status", "--help"), ("--version",)):
        done = subprocess.run([LARDERCTL, *words], stdout=full, stderr=subprocess.PIPE,
                              text=True, timeout=60, check=False)
        check(done.returncode == 1 and "could be written" in done.stderr, f"full disk: {done}")
check.end()
