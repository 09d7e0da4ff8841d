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
. "$here/../lib/browser.sh"
start_origins
start_proxy --listen-tls "$proxy" --certificate "$dir/cert" --key "$dir/key"

pac="data:application/x-ns-proxy-autoconfig,"
pac+="function%20FindProxyForURL(u,h)%7Breturn%20%22HTTPS%20$proxy%22%7D"
browse() { # BASE PATH HITS: a load, in one connection
    local line before after
    before=$(counted)
    line=$(NETLOG=$dir/netlog chromium_loads pac - "$pac" "$1$2") || failed=1
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
