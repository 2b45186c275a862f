#!/usr/bin/env bash
# Rebuilds of links, clicks and audit_logs over the same in plain SQL and COPY; memory, kills, time left
source bench/lib.sh

events=${EVENTS:-5000000}
links=${LINKS:-100000}
visitors=${VISITORS:-1000000}

seconds_of() { # COMMAND… -> seconds, and the peak resident memory in MB
    /usr/bin/time -f '%e %M' -o "$folder/time" "$@" >"$folder/out" 2>"$folder/err" || fail "$(cat "$folder/out" "$folder/err" | tail -5)"
    awk '{printf "%s %d\n", $1, $2 / 1024}' "$folder/time"
}
sql_seconds() { # SQL
    local start
    start=$(date +%s.%N)
    "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 "$DATABASE_URL" -c "$1" >"$folder/sql.log" 2>&1 || fail "$(tail -3 "$folder/sql.log")"
    awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN {printf "%.1f", b - a}'
}
rate() { awk -v n="$1" -v s="$2" 'BEGIN {printf "%.0f", n / s}'; }
disk() { grep -o 'with .* of disk at most' "$folder/out"; }

rebuild() { # NAME
    "$linkledger" drop "$1" 1 >/dev/null 2>&1 || true
    local took memory
    read -r took memory < <(seconds_of "$linkledger" rebuild "$1" --jobs 2)
    grep differs "$folder/out" && fail "the rebuild of $1 differs"
    seconds=$took
    say "  $1: $(rate "$events" "$took") events/s ($took s, peak $memory MB, $(disk))"
}

machine
for backend in ${BACKENDS:-postgresql sqlite}; do
    say "$backend, $events events, $links links, $visitors visitors"
    use_backend "$backend" "rebuild_$backend"
    "$linkledger" bench generate --events "$events" --links "$links" --visitors "$visitors" >"$folder/generate.log" 2>&1 ||
        fail "$(tail -3 "$folder/generate.log")"
    for name in links clicks audit_logs; do
        # The first build makes the live tables; it is what is measured against a database that has none.
        rebuild "$name"
        declare "took_$name=$seconds"
    done
    [[ $backend == postgresql ]] || continue
    took=$(sql_seconds "
        CREATE TABLE by_link AS SELECT data::json->>'link_id' AS link_id, count(*) AS total,
            count(DISTINCT personal) AS unique_clicks FROM events WHERE type = 'link.clicked'
            AND NOT (data::json->>'is_bot')::boolean GROUP BY 1;
        CREATE TABLE folded AS SELECT c.data::json->>'link_id' AS id, c.data::json->>'url' AS url,
            coalesce(u.title, c.data::json->>'title') AS title, b.total, b.unique_clicks
            FROM events AS c LEFT JOIN LATERAL (SELECT e.data::json->'after'->>'title' AS title FROM events AS e
                WHERE e.stream_number = c.stream_number AND e.type = 'link.updated' ORDER BY e.version DESC LIMIT 1) AS u ON true
            LEFT JOIN by_link AS b ON b.link_id = c.data::json->>'link_id' WHERE c.type = 'link.created';
        CREATE UNIQUE INDEX ON folded (id)")
    say "  one set-based statement over the events: $took s; rebuild of links over it $(ratio "$took" "$took_links")"
    live=$("$linkledger" projections --json | jq -r '.[] | select(.live) | .name + " " + (.build | tostring)')
    for name in clicks audit_logs; do
        build=$(awk -v n="$name" '$1 == n {print $2}' <<<"$live")
        from=${name}_v1
        [[ $build == 1 ]] || from="public_${name}_v1_$build.${name}_v1"
        sql=$("$pg_bin/psql" -X -q -A -t "$DATABASE_URL" -c "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = '$from'::regclass AND attnum > 0 AND NOT attisdropped")
        "$pg_bin/psql" -X -q "$DATABASE_URL" -c "COPY (SELECT $sql FROM $from) TO STDOUT (FORMAT binary)" >"$folder/$name.bin"
        "$pg_bin/psql" -X -q "$DATABASE_URL" -c "CREATE TABLE copied_$name (LIKE $from)"
        start=$(date +%s.%N)
        "$pg_bin/psql" -X -q "$DATABASE_URL" -c "COPY copied_$name FROM STDIN (FORMAT binary)" <"$folder/$name.bin"
        if [[ $name == clicks ]]; then
            "$pg_bin/psql" -X -q "$DATABASE_URL" -c "ALTER TABLE copied_clicks ADD PRIMARY KEY (link_id, clicked_at, id);
                CREATE INDEX ON copied_clicks (visitor_id, clicked_at DESC)"
        else
            "$pg_bin/psql" -X -q "$DATABASE_URL" -c "ALTER TABLE copied_audit_logs ADD PRIMARY KEY (id);
                CREATE INDEX ON copied_audit_logs (workspace_id, position); CREATE INDEX ON copied_audit_logs (user_id, position);
                CREATE INDEX ON copied_audit_logs (resource_type, resource_id, position);
                CREATE UNIQUE INDEX ON copied_audit_logs (position)"
        fi
        took=$(awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN {printf "%.1f", b - a}')
        mine=took_$name
        say "  COPY of the rows of $name with the same indexes: $took s; rebuild over it $(ratio "$took" "${!mine}")"
        rm "$folder/$name.bin"
    done
done
