#!/bin/bash
# The host's objects need nothing of XRT that AMD's library does not export, and the simulated NPU
# defines nothing else:  symbols_test.sh LIST SIMULATOR... -- HOST...
set -euo pipefail

list=$1
shift
simulator=()
while [[ $1 != -- ]]; do
  [[ $1 != *.a ]] || simulator+=("$1")
  shift
done
shift
host=()
for file; do [[ $file != *.a ]] || host+=("$file"); done
[[ ${#simulator[@]} -gt 0 && ${#host[@]} -gt 0 ]] || { echo 'no archives were given'; exit 1; }

# The symbols of namespace xrt.
names() {
  grep -oE '_Z(N|NK|TI|TS|TV)(N)?K?3xrt[^ ]*' | LC_ALL=C sort -u
}

status=0
# Nothing is in $2 that is not in $1.
expect_subset() {
  local missing
  missing=$(LC_ALL=C comm -13 "$1" "$2" | c++filt)
  if [[ -n $missing ]]; then
    printf '%s:\n%s\n' "$3" "$missing"
    status=1
  fi
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nm --undefined-only "${host[@]}" | names >"$work/needed"
# Strong functions and tables; what headers define inline is not the library's.
nm --defined-only "${simulator[@]}" | awk '$2 ~ /[TV]/' >"$work/all"
names <"$work/all" >"$work/with_implementation"
grep -v '_impl' "$work/with_implementation" >"$work/defined"

needed=$(wc -l <"$work/needed")
defined=$(wc -l <"$work/defined")
echo "$needed symbols needed, $defined defined by the simulator, $(wc -l <"$list") exported by XRT"
[[ $needed -ge 20 && $defined -ge $needed ]] || { echo 'too few to be true'; status=1; }
expect_subset "$list" "$work/needed" 'the host needs what XRT does not export'
expect_subset "$work/with_implementation" "$work/needed" \
  'the host needs what the simulator does not define'
expect_subset "$list" "$work/defined" 'the simulator defines what XRT does not export'
exit $status
