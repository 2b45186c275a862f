#!/usr/bin/env bash
# Redirects for 5 minutes with projections running, over nginx; and the projections' lag at the end.
source bench/lib.sh

seconds=${SECONDS_EACH:-300}

machine
start_nginx
for backend in ${BACKENDS:-sqlite postgresql}; do
    use_backend "$backend" "sustained_$backend"
    make_links 10000
    start_linkledger
    export CODES=$folder/codes BROWSER=$browser
    theirs=$(run_wrk 10 "http://127.0.0.1:$nginx_port/" -s bench/random_path.lua)
    ours=$(run_wrk "$seconds" "http://127.0.0.1:$port/" -s bench/random_path.lua)
    lag=$("$linkledger" projections --json | jq -r 'max_by(.lag_seconds) | "\(.lag_seconds) s (\(.lag_events) events, \(.name))"')
    again=$(run_wrk 10 "http://127.0.0.1:$nginx_port/" -s bench/random_path.lua)
    theirs=$(printf '%s\n%s\n' "$theirs" "$again" | median)
    say "sustained  $backend, 10000 links, $seconds s: $(rounded "$ours") req/s; nginx $(rounded "$theirs"); ratio $(ratio "$ours" "$theirs"); lag at the end $lag"
    stop_linkledger
done
