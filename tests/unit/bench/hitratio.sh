#!/usr/bin/env bash
# The whole program: a trace made here, through gzip and xz, to tables, numbers and a plot.
# Usage: hitratio.sh HITRATIO PLOT
set -euo pipefail

hitratio=$1 plot=$2
dir=$(mktemp -d /tmp/larder-hitratio-XXXXXX)
trap 'rm -rf "$dir"' EXIT

fail() {
    echo "hitratio.sh: $*" >&2
    exit 1
}

# Objects 0 to 9 in turn, 100 rounds: LRU keeps none in half the room, the optimum keeps half.
python3 - "$dir" <<'PY'
import struct, sys
ids = [i % 10 for i in range(1000)]
with open(sys.argv[1] + "/loop.trace", "wb") as out:
    out.write(b"".join(struct.pack(">I", i) for i in ids))
with open(sys.argv[1] + "/loop.txt", "w") as out:
    out.writelines(f"{t} object{i} {1000 * (i + 1)}\n" for t, i in enumerate(ids))
PY
xz -k "$dir/loop.trace"
gzip -k "$dir/loop.txt"

"$hitratio" --sizes 50 --warm-up 10 "$dir/loop.trace.xz" >"$dir/xz"
grep -q '^1000 requests, 10 objects, 10 bytes$' "$dir/xz" || fail "wrong trace: $(head -1 "$dir/xz")"
grep -Eq '^LRU +0\.00$' "$dir/xz" || fail "LRU keeps something of a loop"
grep -Eq '^Belady +50\.00$' "$dir/xz" || fail "Belady keeps not half of a loop"
"$hitratio" --sizes 50 --warm-up 10 "$dir/loop.trace" | diff <(sed 's/\.xz$//' "$dir/xz") - ||
    fail "not the same unpacked"

"$hitratio" --sizes 10,50 --tsv "$dir/tsv" "$dir/loop.txt.gz" >"$dir/gz"
grep -q '^1000 requests, 10 objects, 55000 bytes$' "$dir/gz" || fail "wrong trace: $(head -1 "$dir/gz")"
grep -q '^bytes, hit %' "$dir/gz" || fail "no table of bytes"
"$hitratio" --sizes 5,50 --tsv "$dir/tsv" --zipf objects=1000,requests=5000 >"$dir/zipf"
[ "$(wc -l <"$dir/tsv")" = 44 ] || fail "not two sizes of eleven policies, twice"

"$plot" "$dir/tsv" "$dir/svg"
python3 -c 'import sys, xml.dom.minidom as xml; xml.parse(sys.argv[1])' "$dir/svg"
[ "$(grep -c 'font-weight="bold"' "$dir/svg")" = 4 ] || fail "not four panels"

# What is wrong is said, and nothing is printed as if it were a result.
refuse() {
    local want=$1
    shift
    if "$hitratio" "$@" >"$dir/out" 2>"$dir/err"; then
        fail "took $*"
    fi
    grep -q -- "$want" "$dir/err" || fail "$*: $(cat "$dir/err")"
    [ ! -s "$dir/out" ] || fail "$*: printed $(cat "$dir/out")"
}
refuse usage
refuse usage "$dir/loop.txt" --zipf once=1
refuse 'No such file' /nowhere/at/all
refuse 'not understood: once=x' --zipf once=x
refuse 'no requests' --format text "$dir/svg"
refuse '--format is one of' --format json "$dir/loop.txt"
refuse '--sizes' --sizes 0 "$dir/loop.txt"
head -c 100 "$dir/loop.trace.xz" >"$dir/cut.trace.xz"
refuse 'cut.trace.xz: cannot be unpacked' "$dir/cut.trace.xz"
refuse 'LRU,NONE' --policies LRU,NONE "$dir/loop.txt"
refuse 'not understood: seed=1.5' --zipf seed=1.5
refuse '--warm-up' --warm-up 91 "$dir/loop.txt"
echo ok
