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

Each daemon is configured by one YAML file (`--config FILE`), by options on the command line, or by both. Options are
shortcuts for directives: those for single values replace what the file says, those for lists add to it.
`--set PATH=VALUE` sets any directive (`--set timeouts.connect=3s`); lists and maps are written as YAML
(`--set 'connect-ports=[443, 8443]'`).

- `--check` checks the configuration and starts nothing; `larderctl check FILE` does the same. Files that the
  configuration names (host lists, passwords, pages, certificates and keys) are read, too, so run it as a user who may
  read them. All errors are reported at once, in the order of the file, as `file:line:column: what; expected …`, with
  `did you mean "…"?` for misspelt words.
- `--print-config` prints every directive as YAML, with the origin of its value as a comment. `--directives` describes
  them.
- Unknown and repeated directives are errors. YAML anchors, aliases and tags are not allowed.
- Sizes: `64KiB`, `10GiB` (`K M G T` mean the same), `10GB` is decimal. Durations: `250ms`, `30s`, `5min`, `1h`, `7d`,
  `2w`. Prefixes: `10.0.0.0/8`, `2001:db8::/32`, or a single address. Booleans: `yes` or `no`.
- A list with one item may be written as that item. Where a map is described as "or just its X", the value of X may be
  written instead of the map.
- Relative paths in a file are relative to the directory of that file.
- `include: [other.yaml, conf.d/*.yaml]` at the top level includes other files: lists are joined, maps are merged, a
  single value may be set in one file only; see [reload.md](reload.md).
- "Applied by": `reload` means `larderctl reload` or SIGHUP, `restart` a new start. `larderctl diff` shows what would
  change.

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
