#!/bin/bash
# Two replicas and the redirector: replicas.sh BUILD
#
# dig with two client subnets is sent to two replicas; curl follows each; the origin sees one fetch
# per replica; the clients of a killed replica are sent to the other, and back when it returns.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ports.sh"
build=$1
for tool in dig curl python3; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done

dir=$(mktemp -d "${TMPDIR:-/tmp}/larder-replicas.XXXXXX")
pids=()
finish() {
    kill "${pids[@]}" 2>/dev/null
    wait 2>/dev/null
    rm -rf "$dir"
}
trap finish EXIT
take_ports 4
http=${ports[0]} admin=${ports[1]} dns=${ports[2]} origin=127.0.0.1:${ports[3]}
near_a=10.1.2.0/24 near_b=10.2.3.0/24
host=www.cdn.example.net
failed=0

expect() { # WHAT GOT WANTED
    if [ "$2" = "$3" ]; then
        echo "ok: $1: $2"
    else
        echo "FAILED: $1: got '$2', wanted '$3'"
        failed=1
    fi
}

replica() { # ADDRESS: starts one, sets $started
    "$build/proxy/larder-proxy" --listen "$1:$http" --admin "$1:$admin" --allow 127.0.0.0/8 \
        --allow-target 127.0.0.0/8 --site "$host=http://$origin" --store "$dir/$1" \
        --store-size 64MiB --workers 1 &
    started=$!
    pids+=("$started")
    await_port "$1:$http" $started || { echo "FAILED: the replica $1 did not start"; exit 1; }
}

answer() { # SUBNET: the address the redirector gives to a client there
    dig +short +tries=1 +time=20 +subnet="$1" @127.0.0.1 -p "$dns" $host A
}

scope() { # SUBNET: the part of it the answer holds for
    dig +tries=1 +time=20 +subnet="$1" @127.0.0.1 -p "$dns" $host A |
        sed -n 's/^; CLIENT-SUBNET: //p'
}

fetch() { # SUBNET PATH: the body as a client there gets it
    local address
    address=$(answer "$1")
    curl -sS --max-time 60 --resolve "$host:$http:$address" "http://$host:$http$2"
}

moves() { # SUBNET ADDRESS: waits until the answer is that address, prints how long it took
    local began=$SECONDS tries
    for ((tries = 0; tries < 300; tries++)); do
        [ "$(answer "$1")" = "$2" ] && break
        sleep 0.1
    done
    echo "(after $((SECONDS - began)) s)"
}

python3 "$here/../lib/origin.py" --listen "$origin" >/dev/null &
pids+=($!)
await_port "$origin" $!
replica 127.0.0.11
replica_a=$started
replica 127.0.0.12

cat >"$dir/dns.yaml" <<YAML
replicas:
  - { name: a, addresses: [127.0.0.11], admin: "http://127.0.0.11:$admin" }
  - { name: b, addresses: [127.0.0.12], admin: "http://127.0.0.12:$admin" }
zones:
  - name: cdn.example.net
    nameservers: [ns1.cdn.example.net]
    names:
      - { name: www, policy: nearest, answers: 1, ttl: 5s }
nearest:
  map:
    - { prefix: 10.1.0.0/16, replica: a }
    - { prefix: 10.2.0.0/16, replica: b }
health: { interval: 2s, timeout: 700ms }
load: { ramp: 1s }
YAML
"$build/dnsredir/larder-dns" --listen "127.0.0.1:$dns" --config "$dir/dns.yaml" --workers 1 &
pids+=($!)
await_port "127.0.0.1:$dns" $! || { echo "FAILED: larder-dns did not start"; exit 1; }

echo "two client subnets, two replicas"
moves $near_a 127.0.0.11
expect "a client in $near_a" "$(answer $near_a)" 127.0.0.11
expect "a client in $near_b" "$(answer $near_b)" 127.0.0.12
expect "the answer's scope" "$(scope $near_a)" 10.1.2.0/24/16

echo "each replica fetches once"
want=$(curl -sS "http://$origin/o/7/5000" | sha256sum)
curl -sS "http://$origin/reset" >/dev/null
for subnet in $near_a $near_b; do
    for _ in 1 2 3; do
        expect "the body in $subnet" "$(fetch $subnet /o/7/5000 | sha256sum)" "$want"
    done
done
expect "requests at the origin" \
    "$(curl -sS "http://$origin/counters" | python3 -c 'import json, sys
print(json.load(sys.stdin)["requests"])')" 2

echo "a killed replica loses its clients"
kill -9 "$replica_a"
wait "$replica_a" 2>/dev/null
moves $near_a 127.0.0.12
expect "a client in $near_a" "$(answer $near_a)" 127.0.0.12
expect "the body from there" "$(fetch $near_a /o/7/5000 | sha256sum)" "$want"
expect "requests at the origin" \
    "$(curl -sS "http://$origin/counters" | python3 -c 'import json, sys
print(json.load(sys.stdin)["requests"])')" 2

echo "and gets them back"
replica 127.0.0.11
moves $near_a 127.0.0.11
expect "a client in $near_a" "$(answer $near_a)" 127.0.0.11
expect "the body from its store" "$(fetch $near_a /o/7/5000 | sha256sum)" "$want"
exit $failed
