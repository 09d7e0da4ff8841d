#!/bin/bash
# DNS redirection beside the peers: bench/dns.sh BUILD
#
# The same world for every server: 16 replicas, 20,000 client networks, one name whose address
# depends on the network. One serving thread on core 0, dnsperf on core 1, loopback, UDP. Rounds go
# server by server so that a noisy minute hits all of them. Prints server CPU per query, from /proc,
# and what part of it is the program's own (user). "limit" answers with canned bytes, 32 a system
# call: what this kernel takes.
# "resolver": dnsperf without a client subnet. "subnets": a query for each of the 20,000 networks in
# turn; each answer is looked at. Settings: ROUNDS (5), SECONDS_EACH (4), PEERS.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tests/lib/ports.sh"
build=$(cd "$1" && pwd)
rounds=${ROUNDS:-5} seconds=${SECONDS_EACH:-4}
peers=(${PEERS:-larder limit gdnsd knot pdns})

dir=$(mktemp -d "${TMPDIR:-/var/tmp}/larder-bench.XXXXXX")
chmod 755 "$dir"
declare -A pid port
finish() {
    local peer
    for peer in "${!pid[@]}"; do
        kill "${pid[$peer]}" 2>/dev/null || true # one may have ended already
    done
    wait 2>/dev/null
    rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

networks() { # FORMAT: one line per network; %1 stands for it, %2 for the number of its replica, 1-16
    awk -v format="$1" 'BEGIN {
        for (i = 0; i <= 20000; i++) {
            line = format
            gsub("%1", i < 20000 ? "10." int(i / 256) "." i % 256 ".0/24" : "127.0.0.0/8", line)
            gsub("%2", i * 7 % 16 + 1, line)
            print line
        }
    }'
}

larder() {
    networks '%1,r%2' >nets.csv
    {
        echo "listen: ['127.0.0.1:$1']"
        echo "replicas:"
        for n in $(seq 16); do echo "  - { name: r$n, addresses: [192.0.2.$n] }"; done
        echo "nearest: { map-file: nets.csv }"
        echo "zones:"
        echo "  - name: bench.example"
        echo "    nameservers: [ns.bench.example]"
        echo "    names:"
        echo "      - { name: ns, records: ['A 127.0.0.1'] }"
        echo "      - { name: www, policy: nearest, answers: 1, ttl: 30s }"
    } >dns.yaml
    exec "$build/dnsredir/larder-dns" --config dns.yaml
}

gdnsd() {
    mkdir -p geoip zones run state
    networks '%1 => [ r%2 ]' >geoip/nets
    {
        echo "options => { listen => 127.0.0.1:$1, udp_threads => 1, tcp_threads => 1,"
        echo "  run_dir => $PWD/run, state_dir => $PWD/state, acme_challenge_ttl => 60 }"
        echo "plugins => { geoip => {"
        echo "  maps => { m => { nets => nets, datacenters => [ $(seq -s, -f 'r%g' 16) ] } },"
        echo "  resources => { www => { map => m, service_types => up, dcmap => {"
        for n in $(seq 16); do echo "    r$n => 192.0.2.$n,"; done
        echo "} } } } }"
    } >config
    printf '@ SOA ns hostmaster 1 7200 1800 604800 60\n@ NS ns\nns A 127.0.0.1\nwww 30 DYNA geoip!www\n' \
        >zones/bench.example
    exec gdnsd -c "$PWD" start
}

knot() {
    { echo "www.bench.example:"; networks '  - net: %1
    A: 192.0.2.%2'; } >geo.conf
    printf '@ 30 SOA ns hostmaster 1 7200 1800 604800 60\n@ NS ns\nns A 127.0.0.1\nwww A 192.0.2.1\n' \
        >bench.zone
    cat >knot.conf <<END
server:
    listen: 127.0.0.1@$1
    rundir: $PWD
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    edns-client-subnet: on
database:
    storage: $PWD
mod-geoip:
  - id: g
    config-file: $PWD/geo.conf
    ttl: 30
    mode: subnet
zone:
  - domain: bench.example
    file: $PWD/bench.zone
    module: mod-geoip/g
END
    exec knotd -c knot.conf
}

pdns() {
    {
        echo "domains:"
        echo "  - domain: bench.example"
        echo "    ttl: 30"
        echo "    records:"
        echo "      bench.example:"
        echo "        - soa: ns.bench.example hostmaster.bench.example 1 7200 1800 604800 60"
        echo "        - ns: ns.bench.example"
        echo "      ns.bench.example: [ a: 127.0.0.1 ]"
        for n in $(seq 16); do echo "      r$n.bench.example: [ a: 192.0.2.$n ]"; done
        echo "    services:"
        echo "      www.bench.example:"
        echo "        default: [ r1.bench.example ]"
        networks '        %1: [ r%2.bench.example ]'
    } >zones.yaml
    exec pdns_server --config-dir="$PWD" --socket-dir="$PWD" --launch=geoip \
        --geoip-zones-file="$PWD/zones.yaml" --geoip-database-files= \
        --local-address=127.0.0.1 --local-port="$1" --edns-subnet-processing=yes \
        --receiver-threads=1 --distributor-threads=1 --daemon=no --guardian=no \
        --webserver=no --control-console=no --disable-syslog --loglevel=3
}

limit() {
    exec "$build/bench/udp" "$1"
}

ask() { # PEER: the address for a client in 10.3.4.0/24
    dig @127.0.0.1 -p "${port[$1]}" +short +tries=1 +time=1 +subnet=10.3.4.0/24 www.bench.example |
        grep -v '^;' || true
}

start() { # PEER
    mkdir "$dir/$1"
    (
        cd "$dir/$1"
        "$1" "${port[$1]}" >log 2>&1
    ) &
    pid[$1]=$!
    for ((try = 0; ; try++)); do
        [ -z "$(ask "$1")" ] || break
        if [ $try = 100 ] || ! kill -0 "${pid[$1]}" 2>/dev/null; then
            tail "$dir/$1/log"
            echo "$1 did not start"
            exit 1
        fi
        sleep 0.1
    done
    for task in "/proc/${pid[$1]}/task/"*; do
        taskset -cp 0 "${task##*/}" >/dev/null
    done
}

cpu() { # PID: "user kernel" in clock ticks
    sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12, $13 }'
}

measure() { # ROUND PEER WORLD COMMAND…, the load: one line, CPU in µs per query
    local round=$1 peer=$2 world=$3 before after answered
    shift 3
    before=$(cpu "${pid[$peer]}")
    answered=$("$@" | tee -a "$dir/loads-$peer" | sed -n 's/.*Queries completed: *\([0-9]*\).*/\1/p; s/ answered.*//p')
    after=$(cpu "${pid[$peer]}")
    echo "$before $after $answered" |
        awk -v tick="$(getconf CLK_TCK)" -v s="$seconds" -v w="$round $world $peer" '{
            user = ($3 - $1) / tick / $5 * 1e6; all = user + ($4 - $2) / tick / $5 * 1e6
            printf "%s %.2f %.2f %d\n", w, all, user, $5 / s }' | tee -a "$dir/results"
}

echo "www.bench.example A" >"$dir/queries"
mapfile -t ports < <(free_ports "${#peers[@]}")
for i in "${!peers[@]}"; do
    port[${peers[$i]}]=${ports[i]}
    start "${peers[$i]}"
done
for peer in "${peers[@]}"; do
    got=$(ask "$peer")
    [ "$got" = 192.0.2.13 ] || { echo "$peer answers '$got', not 192.0.2.13"; exit 1; }
done

echo "round world server total-µs user-µs queries/s"
for ((round = 1; round <= rounds; round++)); do
    for peer in "${peers[@]}"; do
        measure $round "$peer" resolver taskset -c 1 dnsperf -s 127.0.0.1 -p "${port[$peer]}" \
            -d "$dir/queries" -l "$seconds" -q 100 -c 8
    done
    for peer in "${peers[@]}"; do
        measure $round "$peer" subnets taskset -c 1 "$build/bench/ecsload" "${port[$peer]}" "$seconds"
    done
done
echo
echo "medians: world server total-µs user-µs queries/s, total and user as multiples of larder"
for world in resolver subnets; do
    for peer in "${peers[@]}"; do
        for column in 4 5 6; do
            awk -v w=$world -v p="$peer" -v c=$column '$2 == w && $3 == p { print $c }' \
                "$dir/results" | sort -n | sed -n "$(((rounds + 1) / 2))p"
        done | paste -sd' ' | sed "s/^/$world $peer /"
    done
done | awk '$2 == "larder" { all[$1] = $3; user[$1] = $4 }
    { printf "%s  %.2f  %.2f\n", $0, all[$1] ? $3 / all[$1] : 0, user[$1] ? $4 / user[$1] : 0 }'
for peer in "${peers[@]}"; do
    [ "$peer" = limit ] || sed -n 's/.* answered, \([1-9].*\)/\1/p' "$dir/loads-$peer" | sed "s/^/$peer: /"
done
