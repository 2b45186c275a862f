#!/usr/bin/env bash
# The mirror: a relay over js_PublishAsync alone, and reading the mirror over reading the log (SQLite, clicks)
source bench/lib.sh

machine
nats_server=$(command -v nats-server || echo /usr/sbin/nats-server)
[[ -x $nats_server ]] || fail "nats-server is missing; ./dev bench installs it."
nats_port=$(free_port)
"$nats_server" --addr 127.0.0.1 --port "$nats_port" --jetstream --store_dir "$folder/nats" >"$folder/nats.log" 2>&1 &
pids+=($!)
wait_for_port "$nats_port" nats-server
events=${EVENTS:-300000}
say "of $events events   raw publish/s   relay/s   over raw   read mirror/s   read log/s   over log"
for round in $(seq "${ROUNDS:-3}"); do
    figures=$("$tools/bench_mirror" "nats://127.0.0.1:$nats_port" "$folder/mirror.db" "$events") || fail "round $round failed."
    read -r raw relayed mirror_read log_read <<<"$figures"
    printf '%-17s %15s %9s %10s %15s %12s %10s\n' "round $round" "$raw" "$relayed" "$(ratio "$relayed" "$raw")" \
        "$mirror_read" "$log_read" "$(ratio "$mirror_read" "$log_read")"
done
