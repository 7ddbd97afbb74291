// The host's side of the NPU: a thin layer on XRT's public C++ API that owns what it makes and
// turns every failure into one error that says what to do. It is the same code for the simulated
// NPU and a real one.
//
// Errors are kUnavailable for what the device or driver refuses, kInvalidArgument for what the
// caller could have known.
#ifndef DEVICE_SESSION_H_
#define DEVICE_SESSION_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "xrt/experimental/xrt_kernel.h"
#include "xrt/xrt_bo.h"
#include "xrt/xrt_device.h"
#include "xrt/xrt_hw_context.h"
#include "xrt/xrt_kernel.h"

namespace xdna::device {

inline constexpr std::chrono::milliseconds kRunTimeout{10'000};

// Memory that both the host and the NPU have a copy of; only syncs make them equal.
class DeviceBuffer {
 public:
  DeviceBuffer(xrt::bo bo, std::string name) : bo_(std::move(bo)), name_(std::move(name)) {}

  std::size_t bytes() const { return bo_.size(); }
  const std::string& name() const { return name_; }
  const xrt::bo& bo() const { return bo_; }

  // The host's copy. Throws kInvalidArgument where the size isn't a multiple of T's.
  template <typename T>
  std::span<T> As() {
    static_assert(std::is_trivially_copyable_v<T>);
    CheckMultiple(sizeof(T));
    return {bo_.map<T*>(), bytes() / sizeof(T)};
  }

  // Flush the host's copy to the device, or fetch the device's: all of it, or a part.
  void ToDevice() { ToDevice(0, bytes()); }
  void ToDevice(std::size_t offset, std::size_t bytes);
  void FromDevice() { FromDevice(0, bytes()); }
  void FromDevice(std::size_t offset, std::size_t bytes);

  // Before a run: fills both copies with kPoison, so that CheckWritten() can tell.
  void Poison();
  // After FromDevice(): throws kUnavailable if words of `[offset, offset + bytes)` are poison
  // still, which is what a partial or a stale result looks like. One word alone may be a result.
  void CheckWritten(std::size_t offset, std::size_t bytes);
  void CheckWritten() { CheckWritten(0, bytes()); }

 private:
  void CheckMultiple(std::size_t size) const;

  xrt::bo bo_;
  std::string name_;
};

// One run of an instruction stream with its buffers, which must outlive it. Can be run again.
class Run {
 public:
  explicit Run(xrt::run run) : run_(std::move(run)) {}

  void Start();
  // Throws where the run did not complete, with its state and the driver's reason.
  void Wait(std::chrono::milliseconds timeout = kRunTimeout);
  void Execute() {
    Start();
    Wait();
  }
  const xrt::run& run() const { return run_; }

 private:
  xrt::run run_;
};

class Session;

// Runs that the driver gets at once; the NPU does them in order.
class RunList {
 public:
  explicit RunList(const Session& session);

  void Add(const Run& run);
  std::size_t size() const { return size_; }
  void Start();
  // Throws where a run did not complete, naming the first.
  void Wait(std::chrono::milliseconds timeout = kRunTimeout);
  void Execute() {
    Start();
    Wait();
  }

 private:
  xrt::runlist list_;
  std::size_t size_ = 0;
};

// A device with one xclbin in a context of its own.
class Session {
 public:
  // `name` is what errors call it. Needs a kernel MLIR_AIE*, as mlir-aie makes them.
  Session(std::string name, const xrt::xclbin& xclbin);
  static Session FromFile(const std::string& path);
  static Session FromBytes(std::string name, const std::vector<char>& bytes);

  const std::string& name() const { return name_; }
  std::string device_name() const { return device_.get_info<xrt::info::device::name>(); }

  // The `index`th buffer after the instruction count.
  DeviceBuffer MakeData(int index, std::size_t bytes) const;
  // Filled and synced.
  DeviceBuffer MakeInstructions(std::span<const std::uint32_t> words) const;
  // `data[i]` is buffer i; null where the instruction stream does not use it.
  Run MakeRun(const DeviceBuffer& instructions, std::span<const DeviceBuffer* const> data) const;

  const xrt::hw_context& context() const { return context_; }

 private:
  std::string name_;
  xrt::device device_;
  xrt::hw_context context_;
  xrt::kernel kernel_;
};

}  // namespace xdna::device

#endif  // DEVICE_SESSION_H_
