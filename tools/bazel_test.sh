#!/bin/bash
# Tests tools/bazel in a PATH of stand-ins, so that nothing is installed and no Bazel is started.
set -euo pipefail

readonly REAL_TOOLS=(bash cat dirname env flock mktemp rm tail true)
failures=0

fail() {
  echo "FAILED: $test_case: $*"
  echo "--- output:"
  cat "$TEST_TMPDIR/output"
  failures=$((failures + 1))
}

# Makes a program in the PATH of the test case, with its script on standard input.
stand_in() {
  { echo '#!/bin/bash' && cat; } >"$bin/$1"
  chmod +x "$bin/$1"
}

# Begins a test case: a PATH in which everything is installed and the user is root.
begin() {
  test_case=$1
  bin=$TEST_TMPDIR/$test_case
  mkdir -p "$bin"
  local tool
  for tool in "${REAL_TOOLS[@]}"; do
    ln -s "$(type -P "$tool")" "$bin/$tool"
  done
  stand_in id <<<'echo 0'
  stand_in sudo <<<'exit 1'
  stand_in apt-get <<<"echo \"apt-get \$*\" >>$bin/apt.log"
  stand_in real-bazel <<<'echo "bazel runs: $* (retry ${XDNA_RETRY:-no})"'
  stand_in dpkg-query <<'SCRIPT'
for package in "${@:3}"; do
  [[ " ${MISSING:-} " == *" $package "* ]] || echo "$package installed"
done
SCRIPT
}

# Runs the wrapper with the variables given; expects the exit status given first.
run() {
  local expected=$1 status=0
  shift
  env -i PATH="$bin" HOME="$bin" BAZEL_REAL="$bin/real-bazel" "$@" \
    "$PWD/tools/bazel" build //x >"$TEST_TMPDIR/output" 2>&1 || status=$?
  [[ $status == "$expected" ]] || fail "exit status $status, not $expected"
}

prints() {
  grep -qF -- "$1" "$TEST_TMPDIR/output" || fail "does not print: $1"
}

prints_not() {
  ! grep -qF -- "$1" "$TEST_TMPDIR/output" || fail "prints: $1"
}

begin nothing_missing
run 0
prints 'bazel runs: build //x'
prints_not 'tools/bazel:'
[[ ! -e $bin/apt.log ]] || fail 'called apt-get'

begin installs_what_is_missing
run 0 MISSING='libfmt-dev g++'
prints 'tools/bazel: installing 2 Debian packages'
prints 'g++ libfmt-dev'
prints 'bazel runs: build //x'
grep -q 'update' "$bin/apt.log" || fail 'no apt-get update'
grep -q 'install --yes --no-install-recommends g++ libfmt-dev' "$bin/apt.log" ||
  fail 'apt-get was not told to install'

begin removed_package_counts_as_missing
stand_in dpkg-query <<'SCRIPT'
for package in "${@:3}"; do
  [[ $package == g++ ]] && echo "$package config-files" || echo "$package installed"
done
SCRIPT
run 0
prints 'tools/bazel: installing 1 Debian packages'

begin apt_fails
stand_in apt-get <<<'echo "E: no route to host"; exit 100'
run 1 MISSING=g++
prints 'E: no route to host'
prints 'run: sudo apt-get update && sudo apt-get install --yes --no-install-recommends g++'
prints_not 'bazel runs'

begin update_fails_but_install_works
stand_in apt-get <<<'[[ $1 == install ]]'
run 0 MISSING=g++
prints 'bazel runs: build //x'

begin not_root_without_sudo
stand_in id <<<'echo 1000'
run 1 MISSING=g++
prints 'without root. Run: sudo apt-get update && sudo apt-get install'
prints_not 'bazel runs'

begin not_root_with_sudo
stand_in id <<<'echo 1000'
stand_in sudo <<<"echo sudo >>$bin/sudo.log; shift; exec \"\$@\""
run 0 MISSING=g++
prints 'bazel runs: build //x'
[[ -s $bin/sudo.log && -s $bin/apt.log ]] || fail 'did not install through sudo'

begin not_debian
rm "$bin/apt-get" "$bin/dpkg-query"
run 1
prints 'this is not Debian'
prints 'XDNA_SKIP_SETUP=1 tools/bazel'

begin not_debian_set_up_by_hand
rm "$bin/apt-get" "$bin/dpkg-query"
run 0 XDNA_SKIP_SETUP=1
prints 'bazel runs: build //x'

begin no_bazel
run 1 BAZEL_REAL=/nowhere/bazel
prints '/nowhere/bazel: no such program'

begin absent_downloads_are_tried_again
run 0
prints_not '(retry no)'
mkdir -p "$bin/.cache/xdna-whisper-bench/whisper-base"
touch "$bin/.cache/xdna-whisper-bench/"{whisper-base/stamp.json,libxrt-dev_2.deb,plotly-7.1.0.min.js}
run 0
prints '(retry no)'

((failures == 0)) || exit 1
echo 'all passed'
