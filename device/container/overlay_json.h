// Overlays as JSON text, which is what the container of a simulated overlay holds.
#ifndef DEVICE_CONTAINER_OVERLAY_JSON_H_
#define DEVICE_CONTAINER_OVERLAY_JSON_H_

#include <string>
#include <string_view>

#include "device/array/overlay.h"

namespace xdna::device {

// The format's version; another one is refused.
inline constexpr int kOverlayVersion = 2;

// The overlay with its kernels (kernel_set.h). Throws as KernelsOf() does.
std::string EncodeOverlay(const Overlay& overlay);
// Strict: a missing, unknown or wrongly typed field, or kernels that are not those that the cores
// call, throws kCorrupt, named ("overlay.buffers[3].bytes: ..."). Does not check what the other
// fields say: CheckOverlay() does.
Overlay DecodeOverlay(std::string_view text);

}  // namespace xdna::device

#endif  // DEVICE_CONTAINER_OVERLAY_JSON_H_
