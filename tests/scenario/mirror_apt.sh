#!/bin/bash
# apt through a mirror of larder-proxy, twice: mirror_apt.sh BUILD [PACKAGE…]
#
# The origin is the one that this machine's own sources name. The second time, with empty
# directories, everything but the signed index comes from the store; that is validated, and where
# the origin sends nothing to do that by, fetched again.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ports.sh"
build=$1
shift
packages=(${@:-hello jq tree less netcat-openbsd})
command -v apt-get >/dev/null || skip "apt-get is not installed"

site=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 2>/dev/null |
    awk '$1 ~ /^https?:/ && $2 ~ /^[a-z]+$/ && $3 == "main" { print $1; exit }')
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
[ -n "$site" ] || skip "no source of this machine is http or https"
for scheme in http https; do
    [ -z "$(apt-config dump "Acquire::$scheme::Proxy" | grep -v '""')" ] ||
        skip "this machine's apt asks a proxy itself"
done
eval "$(apt-config shell authority Acquire::https::CaInfo)"
curl -sfIo /dev/null --max-time 20 ${authority:+--cacert "$authority"} \
    "${site%/}/dists/$suite/InRelease" || skip "the origin of this machine's sources is not reached"

dir=$(mktemp -d "${TMPDIR:-/tmp}/larder-mirror-apt.XXXXXX")
chmod 755 "$dir"
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
  - { path: /debian/, origin: "$site", preset: apt${authority:+, ca: $authority} }
log: { access: { to: $dir/access.log, fields: [outcome, status, mirror, path] } }
END
"$build/proxy/larder-proxy" --config "$dir/proxy.yaml" --check || exit 1
"$build/proxy/larder-proxy" --config "$dir/proxy.yaml" 2>"$dir/log" &
pids+=($!)
await_port "$proxy" $! || { echo "FAILED: the proxy did not start"; exit 1; }
echo "deb http://$proxy/debian $suite main" >"$dir/mirror.list"

apt() { # apt-get with directories of its own, and no proxy
    apt-get -o Dir::State="$dir/state" -o Dir::Cache="$dir/cache" \
        -o Dir::State::status="$dir/status" -o Dir::Etc::sourcelist="$dir/mirror.list" \
        -o Dir::Etc::sourceparts=/nonexistent -o APT::Sandbox::User= \
        -o APT::Update::Post-Invoke-Success= -o Acquire::Languages=none \
        -o Acquire::http::Proxy=DIRECT -o Acquire::Retries=0 -qq "$@"
}

lines=0
for pass in first second; do
    rm -rf "$dir/state" "$dir/cache"
    mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
    : >"$dir/status"
    apt update && apt install --yes --download-only --no-install-recommends "${packages[@]}" ||
        { echo "FAILED: apt, $pass run"; exit 1; }
    # The log is written behind, in order.
    curl -so /dev/null "http://$proxy/marker-$pass"
    for _ in $(seq 600); do
        grep -q "/marker-$pass\$" "$dir/access.log" && break
        sleep 0.1
    done
    sed -n "$((lines + 1)),\$p" "$dir/access.log" | grep -v /marker- >"$dir/$pass"
    lines=$(wc -l <"$dir/access.log")
    echo "$pass run: $(find "$dir/cache/archives" -name '*.deb' | wc -l) packages;" \
        "$(awk '{ n[$1]++ } END { for (o in n) printf "%s %d ", o, n[o] }' "$dir/$pass")"
done
fetched=$(awk '$1 !~ /^hit/ && $1 != "revalidated" && $4 !~ /\/(InRelease|Release|Release\.gpg)$/' \
    "$dir/second")
if [ -n "$fetched" ] || ! grep -q '^hit.*\.deb$' "$dir/second"; then
    echo "FAILED: the second run was not served by the store:"
    cat "$dir/second"
    exit 1
fi
echo "mirror_apt: ok"
