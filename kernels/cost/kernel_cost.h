// How the cost model calls a kernel in order to count what it issues. Each kernel's folder states
// its functions so, in NAME_cost.cc, which is compiled like a counting build (AIE_HOST_COUNT=1):
//
//   std::vector<KernelCost> ScaleCosts() {
//     return {{"scale_bf16", {Size("n", 16)}, [](const Arguments& a, TileMemory& tile) {
//                scale_bf16(tile.At<bfloat16>(0, a[0]), tile.At<bfloat16>(1, a[0]), 0.3F, a[0]);
//              }}};
//   }
#ifndef KERNELS_COST_KERNEL_COST_H_
#define KERNELS_COST_KERNEL_COST_H_

#include <aie_api/aie.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels/aie/slot_model/slot_model.h"

namespace xdna::kernels {

// What a kernel is called with, in the order of its parameters: the integers that say how much it
// does, and 0 or 1 for what it may leave out.
class Arguments {
 public:
  explicit Arguments(std::span<const std::int64_t> values) : values_(values) {}
  std::int32_t operator[](std::size_t i) const { return static_cast<std::int32_t>(values_[i]); }

 private:
  std::span<const std::int64_t> values_;
};

// A tile's data memory, zeros. Operands go to banks of their own, so that no two of them meet.
class TileMemory {
 public:
  // `count` elements `offset` bytes (a multiple of 32) after the start of `bank`, 0 to 3. Throws
  // kInternal where the bank ends before them.
  template <typename T>
  T* At(unsigned bank, std::int64_t count, std::int64_t offset = 0) {
    return static_cast<T*>(Bank(bank, offset, count * static_cast<std::int64_t>(sizeof(T))));
  }
  const void* bytes() const { return bytes_; }

 private:
  void* Bank(unsigned bank, std::int64_t offset, std::int64_t bytes);
  alignas(64) unsigned char bytes_[aie::host::memory_banks * aie::host::memory_bank_bytes] = {};
};

// A parameter: `least` or more, up to 2^31 - 1, a multiple of `unit`. What the kernel issues grows
// evenly by steps of `period`; 0: it doesn't, and the value stays as it is.
struct Parameter {
  const char* name;
  std::int64_t unit = 1;
  std::int64_t period = 0;
  std::int64_t least = 0;
};
constexpr Parameter Size(const char* name, std::int64_t unit, std::int64_t period = 0) {
  return {name, unit, period == 0 ? unit : period, 0};
}
constexpr Parameter Value(const char* name) { return {name}; }

// Steps of several arguments at once that what the kernel issues grows evenly by. A call of
// `count(arguments)` steps (at least 1) is what one with `by` taken off that many times less one
// issues, and the growth from this one to the next.
struct Axis {
  std::vector<std::int64_t> by;
  std::function<std::int64_t(const Arguments&)> count;
};

struct KernelCost {
  const char* function;  // the kernel's name
  std::vector<Parameter> parameters;
  std::function<void(const Arguments&, TileMemory&)> call;
  std::vector<Axis> axes = {};  // besides the parameters' own
  MacType mac = MacType::kBf16;
};

}  // namespace xdna::kernels

#endif  // KERNELS_COST_KERNEL_COST_H_
