#include "encoder/mixed/norms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bf16.h"
#include "base/tensor.h"
#include "device/measure.h"
#include "encoder/int8_designs.h"
#include "encoder/schedule_designs.h"
#include "kernels/array/add_norm.h"
#include "kernels/array/rows.h"
#include "ops/internal/row_kernels.h"

namespace xdna::encoder::mixed {

void Norms::Norm(Value& x, const std::string& weights, Value& y) {
  const double begin = device::NowUs();
  kernels::RowsConfig c;
  using Kind = kernels::RowArgument::Kind;
  const std::size_t d = Size(bench_.shape().d);
  c.kernel = bench_.schedule().norm;
  const std::int64_t batch =
      bench_.schedule().norm_batch == 0 ? x.rows : bench_.schedule().norm_batch;
  c.columns = Size(bench_.schedule().norm_columns);
  c.rows = std::min(kNormRows, UpTo(Size(batch), 4 * c.columns) / (4 * c.columns));
  c.in = {2 * d};
  c.out = {2 * d};
  c.constant_bytes = 4 * d;
  c.arguments = {{Kind::kIn, 0},  {Kind::kConstant, 0}, {Kind::kConstant, static_cast<int>(2 * d)},
                 {Kind::kOut, 0}, {Kind::kRows, 0},     {Kind::kNumber, static_cast<int>(d)}};
  Value& constants = bench_.Find("constants " + weights);
  if (constants.name.empty()) {
    std::vector<Bf16> both;
    for (const char* part : {".weight", ".bias"}) {
      const Tensor values = bench_.Load(weights + part);
      for (std::size_t i = 0; i < d; ++i) {
        both.push_back(Bf16::FromFloat(values.data<float>()[i]));
      }
    }
    bench_.SetConstant(constants, weights, std::as_bytes(std::span(both)));
  }
  device::Session& session = bench_.Open(fmt::format("{} {}x{}", c.kernel, c.rows, c.columns),
                                         [c] { return kernels::RowsOverlay(c); });
  const auto per_dispatch = bench_.schedule().Assumed("input_us");
  for (std::int64_t row = 0; row < x.rows; row += batch) {
    const std::int64_t rows = std::min(batch, x.rows - row);
    const std::size_t bytes = kernels::PaddedRows(c, Size(rows)) * 2 * d, at = Size(row) * 2 * d;
    if (per_dispatch > 0) bench_.Cpu(per_dispatch);
    bench_.Dispatch(session, kernels::RowsInstructions(c, Size(rows)),
                    {{&x, at, bytes}, {&constants, 0, constants.capacity}, {&y, at, bytes, true}});
  }
  bench_.Fetch(y);
  bench_.times().norm += (device::NowUs() - begin) / 1e3;
}

void Norms::Residual(Value& stream, Value& delta) {
  bench_.ToHost(delta);
  bench_.ToHost(stream);
  bench_.CpuCopy(12.0 * static_cast<double>(stream.host.size()));
  stream.OnlyOnHost();
  if (!bench_.data()) return;
  float* to = stream.host.data<float>();
  const float* from = delta.host.data<float>();
  for (std::int64_t i = 0; i < stream.host.size(); ++i) to[i] += from[i];
}

Value& Norms::FusedNorm(Value& stream, Value& delta, Value& y) {
  const kernels::AddNormConfig c{AddNormRows(bench_.schedule(), bench_.shape().d),
                                 Size(bench_.shape().d), Size(bench_.schedule().columns)};
  // A run may not read what it writes.
  Value& sum = bench_.NewValue(stream.name == "stream" ? "stream2" : "stream", stream.rows,
                               stream.cols, 0, 4);
  const std::size_t wide = PaddedRows(c, Size(stream.rows)) * 4 * Size(bench_.shape().d);
  const std::vector<device::Instruction> instructions =
      kernels::AddNormInstructions(c, Size(stream.rows));
  const std::vector<Argument> arguments = {
      {&stream, 0, wide}, {&delta, 0, wide / 2}, {&sum, 0, wide, true}, {&y, 0, wide / 2, true}};
  if (bench_.SharesContext()) {
    bench_.DispatchShared(SharedDesign::kAddNorm, instructions, arguments);
  } else {
    bench_.Dispatch(bench_.Open("add_norm", [c] { return kernels::AddNormOverlay(c); }),
                    instructions, arguments);
  }
  return sum;
}

void Norms::ScaleByHost(Value& x, const std::string& weights, Value& y) {
  bench_.ToHost(x);
  y.OnlyOnHost();
  bench_.CpuRows(static_cast<double>(x.host.size()));
  if (!bench_.data()) return;
  const Tensor gamma = bench_.Load(weights + ".weight"), beta = bench_.Load(weights + ".bias");
  for (std::int64_t i = 0; i < x.rows; ++i) {
    ops::MapRow({.in = x.host.data<float>() + i * x.cols,
                 .column_scale = gamma.data<float>(),
                 .bias = beta.data<float>(),
                 .out = y.host.data<float>() + i * x.cols},
                Size(x.cols));
  }
}

}  // namespace xdna::encoder::mixed
