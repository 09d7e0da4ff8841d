# What the scripts with headless Chromium share, for "." with ports.sh before it and $build set: an
# origin, plain and over TLS, and a name for it. Skips the test where a program is missing.
#
# Sets $dir, which is removed at the end, $name and $key, which a browser is told to trust; $proxy,
# $admin, $plain, $tls and $dns are addresses. What runs is in $pids, and ended at the end.
browser=$(cd "$(dirname "${BASH_SOURCE[0]}")/../scenario/browser" && pwd)
for tool in chromium node npm openssl curl python3; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done
(cd "$browser" && npm ci --silent --no-audit --no-fund >/dev/null 2>&1) ||
    skip "playwright-core cannot be installed"

dir=$(mktemp -d "${TMPDIR:-/tmp}/larder-browser.XXXXXX")
pids=()
finish() {
    kill "${pids[@]}" 2>/dev/null
    wait 2>/dev/null
    rm -rf "$dir"
}
trap finish EXIT
take_ports 5
proxy=127.0.0.1:${ports[0]} admin=127.0.0.1:${ports[1]} dns=127.0.0.1:${ports[4]}
plain=127.0.0.1:${ports[2]} tls=127.0.0.1:${ports[3]}
name=page.example.net # with a PAC file Chromium never sends loopback addresses to a proxy
failed=0
export TMPDIR=$dir HOME=$dir

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$name \
    -addext "subjectAltName=DNS:$name,IP:127.0.0.1" -keyout "$dir/key" -out "$dir/cert" 2>/dev/null
key=$(openssl x509 -in "$dir/cert" -noout -pubkey | openssl pkey -pubin -outform der |
    openssl dgst -sha256 -binary | base64)
cat >"$dir/dns.yaml" <<YAML
zones:
  - name: example.net
    nameservers: [ns.example.net]
    names:
      - { name: page, records: ["A 127.0.0.1"] }
      - { name: ns, records: ["A 127.0.0.1"] }
YAML

start_origins() {
    python3 "$browser/../../lib/origin.py" --listen "$plain" >/dev/null &
    pids+=($!)
    python3 "$browser/../../lib/origin.py" --listen "$tls" --tls "$dir/cert" "$dir/key" >/dev/null &
    pids+=($!)
    "$build/dnsredir/larder-dns" --listen "$dns" --config "$dir/dns.yaml" 2>"$dir/dns.log" &
    pids+=($!)
}

# start_proxy OPTION...: with the listener in the options; returns when everything can be asked.
start_proxy() {
    local address
    "$build/proxy/larder-proxy" --admin "$admin" --allow 127.0.0.0/8 --allow-target 127.0.0.0/8 \
        --connect-ports 443,1024-65535 --store "$dir/store" --store-size 64MiB --workers 1 \
        --set "nameservers=$dns" --set "log.access=$dir/access.log" "$@" 2>"$dir/log" &
    pids+=($!)
    for address in "$plain" "$tls" "$dns" "$admin" "$proxy"; do
        await_port "$address" $! ||
            { echo "FAILED: nothing listens on $address"; cat "$dir/log" "$dir/dns.log"; exit 1; }
    done
}

# chromium_loads WAY PROXY PAC URL [again]: one line of JSON; see browser.mjs.
chromium_loads() {
    (cd "$browser" && node browser.mjs "$(command -v chromium)" "$1" "$2" "$3" "$4" "$key" "${@:5}")
}
