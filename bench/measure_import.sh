#!/usr/bin/env bash
# Import of 20,000 pages, on both databases; and again, which makes no duplicates.
source bench/lib.sh

file=${IMPORT_FILE:-../shared/data/homepages.tsv}
machine
if [[ ! -r $file ]]; then
    file=$folder/pages.tsv
    awk 'BEGIN {for (i = 1; i <= 20000; i++) printf "https://pages.example/%d/index.html\tpage-%d\ta page of no great interest, number %d\n", i, i, i}' >"$file"
fi
for backend in sqlite postgresql; do
    for round in 1 2 3; do
        use_backend "$backend" "import_${backend}_$round"
        "$linkledger" import "$file" --json >"$folder/first.json" 2>/dev/null || true
        jq -r .links_per_second "$folder/first.json" >>"$folder/$backend.rates"
    done
    "$linkledger" import "$file" --json >"$folder/second.json" 2>/dev/null || true
    say "import     $backend: $(rounded "$(median <"$folder/$backend.rates")") links/s; first $(jq -c '{made,known,refused}' "$folder/first.json"), again $(jq -c '{made,known,refused,links_per_second}' "$folder/second.json")"
done
