#!/usr/bin/env python3
"""Man pages with what docs/configuration.md says, which is made from the directive tables:

    tables.py CONFIGURATION.MD PAGE.IN     prints the page in mdoc(7)

@OPTIONS program@ becomes that program's options, @DIRECTIVES program@ its directives, @INTRODUCTION@
what is said of files in general.
"""
import re
import sys


def escaped(text):
    text = text.replace("\\", r"\e").replace("`", "")
    return r"\&" + text if text[:1] in (".", "'") else text


def plain(text):
    """A cell or a paragraph of Markdown, without its marks and links."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    return escaped(text.replace(r"\|", "|").replace("**", "").strip())


def section(text, title):
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if not found:
        raise SystemExit(f"no section {title}")
    return found.group(1)


def options(text):
    block = re.search(r"```\n(.*?)```", text, re.DOTALL).group(1)
    out = [".Bl -tag -width Ds"]
    for line in block.splitlines():
        if line.strip():
            name, _, meaning = re.sub(r" {2,}", "\t", line.strip()).partition("\t")
            out += [f".It Fl {escaped(name).replace('--', '-', 1).replace(' ', ' Ar ', 1)}", escaped(meaning)]
    return out + [".El"]


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def directives(text):
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    out = [".Bl -tag -width Ds"]
    for row in rows:
        name, takes, default, applied, meaning = cells(row)
        facts = [plain(takes)]
        if default:
            facts.append("required" if default == "required" else f"default {plain(default)}")
        if applied:
            facts.append(f"applied by {plain(applied)}")
        out += [f".It Cm {plain(name)}", plain(meaning), ".br", "; ".join(facts)]
    return out + [".El"]


def introduction(text):
    """The list of rules and the paragraph before it."""
    begun = text.split("-->", 1)[1].split("\n## ", 1)[0]
    out = []
    for part in re.split(r"\n(?=- )|\n\n", begun):
        words = " ".join(part.split())
        if words:
            out += [".Pp", plain(words.removeprefix("- "))]
    return out


def main():
    with open(sys.argv[1], encoding="utf-8") as source, open(sys.argv[2], encoding="utf-8") as page:
        text = source.read()
        for line in page.read().splitlines():
            found = re.fullmatch(r"@(\w+)(?: (\S+))?@", line)
            if not found:
                print(line)
            elif found[1] == "INTRODUCTION":
                print("\n".join(introduction(text)))
            else:
                make = {"OPTIONS": options, "DIRECTIVES": directives}[found[1]]
                print("\n".join(make(section(text, found[2]))))


main()
