#!/bin/sh
# What a person meets: rates, lists, JSON, exit codes, one line for each mistake.
# Usage: wer_test.sh WER
set -u
tool=$1
failures=0

# expect CODE TEXT ARGS...: runs the tool; TEXT must be in its output.
expect() {
  code=$1 text=$2
  shift 2
  output=$("$tool" "$@" 2>&1 </dev/null)
  found=$?
  case $output in
    *"$text"*) ;;
    *) found="$found, without '$text'" ;;
  esac
  if [ "$found" != "$code" ]; then
    echo "wer $*: exit code $found; expected $code. Output: $output"
    failures=$((failures + 1))
  fi
}

cd "${TEST_TMPDIR:?}" || exit 1
case $tool in /*) ;; *) tool=$TEST_SRCDIR/$TEST_WORKSPACE/$tool ;; esac

mkdir -p texts
echo "Mr. Smith's colour isn't twenty-one, it's red." >texts/ref.txt
echo "mister smith is color is not 21 it is bread" >texts/hyp.txt
printf '\357\273\277so it goes\r\n' >'texts/with space.txt'
printf '# reference and hypothesis\nref.txt hyp.txt\n\nwith space.txt\twith space.txt\n' >texts/list
printf 'ref.txt hyp.txt third.txt\n' >texts/three
printf 'caf\351' >texts/latin1.txt
echo "♪ (music)" >texts/silence.txt
: >texts/empty

expect 0 "WER 10.00 %: errors 1 of 10 words: substitutions 1" texts/ref.txt texts/hyp.txt
expect 0 "RED" texts/ref.txt texts/hyp.txt --align
expect 0 "of 7 words" texts/ref.txt texts/hyp.txt --normalizer=none
expect 0 "costs sclite" texts/ref.txt texts/hyp.txt --costs=sclite
expect 0 "WER 7.69 %: errors 1 of 13 words" --list=texts/list
expect 0 '{"wer":0.1,"words":10,"substitutions":1,' texts/ref.txt texts/hyp.txt --json
expect 0 '"texts":[{"reference":"ref.txt","hypothesis":"hyp.txt","wer":0.1,' --list=texts/list --json
expect 0 "WER 100.00 %: errors 10 of 10 words: substitutions 0, deletions 10" texts/ref.txt -
expect 0 "--normalizer" --help

expect 2 "give either REF and HYP or --list" texts/ref.txt
expect 2 "give either REF and HYP or --list" texts/ref.txt texts/hyp.txt --list=texts/list
expect 2 "french not in {english,basic,none}" --normalizer=french
expect 2 "wer: missing.txt: can't open" texts/ref.txt missing.txt
expect 2 "wer: texts: can't open" texts/ref.txt texts
expect 2 "texts/latin1.txt: not UTF-8 at byte 3" texts/ref.txt texts/latin1.txt
expect 2 "the reference has no words" texts/silence.txt texts/hyp.txt
expect 2 "texts/three: line 1 has 3 fields; expected REFERENCE and HYPOTHESIS" --list=texts/three
expect 2 "texts/empty: the list is empty" --list=texts/empty
[ "$failures" = 0 ]
