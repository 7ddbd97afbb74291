// The design of softmax: rows of x and y in ping-pong; the exp tables twice each, for the fourfold
// gather.
#ifndef KERNELS_SOFTMAX_SOFTMAX_DESIGN_H_
#define KERNELS_SOFTMAX_SOFTMAX_DESIGN_H_

#include <cstddef>

#include "kernels/common/row_design.h"

namespace xdna::kernels {

// softmax_bf16.
inline Design SoftmaxDesign(std::size_t rows, std::size_t width,
                            CodeGenerator generator = CodeGenerator::kChess) {
  return RowDesign(
      "softmax", {"softmax_bf16", {rows, width, width}},
      {Stream("x", true, 0, 2 * rows * width), Stream("y", false, 0, 2 * rows * width)},
      {{"exp tables", 4096}}, generator);
}

// softmax_stock_bf16.
inline Design SoftmaxStockDesign(std::size_t rows, std::size_t width,
                                 CodeGenerator generator = CodeGenerator::kChess) {
  return RowDesign(
      "softmax stock", {"softmax_stock_bf16", {rows, width, width}},
      {Stream("x", true, 0, 2 * rows * width), Stream("y", false, 0, 2 * rows * width)},
      {{"exp tables", 4096}}, generator);
}

}  // namespace xdna::kernels

#endif  // KERNELS_SOFTMAX_SOFTMAX_DESIGN_H_
