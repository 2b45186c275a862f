#!/usr/bin/env bash
# The first session of README.md, from workspace to audit log: prints each command and what it answers.
#
#   docs/first_session.sh ADDRESS ADMIN_KEY          as in  docs/first_session.sh http://127.0.0.1:8080 ll_…
set -euo pipefail

[[ $# -eq 2 ]] || {
    printf 'usage: docs/first_session.sh ADDRESS ADMIN_KEY\n' >&2
    exit 2
}
LL=$1
KEY=$2
trap '[[ $? -eq 0 ]] || printf "first_session.sh: refused. Is a server at %s, is the key an admin key, and the log a new one?\n" "$LL" >&2' EXIT
FIREFOX='Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'
IPHONE='Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1'

note() { printf '\n# %s\n' "$*"; }
# Shows a command and its answer; the answer is kept in $answer.
run() {
    printf '$ %s\n' "$1"
    answer=$(eval "$1")
    printf '%s\n' "$answer"
}
# Keeps a field of the last answer in a variable, and shows that, too.
keep() {
    printf -v "$1" %s "$(jq -er "$2" <<<"$answer")"
    printf '$ %s=%s\n' "$1" "${!1}"
}

printf '$ LL=%s KEY=%s\n' "$LL" "$KEY"

note 'A workspace, and a link in it.'
run "curl -sf \$LL/v1/commands/CreateWorkspace -H \"Authorization: Bearer \$KEY\" --json '{\"name\": \"Acme\", \"slug\": \"acme\"}' | jq ."
keep WORKSPACE .result.workspace_id
run "curl -sf \$LL/v1/commands/CreateLink -H \"Authorization: Bearer \$KEY\" --json '{\"workspace_id\": \"'\$WORKSPACE'\", \"url\": \"https://shop.example/spring\", \"short_code\": \"spring\", \"title\": \"Spring sale\", \"tags\": [\"campaign\"]}' | jq ."
keep LINK .result.link_id

note 'A colleague is invited, accepts, and changes the link with a key of her own.'
run "curl -sf \$LL/v1/commands/InviteMember -H \"Authorization: Bearer \$KEY\" --json '{\"workspace_id\": \"'\$WORKSPACE'\", \"email\": \"grace@acme.example\", \"role\": \"member\"}' | jq -c .result"
keep TOKEN .token
run "curl -sf \$LL/v1/commands/AcceptInvitation --json '{\"token\": \"'\$TOKEN'\", \"name\": \"Grace\"}' | jq -c .result"
keep HER_KEY .api_key
run "curl -sf \$LL/v1/commands/UpdateLink -H \"Authorization: Bearer \$HER_KEY\" --json '{\"link_id\": \"'\$LINK'\", \"url\": \"https://shop.example/spring-sale\"}' | jq -c '{position, events}'"

note 'Three visits by two browsers. Each redirect is answered after its click is on disk.'
printf "$ FIREFOX='%s'\n$ IPHONE='%s'\n" "$FIREFOX" "$IPHONE"
run "curl -sf -A \"\$FIREFOX\" -o /dev/null -w '%{http_code} %{redirect_url}' \$LL/spring"
run "curl -sf -A \"\$FIREFOX\" -o /dev/null -w '%{http_code} %{redirect_url}' \$LL/spring"
run "curl -sf -A \"\$IPHONE\" -o /dev/null -w '%{http_code} %{redirect_url}' \$LL/spring"

note 'The log has it all. A read with ?after= waits until the read model has that event, too.'
run "curl -sf \"\$LL/v1/events?type=link.clicked\" -H \"Authorization: Bearer \$KEY\" | jq -c '{head, clicks: (.items | length)}'"
keep HEAD .head
run "curl -sf \"\$LL/v1/links/\$LINK?after=\$HEAD\" -H \"Authorization: Bearer \$KEY\" | jq -c '{short_code, url, total_clicks, unique_clicks}'"
run "curl -sf \"\$LL/v1/links/\$LINK/clicks?after=\$HEAD\" -H \"Authorization: Bearer \$KEY\" | jq -c '.items[] | {clicked_at, browser, os, device_type}'"
run "curl -sf \"\$LL/v1/workspaces/\$WORKSPACE/audit-logs?after=\$HEAD&order=asc\" -H \"Authorization: Bearer \$KEY\" | jq -c '.items[] | {created_at, action, old: .old_values.url, new: .new_values.url}'"
