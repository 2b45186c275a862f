#!/usr/bin/env bash
# What the measurements share: servers of their own in a temporary folder, on free loopback ports, with fsync on,
# stopped by process id; and medians.
set -euo pipefail

tools=${BENCH_TOOLS:-build/${PRESET:-release}/bench}
folder=$(mktemp -d "${TMPDIR:-/tmp}/linkledger-bench.XXXXXX")
chmod 755 "$folder"
source scripts/servers.sh

clean_up() {
    stop_processes
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

fail() {
    printf 'bench: %s\n' "$*" >&2
    exit 1
}

median() { sort -g | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", (b > 0) ? a / b : 0}'; }
rounded() { awk -v a="$1" 'BEGIN {printf "%.0f", a}'; }

start_bench_postgres() { start_postgres shared_buffers=512MB max_wal_size=8GB; }

# The environment of linkledger on `sqlite` or `postgresql`, in a database of its own.
use_backend() { # sqlite|postgresql NAME
    unset DATABASE_URL
    export DB_PATH=$folder/$2/linkledger.db MASTER_KEY_FILE=$folder/$2.key LOG_LEVEL=warn
    export LINKLEDGER_ADMIN_KEY=ll_benchBenchBenchBenchBenchBench
    key=$LINKLEDGER_ADMIN_KEY
    if [[ $1 == postgresql ]]; then
        [[ -n ${pg_port:-} ]] || start_bench_postgres
        sql "CREATE DATABASE $2" >/dev/null
        export DATABASE_URL=postgresql://linkledger@127.0.0.1:$pg_port/$2
    fi
}

# Starts `linkledger serve` as use_backend said. Sets port and server_pid.
start_linkledger() { # [VARIABLE=VALUE…]
    port=$(free_port)
    start_process TERM "$folder/serve.log" env LISTEN="127.0.0.1:$port" PUBLIC_URL=https://ll.example "$@" "$linkledger" serve
    server_pid=$pid
    wait_until_ready "$port" "$server_pid" linkledger "$folder/serve.log"
}

stop_linkledger() {
    kill "$server_pid"
    wait "$server_pid" 2>/dev/null || true
}

# SQL on the database that use_backend made; on SQLite, on the file with what is noted about versions and rebuilds.
query() { # SQL
    if [[ -n ${DATABASE_URL:-} ]]; then
        "$pg_bin/psql" -X -q -A -t -F ' ' -v ON_ERROR_STOP=1 "$DATABASE_URL" -c "$1"
    else
        sqlite3 -separator ' ' "${DB_PATH%.db}.projections.db" "$1"
    fi
}

metric() { curl -fsS "http://127.0.0.1:$port/metrics" | awk -v name="$1" '$1 == name {print $2}'; }

# Until no projection is further behind than that; after so many seconds it goes on all the same.
wait_for_projections() { # EVENTS SECONDS
    local _
    for _ in $(seq $(($2 * 2))); do
        [[ $("$linkledger" projections --json | jq 'map(.lag_events) | max') -le $1 ]] && break
        sleep 0.5
    done
}

post() { # NAME JSON -> the answer
    curl -fsS -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d "$2" \
        "http://127.0.0.1:$port/v1/commands/$1"
}

# Links through import; their codes land in $folder/codes.
make_links() { # COUNT
    awk -v n="$1" 'BEGIN {for (i = 1; i <= n; i++) printf "https://shop.example/catalogue/item-%d?colour=blue\tItem %d\n", i, i}' >"$folder/links.tsv"
    "$linkledger" import "$folder/links.tsv" --workspace bench --json >"$folder/import.json" 2>"$folder/import.log" ||
        fail "the import failed: $(tail -3 "$folder/import.log")"
    "$linkledger" events --type link.created | jq -r .data.short_code >"$folder/codes"
    [[ $(wc -l <"$folder/codes") -eq $1 ]] || fail "not every link was made."
}

# Requests per second over $1 seconds, 64 connections; fails when anything but 3xx or 2xx comes back.
run_wrk() { # SECONDS URL [WRK OPTIONS…]
    local seconds=$1 url=$2
    shift 2
    wrk -t2 -c64 -d"${seconds}s" --timeout 10s "$@" "$url" >"$folder/wrk.log" 2>&1 || fail "wrk failed: $(cat "$folder/wrk.log")"
    grep -qE 'Non-2xx or 3xx|Socket errors' "$folder/wrk.log" && say "  ! $(grep -E 'Non-2xx|Socket errors' "$folder/wrk.log" | xargs)" >&2
    awk '/^Requests\/sec/ {print $2}' "$folder/wrk.log"
}

# nginx with two workers that answers every path with the same 302. Sets nginx_port.
start_nginx() {
    nginx_port=$(free_port)
    cat >"$folder/nginx.conf" <<CONF
daemon off; worker_processes 2; pid $folder/nginx.pid; error_log $folder/nginx.log;
events { worker_connections 1024; }
http {
    access_log off; keepalive_requests 1000000000;
    client_body_temp_path $folder/n1; proxy_temp_path $folder/n2; fastcgi_temp_path $folder/n3;
    uwsgi_temp_path $folder/n4; scgi_temp_path $folder/n5;
    server { listen 127.0.0.1:$nginx_port; location / { return 302 https://shop.example/catalogue/item-1?colour=blue; } }
}
CONF
    start_process TERM "$folder/nginx.out" /usr/sbin/nginx -e "$folder/nginx.log" -p "$folder" -c "$folder/nginx.conf"
    wait_for_port "$nginx_port" nginx
}

browser='Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0'

machine() {
    say "$(nproc) cores, $(awk '/MemTotal/ {printf "%.0f GB", $2 / 1048576}' /proc/meminfo), $(. /etc/os-release && printf %s "$PRETTY_NAME"), $(date -u +%Y-%m-%d)"
}
