// The design of scale: n values of x and y in ping-pong.
#ifndef KERNELS_SCALE_SCALE_DESIGN_H_
#define KERNELS_SCALE_SCALE_DESIGN_H_

#include <cstddef>

#include "kernels/common/row_design.h"

namespace xdna::kernels {

// scale_bf16.
inline Design ScaleDesign(std::size_t n, CodeGenerator generator = CodeGenerator::kChess) {
  return RowDesign("scale", {"scale_bf16", {n}},
                   {Stream("x", true, 0, 2 * n), Stream("y", false, 0, 2 * n)}, {}, generator);
}

}  // namespace xdna::kernels

#endif  // KERNELS_SCALE_SCALE_DESIGN_H_
