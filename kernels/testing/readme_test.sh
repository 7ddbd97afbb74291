#!/bin/sh
# usage: readme_test.sh README FILE... The block that follows <!-- FILE --> in README is FILE.
set -eu
readme="$1"
shift
for file in "$@"; do
  awk -v marker="<!-- $file -->" '
    $0 == marker { found = 1; next }
    found && /^```/ { if (inside) exit; inside = 1; next }
    inside { print }
  ' "$readme" | diff - "$file" || {
    echo "$readme does not show $file as it is" >&2
    exit 1
  }
done
