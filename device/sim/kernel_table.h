// The kernels that simulated cores can call. The folder kernels/ registers them at program start
// (//kernels/npu:kernels), so that nothing here depends on what they compute.
#ifndef DEVICE_SIM_KERNEL_TABLE_H_
#define DEVICE_SIM_KERNEL_TABLE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xdna::device {

// What a core keeps between calls (rounding and saturation registers): made by the first kernel
// that runs on it, null before that.
using CoreState = std::shared_ptr<void>;

struct Kernel {
  std::string name;  // the extern "C" name
  unsigned pointers = 0;
  unsigned numbers = 0;
  // Runs it with the bits of the hardware. Memory is that of the tile (the core's copy of it),
  // aligned to 32 bytes; pointers may be null where the kernel allows it. Thread-safe for different
  // cores.
  std::function<void(CoreState& core, std::span<void* const> pointers,
                     std::span<const std::int32_t> numbers)>
      run;
  // Cycles of a call, from the slots that it issues; `codegen` is "chess" or "peano"; `nulls`:
  // which pointers are null, a bit each. Thread-safe, and cheap for numbers that were asked for
  // before.
  std::function<double(std::string_view codegen, std::span<const std::int32_t> numbers,
                       std::uint32_t nulls)>
      cycles;
};

// Throws kInvalidArgument if the name is taken.
void RegisterKernel(const Kernel& kernel);
// Throws kNotFound, naming the nearest.
const Kernel& FindKernel(std::string_view name);
std::vector<std::string> KernelNames();

}  // namespace xdna::device

#endif  // DEVICE_SIM_KERNEL_TABLE_H_
