#!/bin/bash
# Makes an xclbin for a real NPU with the tools that the user has: aiecc of mlir-aie and the
# compiler Peano. The command lines are those of mlir-aie's programming_examples/makefile-common.
#   aiecc.sh NAME XCLBIN INSTS [--mlir=FILE] [KERNEL.cc...]
# From the environment: MLIR_AIE_INSTALL_DIR (its bin/ has aiecc or aiecc.py; else PATH) and
# PEANO_INSTALL_DIR. KERNEL.cc becomes KERNEL.o, which the MLIR's link_with names.
set -euo pipefail
readonly name=$1 xclbin=$PWD/$2 insts=$PWD/$3
shift 3

missing=()
mlir=
if (($# > 0)) && [[ $1 == --mlir=* ]]; then
  mlir=$PWD/${1#--mlir=}
  shift
else
  missing+=("attribute mlir: a design of //kernels/array is for the simulated NPU, aiecc compiles mlir-aie's MLIR of it")
fi
aiecc=
for tool in "${MLIR_AIE_INSTALL_DIR:-}/bin/aiecc" "${MLIR_AIE_INSTALL_DIR:-}/bin/aiecc.py" aiecc aiecc.py; do
  if aiecc=$(type -P "$tool"); then break; fi
done
[[ -n $aiecc ]] || missing+=("aiecc of mlir-aie: set --action_env=MLIR_AIE_INSTALL_DIR=FOLDER")
peano=${PEANO_INSTALL_DIR:-}
[[ -x $peano/bin/clang++ ]] ||
  missing+=("the compiler Peano: set --action_env=PEANO_INSTALL_DIR=FOLDER, which has bin/clang++")
if ((${#missing[@]} > 0)); then
  echo "npu_overlay $name: the real toolchain lacks:" >&2
  printf '  %s\n' "${missing[@]}" >&2
  echo "Without --define=npu_toolchain=aiecc the overlay is made for the simulated NPU." >&2
  exit 1
fi

work=$(mktemp -d "$xclbin.XXXXXX")
trap 'rm -rf "$work"' EXIT
include=${MLIR_AIE_INSTALL_DIR:-$(dirname "$(dirname "$aiecc")")}/include
for kernel in "$@"; do
  object=$(basename "${kernel%.*}").o
  "$peano/bin/clang++" -O2 -std=c++20 --target=aie2-none-unknown-elf -DNDEBUG -Wno-parentheses \
    -Wno-attributes -Wno-macro-redefined -Wno-empty-body -I. "-I$include" -c "$kernel" \
    -o "$work/$object"
done
cd "$work"
"$aiecc" --aie-generate-xclbin --aie-generate-npu-insts --no-compile-host --no-xchesscc \
  --no-xbridge "--xclbin-name=$xclbin" "--npu-insts-name=$insts" "$mlir"
