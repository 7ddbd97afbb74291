#include "device/array/pattern.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

namespace xdna::device {
namespace {

constexpr std::size_t kWordBytes = 4;

template <typename... Args>
Fit No(fmt::format_string<Args...> format, Args&&... args) {
  return {false, fmt::format(format, std::forward<Args>(args)...)};
}

// Whether dims walk memory in order, so that a descriptor needs a length and no dimension.
bool IsLinear(const std::vector<Dim>& dims) {
  std::size_t run = 1;
  for (std::size_t i = dims.size(); i-- > 0;) {
    if (dims[i].zeros_before != 0 || dims[i].zeros_after != 0) return false;
    if (dims[i].count != 1 && dims[i].step != run) return false;
    run *= dims[i].count;
  }
  return true;
}

Fit CheckGranularity(const Pattern& p) {
  const std::size_t bytes = p.element_bytes;
  if (bytes == 0) return No("elements of 0 bytes");
  if (bytes >= kWordBytes) {
    if (bytes % kWordBytes == 0) return {};
    return No("elements of {} bytes are no whole 32-bit words", bytes);
  }
  if (p.dims.empty()) return {};
  const Dim& inner = p.dims.back();
  if (inner.step != 1) {
    return No("the innermost step is {} elements of {} bytes, and the DMA moves 32-bit words",
              inner.step, bytes);
  }
  if (inner.count * bytes % kWordBytes != 0) {
    return No("the innermost run of {} * {} = {} bytes is no multiple of 4", inner.count, bytes,
              inner.count * bytes);
  }
  for (std::size_t i = 0; i + 1 < p.dims.size(); ++i) {
    if (p.dims[i].step * bytes % kWordBytes != 0) {
      return No("step {} * {} = {} bytes is no multiple of 4", p.dims[i].step, bytes,
                p.dims[i].step * bytes);
    }
  }
  if (inner.zeros_before * bytes % kWordBytes != 0 || inner.zeros_after * bytes % kWordBytes != 0) {
    return No("zeros of {} and {} elements of {} bytes are no whole 32-bit words",
              inner.zeros_before, inner.zeros_after, bytes);
  }
  return {};
}

// Steps and counts of one dimension in words; `inner` counts the run's words.
Dim InWords(const Dim& dim, bool inner, std::size_t element_bytes) {
  Dim words = dim;
  if (element_bytes >= kWordBytes) {
    words.step = dim.step * (element_bytes / kWordBytes);
  } else if (inner) {
    words.count = dim.count * element_bytes / kWordBytes;
    words.zeros_before = static_cast<unsigned>(dim.zeros_before * element_bytes / kWordBytes);
    words.zeros_after = static_cast<unsigned>(dim.zeros_after * element_bytes / kWordBytes);
  } else {
    words.step = dim.step * element_bytes / kWordBytes;
  }
  return words;
}

// The dims in words, with one more where an element itself is several words.
std::vector<Dim> WordDims(const Pattern& p) {
  std::vector<Dim> dims;
  for (std::size_t i = 0; i < p.dims.size(); ++i) {
    dims.push_back(InWords(p.dims[i], i + 1 == p.dims.size(), p.element_bytes));
  }
  if (p.element_bytes > kWordBytes) dims.push_back({p.element_bytes / kWordBytes, 1});
  return dims;
}

Fit CheckZeros(const std::vector<Dim>& dims, const Pattern& p, const DmaLimits& limits) {
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const std::size_t level = dims.size() - 1 - i;  // 0 is the innermost
    const unsigned most = std::max(dims[i].zeros_before, dims[i].zeros_after);
    if (most == 0) continue;
    if (!limits.pads || !p.sends) return No("only a memory tile that sends can insert zeros");
    if (level >= std::size(kPadMax)) return No("zeros in dimension {}, beyond 2", level);
    if (most > kPadMax[level]) {
      return No("{} zeros in dimension {} > {}", most, level, kPadMax[level]);
    }
  }
  return {};
}

// The outermost dimension has no wrap: the length ends it.
Fit CheckDims(const std::vector<Dim>& dims, const DmaLimits& limits) {
  if (dims.size() > limits.dims) {
    return No("{} dimensions > {} of a {} descriptor", dims.size(), limits.dims, limits.name);
  }
  const std::size_t max_wrap = (std::size_t{1} << limits.wrap_bits) - 1;
  const std::size_t max_step = std::size_t{1} << limits.step_bits;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const std::size_t level = dims.size() - 1 - i;
    if (i > 0 && dims[i].count > max_wrap) {
      return No("wrap {} of dimension {} > {} ({} bits)", dims[i].count, level, max_wrap,
                limits.wrap_bits);
    }
    if (dims[i].step == 0) return No("a step of 0 words in dimension {}", level);
    if (dims[i].step > max_step) {
      return No("step {} words of dimension {} > {} ({} bits)", dims[i].step, level, max_step,
                limits.step_bits);
    }
  }
  return {};
}

Fit CheckIteration(const Pattern& p, const DmaLimits& limits) {
  if (p.iteration.count > kIterationMax) {
    return No("{} iterations > {}", p.iteration.count, kIterationMax);
  }
  if (p.iteration.count <= 1) return {};
  const std::size_t bytes = p.iteration.step * p.element_bytes;
  const std::size_t max_step = std::size_t{1} << limits.step_bits;
  if (bytes % kWordBytes != 0) return No("an iteration step of {} bytes", bytes);
  if (bytes / kWordBytes > max_step) {
    return No("iteration step {} words > {} ({} bits)", bytes / kWordBytes, max_step,
              limits.step_bits);
  }
  return {};
}

}  // namespace

const DmaLimits& LimitsOf(Engine engine) {
  static constexpr std::array<DmaLimits, 3> kLimits = {{
      {"core", 3, 8, 13, (1u << 14) - 1, false},
      {"memory tile", 4, 10, 17, (1u << 17) - 1, true},
      {"shim", 3, 10, 20, 0xFFFFFFFFu, false},
  }};
  return kLimits[static_cast<std::size_t>(engine)];
}

std::size_t Pattern::elements() const {
  std::size_t n = 1;
  for (const Dim& dim : dims) n *= dim.count + dim.zeros_before + dim.zeros_after;
  return n;
}

Fit Pattern::fits() const {
  const DmaLimits& limits = LimitsOf(engine);
  for (const Dim& dim : dims) {
    if (dim.count == 0) return No("a dimension of 0 elements");
  }
  if (Fit fit = CheckIteration(*this, limits); !fit) return fit;
  if (dims.empty()) return {};
  const std::uint64_t bytes = elements() * std::uint64_t{element_bytes};
  const bool linear = IsLinear(dims);
  if (!linear) {
    if (Fit fit = CheckGranularity(*this); !fit) return fit;
    const std::vector<Dim> words = WordDims(*this);
    if (Fit fit = CheckZeros(words, *this, limits); !fit) return fit;
    if (Fit fit = CheckDims(words, limits); !fit) return fit;
  } else if (bytes % kWordBytes != 0) {
    return No("{} bytes are no whole 32-bit words", bytes);
  }
  if (bytes / kWordBytes > limits.max_words) {
    return No("length {} words > {} of a {} descriptor", bytes / kWordBytes, limits.max_words,
              limits.name);
  }
  return {};
}

}  // namespace xdna::device
