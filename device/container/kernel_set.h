// The kernels that an overlay's cores call.
#ifndef DEVICE_CONTAINER_KERNEL_SET_H_
#define DEVICE_CONTAINER_KERNEL_SET_H_

#include <string>
#include <vector>

#include "device/array/overlay.h"

namespace xdna::device {

// A kernel, with how many of each its calls pass.
struct KernelUse {
  std::string name;
  unsigned pointers = 0;
  unsigned numbers = 0;

  bool operator==(const KernelUse&) const = default;
};

// Each kernel once, by name, alternatives included. Throws kInvalidArgument where two calls of a
// kernel differ in their arguments' kinds.
std::vector<KernelUse> KernelsOf(const Overlay& overlay);

}  // namespace xdna::device

#endif  // DEVICE_CONTAINER_KERNEL_SET_H_
