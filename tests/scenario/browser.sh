#!/bin/bash
# Headless Chromium through larder-proxy: browser.sh BUILD
#
# Loads a page of 60 objects, plain and over HTTPS (a CONNECT tunnel), with --proxy-server and with
# the PAC URL, each twice and each time with an empty browser cache. The second plain load may ask
# the origin for nothing; a tunnel is never cached, so there every object is asked for again.
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
proxy=127.0.0.1:${ports[0]} admin=127.0.0.1:${ports[1]} dns=127.0.0.1:${ports[4]}
plain=127.0.0.1:${ports[2]} tls=127.0.0.1:${ports[3]}
name=page.example.net # with a PAC file Chromium never sends loopback addresses to a proxy
failed=0
export TMPDIR=$dir HOME=$dir

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$name \
    -keyout "$dir/key" -out "$dir/cert" 2>/dev/null
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
"$build/dnsredir/larder-dns" --listen "$dns" --config "$dir/dns.yaml" &
pids+=($!)
"$build/proxy/larder-proxy" --listen "$proxy" --admin "$admin" --allow 127.0.0.0/8 \
    --allow-target 127.0.0.0/8 --connect-ports 443,1024-65535 --store "$dir/store" \
    --store-size 64MiB --workers 1 --set "nameservers=$dns" --set "log.access=$dir/access.log" &
pids+=($!)
for address in "$plain" "$tls" "$dns" "$proxy"; do
    await_port "$address" $! || { echo "FAILED: nothing listens on $address"; exit 1; }
done

asked() { # SCHEME://HOST:PORT: how often its origin was asked so far
    curl -sSk "$1/counters" | python3 -c 'import json, sys; print(json.load(sys.stdin)["requests"])'
}

logged() { # the requests that went through the proxy so far
    sleep 2 # the log is buffered
    grep -c . "$dir/access.log"
}

# browse WAY BASE PATH: two loads. 62 requests are the page, its 60 objects and the icon.
browse() {
    local way=$1 base=$2 path=$3 url before after load line through
    url=${base/127.0.0.1/$name}$path
    for load in 1 2; do
        through=$(logged)
        before=$(asked "$base")
        line=$(cd "$here/browser" && node browser.mjs "$(command -v chromium)" "$way" \
            "http://$proxy" "http://$admin/proxy.pac" "$url" "$key") || failed=1
        after=$(asked "$base")
        through=$(($(logged) - through))
        echo "load $load: $line; requests at the proxy $through, at the origin $((after - before))"
        python3 - "$line" "$load" "$((after - before))" "$url" "$through" <<'CHECK' || failed=1
import json, sys
line, load, asked, url, through = sys.argv[1:]
seen = json.loads(line or "{}")
plain = url.startswith("http:")
want = 0 if plain and load == "2" else 62
if seen.get("failed") or seen.get("statuses") != {"200": 62} or int(asked) != want:
    sys.exit(f"FAILED: wanted 62 answers of status 200 and {want} requests at the origin")
if int(through) < (62 if plain else 1):
    sys.exit("FAILED: it did not go through the proxy")
CHECK
    done
}

# The tunnel hides https from the proxy: there the browser's own cache must answer the second load.
reload() { # WAY BASE PATH
    local before after line
    before=$(asked "$2")
    line=$(cd "$here/browser" && node browser.mjs "$(command -v chromium)" "$1" "http://$proxy" \
        "http://$admin/proxy.pac" "${2/127.0.0.1/$name}$3" "$key" again) || failed=1
    after=$(asked "$2")
    echo "two loads in one profile: $line; requests at the origin $((after - before))"
    [ $((after - before)) -eq 62 ] || { echo "FAILED: wanted 62"; failed=1; }
}

# Each way has a page and objects of its own, so that it begins with nothing stored.
for way in server pac; do
    browse $way "http://$plain" "/page/60/$way"
    browse $way "https://$tls" "/page/60/$way"
    reload $way "https://$tls" "/page/60/$way-again"
done
[ $failed -eq 0 ] && echo "browser: ok"
exit $failed
