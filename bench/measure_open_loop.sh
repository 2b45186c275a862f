#!/usr/bin/env bash
# Latency of redirects at a fixed 5,000 clicks/s (open loop), projections running.
source bench/lib.sh

rate=${RATE:-5000}
seconds=${SECONDS_EACH:-30}

machine
for backend in ${BACKENDS:-sqlite postgresql}; do
    use_backend "$backend" "open_loop_$backend"
    make_links 10000
    start_linkledger
    export CODES=$folder/codes BROWSER=$browser
    run_wrk 5 "http://127.0.0.1:$port/" -s bench/each_path.lua >/dev/null # every link is in memory now, and was clicked
    wait_for_projections 999 60 # and the projections are at the end
    sync # what the burst left to be written is not what is measured
    for links in ${HOT_LINKS:-1 10000}; do
        head -"$links" "$folder/codes" >"$folder/some"
        "$tools/bench_open_loop" --port "$port" --rate "$rate" --seconds 10 --connections 64 --paths-from "$folder/some" >/dev/null || true
        "$tools/bench_open_loop" --port "$port" --rate "$rate" --seconds "$seconds" --connections 64 --paths-from "$folder/some" >"$folder/latency.json" ||
            say "  ! not every request was answered"
        say "open loop  $backend, $links link(s): $(jq -r '"p50 \(.p50_ms) ms, p99 \(.p99_ms) ms, p99.9 \(.p999_ms) ms, max \(.max_ms) ms; answered \(.answered) of \(.sent), not 3xx \(.not_3xx)"' "$folder/latency.json")"
    done
    stop_linkledger
done
