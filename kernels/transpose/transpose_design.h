// The design of transpose: a block of a matrix in ping-pong, and its transpose. The memory tile
// cuts the block out and puts the transpose into place.
#ifndef KERNELS_TRANSPOSE_TRANSPOSE_DESIGN_H_
#define KERNELS_TRANSPOSE_TRANSPOSE_DESIGN_H_

#include <cstddef>

#include "kernels/common/row_design.h"

namespace xdna::kernels {

// A block of rows x cols, multiples of 16, of a matrix of matrix_rows x matrix_cols.
struct TransposeConfig {
  std::size_t rows, cols;
  std::size_t matrix_rows, matrix_cols;
  std::size_t element_bytes = 2;  // 2: transpose_bf16, 1: transpose_int8
};

inline Design TransposeDesign(const TransposeConfig& c,
                              CodeGenerator generator = CodeGenerator::kChess) {
  const auto block = [&c](std::size_t rows, std::size_t cols, std::size_t step, bool in) {
    Fifo fifo = Stream(in ? "x" : "y", in, 0, rows * cols * c.element_bytes);
    fifo.patterns = {{.engine = Engine::kMem,
                      .sends = in,
                      .element_bytes = static_cast<unsigned>(c.element_bytes),
                      .dims = {{rows, step}, {cols, 1}}}};
    return fifo;
  };
  return RowDesign(
      "transpose", {c.element_bytes == 1 ? "transpose_int8" : "transpose_bf16", {c.rows, c.cols}},
      {block(c.rows, c.cols, c.matrix_cols, true), block(c.cols, c.rows, c.matrix_rows, false)}, {},
      generator);
}

}  // namespace xdna::kernels

#endif  // KERNELS_TRANSPOSE_TRANSPOSE_DESIGN_H_
