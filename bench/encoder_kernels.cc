#include "bench/encoder_kernels.h"

#include <fmt/format.h>

#include <cstddef>
#include <map>
#include <tuple>
#include <utility>

#include "base/cpu.h"
#include "base/error.h"
#include "base/tensor.h"
#include "bench/encoder_lines.h"
#include "encoder/precision_plan.h"
#include "ops/attention/attention.h"
#include "ops/internal/instance.h"
#include "ops/internal/workspace.h"
#include "ops/linear/linear.h"

namespace xdna::bench {
namespace {

constexpr int kTaps = 3;  // of a convolution, side by side in a row of its product

// Makes each product once more, of zeros and as CpuEncoder, Attention, Ffn and Conv1d make theirs,
// and asks it what it is.
class Probe {
 public:
  Probe(const encoder::EncoderShape& shape, const ops::Variant& variant, ThreadPool& pool)
      : shape_(shape),
        backend_(variant.backend),
        plan_(encoder::MakePrecisionPlan(variant.precision, shape.layers)),
        workspace_(pool.threads()),
        context_{.pool = &pool, .workspace = &workspace_} {}

  std::vector<KernelRow> Rows() {
    for (const encoder::Node& node : encoder::EncoderGraph(shape_)) {
      if (node.op == "conv1d") Convolution(node);
      if (node.op == "linear") {
        Product(node.name, -1, plan_.stem, node.dims.at("m"), node.dims.at("k"), node.dims.at("n"),
                {.y_dtype = ops::ActivationType(plan_.stem)});
      }
      if (node.op == "attention") Attention(node.layer);
      if (node.op == "ffn") Ffn(node.layer);
    }
    return std::move(rows_);
  }

 private:
  // What of Linear::Options the choice may depend on, but for the precision.
  struct Epilogue {
    bool gelu = false, accumulate = false;
    DType y_dtype = DType::kF32;
    ops::Linear::XRange x_range = ops::Linear::XRange::kSkewed;
  };

  void Convolution(const encoder::Node& node) {
    Product(node.name, -1, plan_.stem, node.dims.at("u"), kTaps * node.dims.at("c"),
            node.dims.at("d"), {.gelu = true, .y_dtype = ops::ActivationType(plan_.stem)});
  }

  void Attention(int layer) {
    const std::int64_t m = shape_.positions, d = shape_.d;
    const ops::Precision precision = plan_.layers.at(layer).attention;
    Product("attention.qkv", layer, precision, m, d, 3 * d,
            {.y_dtype = ops::ActivationType(precision)});
    const ops::Integers integers = plan_.layers.at(layer).integers;
    Add({"attention.core", precision, m, d / shape_.heads, m, {}, {}}, layer, integers,
        [&] { return Core(precision, integers); });
    Product("attention.out", layer, precision, m, d, d, {.accumulate = true});
  }

  void Ffn(int layer) {
    const std::int64_t m = shape_.positions, d = shape_.d, f = shape_.ffn();
    const encoder::PrecisionPlan::Layer& plan = plan_.layers.at(layer);
    Product("ffn.fc1", layer, plan.fc1, m, d, f,
            {.gelu = true, .y_dtype = ops::ActivationType(plan.fc1)});
    Product("ffn.fc2", layer, plan.fc2, m, f, d,
            {.accumulate = true, .x_range = ops::Linear::XRange::kGelu});
  }

  // `row` has no layers yet, and no kernel: that is `describe()`, asked once for all layers.
  template <typename Describe>
  void Add(KernelRow row, int layer, ops::Integers integers, const Describe& describe) {
    std::string& kernel = known_[{row.stage, row.precision, integers}];
    if (kernel.empty()) kernel = describe();
    row.kernel = kernel;
    // Behind what the same stage has in other layers.
    auto at = rows_.end();
    for (auto it = rows_.begin(); it != rows_.end(); ++it) {
      if (it->stage != row.stage) continue;
      at = it + 1;
      if (it->precision != row.precision || it->kernel != row.kernel) continue;
      if (layer >= 0) it->layers.push_back(layer);
      return;
    }
    if (layer >= 0) row.layers.push_back(layer);
    rows_.insert(at, std::move(row));
  }

  void Product(const std::string& stage, int layer, ops::Precision precision, std::int64_t m,
               std::int64_t k, std::int64_t n, const Epilogue& epilogue) {
    Add({stage, precision, m, k, n, {}, {}}, layer, ops::Integers::kNone, [&] {
      ops::Linear::Options options;
      options.variant = {precision, backend_};
      options.gelu = epilogue.gelu;
      options.accumulate = epilogue.accumulate;
      options.x_dtype = ops::ActivationType(precision);
      options.y_dtype = epilogue.y_dtype;
      options.x_range = epilogue.x_range;
      const Tensor weight(DType::kF32, {n, k}), bias(DType::kF32, {n});
      return ops::Linear(weight, bias, m, options, context_).description();
    });
  }

  std::string Core(ops::Precision precision, ops::Integers integers) {
    const Tensor w(DType::kF32, {shape_.d, shape_.d});
    const Tensor b(DType::kF32, {shape_.d});
    ops::Attention::Options options;
    options.variant = {precision, backend_};
    options.heads = shape_.heads;
    options.integers = integers;
    options.accumulate = true;
    return ops::Attention({w, b, w, w, b, w, b}, shape_.positions, options, context_).description();
  }

  const encoder::EncoderShape& shape_;
  ops::Backend backend_;
  encoder::PrecisionPlan plan_;
  ops::Workspace workspace_;
  ops::CpuContext context_;
  std::map<std::tuple<std::string, ops::Precision, ops::Integers>, std::string> known_;  // kernels
  std::vector<KernelRow> rows_;
};

std::string TableOf(const encoder::EncoderShape& shape, const ops::Variant& variant,
                    ThreadPool& pool) {
  std::string text = fmt::format("{:<9} {:<14} {:>14}  {:<5} {:<6} {}\n", VariantTitle(variant),
                                 "stage", "m x k x n", "in", "layers", "kernel");
  for (const KernelRow& row : EncoderKernels(shape, variant, pool)) {
    text += fmt::format("{:<9} {:<14} {:>14}  {:<5} {:<6} {}\n", "", row.stage,
                        fmt::format("{}x{}x{}", row.m, row.k, row.n),
                        ops::PrecisionName(row.precision), LayerList(row.layers), row.kernel);
  }
  return text;
}

}  // namespace

std::vector<KernelRow> EncoderKernels(const encoder::EncoderShape& shape,
                                      const ops::Variant& variant, ThreadPool& pool) {
  return Probe(shape, variant, pool).Rows();
}

std::string LayerList(const std::vector<int>& layers) {
  std::string text;
  for (std::size_t i = 0; i < layers.size();) {
    std::size_t last = i;
    while (last + 1 < layers.size() && layers[last + 1] == layers[last] + 1) ++last;
    text += fmt::format("{}{}", i == 0 ? "" : ",", layers[i]);
    if (last > i) text += fmt::format("-{}", layers[last]);
    i = last + 1;
  }
  return text.empty() ? "-" : text;
}

std::string KernelTables(const encoder::EncoderShape& shape,
                         const std::vector<ops::Variant>& variants, ThreadPool& pool) {
  std::string text =
      fmt::format("{} on {}: {}; {} thread{}\n", shape.name, CpuModelName(), CpuFeatureString(),
                  pool.threads(), pool.threads() == 1 ? "" : "s");
  for (const ops::Variant& variant : variants) {
    text += "\n";
    try {
      text += TableOf(shape, variant, pool);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUnsupported) throw;
      text += fmt::format("{:<9} unsupported: {}\n", VariantTitle(variant), error.message());
    }
  }
  return text + fmt::format(
                    "\nattention.core: the scores of one of {} heads; then as much again for the "
                    "values.\n",
                    shape.heads);
}

}  // namespace xdna::bench
