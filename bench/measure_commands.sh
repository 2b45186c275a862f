#!/usr/bin/env bash
# CreateLink over HTTP, 64 connections, over pgbench's one-insert transactions at 32 clients.
source bench/lib.sh

rounds=${ROUNDS:-3}
seconds=${SECONDS_EACH:-10}

machine
use_backend postgresql commands
sql "CREATE TABLE bench_events (position bigserial PRIMARY KEY, stream text NOT NULL, data text NOT NULL)" >/dev/null
cat >"$folder/insert.sql" <<'SQL'
\set n random(1, 1000000000)
INSERT INTO bench_events (stream, data) VALUES ('link-' || :n, '{"url":"https://shop.example/item/' || :n || '"}');
SQL
# In this process, and as where other processes run them: the write side alone.
for projections in in-process none; do
    start_linkledger "PROJECTIONS=$projections"
    if [[ -z ${WORKSPACE:-} ]]; then
        WORKSPACE=$(post CreateWorkspace '{"name":"bench","slug":"bench"}' | jq -r .result.workspace_id)
        export WORKSPACE KEY=$key
    fi
    : >"$folder/pgbench.rates"
    : >"$folder/our.rates"
    for _ in $(seq "$rounds"); do
        "$pg_bin/pgbench" -n -M prepared -c 32 -j 2 -T "$seconds" -f "$folder/insert.sql" "$pg_url" 2>/dev/null |
            awk '/^tps/ {print $3}' >>"$folder/pgbench.rates"
        run_wrk "$seconds" "http://127.0.0.1:$port/" -s bench/create_link.lua >>"$folder/our.rates"
    done
    stop_linkledger
    ours=$(median <"$folder/our.rates") theirs=$(median <"$folder/pgbench.rates")
    say "commands   postgresql, PROJECTIONS=$projections: $(rounded "$ours") CreateLink/s; pgbench $(rounded "$theirs") inserts/s; ratio $(ratio "$ours" "$theirs")"
done
