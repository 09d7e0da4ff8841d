#!/bin/bash
# Headless Chromium whose proxy is an HTTPS proxy: browser_h2.sh BUILD
#
# A PAC file says "HTTPS host:port". A page of 60 objects, plain, and the same over https through a
# CONNECT stream: all of it is one HTTP/2 connection, by the proxy's own count and by Chromium's
# net-log.
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
mapfile -t ports < <(free_ports 5)
proxy=127.0.0.1:${ports[0]} admin=127.0.0.1:${ports[1]}
plain=127.0.0.1:${ports[2]} tls=127.0.0.1:${ports[3]}
export TMPDIR=$dir HOME=$dir

# One key for the proxy and the origin: the browser is told to trust it.
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$dir/key" -out "$dir/cert" 2>/dev/null
key=$(openssl x509 -in "$dir/cert" -noout -pubkey | openssl pkey -pubin -outform der |
    openssl dgst -sha256 -binary | base64)
python3 "$here/../lib/origin.py" --listen "$plain" >/dev/null &
pids+=($!)
python3 "$here/../lib/origin.py" --listen "$tls" --tls "$dir/cert" "$dir/key" >/dev/null &
pids+=($!)
"$build/proxy/larder-proxy" --listen-tls "$proxy" --certificate "$dir/cert" --key "$dir/key" \
    --admin "$admin" --allow 127.0.0.0/8 --allow-target 127.0.0.0/8 \
    --connect-ports 443,1024-65535 --store "$dir/store" --store-size 64MiB --workers 1 \
    2>"$dir/log" &
pids+=($!)
for address in "$plain" "$tls" "$admin"; do
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
    python3 - "$line" "$before" "$after" "$dir/netlog" "$proxy" "$3" <<'CHECK' || failed=1
import json, sys
seen, before, after = (json.loads(text) for text in sys.argv[1:4])
with open(sys.argv[4]) as stream:
    text = stream.read().rstrip().rstrip(",")
log = json.loads(text if text.endswith("]}") else text + "]}")
kind = log["constants"]["logEventTypes"]["HTTP2_SESSION"]
began = [e["params"] for e in log["events"] if e["type"] == kind and e["phase"] == 1]
ours = [p for p in began if sys.argv[5] in json.dumps(p)]
streams = log["constants"]["logEventTypes"]["HTTP2_SESSION_SEND_HEADERS"]
sent = sum(e["type"] == streams for e in log["events"])
opened = after["connections"] - before["connections"]
spoke = after["h2"] - before["h2"]
print(f"connections at the proxy {opened}, of these HTTP/2 {spoke}; net-log: {len(ours)} HTTP/2 "
      f"session with the proxy, {sent} requests in HTTP/2")
good = (seen["objects"] >= 61 and not seen["failed"] and seen["hits"] >= int(sys.argv[6]) and
        spoke == 1 and len(ours) == 1 and opened <= 2)
print("held" if good else "WRONG")
sys.exit(not good)
CHECK
}
counted() {
    curl -sS "http://$admin/metrics" | awk '
        /^larder_client_connections_total /{ c = $2 } /^larder_h2_connections_total /{ h = $2 }
        END { printf "{\"connections\": %d, \"h2\": %d}", c, h }'
}

browse "http://$plain" /page/60/a 0
browse "http://$plain" /page/60/a 60
browse "https://$tls" /page/60/b 0
[ $failed = 0 ] || { tail "$dir/log"; echo FAILED; exit 1; }
echo "Chromium through an HTTPS proxy: ok"
