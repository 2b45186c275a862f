#!/usr/bin/env bash
# Bytes of log, mirror, read models and Redis for an event, from `bench generate` (1,000,000 events) on PostgreSQL
source bench/lib.sh

events=${EVENTS:-1000000}
links=${LINKS:-100000}
visitors=${VISITORS:-200000}

# Tables with their indexes, partitions added to their parents: name and bytes.
table_bytes() {
    query "SELECT coalesce(p.relname, c.relname), sum(pg_total_relation_size(c.oid))
        FROM pg_class AS c LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid LEFT JOIN pg_class AS p ON p.oid = i.inhparent
        JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
        GROUP BY 1 HAVING sum(pg_total_relation_size(c.oid)) > 1000000 ORDER BY 2 DESC"
}
per() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.0f", a / b}'; }

machine
use_backend postgresql sizes
start_nats
start_redis
export NATS_URL=$nats_url REDIS_URL=$redis_url
"$linkledger" bench generate --events "$events" --links "$links" --visitors "$visitors" >"$folder/generate.log" 2>&1 ||
    fail "$(tail -3 "$folder/generate.log")"
start_linkledger
wait_for_projections 0 1200
for _ in $(seq 600); do
    [[ $(metric linkledger_mirror_lag_events) == 0 ]] && break
    sleep 0.5
done
clicks=$(query "SELECT count(*) FROM events WHERE type = 'link.clicked'")
say "$events events, of them $clicks clicks; $links links, $(query "SELECT count(*) FROM streams") streams"
query "VACUUM" >/dev/null
table_bytes | while read -r name bytes; do say "  $name: $bytes bytes, $(per "$bytes" "$events") for an event"; done
say "  the log's part (events, streams, claims, keys): $(per "$(query "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c WHERE relkind = 'r' AND relname ~ '^(events|streams|claims|keys|producers|idempotency)'")" "$events") bytes for an event"
say "  mirror (JetStream, one replica): $(per "$(du -sb "$folder/nats" | cut -f1)" "$events") bytes for an event"
say "  Redis: $(redis-cli -p "$redis_port" info memory | awk -F: '/^used_memory_dataset:/ {print $2 + 0}') bytes for $(redis-cli -p "$redis_port" dbsize) keys"
say "  linkledger: $(awk '/VmHWM/ {print $2 / 1024}' "/proc/$server_pid/status") MB at most"
stop_linkledger
