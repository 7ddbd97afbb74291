// The design of convert: n values of f32 and bf16 in ping-pong.
#ifndef KERNELS_CONVERT_CONVERT_DESIGN_H_
#define KERNELS_CONVERT_CONVERT_DESIGN_H_

#include <cstddef>

#include "kernels/common/row_design.h"

namespace xdna::kernels {

// convert_f32_bf16.
inline Design ConvertToBf16Design(std::size_t n, CodeGenerator generator = CodeGenerator::kChess) {
  return RowDesign("convert f32 bf16", {"convert_f32_bf16", {n, 12}},
                   {Stream("x", true, 0, 4 * n), Stream("y", false, 0, 2 * n)}, {}, generator);
}

// convert_bf16_f32.
inline Design ConvertToF32Design(std::size_t n, CodeGenerator generator = CodeGenerator::kChess) {
  return RowDesign("convert bf16 f32", {"convert_bf16_f32", {n}},
                   {Stream("x", true, 0, 2 * n), Stream("y", false, 0, 4 * n)}, {}, generator);
}

}  // namespace xdna::kernels

#endif  // KERNELS_CONVERT_CONVERT_DESIGN_H_
