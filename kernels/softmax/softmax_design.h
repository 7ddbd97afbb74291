// The design of softmax: rows of x and y in ping-pong; the exp tables twice each, for the fourfold
// gather.
#ifndef KERNELS_SOFTMAX_SOFTMAX_DESIGN_H_
#define KERNELS_SOFTMAX_SOFTMAX_DESIGN_H_

#include <cstddef>

#include "kernels/common/row_design.h"

namespace xdna::kernels {

// softmax_bf16.
inline Design SoftmaxDesign(std::size_t rows, std::size_t width) {
  return RowDesign(
      "softmax", rows, width,
      {Stream("x", true, 0, 2 * rows * width), Stream("y", false, 0, 2 * rows * width)},
      {{"exp tables", 4096}}, {{18, 26, 0}, {35, 0, 0}});
}

// softmax_stock_bf16.
inline Design SoftmaxStockDesign(std::size_t rows, std::size_t width) {
  return RowDesign(
      "softmax stock", rows, width,
      {Stream("x", true, 0, 2 * rows * width), Stream("y", false, 0, 2 * rows * width)},
      {{"exp tables", 4096}}, {{12, 9, 0}, {34, 0, 0}});
}

}  // namespace xdna::kernels

#endif  // KERNELS_SOFTMAX_SOFTMAX_DESIGN_H_
