#!/bin/bash
# Headless Chromium by the script of the proxy (PAC): browser_pac.sh BUILD [FOLDER-FOR-PICTURES]
#
# Two proxies, of which the script names both, and a host that it asks directly. The first answers until it is
# killed, then the second one does, and what is direct stays so. Then the page for people, /setup.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ports.sh"
build=$1 folder=${2:+$(realpath "$2")}
. "$here/../lib/browser.sh"
first=$proxy
start_origins
told=(--set "pac={proxies: ['$first', '127.0.0.1:PORT'], direct: ['*.direct.example']}")
take_ports 2
second=127.0.0.1:${ports[0]} admin_second=127.0.0.1:${ports[1]}
told[1]=${told[1]/127.0.0.1:PORT/$second}
start_proxy --listen "$first" --set name=first "${told[@]}"
first_pid=${pids[-1]}
"$build/proxy/larder-proxy" --listen "$second" --admin "$admin_second" --allow 127.0.0.0/8 \
    --allow-target 127.0.0.0/8 --workers 1 --set "nameservers=$dns" --set name=second "${told[@]}" 2>"$dir/log2" &
pids+=($!)
await_port "$admin_second" $! || { echo "FAILED: the second does not start"; cat "$dir/log2"; exit 1; }

(cd "$browser" && node pac.mjs "$(command -v chromium)" "http://$admin_second/proxy.pac" \
    "http://${plain/127.0.0.1/$name}/page/1/pac" "http://${plain/127.0.0.1/www.direct.example}/page/1/direct" \
    "$first_pid" "http://$admin_second/setup" $folder) || failed=1
exit $failed
