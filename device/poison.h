// What memory holds that a device should have written and has not.
#ifndef DEVICE_POISON_H_
#define DEVICE_POISON_H_

#include <cstdint>

namespace xdna::device {

// A NaN as f32 and as bf16 in either half; -5898331 as int32.
inline constexpr std::uint32_t kPoison = 0xFFA5FFA5;

}  // namespace xdna::device

#endif  // DEVICE_POISON_H_
