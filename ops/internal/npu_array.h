// What ops and the encoder share to run on the whole NPU through XRT: the device with its contexts,
// and stages, each an overlay with its buffers and runs.
//
// A call of a stage goes over its rows in batches, each a run of its own, and keeps from run to run
// what device::Reuse says:
//   fresh       a context for the call, buffers for each run
//   bo          a context and buffers for the call
//   context     context and buffers for as long as the stage lives
//   runlist:N   the same with N sets of buffers, and N runs submitted at once
// Buffers are padded to whole tiles of the array. Converting and padding is the host's work, of
// which a simulated device's clock knows nothing.
#ifndef OPS_INTERNAL_NPU_ARRAY_H_
#define OPS_INTERNAL_NPU_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "device/array/instructions.h"
#include "device/array/overlay.h"
#include "device/context_pool.h"
#include "device/reuse.h"
#include "device/session.h"
#include "ops/contract.h"
#include "ops/internal/instance.h"

namespace xdna::ops {

struct ArrayOptions {
  device::Reuse reuse = {};
  std::int64_t batch = 0;   // rows of a run; 0: all
  std::string tile = {};    // a name of Contract::array_tiles; empty: the first
  std::size_t columns = 4;  // of the array
  // false: only times are wanted, of a device that moves no data: nothing is converted or checked.
  bool data = true;
};

// What the array did in the runs of a device, added up.
struct ArrayTotals {
  std::int64_t runs = 0;
  double cycles = 0;
  double instruction_cycles = 0;  // of the command processor itself
  double core_cycles = 0;         // of the busiest core
  double shim_cycles = 0;         // of the busiest shim channel, moving data
  double bytes_read = 0;          // of host memory
  double bytes_written = 0;
};

// What a design breaks that does not fit, in two words, from the reason that its Fit or its error
// gives: "core memory", "memory tile", "program memory", "DMA channels", "descriptors".
std::string_view BrokenLimit(std::string_view reason);

// The NPU as ops use it. Not thread-safe; it outlives the instances made with it.
class ArrayDevice {
 public:
  explicit ArrayDevice(ArrayOptions options = {});

  const ArrayOptions& options() const { return options_; }

  // The session of an overlay, made at its first use and again after it was dropped or evicted.
  std::shared_ptr<device::Session> Open(const std::string& name,
                                        const std::function<device::Overlay()>& overlay);
  // After a failure that cost it its context, and at the end of what shall not be kept.
  void Close(const std::string& name) { pool_.Drop(name); }

  // Fills outputs with poison before each stage's next call, so that what a run did not write
  // shows.
  void PoisonOutputs() { ++poisonings_; }
  std::uint64_t poisonings() const { return poisonings_; }

  // Since the making. Empty on hardware, but for the runs.
  const ArrayTotals& totals() const { return totals_; }
  // Adds `runs` runs like the device's last one.
  void Count(std::int64_t runs);

  // SHA-256 of every overlay's container that was opened, by name.
  std::map<std::string, std::string> OverlayHashes() const;

 private:
  ArrayOptions options_;
  device::ContextPool pool_;
  std::map<std::string, std::vector<char>> xclbins_;  // by overlay
  std::uint64_t poisonings_ = 0;
  ArrayTotals totals_;
};

// The context's device, or one that the instance keeps.
std::shared_ptr<ArrayDevice> DeviceFor(const CpuContext& context);

// A buffer argument of a stage's runs.
struct ArrayBuffer {
  enum class Role : std::uint8_t {
    kIn,
    kConstant,  // the same in all runs: weights
    kOut,
  };
  Role role = Role::kIn;
  // For a run of `rows` rows, padding included; a multiple of 4.
  std::function<std::size_t(std::int64_t rows)> bytes;
  std::vector<std::byte> constant = {};  // its contents; empty where no data is wanted
};

// What runs: an overlay, and instruction streams for any number of rows.
struct ArrayDesign {
  std::string name;  // equal names mean equal overlays
  std::function<device::Overlay()> overlay;
  std::function<std::vector<device::Instruction>(std::int64_t rows)> instructions;
  std::vector<ArrayBuffer> buffers;  // in argument order
};

// One overlay's part of an op.
class ArrayStage {
 public:
  // `rows` of each call, `batch` of them a run; 0: as the device's options say. Throws kUnsupported
  // where the shims can't express the runs.
  ArrayStage(std::shared_ptr<ArrayDevice> device, ArrayDesign design, std::int64_t rows,
             std::int64_t batch = 0);
  ~ArrayStage();
  ArrayStage(const ArrayStage&) = delete;
  ArrayStage& operator=(const ArrayStage&) = delete;

  // Input `index` (of the buffers) for rows [first, first + rows): all bytes have to be written,
  // padding included. Output `index` likewise.
  using Fill = std::function<void(std::size_t index, std::int64_t first, std::int64_t rows,
                                  std::span<std::byte> buffer)>;
  using Drain = std::function<void(std::size_t index, std::int64_t first, std::int64_t rows,
                                   std::span<const std::byte> buffer)>;
  // Throws kUnavailable where a run fails or leaves results unwritten; the next call begins anew.
  void Run(const Fill& fill, const Drain& drain);

  std::int64_t batch() const { return batch_; }

 private:
  struct Slot;   // buffers of one run, and the runs made with them
  struct State;  // a context, and what lives in it

  void Call(const Fill& fill, const Drain& drain);
  // Runs `first` to `first` + `count` - 1 of the call, submitted at once.
  void Group(std::int64_t first, std::int64_t count, const Fill& fill, const Drain& drain);
  void Submit(std::int64_t first, std::int64_t count);
  Slot MakeSlot() const;
  std::int64_t RowsOf(std::int64_t run) const;
  device::Run& RunOf(Slot& slot, std::int64_t rows);

  std::shared_ptr<ArrayDevice> device_;
  ArrayDesign design_;
  std::int64_t rows_, batch_;
  std::uint64_t poisoned_ = 0;
  std::unique_ptr<State> state_;
};

// An instance whose stages poison what they write into when it is poisoned.
class ArrayInstance : public ClosureInstance {
 public:
  ArrayInstance(std::shared_ptr<ArrayDevice> device, Tensor output,
                std::function<void(const TensorView& output)> run)
      : ClosureInstance(std::move(output), std::move(run)), device_(std::move(device)) {}

  void Poison() override {
    ClosureInstance::Poison();
    device_->PoisonOutputs();
  }

 private:
  std::shared_ptr<ArrayDevice> device_;
};

}  // namespace xdna::ops

#endif  // OPS_INTERNAL_NPU_ARRAY_H_
