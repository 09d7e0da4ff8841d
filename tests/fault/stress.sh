#!/bin/bash
# What can happen to a store, in full, one after the other: stress.sh BUILD [NAME…]
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
shift
declare -A arguments=([killed.py]=200 [powerloss.py]=100 [errors.py]=long [bitflips.py]=200
    [clock.py]=20 [slowreader.py]=long [idle.py]=10000)
names=("$@")
[ $# -gt 0 ] || names=(killed.py powerloss.py errors.py bitflips.py clock.py twice.py
    ../scenario/full.py idle.py slowreader.py)
passed=0 failed=0 skipped=0

for name in "${names[@]}"; do
    began=$SECONDS
    echo "=== $name"
    # shellcheck disable=SC2086 # none or one
    "$here/$name" "$build" ${arguments[$name]:-} </dev/null
    case $? in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) && echo "=== FAILED: $name" ;;
    esac
    echo "=== $((SECONDS - began)) s: $name"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
