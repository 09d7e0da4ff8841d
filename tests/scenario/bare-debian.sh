#!/bin/bash
# A fresh clone in a bare Debian: bare-debian.sh   (root; needs a mirror; minutes)
#
# Makes a root of this machine's Debian release with debootstrap, clones the committed tree into it, and
# there runs `make test`. What `make run` does in such a root: newcomer.sh.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ports.sh"
. "$here/../lib/root.sh"
top=$(git -C "$here" rev-parse --show-toplevel)
trap unmake_root EXIT

make_root make,ca-certificates
git clone -q --no-hardlinks "$top" "$root/root/larder"
echo "--- make test"
inside make -C /root/larder test >"$root/test.log" 2>&1
status=$?
if [ $status -ne 0 ]; then
    grep -E -A 40 ' (FAIL|TIMEOUT|ERROR) ' "$root/test.log" | head -300
    echo "FAILED: make test ended with $status"
    exit 1
fi
tail -12 "$root/test.log"

echo "bare Debian: ok"
