// The design of passthrough: words in and out in ping-pong; a vector is 8 words, so two of 16 lanes
// each.
#ifndef KERNELS_PASSTHROUGH_PASSTHROUGH_DESIGN_H_
#define KERNELS_PASSTHROUGH_PASSTHROUGH_DESIGN_H_

#include <cstddef>

#include "kernels/common/row_design.h"

namespace xdna::kernels {

// passthrough_words.
inline Design PassthroughDesign(std::size_t words,
                                CodeGenerator generator = CodeGenerator::kChess) {
  return RowDesign("passthrough", {"passthrough_words", {words}},
                   {Stream("x", true, 0, 4 * words), Stream("y", false, 0, 4 * words)}, {},
                   generator);
}

}  // namespace xdna::kernels

#endif  // KERNELS_PASSTHROUGH_PASSTHROUGH_DESIGN_H_
