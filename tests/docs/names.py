#!/usr/bin/env python3
"""What the documentation names exists: names.py ROOT LARDER_PROXY LARDER_DNS LARDERCTL

- Every "larderctl VERB --option" in README.md, docs/ and the man pages is one that --help knows, and
  larderctl(1) has every verb and option of --help.
- So are options of the daemons.
- Metrics are in docs/metrics.md, which is held to what the daemons tell.
- Directives in dotted form (`timeouts.drain`) are in docs/configuration.md, which is made from the tables.
- Fields of the access log are known to larder-proxy.
- Log files in the folders of the services are rotated by the packaged logrotate configurations.
- No help text is wider than a terminal of 100 columns.
"""
import fnmatch
import pathlib
import re
import subprocess
import sys

ROOT, PROXY, DNS, CTL = pathlib.Path(sys.argv[1]), *sys.argv[2:5]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MAN = ROOT / "docs" / "man"
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z0-9-]*|-[nH])(?![\w])")
FILES = (".yaml", ".md", ".py", ".c", ".h", ".sh")
faults = []


def help_of(*command):
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def options_in(text):
    return set(OPTION.findall(text))


def verbs():
    """Each verb of larderctl, and the options that its help names."""
    names = re.findall(r"^  ([a-z-]+) {2,}", help_of(CTL), re.MULTILINE)
    described = {name: re.findall(r"^  (-.*?)(?: {2}|$)", help_of(CTL, name), re.MULTILINE) for name in names}
    return {name: options_in(" ".join(lines)) | {"--help"} for name, lines in described.items()}


def code_of(text):
    """Commands and names: code between backticks, blocks, and lines that are indented."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = re.findall(r"^ {4}(.*)$", rest, re.MULTILINE)
    return "\n".join(blocks + lines), re.findall(r"`([^`\n]+)`", rest)


def commands(program, text):
    """Arguments of each call of a program in a piece of code; lines that go on are one."""
    for found in re.finditer(rf"(?<![\w/.-])(?<!-u )(?:\S*/)?{program} +([^\n|>#)]*)", text.replace("\\\n", " ")):
        yield found[1].split()


def check_ctl(where, words, known):
    if not words or not re.fullmatch(r"[a-z-]+", words[0]):
        return
    verb = words[0]
    if verb.startswith("--"):
        return
    if verb not in known:
        faults.append(f"{where}: larderctl has no verb {verb}")
        return
    for option in options_in(" ".join(words[1:])) - known[verb]:
        faults.append(f"{where}: larderctl {verb} has no {option}")


def check_pages(known, daemons):
    for page in PAGES:
        block, spans = code_of(page.read_text())
        for text in [block, *spans]:
            for words in commands("larderctl", text):
                check_ctl(page.name, words, known)
            for daemon, options in daemons.items():
                for words in commands(daemon, text):
                    for option in options_in(" ".join(words)) - options:
                        faults.append(f"{page.name}: {daemon} has no {option}")


def check_man(known):
    text = (MAN / "larderctl.1").read_text()
    told = {"-" + name for name in re.findall(r"Fl (-?[\w-]+)", text)}
    items = re.findall(r"^\.It Cm (.*)$", text, re.MULTILINE)
    described = {word for item in items for word in re.split(r" , | ", item)}
    for verb, options in known.items():
        if verb not in described:
            faults.append(f"larderctl.1: {verb} is not described")
        for option in options - told - {"--help"}:
            faults.append(f"larderctl.1: {option} of {verb} is not there")
    for option in told - set().union(*known.values()) - {"--takeover", "--version"}:
        faults.append(f"larderctl.1: no verb has {option}")


def check_metrics():
    text = (ROOT / "docs" / "metrics.md").read_text()
    metrics = set(re.findall(r"^\| `(larder_\w+)`", text, re.MULTILINE))
    histograms = {f"{name}{end}" for name in metrics for end in ("_bucket", "_sum", "_count")}
    for page in PAGES:
        for name in set(re.findall(r"`(larder_\w+)(?:\{[^}]*\})?`", page.read_text())) - metrics - histograms:
            faults.append(f"{page.name}: there is no metric {name}")


def check_directives():
    text = (ROOT / "docs" / "configuration.md").read_text()
    known = {path.replace("[]", "") for path in re.findall(r"^\| `([\w.\[\]-]+)` \|", text, re.MULTILINE)}
    tops = {path.split(".")[0] for path in known}
    for page in PAGES:
        for name in set(code for code in code_of(page.read_text())[1] if re.fullmatch(r"[a-z-]+(\.[a-z-]+)+", code)):
            if name.split(".")[0] in tops and name not in known and not name.endswith(FILES):
                faults.append(f"{page.name}: there is no directive {name}")


def check_log_fields():
    """All that docs/logs.md lists, except that a line has no room for URL and path at once."""
    table = (ROOT / "docs" / "logs.md").read_text().split("| field |", 1)[-1]
    rows = re.findall(r"^\| (`[^|]+) \|", table.split("\n\n", 1)[0], re.MULTILINE)
    fields = [name for row in rows for name in re.findall(r"`([a-z_]+)`", row)]
    if len(fields) < 30:
        faults.append(f"logs.md: only {len(fields)} fields found")
    for field in fields:
        done = subprocess.run([PROXY, "--check", "--set", f"log.access={{to: '-', fields: [{field}]}}"],
                              capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            faults.append(f"logs.md: {done.stderr.strip()}")


def check_rotation():
    """Whoever copies an example must not fill the disk."""
    rotated = [pattern for file in (ROOT / "deploy").glob("*.logrotate")
               for pattern in file.read_text().partition("{")[0].split()]
    samples = [*(ROOT / "deploy").glob("**/*.yaml"), *PAGES]
    named = {(page.name, path) for page in samples
             for path in re.findall(r"/var/log/larder(?:-dns)?/[\w.*-]+", page.read_text())}
    if len(named) < 5:
        faults.append(f"only {len(named)} log files found")
    for where, path in sorted(named):
        if not any(fnmatch.fnmatch(path, pattern) for pattern in rotated):
            faults.append(f"{where}: logrotate does not rotate {path}")


def check_width(helps):
    for name, text in helps.items():
        for line in text.splitlines():
            if len(line) > 100:
                faults.append(f"{name} --help: {len(line)} columns: {line[:60]}…")


def main():
    known = verbs()
    helps = {"larder-proxy": help_of(PROXY), "larder-dns": help_of(DNS), "larderctl": help_of(CTL)}
    helps |= {f"larderctl {verb}": help_of(CTL, verb) for verb in known}
    check_pages(known, {name: options_in(helps[name]) for name in ("larder-proxy", "larder-dns")})
    check_man(known)
    check_metrics()
    check_directives()
    check_log_fields()
    check_rotation()
    check_width(helps)
    for fault in faults:
        print("FAIL", fault)
    print(f"{len(known)} verbs, {len(PAGES)} pages, {len(faults)} faults")
    return 1 if faults or len(known) < 16 else 0


sys.exit(main())
