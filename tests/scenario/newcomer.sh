#!/bin/bash
# The first five minutes: newcomer.sh [FILE]   (root; needs a mirror; minutes)
#
# In a bare Debian, what a newcomer types, from the clone to the first page from the cache, to Ctrl-C and
# back, with the time beside it. Prints what was typed and seen; in FILE (docs/first-five-minutes.md) it takes
# the place of what stands between the fences. Fails when a command does.
#
# The clone is of what is committed here. Where this machine cannot reach example.com, a server in a network
# namespace stands in for it.
set -u
set -m # what runs in the background has a process group, as behind a terminal, and hears Ctrl-C
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ports.sh"
. "$here/../lib/root.sh"
top=$(git -C "$here" rev-parse --show-toplevel)
page=${1:-}
running= standin= squatter= namespace= failed=0
finish() {
    [ -z "$running" ] || { kill -TERM -- "-$running" && wait "$running"; } 2>/dev/null
    kill $standin $squatter 2>/dev/null
    wait 2>/dev/null
    [ -z "$namespace" ] || ip netns delete "$namespace"
    unmake_root
}
trap finish EXIT

# Names of this machine's mirror and folders are nobody's business.
say() {
    sed -e "s,${site%/},http://deb.debian.org/debian,g" -e "s,$top,/root/larder,g" <<<"$*" | tee -a "$root/said"
}
typed() { say "$(date +%T) \$ $*"; }

# try COMMAND [LINES]: types it in the folder of the clone, shows the first lines of what it says.
try() {
    local status
    typed "$1"
    inside sh -c "cd /root/larder 2>/dev/null; $1" >"$root/out" 2>&1 </dev/null
    status=$?
    sed -i 's/\r//; /^$/d' "$root/out"
    [ ! -s "$root/out" ] || say "$(head -n "${2:-12}" "$root/out")"
    [ $status = 0 ] || { say "FAILED with $status"; tail "$root/out"; failed=1; }
}

# seen PATTERN: waits for a line of make run.
seen() {
    local tries
    for ((tries = 0; tries < 18000; tries++)); do
        grep -qs "$1" "$root/run.log" && return
        kill -0 "$running" 2>/dev/null || break
        sleep 0.1
    done
    tail -20 "$root/run.log"
    say "FAILED: make run ended"
    exit 1
}

# Seconds of CPU of what make has waited for.
cpu() { awk -v hz="$(getconf CLK_TCK)" '{ printf "%d", ($16 + $17) / hz }' "/proc/$running/stat"; }

run() {
    "${enter[@]}" PROXY_PORT="${ports[0]}" ADMIN_PORT="${ports[1]}" DNS_PORT="${ports[2]}" \
        DNS_ADMIN_PORT="${ports[3]}" make -C /root/larder run >"$root/run.log" 2>&1 </dev/null &
    running=$!
}

interrupt() {
    local began=${EPOCHREALTIME/./}
    kill -INT -- "-$running"
    wait "$running" 2>/dev/null
    running=
    say "$(date +%T) ^C"
    say "$(grep -e '^stopp' "$root/run.log")"
    say "          $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
    grep -q '^stopped' "$root/run.log" || { say "FAILED: it did not stop cleanly"; failed=1; }
}

# A proxy asks no address of its own machine: the server has one of another.
stand_in() {
    local net=198.18.$((RANDOM % 256))
    ! curl -sfo /dev/null --max-time 5 http://example.com/ || return
    namespace=larder-$$
    ip netns add $namespace && ip link add ld$$ type veth peer name eth0 netns $namespace &&
        ip address add $net.1/30 dev ld$$ && ip link set ld$$ up &&
        ip -n $namespace address add $net.2/30 dev eth0 && ip -n $namespace link set eth0 up ||
        skip "nothing can stand in for example.com"
    mkdir "$root/standin"
    echo '<!doctype html><title>Example Domain</title><h1>Example Domain</h1>' >"$root/standin/index.html"
    touch -d '30 days ago' "$root/standin/index.html"
    ip netns exec $namespace python3 -m http.server 80 --bind $net.2 --directory "$root/standin" \
        >/dev/null 2>&1 &
    standin=$!
    await_port "$net.2:80" $standin || skip "nothing can stand in for example.com"
    echo "$net.2 example.com" >>"$root/etc/hosts"
}

make_root ca-certificates
: >"$root/said"
# Usual ports when they are free, so that what is printed is what a newcomer sees.
ports=(3128 3129 5300 5301)
for port in "${ports[@]}"; do
    ! listening "127.0.0.1:$port" || { take_ports 4; break; }
done
stand_in
began=$SECONDS
say "Debian $(cat "$root/etc/debian_version"), $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)"
try 'apt-get -qq update && apt-get -qq install --no-install-recommends git make >/dev/null 2>&1' 3
typed 'git clone https://git.example.org/larder && cd larder'
git clone -q --no-hardlinks "$top" "$root/root/larder" || failed=1
say "          $(du -sh "$root/root/larder" | cut -f1) with its history"
typed 'make run'
run
seen '^Debian packages that are missing'
say "$(date +%T)   it says which Debian packages are missing, and installs them"
seen '^The Meson build system'
say "$(date +%T)   $(grep -c '^Setting up' "$root/run.log") packages are there; it compiles"
used=$(cpu)
seen '^Larder is running'
say "$(date +%T)   it runs, $((SECONDS - began)) s after the first command ($(($(cpu) - used)) s of CPU to compile)"
say "$(sed -n '/^Larder is running/,/^  .*One line per request/p' "$root/run.log")"

proxy=127.0.0.1:${ports[0]} admin=127.0.0.1:${ports[1]}
say ""
say "What it prints, typed in a second terminal:"
curl_line="curl -x http://$proxy -so /dev/null -D - http://example.com/"
try "$curl_line"
try "$curl_line"
inside sh -c "$curl_line" 2>/dev/null | grep -q '^Cache-Status:.*; hit' ||
    { say "FAILED: it was not answered from the cache"; failed=1; }
say "          from the cache, $((SECONDS - began)) s after the first command"
try "/root/larder/build-release/ctl/larderctl explain --admin $admin http://example.com/" 30
try "apt-get -qq -o Acquire::http::Proxy=http://$proxy update"
try "dig +short @127.0.0.1 -p ${ports[2]} www.cdn.example.net"
try "curl -s http://$admin/proxy.pac" 20
try "curl -sI http://$admin/ | head -1"
say ""
say "What make run has said meanwhile:"
say "$(sed '1,/One line per request/d' "$root/run.log" | sed '/^$/d' | cut -c1-150 | head -6)"
interrupt
say "$(du -sh "$root/root/larder/build-release" | cut -f1 | sed 's/$/ of build-release/'), $(du -sh "$root/root/larder/run" | cut -f1) of run"
say ""
say "And again:"
typed 'make run'
again=${EPOCHREALTIME/./}
run
seen '^Larder is running'
say "$(date +%T)   it runs"
say "          $(((${EPOCHREALTIME/./} - again) / 1000)) ms"
try "$curl_line" 3
interrupt
say ""
say "Where something listens already:"
python3 -c 'import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); time.sleep(300)' "${ports[0]}" &
squatter=$!
await_port "$proxy" $squatter
typed 'make run'
run
wait "$running"
running=
say "$(grep -e '^run:' -e '^ *On other' "$root/run.log")"
grep -q '^ *On other ports: make run PROXY_PORT=' "$root/run.log" || failed=1

say ""
say "Ctrl-C while it compiles:"
touch "$root"/root/larder/base/*.c
typed 'make run'
run
seen '^\[[0-9]*/'
stopped=${EPOCHREALTIME/./}
kill -INT -- "-$running"
wait "$running" 2>/dev/null
running=
say "$(date +%T) ^C"
say "$(grep -e '^ninja: build stopped' -e 'Interrupt$' "$root/run.log" | head -2)"
say "          $(((${EPOCHREALTIME/./} - stopped) / 1000)) ms"
! grep -q '^Larder is running' "$root/run.log" || { say "FAILED: it went on"; failed=1; }
for process in /proc/[0-9]*; do
    [ "$(readlink "$process/root")" != "$root" ] || { say "FAILED: left: $(tr '\0' ' ' <"$process/cmdline")"; failed=1; }
done

[ $failed = 0 ] || { echo "newcomer: FAILED"; exit 1; }
if [ -n "$page" ]; then
    awk -v said="$root/said" '/^```$/ && inside { inside = 0 } !inside { print }
        /^```console$/ { inside = 1; while ((getline line < said) > 0) print line }' "$page" >"$page.new" &&
        mv "$page.new" "$page"
fi
echo "newcomer: ok"
