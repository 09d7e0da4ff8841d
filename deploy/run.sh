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
    echo "stopped; the cache stays in $state/store for the next make run"
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

failed() {
    echo "run: a program did not start; see above" >&2
    stop 1
}

# The ports that are taken, as arguments of make that name others.
taken() {
    local name address port
    for name in PROXY_PORT=$proxy ADMIN_PORT=$admin DNS_PORT=$dns DNS_ADMIN_PORT=$dns_admin; do
        address=${name#*=} port=${name#*:}
        listening "$address" && printf ' %s=%s' "${name%%=*}" $((port < 55000 ? port + 10000 : port - 10000))
    done
}

others=$(taken)
if [ -n "$others" ]; then
    echo "run: something listens already where Larder would (Larder itself, in another terminal?)." >&2
    echo "     On other ports: make run$others" >&2
    exit 1
fi
mkdir -p "$state/store" 2>/dev/null && [ -w "$state/store" ] || {
    echo "run: $state/store cannot be written to by $(id -un); elsewhere: make run RUN_DIR=/tmp/larder" >&2
    exit 1
}
trap 'stop 0' INT TERM

# Who presses Ctrl-C does not want to wait for the end of downloads.
"$build/proxy/larder-proxy" --listen "$proxy" --admin "$admin" --allow 127.0.0.0/8 \
    --store "$state/store" --store-size 10GiB --memory 256MiB --set log.access=- --set log.level=warn \
    --set "admin.dns=$dns_admin" --set timeouts.drain=1s &
pids+=($!)
await "$proxy" "${pids[0]}" && await "$admin" "${pids[0]}" || failed
"$build/dnsredir/larder-dns" --listen "$dns" --admin "$dns_admin" --config "$here/run-dns.yaml" \
    --set log-level=warn --set "replicas=[{name: here, addresses: [127.0.0.1], admin: 'http://$admin'}]" &
pids+=($!)
await "$dns" "${pids[1]}" || failed

sudo=$([ "$(id -u)" = 0 ] || echo 'sudo ')
title= strong= soft= off=
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ] && [ -z "${NO_COLOR:-}" ]; then
    title=$'\e[1;32m' strong=$'\e[1;36m' soft=$'\e[2m' off=$'\e[0m'
fi
cat <<GUIDE

${title}Larder is running.${off} Ctrl-C stops it.

  dashboard   ${strong}http://$admin/${off}
  browser     proxy for HTTP and HTTPS: ${strong}$proxy${off}
              or automatic configuration: ${strong}http://$admin/proxy.pac${off}
              where to enter it: ${strong}http://$admin/setup${off}

  ${soft}# fetch a page twice: the second time, Cache-Status says "hit"${off}
  curl -x http://$proxy -so /dev/null -D - http://example.com/
  ${soft}# why it is cached, or is not${off}
  $build/ctl/larderctl explain --admin $admin http://example.com/
  ${soft}# use the cache for packages${off}
  ${sudo}apt-get -o Acquire::http::Proxy=http://$proxy update
  ${soft}# ask the DNS server${off}
  dig +short @${dns%:*} -p ${dns#*:} www.cdn.example.net

  ${soft}Try these in another terminal. The cache is kept in $state/store.${off}
  ${soft}One line per request follows.${off}

GUIDE

wait -n "${pids[@]}" # either one ending ends both
echo "run: a program ended by itself" >&2
stop 1
