// The design of quantize: rows of x and q in ping-pong, the scales on a channel of their own.
#ifndef KERNELS_QUANTIZE_QUANTIZE_DESIGN_H_
#define KERNELS_QUANTIZE_QUANTIZE_DESIGN_H_

#include <cstddef>

#include "kernels/common/row_design.h"

namespace xdna::kernels {

// quantize_rows_bf16.
inline Design QuantizeRowsDesign(std::size_t rows, std::size_t width,
                                 CodeGenerator generator = CodeGenerator::kChess) {
  return RowDesign("quantize rows", {"quantize_rows_bf16", {rows, width}},
                   {Stream("x", true, 0, 2 * rows * width), Stream("q", false, 0, rows * width),
                    Stream("scale", false, 1, 4 * rows)},
                   {}, generator);
}

}  // namespace xdna::kernels

#endif  // KERNELS_QUANTIZE_QUANTIZE_DESIGN_H_
