#!/bin/bash
# apt through larder-proxy, twice: apt.sh BUILD [PACKAGE…]
#
# Updates the lists and downloads some packages with private directories, removes both, and does it
# again. apt checks signatures and checksums; the proxy's log says how many bytes came from the
# origin. First from this machine's mirror, if its sources are plain http and it can be reached; then
# from a copy of that part of it served here, or, without a network, from packages made here.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ports.sh"
build=$1
shift
packages=(${@:-hello jq tree less netcat-openbsd})
for tool in apt-get apt-ftparchive curl python3; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done

dir=$(mktemp -d "${TMPDIR:-/tmp}/larder-apt.XXXXXX")
chmod 755 "$dir"
pids=()
finish() {
    kill "${pids[@]}" 2>/dev/null
    wait 2>/dev/null
    rm -rf "$dir"
}
trap finish EXIT
take_ports 3
proxy=127.0.0.1:${ports[0]} admin=127.0.0.1:${ports[1]} origin=127.0.0.1:${ports[2]}
failed=0

apt() { # SOURCES COMMAND…: apt-get with directories of its own, through the proxy
    local sources=$1
    shift
    apt-get -o Dir::State="$dir/state" -o Dir::Cache="$dir/cache" \
        -o Dir::State::status="$dir/status" -o Dir::Etc::sourcelist="$sources" \
        -o Dir::Etc::sourceparts=/nonexistent -o APT::Sandbox::User= \
        -o APT::Update::Post-Invoke-Success= -o Acquire::Languages=none \
        -o Acquire::http::Proxy="http://$proxy" -o Acquire::Retries=0 -qq "$@"
}

forget() {
    rm -rf "$dir/state" "$dir/cache"
    mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
    : >"$dir/status"
}

run() { # SOURCES: one update and download into empty directories
    forget
    apt "$1" update && apt "$1" install --yes --download-only --no-install-recommends \
        "${packages[@]}"
}

# total PATTERN: requests and body bytes of the log's lines (Squid's format) whose result matches
total() {
    awk -v pattern="$1" '$4 ~ pattern { n++; bytes += $5 } END { print n + 0, bytes + 0 }' \
        "$dir/access.log"
}

# twice SOURCES NAME REUSE: both runs and what each took from the origin; with REUSE "yes" the
# second may take nothing but 304s
twice() {
    local pass from_origin validated hits
    for pass in first second; do
        : >"$dir/access.log"
        if ! run "$1"; then
            echo "FAILED: $2: apt, $pass run"
            failed=1
            return
        fi
        sleep 2 # the log is buffered
        from_origin=($(total '^TCP_(MISS|REFRESH_MODIFIED|CF_HIT)'))
        validated=($(total '^TCP_REFRESH_UNMODIFIED'))
        hits=($(total '^TCP_(MEM_)?HIT'))
        echo "$2, $pass run: $(find "$dir/cache/archives" -name '*.deb' | wc -l) packages;" \
            "fetched ${from_origin[0]} (${from_origin[1]} bytes)," \
            "validated ${validated[0]}, hits ${hits[0]} (${hits[1]} bytes)"
    done
    if [ "$3" = no ]; then
        echo "$2 sends neither lifetimes nor validators: nothing of it may be reused"
    elif [ "${from_origin[0]}" -ne 0 ] || [ "${hits[0]}" -eq 0 ]; then
        echo "FAILED: $2: the second run was not served by the store and by 304s:"
        grep -v -e ' TCP_HIT/' -e ' TCP_MEM_HIT/' -e ' TCP_REFRESH_UNMODIFIED/' "$dir/access.log"
        failed=1
    fi
}

"$build/proxy/larder-proxy" --listen "$proxy" --admin "$admin" --allow 127.0.0.0/8 \
    --allow-target 127.0.0.0/8 --store "$dir/store" --store-size 1GiB --workers 1 \
    --set "log.access=$dir/access.log" &
pids+=($!)
await_port "$proxy" $! || { echo "FAILED: the proxy did not start"; exit 1; }

serve() { # DIRECTORY: as http://$origin
    python3 "$here/../lib/origin.py" --listen "$origin" --root "$1" >/dev/null &
    pids+=($!)
    await_port "$origin" $!
}

# The real mirror, when this machine's sources are plain http and it can be reached.
site=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 2>/dev/null |
    awk '$1 ~ /^http:/ && $2 ~ /^[a-z]+$/ && $3 == "main" { print $1; exit }')
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
arch=$(dpkg --print-architecture)
index=dists/$suite/main/binary-$arch/Packages.xz
if [ -n "$site" ] && curl -sfIo "$dir/head" --max-time 10 "${site%/}/$index"; then
    echo "deb $site $suite main" >"$dir/mirror.list"
    grep -qi -e '^etag:' -e '^last-modified:' -e '^cache-control:' "$dir/head" && reuse=yes ||
        reuse=no # neither lifetime nor validator: nothing of it may be reused (RFC 9111 3)
    twice "$dir/mirror.list" "the mirror" $reuse

    # A part of that mirror copied here as it is, signatures too, behind an origin with validators.
    repo=$dir/copy
    mkdir -p "$repo/$(dirname $index)"
    for file in dists/$suite/InRelease $index; do
        curl -sSfo "$repo/$file" "${site%/}/$file" || failed=1
    done
    hash=$(sha256sum <"$repo/$index") # what apt asks for: the file by its hash
    mkdir -p "$repo/${index%/*}/by-hash/SHA256"
    ln "$repo/$index" "$repo/${index%/*}/by-hash/SHA256/${hash%% *}"
    mkdir -p "$dir/none/partial"
    apt "$dir/mirror.list" -o Dir::Cache::archives="$dir/none" install --yes --print-uris \
        --no-install-recommends "${packages[@]}" | tr -d "'" |
        while read -r uri file _; do
            path=$repo/$(sed "s/%2b/+/g; s/%7e/~/g; s/%3a/:/g" <<<"${uri#"${site%/}"/}")
            mkdir -p "${path%/*}" && cp "$dir/cache/archives/$file" "$path"
        done
    echo "deb http://$origin $suite main" >"$dir/here.list"
else
    echo "no plain http mirror can be reached: a repository of packages made here instead"
    repo=$dir/made
    mkdir -p "$repo"
    for name in "${packages[@]}"; do
        mkdir -p "$dir/make/$name/DEBIAN" "$dir/make/$name/usr/share/$name"
        head -c 300000 /dev/urandom >"$dir/make/$name/usr/share/$name/data"
        printf 'Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: %s\nDescription: test\n' \
            "$name" "Larder <larder@example.net>" >"$dir/make/$name/DEBIAN/control"
        dpkg-deb --build --root-owner-group "$dir/make/$name" "$repo/${name}_1_all.deb" >/dev/null
    done
    (cd "$repo" && apt-ftparchive packages . >Packages && gzip -k Packages &&
        apt-ftparchive release . >"$dir/Release" && mv "$dir/Release" .)
    echo "deb [trusted=yes] http://$origin ./" >"$dir/here.list"
fi

find "$repo" -type f -exec touch -d '30 days ago' {} + # old enough for a heuristic lifetime
serve "$repo"
twice "$dir/here.list" "the copy here" yes
curl -sS "http://$origin/counters" | python3 -c 'import json, sys
c = json.load(sys.stdin)
print("its origin counted: {full} full answers, {not_modified} of 304, {bytes} bytes".format(**c))'

curl -sSf "http://$admin/status" && echo
[ $failed -eq 0 ] && echo "apt: ok"
exit $failed
