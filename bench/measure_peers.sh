#!/usr/bin/env bash
# Beside others on the same PostgreSQL: appends and rebuilds of message-db and Emmett, ceilings by pgbench and COPY.
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
sql "CREATE DATABASE emmett" >/dev/null
base=postgresql://linkledger@127.0.0.1:$pg_port
(cd "$folder/node_modules/@eventide/message-db/database" && PGHOST=127.0.0.1 PGPORT=$pg_port PGUSER=linkledger \
    PATH=$pg_bin:$PATH DATABASE_NAME=message_db bash install.sh >"$folder/message_db.log" 2>&1) ||
    fail "message-db: $(tail -3 "$folder/message_db.log")"
emmett() { node "$folder/emmett.mjs" "$1" "$base/emmett" "${2:-}"; }
message_db() { node "$folder/message_db.mjs" "$1" "$base/message_db" "${2:-}"; }

sql "CREATE TABLE bench_events (position bigserial PRIMARY KEY, stream text NOT NULL, data text NOT NULL)" >/dev/null
cat >"$folder/insert.sql" <<'SQL'
\set n random(1, 10000)
INSERT INTO bench_events (stream, data) VALUES ('clicks-' || :n, '{"browser":"Firefox","os":"Linux","device_type":"desktop","country_code":"DE"}');
SQL
use_backend postgresql peers
start_linkledger
make_links "$STREAMS"

for name in pgbench emmett message_db ours; do : >"$folder/append.$name"; done
for _ in $(seq "$rounds"); do
    "$pg_bin/pgbench" -n -M prepared -c "$WRITERS" -j 2 -T "$seconds" -f "$folder/insert.sql" "$pg_url" 2>/dev/null |
        awk '/^tps/ {print $3}' >>"$folder/append.pgbench"
    emmett append "$seconds" >>"$folder/append.emmett"
    message_db append "$seconds" >>"$folder/append.message_db"
    CODES=$folder/codes run_wrk "$seconds" "http://127.0.0.1:$port/" -H "User-Agent: $browser" -s bench/random_path.lua >>"$folder/append.ours"
done
for name in pgbench emmett message_db ours; do printf -v "$name" %s "$(median <"$folder/append.$name")"; done
say "appends    linkledger $(rounded "$ours")/s (64 visitors over HTTP, rules, sealing, leaf hashes included); pgbench's insert $(rounded "$pgbench"), message-db $(rounded "$message_db"), Emmett $(rounded "$emmett") at $WRITERS writers; ratios $(ratio "$ours" "$pgbench"), $(ratio "$ours" "$message_db"), $(ratio "$ours" "$emmett")"

emmett fill "$events" >/dev/null
message_db fill "$events" >/dev/null
head=$("$linkledger" projections --json | jq -r '[.[] | .head] | max')
: >"$folder/rebuild.emmett"
: >"$folder/rebuild.message_db"
: >"$folder/rebuild.ours"
for _ in $(seq "$rounds"); do
    emmett rebuild >>"$folder/rebuild.emmett"
    message_db rebuild >>"$folder/rebuild.message_db"
    "$linkledger" rebuild links --json >"$folder/rebuild.json" || fail "the rebuild failed"
    jq -r .events_per_second "$folder/rebuild.json" >>"$folder/rebuild.ours"
done
for name in emmett message_db ours; do printf -v "$name" %s "$(median <"$folder/rebuild.$name")"; done
say "rebuild    linkledger $(rounded "$ours") events/s of $head (links with their counters and uniques); message-db $(rounded "$message_db"), Emmett $(rounded "$emmett") (a counter per link); ratios $(ratio "$ours" "$message_db"), $(ratio "$ours" "$emmett")"

WRITERS=16
read -r lost of < <(emmett lost "$seconds")
say "lost       Emmett: $lost of $of events, by a rebuild beside $WRITERS writers"
read -r lost of < <(message_db lost "$seconds")
say "lost       message-db: $lost of $of"
wrk -t1 -c16 -d"${seconds}s" -H "User-Agent: $browser" "http://127.0.0.1:$port/" -s bench/random_path.lua >"$folder/wrk.log" 2>&1 &
writers=$!
"$linkledger" rebuild links --json >"$folder/rebuild.json" || fail "the rebuild failed"
wait "$writers"
"$linkledger" audit verify --read-models --json >"$folder/verify.json" || fail "read models differ from the log: $(head -c 400 "$folder/verify.json")"
say "lost       linkledger: 0 of $("$linkledger" projections --json | jq -r '[.[] | .head] | max') (audit verify --read-models)"
