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
init=      # the process that holds the namespaces of a booted root
system=    # its process 1, as this machine counts
cgroup=
network=()

# make_root PACKAGE,…: $root is a minimal Debian of this machine's release with these packages. No
# service starts in it. TMPDIR says where (on a tmpfs it takes half the time), DEBS a folder that keeps what
# debootstrap downloads.
make_root() {
    root=$(mktemp -d "${TMPDIR:-/var/tmp}/larder-root.XXXXXX")
    chmod 755 "$root"
    [ -z "${DEBS:-}" ] || mkdir -p "$DEBS"
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

# boot_root: systemd is process 1 of the root from here on, in namespaces of its own, with loopback and no other
# network, in a cgroup of its own. Services start in it. Skips where that is not allowed, and says why.
boot_root() {
    local groups tries state
    [ -x "$root/lib/systemd/systemd" ] || { echo "FAILED: systemd is not in the root"; exit 1; }
    groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    [ -n "$groups" ] || skip "cgroup v2 is not mounted, so systemd cannot run"
    cgroup=$groups/larder-test-$$
    mkdir "$cgroup" 2>/dev/null || skip "no cgroup can be made in $groups, so systemd cannot run"
    rm -f "$root/usr/sbin/policy-rc.d"
    (echo $BASHPID >"$cgroup/cgroup.procs" && exec unshare --pid --mount --uts --ipc --cgroup --net --fork \
        --kill-child "$here/../lib/init.sh" "$root" </dev/null) >"$root/boot.log" 2>&1 &
    init=$!
    for ((tries = 0; tries < 600; tries++)); do
        kill -0 $init 2>/dev/null || break
        system=$(cat /proc/$init/task/$init/children 2>/dev/null)
        system=${system%% *}
        network=(nsenter --target "$system" --net)
        state=$([ -n "$system" ] && booted systemctl is-system-running 2>&1)
        case $state in running | degraded) return ;; esac
        sleep 0.1
    done
    cat "$root/boot.log"
    skip "systemd does not start in namespaces of this machine: ${state:-the namespaces ended}"
}

# Ends it, and all that runs in it.
unboot_root() {
    local tries
    [ -z "$init" ] || { kill -KILL $init; wait $init; } 2>/dev/null # it hears nothing else
    [ -n "$cgroup" ] || return 0
    for ((tries = 0; tries < 100; tries++)); do
        find "$cgroup" -depth -type d -exec rmdir {} \; 2>/dev/null
        [ -d "$cgroup" ] || break
        sleep 0.1
    done
}

# booted COMMAND…: in the booted root. "${network[@]}" COMMAND… is a program of this machine, with the loopback of
# the root; in the background, too, where the pid is the command's own.
booted() {
    nsenter --target "$system" --all /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive "$@"
}

# next_version DEB…: gives them a later version.
next_version() {
    local deb
    for deb in "$@"; do
        dpkg-deb -R "$deb" "$root/next" && sed -i 's/^Version: .*/&+next/; s/(= \([^)]*\))/(= \1+next)/' \
            "$root/next/DEBIAN/control" && dpkg-deb -b "$root/next" "$deb" >/dev/null
        rm -rf "$root/next"
    done
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
