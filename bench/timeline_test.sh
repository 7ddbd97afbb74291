#!/bin/bash
# Timelines (--trace) of the encoder and of an op, measured and modelled, by the strict checker
# (ENCODER LAYER_NORM CHECKER).
set -u
encoder=$1 layer_norm=$2 checker=$3
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

out=$TEST_TMPDIR
"$encoder" --geometry=synthetic-whisper-tiny --device=cpu --precision=f32,bf16 \
  --benchmark_min_time=0.01 --trace="$out/encoder.json" >"$out/log" 2>&1 ||
  fail "the encoder ended with $?: $(cat "$out/log")"
grep -q 'timeline .*encoder.f32_fast.json: one window of f32 on the CPU, measured' "$out/log" ||
  fail "no word of the timeline in: $(cat "$out/log")"
"$layer_norm" --m=64 --precision=f32 --benchmark_min_time=0.01 --trace="$out/op.json" \
  >"$out/log" 2>&1 || fail "layer_norm ended with $?: $(cat "$out/log")"
"$layer_norm" --device=npu --m=40 --precision=bf16 --trace="$out/npu.json" >"$out/log" 2>&1 ||
  fail "layer_norm on the NPU ended with $?: $(cat "$out/log")"
grep -q 'timeline .*npu.json: two calls, MODELLED' "$out/log" ||
  fail "no word of the timeline in: $(cat "$out/log")"

/usr/bin/python3 -B "$checker" measured "$out"/encoder.*.json "$out/op.json" ||
  fail 'measured timelines'
/usr/bin/python3 -B "$checker" modelled "$out/npu.json" || fail 'the modelled timeline'
(($(ls "$out"/encoder.*.json | wc -l) == 2)) || fail 'not a file for each run'

# What the checker must not take.
! /usr/bin/python3 -B "$checker" measured "$out/npu.json" || fail 'modelled taken as measured'
for change in 's/"ph":"X"/"ph":"Y"/' 's/"dur":[0-9]/"dur":-1/' 's/"ms":"/"ms":"9/' \
  's/"name":"thread_name"/"name":"thread"/' 's/"tid":2,"ts"/"tid":9,"ts"/' 's/"ts":/"when":/'; do
  sed "$change" "$out/op.json" >"$out/bad.json"
  ! /usr/bin/python3 -B "$checker" measured "$out/bad.json" >/dev/null 2>&1 ||
    fail "taken: $change"
done

[[ $failures == 0 ]] && echo 'all passed'
exit $((failures > 0))
