#!/bin/bash
# HTTP/2 without TLS, by prior knowledge, with other people's clients: h2.sh BUILD
# curl and nghttp ask for small and large bodies, send bodies, open tunnels; h2load makes many
# streams at once. Every body is compared.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ports.sh"
program=$1/proxy/larder-proxy
for tool in curl nghttp h2load; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done
curl --version | grep -q HTTP2 || skip "curl without HTTP/2"

dir=$(mktemp -d "${TMPDIR:-/tmp}/larder-h2.XXXXXX")
take_ports 3
proxy=127.0.0.1:${ports[0]}
origin=127.0.0.1:${ports[2]}
held=0 wrong=0
holds() { # WHAT COMMAND…: it must succeed
    local what=$1
    shift
    if "$@"; then held=$((held + 1)); else wrong=$((wrong + 1)) && echo "WRONG: $what"; fi
}

head -c 1000 /dev/urandom >"$dir/small"
head -c 70000 /dev/urandom >"$dir/middle"
head -c 5000000 /dev/urandom >"$dir/large"
python3 "$here/../lib/echo_origin.py" "${ports[2]}" "$dir" >"$dir/origin.log" 2>&1 &
origin_pid=$!
"$program" --listen "$proxy" --admin "127.0.0.1:${ports[1]}" --workers "${LARDER_WORKERS:-1}" \
    --store "$dir/store" --store-size 64MiB --memory 16MiB --site "localhost=http://$origin" \
    --allow 127.0.0.0/8 --allow-target 127.0.0.0/8 \
    >"$dir/log" 2>&1 &
pid=$!
trap 'kill $origin_pid $pid 2>/dev/null; rm -rf "$dir"' EXIT
await_port "$origin" $origin_pid && await_port "$proxy" $pid || { echo "WRONG: no start"; exit 1; }

get() { # URL OPTIONS…
    curl -s --max-time 60 --http2-prior-knowledge -H "Host: localhost" "${@:2}" "http://$proxy$1"
}
same() { # FILE, of standard input
    cmp -s - "$dir/$1"
}

for turn in first second; do
    for file in small middle large; do
        holds "$turn $file" same $file < <(get /$file)
    done
done
holds "HTTP/2 to the client" test "$(get /small -o /dev/null -w '%{http_version} %{http_code}')" = "2 200"
holds "a hit" grep -qi '^cache-status: .*; hit' < <(get /small -o /dev/null -D -)
holds "HEAD" test "$(get /large -I -o /dev/null -w '%{http_code} %{size_download}')" = "200 0"
holds "a range" cmp -s <(get /large -r 100-199) <(head -c 200 "$dir/large" | tail -c 100)
holds "404" test "$(get /nothing -o /dev/null -w '%{http_code}')" = 404
for file in small middle large; do
    holds "a body of known length: $file" same $file < <(get /echo --data-binary "@$dir/$file")
    holds "a body of unknown length: $file" same $file < <(get /echo -X POST -T - <"$dir/$file")
done
holds "chunked becomes frames" same middle < <(get /chunked/middle)
holds "forward, absolute" same small < <(curl -s --max-time 60 --http2-prior-knowledge \
    -H "Host: $origin" "http://$proxy/small")
nghttp "http://$proxy/small" "http://$proxy/middle" "http://$proxy/large" -H ':authority: localhost' \
    -n -s >"$dir/nghttp" 2>&1
holds "three streams of nghttp" test "$(grep -c ' 200 ' "$dir/nghttp")" = 3
h2load -n 4000 -c 8 -m 32 -H ':authority: localhost' "http://$proxy/middle" >"$dir/h2load" 2>&1
holds "h2load" grep -q '4000 succeeded, 0 failed, 0 errored' "$dir/h2load"
holds "its bytes" grep -q '(280000000) data' "$dir/h2load"

end $pid
holds "it leaves by itself" test $? = 0
[ $wrong = 0 ] || tail -20 "$dir/log"
echo "$held held, $wrong wrong"
[ $wrong = 0 ]
