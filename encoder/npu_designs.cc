#include "encoder/npu_designs.h"

#include <cmath>
#include <utility>
#include <variant>

#include "base/bf16.h"
#include "kernels/attention/attention.h"

namespace xdna::encoder {
namespace {

std::size_t LargestDivisor(std::size_t of, std::size_t step, std::size_t most) {
  std::size_t best = step;
  for (std::size_t i = step; i <= most; i += step) {
    if (of % i == 0) best = i;
  }
  return best;
}

}  // namespace

kernels::GemmConfig ProductTile(std::int64_t width, std::size_t m, std::size_t k, std::size_t n) {
  kernels::GemmConfig config;
  const auto d = static_cast<std::size_t>(width);
  config.m = m;
  config.k = LargestDivisor(d, 8, k);
  config.k_mem = LargestDivisor(d, config.k, 4 * config.k);
  config.n = LargestDivisor(d / config.columns, 8, n);
  config.packed_b = true;
  return config;
}

kernels::GemmConfig WithGelu(kernels::GemmConfig config, bool table_gelu) {
  config.gelu = config.gelu_rtp = true;
  config.gelu_table = table_gelu;
  return config;
}

device::Overlay ProductOverlay(const kernels::GemmConfig& config, bool table_gelu) {
  return kernels::GemmOverlay(WithGelu(config, table_gelu));
}

std::vector<device::Instruction> ProductInstructions(const kernels::GemmConfig& config,
                                                     kernels::GemmProblem problem, bool gelu) {
  problem.gelu = gelu;
  // The form of GELU is the overlay's.
  return kernels::GemmInstructions(WithGelu(config, false), problem);
}

std::vector<std::byte> PackLinear(const kernels::GemmConfig& config,
                                  const kernels::GemmProblem& problem, const Tensor& w,
                                  const Tensor& b) {
  const std::int64_t n = w.dim(0), k = w.dim(1);
  const float* from = w.data<float>();
  std::vector<Bf16> turned(static_cast<std::size_t>(n * k));
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < k; ++j) {
      turned[static_cast<std::size_t>(j * n + i)] = Bf16::FromFloat(from[i * k + j]);
    }
  }
  return kernels::PackGemmB(config, problem, turned.data(), b.data<float>());
}

void FoldNorm(const Tensor& gamma, const Tensor& beta, Tensor& w, Tensor& b) {
  const std::int64_t n = w.dim(0), k = w.dim(1);
  for (std::int64_t i = 0; i < n; ++i) {
    float* row = w.data<float>() + i * k;
    double sum = b.data<float>()[i];
    for (std::int64_t j = 0; j < k; ++j) {
      sum += static_cast<double>(row[j]) * beta.data<float>()[j];
      row[j] *= gamma.data<float>()[j];
    }
    b.data<float>()[i] = static_cast<float>(sum);
  }
}

Tensor ByFrame(const Tensor& conv) {
  const std::int64_t d = conv.dim(0), c = conv.dim(1);
  Tensor to(DType::kF32, {d, 3 * c});
  for (std::int64_t i = 0; i < d; ++i) {
    for (std::int64_t j = 0; j < c; ++j) {
      for (std::int64_t t = 0; t < 3; ++t) {
        to.data<float>()[(i * 3 + t) * c + j] = conv.data<float>()[(i * c + j) * 3 + t];
      }
    }
  }
  return to;
}

double QueryScale(bool fused_attention, const EncoderShape& shape) {
  const std::int64_t width = shape.d / shape.heads;
  const double root = std::sqrt(static_cast<double>(width));
  return fused_attention ? kernels::AttentionScale(root) : 1 / root;
}

std::vector<device::Instruction> WithPitch(std::vector<device::Instruction> stream, std::size_t n,
                                           std::size_t b_pitch, std::size_t c_pitch) {
  constexpr std::size_t kBytes = 2;
  for (device::Instruction& instruction : stream) {
    auto* d = std::get_if<device::WriteDescriptor>(&instruction);
    if (d == nullptr || d->argument == 0) continue;
    const std::size_t pitch = d->argument == 1 ? b_pitch : c_pitch;
    const std::size_t row = d->offset / kBytes / n, col = d->offset / kBytes % n;
    d->offset = (row * pitch + col) * kBytes;
    // All but the last dimension, which is within a row, go from row to row.
    for (std::size_t i = 0; i + 1 < d->pattern.dims.size(); ++i) {
      d->pattern.dims[i].step = d->pattern.dims[i].step / n * pitch;
    }
  }
  return stream;
}

}  // namespace xdna::encoder
