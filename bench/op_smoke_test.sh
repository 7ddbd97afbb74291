#!/bin/bash
# Runs a benchmark on a small sweep, so that it can't rot: BINARY SWEEP.
set -euo pipefail
readonly binary=$1 sweep=$2
readonly records=$TEST_TMPDIR/records.jsonl
readonly output=$TEST_TMPDIR/output.txt

status=0
"$binary" "--sweep=$sweep" --threads=2 --benchmark_min_time=0.001 "--json=$records" \
  | tee "$output" || status=$?
((status == 0)) || { echo "exit status $status" && exit 1; }
rows=$(grep -cE ' (passed [0-9]+ %|unsupported) ' "$output")
lines=$(wc -l <"$records")
((rows > 0 && rows == lines)) || { echo "$rows rows, $lines records" && exit 1; }
grep -q '^measured 20' "$output"

# On the NPU, whose verdicts are the op's own test's business.
"$binary" "--sweep=$sweep" --device=npu --dry_run | tee "$output"
grep -qE ' points, nothing was run$' "$output"
"$binary" "--sweep=$sweep" --device=npu --backend=tile --dry_run | tee "$output"
grep -qE ' points, nothing was run$' "$output"
"$binary" --device=npu --list_tiles >"$output"
grep -qE '^[1-9][0-9]* tile shapes fit$' "$output"
grep -q ' does not fit: ' "$output"
