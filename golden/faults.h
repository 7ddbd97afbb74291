// Seeded faults: what broken kernels really do to their output. The comparator and
// every op's tolerance are tested with them: a fault that passes is a defect of
// the harness.
#ifndef GOLDEN_FAULTS_H_
#define GOLDEN_FAULTS_H_

#include <cstdint>

#include "base/tensor.h"

namespace xdna::golden {

enum class Fault {
  kAllZero,      // a kernel that never ran over a zeroed buffer
  kStale,        // the buffer still holds an earlier run's numbers, of the same RMS
  kTransposed,   // wrong strides: the right numbers in the wrong order
  kWrongTile,    // one 16x16 tile (or what fits) holds another tile's numbers
  kSignFlip,     // one element, of at least the RMS, has the wrong sign
  kNan,          // one element is NaN
  kOffByOneRow,  // every row is its neighbour's
  kTruncated,    // results cut to bf16, towards zero, instead of rounded
};

inline constexpr Fault kAllFaults[] = {
    Fault::kAllZero,  Fault::kStale, Fault::kTransposed,  Fault::kWrongTile,
    Fault::kSignFlip, Fault::kNan,   Fault::kOffByOneRow, Fault::kTruncated,
};

const char* FaultName(Fault fault);

// A copy of `output` (f32, contiguous) with the fault. `seed` picks the place.
// Where the fault changes nothing (transposing a constant), the copy is equal.
// Rows are what all axes but the last make. Throws kInternal for another dtype or
// a view that is not contiguous.
Tensor Inject(const TensorView& output, Fault fault, std::uint64_t seed);

}  // namespace xdna::golden

#endif  // GOLDEN_FAULTS_H_
