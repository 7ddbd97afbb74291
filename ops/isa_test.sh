#!/bin/bash
# The goldens of ops (BINARY...) at each level of instructions: what the machine lacks is skipped.
set -uo pipefail
failures=0
runs=0
for isa in portable avx2 avx512 avx512_bf16 amx; do
  for test in "$@"; do
    if XDNA_ISA=$isa "$test" --gtest_filter=Golden.EveryCaseInEveryVariant \
      >"$TEST_TMPDIR/out" 2>&1; then
      runs=$((runs + 1))
      echo "$isa $test: $(grep -cE ': passed, ' "$TEST_TMPDIR/out") checks passed," \
        "$(grep -c ': unsupported: ' "$TEST_TMPDIR/out") unsupported"
    else
      echo "FAILED: $isa $test"
      cat "$TEST_TMPDIR/out"
      failures=$((failures + 1))
    fi
  done
done
if XDNA_ISA=sse9 "$1" >"$TEST_TMPDIR/out" 2>&1; then
  echo "FAILED: took an unknown level"
  failures=$((failures + 1))
fi
echo "$runs passed, $failures failed"
((failures == 0))
