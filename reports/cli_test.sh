#!/bin/bash
# The command lines of reports, on recorded runs: exit codes, files, and what mistakes get.
set -u
gate=$PWD/$1 calibrate=$PWD/$2 history=$PWD/$3 convert=$PWD/$4 summary=$PWD/$5 runs=$PWD/$6
encoder=$PWD/$7
cd "$TEST_TMPDIR" || exit 1
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# expect STATUS PATTERN COMMAND...: the exit code, and a line of the output.
expect() {
  local want=$1 pattern=$2 output status
  shift 2
  output=$("$@" 2>&1)
  status=$?
  [[ $status == "$want" ]] || fail "$*: exit code $status, expected $want: $output"
  grep -qE -- "$pattern" <<<"$output" || fail "$*: no '$pattern' in: $output"
}

# Like expect, but the output must be one line: an error message.
refused() {
  local lines
  expect "$@"
  lines=$("${@:3}" 2>&1 | wc -l)
  [[ $lines == 1 ]] || fail "${*:3}: $lines lines"
}

# Two runs of the same build, and changes to the second.
sed -n 1,3p "$runs" >base.jsonl
sed -n 4,6p "$runs" >new.jsonl
cat >slow.py <<'PYTHON'
import json, sys
for line in sys.stdin:
    record = json.loads(line)
    record["samples_s"] = [s * float(sys.argv[1]) for s in record["samples_s"]]
    record["times_s"] = {k: t * float(sys.argv[1]) for k, t in record["times_s"].items()}
    print(json.dumps(record, separators=(',', ':')))
PYTHON
/usr/bin/python3 -B slow.py 1.2 <new.jsonl >slower.jsonl
sed '1s/"status":"passed"/"status":"failed"/; 1s/"times_s":{[^}]*},//; 1s/"samples_s":\[[^]]*\],//
  1s/"metrics":{[^}]*}/"metrics":{}/' new.jsonl >wrong.jsonl
sed 's/"machine_class":"amd/"machine_class":"intel/' new.jsonl >machine.jsonl
sed 1d new.jsonl >vanished.jsonl
sed 's/"seed"/"sead"/' new.jsonl >typo.jsonl
key=$(sed -n '1s/.*"series":"\([^"]*\)".*/\1/p' base.jsonl)
echo "{\"schema_version\":1,\"removed\":\"$key\",\"reason\":\"no longer built\"}" >notes.jsonl

expect 0 '^fine \(exit code 0\): 3 same' "$gate" base.jsonl new.jsonl
expect 1 '^slower \(exit code 1\): 3 SLOWER' "$gate" base.jsonl slower.jsonl
expect 1 'a trial: 20 % were put' "$gate" base.jsonl new.jsonl --inject=0.2
expect 0 '3 faster' "$gate" slower.jsonl base.jsonl
expect 2 'machine class differs' "$gate" base.jsonl machine.jsonl
expect 3 '1 WRONG' "$gate" base.jsonl wrong.jsonl
expect 5 'VANISHED' "$gate" base.jsonl vanished.jsonl
expect 0 'no longer built' "$gate" base.jsonl vanished.jsonl --notes=notes.jsonl
refused 5 'filter=.softmax. matches none' "$gate" base.jsonl new.jsonl --filter=softmax
refused 5 'typo.jsonl:1: record: seed: missing' "$gate" base.jsonl typo.jsonl
refused 5 'none.jsonl: can.t be read' "$gate" base.jsonl none.jsonl
refused 5 "did you mean '--policy'" "$gate" base.jsonl new.jsonl --polcy=x
refused 5 'NEW is required' "$gate" base.jsonl
head -c 5000 new.jsonl | cat base.jsonl - >torn.jsonl
expect 0 'note: torn.jsonl:6: torn last line' "$gate" base.jsonl torn.jsonl
"$gate" base.jsonl slower.jsonl --markdown=gate.md --junit=gate.xml --json=gate.json >/dev/null
grep -q '^### .* slower (exit code 1)' gate.md || fail 'no Markdown'
/usr/bin/python3 -B -c 'import xml.etree.ElementTree as e; e.parse("gate.xml")' ||
  fail 'no JUnit XML'
/usr/bin/python3 -B -c 'import json; json.load(open("gate.json"))' || fail 'no JSON'

# The encoder's records, which have an RTF: each change that README's "Reports" names has its code.
/usr/bin/python3 -B slow.py 1.001 <"$encoder" >encoder.jsonl
/usr/bin/python3 -B slow.py 1.2 <"$encoder" >encoder_slower.jsonl
sed '2s/"status":"passed"/"status":"failed"/; 2s/"times_s":{[^}]*},//; 2s/"samples_s":\[[^]]*\],//
  2s/"metrics":{[^}]*}/"metrics":{}/' encoder.jsonl >encoder_wrong.jsonl
sed 's/"machine_class":"[^"]*"/"machine_class":"intel-amx"/' encoder.jsonl >encoder_machine.jsonl
sed 2d encoder.jsonl >encoder_vanished.jsonl
expect 0 '2 same' "$gate" "$encoder" encoder.jsonl
expect 1 'SLOWER .* -> ' "$gate" "$encoder" encoder_slower.jsonl
expect 1 '2 SLOWER' "$gate" "$encoder" encoder.jsonl --inject=0.2
expect 2 'machine class differs' "$gate" "$encoder" encoder_machine.jsonl
expect 3 '1 WRONG' "$gate" "$encoder" encoder_wrong.jsonl
expect 5 '1 VANISHED' "$gate" "$encoder" encoder_vanished.jsonl
expect 0 '"unit": "x' "$convert" "$encoder" --to=github_bigger
expect 0 '^next .* is nearest to 220x' "$summary" "$encoder"

expect 0 'false alarms: 0\.' "$calibrate" "$runs" --out=policy.json
expect 0 'fine' "$gate" base.jsonl new.jsonl --policy=policy.json
refused 2 '1 runs, at least 4' "$calibrate" base.jsonl
refused 2 'either RECORDS or -- COMMAND' "$calibrate"
# A "benchmark" that appends a recorded run for each time that it is called.
cat >bench.sh <<'SHELL'
#!/bin/bash
echo x >>calls
n=$(wc -l <calls)
sed -n "$((3 * n - 2)),$((3 * n))p" "$RUNS" >"${1#--json=}"
SHELL
chmod +x bench.sh
RUNS=$runs expect 0 '^5 runs on' "$calibrate" --runs=5 --keep=kept.jsonl -- ./bench.sh
[[ $(wc -l <kept.jsonl) == 15 ]] || fail 'calibrate --keep'
expect 2 'no_such_program: can.t be run' "$calibrate" --runs=4 -- ./no_such_program
expect 3 'false: ended with status 1' "$calibrate" --runs=4 -- false

expect 0 '^3 added, 0 there already' "$history" append store base.jsonl
expect 0 '^3 added, 3 there already' "$history" append store base.jsonl new.jsonl
expect 0 '^0 added, 6 there already' "$history" merge store store
expect 0 '2026-11-23 +337bdd17cf9a' "$history" list store
expect 0 '^1 files would be deleted' "$history" prune store --keep=0 --dry_run
refused 2 'keep=N is missing' "$history" prune store
refused 2 "did you mean 'merge'" "$history" marge store
expect 1 '' "$gate" store slower.jsonl

expect 0 '"unit": "ms"' "$convert" base.jsonl --to=github_smaller
refused 2 'none of the 3 records has an RTF' "$convert" base.jsonl --to=github_bigger
"$convert" base.jsonl --to=google_benchmark --out=base.json || fail 'to google_benchmark'
"$convert" base.json --from=google_benchmark --to=records --out=again.jsonl || fail 'and back'
cmp base.jsonl again.jsonl || fail 'converting there and back changed the records'
refused 2 'no such format' "$convert" base.jsonl --to=csv

expect 0 '^next ' "$summary" "$runs"
! "$summary" "$runs" | grep -q $'\033' || fail 'colours in a file'

[[ $failures == 0 ]] && echo 'all passed'
exit $((failures > 0))
