#!/bin/bash
# Runs one varnishtest script against a larder-proxy of its own: run-vtc.sh PROXY SCRIPT
#
# The script speaks as clients (client c1 -connect ${proxy}) and as the origin
# (server s1 -listen ${origin}). Its macros:
#   ${proxy} ${admin} ${origin}   HOST:PORT of each; ${port} is the origin's port
#   ${url}                        http://${origin}
#   ${dead}                       HOST:PORT where nothing listens
#   ${dir} ${pid}                 a directory of its own, the proxy's process
# Comment lines in it change the proxy's command line:
#   # larder-proxy: OPTIONS       more options; the macros above may be used
#   # allow: PREFIX               the clients let in, in place of 127.0.0.0/8
#   # allow-target: PREFIX        the targets let through although reserved, likewise
# At the end the proxy must leave by SIGTERM with status 0, which is also where the sanitizers
# report. LARDER_WORKERS is the number of workers (1): a server handles one connection at a time, so
# a script whose clients make several requests to it closes and accepts between them.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ports.sh"
program=$1
script=$2
command -v varnishtest >/dev/null || skip "varnishtest is not installed (package varnish)"

dir=$(mktemp -d "${TMPDIR:-/tmp}/larder-vtc.XXXXXX")
trap 'rm -rf "$dir"' EXIT
take_ports 4
proxy=127.0.0.1:${ports[0]}
admin=127.0.0.1:${ports[1]}
origin=127.0.0.1:${ports[2]}

said() { # NAME DEFAULT: what the script says after "# NAME: "
    local text
    text=$(sed -n "s/^# $1: //p" "$script" | sed -e "s,\${origin},$origin,g" \
        -e "s,\${proxy},$proxy,g" -e "s,\${dir},$dir,g")
    echo "${text:-$2}"
}
set -f # a host pattern such as *.example.net is not for the shell
options=($(said larder-proxy ""))

"$program" --listen "$proxy" --admin "$admin" --workers "${LARDER_WORKERS:-1}" \
    --store "$dir/store" --store-size 64MiB --memory 16MiB \
    --allow "$(said allow 127.0.0.0/8)" --allow-target "$(said allow-target 127.0.0.0/8)" \
    "${options[@]}" >"$dir/log" 2>&1 &
pid=$!

if await_port "$proxy" $pid && await_port "$admin" $pid; then
    varnishtest -t 60 -D proxy="$proxy" -D admin="$admin" -D origin="$origin" \
        -D port="${ports[2]}" -D dead="127.0.0.1:${ports[3]}" -D url="http://$origin" \
        -D dir="$dir" -D pid=$pid "$script"
    status=$?
else
    echo "the proxy did not start"
    status=1
fi

end $pid
left=$?
if [ $left -ne 0 ]; then
    echo "the proxy ended with status $left"
    status=1
fi
[ $status -eq 0 ] || { echo "--- the proxy's output"; cat "$dir/log"; }
exit $status
