"""What servers were given: the command of each and its files. Those of one run differ by folders and
ports alone, so these get names, and what is equal then is kept once, with all it was for."""
import os
import re
import shlex

HEAD, TAIL, WIDEST = 40, 12, 240  # lines of a file, characters of a line


def narrow(line):
    """The line, or its two ends."""
    if len(line) <= WIDEST:
        return line
    end = WIDEST // 2
    return (f"{line[:end]} [{len(line) - 2 * end:,} of {len(line):,} characters left out] "
            f"{line[-end:]}")


def cut(text):
    """The text, or as much as tells what a list of a hundred thousand lines is like."""
    lines = text.splitlines()
    if len(lines) > HEAD + TAIL:
        left_out = len(lines) - HEAD - TAIL
        lines[HEAD:-TAIL] = [f"[{left_out:,} of {len(lines):,} lines left out]"]
    return "\n".join(map(narrow, lines))


def files_of(server):
    """{name: text} of those that are there and not empty."""
    files = {}
    for name in server.configured:
        path = os.path.join(server.dir, name)
        if os.path.exists(path) and os.path.getsize(path):
            with open(path, encoding="utf-8", errors="replace") as text:
                files[name] = cut(text.read())
    return files


class Configurations(list):
    """[{server, for: [purpose, …], command, files: {name: text}}, …]"""

    def __init__(self, folder, build):
        super().__init__()
        self.folders = {folder: "RUN", build: "BUILD"}

    def keep(self, server, purpose, command=None):
        """`command`: where it is not that of the process that is started."""
        names = {**self.folders, server.dir: "DIR",
                 **{str(port): name for name, port in server.ports().items()}}
        self._add(purpose, {
            "server": server.name,
            "command": self._named(shlex.join(map(str, command or server.command)), names),
            "files": {name: self._named(text, names) for name, text in files_of(server).items()}})

    @staticmethod
    def _named(text, names):
        """Folders and ports by their names; the longer first, for a folder may be in another."""
        these = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        return re.sub(rf"(?<![\w.])(?:{these})(?!\w)", lambda found: names[found[0]], text)

    def _add(self, purpose, configuration):
        for one in self:
            if all(one[key] == value for key, value in configuration.items()):
                if purpose not in one["for"]:
                    one["for"].append(purpose)
                return
        self.append({"server": configuration["server"], "for": [purpose], **configuration})


def by_server(configurations):
    """{server: [configuration, …]}; results of before have one text for each."""
    if isinstance(configurations, dict):
        configurations = [of_before(*one) for one in configurations.items()]
    servers = {}
    for one in configurations:
        servers.setdefault(one["server"], []).append(one)
    return servers


def of_before(server, text):
    command, _, config = text.partition("\n\n")
    return {"server": server, "for": [], "command": command.strip(),
            "files": {"config": config} if config else {}}
