// The instruction streams of products, and what their buffers hold.
#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernels/array/gemm.h"
#include "kernels/array/gemm_layout.h"
#include "kernels/array/tiles.h"

namespace xdna::kernels {
namespace {

using device::Instruction;
using device::Pattern;
using gemm_layout::BObjectBytes;
using gemm_layout::GroupBytes;
using gemm_layout::InBytes;
using gemm_layout::kGelu;
using gemm_layout::kGoLock;
using gemm_layout::KMem;
using gemm_layout::kR;
using gemm_layout::kS;
using gemm_layout::kScaleBytes;
using gemm_layout::kSteps;
using gemm_layout::kSumBytes;
using gemm_layout::kTiles;
using gemm_layout::kWord;
using gemm_layout::RowsPerColumn;
using gemm_layout::T;

// The instruction stream of one problem, block of rows by block of rows.
class Stream {
 public:
  Stream(const GemmConfig& config, const GemmProblem& problem)
      : c_(config), p_(Padded(config, problem)), blocks_(p_.n / (c_.n * c_.columns)) {
    if (blocks_ > device::kIterationMax) {
      Throw(ErrorCode::kUnsupported, "gemm: {} blocks of {} columns > {} iterations of a shim",
            blocks_, c_.n * c_.columns, device::kIterationMax);
    }
    const bool keeps_a = c_.a_times > 1, keeps_b = c_.b_times > 1;
    const std::size_t kept = KMem(c_) * c_.b_panels;
    if ((keeps_a || keeps_b) && (p_.k != kept || blocks_ % c_.a_times != 0)) {
      Throw(ErrorCode::kUnsupported,
            "gemm: {} deep and {} blocks of columns; memory tiles keep {} for {} blocks", p_.k,
            blocks_, kept, c_.a_times);
    }
  }

  std::vector<Instruction> Make() {
    SetParameters();
    const std::size_t rows = p_.m / (c_.m * kRows);
    const std::size_t parts = c_.b_times > 1 ? rows / c_.b_times * blocks_ : rows;
    for (std::size_t i = 0; i < parts; ++i) {
      // Two parts are on their way: the descriptors of the one before them are free.
      if (i >= 2) Wait();
      const auto odd = static_cast<unsigned>(i % 2);
      const Part part = c_.b_times > 1
                            ? Part{i / blocks_ * c_.b_times, c_.b_times, i % blocks_, 1, odd}
                            : Part{i, 1, 0, blocks_, odd};
      for (std::size_t col = 0; col < c_.columns; ++col) PushPart(part, col);
    }
    for (std::size_t i = 0; i < std::min<std::size_t>(parts, 2); ++i) Wait();
    return std::move(out_);
  }

 private:
  void SetParameters() {
    const auto tiles = static_cast<std::int32_t>(p_.m / (c_.m * kRows) * blocks_);
    const auto steps = static_cast<std::int32_t>(p_.k / c_.k);
    for (std::size_t col = 0; col < c_.columns; ++col) {
      for (std::size_t row = 0; row < kRows; ++row) {
        out_.emplace_back(device::WriteRtp{Core(col, row), kTiles, tiles});
        out_.emplace_back(device::WriteRtp{Core(col, row), kSteps, steps});
        if (c_.gelu_rtp) {
          out_.emplace_back(device::WriteRtp{Core(col, row), kGelu, p_.gelu ? 1 : 0});
        }
        out_.emplace_back(device::SetLock{Core(col, row), kGoLock, 1});
      }
    }
  }

  void Wait() {
    for (std::size_t col = 0; col < c_.columns; ++col) {
      out_.emplace_back(device::WaitToken{static_cast<int>(col), false, 0});
    }
  }

  // Blocks of rows and of columns, one of either, that one task of each stream is about.
  struct Part {
    std::size_t row, rows, block, blocks;
    unsigned odd;
  };

  // Rows of a scaled A lie in groups of four, [p.k / k] steps of each with their scales.
  void PushA(const Part& part, std::size_t col) {
    const std::size_t in = c_.scaled ? kWord : InBytes(c_);
    const std::size_t unit = c_.scaled ? kR : 1;  // rows that lie together
    const std::size_t pitch = c_.scaled ? p_.k / c_.k * GroupBytes(c_) / kWord : p_.a_stride;
    const std::size_t panel = c_.scaled ? KMem(c_) / c_.k * GroupBytes(c_) / kWord : KMem(c_);
    const std::size_t panels = p_.k / KMem(c_), block_rows = c_.m * kRows / unit;
    const std::size_t my_rows = c_.m * RowsPerColumn(c_) / unit;
    Pattern a{.element_bytes = static_cast<unsigned>(in),
              .dims = {{panels, panel}, {my_rows, pitch}, {panel, 1}}};
    PushBlocks(col, true, 0, a,
               part.rows > 1 ? device::Dim{part.rows, block_rows * pitch}
                             : device::Dim{part.blocks / c_.a_times, 0},
               {.id = part.odd,
                .argument = 0,
                .offset = (part.row * block_rows + col * my_rows) * pitch * in,
                .bytes = my_rows * panels * panel * in});
  }

  // Descriptors 0 to 5 of a column: A, B and C of even and odd parts.
  void PushPart(const Part& part, std::size_t col) {
    const std::size_t block_rows = c_.m * kRows;
    PushA(part, col);
    PushB(part, col);
    Pattern c{.element_bytes = static_cast<unsigned>(c_.out_bytes),
              .dims = {{block_rows, p_.n}, {c_.n, 1}}};
    PushBlocks(col, false, 0, c,
               part.rows > 1 ? device::Dim{part.rows, block_rows * p_.n}
                             : device::Dim{part.blocks, c_.columns * c_.n},
               {.id = 4 + part.odd,
                .argument = 2,
                .offset = (part.row * block_rows * p_.n + Column(part, col)) * c_.out_bytes,
                .bytes = block_rows * c_.n * c_.out_bytes});
  }

  // Of C, where the part starts.
  std::size_t Column(const Part& part, std::size_t col) const {
    return (part.block * c_.columns + col) * c_.n;
  }

  void PushB(const Part& part, std::size_t col) {
    const std::size_t in = InBytes(c_), k_mem = KMem(c_);
    const unsigned id = 2 + part.odd;
    if (c_.packed_b) {
      const std::size_t panel = p_.k / c_.k * BObjectBytes(c_);
      PushBlocks(
          col, true, 1, {.element_bytes = 4}, {part.blocks, c_.columns * panel / 4},
          {.id = id, .argument = 1, .offset = Column(part, col) / c_.n * panel, .bytes = panel});
      return;
    }
    Pattern b{.element_bytes = static_cast<unsigned>(in),
              .dims = {{p_.k / k_mem, k_mem * p_.n}, {k_mem, p_.n}, {c_.n, 1}}};
    PushBlocks(
        col, true, 1, b, {part.blocks, c_.columns * c_.n},
        {.id = id, .argument = 1, .offset = Column(part, col) * in, .bytes = p_.k * c_.n * in});
  }

  // A descriptor and its task, whose iterations are blocks of columns.
  void PushBlocks(std::size_t col, bool sends, unsigned channel, Pattern pattern,
                  device::Dim iteration, device::WriteDescriptor descriptor) {
    pattern.iteration = iteration;
    Push(out_, "gemm", {col, sends, channel, std::move(pattern), iteration.count},
         std::move(descriptor));
  }

  GemmConfig c_;
  GemmProblem p_;
  std::size_t blocks_;  // of columns * n
  std::vector<Instruction> out_;
};

}  // namespace

GemmProblem Padded(const GemmConfig& c, const GemmProblem& p) {
  const std::size_t k = UpTo(p.k, KMem(c) * c.b_panels);
  return {UpTo(p.m, c.m * kRows * c.b_times), k, UpTo(p.n, c.n * c.columns),
          p.a_stride != 0 ? p.a_stride : k, p.gelu};
}

std::vector<Instruction> GemmInstructions(const GemmConfig& config, const GemmProblem& problem) {
  return Stream(config, problem).Make();
}

GemmBytes GemmBufferBytes(const GemmConfig& c, const GemmProblem& problem) {
  const GemmProblem p = Padded(c, problem);
  const std::size_t a = c.scaled ? p.m / kR * (p.k / c.k) * GroupBytes(c)
                                 : ((p.m - 1) * p.a_stride + p.k) * InBytes(c);
  return {a, p.k / c.k * (p.n / c.n) * BObjectBytes(c), p.m * p.n * c.out_bytes};
}

std::vector<std::byte> PackGemmB(const GemmConfig& c, const GemmProblem& problem, const void* b,
                                 const void* bias, const float* column_scales) {
  const GemmProblem p = Padded(c, problem);
  const std::size_t bytes = InBytes(c), t = T(c);
  std::vector<std::byte> packed(GemmBufferBytes(c, problem).b);
  const auto* from = static_cast<const std::byte*>(b);
  std::byte* to = packed.data();
  for (std::size_t col = 0; col < p.n; col += c.n) {
    for (std::size_t step = 0; step < p.k; step += c.k) {
      for (std::size_t at = 0; at < c.k * c.n; ++at) {
        const std::size_t block = at / (kS * t), in_block = at % (kS * t);
        const std::size_t i = step + block / (c.n / t) * kS + in_block / t;
        const std::size_t j = col + block % (c.n / t) * t + in_block % t;
        if (i < problem.k && j < problem.n) {
          std::memcpy(to + at * bytes, from + (i * problem.n + j) * bytes, bytes);
        }
      }
      to += c.k * c.n * bytes;
      if (bias != nullptr && col < problem.n) {
        std::memcpy(to, static_cast<const std::byte*>(bias) + col * kSumBytes,
                    std::min(c.n, problem.n - col) * kSumBytes);
      }
      to += c.n * kSumBytes;
      if (!c.scaled) continue;
      if (column_scales != nullptr && col < problem.n) {
        std::memcpy(to, column_scales + col, std::min(c.n, problem.n - col) * kScaleBytes);
      }
      to += c.n * kScaleBytes;
    }
  }
  return packed;
}

}  // namespace xdna::kernels
