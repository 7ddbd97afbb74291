#!/bin/bash
# //tools:transcribe as people meet it: formats, folders, standard input, exit codes, one line for
# each mistake. Where the model could not be had, only what needs none.
set -u
tool=$PWD/$1
clips=("$TEST_SRCDIR"/speech/librivox/*.wav)
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# run CODE ARGS...: standard output to out, errors to err.
run() {
  local code=$1
  shift
  "$tool" "$@" >out 2>err </dev/null
  local found=$?
  [[ $found == "$code" ]] || fail "$*: exit code $found, expected $code: $(cat out err)"
}
# refused PATTERN ARGS...: exit code 2 or 3, one line that helps, no output.
refused() {
  local pattern=$1
  shift
  "$tool" "$@" >out 2>err </dev/null
  local found=$?
  [[ $found == 2 || $found == 3 ]] || fail "$*: exit code $found"
  [[ $(wc -l <err) == 1 ]] || fail "$*: not one line: $(cat err)"
  grep -qE -- "$pattern" err || fail "$*: no '$pattern' in: $(cat err)"
  [[ ! -s out ]] || fail "$*: printed $(cat out)"
}

cd "$TEST_TMPDIR" || exit 1
short=${clips[1]}
long=${clips[2]}
name=$(basename "$short" .wav)

run 0 --help
grep -q 'Examples:' out || fail 'no examples in the help text'
refused 'AUDIO is required'
refused "did you mean '--beam_size'" "$short" --baem_size=5
refused 'no such device|unknown device|fpga' "$short" --device=fpga
refused 'several formats need --out' "$short" --format=all
refused 'html' "$short" --format=html
refused 'would become' "$short" "$short" --out=texts/
refused 'No such file|no such' "$short" --model=/no/such/model.bin
printf 'not a model, but long enough to have a header that means nothing' >other.bin
refused 'other.bin' "$short" --model=other.bin
refused "can't be" "$short" --out=/proc/transcripts/

if ! "$tool" "$short" >/dev/null 2>err; then
  if [[ -n ${XDNA_CI:-} ]] || ! grep -q 'no model to transcribe with' err; then
    fail "$short: $(cat err)"
  fi
  [[ $failures == 0 ]] && echo 'passed without a model'
  exit $((failures > 0))
fi

refused 'klingon' "$short" --language=klingon
refused "compression_ratio_threshold=x: expected a number or \"none\"" "$short" \
  --compression_ratio_threshold=x
refused 'suppress_tokens=1,x' "$short" --suppress_tokens=1,x
refused 'hallucination_silence_threshold needs word_timestamps' "$short" \
  --hallucination_silence_threshold=2

run 0 "$short" "$long" --precision=bf16
[[ $(head -n 1 out) == 'He was not an ill-disposed young man.' ]] || fail "text: $(cat out)"
[[ $(wc -l <out) == 2 ]] || fail "not a line for each file: $(cat out)"

"$tool" - --format=json --verify --precision=int8 --word_timestamps <"$short" >out 2>err ||
  fail "standard input: $(cat err)"
python3 - out <<'EOF' || fail "JSON: $(cat out)"
import json, sys
j = json.load(open(sys.argv[1]))
assert j["language"] == "en" and j["complete"] and j["device"] == "cpu", j
assert j["encoder"]["verdict"] == "passed" and j["encoder"]["windows"] == 1, j["encoder"]
assert j["audio"] == {"path": "-", "seconds": 2.99, "sample_rate": 16000, "channels": 1}, j["audio"]
assert set(j["timing"]["measured"]) >= {"load", "mel", "encode", "decode"}, j["timing"]
assert j["timing"]["modelled"] == {}, j["timing"]
assert [w["word"] for w in j["segments"][0]["words"]][:3] == [" He", " was", " not"], j["segments"]
EOF
grep -q 'int8) over 1 window: passed' err || fail "no verdict in: $(cat err)"

# What can't be read costs the others nothing, and leaves nothing behind.
head -c 20000 "$long" >cut.wav
echo 'a letter, not a sound' >letter.wav
: >empty.wav
run 2 cut.wav missing.wav "$short" letter.wav empty.wav . --format=all --out=texts --precision=bf16
[[ $(wc -l <err) == 5 ]] || fail "not a line for each mistake: $(cat err)"
for why in 'cut.wav: cut off' 'missing.wav: no such file' 'letter.wav: not an audio file' \
  'empty.wav: is empty' '\.: is not a regular file'; do
  grep -q "$why" err || fail "no '$why' in: $(cat err)"
done
[[ $(ls texts | tr '\n' ' ') == "$name.json $name.srt $name.tsv $name.txt $name.vtt " ]] ||
  fail "in the folder: $(ls texts)"
[[ $(cat "texts/$name.txt") == 'He was not an ill-disposed young man.' ]] || fail 'text in a file'
grep -q '^00:00:00,000 --> 00:00:03,000$' "texts/$name.srt" || fail "$(cat "texts/$name.srt")"

# Silence, and too little of anything, give no text.
python3 - <<'EOF'
import wave
for name, samples in ("silence.wav", 16000 * 33), ("short.wav", 800):
    with wave.open(name, "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(16000)
        f.writeframes(bytes(2 * samples))
EOF
run 0 silence.wav short.wav --format=tsv
[[ $(sort -u out) == $'start\tend\ttext' ]] || fail "text in silence: $(cat out)"

[[ $failures == 0 ]] && echo 'all passed'
exit $((failures > 0))
