// The kernels that simulated cores can call: each is the function that a tile runs, with the cycles
// of its counted build.
#include "kernels/npu/kernels.h"

#include <aie_api/aie.hpp>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "device/sim/kernel_table.h"
#include "kernels/add/add.h"
#include "kernels/add_norm/add_norm.h"
#include "kernels/attention/attention.h"
#include "kernels/convert/convert.h"
#include "kernels/cost/cost.h"
#include "kernels/gelu/gelu.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/matmul/matmul.h"
#include "kernels/npu/bulk.h"
#include "kernels/npu/bulk_gelu.h"
#include "kernels/passthrough/passthrough.h"
#include "kernels/quantize/quantize.h"
#include "kernels/scale/scale.h"
#include "kernels/softmax/softmax.h"

namespace xdna::kernels {
namespace {

using Numbers = std::span<const std::int32_t>;
using Pointers = std::span<void* const>;

CodeGenerator GeneratorFromName(std::string_view name) {
  for (const auto g : {CodeGenerator::kChess, CodeGenerator::kPeano, CodeGenerator::kAsm}) {
    if (name == CodeGeneratorName(g)) return g;
  }
  Throw(ErrorCode::kInvalidArgument, "no code generator \"{}\"; there are chess, peano, asm", name);
}

// Plays a simulated core on this thread for the length of a call: its registers are those that the
// last kernel on it left.
class OnCore {
 public:
  explicit OnCore(device::CoreState& state) : state_(state), mine_(aie::host::core()) {
    if (state_ == nullptr) state_ = std::make_shared<aie::host::core_state>();
    aie::host::core() = *std::static_pointer_cast<aie::host::core_state>(state_);
  }
  OnCore(const OnCore&) = delete;
  OnCore& operator=(const OnCore&) = delete;
  ~OnCore() {
    *std::static_pointer_cast<aie::host::core_state>(state_) = aie::host::core();
    aie::host::core() = mine_;
  }

 private:
  device::CoreState& state_;
  aie::host::core_state mine_;
};

// The next pointer or number of a call, as the kernel's parameter has it; f32 come as their bits.
template <typename T>
T Next(Pointers pointers, Numbers numbers, std::size_t& p, std::size_t& n) {
  if constexpr (std::is_pointer_v<T>) {
    return static_cast<T>(pointers[p++]);
  } else if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<float>(numbers[n++]);
  } else {
    return numbers[n++];
  }
}

template <typename... A>
constexpr unsigned PointersOf(void (* /*kernel*/)(A...)) {
  return (0U + ... + (std::is_pointer_v<A> ? 1U : 0U));
}

// Cycles by the numbers alone, all of which are the cost's parameters.
auto CostOf(std::string name) {
  return
      [name = std::move(name)](std::string_view codegen, Numbers numbers, std::uint32_t /*nulls*/) {
        const std::vector<std::int64_t> arguments(numbers.begin(), numbers.end());
        return CoreCycles(name, arguments, GeneratorFromName(codegen));
      };
}

template <typename... A>
device::Kernel Wrap(const char* name, void (*kernel)(A...)) {
  const unsigned pointers = PointersOf(kernel);
  return {name, pointers, static_cast<unsigned>(sizeof...(A)) - pointers,
          [kernel](device::CoreState& core, Pointers pointers_in, Numbers numbers) {
            const OnCore on_core(core);
            std::size_t p = 0, n = 0;
            // Braces, so that arguments are taken from left to right.
            std::apply(kernel, std::tuple<A...>{Next<A>(pointers_in, numbers, p, n)...});
          },
          CostOf(name)};
}

// The same with a cost of other arguments than the numbers.
template <typename... A, typename Cost>
device::Kernel Wrap(const char* name, void (*kernel)(A...), const char* cost_name, Cost arguments) {
  device::Kernel wrapped = Wrap(name, kernel);
  wrapped.cycles = [cost_name, arguments](std::string_view codegen, Numbers numbers,
                                          std::uint32_t nulls) {
    return CoreCycles(cost_name, arguments(numbers, nulls), GeneratorFromName(codegen));
  };
  return wrapped;
}

using Values = std::vector<std::int64_t>;

// Epilogues with flat arguments: sums, bias (may be null), y, m, n, and an option. As compiled for
// a tile they fill the epilogue's struct and call on; each with one form of GELU.
template <typename Out, void (*kFinish)(const float*, Out*, int32, int32, const MatmulEpilogue*)>
void FinishTile(const float* sums, const float* bias, Out* y, int32 m, int32 n, int32 gelu) {
  if (gelu != 0) {
    BulkFinishGelu(sums, bias, y, m, n);
  } else {
    const MatmulEpilogue epilogue{.bias = bias};
    kFinish(sums, y, m, n, &epilogue);
  }
}
template <typename Out, void (*kFinish)(const float*, Out*, int32, int32, const MatmulEpilogue*)>
void FinishTable(const float* sums, const float* bias, Out* y, int32 m, int32 n, int32 gelu) {
  const MatmulEpilogue epilogue{.bias = bias, .gelu = gelu != 0, .gelu_table = true};
  kFinish(sums, y, m, n, &epilogue);
}

template <typename Out, void (*kFinish)(const int32*, Out*, int32, int32, const MatmulIntEpilogue*)>
void FinishTile(const int32* sums, const int32* bias, Out* y, int32 m, int32 n, int32 shift) {
  const MatmulIntEpilogue epilogue{.bias = bias, .shift = shift};
  kFinish(sums, y, m, n, &epilogue);
}

// Sums, what is behind B (bias, column scales), y, A, m, n, k, shift, option.
template <typename Out, bool kTable,
          void (*kFinish)(const int32*, Out*, int32, int32, const MatmulScaledEpilogue*)>
void FinishScaled(const int32* sums, const void* columns, Out* y, const void* a, int32 m, int32 n,
                  int32 k, int32 shift, int32 gelu) {
  const auto* behind_a = static_cast<const std::byte*>(a) + 4 * static_cast<std::ptrdiff_t>(k);
  const MatmulScaledEpilogue epilogue{.row_scales = reinterpret_cast<const bfloat16*>(behind_a),
                                      .row_step = QuantizedPart(k) / 2,
                                      .column_scales = static_cast<const float*>(columns) + n,
                                      .bias = static_cast<const float*>(columns),
                                      .shift = shift,
                                      .gelu = gelu != 0,
                                      .gelu_table = kTable};
  if (gelu != 0 && !kTable) {
    BulkFinishScaledGelu(sums, y, m, n, epilogue);
  } else {
    kFinish(sums, y, m, n, &epilogue);
  }
}

constexpr std::uint32_t kBiasNull = 2;  // the second pointer
template <int kGelu>
Values FinishCost(Numbers n, std::uint32_t nulls) {
  return {n[0], n[1], (nulls & kBiasNull) == 0 ? 1 : 0, 0, 0, n[2] != 0 ? kGelu : 0};
}
Values IntFinishCost(Numbers n, std::uint32_t nulls) {
  return {n[0], n[1], (nulls & kBiasNull) == 0 ? 1 : 0};
}

template <int kGelu>
Values ScaledFinishCost(Numbers n, std::uint32_t /*nulls*/) {
  return {n[0], n[1], n[4] != 0 ? kGelu : 0};
}

void RegisterScaledProducts() {
  device::RegisterKernel(Wrap("matmul_scaled_int8", BulkMatmulScaledInt8));
  device::RegisterKernel(Wrap("matmul_finish_scaled_tile_bf16",
                              FinishScaled<bfloat16, false, matmul_finish_scaled_bf16>,
                              "matmul_finish_scaled_bf16", ScaledFinishCost<1>));
  device::RegisterKernel(Wrap("matmul_finish_scaled_tile_f32",
                              FinishScaled<float, false, matmul_finish_scaled_f32>,
                              "matmul_finish_scaled_f32", ScaledFinishCost<1>));
  device::RegisterKernel(Wrap("matmul_finish_scaled_table_bf16",
                              FinishScaled<bfloat16, true, matmul_finish_scaled_bf16>,
                              "matmul_finish_scaled_bf16", ScaledFinishCost<2>));
  device::RegisterKernel(Wrap("matmul_finish_scaled_table_f32",
                              FinishScaled<float, true, matmul_finish_scaled_f32>,
                              "matmul_finish_scaled_f32", ScaledFinishCost<2>));
}

void RegisterProducts() {
  device::RegisterKernel(Wrap("matmul_bf16", BulkMatmulBf16));
  device::RegisterKernel(Wrap("matmul_reload_bf16", matmul_reload_bf16));
  device::RegisterKernel(Wrap("matmul_int8", BulkMatmulInt8));
  device::RegisterKernel(Wrap("matmul_finish_tile_bf16", FinishTile<bfloat16, matmul_finish_bf16>,
                              "matmul_finish_bf16", FinishCost<1>));
  device::RegisterKernel(Wrap("matmul_finish_tile_f32", FinishTile<float, matmul_finish_f32>,
                              "matmul_finish_f32", FinishCost<1>));
  device::RegisterKernel(Wrap("matmul_finish_table_bf16", FinishTable<bfloat16, matmul_finish_bf16>,
                              "matmul_finish_bf16", FinishCost<2>));
  device::RegisterKernel(Wrap("matmul_finish_table_f32", FinishTable<float, matmul_finish_f32>,
                              "matmul_finish_f32", FinishCost<2>));
  device::RegisterKernel(Wrap("matmul_finish_tile_int8", FinishTile<int8, matmul_finish_int8>,
                              "matmul_finish_int8", IntFinishCost));
  device::RegisterKernel(Wrap("matmul_finish_tile_int16", FinishTile<int16, matmul_finish_int16>,
                              "matmul_finish_int16", IntFinishCost));
  device::RegisterKernel(Wrap("matmul_finish_tile_int32", FinishTile<int32, matmul_finish_int32>,
                              "matmul_finish_int32", IntFinishCost));
  device::RegisterKernel(Wrap("attention_block_bf16", attention_block_bf16));
  device::RegisterKernel(Wrap("attention_finish_bf16", attention_finish_bf16));
}

void RegisterRows() {
  device::RegisterKernel(Wrap("layer_norm_bf16", layer_norm_bf16));
  device::RegisterKernel(Wrap("layer_norm_folded_bf16", layer_norm_folded_bf16));
  device::RegisterKernel(Wrap("layer_norm_one_pass_bf16", layer_norm_one_pass_bf16));
  device::RegisterKernel(Wrap("layer_norm_nosqrt0_bf16", layer_norm_nosqrt0_bf16));
  device::RegisterKernel(Wrap("layer_norm_nosqrt1_bf16", layer_norm_nosqrt1_bf16));
  device::RegisterKernel(Wrap("layer_norm_nosqrt2_bf16", layer_norm_nosqrt2_bf16));
  device::RegisterKernel(Wrap("layer_norm_nosqrt3_bf16", layer_norm_nosqrt3_bf16));
  device::RegisterKernel(Wrap("softmax_bf16", softmax_bf16));
  device::RegisterKernel(Wrap("softmax_inverse_bf16", softmax_inverse_bf16));
  device::RegisterKernel(Wrap("softmax_stock_bf16", softmax_stock_bf16));
  device::RegisterKernel(Wrap("gelu_bf16", BulkGeluBf16));
  device::RegisterKernel(Wrap("gelu_table_bf16", gelu_table_bf16));
  device::RegisterKernel(Wrap("gelu_stock_bf16", gelu_stock_bf16));
  device::RegisterKernel(Wrap("add_bf16", add_bf16));
  device::RegisterKernel(Wrap("add_f32", add_f32));
  device::RegisterKernel(Wrap("add_residual_f32", add_residual_f32));
  device::RegisterKernel(Wrap("add_norm_f32", add_norm_f32));
  device::RegisterKernel(Wrap("convert_f32_bf16", convert_f32_bf16));
  device::RegisterKernel(Wrap("convert_bf16_f32", convert_bf16_f32));
  device::RegisterKernel(Wrap("scale_bf16", scale_bf16));
  device::RegisterKernel(Wrap("quantize_rows_bf16", quantize_rows_bf16));
  device::RegisterKernel(Wrap("quantize_blocks_bf16", quantize_blocks_bf16));
  device::RegisterKernel(Wrap("passthrough_words", passthrough_words));
}

}  // namespace

void RegisterNpuKernels() {
  static const bool once = [] {
    RegisterProducts();
    RegisterScaledProducts();
    RegisterRows();
    return true;
  }();
  static_cast<void>(once);
}

}  // namespace xdna::kernels
