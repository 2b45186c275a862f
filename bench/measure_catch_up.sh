#!/usr/bin/env bash
# A projector's catch-up: links with all click counts from position 0, from JetStream over from the log (PostgreSQL)
source bench/lib.sh

machine
start_nats
start_bench_postgres
events=${EVENTS:-1000000}
links=${LINKS:-1000}
say "$events events, $links links   from JetStream/s   from the log/s   over the log"
round=0
while read -r mirrored logged; do
    round=$((round + 1))
    printf '%-29s %16s %16s %14s\n' "round $round" "$mirrored" "$logged" "$(ratio "$mirrored" "$logged")"
done < <("$tools/bench_catch_up" "$nats_url" "$pg_url" "$events" "$links" "${ROUNDS:-3}" || say "failed failed")
