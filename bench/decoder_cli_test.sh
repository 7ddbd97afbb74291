#!/bin/bash
# The command line of //bench:decoder: a whole run on a small synthetic model, and what mistakes
# get: exit code 2 and one line that helps.
set -u
decoder=$1
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

refused() {
  local pattern=$1 output status
  shift
  output=$("$decoder" "$@" 2>&1 >/dev/null)
  status=$?
  [[ $status == 2 ]] || fail "$*: exit code $status"
  [[ $(wc -l <<<"$output") == 1 ]] || fail "$*: not one line: $output"
  grep -qE -- "$pattern" <<<"$output" || fail "$*: no '$pattern' in: $output"
}

"$decoder" --help | grep -q -- '--beams' || fail 'no help of ours'
refused "did you mean '--beams'" --baems=5
refused 'no such precision' --precision=fp16
refused 'not in range' --beams=0
refused 'positions for 1 to 444' --geometry=synthetic-whisper-tiny --tokens=445
refused 'No such file' --model=/no/such/model.bin

records=$TEST_TMPDIR/runs.jsonl
report=$("$decoder" --geometry=synthetic-whisper-tiny --precision=bf16,int8 --beams=3 --tokens=16 \
  --benchmark_min_time=0.01 --json="$records") || fail "the run ended with $?"
grep -q '^SYNTHETIC WEIGHTS | bf16 .*passed' <<<"$report" || fail "no verdict in: $report"
! grep -qv '^SYNTHETIC WEIGHTS | ' <<<"$report" || fail "a line without its mark in: $report"
grep -q '"series":"decoder/synthetic-whisper-tiny/int8/cpu' "$records" || fail 'no run record'

[[ $failures == 0 ]] && echo 'all passed'
exit $((failures > 0))
