#!/bin/bash
# Runs Larder on this machine, in the foreground, until Ctrl-C: deploy/run.sh BUILD
# State is kept in ./run (RUN_DIR). Ports: PROXY_PORT, ADMIN_PORT, DNS_PORT, DNS_ADMIN_PORT.
set -uo pipefail
set -m # each program in a process group of its own: Ctrl-C reaches only this script
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
state=${RUN_DIR:-run}
proxy=127.0.0.1:${PROXY_PORT:-3128}
admin=127.0.0.1:${ADMIN_PORT:-3129}
dns=127.0.0.1:${DNS_PORT:-5300}
dns_admin=127.0.0.1:${DNS_ADMIN_PORT:-5301}
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
for address in "$proxy" "$admin" "$dns" "$dns_admin"; do
    if listening "$address"; then
        echo "run: something listens on $address already (is Larder running?); other ports: PROXY_PORT," \
            "ADMIN_PORT, DNS_PORT, DNS_ADMIN_PORT" >&2
        exit 1
    fi
done
trap 'stop 0' INT TERM

"$build/proxy/larder-proxy" --listen "$proxy" --admin "$admin" --allow 127.0.0.0/8 \
    --store "$state/store" --store-size 10GiB --memory 256MiB --set log.access=- --set "admin.dns=$dns_admin" &
pids+=($!)
"$build/dnsredir/larder-dns" --listen "$dns" --admin "$dns_admin" --config "$here/run-dns.yaml" &
pids+=($!)

await "$proxy" "${pids[0]}" && await "$admin" "${pids[0]}" && await "$dns" "${pids[1]}" || {
    echo "run: a program did not start; see above" >&2
    stop 1
}

sudo=$([ "$(id -u)" = 0 ] || echo 'sudo ')
title= strong= soft= off=
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ] && [ -z "${NO_COLOR:-}" ]; then
    title=$'\e[1;32m' strong=$'\e[1;36m' soft=$'\e[2m' off=$'\e[0m'
fi
cat <<GUIDE

${title}Larder is running.${off} Ctrl-C stops it.

  dashboard   ${strong}http://$admin/${off}
  browser     proxy for HTTP and HTTPS: ${strong}$proxy${off}
              or automatically: ${strong}http://$admin/proxy.pac${off}
              how to set it: ${strong}http://$admin/setup${off}

  ${soft}a page, and again from the cache; why; a system's packages; a name of the redirector:${off}
  curl -x http://$proxy -so /dev/null -D - http://example.com/
  $build/ctl/larderctl explain --admin $admin http://example.com/
  ${sudo}apt-get -o Acquire::http::Proxy=http://$proxy update
  dig @${dns%:*} -p ${dns#*:} www.cdn.example.net

  ${soft}The cache is kept in $state/store. One line per request follows.${off}

GUIDE

wait -n "${pids[@]}" # either one ending ends both
echo "run: a program ended by itself" >&2
stop 1
