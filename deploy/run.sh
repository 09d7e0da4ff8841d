#!/bin/bash
# Runs Larder on this machine, in the foreground, until Ctrl-C: deploy/run.sh BUILD
# State is kept in ./run (RUN_DIR). Ports: PROXY_PORT, ADMIN_PORT, DNS_PORT.
set -uo pipefail
set -m # each program in a process group of its own: Ctrl-C reaches only this script
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
state=${RUN_DIR:-run}
proxy=127.0.0.1:${PROXY_PORT:-3128}
admin=127.0.0.1:${ADMIN_PORT:-3129}
dns=127.0.0.1:${DNS_PORT:-5300}
pids=()

stop() {
    trap '' INT TERM
    echo
    echo "stopping ..."
    kill -TERM "${pids[@]}" 2>/dev/null
    wait
    echo "stopped; the cache stays in $state/store"
    exit "$1"
}

listening() { # HOST:PORT
    (exec 3<>"/dev/tcp/${1%:*}/${1#*:}") 2>/dev/null
}

await() { # HOST:PORT PID
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        listening "$1" && return
        kill -0 "$2" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

mkdir -p "$state/store"
for address in "$proxy" "$admin"; do
    if listening "$address"; then
        echo "run: something listens on $address already" >&2
        exit 1
    fi
done
trap 'stop 0' INT TERM

"$build/proxy/larder-proxy" --listen "$proxy" --admin "$admin" --allow 127.0.0.0/8 \
    --store "$state/store" --store-size 10GiB --memory 256MiB --set log.access=- &
pids+=($!)
"$build/dnsredir/larder-dns" --listen "$dns" --config "$here/run-dns.yaml" &
pids+=($!)

await "$proxy" "${pids[0]}" && await "$admin" "${pids[0]}" && await "$dns" "${pids[1]}" || {
    echo "run: a program did not start; see above" >&2
    stop 1
}

sudo=$([ "$(id -u)" = 0 ] || echo 'sudo ')
cat <<GUIDE

Larder is running. Ctrl-C stops it.

  proxy       $proxy      set it as HTTP and HTTPS proxy in the browser, or as
                               automatic configuration: http://$admin/proxy.pac
  status      http://$admin/status      metrics: http://$admin/metrics
  redirector  $dns      answers www.cdn.example.net with the nearest replica

  curl -x http://$proxy -so /dev/null -D - http://example.com/
  ${sudo}apt-get -o Acquire::http::Proxy=http://$proxy update
  dig @${dns%:*} -p ${dns#*:} www.cdn.example.net
  $build/ctl/larderctl status --admin $admin

One line per request follows.

GUIDE

wait -n "${pids[@]}" # either one ending ends both
echo "run: a program ended by itself" >&2
stop 1
