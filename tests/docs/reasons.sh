#!/bin/bash
# Holds the tables of docs/explain.md and docs/why-not-cached.md to the code:
#     reasons.sh [--write] FILE REASONS [--remedies]
# They stand behind the line "<!-- made by tests/docs/reasons.sh --write -->", up to the end.
set -euo pipefail
write=
if [ "$1" = --write ]; then
    write=1
    shift
fi
file=$1
shift
marker='<!-- made by tests/docs/reasons.sh --write -->'

whole() {
    sed "\\,^$marker\$,q" "$file"
    echo
    "$@"
}
grep -qxF -e "$marker" "$file" || { echo "$file has no line $marker"; exit 1; }
if [ "$write" ]; then
    whole "$@" >"$file.new"
    mv "$file.new" "$file"
else
    whole "$@" | diff -u "$file" - || { echo "write it anew: ninja -C BUILD reasons-md"; exit 1; }
fi
