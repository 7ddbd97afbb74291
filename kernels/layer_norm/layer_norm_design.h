// The design of layer_norm: rows of x and y in ping-pong; gamma and beta come once.
#ifndef KERNELS_LAYER_NORM_LAYER_NORM_DESIGN_H_
#define KERNELS_LAYER_NORM_LAYER_NORM_DESIGN_H_

#include <cstddef>

#include "kernels/common/row_design.h"

namespace xdna::kernels {

// layer_norm_bf16.
inline Design LayerNormDesign(std::size_t rows, std::size_t width,
                              CodeGenerator generator = CodeGenerator::kChess) {
  return RowDesign(
      "layer_norm", {"layer_norm_bf16", {rows, width}},
      {Stream("x", true, 0, 2 * rows * width), Stream("gamma, beta", true, 1, 4 * width, 1),
       Stream("y", false, 0, 2 * rows * width)},
      {}, generator);
}

// layer_norm_folded_bf16.
inline Design LayerNormFoldedDesign(std::size_t rows, std::size_t width,
                                    CodeGenerator generator = CodeGenerator::kChess) {
  return RowDesign(
      "layer_norm folded", {"layer_norm_folded_bf16", {rows, width}},
      {Stream("x", true, 0, 2 * rows * width), Stream("y", false, 0, 2 * rows * width)}, {},
      generator);
}

}  // namespace xdna::kernels

#endif  // KERNELS_LAYER_NORM_LAYER_NORM_DESIGN_H_
