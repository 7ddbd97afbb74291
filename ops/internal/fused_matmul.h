// y = f(x W^T + b) in one pass: a tile of sums goes from the registers through a buffer in L1 to
// its place in y, with everything done to it on the way. W is packed once.
//
// Own code beside oneDNN because oneDNN 2.6.3 has no fast GELU, no dequantisation by row,
// and waits for the y that it adds to. Measured on one core of Zen 5 through ops::Linear
// at Whisper base's shapes, best times of pieces of 125 rows summed, oneDNN's with its
// epilogue and ours taken in turns (2026-11-24); of the machine's peak, and oneDNN's time
// over ours:
//
//           qkv           out           fc1, GELU     fc2
//   f32     95 %  1.00    95 %  1.12    88 %  1.01    94 %  1.04
//   bf16    97 %  1.01    92 %  1.20    90 %  1.18    94 %  1.06
//   int8    89 %  1.19    80 %  1.11    80 %  1.36    83 %  1.02   with quantising x
//
// At the levels below that, where oneDNN has no int8 and no bf16, or emulates it at a third of
// f32's speed: the time of oneDNN's f32 at the same level, without GELU, over ours, on the same
// core (2026-11-24):
//
//                                    qkv    out    fc1, GELU  fc2
//   AVX-512   bf16 widened to f32    0.98   0.95   0.94       0.99
//             int8 by vpdpbusd       3.6    3.8    3.1        4.0    without quantising x
//             int8 by vpmaddwd       1.6    1.6    1.5        1.7
//   AVX2      f32                    1.13   1.18   1.66       1.14   without GELU
//             bf16 widened to f32    1.13   1.15   1.59       1.11
//             int8 by vpmaddwd       1.9    2.0    2.6        1.9
//   portable  bf16 widened to f32    0.77   0.79   0.71       0.76   oneDNN has SSE4.1
//             int8 by pmaddwd        1.7    1.8    1.3        1.8
//
// AMX's was only ever run by an emulation of its instructions.
#ifndef OPS_INTERNAL_FUSED_MATMUL_H_
#define OPS_INTERNAL_FUSED_MATMUL_H_

#include <cstdint>
#include <string>

#include "base/tensor.h"

namespace xdna::ops {

struct FusedMatmulKernel;  // ops/internal/fused_matmul_kernel.h

struct FusedMatmulSpec {
  std::int64_t k = 0;
  std::int64_t n = 0;
  DType in = DType::kF32;   // f32, bf16, or u8 with weights in i8
  DType out = DType::kF32;  // f32 or bf16
  bool gelu = false;
  bool accumulate = false;  // y +=: f32 and no gelu
};

// What turns sums of u8 x i8 into numbers, for RowMap too: x is (q - zero) * scale by
// row, W is q * scale by column.
struct Dequantization {
  const float* row_scales = nullptr;
  const std::int32_t* row_zeros = nullptr;
  const float* column_scales = nullptr;
  const std::int32_t* column_sums = nullptr;  // of W's integers, over k
};

class FusedMatmul {
 public:
  // Beside what oneDNN has on this machine, which may be nothing. Unknown for bf16 and int8 where
  // there is AMX: that has to be measured. Where it is slower, it may not be made.
  enum class Standing : std::uint8_t { kSlower, kFaster, kUnknown };
  static Standing StandingOf(DType in, std::int64_t k);
  static bool Usable(DType in, std::int64_t k) { return StandingOf(in, k) == Standing::kFaster; }

  // `weight` [n,k] of spec.in (i8 for u8), contiguous; copied.
  FusedMatmul(const TensorView& weight, const FusedMatmulSpec& spec);
  // With a kernel of one's own choice, which outlives this.
  FusedMatmul(const TensorView& weight, const FusedMatmulSpec& spec,
              const FusedMatmulKernel& kernel);

  // x [rows,k] and y [rows,n], contiguous; `bias` [n] or null. `dequantization` is read
  // for u8 only. Safe to call from many threads. In bf16, GELU's error is at most 4e-4.
  void Run(const void* x, std::int64_t rows, const float* bias,
           const Dequantization& dequantization, void* y) const;

  std::string description() const;  // "own vdpbf16ps, 6x64"

 private:
  void Pack(const TensorView& weight);

  FusedMatmulSpec spec_;
  const FusedMatmulKernel& kernel_;
  Tensor packed_;  // panel after panel
};

}  // namespace xdna::ops

#endif  // OPS_INTERNAL_FUSED_MATMUL_H_
