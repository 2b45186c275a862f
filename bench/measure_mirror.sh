#!/usr/bin/env bash
# The mirror: a relay over js_PublishAsync alone, reading mirror over log, a deleted stream's repair (BACKEND)
source bench/lib.sh

machine
start_nats
events=${EVENTS:-1000000}
backend=${BACKEND:-sqlite}
log=$folder/mirror.db
if [[ $backend == postgresql ]]; then
    start_bench_postgres
    log=$pg_url
fi
say "$events events, log on $backend"
say "         raw publish/s   relay/s  over raw  read mirror/s  read log/s  over log  repaired in s  longest commit to reader meanwhile, ms"
for round in $(seq "${ROUNDS:-3}"); do
    figures=$("$tools/bench_mirror" "$nats_url" "$log" "$events") || fail "round $round failed."
    read -r raw relayed mirror_read log_read repaired delay <<<"$figures"
    printf '%-8s %13s %9s %9s %14s %11s %9s %14s %11s\n' "round $round" "$raw" "$relayed" "$(ratio "$relayed" "$raw")" \
        "$mirror_read" "$log_read" "$(ratio "$mirror_read" "$log_read")" "$repaired" "$delay"
done
