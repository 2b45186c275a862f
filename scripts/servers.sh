#!/usr/bin/env bash
# Starts and stops servers for `./dev cluster` and the benchmarks: on free loopback ports, below $folder, stopped by
# process id in the reverse order. Sourced, never run.
#
# $folder must be there. Whatever is started here ends with the script, also when that is killed.

linkledger=${LINKLEDGER:-build/${PRESET:-release}/cli/linkledger}
pids=()
declare -A stop_signals=()
stop_seconds=30

say() { printf '%s\n' "$*"; }

# Starts COMMAND in the background, in a session of its own: Ctrl-C is for the script, which stops it in order. Sets
# pid.
start_process() { # STOP-SIGNAL OUTPUT-FILE COMMAND…
    local signal=$1 output=$2
    shift 2
    setpriv --pdeathsig "$signal" setsid "$@" </dev/null >>"$output" 2>&1 &
    pid=$!
    pids+=("$pid")
    stop_signals[$pid]=$signal
}

is_running() { kill -0 "$1" 2>/dev/null; }

stop_process() { # PID
    local _
    kill -s "${stop_signals[$1]:-TERM}" "$1" 2>/dev/null || return 0
    for _ in $(seq $((stop_seconds * 20))); do
        is_running "$1" || return 0
        sleep 0.05
    done
    printf 'process %s did not stop within %s s and is killed\n' "$1" "$stop_seconds" >&2
    kill -s KILL "$1" 2>/dev/null || true
}

# The last one that was started first.
stop_processes() {
    local at
    for ((at = ${#pids[@]} - 1; at >= 0; --at)); do stop_process "${pids[at]}"; done
    pids=()
}

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    printf %s "$port"
}

wait_for_port() { # PORT WHAT
    local _
    for _ in $(seq 200); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.05
    done
    fail "$2 does not answer on port $1."
}

# PostgreSQL with the durability that it has by default; its data are kept in $folder/postgres. Sets pg_port, pg_url
# and pg_pid; once more, it is started again where it was.
start_postgres() { # [SETTING=VALUE…]
    local bin=('') data=$folder/postgres as=() settings=() setting _
    bin=(/usr/lib/postgresql/*/bin)
    [[ -x ${bin[-1]}/postgres ]] || fail "PostgreSQL is missing; ./dev $(basename "$0") installs it."
    pg_bin=${bin[-1]}
    pg_port=${pg_port:-$(free_port)}
    for setting in "$@"; do settings+=(-c "$setting"); done
    mkdir -p "$data"
    if [[ $EUID -eq 0 ]]; then
        chown postgres "$data"
        as=(setpriv --reuid=postgres --regid=postgres --init-groups)
    fi
    if [[ ! -f $data/PG_VERSION ]]; then
        (cd "$folder" && "${as[@]}" "$pg_bin/initdb" -D "$data" -U linkledger -A trust -E UTF8 --no-locale >"$folder/initdb.log" 2>&1) ||
            fail "initdb failed: $(tail -3 "$folder/initdb.log")"
    fi
    # SIGINT: ends its connections rather than wait for them.
    start_process INT "$folder/postgres.log" "${as[@]}" setpriv --pdeathsig INT "$pg_bin/postgres" -D "$data" \
        -p "$pg_port" -k "$data" -h 127.0.0.1 -c max_connections=200 "${settings[@]}"
    pg_pid=$pid
    wait_for_port "$pg_port" PostgreSQL
    for _ in $(seq 100); do
        "$pg_bin/pg_isready" -q -h 127.0.0.1 -p "$pg_port" && break
        sleep 0.1
    done
    pg_url=postgresql://linkledger@127.0.0.1:$pg_port/postgres
    sql "SELECT 1" >/dev/null
    [[ $(sql "SHOW fsync")/$(sql "SHOW synchronous_commit") == on/on ]] || fail "this PostgreSQL is not durable."
}

sql() { "$pg_bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 "$pg_url" -c "$1"; }

# NATS with JetStream, its streams in $folder/nats. Sets nats_port and nats_url.
start_nats() {
    local program
    program=$(PATH=$PATH:/usr/sbin command -v nats-server) || fail "nats-server is missing; ./dev $(basename "$0") installs it."
    nats_port=$(free_port)
    nats_url=nats://127.0.0.1:$nats_port
    start_process TERM "$folder/nats.log" "$program" --addr 127.0.0.1 --port "$nats_port" --jetstream \
        --store_dir "$folder/nats"
    wait_for_port "$nats_port" nats-server
}

# Redis, in memory alone: everything in it is made from the log again. Sets redis_port and redis_url.
start_redis() {
    local program
    program=$(command -v redis-server) || fail "redis-server is missing; ./dev $(basename "$0") installs it."
    redis_port=$(free_port)
    redis_url=redis://127.0.0.1:$redis_port
    start_process TERM "$folder/redis.log" "$program" --bind 127.0.0.1 --port "$redis_port" --dir "$folder" \
        --save '' --appendonly no --daemonize no
    wait_for_port "$redis_port" redis-server
}

# Until /readyz of the process answers.
wait_until_ready() { # PORT PID WHAT OUTPUT-FILE
    local _
    for _ in $(seq 600); do
        curl -fs -m 5 -o /dev/null "http://127.0.0.1:$1/readyz" && return
        is_running "$2" || fail "$3 did not start: $(tail -5 "$4")"
        sleep 0.1
    done
    fail "$3 is not ready: $(tail -5 "$4")"
}
