#!/bin/bash
# A fresh clone in a bare Debian: bare-debian.sh [DIRECTORY]   (root; needs a mirror; minutes)
#
# Makes a root of this machine's Debian release with debootstrap, clones the committed tree into it,
# and there runs `make test`, then `make run`, and types the commands that `make run` prints.
set -u
set -m # what runs in the background has a process group, as behind a terminal, and hears Ctrl-C
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ports.sh"
top=$(git -C "$here" rev-parse --show-toplevel)
[ "$(id -u)" = 0 ] || skip "debootstrap and chroot need root"
command -v debootstrap >/dev/null || skip "debootstrap is not installed"
site=$(apt-get indextargets --format '$(SITE) $(COMPONENT)' 2>/dev/null |
    awk '$2 == "main" { print $1; exit }')
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
[ -n "$site" ] || skip "no Debian mirror is configured"

root=${1:-$(mktemp -d "${TMPDIR:-/var/tmp}/larder-bare.XXXXXX")}
running=
finish() {
    [ -n "$running" ] && kill -TERM -- "-$running" && wait "$running"
    umount "$root/proc" "$root/dev/shm" "$root/dev" 2>/dev/null
    [ -n "${KEEP:-}" ] || rm -rf --one-file-system "$root"
}
trap finish EXIT
inside() {
    chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"
}

chmod 755 "$root"
echo "--- debootstrap $suite into $root"
debootstrap --variant=minbase --include=make,ca-certificates "$suite" "$root" "$site" \
    >"$root.log" 2>&1 || { tail "$root.log"; echo "FAILED: debootstrap"; exit 1; }
rm -f "$root.log"
mount -t proc proc "$root/proc" && mount --bind /dev "$root/dev" &&
    mount -t tmpfs tmpfs "$root/dev/shm" || { echo "FAILED: mount"; exit 1; }
cp /etc/resolv.conf "$root/etc/"
cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
git clone -q --no-hardlinks "$top" "$root/root/larder"

echo "--- make test"
inside make -C /root/larder test >"$root/test.log" 2>&1
status=$?
tail -12 "$root/test.log"
[ $status -eq 0 ] || { echo "FAILED: make test ended with $status"; exit 1; }

echo "--- make run"
take_ports 4
inside PROXY_PORT="${ports[0]}" ADMIN_PORT="${ports[1]}" DNS_PORT="${ports[2]}" \
    DNS_ADMIN_PORT="${ports[3]}" make -C /root/larder run >"$root/run.log" 2>&1 &
running=$!
for ((tries = 0; tries < 600; tries++)); do
    grep -q '^Larder is running' "$root/run.log" && break
    kill -0 $running 2>/dev/null || break
    sleep 0.5
done
cat "$root/run.log" | tail -25
listening "127.0.0.1:${ports[0]}" || { echo "FAILED: make run"; exit 1; }

echo "--- the commands it prints"
failed=0
try() {
    echo "$ $*"
    inside "$@" 2>&1 | head -20
    [ "${PIPESTATUS[0]}" -eq 0 ] || { echo "FAILED: $*"; failed=1; }
}
try curl -sS -o /dev/null -D - "http://127.0.0.1:${ports[1]}/status"
try curl -x "http://127.0.0.1:${ports[0]}" -so /dev/null -D - "${site%/}/dists/$suite/Release"
try apt-get -qq -o "Acquire::http::Proxy=http://127.0.0.1:${ports[0]}" update
try dig +short @127.0.0.1 -p "${ports[2]}" www.cdn.example.net
try /root/larder/build-release/ctl/larderctl status --admin "127.0.0.1:${ports[1]}"

echo "--- Ctrl-C"
kill -INT -- "-$running"
wait $running
echo "make run ended with $?"
running=
tail -2 "$root/run.log"
grep -q '^stopped' "$root/run.log" || { echo "FAILED: it did not stop cleanly"; failed=1; }
[ $failed -eq 0 ] && echo "bare Debian: ok"
exit $failed
