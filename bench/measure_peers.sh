#!/usr/bin/env bash
# Beside others in one run: nginx, pgbench, COPY, message-db, Emmett, redis-benchmark; events that rebuilds lose
source bench/lib.sh

rounds=${ROUNDS:-3}
seconds=${SECONDS_EACH:-8}
events=${EVENTS:-200000}
export WRITERS=${WRITERS:-32} STREAMS=${STREAMS:-10000}

command -v npm >/dev/null || fail "npm is missing: apt-get install nodejs npm"
cp bench/peers/* "$folder/"
(cd "$folder" && npm ci --silent --no-audit --no-fund >"$folder/npm.log" 2>&1) || fail "npm: $(tail -3 "$folder/npm.log")"

machine
start_postgres
start_redis
start_nginx
sql "CREATE DATABASE emmett" >/dev/null
base=postgresql://linkledger@127.0.0.1:$pg_port
(cd "$folder/node_modules/@eventide/message-db/database" && PGHOST=127.0.0.1 PGPORT=$pg_port PGUSER=linkledger \
    PATH=$pg_bin:$PATH DATABASE_NAME=message_db bash install.sh >"$folder/message_db.log" 2>&1) ||
    fail "message-db: $(tail -3 "$folder/message_db.log")"
emmett() { node "$folder/emmett.mjs" "$1" "$base/emmett" "${2:-}"; }
message_db() { node "$folder/message_db.mjs" "$1" "$base/message_db" "${2:-}"; }
ours() { CODES=$folder/codes BROWSER=$browser run_wrk "$1" "http://127.0.0.1:$port/" -s bench/random_path.lua; }
pgbench() { "$pg_bin/pgbench" -n -M prepared -c "$WRITERS" -j 2 -T "$1" -f "$folder/insert.sql" "$pg_url" 2>/dev/null | awk '/^tps/ {print $3}'; }
nginx() { run_wrk "$1" "http://127.0.0.1:$nginx_port/"; }
redis() { redis-benchmark -h 127.0.0.1 -p "$redis_port" -c 64 -n $(($1 * 50000)) -r 10000 --csv INCR counter:__rand_int__ | tail -1 | tr -d '"' | cut -d, -f2; }

# The median of what each gave, as figure_NAME.
settle() { # WHAT NAME…
    local what=$1 name
    shift
    for name in "$@"; do printf -v "figure_$name" %s "$(median <"$folder/$what.$name")"; done
}
per_second() { # COUNT COMMAND… -> so many a second
    local count=$1 start=$EPOCHREALTIME
    shift
    "$@" >"$folder/timed.log" 2>&1 || fail "$(tail -3 "$folder/timed.log")"
    awk -v n="$count" -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.0f\n", n / (b - a)}'
}
line() { # WHAT WHO FIGURE BESIDE-OURS WHAT-IT-DOES-NOT-DO
    say "$(printf '%-9s %-34s %8s/s  %5s  %s' "$1" "$2" "$(rounded "$3")" "$4" "$5")"
}

sql "CREATE TABLE bench_events (position bigserial PRIMARY KEY, stream text NOT NULL, data text NOT NULL)" >/dev/null
cat >"$folder/insert.sql" <<'SQL'
\set n random(1, 10000)
INSERT INTO bench_events (stream, data) VALUES ('clicks-' || :n, '{"browser":"Firefox","os":"Linux","device_type":"desktop","country_code":"DE"}');
SQL
use_backend postgresql peers
start_linkledger REDIS_URL="$redis_url"
make_links "$STREAMS"

say "what      who                                figure  ours over it; what it does not do"
for _ in $(seq "$rounds"); do
    for name in nginx pgbench emmett message_db redis ours; do
        case $name in emmett | message_db) "$name" append "$seconds" ;; *) "$name" "$seconds" ;; esac >>"$folder/append.$name"
    done
done
settle append nginx pgbench emmett message_db redis ours
line redirects linkledger "$figure_ours" "" "64 visitors over HTTP; a click is durable, sealed and hashed before its 302, in Redis and read models soon after"
line "" "nginx return 302, 2 workers" "$figure_nginx" "$(ratio "$figure_ours" "$figure_nginx")" "knows no link, writes nothing"
line appends "pgbench, one insert, $WRITERS clients" "$figure_pgbench" "$(ratio "$figure_ours" "$figure_pgbench")" "no versions of streams, no HTTP, no JSON made; positions with gaps and out of order"
line "" "message-db, $WRITERS writers" "$figure_message_db" "$(ratio "$figure_ours" "$figure_message_db")" "no HTTP; nothing sealed or hashed; one message a call"
line "" "Emmett, $WRITERS writers" "$figure_emmett" "$(ratio "$figure_ours" "$figure_emmett")" "no HTTP; nothing sealed or hashed; a conflict where two make one stream"
line counters "redis-benchmark INCR, 64 clients" "$figure_redis" "$(ratio "$figure_ours" "$figure_redis")" "in memory alone; a click sent twice counts twice, one lost is lost"

bulk() { # DATABASE
    use_backend postgresql "$1"
    per_second "$events" "$linkledger" bench generate --events "$events" --links "$STREAMS" >>"$folder/bulk.ours"
    "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 "$DATABASE_URL" -c "CREATE TABLE copied_events (LIKE events INCLUDING ALL)" \
        -c "\\copy (SELECT * FROM events) TO '$folder/events.bin' (FORMAT binary)"
    per_second "$events" "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 "$DATABASE_URL" -c "\\copy copied_events FROM '$folder/events.bin' (FORMAT binary)" >>"$folder/bulk.copy"
}
for round in $(seq "$rounds"); do (bulk "bulk_$round"); done
settle bulk ours copy
line bulk "linkledger, 2,000 events a batch" "$figure_ours" "" "events made, sealed and hashed"
line "" "COPY of the same rows and indexes" "$figure_copy" "$(ratio "$figure_ours" "$figure_copy")" "decides nothing: no versions, no positions, no claims; one transaction"

emmett fill "$events" >/dev/null
message_db fill "$events" >/dev/null
for _ in $(seq "$rounds"); do
    emmett rebuild >>"$folder/rebuild.emmett" # Says on standard error what it did not count.
    message_db rebuild >>"$folder/rebuild.message_db"
    "$linkledger" rebuild links --json >"$folder/rebuild.json" 2>"$folder/rebuild.log" || fail "the rebuild failed: $(cat "$folder/rebuild.json" "$folder/rebuild.log")"
    jq -r .events_per_second "$folder/rebuild.json" >>"$folder/rebuild.ours"
done
settle rebuild emmett message_db ours
line rebuild "linkledger, of $(jq .events "$folder/rebuild.json") events" "$figure_ours" "" "links, their counters, uniques, countries; beside the live version, compared with it"
line "" "message-db, read and fold" "$figure_message_db" "$(ratio "$figure_ours" "$figure_message_db")" "a counter per link; no live version meanwhile"
line "" "Emmett" "$figure_emmett" "$(ratio "$figure_ours" "$figure_emmett")" "a counter per link; truncates first: no live version meanwhile"

export WRITERS=16
read -r lost of < <(emmett lost "$seconds")
say "lost      Emmett: $lost of $of events, by a rebuild beside $WRITERS writers"
read -r lost of < <(message_db lost "$seconds")
say "lost      message-db: $lost of $of"
CODES=$folder/codes BROWSER=$browser wrk -t1 -c16 -d"${seconds}s" -s bench/random_path.lua "http://127.0.0.1:$port/" >"$folder/wrk.log" 2>&1 &
writers=$!
"$linkledger" rebuild links --json >"$folder/rebuild.json" 2>"$folder/rebuild.log" || fail "the rebuild failed: $(cat "$folder/rebuild.json" "$folder/rebuild.log")"
wait "$writers"
"$linkledger" audit verify --read-models --json >"$folder/verify.json" 2>"$folder/verify.log" ||
    fail "read models differ from the log: $(head -c 400 "$folder/verify.json") $(tail -1 "$folder/verify.log")"
say "lost      linkledger: 0 of $(jq .events "$folder/verify.json") (audit verify --read-models)"
