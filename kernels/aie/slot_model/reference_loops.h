// The register-blocked matrix product that the published figures are of, as a counting build runs
// it: R x S accumulators of an aie::mmul, C read before and written after all of k.
#ifndef KERNELS_AIE_SLOT_MODEL_REFERENCE_LOOPS_H_
#define KERNELS_AIE_SLOT_MODEL_REFERENCE_LOOPS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "kernels/aie/slot_model/slot_model.h"

namespace xdna::kernels {

// What goes in (A and B) and what C is kept as in the tile's memory.
enum class MatmulTypes { kBf16Bf16, kBf16F32, kInt8Int8, kInt8Int16, kInt8Int32 };

struct MatmulLoop {
  MatmulTypes types;
  unsigned m, k, n;
  unsigned rows, columns;            // mmul tiles of the register block: 4x4, 4x2, 2x4, 2x2
  unsigned steps_per_iteration = 1;  // unrolled k steps
};

// Runs the loop on A, B and C at the starts of banks 0, 1 and 2 and counts. Throws kInvalidArgument
// for a register block that there is no code for, and for sizes that do not divide or do not fit.
LoopWork CountMatmul(const MatmulLoop& loop);

// C (row-major m x n) after C += A B with A[i][j] = (i + 2 j) % 5 - 2, B[i][j] = (3 i + j) % 7 - 3
// and C[i][j] = 1 before: small integers, exact in every type. For tests of the loop.
std::vector<double> RunMatmul(const MatmulLoop& loop);

}  // namespace xdna::kernels

#endif  // KERNELS_AIE_SLOT_MODEL_REFERENCE_LOOPS_H_
