#!/usr/bin/env bash
# The signed log: appends with the signer over without it, in alternation; verification from the store; a link as it was
source bench/lib.sh

machine
for backend in ${BACKENDS:-postgresql sqlite}; do
    if [[ $backend == postgresql ]]; then
        start_bench_postgres
        sql "CREATE DATABASE audit" >/dev/null
        where=${pg_url%/*}/audit
    else
        where=$folder/audit.db
    fi
    say "$backend"
    "$tools/bench_audit" "$where" "${ROUNDS:-10}" "${SECONDS_EACH:-3}" "${EVENTS:-5000000}"
done
