#!/bin/bash
# larder-dns with two stand-in replicas: what a resolver sees, what a failure changes, and that a
# reload under load loses nothing.
#
# usage: dns.sh PATH-OF-LARDER-DNS
set -u
larder_dns=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=../lib/ports.sh
. "$here/lib/ports.sh"
command -v dig >/dev/null || skip "dig is missing (bind9-dnsutils)"

dir=$(mktemp -d)
take_ports 4
dns_port=${ports[0]} admin_port=${ports[1]} fra_port=${ports[2]} nyc_port=${ports[3]}
pids=()
failures=0

cleanup() {
    local pid
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    cat "$dir/log"
    rm -rf "$dir"
}
trap cleanup EXIT

expect() { # WHAT WANT GOT
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        echo "FAILED: $1: expected '$2', got '$3'"
        failures=$((failures + 1))
    fi
}

ask() { # dig's arguments
    dig @127.0.0.1 -p "$dns_port" +tries=3 +time=20 +norecurse "$@"
}

status_of() { # dig's arguments
    ask "$@" | sed -n 's/.*status: \([A-Z]*\),.*/\1/p'
}

scope_of() { # dig's arguments
    ask "$@" | sed -n 's/.*CLIENT-SUBNET: //p'
}

# Asks until the answer is WANT, at most N tenths of a second; prints how many it took.
tenths_until() { # N WANT dig's arguments
    local most=$1 want=$2 n
    shift 2
    for ((n = 0; n < most; n++)); do
        [ "$(ask +short "$@")" = "$want" ] && break
        sleep 0.1
    done
    echo "$n"
}

replica() { # PORT NAME
    python3 "$here/lib/ready.py" "$1" "$dir/$2.drained" &
    pids+=($!)
}

config() { # ADDRESS-OF-EXTRA
    cat >"$dir/dns.yaml" <<YAML
listen: ["127.0.0.1:$dns_port"]
admin: { address: "127.0.0.1:$admin_port" }
health: { interval: 2s, timeout: 750ms }
tcp: { connections: 50, timeout: 2s }
replicas:
  - { name: fra, addresses: [192.0.2.10], location: [50.11, 8.68], admin: "http://127.0.0.1:$fra_port" }
  - { name: nyc, addresses: [198.51.100.10], location: [40.71, -74.01], admin: "http://127.0.0.1:$nyc_port" }
nearest:
  map: [{ prefix: 10.1.0.0/16, replica: fra }, { prefix: 10.2.0.0/16, replica: nyc }]
  map-file: nets.csv
  geoip: places.mmdb
zones:
  - name: cdn.example.net
    nameservers: [ns1.cdn.example.net, ns2.cdn.example.net]
    names:
      - { name: ns1, records: ["A 192.0.2.53"] }
      - { name: www, policy: nearest, ttl: 30s }
      - { name: "v[1-24].lscache[1-8]", policy: hashed, replicas: [fra, nyc] }
      - { name: extra, records: ["A $1"] }
      - { name: big, records: [$(for i in $(seq 1 200); do printf '"A 10.9.%d.1", ' "$i"; done)] }
YAML
}

for n in {0..255}; do # no subshells: there are 16,384 lines
    order=fra,nyc
    [ $((n % 2)) = 0 ] || order=nyc,fra
    for m in {64..127}; do
        echo "100.$m.$n.0/24,$order"
    done
done >"$dir/nets.csv"
python3 "$here/lib/mmdb.py" "$dir/places.mmdb" 172.16.0.0/16=48.85,2.35 172.17.0.0/16=39.95,-75.16 \
    2001:db8::/32=52.52,13.40 || exit 1
config 192.0.2.1
"$larder_dns" --config "$dir/dns.yaml" --check
expect "--check accepts the configuration" 0 $?

replica "$fra_port" fra
fra_pid=$!
replica "$nyc_port" nyc
nyc_pid=$!
await_port "127.0.0.1:$fra_port" "$fra_pid" && await_port "127.0.0.1:$nyc_port" "$nyc_pid" || exit 1
"$larder_dns" --config "$dir/dns.yaml" 2>"$dir/log" &
dns_pid=$!
pids+=("$dns_pid")
await_port "127.0.0.1:$dns_port" "$dns_pid" || exit 1

fra=192.0.2.10
nyc=198.51.100.10
name=www.cdn.example.net
expect "a client subnet in the map" $fra "$(ask +short +subnet=10.1.2.0/24 $name)"
expect "another one" $nyc "$(ask +short +subnet=10.2.2.0/24 $name)"
expect "its scope" 10.2.2.0/24/16 "$(scope_of +subnet=10.2.2.0/24 $name)"
expect "the map file" $nyc "$(ask +short +subnet=100.64.1.0/24 $name)"
expect "by distance, near Paris" $fra "$(ask +short +subnet=172.16.5.0/24 $name)"
expect "by distance, near Philadelphia" $nyc "$(ask +short +subnet=172.17.5.0/24 $name)"
expect "by distance, IPv6" $fra "$(ask +short +subnet=2001:db8:5::/48 $name)"
expect "a negative answer has scope 0" 10.2.2.0/24/0 "$(scope_of +subnet=10.2.2.0/24 no.cdn.example.net)"
expect "over TCP" $nyc "$(ask +short +tcp +subnet=10.2.2.0/24 $name)"
expect "no such name" NXDOMAIN "$(status_of no.cdn.example.net)"
expect "not our zone" REFUSED "$(status_of www.example.org)"
expect "no transfers" REFUSED "$(status_of +noall +comments cdn.example.net TYPE252)"
expect "an unknown opcode" NOTIMP "$(status_of +opcode=STATUS $name)"
expect "an unknown EDNS version" BADVERS "$(status_of +edns=7 +noednsnegotiation $name)"
expect "200 addresses come by TCP" 200 "$(ask +short big.cdn.example.net | wc -l)"
expect "and not by UDP" 0 "$(ask +short +ignore big.cdn.example.net | wc -l)"

python3 "$here/lib/dns_attack.py" "$dns_port" $name big.cdn.example.net 50
expect "hostile peers do not matter" 0 $?

for v in $(seq 1 24); do
    for l in $(seq 1 8); do
        echo "v$v.lscache$l.cdn.example.net A"
    done
done >"$dir/names"
expect "192 names of one pattern" 192 "$(ask +short -f "$dir/names" | grep -c -e $fra -e $nyc)"
expect "on two replicas" 2 "$(ask +short -f "$dir/names" | sort -u | wc -l)"
expect "and no more names" NXDOMAIN "$(status_of v25.lscache1.cdn.example.net)"

kill "$fra_pid"
took=$(tenths_until 80 $nyc +subnet=10.1.2.0/24 $name)
expect "a replica that died leaves within two intervals (took $took/10 s)" 1 "$((took <= 40))"
touch "$dir/nyc.drained"
took=$(tenths_until 600 $fra +subnet=10.1.2.0/24 $name)
expect "with nobody up the best known is given (took $took/10 s)" 1 "$((took < 600))"
expect "and counted" 1 "$(curl -s "http://127.0.0.1:$admin_port/metrics" |
    awk '$1 == "larder_dns_all_down_answers_total" { print ($2 > 0) }')"
rm "$dir/nyc.drained"
took=$(tenths_until 600 $nyc +subnet=10.1.2.0/24 $name)
expect "one that is ready again takes over (took $took/10 s)" 1 "$((took < 600))"

python3 "$here/lib/dns_load.py" "$dns_port" $name 3 >"$dir/load" &
load_pid=$!
for n in 2 3 4; do
    config 192.0.2.$n
    kill -HUP "$dns_pid"
    tenths_until 600 192.0.2.$n extra.cdn.example.net >"$dir/took"
    sleep 0.5
done
wait "$load_pid"
expect "reloads under load lose no query ($(cat "$dir/load"))" 0 $?
expect "the last configuration is served" 192.0.2.4 "$(ask +short extra.cdn.example.net)"
expect "what it notes is logged" 3 \
    "$(grep -c "reload_note .*dns.yaml:[0-9]*:[0-9]*: note: the name server ns2" "$dir/log")"
expect "health survives a reload" $nyc "$(ask +short +subnet=10.1.2.0/24 $name)"
echo "nonsense: true" >>"$dir/dns.yaml"
kill -HUP "$dns_pid"
for ((tenths = 0; tenths < 600; tenths++)); do
    grep -q " reload_refused " "$dir/log" && break
    sleep 0.1
done
expect "a faulty configuration is refused" 1 "$((tenths < 600))"
expect "a faulty configuration changes nothing" 192.0.2.4 "$(ask +short extra.cdn.example.net)"

end "$dns_pid"
expect "TERM ends it" 0 $?
[ "$failures" = 0 ]
