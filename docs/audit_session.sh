#!/usr/bin/env bash
# The auditor's session of docs/audit.md: prints each command and what it answers. Beside the server, with its
# environment, because `linkledger audit`, `replay` and `erase` work on the log itself.
#
#   docs/audit_session.sh ADDRESS ADMIN_KEY LINKLEDGER          the last one: the executable
set -euo pipefail

[[ $# -eq 3 ]] || {
    printf 'usage: docs/audit_session.sh ADDRESS ADMIN_KEY LINKLEDGER\n' >&2
    exit 2
}
LL=$1
KEY=$2
PATH=$(cd "$(dirname "$3")" && pwd):$PATH
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT

note() { printf '\n# %s\n' "$*"; }
run() {
    printf '$ %s\n' "$1"
    answer=$(eval "$1")
    printf '%s\n' "$answer"
}
tell() { curl -sf "$LL/v1/commands/$1" -H "Authorization: Bearer $KEY" --json "$2" | jq -er "$3"; }
signed() { # waits until the signed head covers the log
    local head
    head=$(curl -sf "$LL/v1/events?limit=1" -H "Authorization: Bearer $KEY" | jq .head)
    until [[ $(curl -sf "$LL/log/checkpoint" | sed -n 2p) -ge $head ]]; do sleep 0.05; done
}

# What happened before the auditor came.
workspace=$(tell CreateWorkspace '{"name": "Audited", "slug": "audited"}' .result.workspace_id)
LINK=$(tell CreateLink '{"workspace_id": "'"$workspace"'", "url": "https://shop.example/spring", "short_code": "audited"}' .result.link_id)
THEN=$(tell UpdateLink '{"link_id": "'"$LINK"'", "url": "https://shop.example/summer"}' .position)
curl -sf -o /dev/null "$LL/audited"
tell UpdateLink '{"link_id": "'"$LINK"'", "url": "https://shop.example/autumn"}' .position >/dev/null
token=$(tell InviteMember '{"workspace_id": "'"$workspace"'", "email": "grace@acme.example", "role": "member"}' .result.token)
curl -sf "$LL/v1/commands/AcceptInvitation" --json '{"token": "'"$token"'", "name": "Grace"}' >/dev/null
signed

printf '$ LL=%s KEY=%s LINK=%s THEN=%s\n' "$LL" "$KEY" "$LINK" "$THEN"
note 'Who changed this link, when, from what to what? Where did it lead then?'
run "curl -sf \"\$LL/v1/links/\$LINK/history\" -H \"Authorization: Bearer \$KEY\" | jq -c '.items[] | {position, type, from: .data.before.url, to: (.data.after.url // .data.url)}'"
run "curl -sf \"\$LL/v1/links/\$LINK?as_of=\$THEN\" -H \"Authorization: Bearer \$KEY\" | jq -c '{url, total_clicks}'"
run "curl -sf \"\$LL/v1/links/\$LINK/diff?from=\$THEN\" -H \"Authorization: Bearer \$KEY\" | jq -c '.changes[] | select(.field != \"updated_at\")'"

note 'Is the record complete and unaltered? From what is published, and again from the store, read models included.'
run "linkledger audit key | tee key"
run "curl -sf \$LL/log/checkpoint | tee kept"
run "linkledger audit verify --url \$LL --key key"
run "linkledger audit verify --since kept --read-models"

note 'One event, proven to somebody who has nothing but the key; and everything, to take away.'
run "curl -sf \"\$LL/v1/events/\$THEN/proof\" -H \"Authorization: Bearer \$KEY\" -H 'Accept: text/plain' | head -3 | cut -c1-60"
run "linkledger audit export --into log.tar.zst"
run "linkledger audit verify --bundle log.tar.zst --key key | tail -1"

note 'The past as plain tables.'
run "linkledger replay --until \$THEN --into then.db 2>/dev/null"
run "python3 -c 'import sqlite3; print(sqlite3.connect(\"then.db\").execute(\"SELECT short_code, url, total_clicks FROM links\").fetchall())'"

note 'Grace asks to be forgotten. Proofs and checkpoints from before stay valid.'
run "linkledger erase --email grace@acme.example --receipt receipt 2>/dev/null | head -12"
signed
run "linkledger audit verify --since kept --read-models | tail -1"
