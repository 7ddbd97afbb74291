// Products in int8, wholly on the array: rows are quantised there, and the product scales its sums.
#include <fmt/format.h>

#include "encoder/int8_designs.h"
#include "encoder/mixed/products.h"
#include "kernels/array/gemm.h"
#include "kernels/array/scaled_gemm.h"

namespace xdna::encoder::mixed {

void Products::Int8Linear(Value& x, LinearWeights& w, Value& y, bool gelu) {
  const Schedule& schedule = bench_.schedule();
  const std::int64_t m = x.rows, n = w.w.dim(0), k = w.w.dim(1), d = bench_.shape().d;
  const kernels::GemmConfig config = Int8ProductOf(schedule, d);
  const kernels::QuantizeConfig quantize = QuantizeOf(schedule, d, k);
  const kernels::GemmProblem problem{Size(m), Size(k), Size(n), 0, gelu};
  Value& b = w.packed["int8"];
  if (b.name.empty()) {
    bench_.SetConstant(
        b, w.name,
        kernels::PackScaledWeights(config, problem, w.w.data<float>(), w.b.data<float>()));
  }
  const std::size_t rows = kernels::PaddedRows(quantize, Size(m));
  const std::size_t row_bytes = kernels::QuantizedRowBytes(quantize);
  Value& a = bench_.NewValue(fmt::format("quantized {}", k), m, k, row_bytes, 1);
  bench_.DispatchShared(SharedDesign::kQuantize, kernels::QuantizeInstructions(quantize, Size(m)),
                        {{&x, 0, rows * x.pitch * 2}, {&a, 0, rows * row_bytes, true}});
  const kernels::GemmBytes bytes = kernels::GemmBufferBytes(config, problem);
  bench_.DispatchShared(SharedDesign::kInt8Product, kernels::GemmInstructions(config, problem),
                        {{&a, 0, bytes.a}, {&b, 0, bytes.b}, {&y, 0, bytes.c, true}});
  bench_.Fetch(y);
}

}  // namespace xdna::encoder::mixed
