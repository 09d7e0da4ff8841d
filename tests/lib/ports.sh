# Sourced by the scenario scripts: ports, waiting, and stopping only what was started here.

# free_ports N: N loopback ports that nothing listens on, below the range the kernel hands out
# itself, starting at a place of this process's own.
free_ports() {
    local port=$((10000 + ($$ * 37 + RANDOM) % 20000)) found=0
    while [ $found -lt "$1" ]; do
        if ! listening "127.0.0.1:$port"; then
            echo $port
            found=$((found + 1))
        fi
        port=$((port + 1))
    done
}

# take_ports N: the same, in the array `ports`; no other test is given them (larder.py does the same)
# until this script and all that it has started have ended: they hold the locks.
take_ports() {
    local folder=/tmp/larder-ports-$UID port=$((10000 + ($$ * 37 + RANDOM) % 20000)) lock
    mkdir -p "$folder"
    ports=()
    while [ ${#ports[@]} -lt "$1" ]; do
        exec {lock}>>"$folder/$port"
        if flock -n "$lock" && ! listening "127.0.0.1:$port"; then
            ports+=("$port")
        else
            exec {lock}>&-
        fi
        port=$((port + 1))
    done
}

listening() { # HOST:PORT
    (exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null
}

# await_port HOST:PORT PID: true once it accepts, false when the process has ended or 60 s are over.
await_port() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        listening "$1" && return 0
        kill -0 "$2" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

# end PID: TERM, then KILL after 60 s. The status is the program's own; 137 when it had to be killed.
end() {
    local pid=$1 tries
    kill -TERM "$pid" 2>/dev/null
    for ((tries = 0; tries < 600; tries++)); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null
    wait "$pid"
}

skip() {
    echo "skipped: $*"
    exit 77
}
