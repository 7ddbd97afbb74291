#!/bin/bash
# The command line of the dashboard (DASHBOARD FIXTURE): the page it writes, and what it says to bad
# input.
set -uo pipefail
readonly dashboard=$1 fixture=$2
failures=0
scratch=$TEST_TMPDIR
records=$scratch/runs.jsonl

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# prints STATUS TEXT ARGUMENTS...
prints() {
  local wanted=$1 text=$2 status=0
  shift 2
  "$dashboard" "$@" >"$scratch/log" 2>&1 || status=$?
  ((status == wanted)) || fail "$*: exit status $status: $(cat "$scratch/log")"
  grep -qE -- "$text" "$scratch/log" || fail "$*: no '$text' in: $(cat "$scratch/log")"
}

"$fixture" "$records" || fail "no records"
count=$(wc -l <"$records")
prints 0 "site/index.html: $count records" "$records" --out="$scratch/site"
page=$scratch/site/index.html
grep -q 'plotly.js v' "$page" || fail "no plotting library in the page"
(($(grep -c '</script>' "$page") == 3)) || fail "a record's text ended a script"
grep -q '{{' <(head -n 30 "$page") && fail "a mark of the template is left"

# An old page gives way to a new one, and nothing is left beside it.
prints 0 'records' "$records" --out="$scratch/site"
[[ $(ls "$scratch/site") == index.html ]] || fail "left beside the page: $(ls "$scratch/site")"

prints 2 '--out' "$records"
prints 2 'RUNS' --out="$scratch/site"
prints 2 'absent.jsonl' "$scratch/absent.jsonl" --out="$scratch/site"
: >"$scratch/empty.jsonl"
prints 2 'no record in' "$scratch/empty.jsonl" --out="$scratch/site"
echo '{"schema_version": 1}' >"$scratch/bad.jsonl"
prints 2 'bad.jsonl:1: ' "$scratch/bad.jsonl" --out="$scratch/site"
head -n 1 "$records" | sed 's/2026-11-20T/2026-11-31T/' >"$scratch/date.jsonl"
prints 2 "date.jsonl:1: environment.date: '2026-11-31T12:00:00Z' is not" \
  "$scratch/date.jsonl" --out="$scratch/site"
: >"$scratch/file"
prints 3 "file/index.html can't be written" "$records" --out="$scratch/file"

# What was removed is left out, and said.
series=$(head -n 1 "$records" | grep -oE '"series":"[^"]+"' | cut -d'"' -f4)
cp "$records" "$scratch/removed.jsonl"
printf '{"schema_version": 1, "removed": "%s", "reason": "tested"}\n' "$series" \
  >>"$scratch/removed.jsonl"
prints 0 "left out: 1 records of $series, removed: tested" \
  "$scratch/removed.jsonl" --out="$scratch/site"
prints 0 "index.html: $((count - 1)) records" "$scratch/removed.jsonl" --out="$scratch/site"
# A cut last line is left out, and said.
head -c -20 "$records" >"$scratch/torn.jsonl"
prints 0 "left out: .*torn.jsonl:$count" "$scratch/torn.jsonl" --out="$scratch/site"

((failures == 0))
