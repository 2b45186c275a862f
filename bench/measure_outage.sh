#!/usr/bin/env bash
# Redirects (2,000/s) while PostgreSQL is down, hung and restarting, 60 s each; then the log is held against the answers
source bench/lib.sh

rate=${RATE:-2000}
seconds=${SECONDS_EACH:-60}
links=${LINKS:-1000}

pids_of_postgres() { pgrep -P "$pg_pid"; echo "$pg_pid"; }
down() { kill -INT "$pg_pid" && wait "$pg_pid" 2>/dev/null || true; }
hang() { for each in $(pids_of_postgres); do kill -STOP "$each" 2>/dev/null || true; done; }
resume() { for each in $(pids_of_postgres); do kill -CONT "$each" 2>/dev/null || true; done; }
up() { start_bench_postgres; }

# What happens to the server within the seconds of an outage.
outage() { # down|hung|restarting
    local until=$((SECONDS + seconds))
    case $1 in
        down)
            down
            sleep "$seconds"
            up
            ;;
        hung)
            hang
            sleep "$seconds"
            resume
            ;;
        restarting)
            while ((SECONDS < until)); do
                down
                sleep 3
                up
                sleep 5
            done
            ;;
    esac
}

machine
start_bench_postgres
use_backend postgresql outage
make_links "$links"
start_linkledger
export CODES=$folder/codes BROWSER=$browser
run_wrk 3 "http://127.0.0.1:$port/" -s bench/each_path.lua >/dev/null # every link is known
for kind in ${KINDS:-down hung restarting}; do
    wait_for_projections 999 120
    before=$(query "SELECT count(*) FROM events WHERE type = 'link.clicked'")
    "$tools/bench_open_loop" --port "$port" --rate "$rate" --seconds $((seconds + 20)) --warm-up 0 --connections 64 --paths-from "$folder/codes" \
        >"$folder/latency.json" &
    load=$!
    sleep 5
    outage "$kind"
    wait "$load" || say "  ! not every request was answered"
    spooled=$(metric linkledger_spool_clicks)
    for _ in $(seq 240); do
        [[ $(metric linkledger_spool_clicks) == 0 ]] && break
        sleep 0.25
    done
    after=$(query "SELECT count(*) FROM events WHERE type = 'link.clicked'")
    twice=$(query "SELECT count(*) - count(DISTINCT event_id) FROM events WHERE type = 'link.clicked'")
    say "outage     $kind for $seconds s at $rate/s: $(jq -r '"p50 \(.p50_ms) ms, p99 \(.p99_ms) ms, p99.9 \(.p999_ms) ms, max \(.max_ms) ms; answered \(.answered) of \(.sent), not 3xx \(.not_3xx)"' "$folder/latency.json"); clicks answered $(jq '.answered - .not_3xx' "$folder/latency.json"), in the log $((after - before)), twice $twice; still spooled at the end of the load $spooled; spooled in all $(metric linkledger_spool_spooled_total)"
done
stop_linkledger
