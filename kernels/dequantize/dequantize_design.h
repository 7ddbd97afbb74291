// The design of dequantize: rows of x and y in ping-pong, the scales on a channel of their own.
#ifndef KERNELS_DEQUANTIZE_DEQUANTIZE_DESIGN_H_
#define KERNELS_DEQUANTIZE_DEQUANTIZE_DESIGN_H_

#include <cstddef>

#include "kernels/common/row_design.h"

namespace xdna::kernels {

// dequantize_bf16.
inline Design DequantizeDesign(std::size_t rows, std::size_t width,
                               CodeGenerator generator = CodeGenerator::kChess) {
  return RowDesign(
      "dequantize", {"dequantize_bf16", {rows, width}},
      {Stream("x", true, 0, 4 * rows * width), Stream("scales", true, 1, 4 * (rows + width)),
       Stream("y", false, 0, 2 * rows * width)},
      {}, generator);
}

}  // namespace xdna::kernels

#endif  // KERNELS_DEQUANTIZE_DEQUANTIZE_DESIGN_H_
