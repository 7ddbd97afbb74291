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

refuses 2 "--batch is for the NPU; add --device=npu" --batch=8
refuses 2 "--columns is for the NPU" --columns=2
refuses 2 "--tune is for the NPU" --tune
refuses 2 "use one" --device=npu --sweep='columns=2' --columns=1
refuses 2 "5 is not from 1 to 4" --device=npu --columns=5
refuses 2 "the tile that --tile='8x8x8' names" --device=npu --tune --tile=8x8x8
refuses 2 "--tune is for the whole array" --device=npu --backend=tile --tune
refuses 2 "--tune_simulate" --device=npu --tune --tune_simulate=0
refuses 2 "--resume: needs the file of records" --resume

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

# Columns, batches and reuse in one table; what was done is not done again.
readonly swept=("${array[@]}" --columns=1,2,4 --batch=8,40 "--json=$TEST_TMPDIR/swept.jsonl")
prints "6 points, " "${swept[@]}"
(($(grep -cE ' passed [0-9]+ % ' "$TEST_TMPDIR/out") == 6)) || fail "columns: not six verdicts"
grep -q '"overlay":"[0-9a-f]\{64\}"' "$TEST_TMPDIR/swept.jsonl" || fail "no overlay in a record"
grep -q '"shim_read_words_per_cycle":' "$TEST_TMPDIR/swept.jsonl" || fail "no constants in a record"
prints "resumed: 6 points are in $TEST_TMPDIR/swept.jsonl already" "${swept[@]}" --resume
prints "resumed: 4 points" "${array[@]}" --columns=1,2 --batch=8,20,40 --resume \
  "--json=$TEST_TMPDIR/swept.jsonl"
(($(wc -l <"$TEST_TMPDIR/swept.jsonl") == 8)) || fail "resume: not two records more"

# The tile search: explained, kept, found again, and made again where the file is damaged.
export XDG_CACHE_HOME=$TEST_TMPDIR/cache
prints "those to be simulated, by the model alone" "${array[@]}" --tune --dry_run
[[ ! -e $XDG_CACHE_HOME ]] || fail "a dry run kept something"
prints "searched in" "${array[@]}" --tune --tune_simulate=6
cp "$TEST_TMPDIR/out" "$TEST_TMPDIR/searched"
for text in ' legal tiles, [0-9]+ simulated; refused: ' '  winner .* on [124] columns?: .* passed' \
  '  runner-up .* % slower ' '  best on '; do
  grep -qE "$text" "$TEST_TMPDIR/searched" || fail "--tune: no '$text'"
done
prints "from the cache, found 20" "${array[@]}" --tune --tune_simulate=6
diff <(grep '^  ' "$TEST_TMPDIR/out") <(grep '^  ' "$TEST_TMPDIR/searched") || fail "cached: differs"
prints "searched in" "${array[@]}" --retune --tune_simulate=6
prints "searched in" "${array[@]}" --tune --tune_simulate=6 --preset=hpt-1.6
for file in "$XDG_CACHE_HOME"/xdna-whisper-bench/tiles/*.json; do echo '{' >"$file"; done
prints "searched in" "${array[@]}" --tune --tune_simulate=6
grep -q 'warning: .*json: line: not JSON.*; not used' "$TEST_TMPDIR/err" || fail "no warning"
prints "tuned: " "${array[@]}" --tile=tuned --tune_simulate=6
grep -q 'from the cache' "$TEST_TMPDIR/out" || fail "--tile=tuned: not from the cache"
tile=$(sed -nE 's/^  winner +([0-9x]+) on .*/\1/p' "$TEST_TMPDIR/searched")
grep -qE "^  all +context +$tile .* passed" "$TEST_TMPDIR/out" || fail "--tile=tuned: not $tile"

prints "linear/m=16,k=512,n=2048/f32/fast" --benchmark_list_tests --sweep='m=16'

# On the CPU too.
readonly cpu=(--sweep='m=4 k=16 n=16,32' --precision=f32 --benchmark_min_time=0.001
  "--json=$TEST_TMPDIR/cpu.jsonl")
prints "passed" "${cpu[@]}" --match=n=32
prints "resumed: 1 points" "${cpu[@]}" --resume
prints "resumed: 2 points" "${cpu[@]}" --resume
(($(wc -l <"$TEST_TMPDIR/cpu.jsonl") == 2)) || fail "resume on the CPU: not two records"

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
