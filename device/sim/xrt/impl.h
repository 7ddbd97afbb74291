// What is behind the handles of XRT's public classes.
#ifndef DEVICE_SIM_XRT_IMPL_H_
#define DEVICE_SIM_XRT_IMPL_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "device/container/axlf.h"
#include "device/container/container.h"
#include "device/sim/xrt/npu.h"
#include "xrt/experimental/xrt_kernel.h"
#include "xrt/experimental/xrt_xclbin.h"
#include "xrt/xrt_bo.h"
#include "xrt/xrt_device.h"
#include "xrt/xrt_hw_context.h"
#include "xrt/xrt_kernel.h"

namespace xrt_core {

// An open device.
class device {
 public:
  std::shared_ptr<xdna::device::Npu> npu;
  std::map<xrt::uuid, xrt::xclbin> xclbins;  // registered
  xrt::uuid last_loaded;
};

}  // namespace xrt_core

namespace xrt {

class xclbin_impl {
 public:
  std::vector<char> bytes;
  xdna::device::XclbinFile file;
  std::vector<xdna::device::XclbinKernel> kernels;
};

class hw_context_impl {
 public:
  hw_context_impl() = default;
  ~hw_context_impl();
  hw_context_impl(const hw_context_impl&) = delete;
  hw_context_impl& operator=(const hw_context_impl&) = delete;

  xrt::device device;
  xrt::xclbin xclbin;
  hw_context::access_mode mode = hw_context::access_mode::shared;
  std::shared_ptr<xdna::device::Context> context;
};

class bo_impl {
 public:
  bo_impl(std::shared_ptr<xdna::device::Npu> device, std::size_t size, std::uint32_t flags,
          std::uint32_t group);
  // A part of `whole`, which it keeps alive.
  bo_impl(std::shared_ptr<bo_impl> whole, std::size_t size, std::size_t at);
  ~bo_impl();
  bo_impl(const bo_impl&) = delete;
  bo_impl& operator=(const bo_impl&) = delete;

  std::byte* host() const { return view.memory->host.bytes().data() + view.offset; }
  // Throws xrt_core::error with `what` where the range isn't inside.
  void CheckRange(std::size_t size, std::size_t at, const char* what) const;

  std::shared_ptr<xdna::device::Npu> npu;
  xdna::device::BufferView view;
  std::shared_ptr<bo_impl> parent;
};

class kernel_impl {
 public:
  std::string name;
  const xdna::device::XclbinKernel* arguments = nullptr;  // in the context's xclbin
  std::shared_ptr<hw_context_impl> context;
  xdna::device::Npu& npu() const { return *context->device.get_handle()->npu; }

  // Throws where the index is none of the kernel's.
  const xdna::device::XclbinArgument& Argument(int index) const;
  int Bank(int index) const;
};

class run_impl {
 public:
  struct Scalar {
    std::array<std::uint8_t, 8> bytes{};
    std::uint64_t value() const;
  };

  explicit run_impl(std::shared_ptr<kernel_impl> of);
  ~run_impl();
  run_impl(const run_impl&) = delete;
  run_impl& operator=(const run_impl&) = delete;

  void SetScalar(int index, const void* value, std::size_t bytes);
  void SetBuffer(int index, const xrt::bo& buffer);
  // What a start submits. Throws where a buffer is gone.
  std::shared_ptr<xdna::device::Command> MakeCommand();
  // Makes `command` what the run waits for.
  void Start(std::shared_ptr<xdna::device::Command> command);
  bool IsRunning() const { return command && !command->settled; }
  ert_cmd_state State() const;
  // Marks the state as seen by the host, and calls back.
  ert_cmd_state Observe();
  std::string FailureMessage() const;

  std::shared_ptr<kernel_impl> kernel;
  std::map<int, Scalar> scalars;
  std::map<int, std::weak_ptr<bo_impl>> buffers;
  std::shared_ptr<xdna::device::Command> command;  // the last started; null: none
  bool observed = true;
  std::vector<std::function<void(ert_cmd_state)>> callbacks;
  ert_packet packet{};
};

class runlist_impl {
 public:
  xrt::hw_context context;
  std::vector<xrt::run> runs;
  bool executing = false;
};

}  // namespace xrt

#endif  // DEVICE_SIM_XRT_IMPL_H_
