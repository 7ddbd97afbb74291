#include "kernels/npu/bulk.h"

#include <aie_api/aie.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/aie/exact_matmul.h"
#include "kernels/quantize/quantize.h"

namespace xdna::kernels {
namespace {

// Blocks of kR x kT to rows, or back.
template <std::size_t kR, std::size_t kT, bool kToRows, typename T>
void Reorder(T* blocks, T* rows, std::size_t height, std::size_t width) {
  for (std::size_t i = 0; i < height; i += kR) {
    for (std::size_t j = 0; j < width; j += kT) {
      for (std::size_t r = 0; r < kR; ++r, blocks += kT) {
        T* row = rows + (i + r) * width + j;
        if constexpr (kToRows) {
          std::memcpy(row, blocks, kT * sizeof(T));
        } else {
          std::memcpy(blocks, row, kT * sizeof(T));
        }
      }
    }
  }
}

// The product of `multiply` over row-major copies.
template <std::size_t kT, typename In, typename Sum, typename F>
void Bulk(const In* a, const In* b, Sum* c, int32 m, int32 k, int32 n, bool first, F multiply) {
  const auto rows = static_cast<std::size_t>(m), depth = static_cast<std::size_t>(k),
             cols = static_cast<std::size_t>(n);
  thread_local std::vector<In> a_rows, b_rows;
  thread_local std::vector<Sum> c_rows;
  a_rows.resize(rows * depth);
  b_rows.resize(depth * cols);
  c_rows.assign(rows * cols, Sum{});
  Reorder<4, 8, true>(const_cast<In*>(a), a_rows.data(), rows, depth);
  Reorder<8, kT, true>(const_cast<In*>(b), b_rows.data(), depth, cols);
  if (!first) Reorder<4, kT, true>(c, c_rows.data(), rows, cols);
  multiply(MatmulShape{rows, depth, cols, depth, cols, cols}, a_rows.data(), b_rows.data(),
           c_rows.data());
  Reorder<4, kT, false>(c, c_rows.data(), rows, cols);
}

}  // namespace

void BulkMatmulBf16(const bfloat16* a, const bfloat16* b, float* c, int32 m, int32 k, int32 n,
                    int32 first) {
  static_assert(sizeof(bfloat16) == sizeof(std::uint16_t));
  Bulk<4>(reinterpret_cast<const std::uint16_t*>(a), reinterpret_cast<const std::uint16_t*>(b), c,
          m, k, n, first != 0, MacMatrixBf16);
}

void BulkMatmulInt8(const int8* a, const int8* b, int32* c, int32 m, int32 k, int32 n,
                    int32 first) {
  Bulk<8>(a, b, c, m, k, n, first != 0, MacMatrixInt8);
  // What the tile's kernel leaves set.
  aie::set_saturation(aie::saturation_mode::none);
}

void BulkMatmulScaledInt8(const int8* a, const int8* b, int32* c, int32 m, int32 k, int32 n,
                          int32 first) {
  const auto group = static_cast<std::size_t>(4 * k), groups = static_cast<std::size_t>(m) / 4;
  const auto part = static_cast<std::size_t>(QuantizedPart(k));
  thread_local std::vector<int8> plain;
  plain.resize(groups * group);
  for (std::size_t i = 0; i < groups; ++i) {
    std::memcpy(plain.data() + i * group, a + i * part, group);
  }
  BulkMatmulInt8(plain.data(), b, c, m, k, n, first);
}

}  // namespace xdna::kernels
