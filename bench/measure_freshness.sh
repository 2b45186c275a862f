#!/usr/bin/env bash
# Click answered -> counted in Redis, and in the links read model, at 2,000 clicks/s (PostgreSQL, NATS, Redis)
source bench/lib.sh

rate=${RATE:-2000}
seconds=${SECONDS_EACH:-20}
links=${LINKS:-1}

machine
start_nats
start_redis
use_backend postgresql freshness
export NATS_URL=$nats_url REDIS_URL=$redis_url
make_links "$links"
start_linkledger PROJECTIONS=none
"$linkledger" projector >"$folder/projector.log" 2>&1 &
pids+=($!)
code=$(head -1 "$folder/codes")
link=$("$linkledger" events --type link.created | jq -r "select(.data.short_code == \"$code\") | .data.link_id")
table=links_v$("$linkledger" projections --json | jq 'map(select(.name == "links" and .live) | .version)[0]')
for _ in $(seq 100); do # Until the read models have the link.
    [[ $("$pg_bin/psql" -X -q -A -t "$DATABASE_URL" -c "SELECT count(*) FROM $table") == "$links" ]] && break
    sleep 0.1
done
for round in $(seq "${ROUNDS:-1}"); do
    "$tools/bench_freshness" --redis "$REDIS_URL" --database "$DATABASE_URL" --table "$table" --link "$link" \
        --seconds $((seconds + 5)) --answers "$folder/answers" --skip "$rate" >"$folder/freshness.out" &
    watcher=$!
    sleep 0.3
    "$tools/bench_open_loop" --port "$port" --rate "$rate" --seconds "$seconds" --connections 64 --path "/$code" \
        --answered-to "$folder/answers" >"$folder/latency.json" || say "  ! not every request was answered"
    wait "$watcher" || fail "the counters could not be watched."
    say "round $round, $rate clicks/s for $seconds s: $(jq -r '"answered \(.answered) of \(.sent), p99 \(.p99_ms) ms"' "$folder/latency.json")"
    sed 's/^/  /' "$folder/freshness.out"
done
