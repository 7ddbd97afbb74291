// The design of add_norm: the residual stream in and out in f32, a block's output in and the next
// block's input out in bf16, all in ping-pong.
#ifndef KERNELS_ADD_NORM_ADD_NORM_DESIGN_H_
#define KERNELS_ADD_NORM_ADD_NORM_DESIGN_H_

#include <cstddef>

#include "kernels/common/row_design.h"

namespace xdna::kernels {

inline Design AddNormDesign(std::size_t rows, std::size_t width,
                            CodeGenerator generator = CodeGenerator::kChess) {
  return RowDesign(
      "add_norm", {"add_norm_f32", {rows, width}},
      {Stream("x", true, 0, 4 * rows * width), Stream("delta", true, 1, 2 * rows * width),
       Stream("sum", false, 0, 4 * rows * width), Stream("y", false, 1, 2 * rows * width)},
      {}, generator);
}

}  // namespace xdna::kernels

#endif  // KERNELS_ADD_NORM_ADD_NORM_DESIGN_H_
