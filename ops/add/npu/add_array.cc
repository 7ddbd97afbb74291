#include "ops/add/npu/add_array.h"

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

ArrayRowsOp RowsOp(Variant variant, std::int64_t width) {
  const bool residual = variant.kernel == "residual";
  ArrayRowsOp op;
  op.kernel = residual ? "add_residual_f32" : "add_bf16";
  op.width = width;
  op.in = {residual ? 4U : 2U, 2};
  op.out = {residual ? 4U : 2U};
  op.arguments = [width](std::size_t rows) -> std::vector<RowArgument> {
    return {{RowArgument::Kind::kIn, 0},
            {RowArgument::Kind::kIn, 1},
            {RowArgument::Kind::kOut, 0},
            RowNumber(static_cast<std::int64_t>(rows) * width)};
  };
  return op;
}

}  // namespace

std::unique_ptr<Instance> MakeAddArray(const Dims& dims, const TensorMap& in, Variant variant,
                                       const CpuContext& context) {
  const std::int64_t m = dims.at("m"), n = dims.at("n");
  const ArrayRowsOp op = RowsOp(variant, PaddedWidth(n));
  const std::shared_ptr<ArrayDevice> device = DeviceFor(context);
  const auto rows = std::make_shared<ArrayRows>(device, op, m);
  const DType dtype = op.out.front() == 4 ? DType::kF32 : DType::kBf16;
  const auto operands = CloneAs(in, {{"a", dtype}, {"b", DType::kBf16}});
  return std::make_unique<ArrayInstance>(device, Tensor(dtype, {m, n}),
                                         [rows, operands](const TensorView& y) {
                                           rows->Run({operands->at("a"), operands->at("b")}, y);
                                         });
}

ArrayTiles AddArrayTiles(const Dims& dims, Variant variant, std::int64_t batch,
                         std::size_t columns) {
  return ArrayRowTiles(RowsOp(variant, PaddedWidth(dims.at("n"))), batch, columns);
}

}  // namespace xdna::ops
