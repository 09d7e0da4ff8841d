#!/bin/bash
# The packages in a fresh Debian: deb-debian.sh DIRECTORY   (root; needs a mirror; a minute)
#
# Makes a root of this machine's Debian release, installs the packages from DIRECTORY in it, runs the
# programs as their services' users with the configurations that came with them, asks both, upgrades
# over a changed configuration, and purges.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ports.sh"
debs=$(cd "$1" && pwd)
[ "$(id -u)" = 0 ] || skip "debootstrap and chroot need root"
command -v debootstrap >/dev/null || skip "debootstrap is not installed"
site=$(apt-get indextargets --format '$(SITE) $(COMPONENT)' 2>/dev/null |
    awk '$2 == "main" { print $1; exit }')
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
[ -n "$site" ] || skip "no Debian mirror is configured"

root=$(mktemp -d "${TMPDIR:-/var/tmp}/larder-deb.XXXXXX")
running=()
failed=0
finish() {
    [ ${#running[@]} = 0 ] || kill "${running[@]}" 2>/dev/null
    wait
    umount "$root/proc" "$root/dev" 2>/dev/null
    rm -rf --one-file-system "$root"
}
trap finish EXIT
inside() {
    chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive "$@"
}
check() { # WHAT COMMAND…
    local what=$1
    shift
    if "$@" >"$root/said" 2>&1; then
        echo "ok: $what"
    else
        echo "FAILED: $what"
        tail -20 "$root/said"
        failed=1
    fi
}

chmod 755 "$root"
debootstrap --variant=minbase --include=ca-certificates,curl,bind9-dnsutils,systemd "$suite" "$root" \
    "$site" >"$root.log" 2>&1 || { tail "$root.log"; echo "FAILED: debootstrap"; exit 1; }
rm -f "$root.log"
mount -t proc proc "$root/proc" && mount --bind /dev "$root/dev" || exit 1
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
mkdir "$root/debs" && cp "$debs"/larder-{proxy,dns,tools}_*.deb "$root/debs/"

check "installed" inside sh -c 'apt-get update -q && apt-get install -qy /debs/*.deb'
check "users" inside sh -c 'id larder && id larder-dns'
check "folders belong to them" inside sh -c \
    '[ "$(stat -c %U /var/cache/larder /var/lib/larder /var/lib/larder-dns | sort -u | paste -sd,)" = larder,larder-dns ]'
check "units are enabled" inside sh -c \
    'cd /etc/systemd/system/multi-user.target.wants && ls larder-proxy.service larder-dns.service'
check "units are right" inside systemd-analyze verify --man=no /lib/systemd/system/larder-proxy.service \
    /lib/systemd/system/larder-dns.service
check "configurations are good" inside sh -c \
    'larder-proxy --check --config /etc/larder/proxy.yaml && larder-dns --check --config /etc/larder/dns.yaml'

take_ports 3
proxy=${ports[0]} admin=${ports[1]} dns=${ports[2]}
serve() {
    inside setpriv --reuid larder --regid larder --clear-groups larder-proxy \
        --config /etc/larder/proxy.yaml --set "listen=['127.0.0.1:$proxy']" \
        --set "admin.address=127.0.0.1:$admin" --allow-target 127.0.0.0/8 >>"$root/proxy.log" 2>&1 &
    running=($!)
    inside setpriv --reuid larder-dns --regid larder-dns --clear-groups larder-dns \
        --config /etc/larder/dns.yaml --set "listen=['127.0.0.1:$dns']" --set 'admin=127.0.0.1:0' \
        >>"$root/dns.log" 2>&1 &
    running+=($!)
}
ask_all() {
    check "the proxy is ready" inside curl -sf --retry 60 --retry-delay 1 --retry-connrefused \
        "http://127.0.0.1:$admin/readyz"
    check "a page by it" inside curl -sfo /dev/null -x "http://127.0.0.1:$proxy" \
        "${site%/}/dists/$suite/Release"
    check "larderctl" inside larderctl status --admin "127.0.0.1:$admin"
    check "a name" inside sh -c "dig +short +retry=10 +time=2 @127.0.0.1 -p $dns www.cdn.example.net | grep -qx 127.0.0.1"
}
stop_all() {
    kill "${running[@]}"
    wait "${running[@]}"
    check "both ended well" [ $? = 0 ]
    running=()
}
serve
ask_all
stop_all

# The next version, over a configuration that somebody has changed.
echo '# ours' >>"$root/etc/larder/proxy.yaml"
for deb in "$root"/debs/*.deb; do
    dpkg-deb -R "$deb" "$root/next" && sed -i 's/^Version: .*/&+next/; s/(= \([^)]*\))/(= \1+next)/' \
        "$root/next/DEBIAN/control" && dpkg-deb -b "$root/next" "$deb" >/dev/null
    rm -rf "$root/next"
done
check "upgraded" inside sh -c 'apt-get install -qy /debs/*.deb && dpkg-query -W larder-proxy | grep -q next'
check "the change is there" grep -qx '# ours' "$root/etc/larder/proxy.yaml"
serve
ask_all
stop_all

check "purged" inside sh -c 'apt-get purge -qy larder-proxy larder-dns larder-tools'
check "nothing is left" inside sh -c \
    '! ls -d /etc/larder /var/cache/larder /var/lib/larder* /var/log/larder* /lib/systemd/system/larder* 2>/dev/null'
[ $failed = 0 ] && echo "packages: ok"
exit $failed
