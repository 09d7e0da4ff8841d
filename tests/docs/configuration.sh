#!/bin/bash
# Holds docs/configuration.md to the directive tables: configuration.sh FILE PROXY_MANUAL DNS_MANUAL
# With --write first, writes FILE instead of comparing.
set -euo pipefail
write=
if [ "$1" = --write ]; then
    write=1
    shift
fi
file=$1 proxy=$2 dns=$3

manual() {
    cat <<'END'
# Configuration

<!-- Made from the directive tables by tests/docs/configuration.sh --write; do not edit. -->

Each daemon takes one YAML file (`--config FILE`), options on the command line, or both. Options are
short for directives; for lists they add to what the file says, for single values they replace it,
and `--set PATH=VALUE` replaces any directive (`--set timeouts.connect=3s`; lists and maps as YAML:
`--set 'connect-ports=[443, 8443]'`).

- `--check` reads everything and starts nothing; `larderctl check FILE` does the same: both read the files that are named,
  too (lists of hosts, passwords, pages, certificates and their keys), so they need to be allowed to. All errors come at
  once, as `file:line:column: what; expected …; did you mean "…"?`; a fault inside of another file is told by its line.
- `--print-config` prints every directive as YAML, with the place its value is from as a comment.
- Unknown and repeated directives are errors. Anchors, aliases and tags of YAML are refused.
- Sizes: `64KiB`, `10GiB` (`K M G T` are the same), `10GB` is decimal. Durations: `250ms`, `30s`,
  `5min`, `1h`, `7d`, `2w`. Prefixes: `10.0.0.0/8`, `2001:db8::/32`, or an address alone. Truth:
  `yes` or `no`.
- A list of one item may be written as the item. Where a map says "or just its X", the value of X
  may stand for the map.
- Relative paths in a file count from the folder of that file.
- `include: [other.yaml, conf.d/*.yaml]` at the top of a file brings in others: lists add up, maps are
  merged, single values stand in one file only; see [reload.md](reload.md).
- "Applied by": `reload` takes effect at `larderctl reload` or SIGHUP (several that come while one is under
  way are one more reload); `restart` needs a new start. `larderctl diff` tells what would change.

## larder-proxy

END
    "$proxy"
    printf '\n## larder-dns\n\n'
    "$dns"
}

if [ "$write" ]; then
    manual >"$file"
else
    diff -u "$file" <(manual) || {
        echo "docs/configuration.md is old; make it with tests/docs/configuration.sh --write" >&2
        exit 1
    }
fi
