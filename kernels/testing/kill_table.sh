#!/bin/sh
# usage: kill_table.sh FAULT=TEST_PROGRAM... Runs a kernel's tests over each faulty build of it and
# prints which tests saw the fault. Fails if one was not seen, or if there are none.
set -u
survivors=0
count=0
log="${TEST_TMPDIR:-/tmp}/kill_table.log"
printf '%-28s %-9s %s\n' fault verdict 'killed by'
for pair in "$@"; do
  fault="${pair%%=*}"
  program="${pair#*=}"
  count=$((count + 1))
  # Without Bazel's file for results: that a faulty build fails is no failure of this test.
  env -u XML_OUTPUT_FILE timeout 120 "./$program" >"$log" 2>&1
  status=$?
  tests=$(sed -n 's/^\[  FAILED  \] \([^ ,]*\)[ ,].* ms)$/\1/p' "$log" | sort -u)
  if [ -n "$tests" ] && [ "$status" -eq 1 ]; then
    printf '%-28s %-9s %s\n' "$fault" killed "$(echo "$tests" | tr '\n' ' ')"
  elif [ "$status" -gt 124 ]; then
    printf '%-28s %-9s %s\n' "$fault" killed "(ended by signal, status $status)"
  else
    printf '%-28s %-9s %s\n' "$fault" SURVIVED "(exit status $status)"
    survivors=$((survivors + 1))
  fi
done
echo "$((count - survivors)) of $count faults killed"
[ "$count" -gt 0 ] && [ "$survivors" -eq 0 ]
