#!/bin/bash
# Debian packages of what is committed: deploy/deb.sh [DIRECTORY]. They, and what lintian says of
# them, are left in DIRECTORY (build-deb); fails when lintian finds an error.
set -euo pipefail
top=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
mkdir -p "${1:-$top/build-deb}"
out=$(cd "${1:-$top/build-deb}" && pwd)
tree=$out/larder
rm -rf "$out"/*
mkdir "$tree"
git -C "$top" archive HEAD | tar -x -C "$tree"
cp -r "$tree/deploy/debian" "$tree/debian"
for unit in larder-proxy larder-dns; do
    for kind in service socket sysusers tmpfiles; do
        cp "$tree/deploy/systemd/$unit.$kind" "$tree/debian/"
    done
    cp "$tree/deploy/$unit.logrotate" "$tree/debian/"
done

cd "$tree"
dpkg-buildpackage --build=full --no-sign --unsigned-source --unsigned-changes >"$out/build.log" 2>&1 || {
    tail -30 "$out/build.log"
    echo "deb: the build failed: $out/build.log" >&2
    exit 1
}
cd "$out"
rm -rf "$tree"
ls ./*.deb
lintian --fail-on error --tag-display-limit 0 ./*.changes | tee lintian.txt
