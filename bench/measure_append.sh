#!/usr/bin/env bash
# The log alone: one-event appends in batches of 64 and 1,000, fsync on, on one stream and 10,000; then a read of it all
source bench/lib.sh

machine
start_bench_postgres
say "backend     batch  streams  events/s appended  events/s read"
for shape in "64 1" "64 10000" "1000 1"; do
    read -r appends streams <<<"$shape"
    for backend in postgresql sqlite; do
        if [[ $backend == postgresql ]]; then
            database=append_${appends}_$streams
            sql "CREATE DATABASE $database" >/dev/null
            where=${pg_url%/*}/$database
        else
            where=$folder/append_${appends}_$streams.db
        fi
        read -r appended read_rate <<<"$("$tools/bench_append" "$where" "$appends" "$streams" "${SECONDS_EACH:-5}")"
        printf '%-11s %5s %8s %18s %14s\n' "$backend" "$appends" "$streams" "$appended" "$read_rate"
    done
done
