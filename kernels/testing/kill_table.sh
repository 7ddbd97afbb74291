#!/bin/sh
# usage: kill_table.sh FAULTY_TEST_PROGRAM... Runs kernels' tests over each faulty build of a kernel
# (kernels/KERNEL/NAME_test_FAULT) and prints which tests saw the fault. Fails if one was not seen,
# or if there are none.
set -u
survivors=0
count=0
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
printf '%-12s %-34s %-9s %s\n' kernel fault verdict 'killed by'
for program in "$@"; do
  kernel="$(basename "$(dirname "$program")")"
  fault="${program##*_test_}"
  count=$((count + 1))
  # Without Bazel's file for results: that a faulty build fails is no failure of this test.
  env -u XML_OUTPUT_FILE timeout 120 "./$program" >"$work/log" 2>&1
  status=$?
  tests=$(sed -n 's/^\[  FAILED  \] \([^ ,]*\)[ ,].* ms)$/\1/p' "$work/log" | sort -u)
  if [ -n "$tests" ] && [ "$status" -eq 1 ]; then
    verdict=killed
    by="$(echo "$tests" | tr '\n' ' ')"
  elif [ "$status" -gt 124 ]; then
    verdict=killed
    by="(ended by signal, status $status)"
  else
    verdict=SURVIVED
    by="(exit status $status)"
    survivors=$((survivors + 1))
  fi
  printf '%-12s %-34s %-9s %s\n' "$kernel" "$fault" "$verdict" "$by"
done
killed=$((count - survivors))
[ "$count" -gt 0 ] || { echo 'no faults given'; exit 1; }
echo "$killed of $count faults killed: $((100 * killed / count)) %"
[ "$survivors" -eq 0 ]
