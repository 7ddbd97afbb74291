// Faults that the simulated NPU injects, drawn from a seed.
#ifndef DEVICE_SIM_XRT_FAULT_PLAN_H_
#define DEVICE_SIM_XRT_FAULT_PLAN_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace xdna::device {

enum class Fault : std::uint8_t {
  kNone,
  kTimeout,      // the firmware never answers; the driver gives the run up
  kPartial,      // the last part of an output is not written
  kStale,        // the host's next sync of an output gets nothing new
  kBitflip,      // the top exponent bit of one float of an output is wrong
  kContextLost,  // the context is gone, and this run with it
  kHang,         // the array stops; the driver gives the run up and the context is gone
};
std::string_view FaultName(Fault fault);

class FaultPlan {
 public:
  FaultPlan() = default;
  // `text`: "name:probability,..", where the names are FaultName()'s with '_' and the
  // probabilities' sum is at most 1; empty for none. Throws kInvalidArgument, naming the part.
  FaultPlan(std::string_view text, std::uint64_t seed);

  // What befalls the device's `run`th run: depends on the seed and on `run` alone.
  Fault Draw(std::uint64_t run) const;
  // A number below `bound` that says where (which word, which part).
  std::uint64_t DrawBelow(std::uint64_t run, std::uint64_t bound) const;

 private:
  static constexpr std::size_t kFaults = 7;
  std::array<double, kFaults> probability_{};
  std::uint64_t seed_ = 0;
};

}  // namespace xdna::device

#endif  // DEVICE_SIM_XRT_FAULT_PLAN_H_
