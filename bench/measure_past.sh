#!/usr/bin/env bash
# A log of a million events: the second verifier on it, all read models replayed into a file, one person erased
source bench/lib.sh

machine
events=${EVENTS:-1000000}
seconds_of() { # COMMAND…: how long it takes
    local start=$EPOCHREALTIME
    "$@" >"$folder/out" 2>&1 || fail "$(tail -3 "$folder/out")"
    awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.2f", b - a}'
}
ask() { curl -fsS -H "Authorization: Bearer $key" "http://127.0.0.1:$port$1"; }
tell() { curl -fsS -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d "$2" "http://127.0.0.1:$port/v1/commands/$1"; }
position_of() { ask "/v1/projections" | jq '[.items[].position] | min'; }
wait_for_models() {
    local head
    head=$(ask '/v1/events?limit=1' | jq .head)
    until [[ $(position_of) -ge $head ]]; do sleep 0.2; done
}

# Every table of the live read models' files against the replay's; rows of either that the other lacks.
compare_with_live() { # FILE
    local part table rows differing
    for part in "${DB_PATH%.db}".*-v*.db; do
        for table in $(sqlite3 "$part" "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB '*_v[0-9]*'"); do
            # Versions that are not live are not in the replay.
            [[ -n $(sqlite3 "$1" "SELECT 1 FROM sqlite_master WHERE name = '$table'") ]] || continue
            rows=$(sqlite3 "$part" "SELECT count(*) FROM $table")
            differing=$(sqlite3 "$part" "ATTACH '$1' AS replay; SELECT (SELECT count(*) FROM (SELECT * FROM main.$table EXCEPT SELECT * FROM replay.$table)) + abs($rows - (SELECT count(*) FROM replay.$table))")
            say "  $table: $rows rows, $differing differ"
            [[ $differing -eq 0 ]] || fail "$table differs"
        done
    done
}

for backend in ${BACKENDS:-sqlite postgresql}; do
    use_backend "$backend" "past_$backend"
    # The first administrator is made with an empty log.
    start_linkledger
    stop_linkledger
    "$tools/bench_fill" "${DATABASE_URL:-$DB_PATH}" "$MASTER_KEY_FILE" "$events" >/dev/null
    start_linkledger
    head=$(ask '/v1/events?limit=1' | jq .head)
    took=$(seconds_of wait_for_models)
    say "$backend: the live read models reach the head of $head events: $took s"
    stop_linkledger
    sync  # What the server left to be written is not the replay's.
    took=$(seconds_of "$linkledger" replay --until "$head" --into "$folder/$backend.replay.db")
    say "$backend: replay of $head events into a file: $took s, $(awk -v n="$head" -v s="$took" 'BEGIN {printf "%.0f", n / s}') events/s"
    [[ $backend == sqlite ]] && compare_with_live "$folder/$backend.replay.db"
    rm -f "$folder/$backend.replay.db"
    took=$(seconds_of "$linkledger" audit verify)
    say "$backend: audit verify: $took s, $(tail -1 "$folder/out")"

    start_linkledger
    ws=$(tell CreateWorkspace '{"name":"People","slug":"people"}' | jq -r .result.workspace_id)
    token=$(tell InviteMember "{\"workspace_id\":\"$ws\",\"email\":\"ann@example.com\",\"role\":\"member\"}" | jq -r .result.token)
    tell AcceptInvitation "{\"token\":\"$token\",\"name\":\"Ann\"}" >/dev/null
    wait_for_models
    ask "/v1/workspaces/$ws/members" | grep -q ann@example.com || fail "Ann is not there."
    start=$EPOCHREALTIME
    at=$(tell EraseSubject '{"email":"ann@example.com"}' | jq .position)
    shown() { ask "/v1/workspaces/$ws/members"; ask "/v1/workspaces/$ws/invitations"; ask "/v1/workspaces/$ws/audit-logs"; ask "/v1/workspaces/$ws/history"; }
    while shown | grep -q ann@example.com; do :; done
    hidden=$EPOCHREALTIME
    until [[ $(ask "/v1/erasures/$at" | jq .is_done) == true ]]; do sleep 0.01; done
    say "$backend: erasure of a person: shown by no API after $(awk -v a="$start" -v b="$hidden" 'BEGIN {printf "%.3f", b - a}') s," \
        "receipt after $(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.3f", b - a}') s"

    until [[ $(curl -fs "http://127.0.0.1:$port/log/checkpoint" | sed -n 2p) -ge $events ]]; do sleep 0.2; done
    if command -v go >/dev/null && [[ -d /usr/share/gocode/src/golang.org/x/mod/sumdb/tlog ]]; then
        "$linkledger" audit export --into "$folder/$backend.tar.zst" >/dev/null 2>&1
        mkdir "$folder/$backend.published"
        zstd -dc "$folder/$backend.tar.zst" | tar x -C "$folder/$backend.published"
        GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS='' GOCACHE=$folder/go go build -o "$folder/verifier" tests/verifier/main.go
        took=$(seconds_of "$folder/verifier" "$folder/$backend.published" "$("$linkledger" audit key | head -1)" 1000)
        say "$backend: second verifier, with 1,000 random inclusion and consistency proofs: $(tail -1 "$folder/out"), $took s"
        rm -rf "$folder/$backend.published" "$folder/$backend.tar.zst"
    fi
    stop_linkledger
done
