#!/usr/bin/env python3
"""The map of the sources: map.py ROOT [--write]

- docs/files.md has a line for each module, made from the first sentence of its header (or of its .c
  file, where it shares a header): --write makes it, else it must be what would be made.
- So each file must begin with "/* NAME - what it is for. */".
- Every file, folder and function that docs/ARCHITECTURE.md names must exist.
"""
import fnmatch
import pathlib
import re
import sys

FOLDERS = ("base", "http", "cache", "cache/store", "proxy", "proxy/stream", "proxy/origin",
           "proxy/client", "proxy/config", "proxy/access", "proxy/mirror", "proxy/admin", "dnsredir",
           "dnsredir/message", "dnsredir/steering", "dnsredir/zone", "dnsredir/answer",
           "dnsredir/config", "dnsredir/health", "dnsredir/resolver", "dnsredir/state",
           "dnsredir/listener", "dnsredir/admin", "ctl")
HEAD = """# Files

What each module is for, in the order of the folders (an include points only to the left, see
[ARCHITECTURE.md](ARCHITECTURE.md)). A module is a header and the `.c` file of its name; parts of a larger one
have a `_parts.h`, and say what they are for themselves. Made from the sources by `ninja files-md`.
"""
LONGEST = 140  # characters of a line; a longer one ends at its last colon or semicolon
COMMENT = re.compile(r"\s*/\*(.*?)\*/", re.DOTALL)


def first_sentence(text):
    """Of the comment that a file begins with; None: it begins with something else."""
    comment = COMMENT.match(text)
    if not comment:
        return None
    paragraph = re.sub(r"^ ?\*? ?", "", comment[1].strip(), flags=re.MULTILINE).split("\n\n")[0]
    words = re.sub(r"\s+", " ", paragraph)
    words = re.sub(r"^\w+ - ", "", words)
    sentence = re.split(r"[.?] (?=[A-Z*]|docs/)", words)[0].rstrip(".:")
    while len(sentence) > LONGEST and re.search(r"[:;] ", sentence):
        sentence = re.split(r"[:;] (?!.*[:;] )", sentence)[0]
    return uncapitalised(sentence)


def uncapitalised(text):
    """As all are written that begin with a name; words such as HTTP stay."""
    word = text.split(" ")[0]
    return text if word[1:].lower() != word[1:] or word[:1].isdigit() else text[:1].lower() + text[1:]


def modules(root, folder):
    """Names with the file that describes each: a header, or a .c file that has none of its own."""
    for file in sorted((root / folder).glob("*.[ch]"), key=lambda file: (file.stem, file.suffix)):
        if file.suffix == ".h" or not file.with_suffix(".h").exists():
            yield file


def table(root, faults):
    lines = [HEAD]
    for folder in FOLDERS:
        lines += [f"## {folder}/", "", "| file | what it is for |", "|---|---|"]
        for file in modules(root, folder):
            what = first_sentence(file.read_text())
            if not what:
                faults.append(f"{folder}/{file.name} does not begin with what it is for")
                continue
            both = file.suffix == ".h" and file.with_suffix(".c").exists()
            name = f"`{file.name}`" + (", `.c`" if both else "")
            lines.append(f"| {name} | {what.replace('|', chr(92) + '|')} |")
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def sources(root):
    return [file for folder in FOLDERS for file in (root / folder).glob("*.[ch]")]


def check_names(root, page, faults):
    """Names between backticks: `cache/policy*.c`, `worker.h`, `proxy/mirror/`, `peek()`."""
    files = sources(root)
    known = {file.name for file in files}
    called = {name for file in files for name in re.findall(r"\b(\w+)\(", file.read_text())}
    found = 0
    for name in sorted(set(re.findall(r"`([^`\n]+)`", page.read_text()))):
        is_call = re.fullmatch(r"(\w+)\(\)", name)
        if is_call:
            found += 1
            if is_call[1] not in called:
                faults.append(f"{page.name}: there is no function {name}")
        elif re.fullmatch(r"[\w/*.-]+(\.[ch]|/|\*)", name):
            found += 1
            pattern = name.rstrip("/")
            if not (any(root.glob(pattern)) or any(fnmatch.fnmatch(one, pattern) for one in known)):
                faults.append(f"{page.name}: there is no file {name}")
    return found


def main():
    root = pathlib.Path(sys.argv[1])
    faults = []
    made = table(root, faults)
    if sys.argv[2:] == ["--write"]:
        (root / "docs/files.md").write_text(made)
    elif (root / "docs/files.md").read_text() != made:
        faults.append("docs/files.md is not what the sources say: ninja files-md")
    found = check_names(root, root / "docs/ARCHITECTURE.md", faults)
    for fault in faults:
        print("FAIL", fault)
    print(f"{made.count('| `')} modules, {found} names, {len(faults)} faults")
    return 1 if faults or found < 40 else 0


sys.exit(main())
