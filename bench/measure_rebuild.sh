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
    generate "$3"
}
generate() { # EVENTS
    "$linkledger" bench generate --events "$1" --links "$links" --visitors "$visitors" >"$folder/generate.log" 2>&1 ||
        fail "$(tail -3 "$folder/generate.log")"
}
give_up_database() { # NAME
    rm -rf "${folder:?}/$1"
    [[ -z ${DATABASE_URL:-} ]] || sql "DROP DATABASE $1" >/dev/null
}
query_rows() { # NAME VERSION SQL on the tables of a build; its version is 2, or 2.3
    local version=${2%.*} build=1
    [[ $2 != *.* ]] || build=${2#*.}
    if [[ -z ${DATABASE_URL:-} ]]; then
        sqlite3 "${DB_PATH%.db}.$1-v$2.db" "$3"
    elif ((build == 1)); then
        query "$3"
    else
        query "SET search_path TO public_$1_v${version}_$build; $3"
    fi
}
live_version() { # NAME
    query "SELECT CASE WHEN build = 1 THEN version || '' ELSE version || '.' || build END
        FROM projection_versions WHERE name = '$1' AND state = 'live'"
}
drop_others() { # NAME: what is not live, which a server would feed
    local version
    for version in $(query "SELECT CASE WHEN build = 1 THEN version || '' ELSE version || '.' || build END
        FROM projection_versions WHERE name = '$1' AND state <> 'live'"); do
        "$linkledger" drop "$1" "$version" >/dev/null
    done
}
psql_seconds() { # PSQL ARGUMENTS… -> seconds
    local start
    start=$(date +%s.%N)
    "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 "$DATABASE_URL" "$@" >"$folder/sql.log" 2>&1 || fail "$(tail -3 "$folder/sql.log")"
    awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN {printf "%.1f", b - a}'
}

# Notes time, position, target and milliseconds left of a rebuild, until the file is there that says it is over.
watch_rebuild() { # NAME
    while [[ -d $folder && ! -e $folder/over ]]; do
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

# What the tables of a build hold, as one line.
hash_of() { # NAME VERSION
    local table tables="$1_v${2%.*}"
    [[ $1 != links ]] || tables="links_v${2%.*} link_visitors_v${2%.*} link_tags_v${2%.*} tags_v${2%.*}"
    for table in $tables; do
        if [[ -n ${DATABASE_URL:-} ]]; then
            query_rows "$1" "$2" "SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM $table AS t"
        else
            query_rows "$1" "$2" "SELECT * FROM $table ORDER BY 1, 2"
        fi
    done | md5sum
}

# What an unfinished build has noted as done: ranges read, stretches combined of so many, indexes left to make.
noted() { # NAME VERSION
    local parts notes=rebuild_$1_v${2%.*}
    parts=$(find "${DB_PATH%/*}" -path "*rebuild/$1-v$2-*" -type f ! -name '*.new' | wc -l)
    query_rows "$1" "$2" "SELECT $parts + coalesce(sum(CASE kind WHEN 2 THEN 1 END), 0), coalesce(sum(CASE kind WHEN 4 THEN 1 END), 0),
        coalesce(sum(CASE kind WHEN 3 THEN 1 END), 0), coalesce(sum(CASE kind WHEN 5 THEN 1 END), 0) FROM $notes" 2>/dev/null | tr '|' ' ' || true
}

# kill -9 ten times, at moments spread over the whole; then it goes on to its end. What is lost is what was in hand: two
# pieces of work at most, and those are measured where nothing is killed.
measure_kills() { # sqlite|postgresql
    local name=${KILLED:-links} undisturbed alone shares version count at took=0 started kills=0 ranges=0 stretches=0 before now
    fill "$1" "kills_$1" "$events"
    jobs=1 rebuild "$name"
    undisturbed=$(hash_of "$name" "$(live_version "$name")")
    LOG_LEVEL=debug rebuild "$name"
    alone=$build_seconds
    shares=$(cat "$folder/out" "$folder/err" | sed -nE 's/.*(read|combined|indexed) in ([0-9.]+) s.*/\1 \2/p' | xargs)
    for count in $(seq 10); do
        at=$(awk -v t="$alone" -v r="$RANDOM" 'BEGIN {printf "%.2f", 0.2 + t / 10 * r / 32768 * 1.6}')
        started=$EPOCHREALTIME
        "$linkledger" rebuild "$name" --jobs 2 >"$folder/out" 2>"$folder/err" &
        pid=$!
        sleep "$at"
        kill -9 "$pid" 2>/dev/null || true
        if wait "$pid" 2>/dev/null; then break; fi # It was done before.
        took=$(awk -v t="$took" -v a="$started" -v b="$EPOCHREALTIME" 'BEGIN {print t + b - a}')
        kills=$count
        version=$(query "SELECT version || '.' || build FROM projection_versions WHERE name = '$name' ORDER BY version DESC, build DESC LIMIT 1")
        now=$(noted "$name" "$version")
        say "    killed after $at s ($(query "SELECT phase FROM projection_rebuilds WHERE name = '$name'")); ranges read, stretches combined, of, indexes to make: ${now:-all is done}"
        # Nothing that was noted is done again.
        if [[ -n ${before:-} && -n $now ]]; then
            awk -v a="$before" -v b="$now" 'BEGIN {split(a, x, " "); split(b, y, " "); exit y[1] < x[1] || y[2] < x[2]}' ||
                fail "of what was noted ($before) some is gone ($now)"
        fi
        before=$now
        [[ -z $now ]] || read -r ranges _ stretches _ <<<"$now"
    done
    [[ $kills -lt $count ]] || rebuild "$name"
    took=$(awk -v t="$took" -v w="$whole_seconds" 'BEGIN {printf "%.1f", t + w}')
    [[ $(hash_of "$name" "$(live_version "$name")") == "$undisturbed" ]] || fail "the rebuild that was killed differs"
    say "  $1, $name: killed $kills times, the same rows as a serial one undisturbed; $took s in all with their starts and the comparison, $alone s undisturbed without it ($shares s)"
    awk -v shares="$shares" -v ranges="$ranges" -v stretches="$stretches" -v backend="$1" 'BEGIN {
        n = split(shares, s, " ")
        for (i = 1; i < n; i += 2) {took[s[i]] = s[i + 1]; all += s[i + 1]}
        printf "    in hand at a kill, of the work: %.2f %% reading (2 of %d ranges)", 200 * took["read"] / ranges / all, ranges
        if (stretches) printf ", %.2f %% combining (2 of %d stretches)", 200 * took["combined"] / stretches / all, stretches
        if (backend == "postgresql") printf ", 0 making indexes (the server goes on)\n"
        else printf ", at most %.1f %% making indexes\n", 100 * took["indexed"] / all}'
    give_up_database "kills_$1"
}

# Redirects and commands beside a rebuild, over the same without one. Read models are at the head before, and old
# versions dropped, so that a server feeds what one feeds that has run for long.
measure_load() { # sqlite|postgresql
    local when name what redirects commands workspace took
    use_backend "$1" "load_$1"
    start_linkledger # The first administrator is made with an empty log.
    stop_linkledger
    generate "$events"
    for name in links clicks audit_logs; do
        rebuild "$name"
        drop_others "$name"
    done
    start_linkledger
    wait_for_projections 999 600
    name=links_v$(live_version links | cut -d. -f1)
    query_rows links "$(live_version links)" "SELECT short_code FROM $name WHERE is_active AND deleted_at IS NULL LIMIT 10000" >"$folder/codes"
    workspace=$("$linkledger" events --type link.created --limit 1 | jq -r .workspace_id)
    for when in alone beside; do
        # What was written before is not written back meanwhile.
        [[ -z ${DATABASE_URL:-} ]] || sql CHECKPOINT
        sync
        "$tools/bench_open_loop" --port "$port" --rate 1000 --seconds "$seconds" --paths-from "$folder/codes" >"$folder/redirects_$when.json" &
        redirects=$!
        "$tools/bench_open_loop" --port "$port" --rate 100 --seconds "$seconds" --connections 16 --post /v1/commands/CreateLink --key "$key" \
            --body "{\"workspace_id\":\"$workspace\",\"url\":\"https://shop.example/$when/{n}\"}" >"$folder/commands_$when.json" &
        commands=$!
        if [[ $when == beside ]]; then
            sleep 4
            "$linkledger" rebuild links --jobs 2 --json ${LOAD_OPTIONS:-} >"$folder/out" 2>"$folder/err" || fail "$(tail -3 "$folder/out" "$folder/err")"
            is_running "$redirects" || say "  ! the load ended before the rebuild; SECONDS_EACH makes it longer"
        fi
        wait "$redirects" || say "  ! not every redirect was answered"
        wait "$commands" || say "  ! not every command was answered"
    done
    for what in redirects commands; do
        say "  $1, $what: $(jq -rn --slurpfile a "$folder/${what}_alone.json" --slurpfile b "$folder/${what}_beside.json" \
            '"longest \($a[0].max_ms) ms alone, \($b[0].max_ms) ms beside a rebuild; p99.9 \($a[0].p999_ms) and \($b[0].p999_ms) ms, p99 \($a[0].p99_ms) and \($b[0].p99_ms) ms; of \($a[0].sent) and \($b[0].sent) failed \($a[0].failed) and \($b[0].failed), refused \($a[0].not_3xx // $a[0].not_2xx) and \($b[0].not_3xx // $b[0].not_2xx)"')"
    done
    took=$(jq '.seconds * 10 | round / 10' "$folder/out")
    say "  $1: the rebuild of $events events took $took s beside it, at $(jq .events_per_second "$folder/out") events/s; differences: $(jq -c .differences "$folder/out")"
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
