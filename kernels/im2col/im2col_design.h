// The design of im2col: the frames of a call and its rows in ping-pong; neighbouring calls share
// two frames (stride 1) or one (stride 2), which come twice.
#ifndef KERNELS_IM2COL_IM2COL_DESIGN_H_
#define KERNELS_IM2COL_IM2COL_DESIGN_H_

#include <cstddef>

#include "kernels/common/row_design.h"

namespace xdna::kernels {

// im2col_bf16 for `outputs` (1 or more) rows of 3 channels; all frames inside the sequence.
inline Design Im2colDesign(std::size_t channels, std::size_t outputs, std::size_t stride,
                           CodeGenerator generator = CodeGenerator::kChess) {
  constexpr std::size_t kWindowBytes = 24;  // Im2colWindow
  const std::size_t frames = stride * (outputs - 1) + 3;
  return RowDesign("im2col", {"im2col_bf16", {channels, outputs}},
                   {Stream("frames", true, 0, 2 * frames * channels),
                    Stream("rows", false, 0, 2 * outputs * 3 * channels)},
                   {{"window", kWindowBytes}}, generator);
}

}  // namespace xdna::kernels

#endif  // KERNELS_IM2COL_IM2COL_DESIGN_H_
