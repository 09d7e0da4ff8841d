#!/bin/bash
# Headless Chromium whose proxy is an HTTPS proxy: browser_h2.sh BUILD
#
# A PAC file says "HTTPS host:port". A page of 60 objects, plain, again, and over https through
# CONNECT streams: by Chromium's net-log all of a page is streams of one HTTP/2 connection, and by the
# proxy's count it speaks nothing else.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ports.sh"
build=$1
for tool in chromium node npm openssl curl python3; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done
(cd "$here/browser" && npm ci --silent --no-audit --no-fund >/dev/null 2>&1) ||
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
proxy=127.0.0.1:${ports[0]} admin=127.0.0.1:${ports[1]}
plain=127.0.0.1:${ports[2]} tls=127.0.0.1:${ports[3]} dns=127.0.0.1:${ports[4]}
name=page.example.net # with a PAC file Chromium never sends loopback addresses to a proxy
export TMPDIR=$dir HOME=$dir

# One key for the proxy and the origin: the browser is told to trust it.
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$name \
    -addext "subjectAltName=DNS:$name,IP:127.0.0.1" -keyout "$dir/key" -out "$dir/cert" 2>/dev/null
key=$(openssl x509 -in "$dir/cert" -noout -pubkey | openssl pkey -pubin -outform der |
    openssl dgst -sha256 -binary | base64)
python3 "$here/../lib/origin.py" --listen "$plain" >/dev/null &
pids+=($!)
python3 "$here/../lib/origin.py" --listen "$tls" --tls "$dir/cert" "$dir/key" >/dev/null &
pids+=($!)
cat >"$dir/dns.yaml" <<YAML
zones:
  - name: example.net
    nameservers: [ns.example.net]
    names:
      - { name: page, records: ["A 127.0.0.1"] }
      - { name: ns, records: ["A 127.0.0.1"] }
YAML
"$build/dnsredir/larder-dns" --listen "$dns" --config "$dir/dns.yaml" 2>"$dir/dns.log" &
pids+=($!)
"$build/proxy/larder-proxy" --listen-tls "$proxy" --certificate "$dir/cert" --key "$dir/key" \
    --admin "$admin" --allow 127.0.0.0/8 --allow-target 127.0.0.0/8 \
    --connect-ports 443,1024-65535 --store "$dir/store" --store-size 64MiB --workers 1 \
    --set "nameservers=$dns" --set "log.access=$dir/access.log" 2>"$dir/log" &
pids+=($!)
for address in "$plain" "$tls" "$dns" "$admin"; do
    await_port "$address" $! || { echo "FAILED: nothing listens on $address"; exit 1; }
done

failed=0
browse() { # BASE PATH HITS: a load, in one connection
    local line before after
    before=$(counted)
    line=$(cd "$here/browser" && NETLOG=$dir/netlog node browser.mjs "$(command -v chromium)" pac - \
        "data:application/x-ns-proxy-autoconfig,function%20FindProxyForURL(u,h)%7Breturn%20%22HTTPS%20$proxy%22%7D" \
        "$1$2" "$key") || failed=1
    after=$(counted)
    echo "$line"
    python3 - "$line" "$before" "$after" "$dir/netlog" "$name" "$3" <<'CHECK' || failed=1
import collections, json, sys
seen, before, after = (json.loads(text) for text in sys.argv[1:4])
with open(sys.argv[4]) as stream:
    text = stream.read()
try:
    log = json.loads(text)
except json.JSONDecodeError:  # the browser did not come to its end
    log = json.loads(text.rstrip().rstrip(",") + "]}")
send = log["constants"]["logEventTypes"]["HTTP2_SESSION_SEND_HEADERS"]
sessions = collections.Counter(
    event["source"]["id"] for event in log["events"]
    if event["type"] == send and sys.argv[5] in json.dumps(event["params"].get("headers")))
opened = after["connections"] - before["connections"]
spoke = after["h2"] - before["h2"]
print(f"connections at the proxy {opened}, of these HTTP/2 {spoke} (the browser's own errands included);"
      f" net-log: streams for the page by session {list(sessions.values())}")
good = (seen["objects"] >= 61 and not seen["failed"] and seen["hits"] >= int(sys.argv[6]) and
        spoke == opened and len(sessions) == 1)
print("held" if good else "WRONG")
sys.exit(not good)
CHECK
}
counted() {
    curl -sS "http://$admin/metrics" | awk '
        /^larder_client_connections_total /{ c = $2 } /^larder_h2_connections_total /{ h = $2 }
        END { printf "{\"connections\": %d, \"h2\": %d}", c, h }'
}

browse "http://$name:${ports[2]}" /page/60/a 0
browse "http://$name:${ports[2]}" /page/60/a 60
browse "https://$name:${ports[3]}" /page/60/b 0
[ $failed = 0 ] || { tail "$dir/log" "$dir/access.log"; echo FAILED; exit 1; }
echo "Chromium through an HTTPS proxy: ok"
