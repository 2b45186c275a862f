#!/usr/bin/env bash
# What a click costs in CPU before the log has it: user agents, the redirect table, the event (Google Benchmark).
source bench/lib.sh

machine
"$tools/bench_click_path_benchmark" --benchmark_min_time=0.2
