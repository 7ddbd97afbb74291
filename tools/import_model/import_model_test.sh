#!/bin/sh
# What a person meets: exit codes, one line for each mistake, and the way there and back.
# Usage: import_model_test.sh IMPORT_MODEL [MODEL]
set -u
tool=$1
model=${2:-}
failures=0

# expect CODE TEXT ARGS...: runs the tool; TEXT must be in its output.
expect() {
  code=$1 text=$2
  shift 2
  output=$("$tool" "$@" 2>&1)
  found=$?
  case $output in
    *"$text"*) ;;
    *) found="$found, without '$text'" ;;
  esac
  if [ "$found" != "$code" ]; then
    echo "import_model $*: exit code $found; expected $code. Output: $output"
    failures=$((failures + 1))
  fi
}

cd "${TEST_TMPDIR:?}" || exit 1
case $tool in /*) ;; *) tool=$TEST_SRCDIR/$TEST_WORKSPACE/$tool ;; esac
case $model in /* | '') ;; *) model=$TEST_SRCDIR/$TEST_WORKSPACE/$model ;; esac

expect 0 "--out" --help
expect 2 "import_model: --model is required"
expect 2 "--frob" --frob model
expect 2 "--dtype: f64 not in {f16,f32}" model --dtype=f64
expect 2 "nothing to do: give --out=FILE.h5 or --list" model
expect 2 "missing: can't open: No such file" missing --list
echo "hello" >text
expect 2 "text: a text file; expected CTranslate2" text --list

if [ -f "$model" ]; then
  expect 0 "whisper-base" "$model" --out=base.h5
  expect 0 "hdf5 v1" base.h5 --list
  expect 3 "can't write" "$model" --out=no/such/folder.h5
  "$tool" "$model" --list | sed -n 's/^\(encoder\.[^ ]*\) .* \([0-9a-f]*\)$/\1 \2/p' >a
  "$tool" base.h5 --list | sed -n 's/^\(encoder\.[^ ]*\) .* \([0-9a-f]*\)$/\1 \2/p' >b
  if [ "$(wc -l <a)" != 97 ] || ! cmp a b; then
    echo "the list of the canonical file is not that of its source"
    failures=$((failures + 1))
  fi
fi
[ "$failures" = 0 ]
