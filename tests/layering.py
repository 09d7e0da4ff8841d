#!/usr/bin/env python3
"""Holds the sources to the architecture: who may include whom, and where `#if` may stand.

Usage: layering.py [ROOT]. Prints one line per violation as file:line: text; exits 1 if there is one.
"""
import pathlib
import re
import sys

# Folder -> folders its files may include from ("base ← http ← cache ← proxy, base ← dnsredir").
# The longest matching prefix of a file's path decides, and likewise for the included file.
MAY_INCLUDE = {
    "base": {"base"},
    "http": {"base", "http"},
    "cache": {"base", "http", "cache", "cache/store"},
    "cache/store": {"base", "cache/store"},  # the disk knows spans and keys, no HTTP
    "proxy": {"base", "http", "cache", "cache/store", "proxy", "proxy/access", "proxy/admin",
              "proxy/admin/history.h", "proxy/config/directives.h", "proxy/counters.h", "proxy/recent.h",
              "proxy/roundtrips.h", "proxy/worker.h", "proxy/tls_set.h", "proxy/toplist.h",
              "proxy/mirror", "proxy/stream", "proxy/origin", "proxy/client"},
    # Settings are plain data for all; their table is theirs alone.
    "proxy/config": {"base", "http", "proxy/config", "proxy/config/directives.h"},
    "proxy/config/directives": {"base", "http", "proxy/config", "proxy/config/directives.h"},
    "proxy/counters": {"base", "cache", "proxy/counters.h", "proxy/stream"},
    "proxy/roundtrips": {"base", "proxy/roundtrips.h"},
    "proxy/toplist": {"base", "http", "cache", "proxy/toplist.h"},
    "proxy/admin/history": {"base", "proxy/admin/history.h"},
    "proxy/recent": {"base", "http", "cache", "proxy/recent.h"},
    "proxy/worker": {"base", "cache", "proxy/config/directives.h", "proxy/counters.h", "proxy/recent.h",
                     "proxy/mirror",
                     "proxy/stream"},
    "proxy/tls_set": {"base", "proxy/config/directives.h", "proxy/stream", "proxy/tls_set.h"},
    # Who may go where, without loops: files, passwords, accounts.
    "proxy/access": {"base", "http", "proxy/config/directives.h", "proxy/access"},
    # What package managers speak, without I/O.
    "proxy/mirror": {"base", "http", "cache", "proxy/config/directives.h", "proxy/mirror"},
    # What administrators ask for, and who answers: above all that it tells of.
    "proxy/admin": {"base", "http", "cache", "cache/store", "proxy", "proxy/access", "proxy/admin",
                    "proxy/config/directives.h", "proxy/counters.h", "proxy/recent.h",
                    "proxy/roundtrips.h", "proxy/worker.h", "proxy/toplist.h",
                    "proxy/tls_set.h", "proxy/admin/history.h", "proxy/mirror", "proxy/stream", "proxy/origin",
                    "proxy/client"},
    "proxy/stream": {"base", "http", "proxy/stream"},
    "proxy/origin": {"base", "http", "cache", "proxy/config/directives.h", "proxy/counters.h",
                     "proxy/worker.h", "proxy/tls_set.h", "proxy/mirror", "proxy/stream",
                     "proxy/origin"},
    "proxy/client": {"base", "http", "cache", "proxy/config/directives.h", "proxy/counters.h",
                     "proxy/worker.h", "proxy/toplist.h", "proxy/tls_set.h", "proxy/access",
                     "proxy/mirror", "proxy/stream",
                     "proxy/origin", "proxy/client"},
    # The redirector: the wire format, what is near, what is written, what is said, the settings of
    # all that; then what has a loop or a thread, and the server above.
    "dnsredir/message": {"base", "dnsredir/message"},
    "dnsredir/steering": {"base", "dnsredir/message", "dnsredir/steering"},
    "dnsredir/zone": {"base", "dnsredir/message", "dnsredir/steering", "dnsredir/zone"},
    "dnsredir/answer": {"base", "dnsredir/message", "dnsredir/steering", "dnsredir/zone",
                        "dnsredir/answer"},
    "dnsredir/config": {"base", "dnsredir/message", "dnsredir/steering", "dnsredir/zone",
                        "dnsredir/answer", "dnsredir/config",
                        "dnsredir/resolver/recursor.h", "dnsredir/health/health.h"},
    "dnsredir/health": {"base", "dnsredir/steering", "dnsredir/zone", "dnsredir/config",
                        "dnsredir/worker.h", "dnsredir/health", "dnsredir/health/health.h"},
    "dnsredir/resolver": {"base", "dnsredir/message", "dnsredir/answer", "dnsredir/config",
                          "dnsredir/worker.h", "dnsredir/resolver", "dnsredir/resolver/recursor.h"},
    "dnsredir/state": {"base", "dnsredir/message", "dnsredir/zone", "dnsredir/answer",
                       "dnsredir/config", "dnsredir/worker.h", "dnsredir/publish.h",
                       "dnsredir/counters.h", "dnsredir/state", "dnsredir/state/statedb.h"},
    # Of these, settings own one, or take bounds from them.
    "dnsredir/health/health": {"base", "dnsredir/steering", "dnsredir/config", "dnsredir/health",
                               "dnsredir/health/health.h"},
    "dnsredir/resolver/recursor": {"base", "dnsredir/resolver", "dnsredir/resolver/recursor.h"},
    "dnsredir/state/statedb": {"base", "dnsredir/state/statedb.h"},
    "dnsredir/listener": {"base", "dnsredir/message", "dnsredir/answer", "dnsredir/config",
                          "dnsredir/worker.h", "dnsredir/resolver", "dnsredir/state",
                          "dnsredir/listener"},
    "dnsredir/admin": {"base", "dnsredir/message", "dnsredir/steering", "dnsredir/zone",
                       "dnsredir/answer", "dnsredir/config", "dnsredir/health",
                       "dnsredir/resolver", "dnsredir/state", "dnsredir/publish.h",
                       "dnsredir/counters.h", "dnsredir/admin"},
    # What all with a loop share, and the server above them.
    "dnsredir/publish": {"base", "dnsredir/publish.h"},
    "dnsredir/counters": {"base", "dnsredir/answer", "dnsredir", "dnsredir/counters.h"},
    "dnsredir/worker": {"base", "dnsredir/answer", "dnsredir/config", "dnsredir",
                        "dnsredir/publish.h", "dnsredir/counters.h"},
    "dnsredir": {"base", "dnsredir", "dnsredir/message", "dnsredir/steering", "dnsredir/zone",
                 "dnsredir/answer", "dnsredir/config", "dnsredir/health", "dnsredir/resolver",
                 "dnsredir/state", "dnsredir/listener", "dnsredir/admin", "dnsredir/worker.h",
                 "dnsredir/publish.h", "dnsredir/counters.h", "dnsredir/health/health.h"},
    "ctl": {"base", "http", "cache/store", "ctl", "proxy/config/directives.h"},
}

# System header -> the only files (path prefixes) that may see it.
OWNED = {
    "lmdb.h": ("base/lmdb_file", "cache/store/"),
    "uv.h": ("base/", "proxy/", "dnsredir/admin/admin", "dnsredir/health/", "dnsredir/listener/",
             "dnsredir/resolver/inbox", "dnsredir/resolver/resolver", "dnsredir/server",
             "dnsredir/state/update_intake", "dnsredir/state/updater", "dnsredir/worker"),
    "nghttp2/nghttp2.h": ("proxy/stream/h2",),
    "ares.h": ("proxy/origin/dnsclient",),
    "yaml.h": ("base/conf",),
    "crypt.h": ("proxy/access/passwords",),
    "openssl/": ("proxy/access/passwords", "proxy/mirror/digest", "proxy/stream/tls",
                  "dnsredir/zone/dnssec_key", "dnsredir/message/tsig"),
    "maxminddb.h": ("dnsredir/steering/geo",),
    "unbound.h": ("dnsredir/resolver/recursor",),
}

INCLUDE = re.compile(r'#\s*include\s*(["<])([^">]+)[">]')
CONDITIONAL = re.compile(r"#\s*(if|ifdef|ifndef|elif)\b")
GUARD = re.compile(r"#\s*ifndef\s+LARDER_\w+_H\b")


def layer(path):
    """The longest key of MAY_INCLUDE, or permitted name, that `path` lies in."""
    names = set(MAY_INCLUDE) | {name for allowed in MAY_INCLUDE.values() for name in allowed}
    inside = [n for n in names if path == n or path.startswith((n + "/", n + "."))]
    return max(inside, key=len, default=path)


def owners(header, path):
    """Who may see a system header: by its name, or its folder's."""
    return OWNED.get(header) or OWNED.get(header.split("/")[0] + "/") or path


def violations(path, lines):
    may = MAY_INCLUDE[layer(path).removesuffix(".h")]
    for number, line in enumerate(lines, 1):
        include = INCLUDE.match(line)
        if include and include[1] == '"' and layer(include[2]) not in may:
            yield number, f"{layer(path)} must not include {include[2]}"
        elif include and not path.startswith(owners(include[2], path)):
            yield number, f"<{include[2]}> is only for {', '.join(owners(include[2], path))}"
        elif CONDITIONAL.match(line) and not GUARD.match(line) and not path.startswith("base/"):
            yield number, "conditional compilation belongs in base/"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    folders = sorted({name.split("/")[0] for name in MAY_INCLUDE})
    files = sorted(f for folder in folders for f in (root / folder).rglob("*.[ch]"))
    found = 0
    for file in files:
        path = file.relative_to(root).as_posix()
        for number, text in violations(path, file.read_text().splitlines()):
            print(f"{path}:{number}: {text}")
            found += 1
    print(f"layering: {len(files)} files, {found} violations")
    return 1 if found or not files else 0


sys.exit(main())
