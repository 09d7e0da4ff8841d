#!/bin/bash
# What can happen to a store, in full, and every randomised test with seeds that nobody has tried, one
# after the other: stress.sh BUILD [NAME…]. Each prints its seed. ROUNDS seeds (5) of each of the latter.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
shift
proxy=$build/proxy/larder-proxy property=$build/tests/property
# The command line behind the program's name.
declare -A arguments=(
    [killed.py]="$build 200 fresh" [powerloss.py]="$build 100 fresh" [errors.py]="$build long fresh"
    [bitflips.py]="$build 200 fresh" [clock.py]="$build 20 fresh" [twice.py]="$build fresh"
    [slowreader.py]="$build long" [idle.py]="$build 10000" [full.py]="$build 12 fresh"
    [explain.py]="$build fresh" [multirange.py]="$build fresh" [tls.py]="$build fresh"
    [h2_chaos.py]="$build 8 fresh" [storm.py]="$proxy 20 fresh" [acknowledged.py]="$proxy 10 fresh"
    [parts_chaos.py]="$build --seed fresh" [pieces.py]="$build --seed fresh"
    [dns_peer.py]="$build fresh"
    [property-policy]="--seed fresh --cases 1000000"
    [property-validate]="--seed fresh --cases 1000000"
    [property-damaged-index]="--seed fresh --cases 2000")
seeded=(property-policy property-validate property-damaged-index explain.py multirange.py tls.py
    h2_chaos.py storm.py acknowledged.py parts_chaos.py pieces.py dns_peer.py)
names=("$@")
if [ $# -eq 0 ]; then
    for ((round = 0; round < ${ROUNDS:-5}; round++)); do
        names+=("${seeded[@]}")
    done
    names+=(killed.py powerloss.py errors.py bitflips.py clock.py twice.py full.py idle.py
        slowreader.py)
fi
passed=0 failed=0 skipped=0

for name in "${names[@]}"; do
    began=$SECONDS
    for program in "$here/$name" "$here/../scenario/$name" "$property/$name"; do
        [ ! -x "$program" ] || break
    done
    echo "=== $name"
    # shellcheck disable=SC2086 # words
    "$program" ${arguments[$name]:-"$build"} </dev/null
    case $? in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) && echo "=== FAILED: $name" ;;
    esac
    echo "=== $((SECONDS - began)) s: $name"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
