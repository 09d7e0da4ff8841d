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
. "$here/../lib/browser.sh"
start_origins
start_proxy --listen "$proxy"

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
        line=$(chromium_loads "$way" "http://$proxy" "http://$admin/proxy.pac" "$url") || failed=1
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
    line=$(chromium_loads "$1" "http://$proxy" "http://$admin/proxy.pac" "${2/127.0.0.1/$name}$3" again) ||
        failed=1
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
