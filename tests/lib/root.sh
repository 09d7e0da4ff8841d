# Sourced by the scripts that need a Debian of their own: a root made by debootstrap, and what runs in it.
# Needs root and a mirror; whoever sources it has sourced ports.sh.

[ "$(id -u)" = 0 ] || skip "debootstrap and chroot need root"
command -v debootstrap >/dev/null || skip "debootstrap is not installed"
site=$(apt-get indextargets --format '$(SITE) $(COMPONENT)' 2>/dev/null |
    awk '$2 == "main" { print $1; exit }')
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
[ -n "$site" ] || skip "no Debian mirror is configured"
root=
enter=()

# make_root PACKAGE,…: $root is a minimal Debian of this machine's release with these packages. No
# service starts in it. TMPDIR says where (on a tmpfs it takes half the time), DEBS a folder that keeps what
# debootstrap downloads.
make_root() {
    root=$(mktemp -d "${TMPDIR:-/var/tmp}/larder-root.XXXXXX")
    chmod 755 "$root"
    debootstrap --variant=minbase ${DEBS:+--cache-dir="$DEBS"} ${1:+--include="$1"} "$suite" "$root" "$site" >"$root.log" 2>&1 ||
        { tail "$root.log"; echo "FAILED: debootstrap"; exit 1; }
    rm -f "$root.log"
    mount -t proc proc "$root/proc" && mount --bind /dev "$root/dev" &&
        mount -t tmpfs tmpfs "$root/dev/shm" && mount --bind /dev/pts "$root/dev/pts" || { echo "FAILED: mount"; exit 1; }
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    cp /etc/resolv.conf "$root/etc/"
    enter=(chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
        DEBIAN_FRONTEND=noninteractive)
    cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
}

# At the end: unmounts and removes it; with KEEP set it stays. What is still mounted is never removed.
unmake_root() {
    local under
    [ -n "$root" ] || return 0
    for under in proc dev/shm dev/pts dev; do
        umount "$root/$under" 2>/dev/null || umount --lazy "$root/$under" 2>/dev/null
    done
    if [ -n "${KEEP:-}" ] || grep -q " $root/" /proc/mounts; then
        echo "kept: $root"
    else
        rm -rf --one-file-system "$root"
    fi
}

# inside COMMAND…: in the root, with nothing of this machine's environment. In the background, for a pid that
# is the command's own: "${enter[@]}" COMMAND… &
inside() {
    "${enter[@]}" "$@"
}
