#!/usr/bin/env python3
"""Examples in docs/ are configurations that the daemons take: examples.py ROOT LARDER_PROXY LARDER_DNS

Every block marked yaml in README.md and docs/*.md goes through --check of the daemon it is for: larder-dns,
if one of its own directives stands in it. Files that it names are there, made up, in a folder that stands for
/etc/larder, and for /var/log/larder. Links between pages and to headings in them lead
somewhere, and every table has a head.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DNS = {"replicas", "zones", "nearest", "resolver", "redirect"}
OTHERS = {"scrape_configs"}  # for other programs
LINK = re.compile(r"\]\(([^)\s]+)\)")
HASH = "anna:$apr1$c7hyG7Ft$/WhzqQ4I7Tp1kR3OxIJlG1\n"  # "larder"
FILES = {"passwd": HASH, "groups": "teachers: anna\npupils: anna\n", "adult.txt": "adult.example\n",
         "malware.hosts": "0.0.0.0 malware.example\n", "common.yaml": "timeouts: {connect: 5s}\n", "fra.key": "c2l4dGVlbiBieXRlcyBhbmQgbW9yZQ==\n"}


def keys_of(block):
    return set(re.findall(r"^([a-z_-]+):", block, re.MULTILINE))


def furnish(folder):
    for name, text in FILES.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "365", "-subj", "/CN=www.example.net",
                    "-keyout", folder / "www.key", "-out", folder / "www.pem"],
                   check=True, capture_output=True, timeout=120)
    for name in ("proxy", "internal-ca"):
        for ending in ("key", "pem"):
            (folder / f"{name}.{ending}").write_bytes((folder / f"www.{ending}").read_bytes())


def whole(block, folder):
    """A part of a configuration whose people are known from elsewhere on the page."""
    if re.search(r"\b(groups|users): ", block) and "users" not in keys_of(block):
        block += "users: { file: passwd, groups: groups }\n"
    return block.replace("/etc/larder", str(folder)).replace("/var/log/larder", str(folder))


def faults(page, text, folder, daemons):
    for found in BLOCK.finditer(text):
        block = found[1]
        if keys_of(block) & OTHERS:
            continue
        line = text.count("\n", 0, found.start()) + 1
        path = folder / "example.yaml"
        path.write_text(whole(block, folder))
        done = subprocess.run([daemons[bool(keys_of(block) & DNS)], "--check", "--config", path],
                              capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            yield f"FAIL {page}:{line}: {done.stdout}{done.stderr}".rstrip()


def anchors(text):
    """As GitHub makes them of headings."""
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def broken_links(page, text):
    for target in LINK.findall(re.sub(r"`[^`]*`", "", text)):
        name, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = (page.parent / name) if name else page
        if not path.exists():
            yield f"FAIL {page.name}: there is no {target}"
        elif anchor and path.suffix == ".md" and anchor not in anchors(path.read_text()):
            yield f"FAIL {page.name}: there is no heading {target}"


def headless_tables(page, text):
    """An empty line inside a table makes text of what is below it."""
    plain = re.sub(r"^```.*?^```$", lambda code: "\n" * code[0].count("\n"), text, flags=re.MULTILINE | re.DOTALL)
    lines = ["", *plain.splitlines()]
    for number, (above, line, below) in enumerate(zip(lines, lines[1:], lines[2:]), 1):
        if line.lstrip().startswith("|") and not above.lstrip().startswith("|") \
                and not re.fullmatch(r"\s*\|[-:| ]+\|", below):
            yield f"FAIL {page.name}:{number}: a table without a head"


def main():
    root, proxy, dns = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    found, blocks = [], 0
    with tempfile.TemporaryDirectory(prefix="larder-examples.") as directory:
        folder = pathlib.Path(directory)
        furnish(folder)
        for page in [root / "README.md", *sorted((root / "docs").glob("**/*.md"))]:
            text = page.read_text()
            blocks += len(BLOCK.findall(text))
            found += faults(page.name, text, folder, (proxy, dns))
            found += broken_links(page, text)
            found += headless_tables(page, text)
    print("\n".join(found))
    print(f"{blocks} examples, {len(found)} faults")
    return 1 if found or blocks < 20 else 0


sys.exit(main())
