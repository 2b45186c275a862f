#!/usr/bin/env bash
# Redirects with every click durable, burst of 10 s without projections, over nginx `return 302`.
source bench/lib.sh

rounds=${ROUNDS:-3}
seconds=${SECONDS_EACH:-10}

machine
start_nginx
for backend in ${BACKENDS:-sqlite postgresql}; do
    use_backend "$backend" "redirect_$backend"
    make_links 10000
    start_linkledger PROJECTIONS=none
    hot=$(head -1 "$folder/codes")
    export CODES=$folder/codes BROWSER=$browser
    run_wrk 5 "http://127.0.0.1:$port/" -s bench/each_path.lua >/dev/null # every link is in memory now, and was clicked
    for links in ${HOT_LINKS:-1 10000}; do
        if [[ $links == 1 ]]; then head -1 "$folder/codes" >"$folder/hot" && CODES=$folder/hot; else CODES=$folder/codes; fi
        : >"$folder/nginx.rates"
        : >"$folder/our.rates"
        for _ in $(seq "$rounds"); do
            run_wrk "$seconds" "http://127.0.0.1:$nginx_port/$hot" -s bench/random_path.lua >>"$folder/nginx.rates"
            run_wrk "$seconds" "http://127.0.0.1:$port/" -s bench/random_path.lua >>"$folder/our.rates"
        done
        ours=$(median <"$folder/our.rates") theirs=$(median <"$folder/nginx.rates")
        say "burst      $backend, $links link(s): $(rounded "$ours") req/s; nginx $(rounded "$theirs"); ratio $(ratio "$ours" "$theirs")"
    done
    stop_linkledger
done
