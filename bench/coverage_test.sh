#!/bin/bash
# The coverage matrix (BINARY): its rows, its sums, its JSON, and what it says to bad input.
set -uo pipefail
readonly coverage=$1
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# prints STATUS TEXT ARGUMENTS...
prints() {
  local wanted=$1 text=$2 status=0
  shift 2
  "$coverage" "$@" >"$TEST_TMPDIR/out" 2>"$TEST_TMPDIR/err" || status=$?
  ((status == wanted)) || fail "$*: exit status $status: $(cat "$TEST_TMPDIR/err")"
  cat "$TEST_TMPDIR/out" "$TEST_TMPDIR/err" >"$TEST_TMPDIR/all"
  grep -qE -- "$text" "$TEST_TMPDIR/all" || fail "$*: no '$text' in: $(cat "$TEST_TMPDIR/all")"
}

prints 0 "^layer_norm +npu +bf16 +tile_floor " --list
for op in add attention conv1d ffn gelu layer_norm linear softmax; do
  grep -qE "^$op +cpu +f32 +fast" "$TEST_TMPDIR/out" || fail "no $op on the CPU"
  grep -qE "^$op +npu +bf16 +tile " "$TEST_TMPDIR/out" || fail "no $op on the NPU"
done
prints 0 "^add +npu +bf16 +tile +exact0 .* passed +100 %$" --match='^add/'
grep -qE "^add +npu +bf16 +tile_floor .* wrong on purpose$" "$TEST_TMPDIR/out" || fail "no sums"
prints 0 '"verdict": "passed"' --match='^add/exact0/f32' --json
prints 2 "matches no OP" --match=zzz
prints 2 "not a regular expression" --match='['
prints 2 "did you mean '--match'" --mach=add

((failures == 0)) && echo "all as expected"
exit "$((failures > 0))"
