#!/bin/bash
# The command line: what it prints, and how it ends.
set -u
model=$1
info=$2
failures=0

fail() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}

# expect NAME STATUS PATTERN COMMAND..: exit status, and a pattern in what it prints.
expect() {
  local name=$1 status=$2 pattern=$3 out
  shift 3
  out=$("$@" 2>&1)
  local got=$?
  [[ $got -eq $status ]] || fail "$name: exit status $got instead of $status: $out"
  grep -qE -- "$pattern" <<< "$out" || fail "$name: no '$pattern' in: $out"
}

gemm=("$model" gemm --preset=phx-1.0 --in=bf16 --out=bf16 --m=4224 --k=4032 --n=4224 --codegen=chess)
expect "published tile" 0 '"fits":true.*"tflops":(2\.[89]|3\.)' "${gemm[@]}" --tile=96x56x96 --json
expect "one buffer" 0 'one buffer of C' "${gemm[@]}" --tile=64x64x32 --single_buffer_c
expect "tile too large" 2 '"fits":false.*65536' "${gemm[@]}" --tile=128x128x128 --json
expect "odd tile" 2 'want multiples of 4x8x4' "${gemm[@]}" --tile=6x8x4
expect "no tile" 2 'want MxKxN' "${gemm[@]}" --tile=96x56
expect "no preset" 2 'there are phx-1.0, hpt-1.6, 8700g-1.8' \
  "$model" gemm --preset=phx --m=64 --k=64 --n=64
expect "misspelt option" 2 'unknown option' "$model" gemm --m=64 --k=64 --n=64 --tiles=64x64x64
expect "runlist" 0 '"time_us":23[0-9]{2}\..*"bound":"dispatch"' \
  "$model" dispatch --preset=8700g-1.8 --count=64 --mode=runlist --host=cpp --bytes=4096 --json
expect "single" 0 'modelled time 108\.' "$model" dispatch --preset=8700g-1.8 --mode=single
expect "stream in" 0 '1\.05[0-9]* cycles a word' \
  "$model" stream --preset=phx-1.0 --direction=mm2s --tasks=8 --words=16384
expect "stream out" 0 '1\.00[0-9]* cycles a word' \
  "$model" stream --preset=phx-1.0 --direction=s2mm --tasks=8 --words=16384
expect "direction" 2 'there are mm2s, s2mm' "$model" stream --direction=up
expect "asleep" 0 '"wake":128500' "$model" idle --gap_s=10 --json
expect "awake" 0 '"wake":0' "$model" idle --gap_s=1 --json
expect "validation" 0 '"within_bounds":true' "$model" validate --json
expect "constants" 0 'task_push_busy .* 520 cycles' "$info"
expect "constants as JSON" 0 '"host_profiles":\["cpp","pyxrt","iron-jit"\]' "$info" --json

[[ $failures -eq 0 ]] && echo "all passed"
exit "$failures"
