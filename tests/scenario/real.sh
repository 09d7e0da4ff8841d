#!/bin/bash
# Real programs and real accidents, one after the other: real.sh BUILD [NAME…]
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
shift
scripts=("$@")
[ $# -gt 0 ] || scripts=(apt.sh mirror_apt.sh mirror_npm.sh mirror_clients.py http_cache_tests.py attack_kits.py browser.sh browser_pac.sh browser_h2.sh browser_dashboard.sh metrics.py prometheus.py logreader.py loggers.sh video.py kill9.py replicas.sh squid_decisions.sh)
passed=0 failed=0 skipped=0

for script in "${scripts[@]}"; do
    began=$SECONDS
    echo "=== $script"
    "$here/$script" "$build" </dev/null
    case $? in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) && echo "=== FAILED: $script" ;;
    esac
    echo "=== $((SECONDS - began)) s: $script"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
