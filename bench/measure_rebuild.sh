#!/usr/bin/env bash
# Rebuilds of links, clicks and audit_logs over the same in plain SQL and COPY; memory, kills, time left, load, peers
#   PARTS="rates memory kills load peers"    each makes a data set of its own
source bench/lib.sh

events=${EVENTS:-5000000}
links=${LINKS:-100000}
visitors=${VISITORS:-1000000}
seconds=${SECONDS_EACH:-30}

# An empty database with so many events in its log.
fill() { # sqlite|postgresql NAME EVENTS
    use_backend "$1" "$2"
    "$linkledger" bench generate --events "$3" --links "$links" --visitors "$visitors" >"$folder/generate.log" 2>&1 ||
        fail "$(tail -3 "$folder/generate.log")"
}
give_up_database() { # NAME
    rm -rf "${folder:?}/$1"
    [[ -z ${DATABASE_URL:-} ]] || sql "DROP DATABASE $1" >/dev/null
}
query() { # SQL on read models and notes of rebuilds
    if [[ -n ${DATABASE_URL:-} ]]; then
        "$pg_bin/psql" -X -q -A -t -F ' ' -v ON_ERROR_STOP=1 "$DATABASE_URL" -c "$1"
    else
        sqlite3 -separator ' ' "${DB_PATH%.db}.projections.db" "$1"
    fi
}
psql_seconds() { # PSQL ARGUMENTS… -> seconds
    local start
    start=$(date +%s.%N)
    "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 "$DATABASE_URL" "$@" >"$folder/sql.log" 2>&1 || fail "$(tail -3 "$folder/sql.log")"
    awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN {printf "%.1f", b - a}'
}

# Notes time, position, target and milliseconds left of a rebuild, until the file is there that says it is over.
watch_rebuild() { # NAME
    while [[ ! -e $folder/over ]]; do
        printf '%s %s\n' "$(date +%s.%N)" "$(query "SELECT phase, position, target, coalesce(eta_ms, -1) FROM projection_rebuilds WHERE name = '$1'" 2>/dev/null)"
        sleep 0.2
    done >"$folder/watched"
}
# How far the forecast after 20 % was from what it took, in per cent of that.
forecast_error() {
    awk '$2 != "building" {if (n && !over) over = $1; next}
        {if (!n++) start = $1; if (!at && $3 >= 0.2 * $4 && $5 >= 0) {at = $1; left = $5 / 1000}}
        END {if (!over) over = $1; if (!at) {print "?"; exit} printf "%.0f", 100 * (at + left - over) / (over - start)}' "$folder/watched"
}

# Sets rate, build_seconds, whole_seconds and memory.
rebuild() { # NAME [OPTIONS…]
    local watcher
    rm -f "$folder/over"
    watch_rebuild "$1" &
    watcher=$!
    /usr/bin/time -f '%M' -o "$folder/time" "$linkledger" rebuild "$@" --jobs "${jobs:-2}" --json >"$folder/out" 2>"$folder/err" ||
        fail "$(cat "$folder/out" "$folder/err" | tail -5)"
    touch "$folder/over"
    wait "$watcher"
    [[ $(jq '.differences | length' "$folder/out") == 0 ]] || fail "the rebuild of $1 differs: $(jq -c .differences "$folder/out")"
    rate=$(jq .events_per_second "$folder/out")
    build_seconds=$(jq '.build_seconds * 10 | round / 10' "$folder/out")
    whole_seconds=$(jq '.seconds * 10 | round / 10' "$folder/out")
    memory=$(awk '{printf "%d", $1 / 1024}' "$folder/time")
}

measure_rates() { # sqlite|postgresql
    local name
    say "$1, $events events, $links links, $visitors visitors"
    fill "$1" "rates_$1" "$events"
    for name in links clicks audit_logs; do
        rebuild "$name"
        printf -v "took_$name" %s "$build_seconds"
        say "  $name: $rate events/s ($build_seconds s), peak $memory MB, at most $(jq '.disk_bytes / 1e6 | round' "$folder/out") MB of disk; forecast after 20 % off by $(forecast_error) %"
    done
    rebuild links
    say "  links once more, compared with the live version: $rate events/s, $whole_seconds s with comparing and switching"
    [[ $1 != postgresql ]] || measure_sql
    give_up_database "rates_$1"
}

# The same in SQL, of the same events, with the same indexes.
measure_sql() {
    local took name from columns mine month statement indexes
    took=$(psql_seconds -c "
        CREATE TABLE by_country AS SELECT link_id, sum(n)::bigint AS total, jsonb_object_agg(country, n) FILTER (WHERE country IS NOT NULL) AS countries
            FROM (SELECT data::json->>'link_id' AS link_id, data::json->>'country_code' AS country, count(*) AS n FROM events
                WHERE type = 'link.clicked' AND NOT (data::json->>'is_bot')::boolean GROUP BY 1, 2) AS c GROUP BY 1;
        CREATE TABLE visitors AS SELECT DISTINCT data::json->>'link_id' AS link_id, personal FROM events
            WHERE type = 'link.clicked' AND NOT (data::json->>'is_bot')::boolean;
        CREATE UNIQUE INDEX ON visitors (link_id, personal);
        CREATE TABLE folded AS SELECT c.data::json->>'link_id' AS id, c.data::json->>'url' AS url, c.data::json->>'short_code' AS short_code,
            coalesce(u.title, c.data::json->>'title') AS title, b.total, b.countries, v.uniques
            FROM events AS c LEFT JOIN LATERAL (SELECT e.data::json->'after'->>'title' AS title FROM events AS e
                WHERE e.stream_number = c.stream_number AND e.type = 'link.updated' ORDER BY e.version DESC LIMIT 1) AS u ON true
            LEFT JOIN by_country AS b ON b.link_id = c.data::json->>'link_id'
            LEFT JOIN (SELECT link_id, count(*) AS uniques FROM visitors GROUP BY 1) AS v ON v.link_id = c.data::json->>'link_id'
            WHERE c.type = 'link.created';
        CREATE UNIQUE INDEX ON folded (id); CREATE UNIQUE INDEX ON folded (short_code)")
    say "  plain SQL over the events, set by set: $took s; rebuild of links over it $(ratio "$took" "$took_links")"
    for name in clicks audit_logs; do
        from=$(query "SELECT CASE WHEN build = 1 THEN 'public' ELSE format('public_%s_v%s_%s', name, version, build) END
            FROM projection_versions WHERE name = '$name' AND state = 'live'").${name}_v1
        columns=$(query "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = '$from'::regclass AND attnum > 0 AND NOT attisdropped")
        psql_seconds -c "\\copy (SELECT $columns FROM $from) TO '$folder/$name.bin' (FORMAT binary)" >/dev/null
        # As the read model is: clicks in months.
        if [[ $name == clicks ]]; then
            psql_seconds -c "CREATE TABLE copied_clicks (LIKE $from) PARTITION BY RANGE (clicked_at)" >/dev/null
            for month in -2 -1 0 1; do
                statement=$(query "SELECT format('CREATE TABLE copied_clicks_%s PARTITION OF copied_clicks FOR VALUES FROM (%L) TO (%L)', to_char(m, 'YYYY_MM'), m, m + interval '1 month')
                    FROM (SELECT date_trunc('month', now()) + interval '$month month' AS m) AS x")
                psql_seconds -c "$statement" >/dev/null
            done
            indexes="ALTER TABLE copied_clicks ADD PRIMARY KEY (link_id, clicked_at, id); CREATE INDEX ON copied_clicks (visitor_id, clicked_at DESC)"
        else
            psql_seconds -c "CREATE TABLE copied_audit_logs (LIKE $from)" >/dev/null
            indexes="ALTER TABLE copied_audit_logs ADD PRIMARY KEY (id);
                CREATE INDEX ON copied_audit_logs (workspace_id, position); CREATE INDEX ON copied_audit_logs (user_id, position);
                CREATE INDEX ON copied_audit_logs (resource_type, resource_id, position); CREATE UNIQUE INDEX ON copied_audit_logs (position)"
        fi
        took=$(psql_seconds -c "\\copy copied_$name ($columns) FROM '$folder/$name.bin' (FORMAT binary)" -c "$indexes" -c "ANALYZE copied_$name")
        mine=took_$name
        say "  COPY of the rows of $name with the same indexes: $took s; rebuild over it $(ratio "$took" "${!mine}")"
        rm "$folder/$name.bin"
    done
}

measure_memory() { # sqlite|postgresql
    local count name
    for count in ${MEMORY_EVENTS:-1000000 10000000}; do
        fill "$1" "memory_$1_$count" "$count"
        for name in links clicks audit_logs; do
            rebuild "$name"
            say "  $1, $count events, $name: peak $memory MB, $rate events/s, at most $(jq '.disk_bytes / 1e6 | round' "$folder/out") MB of disk"
        done
        give_up_database "memory_$1_$count"
    done
}

# What a table holds, as one line.
hash_of() { # NAME VERSION.BUILD
    "$linkledger" projections --json >/dev/null
    if [[ -n ${DATABASE_URL:-} ]]; then
        query "SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM public_$1_v${2/./_}.$1_v${2%.*} AS t"
    else
        sqlite3 "${DB_PATH%.db}.$1-v$2.db" "SELECT * FROM $1_v${2%.*} ORDER BY 1, 2" | md5sum
    fi
}

# kill -9 ten times, at moments spread over the whole; then it goes on to its end.
measure_kills() { # sqlite|postgresql
    local name=${KILLED:-links} undisturbed kill known resumed lost=0 worst=0 at
    fill "$1" "kills_$1" "$events"
    jobs=1 rebuild "$name"
    undisturbed=$(hash_of "$name" "$(jq -r .version "$folder/out")")
    rebuild "$name"
    for kill in $(seq 10); do
        at=$(awk -v t="$build_seconds" -v r="$RANDOM" 'BEGIN {printf "%.2f", 0.3 + t / 10 * r / 32768 * 1.6}')
        "$linkledger" rebuild "$name" --jobs 2 >"$folder/out" 2>"$folder/err" &
        pid=$!
        resumed=
        for _ in $(seq "$(awk -v t="$at" 'BEGIN {print int(t / 0.1)}')"); do
            sleep 0.1
            read -r phase known target < <(query "SELECT phase, position, target FROM projection_rebuilds WHERE name = '$name'") || true
            [[ -n $resumed ]] || resumed=$(awk -F'building  ' '/building/ {split($2, p, " "); gsub(",", "", p[1]); print p[1]; exit}' "$folder/err")
        done
        kill -9 "$pid" 2>/dev/null || break
        wait "$pid" 2>/dev/null || true
        if [[ -n ${before:-} && -n $resumed ]]; then
            lost=$(awk -v b="$before" -v r="$resumed" -v n="$events" 'BEGIN {l = 100 * (b - r) / n; printf "%.2f", l > 0 ? l : 0}')
            worst=$(awk -v a="$worst" -v b="$lost" 'BEGIN {print (a > b) ? a : b}')
        fi
        before=$known
        say "    killed after $at s at $known of $target ($phase); it had gone on from ${resumed:-?}"
    done
    rebuild "$name"
    [[ $(hash_of "$name" "$(jq -r .version "$folder/out")") == "$undisturbed" ]] || fail "the rebuild that was killed differs"
    say "  $1, $name: killed $kill times, the same rows as a serial one undisturbed; of what was done at most $worst % was done again, besides the two pieces in hand (a 400th of the reading each, a 90th of the combining)"
    give_up_database "kills_$1"
}

# Redirects and commands beside a rebuild, over the same without one.
measure_load() { # sqlite|postgresql
    local when
    fill "$1" "load_$1" "$events"
    for name in links clicks audit_logs; do rebuild "$name"; done
    start_linkledger
    for _ in $(seq 1200); do
        [[ $("$linkledger" projections --json | jq 'map(.lag_events) | max') -lt 1000 ]] && break
        sleep 0.5
    done
    "$linkledger" events --type link.created | head -10000 | jq -r .data.short_code >"$folder/codes"
    workspace=$("$linkledger" events --type link.created | head -1 | jq -r .workspace_id)
    for when in alone beside; do
        "$tools/bench_open_loop" --port "$port" --rate 1000 --seconds "$seconds" --paths-from "$folder/codes" >"$folder/redirects_$when.json" &
        redirects=$!
        "$tools/bench_open_loop" --port "$port" --rate 100 --seconds "$seconds" --connections 16 --post /v1/commands/CreateLink --key "$key" \
            --body "{\"workspace_id\":\"$workspace\",\"url\":\"https://shop.example/$when/{n}\"}" >"$folder/commands_$when.json" &
        commands=$!
        if [[ $when == beside ]]; then
            sleep 4
            "$linkledger" rebuild links --jobs 2 --json ${LOAD_OPTIONS:-} >"$folder/out" 2>"$folder/err" || fail "$(tail -3 "$folder/err")"
        fi
        wait "$redirects" "$commands" || say "  ! not every request was answered"
    done
    for what in redirects commands; do
        say "  $1, $what: $(jq -rn --slurpfile a "$folder/${what}_alone.json" --slurpfile b "$folder/${what}_beside.json" \
            '"longest \($a[0].max_ms) ms alone, \($b[0].max_ms) ms beside a rebuild; p99 \($a[0].p99_ms) and \($b[0].p99_ms) ms; of \($b[0].sent) failed \($b[0].failed), refused \($b[0].not_3xx // $b[0].not_2xx)"')"
    done
    say "  $1: the rebuild took $(jq .seconds "$folder/out") s at $(jq .events_per_second "$folder/out") events/s; differences: $(jq -c .differences "$folder/out")"
    stop_linkledger
    give_up_database "load_$1"
}

machine
for part in ${PARTS:-rates memory kills load}; do
    say "$part"
    if [[ $part == peers ]]; then
        bash bench/measure_peers.sh
        continue
    fi
    for backend in ${BACKENDS:-postgresql sqlite}; do "measure_$part" "$backend"; done
done
