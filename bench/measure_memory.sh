#!/usr/bin/env bash
# Peak memory of `serve` with 1,000,000 links, after 1,000,000 clicks.
source bench/lib.sh

links=${LINKS:-1000000}
clicks=${CLICKS:-1000000}
machine
for backend in ${BACKENDS:-sqlite postgresql}; do
    use_backend "$backend" "memory_$backend"
    make_links "$links"
    start_linkledger
    export CODES=$folder/codes BROWSER=$browser
    made=0
    while ((made < clicks)); do
        rate=$(run_wrk 20 "http://127.0.0.1:$port/" -s bench/random_path.lua)
        made=$((made + $(rounded "$rate") * 20))
    done
    say "memory     $backend, $links links, about $made clicks: VmHWM $(awk '/VmHWM/ {printf "%.0f MB", $2 / 1024}' "/proc/$server_pid/status")"
    stop_linkledger
done
