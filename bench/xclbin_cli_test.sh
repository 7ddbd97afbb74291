#!/bin/bash
# //bench:xclbin's command line (PROGRAM and the files of //tools/overlay:gemm, a product of
# 64 x 64 x 64): A times the identity is A.
set -uo pipefail
readonly program=$PWD/$1
shift
for file; do
  case $file in
    *.xclbin) overlay=$PWD/$file ;;
    *.insts.bin) insts=$PWD/$file ;;
  esac
done
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# ends STATUS TEXT ARGUMENTS...: with that exit status, and TEXT in what it prints.
ends() {
  local wanted=$1 text=$2 status=0
  shift 2
  "$program" "$@" >out 2>&1 || status=$?
  ((status == wanted)) || fail "$*: exit status $status, expected $wanted: $(cat out)"
  grep -qF -- "$text" out || fail "$*: no '$text' in: $(cat out)"
}

# manifest NAME XCLBIN EXPECTED: writes NAME.json.
manifest() {
  cat >"$1.json" <<JSON
{"version": 1, "name": "identity", "xclbin": "$2", "instructions": "$insts", "kernel": "MLIR_AIE",
 "arguments": [
  {"name": "a", "role": "in", "shape": [64, 64], "dtype": "bf16", "data": {"file": "a.raw"}},
  {"name": "b", "role": "in", "shape": [64, 64], "dtype": "bf16", "data": {"file": "b.raw"}},
  {"name": "c", "role": "out", "shape": [64, 64], "dtype": "bf16", "expected": {"file": "$3"},
   "tolerance": {"absolute": 0, "provenance": "each sum has one term"}}],
 "iterations": 5}
JSON
}

cd "$TEST_TMPDIR" || exit 1
python3 - <<'PYTHON'
import struct
def write(name, values):  # bf16 is the upper half of f32
    with open(name, "wb") as file:
        for value in values:
            file.write(struct.pack("<f", value)[2:])
write("a.raw", [(i * 37 % 101 - 50) / 4 for i in range(64 * 64)])
write("b.raw", [float(i // 64 == i % 64) for i in range(64 * 64)])
PYTHON

manifest right "$overlay" a.raw
ends 0 "5 samples of 1 run: least" --manifest=right.json --json=records.json
grep -qF "MODELLED times" out || fail "no word of the model: $(cat out)"
grep -qF "c: passed" out || fail "no verdict: $(cat out)"
grep -qF '"provenance":"modelled"' records.json || fail "record: $(cat records.json)"
manifest wrong "$overlay" b.raw
ends 1 "c: failed" --manifest=wrong.json --json=records.json
(($(wc -l <records.json) == 2)) || fail "records: $(cat records.json)"
tail -1 records.json | grep -q '"total"' && fail "a time of a wrong result"
ends 3 "no end of the run within" --manifest=right.json --faults=timeout:1

# As if another tool had made it: its USER_METADATA isn't ours.
LC_ALL=C sed 's/xdna-overlay/vendor-notes/' "$overlay" >hardware.xclbin
manifest hardware hardware.xclbin a.raw
ends 2 "a binary for hardware, which the simulated NPU can't run" --manifest=hardware.json

ends 2 "--manifest: missing"
ends 2 "none.json: no such file" --manifest=none.json
ends 2 "did you mean '--manifest'" --manifst=right.json
echo '{"version": 1' >bad.json
ends 2 "bad.json: line: not JSON" --manifest=bad.json
ends 2 "preset" --manifest=right.json --preset=phx-9
exit $((failures > 0))
