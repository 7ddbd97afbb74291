// The designs that a schedule with int8 products shares one context among: contexts of their own
// would cost more switches than int8 saves.
#ifndef ENCODER_INT8_DESIGNS_H_
#define ENCODER_INT8_DESIGNS_H_

#include <cstdint>

#include "device/array/overlay.h"
#include "encoder/schedule.h"
#include "kernels/array/gemm.h"
#include "kernels/array/scaled_gemm.h"

namespace xdna::encoder {

// Configurations of the overlay, by their number in the instruction stream.
enum class SharedDesign : unsigned { kProduct, kInt8Product, kQuantize, kAddNorm };

// Scaled products of layers `width` wide: the bf16 product's tile, twice as deep, in as many bytes.
kernels::GemmConfig Int8ProductOf(const Schedule& schedule, std::int64_t width);
// Of activations `row_width` wide: `width`, or four times that.
kernels::QuantizeConfig QuantizeOf(const Schedule& schedule, std::int64_t width,
                                   std::int64_t row_width);

// All of them. Throws kUnsupported or kInvalidArgument, with the reason, where one doesn't fit.
device::Overlay SharedOverlay(const Schedule& schedule, std::int64_t width);

}  // namespace xdna::encoder

#endif  // ENCODER_INT8_DESIGNS_H_
