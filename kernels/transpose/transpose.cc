#include "kernels/transpose/transpose.h"

#include <aie_api/aie.hpp>

namespace {

constexpr int32 kSide = 16;

// Zipping row i with row i + 8 moves one bit of the row number to the lowest of the lane number;
// four rounds exchange all four.
template <typename T>
void Square(const T* __restrict x, T* __restrict y, int32 rows, int32 cols) {
  aie::vector<T, 16> v[16];
  for (int32 i = 0; i < kSide; ++i) v[i] = aie::load_v<16>(x + i * cols);
  for (int32 round = 0; round < 4; ++round) {
    aie::vector<T, 16> next[16];
    for (int32 i = 0; i < kSide / 2; ++i) {
      const auto zipped = aie::interleave_zip(v[i], v[i + kSide / 2], 1);
      next[2 * i] = zipped.first;
      next[2 * i + 1] = zipped.second;
    }
    for (int32 i = 0; i < kSide; ++i) v[i] = next[i];
  }
  for (int32 i = 0; i < kSide; ++i) aie::store_v(y + i * rows, v[i]);
}

template <typename T>
void Transpose(const T* x, T* y, int32 rows, int32 cols) {
  event0();
  for (int32 i = 0; i < rows; i += kSide) chess_loop_range(0, ) {
      for (int32 j = 0; j < cols; j += kSide) chess_prepare_for_pipelining {
          Square(x + i * cols + j, y + j * rows + i, rows, cols);
        }
    }
  event1();
}

}  // namespace

TILE_FUNCTIONS_BEGIN

void transpose_bf16(const bfloat16* x, bfloat16* y, int32 rows, int32 cols) {
  Transpose(x, y, rows, cols);
}

void transpose_int8(const int8* x, int8* y, int32 rows, int32 cols) { Transpose(x, y, rows, cols); }

TILE_FUNCTIONS_END
