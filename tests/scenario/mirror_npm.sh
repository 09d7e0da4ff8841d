#!/bin/bash
# npm through a mirror of larder-proxy, twice: mirror_npm.sh BUILD [PACKAGE…]
#
# The registry is the one that this machine's own npm is configured for. The second time, with an
# empty cache of npm's, nothing is asked of it.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ports.sh"
build=$1
shift
packages=(${@:-is-odd semver express @types/node @babel/code-frame})
command -v npm >/dev/null || skip "npm is not installed"
configured() { # NAME: of this machine's npm; empty: not set
    (cd / && npm config get "$1" 2>/dev/null) | grep -v -e '^null$' -e '^undefined$'
}
registry=$(configured registry)
authority=$(configured cafile)
[ -n "$registry" ] || skip "npm is configured for no registry"
[ -z "$(configured proxy)$(configured https-proxy)" ] || skip "this machine's npm asks a proxy itself"
(cd / && timeout 30 npm ping --fetch-retries=0 >/dev/null 2>&1) ||
    curl -sfo /dev/null --max-time 20 ${authority:+--cacert "$authority"} "${registry%/}/is-odd" ||
    skip "the registry that npm is configured for is not reached"

dir=$(mktemp -d "${TMPDIR:-/tmp}/larder-mirror-npm.XXXXXX")
pids=()
finish() {
    kill "${pids[@]}" 2>/dev/null
    wait 2>/dev/null
    rm -rf "$dir"
}
trap finish EXIT
take_ports 2
proxy=127.0.0.1:${ports[0]} admin=127.0.0.1:${ports[1]}

cat >"$dir/proxy.yaml" <<END
listen: ["$proxy"]
admin: "$admin"
store: { path: $dir/store, size: 1GiB }
workers: 1
mirrors:
  - { path: /npm/, origin: "$registry", preset: npm${authority:+, ca: $authority} }
log: { access: { to: $dir/access.log, fields: [outcome, status, mirror, path] } }
END
"$build/proxy/larder-proxy" --config "$dir/proxy.yaml" --check || exit 1
"$build/proxy/larder-proxy" --config "$dir/proxy.yaml" 2>"$dir/log" &
pids+=($!)
await_port "$proxy" $! || { echo "FAILED: the proxy did not start"; exit 1; }

install() { # OPTION…: into an empty folder, with an empty cache
    rm -rf "$dir/project" "$dir/cache"
    mkdir "$dir/project"
    echo '{ "name": "nothing", "version": "1.0.0" }' >"$dir/project/package.json"
    (cd "$dir/project" && npm install --registry "http://$proxy/npm/" --cache "$dir/cache" \
        --ignore-scripts --no-fund --loglevel=error "$@" "${packages[@]}")
}

lines=0
for pass in first second; do
    install --no-audit || { echo "FAILED: npm install, $pass run"; exit 1; }
    # The log is written behind, in order.
    curl -so /dev/null "http://$proxy/marker-$pass"
    for _ in $(seq 600); do
        grep -q "/marker-$pass\$" "$dir/access.log" && break
        sleep 0.1
    done
    sed -n "$((lines + 1)),\$p" "$dir/access.log" | grep -v /marker- >"$dir/$pass"
    lines=$(wc -l <"$dir/access.log")
    echo "$pass run: $(grep -c '/-/.*\.tgz' "$dir/$pass") tarballs;" \
        "$(awk '{ n[$1]++ } END { for (o in n) printf "%s %d ", o, n[o] }' "$dir/$pass")"
done
if grep -v '^hit' "$dir/second" || ! grep -q '/-/.*\.tgz' "$dir/second"; then
    echo "FAILED: the second run was not served by the store"
    exit 1
fi
# With the audit that npm does by itself, whatever the registry makes of it.
install --audit || { echo "FAILED: npm install with its audit"; exit 1; }
echo "mirror_npm: ok"
