#!/usr/bin/env python3
"""Reports how large files and functions are, against the aims of docs/HACKING.md. Never fails.

Functions are found by the layout clang-format gives them: a lone `{` in the first column opens a
body and a lone `}` closes it.
"""
import pathlib
import re
import statistics
import sys

FOLDERS = ("base", "http", "cache", "proxy", "dnsredir", "ctl")
FUNCTION_LONG, FUNCTION_MAX = 40, 60
SOURCE_LONG, HEADER_LONG = 500, 150


def functions(lines):
    """Yields (name, length of the body in lines) for each function."""
    start = None
    for number, line in enumerate(lines):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            signature = " ".join(lines[max(0, start - 4):start])
            names = re.findall(r"(\w+)\s*\(", signature.rsplit("}", 1)[-1].rsplit(";", 1)[-1])
            yield (names[0] if names else "?"), number - start - 1
            start = None


def summary(what, lengths):
    if not lengths:
        return
    ordered = sorted(lengths)
    tenth = ordered[int(len(ordered) * 0.9)]
    print(f"{what:9} {len(ordered):5}   median {statistics.median(ordered):5.0f}"
          f"   90 % {tenth:5}   longest {ordered[-1]:5}")


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    files = sorted(f for folder in FOLDERS for f in (root / folder).rglob("*.[ch]"))
    texts = {f.relative_to(root).as_posix(): f.read_text().splitlines() for f in files}
    bodies = [(n, f"{path}: {name}()") for path, lines in texts.items()
              for name, n in functions(lines)]
    sources = [len(lines) for path, lines in texts.items() if path.endswith(".c")]
    headers = [len(lines) for path, lines in texts.items() if path.endswith(".h")]

    summary("functions", [n for n, _ in bodies])
    summary(".c files", sources)
    summary(".h files", headers)
    print(f"all       {sum(sources) + sum(headers):5} lines")
    for n, where in sorted(bodies, reverse=True):
        if n > FUNCTION_LONG:
            print(f"  {'over the limit' if n > FUNCTION_MAX else 'long':15}{n:4} lines  {where}")
    for path, lines in texts.items():
        if len(lines) > (HEADER_LONG if path.endswith(".h") else SOURCE_LONG):
            print(f"  {'long file':15}{len(lines):4} lines  {path}")


main()
