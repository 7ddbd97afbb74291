#!/bin/bash
# The goldens of ops (BINARY...) at each level of instructions that this machine has: each precision
# has to run, and to pass, at each of them.
set -uo pipefail
failures=0
runs=0
out=$TEST_TMPDIR/out

fail() {
  echo "FAILED: $1"
  cat "$out"
  failures=$((failures + 1))
}

for isa in portable avx2 avx512 avx512_bf16 amx; do
  for test in "$@"; do
    if ! XDNA_ISA=$isa "$test" --gtest_filter=Golden.EveryCaseInEveryVariant >"$out" 2>&1; then
      fail "$isa $test"
      continue
    fi
    if grep -q "this machine has .* at most, not $isa" "$out"; then
      echo "$isa $test: not on this machine"
      continue
    fi
    counts=
    for precision in f32 bf16 int8; do
      count=$(grep -c "/$precision/fast: passed, " "$out")
      ((count > 0)) || fail "$isa $test: nothing passed in $precision"
      counts+=" $count in $precision"
    done
    if grep -q ': unsupported: ' "$out"; then fail "$isa $test: something is unsupported"; fi
    echo "$isa $test: passed$counts"
    runs=$((runs + 1))
  done
done
if XDNA_ISA=sse9 "$1" >"$out" 2>&1; then fail "took an unknown level"; fi
echo "$runs passed, $failures failed"
((failures == 0 && runs > 0))
