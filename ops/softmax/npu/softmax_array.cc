#include "ops/softmax/npu/softmax_array.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ops/internal/array_rows.h"
#include "ops/internal/instance.h"
#include "ops/internal/tile.h"

namespace xdna::ops {
namespace {

using kernels::RowArgument;

ArrayRowsOp RowsOp(std::int64_t n) {
  ArrayRowsOp op;
  op.kernel = "softmax_bf16";
  op.width = PaddedWidth(n);
  op.in = op.out = {2};
  op.arguments = [n](std::size_t) -> std::vector<RowArgument> {
    return {{RowArgument::Kind::kIn, 0},
            {RowArgument::Kind::kOut, 0},
            {RowArgument::Kind::kRows},
            RowNumber(PaddedWidth(n)),
            RowNumber(n)};
  };
  return op;
}

}  // namespace

std::unique_ptr<Instance> MakeSoftmaxArray(const Dims& dims, const TensorMap& in,
                                           Variant /*variant*/, const CpuContext& context) {
  const std::int64_t m = dims.at("m"), n = dims.at("n");
  const std::shared_ptr<ArrayDevice> device = DeviceFor(context);
  const auto rows = std::make_shared<ArrayRows>(device, RowsOp(n), m);
  const auto operands = CloneAs(in, {{"x", DType::kBf16}});
  return std::make_unique<ArrayInstance>(
      device, Tensor(DType::kBf16, {m, n}),
      [rows, operands](const TensorView& y) { rows->Run({operands->at("x")}, y); });
}

ArrayTiles SoftmaxArrayTiles(const Dims& dims, Variant /*variant*/, std::int64_t batch,
                             std::size_t columns) {
  return ArrayRowTiles(RowsOp(dims.at("n")), batch, columns);
}

}  // namespace xdna::ops
