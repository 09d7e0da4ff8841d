#!/bin/bash
# The access log as real loggers take it: loggers.sh BUILD   (root)
#
# systemd-journald, with a /run of its own in a mount namespace, and Debian's rsyslogd, with a configuration of
# its own, both in the foreground and ended here. Each request has to be there with name, process and the whole
# line: by journald's protocol, by its socket for syslog, and by rsyslog's.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ports.sh"
journald=/lib/systemd/systemd-journald
[ "$(id -u)" = 0 ] || skip "a mount namespace needs root"
[ -x $journald ] && command -v rsyslogd >/dev/null || skip "systemd-journald or rsyslogd is not installed"
if [ -z "${LARDER_NAMESPACE:-}" ]; then
    LARDER_NAMESPACE=1 exec unshare --mount "$0" "$@"
fi
build=$(cd "$1" && pwd)
mount --make-rprivate / && mount -t tmpfs tmpfs /run || skip "no mount namespace"
mkdir -p /run/systemd/journal /run/log/journal /run/rsyslog
pids=() failed=0
finish() {
    kill "${pids[@]}" 2>/dev/null
    wait
}
trap finish EXIT

await_socket() { # PATH PID
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        [ -S "$1" ] && return
        kill -0 "$2" 2>/dev/null || break
        sleep 0.1
    done
    echo "FAILED: nothing listens at $1"
    exit 1
}

cat >/run/rsyslog/conf <<'CONF'
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="/run/rsyslog/log")
template(name="told" type="string" string="%programname% %syslogtag% %syslogfacility-text% %syslogseverity-text%%msg%\n")
*.* action(type="omfile" file="/run/rsyslog/out" template="told")
CONF
$journald 2>/run/journald.log &
pids+=($!)
await_socket /run/systemd/journal/socket $!
rsyslogd -n -f /run/rsyslog/conf -i /run/rsyslog/pid 2>/run/rsyslog.log &
pids+=($!)
await_socket /run/rsyslog/log $!

take_ports 3
proxy=127.0.0.1:${ports[0]} origin=127.0.0.1:${ports[2]}
python3 "$here/../lib/origin.py" --listen "$origin" >/dev/null &
pids+=($!)
line='{method} {url} {status} "{user_agent}"'
logs=
for to in journald syslog:/run/systemd/journal/dev-log syslog:/run/rsyslog/log; do
    logs+="{to: '$to', format: '$line'}, "
done
"$build/proxy/larder-proxy" --listen "$proxy" --admin "127.0.0.1:${ports[1]}" --allow 127.0.0.0/8 \
    --allow-target 127.0.0.0/8 --workers 1 --set "log.access=[${logs%, }]" &
larder=$!
pids+=($larder)
await_port "$origin" "${pids[2]}" && await_port "$proxy" $larder || { echo "FAILED: it does not start"; exit 1; }
for n in 1 2 3; do
    curl -sfo /dev/null -x "http://$proxy" -A "Agent: $n [x]" "http://$origin/o/$n/100?token=hush&b=$n" || failed=1
done
kill $larder && wait $larder # what it has to tell is told by now

told() { # LOGGER: its lines about us
    case $1 in
    journald) journalctl -D /run/log/journal --no-pager -o json LARDER_LOG=access 2>/dev/null ;;
    journald-syslog) journalctl -D /run/log/journal --no-pager -o json -t larder-proxy _TRANSPORT=syslog 2>/dev/null ;;
    rsyslog) cat /run/rsyslog/out 2>/dev/null ;;
    esac
}
for logger in journald journald-syslog rsyslog; do
    for ((tries = 0; tries < 300; tries++)); do
        [ "$(told $logger | wc -l)" -lt 3 ] || break
        sleep 0.1
    done
    told $logger | python3 -c '
import json, sys
logger, pid, origin = sys.argv[1:]
lines = sys.stdin.read().splitlines()
want = [f"GET http://{origin}/o/{n}/100?token=…&b={n} 200 \"Agent: {n} [x]\"" for n in (1, 2, 3)]
if logger == "rsyslog":
    want = [f"larder-proxy larder-proxy[{pid}]: daemon info {line}" for line in want]
    got = lines
else:
    entries = [json.loads(line) for line in lines]
    got = [entry["MESSAGE"] for entry in entries]
    for entry in entries:
        told = [entry.get(name) for name in ("SYSLOG_IDENTIFIER", "SYSLOG_PID", "SYSLOG_FACILITY", "PRIORITY")]
        if told != ["larder-proxy", pid, "3", "6"]:
            sys.exit(f"FAILED: {logger}: {told}")
if got != want:
    sys.exit(f"FAILED: {logger}: {got}, not {want}")
print(f"{logger}: {len(got)} lines as they were written, such as: {got[0]}")' "$logger" "$larder" "$origin" || failed=1
done
[ $failed = 0 ] && echo "loggers: ok"
exit $failed
