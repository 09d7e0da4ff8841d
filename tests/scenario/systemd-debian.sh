#!/bin/bash
# The packages under a systemd that is process 1: systemd-debian.sh DIRECTORY   (root; needs a mirror; minutes)
#
# Makes a root of this machine's Debian release and boots it, in namespaces, with loopback only. There the
# packages from DIRECTORY are installed, and do what their units promise: they say when they are ready, are
# started anew when they hang or crash, reload, keep out of everything that is not theirs, refuse nobody
# while they are restarted or replaced, and are gone when they are purged. Skips where systemd cannot boot.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ports.sh"
. "$here/../lib/root.sh"
debs=$(cd "$1" && pwd)
server=
askers=()
failed=0
finish() {
    kill "${askers[@]}" $server 2>/dev/null
    unboot_root
    wait
    unmake_root
}
trap finish EXIT

said() { # COMMAND…: told when it fails
    "$@" >"$work/said" 2>&1
}
check() { # WHAT COMMAND…
    local what=$1
    shift
    if said "$@"; then
        echo "ok: $what"
    else
        echo "FAILED: $what"
        tail -20 "$work/said"
        booted journalctl -q -b -n 20 --no-pager 2>/dev/null | sed 's/^/    /'
        failed=1
    fi
}
soon() { # COMMAND…: true within a minute or two
    local end=$((SECONDS + 90))
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}
fails() { ! "$@"; }

main_pid() { booted systemctl show -P MainPID "$@"; }
active() { # UNIT…: all of them
    local unit
    for unit in "$@"; do
        booted systemctl is-active "$unit" || return 1
    done
}
another() { # UNIT PID: another process runs, and serves
    local now
    now=$(main_pid "$1")
    [ "$now" != 0 ] && [ "$now" != "$2" ] && active "$1"
}
journal() { # UNIT PATTERN [OPTION…]: is it in the journal?
    local unit=$1 pattern=$2
    shift 2
    booted journalctl -q -u "$unit" -o cat "$@" | grep -e "$pattern"
}

make_root ca-certificates,curl,bind9-dnsutils,systemd,systemd-sysv,dbus,logrotate,apparmor
work=$root/work
mkdir "$root/debs" "$work" && cp "$debs"/larder-{proxy,dns,tools}_*.deb "$root/debs/" ||
    { echo "FAILED: no packages in $debs"; exit 1; }
check "what the packages need is there" inside sh -c \
    'apt-get update -q && apt-get install -qy --download-only --no-install-recommends /debs/*.deb'
boot_root
check "systemd runs" booted systemctl --failed --no-pager

origin=127.0.0.1:8080
kept=http://$origin/o/kept/50000
"${network[@]}" python3 "$here/../lib/origin.py" --listen "$origin" >"$work/origin" 2>&1 &
server=$!
soon grep -qs ready "$work/origin" || { echo "FAILED: the origin does not start"; exit 1; }

echo "--- installed"
check "the packages are installed" booted sh -c 'apt-get install -qy --no-install-recommends /debs/*.deb'
[ $failed = 0 ] || exit 1
units="larder-proxy.service larder-dns.service"
sockets="larder-proxy.socket larder-dns.socket"
check "both are active, so they have said that they are ready" active $units
check "systemd finds nothing wrong in the units" booted systemd-analyze verify --man=no $units $sockets
check "nor do they say what it does not understand" fails booted sh -c \
    "journalctl -q -b | grep -e '/larder-.*\(Unknown\|ignoring\)'"
for unit in $units; do
    check "$unit is not much exposed" booted systemd-analyze security --no-pager --threshold=20 $unit
done
check "AppArmor's parser takes the profiles" booted apparmor_parser --skip-kernel-load --skip-cache \
    /etc/apparmor.d/usr.sbin.larder-proxy /etc/apparmor.d/usr.sbin.larder-dns

as_nobody="setpriv --reuid nobody --regid nogroup --clear-groups"
check "larderctl asks the proxy" booted larderctl status
check "larderctl asks the redirector" booted larderctl dns
check "so may somebody without privileges" booted $as_nobody larderctl status
check "and of the redirector" booted $as_nobody larderctl dns

echo "--- what they may do"
booted mkdir -p /home/somebody
confined() { # UNIT USER OWN-FOLDER
    local pid
    pid=$(main_pid "$1")
    check "$2 runs it, with no capabilities, no new ones, and filtered calls" booted sh -c "
        cat /proc/$pid/status
        [ \$(stat -c %U /proc/$pid) = $2 ] || exit 1
        for line in 'CapEff:.0*' 'CapPrm:.0*' 'CapAmb:.0*' 'NoNewPrivs:.1' 'Seccomp:.2'; do
            grep -qx \"\$line\" /proc/$pid/status || exit 1
        done"
    check "it sees a system that cannot be changed, and no homes" booted nsenter --target "$pid" --mount sh -c '
        for place in /etc /usr /boot /var/lib /root /opt; do ! touch $place/ours || exit 1; done
        [ -z "$(ls -A /home /root | grep -v :)" ] && [ ! -e /dev/mem ] && [ ! -e /dev/kmsg ]'
    check "but what is its own" booted nsenter --target "$pid" --mount setpriv --reuid "$2" --regid "$2" \
        --clear-groups sh -c "for place in $3 /tmp; do touch \$place/ours && rm \$place/ours || exit 1; done"
    check "and no processes of others" booted nsenter --target "$pid" --mount setpriv --reuid "$2" --regid "$2" \
        --clear-groups sh -c '! ls -d /proc/1 && ls -d /proc/self'
}
confined larder-proxy larder '/var/cache/larder /var/lib/larder /var/log/larder /run/larder'
confined larder-dns larder-dns '/var/lib/larder-dns /var/log/larder-dns /run/larder-dns'

echo "--- reloaded"
proxy_says() { # STATUS [CACHE-STATUS]
    booted curl -so /dev/null -w '%{http_code} %header{cache-status}\n' -x http://127.0.0.1:3128 "$kept" |
        grep "^$1 .*${2:-}"
}
dns_says() { # NAME ADDRESS
    booted dig +short +time=5 @127.0.0.1 -p 5300 "$1.cdn.example.net" | grep -qx "$2"
}
check "a loopback origin is refused" proxy_says 403
echo 'allow-targets: [127.0.0.0/8]' >>"$root/etc/larder/proxy.yaml"
sed -i 's/^      - { name: www/      - { name: new, records: ["A 192.0.2.7"] }\n&/' "$root/etc/larder/dns.yaml"
pids=$(main_pid $units)
check "systemctl reload" booted systemctl reload $units
check "the proxy goes by the new configuration" soon proxy_says 200
check "so does the redirector" soon dns_says new 192.0.2.7
for name in proxy dns; do
    cp "$root/etc/larder/$name.yaml" "$work/$name.yaml"
    echo 'no-such: 1' >>"$root/etc/larder/$name.yaml"
    check "$name: a wrong one is refused" fails booted systemctl reload larder-$name
    check "the journal says where it is wrong" journal larder-$name "/etc/larder/$name.yaml:[0-9]*:.*no-such"
    booted systemctl kill --signal=HUP larder-$name
    check "so it does, as an error, when nobody has checked before" soon said journal larder-$name reload_refused -p err
    cp "$work/$name.yaml" "$root/etc/larder/$name.yaml"
    check "it is active" active larder-$name
done
check "the proxy goes by the old one" proxy_says 200
check "so does the redirector" dns_says new 192.0.2.7
[ "$pids" = "$(main_pid $units)" ]
check "both are the same processes as before" [ $? = 0 ]

echo "--- logs"
check "logs are turned" booted sh -c 'until [ -s /var/log/larder/access.log ]; do sleep 0.1; done
    logrotate -f /etc/logrotate.d/larder-proxy && logrotate -f /etc/logrotate.d/larder-dns && ls /var/log/larder/access.log.1'
check "a page from the cache" proxy_says 200 'hit'
check "the new one is written to" soon booted test -s /var/log/larder/access.log
check "it is for the administrators to read, and for nobody else" booted sh -c '
    setpriv --reuid nobody --regid adm --clear-groups head -1 /var/log/larder/access.log /var/log/larder/access.log.1 &&
    ! setpriv --reuid nobody --regid nogroup --clear-groups cat /var/log/larder/access.log'

echo "--- hanging and crashing"
for unit in $units; do # half a minute is long
    mkdir -p "$root/etc/systemd/system/$unit.d"
    printf '[Service]\nWatchdogSec=10\n' >"$root/etc/systemd/system/$unit.d/watchdog.conf"
done
fresh() { booted systemctl reset-failed; } # starts by hand count for StartLimitBurst, too
booted systemctl daemon-reload
check "restarted" booted systemctl restart $units
for unit in $units; do
    fresh
    pid=$(main_pid $unit)
    booted systemctl kill --signal=STOP $unit
    check "$unit: one that hangs is started anew" soon another $unit "$pid"
    check "because it hung, says systemd" booted sh -c "journalctl -q -b | grep -q '$unit: Watchdog timeout'"
    pid=$(main_pid $unit)
    booted systemctl kill --signal=KILL $unit
    check "$unit: one that was killed is started anew" soon another $unit "$pid"
done
check "what was stored is there" proxy_says 200 'hit'
check "the redirector answers" dns_says new 192.0.2.7
fresh
check "a clean end takes the marks of crashes away" booted systemctl restart larder-proxy
for crash in 1 2; do
    pid=$(main_pid larder-proxy)
    booted systemctl kill --signal=SEGV larder-proxy
    check "crash $crash: it is started anew" soon another larder-proxy "$pid"
done
check "after two crashes the store is moved aside, and an error says so" journal larder-proxy store_moved_aside -p err
check "it is there to be looked at" booted sh -c 'ls /var/cache/larder/aside-*/index.mdb'
check "the cache begins empty" proxy_says 200 'fwd='
check "and keeps again" proxy_says 200 'hit'

# Nobody is refused while COMMAND… runs.
nobody_refused() { # WHAT COMMAND…
    local what=$1 asker status
    shift
    rm -f "$work"/asked.*
    "${network[@]}" "$here/../lib/asker.py" http 3128 "$kept" >"$work/asked.proxy" 2>&1 &
    askers=($!)
    "${network[@]}" "$here/../lib/asker.py" dns 5300 new.cdn.example.net >"$work/asked.dns" 2>&1 &
    askers+=($!)
    soon grep -qs asking "$work/asked.proxy" && soon grep -qs asking "$work/asked.dns" ||
        { echo "FAILED: nobody is answered"; cat "$work"/asked.*; failed=1; }
    check "$what" "$@"
    sleep 0.5 # who has come meanwhile
    for asker in proxy dns; do
        kill "${askers[0]}"
        wait "${askers[0]}"
        status=$?
        check "nobody is refused, $asker: $(sed -n '/answered/p' "$work/asked.$asker")" \
            sh -c "cat '$work/asked.$asker'; exit $status"
        askers=("${askers[@]:1}")
    done
}

echo "--- sockets of systemd"
fresh
check "the sockets are systemd's" booted sh -c "systemctl stop $units && systemctl enable --now $sockets"
check "nothing runs yet" fails active $units
check "who asks is answered" proxy_says 200 'hit'
check "who asks for a name, too" dns_says new 192.0.2.7
check "both run" soon active $units
check "all sockets were taken" fails booted sh -c "journalctl -q -u larder-proxy -u larder-dns | grep inherited_unused"
booted touch /run/larder/socket /run/larder-dns/socket
nobody_refused "restarted" booted systemctl restart $units
check "sockets of others in their folders are there" booted rm /run/larder/socket /run/larder-dns/socket
fresh
nobody_refused "stopped and started" booted sh -c "systemctl stop $units; systemctl start $units"
fresh
pids=$(main_pid $units)
next_version "$root"/debs/*.deb
nobody_refused "upgraded to the next packages" booted sh -c \
    'apt-get install -qy --no-install-recommends -o Dpkg::Options::=--force-confold /debs/*.deb && dpkg-query -W larder-proxy | grep -q next'
[ "$pids" != "$(main_pid $units)" ]
check "other processes run" [ $? = 0 ]

echo "--- a newer process takes over"
check "the sockets are its own again" booted sh -c "systemctl disable --now $sockets; systemctl stop $units"
echo 'takeover: /run/larder/takeover' >>"$root/etc/larder/proxy.yaml"
sed -i '/^state:/d; $a takeover: /run/larder-dns/takeover' "$root/etc/larder/dns.yaml"
for name in proxy dns; do
    printf '[Service]\nNotifyAccess=all\nExecReload=\nExecReload=/usr/bin/larderctl upgrade%s\n' \
        "$([ $name = proxy ] || echo ' --dns')" \
        >"$root/etc/systemd/system/larder-$name.service.d/upgrade.conf"
done
fresh
check "started" booted sh -c "systemctl daemon-reload && systemctl start $units"
upgrade() { # twice: the newer one is taken over from, too
    local unit pid
    for unit in $units $units; do
        pid=$(main_pid $unit)
        echo "$unit: $pid"
        booted systemctl reload $unit && soon another $unit "$pid" &&
            soon booted sh -c "[ ! -e /proc/$pid ]" || return 1
    done
}
nobody_refused "systemctl reload starts a newer process, and MAINPID follows" upgrade
echo 'no-such: 1' >>"$root/etc/larder/proxy.yaml"
pid=$(main_pid larder-proxy)
check "one that does not start takes nothing over" fails booted systemctl reload larder-proxy
[ "$pid" = "$(main_pid larder-proxy)" ]
check "the older one still serves" [ $? = 0 ]
sed -i '$d' "$root/etc/larder/proxy.yaml"
for unit in $units; do
    fresh
    pid=$(main_pid $unit)
    booted systemctl kill --signal=STOP $unit
    check "$unit: the watchdog looks at the newer one" soon another $unit "$pid"
done
rm "$root"/etc/systemd/system/larder-*.service.d/*.conf
booted systemctl daemon-reload

echo "--- booted again"
fresh
check "stopped" booted systemctl stop $units
check "both ended well" booted sh -c "[ \$(systemctl show -P Result $units | grep -c success) = 2 ]"
check "sockets and services are enabled" booted systemctl enable $units $sockets
kill $server
unboot_root
boot_root
check "all is active after a boot" soon active $units $sockets
check "the store is as it was" journal larder-proxy 'ready .*store=/var/cache/larder'
check "names are answered" dns_says new 192.0.2.7

echo "--- removed"
check "removed" booted apt-get remove -qy larder-proxy larder-dns larder-tools
check "nothing runs" fails booted sh -c 'grep -l larder /proc/[0-9]*/comm'
check "nothing listens" fails booted curl -sS http://127.0.0.1:3128/
check "systemd has nothing of it" fails booted systemctl is-active $units $sockets
check "configuration and cache are there" booted sh -c 'ls /etc/larder/proxy.yaml /var/cache/larder/index.mdb'
check "purged" booted apt-get purge -qy larder-proxy larder-dns larder-tools
check "nothing is left" booted sh -c '! find / -path /proc -prune -o -path /sys -prune -o -path /debs -prune -o \
    -name "*larder*" -print | grep .'
[ $failed = 0 ] && echo "systemd: ok"
exit $failed
