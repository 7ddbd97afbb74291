// The design of add: both operands on channels of their own.
#ifndef KERNELS_ADD_ADD_DESIGN_H_
#define KERNELS_ADD_ADD_DESIGN_H_

#include <cstddef>

#include "kernels/common/row_design.h"

namespace xdna::kernels {

// add_bf16.
inline Design AddDesign(std::size_t n, CodeGenerator generator = CodeGenerator::kChess) {
  return RowDesign(
      "add", {"add_bf16", {n}},
      {Stream("a", true, 0, 2 * n), Stream("b", true, 1, 2 * n), Stream("y", false, 0, 2 * n)}, {},
      generator);
}

// add_residual_f32.
inline Design AddResidualDesign(std::size_t n, CodeGenerator generator = CodeGenerator::kChess) {
  return RowDesign(
      "add residual", {"add_residual_f32", {n}},
      {Stream("a", true, 0, 4 * n), Stream("b", true, 1, 2 * n), Stream("y", false, 0, 4 * n)}, {},
      generator);
}

}  // namespace xdna::kernels

#endif  // KERNELS_ADD_ADD_DESIGN_H_
