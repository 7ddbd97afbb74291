// Magnitudes of the terms behind each result: what an op's element-wise tolerance is
// relative to (golden/compare.h). Goldens carry theirs; this is for other shapes.
#ifndef BENCH_MAGNITUDE_H_
#define BENCH_MAGNITUDE_H_

#include "base/tensor.h"
#include "ops/contract.h"

namespace xdna::bench {

// As `scale` in golden/reference.py: f64, of the shape of the op's output. Throws
// kInternal for an op whose magnitudes are not known.
Tensor Magnitudes(const ops::Contract& op, const ops::Dims& dims, const TensorMap& in);

}  // namespace xdna::bench

#endif  // BENCH_MAGNITUDE_H_
