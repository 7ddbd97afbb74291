// xrt::hw_context and xrt::kernel of the simulated NPU.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "device/sim/xrt/errors.h"
#include "device/sim/xrt/impl.h"

namespace xrt {
namespace {

constexpr int kSlotShift = 16;  // of a context, in its kernels' group ids: xrt_mem.h, xcl_bo_flags

std::shared_ptr<hw_context_impl> CreateContext(const device& device, const uuid& id,
                                               hw_context::access_mode mode) {
  const auto opened = device.get_handle();
  const auto lock = opened->npu->Lock();
  const auto found = opened->xclbins.find(id);
  if (found == opened->xclbins.end()) {
    throw xrt_core::error(
        EINVAL, fmt::format("xclbin {} is not registered: call xrt::device::register_xclbin first",
                            id.to_string()));
  }
  auto made = std::make_shared<hw_context_impl>();
  made->device = device;
  made->xclbin = found->second;
  made->mode = mode;
  try {
    std::optional<xdna::device::Overlay> overlay =
        xdna::device::DecodeContainer(made->xclbin.get_handle()->file);
    if (!overlay) {
      throw xrt_core::error(
          ENOTSUP, fmt::format("xclbin {} is a binary for hardware, which the simulated NPU can't "
                               "run: build with --config=xrt on a machine that has the NPU",
                               id.to_string()));
    }
    made->context = opened->npu->CreateContext(std::move(*overlay));
  } catch (const xdna::Error& error) {
    throw xrt_core::error(EINVAL, fmt::format("xclbin {}: {}", id.to_string(), error.message()));
  }
  return made;
}

}  // namespace

hw_context_impl::~hw_context_impl() {
  if (!context) return;
  xdna::device::Npu& npu = *device.get_handle()->npu;
  const auto lock = npu.Lock();
  npu.CloseContext(context);
}

// Quality-of-service settings steer power and scheduling on hardware; presets fix them here.
hw_context::hw_context(const xrt::device& device, const xrt::uuid& id, const cfg_param_type&)
    : hw_context(CreateContext(device, id, access_mode::shared)) {}
hw_context::hw_context(const xrt::device& device, const xrt::uuid& id, const cfg_type&)
    : hw_context(CreateContext(device, id, access_mode::shared)) {}
hw_context::hw_context(const xrt::device& device, const xrt::uuid& id, access_mode mode)
    : hw_context(CreateContext(device, id, mode)) {}

hw_context::~hw_context() = default;

void hw_context::update_qos(const qos_type&) {}
xrt::device hw_context::get_device() const { return handle->device; }
xrt::uuid hw_context::get_xclbin_uuid() const { return handle->xclbin.get_uuid(); }
xrt::xclbin hw_context::get_xclbin() const { return handle->xclbin; }
hw_context::access_mode hw_context::get_mode() const { return handle->mode; }

// --- kernel ------------------------------------------------------------------------------------

// `name` is a kernel's, or "kernel:instance".
kernel::kernel(const xrt::hw_context& context, const std::string& name)
    : handle(std::make_shared<kernel_impl>()) {
  handle->context = context.get_handle();
  handle->name = name.substr(0, name.find(':'));
  for (const auto& known : handle->context->xclbin.get_handle()->kernels) {
    const bool instance =
        name == handle->name || std::ranges::any_of(known.instances, [&](const std::string& one) {
          return name == fmt::format("{}:{}", known.name, one);
        });
    if (known.name == handle->name && instance) handle->arguments = &known;
  }
  if (handle->arguments == nullptr) {
    throw xrt_core::error(ENOENT, fmt::format("No such kernel '{}' in xclbin {}", name,
                                              context.get_xclbin_uuid().to_string()));
  }
}

kernel::~kernel() = default;

std::string kernel::get_name() const { return handle->name; }
xrt::xclbin kernel::get_xclbin() const { return handle->context->xclbin; }

uint32_t kernel::offset(int index) const {
  return static_cast<uint32_t>(handle->Argument(index).offset);
}

int kernel::group_id(int index) const {
  if (!handle->Argument(index).is_global) return -1;
  return handle->Bank(index) | static_cast<int>(handle->context->context->slot << kSlotShift);
}

const xdna::device::XclbinArgument& kernel_impl::Argument(int index) const {
  if (index < 0 || static_cast<std::size_t>(index) >= arguments->arguments.size()) {
    throw xrt_core::error(EINVAL, fmt::format("kernel {} has no argument {}, it has {}", name,
                                              index, arguments->arguments.size()));
  }
  return arguments->arguments[static_cast<std::size_t>(index)];
}

int kernel_impl::Bank(int index) const {
  return index == xdna::device::kInstructionArgument ? xdna::device::kInstructionBank
                                                     : xdna::device::kHostBank;
}

}  // namespace xrt
