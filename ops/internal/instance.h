// What the instances of all ops share: operands in the variant's dtype, a result
// that can be poisoned and read back.
#ifndef OPS_INTERNAL_INSTANCE_H_
#define OPS_INTERNAL_INSTANCE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/tensor.h"
#include "ops/contract.h"

namespace xdna::ops {

// dtype of activations in a precision: int8 quantises inside its matrix products
// and hands bf16 from op to op.
DType ActivationType(Precision precision);

// Runs a closure that owns its operands and writes into `output`.
class ClosureInstance : public Instance {
 public:
  ClosureInstance(Tensor output, std::function<void(const TensorView& output)> run)
      : output_(std::move(output)), run_(std::move(run)) {}

  void Run() override { run_(output_); }
  void Poison() override;
  Tensor Output() const override { return output_.To(DType::kF32); }

 private:
  Tensor output_;
  std::function<void(const TensorView& output)> run_;
};

// Clones of operands, shared by a closure.
std::shared_ptr<TensorMap> CloneAs(const TensorMap& in,
                                   const std::vector<std::pair<const char*, DType>>& wanted);

// Operand `name` as float64, for references; throws kInternal if it is missing.
Tensor AsF64(const TensorMap& in, const char* name);

// Tolerance shared by the ops: what rounding alone may cost. Unit round-off of f32
// is 2^-24 and of bf16 2^-8, to nearest (Higham, Accuracy and Stability of
// Numerical Algorithms, 2nd ed., section 2.1 and 3.1).
inline constexpr double kUnitF32 = 0x1p-24;
inline constexpr double kUnitBf16 = 0x1p-8;

// Tolerance of a sum of `k` products with f32 (int8: exact) sums, whose operands
// and result are of `precision`.
golden::Tolerance ProductTolerance(Precision precision, std::int64_t k, std::string_view data);

}  // namespace xdna::ops

#endif  // OPS_INTERNAL_INSTANCE_H_
