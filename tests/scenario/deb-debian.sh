#!/bin/bash
# The packages in a fresh Debian: deb-debian.sh DIRECTORY   (root; needs a mirror; a minute)
#
# Makes a root of this machine's Debian release, installs the packages from DIRECTORY in it, runs the
# programs as their services' users with the configurations that came with them, asks both, turns the logs,
# upgrades over a changed configuration, removes and purges. What was stored answers after the upgrade.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ports.sh"
. "$here/../lib/root.sh"
debs=$(cd "$1" && pwd)
running=()
failed=0
finish() {
    kill "${running[@]}" ${server:-} 2>/dev/null
    wait
    unmake_root
}
trap finish EXIT
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

make_root ca-certificates,curl,bind9-dnsutils,systemd,logrotate
mkdir "$root/debs" && cp "$debs"/larder-{proxy,dns,tools}_*.deb "$root/debs/"

check "installed" inside sh -c 'apt-get update -q && apt-get install -qy /debs/*.deb'
check "users" inside sh -c 'id larder && id larder-dns'
check "folders belong to them" inside sh -c \
    '[ "$(stat -c %U /var/cache/larder /var/lib/larder /var/lib/larder-dns | sort -u | paste -sd,)" = larder,larder-dns ]'
check "units are enabled" inside sh -c \
    'cd /etc/systemd/system/multi-user.target.wants && ls larder-proxy.service larder-dns.service'
check "units are right" inside systemd-analyze verify --man=no /lib/systemd/system/larder-proxy.service \
    /lib/systemd/system/larder-dns.service
check "what they start and document is there" inside sh -c 'cd /lib/systemd/system
    sed -n "s/^Exec[A-Za-z]*=\([^ ]*\).*/\1/p; s/^Documentation=.*file:\([^ ]*\).*/\1/p" larder-*.service | xargs ls'
check "what stands beside the programs" inside sh -c \
    'cd /usr/share && ls larder-proxy/prometheus/larder.rules.yml larder-proxy/grafana/larder-proxy.json larder-proxy/grafana/larder-dns.json \
     doc/larder-proxy/README.md doc/larder-proxy/docs/configuration.md doc/larder-dns/docs/dns.md \
     doc/larder-proxy/examples/proxy.yaml doc/larder-dns/examples/dns.yaml doc/larder-tools/copyright'
check "conffiles" inside sh -c 'for file in apparmor.d/usr.sbin.larder-proxy larder/proxy.yaml logrotate.d/larder-proxy \
    apparmor.d/usr.sbin.larder-dns larder/dns.yaml logrotate.d/larder-dns; do
    dpkg-query -W -f "\${Conffiles}\n" larder-proxy larder-dns | grep " /etc/$file " || exit 1; done'
check "configurations are good" inside sh -c \
    'larder-proxy --check --config /etc/larder/proxy.yaml && larder-dns --check --config /etc/larder/dns.yaml'

take_ports 4
proxy=${ports[0]} admin=${ports[1]} dns=${ports[2]} origin=127.0.0.1:${ports[3]}
python3 "$here/../lib/origin.py" --listen "$origin" >/dev/null &
server=$!
await_port "$origin" $server || { echo "FAILED: the origin does not start"; exit 1; }
serve() {
    "${enter[@]}" setpriv --reuid larder --regid larder --clear-groups larder-proxy \
        --config /etc/larder/proxy.yaml --set "listen=['127.0.0.1:$proxy']" \
        --set "admin.address=127.0.0.1:$admin" --allow-target 127.0.0.0/8 >>"$root/proxy.log" 2>&1 &
    running=($!)
    "${enter[@]}" setpriv --reuid larder-dns --regid larder-dns --clear-groups larder-dns \
        --config /etc/larder/dns.yaml --set "listen=['127.0.0.1:$dns']" --set 'admin.address=127.0.0.1:0' \
        >>"$root/dns.log" 2>&1 &
    running+=($!)
}
ask_all() { # [WHAT CACHE-STATUS SAYS]
    local said=${1:-}
    check "the proxy is ready" inside curl -sf --retry 60 --retry-delay 1 --retry-connrefused \
        "http://127.0.0.1:$admin/readyz"
    check "a page by it" inside curl -sfo /dev/null -x "http://127.0.0.1:$proxy" \
        "${site%/}/dists/$suite/Release"
    check "one that may be kept${said:+: $said}" inside sh -c \
        "curl -sfD - -o /dev/null -x http://127.0.0.1:$proxy http://$origin/o/kept/50000 | grep '^Cache-Status:.*$said'"
    check "larderctl" inside larderctl status --admin "127.0.0.1:$admin"
    check "a name" inside sh -c "dig +short +retry=10 +time=2 @127.0.0.1 -p $dns www.cdn.example.net | grep -qx 127.0.0.1"
}
stop_all() {
    local pid ended=
    kill "${running[@]}"
    for pid in "${running[@]}"; do
        wait "$pid"
        ended+=$?
    done
    check "both ended well" [ "$ended" = 00 ]
    running=()
}
serve
ask_all
check "logs are turned" inside sh -c 'cd /var/log/larder
    until [ -s access.log ]; do sleep 0.1; done # an empty one is left alone
    logrotate -f /etc/logrotate.d/larder-proxy && ls access.log.1'
stop_all

# The next version, over a configuration that somebody has changed.
echo '# ours' >>"$root/etc/larder/proxy.yaml"
next_version "$root"/debs/*.deb
check "upgraded" inside sh -c 'apt-get install -qy /debs/*.deb && dpkg-query -W larder-proxy | grep -q next'
check "the change is there" grep -qx '# ours' "$root/etc/larder/proxy.yaml"
serve
ask_all 'hit;'
stop_all

check "removed" inside sh -c 'apt-get remove -qy larder-proxy larder-dns larder-tools'
check "configuration and cache are there" inside sh -c \
    '[ ! -e /usr/sbin/larder-proxy ] && ls /etc/larder/proxy.yaml /var/cache/larder/*'
check "purged" inside sh -c 'apt-get purge -qy larder-proxy larder-dns larder-tools'
check "nothing is left" inside sh -c \
    '! ls -d /etc/larder /var/cache/larder /var/lib/larder* /var/log/larder* /lib/systemd/system/larder* 2>/dev/null'
[ $failed = 0 ] && echo "packages: ok"
exit $failed
