#!/bin/bash
# Hits beside the peers: bench/hits.sh BUILD
#
# One worker each on core 0, wrk with 64 connections on core 1, loopback only. Every server is
# filled with the same objects through its own proxying, then rounds go server by server so that a
# noisy minute hits all of them. Server CPU is user+system of all its processes from /proc.
# Settings: ROUNDS (3), SECONDS_EACH (4), SIZES, OBJECTS (10000; 1 MiB: LARGE_OBJECTS, 1000, because
# ten thousand would be 10 GiB for each of five caches), PEERS.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tests/lib/ports.sh"
build=$(cd "$1" && pwd)
rounds=${ROUNDS:-3} seconds=${SECONDS_EACH:-4}
sizes=(${SIZES:-1024 65536 1048576})
peers=(${PEERS:-larder nginx-sendfile nginx haproxy squid epoll})
limit_open=$(ulimit -Hn)
ulimit -n "$limit_open"

dir=$(mktemp -d "${TMPDIR:-/var/tmp}/larder-bench.XXXXXX")
chmod 755 "$dir" # squid does not stay root
declare -A pid port
finish() {
    local peer
    for peer in "${!pid[@]}"; do
        kill "${pid[$peer]}" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

mapfile -t ports < <(free_ports 16)
origin=127.0.0.1:${ports[0]}

count() { # SIZE: how many objects of it
    if [ "$1" -ge 1000000 ]; then echo "${LARGE_OBJECTS:-1000}"; else echo "${OBJECTS:-10000}"; fi
}

config() { # FILE LISTEN [SENDFILE]: a peer's configuration with the places filled in
    sed -e "s,@DIR@,$dir/$peer,g" -e "s,@LISTEN@,$2,g" -e "s,@ORIGIN@,$origin,g" \
        -e "s,@ORIGIN_HOST@,${origin%:*},g" -e "s,@ORIGIN_PORT@,${origin#*:},g" \
        -e "s,@SENDFILE@,${3:-on},g" "$here/peers/$1" >"$dir/$peer/config"
}

start() { # PEER: one server on core 0
    local peer=$1 at=127.0.0.1:${port[$1]}
    mkdir -p "$dir/$peer"
    case $peer in
    larder)
        set -- "$build/proxy/larder-proxy" --listen "$at" --workers 1 \
            --admin "127.0.0.1:${ports[15]}" --site "*=http://$origin" --allow 127.0.0.0/8 \
            --allow-target 127.0.0.0/8 --store "$dir/$peer/store" --store-size 8GiB --memory 256MiB
        ;;
    nginx) config nginx.conf "$at" off && set -- nginx -c "$dir/$peer/config" ;;
    nginx-sendfile) config nginx.conf "$at" on && set -- nginx -c "$dir/$peer/config" ;;
    haproxy) config haproxy.cfg "$at" && set -- haproxy -f "$dir/$peer/config" ;;
    squid) config squid.conf "$at" && set -- squid -N -d1 -n larderbench -f "$dir/$peer/config" ;;
    epoll) set -- "$build/bench/epoll" "${port[$peer]}" ;;
    esac
    taskset -c 0 "$@" >"$dir/$peer/log" 2>&1 &
    pid[$peer]=$!
    await_port "$at" "${pid[$peer]}" || { tail "$dir/$peer/log"; echo "$peer did not start"; exit 1; }
}

processes() { # PID: it and all its descendants
    local child
    echo "$1"
    for child in $(pgrep -P "$1"); do
        processes "$child"
    done
}

ticks() { # PID: "user system" of the whole program, in clock ticks
    local p
    for p in $(processes "$1"); do
        sed 's/.*) //' "/proc/$p/stat" 2>/dev/null
    done | awk '{ user += $12; kernel += $13 } END { print user, kernel }'
}

asked() { # requests the origin has seen
    curl -sS "http://$origin/counters" | python3 -c 'import json, sys
print(json.load(sys.stdin)["requests"])'
}

fill() { # PEER SIZE: every object once, 32 at a time
    local at=http://127.0.0.1:${port[$1]}
    taskset -c 1 curl -sSf --no-progress-meter -Z --parallel-max 32 -o /dev/null \
        "$at/o/[1-$(count "$2")]/$2" 2>"$dir/fill" && return
    tail -3 "$dir/fill"
    echo "filling $1 failed"
    exit 1
}

measure() { # ROUND PEER SIZE: one line of JSON
    local before after asked_before load
    asked_before=$(asked)
    before=$(ticks "${pid[$2]}")
    load=$(COUNT=$(count "$3") SIZE=$3 taskset -c 1 wrk -t1 -c64 -d"${seconds}s" \
        -s "$here/hits.lua" "http://127.0.0.1:${port[$2]}/" | tail -1)
    after=$(ticks "${pid[$2]}")
    python3 "$here/hits.py" line "$1" "$2" "$3" "$load" "$before" "$after" \
        $(($(asked) - asked_before)) | tee -a "$results"
}

results=$here/results/hits-$(date -u +%Y%m%dT%H%M%SZ).json
mkdir -p "$here/results"
python3 "$here/../tests/lib/origin.py" --listen "$origin" >/dev/null &
pid[origin]=$!
await_port "$origin" $!
for i in "${!peers[@]}"; do
    port[${peers[$i]}]=${ports[i + 1]}
    start "${peers[$i]}"
done

for size in "${sizes[@]}"; do
    for peer in "${peers[@]}"; do
        began=$SECONDS
        [ "$peer" = epoll ] || fill "$peer" "$size"
        echo "filled $peer with $(count "$size") objects of $size bytes in $((SECONDS - began)) s" >&2
    done
    sleep 3 # writers settle
    for peer in "${peers[@]}"; do
        [ "$peer" = epoll ] || fill "$peer" "$size" # each object touched once before it counts
    done
    for ((round = 1; round <= rounds; round++)); do
        for peer in "${peers[@]}"; do
            measure $round "$peer" "$size"
        done
    done
done
echo
python3 "$here/hits.py" table "$results"
echo "written to $results"
