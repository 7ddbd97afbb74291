#!/bin/bash
# //tools:encode: what it writes, and --against, which compares two of its files.
set -u
encode=$1
clips=("$TEST_SRCDIR"/speech/librivox/*.wav)
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

run() { "$encode" --geometry=synthetic-whisper-tiny --audio="$@"; }

f32=$TEST_TMPDIR/f32.h5
out=$TEST_TMPDIR/out.h5
run "${clips[0]}" --out="$f32" | grep -q 'SYNTHETIC WEIGHTS | .*\[1,1500,384\] in f32' || fail 'f32'
run "${clips[0]}" --out="$out" --backend=eigen --against="$f32" | grep -q 'against .*: passed' ||
  fail 'two f32 differ'
run "${clips[0]}" --out="$out" --device=npu --against="$f32" | grep -q 'against .*: passed' ||
  fail 'the NPU differs'
message=$(run "${clips[1]}" --out="$out" --against="$f32" 2>&1 >/dev/null)
[[ $? == 2 && $message == *'its audio_sha256 is'* ]] || fail "other speech: $message"
message=$(run "${clips[0]}" --out="$out" --against="${clips[0]}" 2>&1 >/dev/null)
[[ $? == 2 && $message == *'--against: '* ]] || fail "no HDF5: $message"

[[ $failures == 0 ]] && echo 'all passed'
exit $((failures > 0))
