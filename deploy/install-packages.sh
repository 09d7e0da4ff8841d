#!/bin/bash
# Installs the Debian packages of the lists named: deploy/install-packages.sh build test …
# (deploy/packages/NAME.txt). Needs root or sudo, and the network, only when one is missing.
# Services that come with a package (nginx, squid, varnish …) are neither started nor enabled:
# the tests and the benchmark start what they need themselves.
set -euo pipefail
lists=$(dirname "$0")/packages
export DEBIAN_FRONTEND=noninteractive

die() {
    echo "install-packages: $*" >&2
    exit 1
}

wanted() {
    local name
    for name in "$@"; do
        sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$lists/$name.txt"
    done | LC_ALL=C sort -u
}

# Node.js often comes from its makers, and Debian's packages cannot stand beside theirs.
is_here() {
    case $1 in
    nodejs) command -v node ;;
    npm) command -v npm ;;
    *) false ;;
    esac >/dev/null
}

missing() {
    local name
    not_installed "$@" | while read -r name; do
        is_here "$name" || echo "$name"
    done
}

not_installed() {
    local -a names
    mapfile -t names < <(wanted "$@")
    LC_ALL=C comm -23 <(printf '%s\n' "${names[@]}") \
        <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${names[@]}" 2>/dev/null |
            sed -n 's/^installed //p' | LC_ALL=C sort -u)
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "packages are missing, and neither root nor sudo is here to install them. As root:
    apt-get install --no-install-recommends ${packages[*]}"
    fi
}

# While it exists, packages start no service. An existing policy is left alone.
policy=/usr/sbin/policy-rc.d
forbid_services() {
    [ -e $policy ] && return
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
    trap 'as_root rm -f $policy' EXIT
}

disable_services() {
    local units
    [ -d /run/systemd/system ] || return 0
    units=$(dpkg -L "${packages[@]}" | sed -n 's,^/lib/systemd/system/\([^@]*\.service\)$,\1,p')
    for unit in $units; do
        as_root systemctl disable --quiet "$unit" || true
    done
}

install() {
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --quiet --no-install-recommends "${packages[@]}"
}

if ! command -v dpkg-query >/dev/null; then
    echo "install-packages: not a Debian system; install what deploy/packages/*.txt lists" >&2
    exit 0
fi

mapfile -t packages < <(missing "$@")
[ ${#packages[@]} -gt 0 ] || exit 0

echo "Debian packages that are missing: ${packages[*]}"
forbid_services
if [ -z "$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -print -quit)" ] || ! install; then
    as_root apt-get update --quiet # no lists yet, or old ones that name versions now gone
    install
fi
disable_services
