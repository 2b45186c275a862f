#!/usr/bin/env bash
# How long an API process serves a link's old destination after another one answered UpdateLink (aim: 100 ms)
source bench/lib.sh

changes=${CHANGES:-200}
rate=${RATE:-1000}

command -v redis-server >/dev/null || fail "redis-server is missing; ./dev bench installs it."
redis_port=$(free_port)
redis-server --bind 127.0.0.1 --port "$redis_port" --dir "$folder" --save '' >"$folder/redis.log" 2>&1 &
pids+=($!)
wait_for_port "$redis_port" redis-server

machine
use_backend postgresql staleness
export REDIS_URL=redis://127.0.0.1:$redis_port
make_links 2
start_linkledger
first_port=$port
start_linkledger PROJECTIONS=none
code=$(head -1 "$folder/codes")
other=$(tail -1 "$folder/codes")
link=$("$linkledger" events --type link.created | jq -r "select(.data.short_code == \"$code\") | .data.link_id")
"$tools/bench_open_loop" --port "$port" --rate "$rate" --seconds 600 --connections 8 --path "/$other" >/dev/null &
load=$!
pids+=("$load")
"$tools/bench_staleness" --from "$first_port" --at "$port" --key "$key" --link "$link" --code "$code" --changes "$changes" ||
    fail "the measurement failed."
kill "$load" 2>/dev/null || true
