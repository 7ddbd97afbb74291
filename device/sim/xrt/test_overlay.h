// The smallest overlay that moves data: buffer 0 through a memory tile to buffer 1. For tests.
#ifndef DEVICE_SIM_XRT_TEST_OVERLAY_H_
#define DEVICE_SIM_XRT_TEST_OVERLAY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "device/array/instructions.h"
#include "device/array/overlay.h"

namespace xdna::device {

inline constexpr std::size_t kTestBlockBytes = 1024;

// `name` makes it another xclbin. Without its release the memory tile's send is never due: a
// deadlock.
Overlay CopyOverlay(const std::string& name, bool release = true);
// Copies `bytes`, a multiple of kTestBlockBytes.
std::vector<std::uint32_t> CopyInstructions(std::size_t bytes);

}  // namespace xdna::device

#endif  // DEVICE_SIM_XRT_TEST_OVERLAY_H_
