#!/bin/bash
# The command line of //bench:encoder: a whole run on a small synthetic model, and what mistakes
# get: exit code 2 and one line that helps.
set -u
encoder=$1
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

refused() {
  local pattern=$1 output status
  shift
  output=$("$encoder" "$@" 2>&1 >/dev/null)
  status=$?
  [[ $status == 2 ]] || fail "$*: exit code $status"
  [[ $(wc -l <<<"$output") == 1 ]] || fail "$*: not one line: $output"
  grep -qE -- "$pattern" <<<"$output" || fail "$*: no '$pattern' in: $output"
}

refused "did you mean '--audio'" --audoi=x.wav
refused 'no such precision' --precision=fp16
refused '--threads: .*0' --threads=0
refused '--threads: .*many' --threads=many
refused 'several are for the CPU; add --device=cpu' --threads=1,2
refused 'several are without --taps' --device=cpu --threads=1,2 --taps
refused 'seed-3001' --geometry=seed3001
refused 'whisper-tiny' --geometry=synthetic-whisper-teeny
refused 'no such file' --audio=/no/such/file.wav
refused 'is a directory' --audio=/tmp
refused 'No such file' --model=/no/such/model.bin

refused 'no schedule "phase7"; there are phase0-naive' --device=npu --schedule=phase7
refused 'no preset "phx"; there are phx-1.0' --device=npu --preset=phx
refused 'no host profile "perl"' --device=npu --host=perl
refused 'no CPU profile "fast"' --device=npu --cpu_profile=fast
refused 'no such (device|value)|gpu' --device=gpu
echo '{"name": 1}' >"$TEST_TMPDIR/wrong.json"
refused 'wrong.json: name: found 1, want a text' --device=npu --schedule="$TEST_TMPDIR/wrong.json"

"$encoder" --help | grep -q -- '--explain=kernels' || fail 'no help of ours'
"$encoder" --list_schedules | grep -q '^phase6-resident ' || fail 'no list of schedules'
"$encoder" --schedule=phase0-naive --explain | grep -q 'assumed, fitted: dispatch_us' ||
  fail 'no assumptions'
"$encoder" --schedule=phase1-reuse --explain --against=phase1-batched |
  grep -q 'keep .*context instead of fresh' || fail 'no difference'

refused 'did you mean|not a (number|integer)|columns' --device=npu --columns=5
refused 'want MxKxN' --device=npu --tile=64
refused 'the array has no f32; it has bf16 and int8' --tune --precision=f32
refused 'say the same' --device=npu --columns=4 --sweep='columns=2'
refused 'matches none of 1 points' --device=npu --match=phase9
refused 'several are for the NPU' --batch=1,2
refused '--resume: needs the file of records' --device=npu --resume
refused 'a list takes synthetic-NAME' --device=npu --geometry=synthetic-whisper-tiny,whisper-base
refused 'several are for the NPU' --geometry=synthetic-whisper-tiny,synthetic-whisper-base
refused 'there are schedule .*, origin and kernels' --explain=orgin
refused 'of the CPU; add --device=cpu' --device=npu --explain=kernels
for isa in portable avx2; do  # what any machine of ours has
  kernels=$("$encoder" --geometry=synthetic-whisper-tiny --explain=kernels --isa=$isa) ||
    fail "--explain=kernels --isa=$isa ended with $?"
  grep -Eq '^ +ffn.fc1 +1500x384x1536 +f32 +0-3 +(own|oneDNN) .* pieces of ' <<<"$kernels" ||
    fail "$isa: no product in: $kernels"
  ! grep -Eq 'zmm|tmm|avx512|vdpbf16ps' <<<"$kernels" || fail "$isa: more than it has in: $kernels"
done
"$encoder" --geometry=synthetic-whisper-tiny --list | grep -q '^encoder/synthetic-whisper-tiny/cpu/f32$' ||
  fail 'the list lacks the CPU'
"$encoder" --geometry=synthetic-whisper-tiny --device=npu --columns=2,4 --batch=1,2 --dry_run |
  grep -q '^4 points, about .* on this host; nothing was run$' || fail 'no dry run'

records=$TEST_TMPDIR/runs.jsonl
export XDG_CACHE_HOME=$TEST_TMPDIR
report=$("$encoder" --geometry=synthetic-whisper-tiny --device=cpu --precision=f32 --benchmark_min_time=0.01 \
  --json="$records") || fail "the run ended with $?"
grep -q '^SYNTHETIC WEIGHTS | f32 .*passed' <<<"$report" || fail "no verdict in: $report"
! grep -qv '^SYNTHETIC WEIGHTS | ' <<<"$report" || fail "a line without its mark in: $report"
grep -q ' attention.core: .* of 2^x at .* of that limit$' <<<"$report" || fail "no limit in: $report"
grep -q '"series":"encoder/synthetic-whisper-tiny/f32/cpu' "$records" || fail 'no run record'
grep -q '"attention.core.percent_of_limit":' "$records" || fail 'no limit in the record'

report=$("$encoder" --geometry=synthetic-whisper-tiny --device=cpu --precision=f32 --threads=1,2 \
  --json="$records") || fail "the run with two numbers of threads ended with $?"
grep -Eq '^SYNTHETIC WEIGHTS \| f32 +1 passed .* 1\.00x +100 % ' <<<"$report" ||
  fail "no row of one thread in: $report"
grep -Eq '^SYNTHETIC WEIGHTS \| f32 +2 passed ' <<<"$report" || fail "no row of two in: $report"
! grep -qv '^SYNTHETIC WEIGHTS | ' <<<"$report" || fail "a line without its mark in: $report"
grep -q '"series":"encoder/synthetic-whisper-tiny/f32/cpu/threads=1/' "$records" ||
  fail 'no record of one thread'

report=$("$encoder" --geometry=synthetic-whisper-tiny --device=npu --budget --json="$records") ||
  fail "the run on the NPU ended with $?"
grep -q '^SYNTHETIC WEIGHTS | phase6-resident .*passed' <<<"$report" || fail "no verdict in: $report"
grep -q 'MODELLED' <<<"$report" || fail "not marked as modelled: $report"
! grep -qv '^SYNTHETIC WEIGHTS | ' <<<"$report" || fail "a line without its mark in: $report"
grep -q '"series":"encoder/synthetic-whisper-tiny/bf16/npu/phx-1.0/phase6-resident' "$records" ||
  fail 'no run record of the NPU'
report=$("$encoder" --geometry=synthetic-whisper-tiny --device=npu --columns=4 --batch=2 \
  --json="$records") || fail "the sweep ended with $?"
grep -Eq 'phase6-resident +4 64x.* +2 \| passed' <<<"$report" || fail "no row in: $report"
report=$("$encoder" --geometry=synthetic-whisper-tiny --device=npu --columns=4 --batch=2 \
  --json="$records" --resume) || fail "the resumed sweep ended with $?"
grep -q 'resumed: 1 of 1 points' <<<"$report" || fail "not resumed: $report"
report=$("$encoder" --geometry=synthetic-whisper-tiny --device=npu --fast_verdicts) ||
  fail "the second run on the NPU ended with $?"
grep -q 'passed [0-9]* % k' <<<"$report" || fail "the proof was not kept: $report"

tuned=$TEST_TMPDIR/tuned.jsonl
"$encoder" --geometry=synthetic-whisper-tiny --tune --precision=int8 --json="$tuned" >"$TEST_TMPDIR/tune.txt" ||
  fail "the search ended with $?"
grep -q '"series":"linear/m=1500,k=384,n=1152/int8/npu/phx-1.0/array,cpp,chess,[124]col/' "$tuned" ||
  fail 'no record of a product'
[[ $(grep -c '"status":"passed"' "$tuned") == $(grep -c ' passed [ 0-9]* % ' "$TEST_TMPDIR/tune.txt") ]] ||
  fail "not a record for each row: $(cat "$TEST_TMPDIR/tune.txt")"

[[ $failures == 0 ]] && echo 'all passed'
exit $((failures > 0))
