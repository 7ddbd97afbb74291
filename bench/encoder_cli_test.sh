#!/bin/bash
# The command line of //bench:encoder: a whole run on a small synthetic model, and what mistakes
# get: exit code 2 and one line that helps.
set -u
encoder=$1
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

refused() {
  local pattern=$1 output status
  shift
  output=$("$encoder" "$@" 2>&1 >/dev/null)
  status=$?
  [[ $status == 2 ]] || fail "$*: exit code $status"
  [[ $(wc -l <<<"$output") == 1 ]] || fail "$*: not one line: $output"
  grep -qE -- "$pattern" <<<"$output" || fail "$*: no '$pattern' in: $output"
}

refused "did you mean '--audio'" --audoi=x.wav
refused 'no such precision' --precision=fp16
refused 'not in range' --threads=0
refused 'seed-3001' --geometry=seed3001
refused 'whisper-tiny' --geometry=synthetic-whisper-teeny
refused 'no such file' --audio=/no/such/file.wav
refused 'is a directory' --audio=/tmp
refused 'No such file' --model=/no/such/model.bin

records=$TEST_TMPDIR/runs.jsonl
report=$("$encoder" --geometry=synthetic-whisper-tiny --precision=f32 --benchmark_min_time=0.01 \
  --json="$records") || fail "the run ended with $?"
grep -q '^SYNTHETIC WEIGHTS | f32 .*passed' <<<"$report" || fail "no verdict in: $report"
! grep -qv '^SYNTHETIC WEIGHTS | ' <<<"$report" || fail "a line without its mark in: $report"
grep -q '"series":"encoder/synthetic-whisper-tiny/f32/cpu' "$records" || fail 'no run record'

[[ $failures == 0 ]] && echo 'all passed'
exit $((failures > 0))
