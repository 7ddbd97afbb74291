// The sizes of an op as a benchmark takes them from a person.
#ifndef BENCH_OP_SHAPE_H_
#define BENCH_OP_SHAPE_H_

#include <string>
#include <vector>

#include "bench/sweep.h"
#include "ops/contract.h"

namespace xdna::bench {

// The symbols of an op in the order of its operands' shapes ("m", "k", "n"), then
// those that no shape has ("stride").
std::vector<std::string> DimNames(const ops::Contract& op);

// What --sweep may set: each dim, "precision" and "backend" as far as the op has them on `device`,
// and on the NPU "batch", "reuse", "tile" and "columns" of its array.
std::vector<SweepAxis> AxesOf(const ops::Contract& op, ops::Device device);

// The op's default sizes with those of `point` in their place; sizes that follow from
// others (u = (t - 1) / stride + 1) are worked out. Throws kInvalidArgument for sizes that
// contradict each other and for more work than a float64 reference does in minutes.
ops::Dims DimsOf(const ops::Contract& op, const SweepPoint& point);

// "m=1500,k=512,n=2048", without sizes that follow from others.
std::string ShapeName(const ops::Contract& op, const ops::Dims& dims);

}  // namespace xdna::bench

#endif  // BENCH_OP_SHAPE_H_
