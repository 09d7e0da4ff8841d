#!/bin/bash
# The dashboard in headless Chromium: browser_dashboard.sh BUILD [FOLDER-FOR-PICTURES]
#
# Some traffic, among it URLs that would be markup, then the page: what it shows must be what
# /metrics says. It ends with the proxy killed, which the page has to tell.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ports.sh"
build=$1 folder=${2:-}
for tool in chromium node npm curl python3; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done
(cd "$here/browser" && npm ci --silent --no-audit --no-fund >/dev/null 2>&1) ||
    skip "playwright-core cannot be installed"

dir=$(mktemp -d "${TMPDIR:-/tmp}/larder-dashboard.XXXXXX")
pids=()
finish() {
    kill "${pids[@]}" 2>/dev/null
    wait 2>/dev/null
    rm -rf "$dir"
}
trap finish EXIT
take_ports 4 # nobody listens on the last one
proxy=127.0.0.1:${ports[0]} admin=127.0.0.1:${ports[1]} origin=127.0.0.1:${ports[2]}
export TMPDIR=$dir HOME=$dir

python3 "$here/../lib/origin.py" --listen "$origin" >/dev/null &
pids+=($!)
"$build/proxy/larder-proxy" --listen "$proxy" --admin "$admin" \
    --set 'access=[{deny: {from: 127.0.0.1, hosts: denied.test}}, {allow: {from: 127.0.0.0/8}}]' \
    --set "mirrors=[{path: /idle/, origin: 'http://$origin/'}, {path: /m/, origin: 'http://$origin/o/'}]" \
    --allow-target 127.0.0.0/8 --store "$dir/store" --store-size 64MiB --workers 2 &
pids+=($!)
for address in "$origin" "$proxy" "$admin"; do
    await_port "$address" $! || { echo "FAILED: nothing listens on $address"; exit 1; }
done

through() { curl -sS --globoff -o /dev/null -x "http://$proxy" "$@"; }
for n in 1 2 3 4 5 6 7 8; do
    through "http://$origin/o/often/50000?cc=max-age=600"
    through "http://$origin/o/once$n/900?cc=max-age=600"
    through "http://$origin/o/private/7000?cc=private"
done
through "http://denied.test/"
through "http://127.0.0.1:${ports[3]}/unreached"
for n in 1 2; do
    curl -sS -o /dev/null "http://$proxy/m/mirrored/600?cc=max-age=600"
done
through --path-as-is "http://$origin/o/%3Cimg%20src=x%20onerror=alert(1)%3E/10?q=<img/src=x/onerror=alert(2)>"
through -H 'Host: <img/src=x/onerror=alert(3)>' "http://$origin/name"

(cd "$here/browser" && node dashboard.mjs "$(command -v chromium)" "http://$admin" "${pids[1]}" \
    "http://$proxy" "http://$origin" $folder)
