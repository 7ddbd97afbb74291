#include "ops/layer_norm/npu/layer_norm_array.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "ops/internal/array_rows.h"
#include "ops/internal/instance.h"

namespace xdna::ops {
namespace {

using kernels::RowArgument;

// Gamma and beta, one behind the other, are the constants.
ArrayRowsOp RowsOp(std::int64_t d) {
  ArrayRowsOp op;
  op.kernel = "layer_norm_bf16";
  op.width = d;
  op.in = op.out = {2};
  const auto row = static_cast<std::size_t>(2 * d);
  op.constants.resize(2 * row);
  op.arguments = [d, row](std::size_t) -> std::vector<RowArgument> {
    return {{RowArgument::Kind::kIn, 0},
            {RowArgument::Kind::kConstant, 0},
            {RowArgument::Kind::kConstant, static_cast<int>(row)},
            {RowArgument::Kind::kOut, 0},
            {RowArgument::Kind::kRows},
            RowNumber(d)};
  };
  return op;
}

}  // namespace

std::unique_ptr<Instance> MakeLayerNormArray(const Dims& dims, const TensorMap& in,
                                             Variant /*variant*/, const CpuContext& context) {
  const std::int64_t m = dims.at("m"), d = dims.at("d");
  if (d % 16 != 0) {
    Throw(ErrorCode::kUnsupported, "a row of {} is no multiple of 16 lanes, which the kernel needs",
          d);
  }
  const auto operands =
      CloneAs(in, {{"x", DType::kBf16}, {"gamma", DType::kBf16}, {"beta", DType::kBf16}});
  ArrayRowsOp op = RowsOp(d);
  const std::size_t row = op.constants.size() / 2;
  std::memcpy(op.constants.data(), operands->at("gamma").view().raw(), row);
  std::memcpy(op.constants.data() + row, operands->at("beta").view().raw(), row);
  const std::shared_ptr<ArrayDevice> device = DeviceFor(context);
  const auto rows = std::make_shared<ArrayRows>(device, op, m);
  return std::make_unique<ArrayInstance>(
      device, Tensor(DType::kBf16, {m, d}),
      [rows, operands](const TensorView& y) { rows->Run({operands->at("x")}, y); });
}

ArrayTiles LayerNormArrayTiles(const Dims& dims, Variant /*variant*/, std::int64_t batch,
                               std::size_t columns) {
  return ArrayRowTiles(RowsOp(dims.at("d")), batch, columns);
}

}  // namespace xdna::ops
