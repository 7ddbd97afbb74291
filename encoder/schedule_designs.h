// Designs of a schedule for a width: its tiles, or the largest below them that divide the width and
// fit the array.
#ifndef ENCODER_SCHEDULE_DESIGNS_H_
#define ENCODER_SCHEDULE_DESIGNS_H_

#include <cstddef>
#include <cstdint>

#include "encoder/schedule.h"
#include "kernels/array/gemm.h"

namespace xdna::encoder {

// Of products with packed weights, with the deepest panels that memory tiles hold: on fewer columns
// each serves more rows of cores. Throws kUnsupported, with the reason, where none fits.
kernels::GemmConfig ProductOf(const Schedule& schedule, std::int64_t width);

// Rows of a call of add_norm, at most 4: wide rows fill the tile sooner. Throws kUnsupported,
// with the reason, where not even one fits.
std::size_t AddNormRows(const Schedule& schedule, std::int64_t width);

}  // namespace xdna::encoder

#endif  // ENCODER_SCHEDULE_DESIGNS_H_
