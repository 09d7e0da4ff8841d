#!/bin/bash
# Man pages are set without a warning: man.sh PAGE…; skipped where man(1) is not installed.
set -u
command -v man >/dev/null || { echo "skipped: man is not installed"; exit 77; }
export LC_ALL=C.UTF-8 MANWIDTH=80
failed=0
for page in "$@"; do
    said=$(man --warnings -l "$page" 2>&1 >/dev/null)
    [ -z "$said" ] || { echo "FAIL $page: $said"; failed=1; }
done
exit $failed
