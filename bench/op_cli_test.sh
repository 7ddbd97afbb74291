#!/bin/bash
# The command line of an op's benchmark (BINARY: linear): bad input ends with one line that
# helps; what is right does what --help says.
set -uo pipefail
readonly linear=$1
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# refuses STATUS TEXT ARGUMENTS...: one line of errors with TEXT in it, nothing else printed.
refuses() {
  local wanted=$1 text=$2 status=0
  shift 2
  "$linear" "$@" >"$TEST_TMPDIR/out" 2>"$TEST_TMPDIR/err" || status=$?
  ((status == wanted)) || fail "$*: exit status $status, expected $wanted"
  grep -qF -- "$text" "$TEST_TMPDIR/err" || fail "$*: no '$text' in: $(cat "$TEST_TMPDIR/err")"
  (($(wc -l <"$TEST_TMPDIR/err") == 1)) || fail "$*: not one line: $(cat "$TEST_TMPDIR/err")"
  [[ ! -s $TEST_TMPDIR/out ]] || fail "$*: printed $(cat "$TEST_TMPDIR/out")"
}

# prints TEXT ARGUMENTS...: succeeds, with TEXT in what it prints.
prints() {
  local text=$1 status=0
  shift
  "$linear" "$@" >"$TEST_TMPDIR/out" 2>"$TEST_TMPDIR/err" || status=$?
  ((status == 0)) || fail "$*: exit status $status: $(cat "$TEST_TMPDIR/err")"
  grep -qF -- "$text" "$TEST_TMPDIR/out" || fail "$*: no '$text' in: $(cat "$TEST_TMPDIR/out")"
}

refuses 2 "did you mean 'm'?" --sweep='mm=3'
refuses 2 "column 5: no such axis" --sweep='m=3 kk=4'
refuses 2 "0 is not from 1" --sweep='m=0'
refuses 2 "--sweep: empty" --sweep=' '
refuses 2 "GFLOP" --sweep='m=1000000000 k=1000000000'
refuses 2 "did you mean 'f32'?" --precision=fp32
refuses 2 "did you mean 'eigen'?" --backend=eigne
refuses 2 "use one" --sweep='precision=f32' --precision=bf16
refuses 2 "not CASE/PRECISION/BACKEND" --repro=nonsense
refuses 2 "no check 'nonsense/f32/fast'" --repro=nonsense/f32/fast
refuses 2 "linear has no bf16 on eigen; it has: f32/fast" --repro=exact0/bf16/eigen
refuses 2 "unknown device 'gpu'; known: cpu npu" --device=gpu
refuses 2 "known: fast eigen" --backend=tile
refuses 2 "known: tile" --device=npu --backend=fast
refuses 2 "one tile has no batch, reuse" --device=npu --backend=tile --sweep='batch=8'
refuses 2 "axis 'batch', column 1: no such axis" --sweep='batch=8'
refuses 2 "reuse 'warm': not one of fresh" --device=npu --sweep='reuse=fresh,warm'
refuses 2 "5 is not from 1 to 4" --device=npu --sweep='columns=5'
refuses 2 "--preset: " --device=npu --preset=phx-9
refuses 2 "--host: " --device=npu --host=rust
refuses 2 "--codegen" --device=npu --codegen=gcc
refuses 2 "--preset is for the NPU" --preset=phx-1.0
refuses 2 "--list_tiles is for one tile" --device=npu --list_tiles --backend=array
refuses 2 "use one" --sweep='m=3' --m=4
refuses 2 "known: bf16 int8" --device=npu --precision=f32
refuses 2 "add --device=npu" --list_tiles
refuses 2 "a single tile has none" --device=npu --backend=tile --json=runs.jsonl
refuses 2 "--benchmark_... is for measured times" --device=npu --benchmark_min_time=1
refuses 2 "matches none of 3 points" --match=zzz
refuses 2 "not a regular expression" --match='['
refuses 2 "did you mean '--sweep'?" --swep='m=3'
refuses 2 "unknown option 'stray'" stray
refuses 2 "not in range" --threads=0
refuses 2 "--threads" --threads=two
refuses 2 "--seed" --seed=-1
refuses 2 "'--benchmark_mintime=1' is not an option" --benchmark_mintime=1
refuses 2 "known: console json csv" --benchmark_format=xml
refuses 3 "/nowhere/runs.jsonl" --json=/nowhere/runs.jsonl

prints "bazel run //bench:linear -- --sweep=" --help
prints "weight   [n,k]" --list
prints "exact0" --list
prints "2 points, nothing was run" --dry_run --sweep='m=16,1500' --precision=f32
prints "exact0/f32/fast: passed" --repro=exact0/f32/fast
prints "npu bf16/tile_reload  (wrong, for comparison)" --list
prints "does not fit: matmul" --device=npu --list_tiles
prints "2 points, nothing was run" --device=npu --dry_run --sweep='m=16'
prints "nothing was timed" --device=npu --backend=tile --sweep='m=4 k=16 n=16'
grep -qE '^m=4,k=16,n=16 +bf16 +tile +passed [0-9]+ % ' "$TEST_TMPDIR/out" || fail "no verdict"
prints "exact0/bf16/tile: passed" --repro=exact0/bf16/tile

# On the array: modelled times, each of a verdict, the same again and again.
readonly array=(--device=npu --m=40 --k=32 --n=48 --precision=bf16)
prints "MODELLED times" "${array[@]}" --sweep='batch=8 reuse=fresh,runlist:2' --preset=hpt-1.6 \
  --host=pyxrt --codegen=peano "--json=$TEST_TMPDIR/array.jsonl"
(($(grep -cE ' passed [0-9]+ % ' "$TEST_TMPDIR/out") == 2)) || fail "array: not two verdicts"
(($(grep -c '"provenance":"modelled"' "$TEST_TMPDIR/array.jsonl") == 2)) || fail "array: records"
prints "legal tiles, the fastest first" "${array[@]}" --sweep='tile=*'
(($(grep -cE ' passed [0-9]+ % ' "$TEST_TMPDIR/out") == 1)) || fail "array: the best tile"
prints "1 points, nothing was run" "${array[@]}" --dry_run
grep -q ' dispatch ' "$TEST_TMPDIR/out" || fail "array: no bound"
prints "exact0/int8/array: passed" --repro=exact0/int8/array
prints "linear/m=16,k=512,n=2048/f32/fast" --benchmark_list_tests --sweep='m=16'

# Google Benchmark's own files, and a filter of its own.
prints "passed" --sweep='m=4 k=16 n=16,32' --match=n=32/f32 --benchmark_min_time=0.001 \
  "--benchmark_out=$TEST_TMPDIR/out.json"
grep -q '"real_time"' "$TEST_TMPDIR/out.json" || fail "--benchmark_out has no time"
prints "passed" --sweep='m=4 k=16 n=16' --precision=f32 --benchmark_min_time=0.001 \
  --benchmark_repetitions=3
(($(grep -c '^m=4,' "$TEST_TMPDIR/out") == 1)) || fail "repetitions: not one row"
prints '"name": "linear/m=4,k=16,n=16/f32/fast' --sweep='m=4 k=16 n=16' --precision=f32 \
  --benchmark_min_time=0.001 --benchmark_format=json

((failures == 0)) && echo "all as expected"
exit "$((failures > 0))"
