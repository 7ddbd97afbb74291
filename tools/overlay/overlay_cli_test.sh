#!/bin/bash
# The generator's command line, and what the real toolchain's script asks for and calls (OVERLAY
# AIECC_SH: both are there, the tools are made up).
set -uo pipefail
readonly overlay=$PWD/$1 script=$PWD/$2
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# refuses STATUS TEXT COMMAND...
refuses() {
  local wanted=$1 text=$2 status=0
  shift 2
  "$@" >out 2>err || status=$?
  ((status == wanted)) || fail "$*: exit status $status, expected $wanted"
  grep -qF -- "$text" err || fail "$*: no '$text' in: $(cat err)"
}

cd "$TEST_TMPDIR" || exit 1
refuses 2 "--design is required" "$overlay"
refuses 2 "see --help" "$overlay" --design=gemm --problem=4x4x4 --out=x --mm=4
refuses 2 "Could not convert: --m" "$overlay" --design=gemm --problem=4x4x4 --out=x --m=four
refuses 2 "is not MxKxN" "$overlay" --design=gemm --problem=4 --out=x
refuses 3 "none/x.xclbin: can't be written" \
  "$overlay" --design=gemm --problem=64x64x64 --out=none/x.xclbin
"$overlay" --design=layer_norm --problem=64 --out=x.xclbin --insts=x.insts.bin >out || fail "make"
grep -q "bo1 gamma,beta: 2048 bytes" out || fail "buffers: $(cat out)"
grep -q "kernel layer_norm_bf16" out || fail "kernels: $(cat out)"
[[ -s x.xclbin && -s x.insts.bin ]] || fail "no files"

unset MLIR_AIE_INSTALL_DIR PEANO_INSTALL_DIR
refuses 1 "aiecc of mlir-aie: set --action_env=MLIR_AIE_INSTALL_DIR" "$script" //a:b a.xclbin a.bin
grep -q "attribute mlir" err || fail "no word of mlir: $(cat err)"
grep -q "the compiler Peano" err || fail "no word of Peano: $(cat err)"
grep -q "npu_overlay //a:b" err || fail "no word of the target: $(cat err)"

mkdir -p mlir_aie/bin peano/bin
cat >mlir_aie/bin/aiecc.py <<'TOOL'
#!/bin/bash
for argument; do
  case $argument in
    --xclbin-name=*) cat kernel.o >"${argument#*=}" ;;
    --npu-insts-name=*) echo words >"${argument#*=}" ;;
    *.mlir) [[ -s $argument ]] || exit 5 ;;
  esac
done
TOOL
cat >peano/bin/clang++ <<'TOOL'
#!/bin/bash
[[ " $* " == *" --target=aie2-none-unknown-elf "* ]] || exit 6
cp "${@: -3:1}" "${@: -1}"
TOOL
chmod +x mlir_aie/bin/aiecc.py peano/bin/clang++
echo "module {}" >design.mlir
echo "the kernel" >kernel.cc
export MLIR_AIE_INSTALL_DIR=$PWD/mlir_aie
refuses 1 "the compiler Peano" "$script" //a:b a.xclbin a.bin --mlir=design.mlir kernel.cc
grep -q "aiecc of" err && fail "aiecc is there: $(cat err)"
export PEANO_INSTALL_DIR=$PWD/peano
"$script" //a:b a.xclbin a.bin --mlir=design.mlir kernel.cc || fail "real toolchain: $?"
[[ $(cat a.xclbin) == "the kernel" && $(cat a.bin) == words ]] || fail "outputs"
compgen -G "a.xclbin.*" >/dev/null && fail "its work folder is left"
exit $((failures > 0))
