#!/bin/sh
# usage: variant_test.sh PROGRAM FILTER. Runs the tests of PROGRAM that match FILTER; there must be
# one for each of its parts.
set -eu
program="$1"
filter="$2"
for part in $(echo "$filter" | tr ':' ' '); do
  if ! "./$program" --gtest_list_tests --gtest_filter="$part" | grep -q '^  '; then
    echo "$program has no test that matches $part" >&2
    exit 1
  fi
done
exec "./$program" --gtest_filter="$filter"
