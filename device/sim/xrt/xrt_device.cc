// xrt::device of the simulated NPU.
#include <fmt/format.h>

#include <any>
#include <cerrno>
#include <memory>
#include <string>

#include "device/sim/xrt/errors.h"
#include "device/sim/xrt/impl.h"

namespace xrt {
namespace {

constexpr const char* kBdf = "0000:00:00.0";

std::shared_ptr<xrt_core::device> Open() {
  auto opened = std::make_shared<xrt_core::device>();
  opened->npu = xdna::device::Npu::Current();
  return opened;
}

uuid Load(xrt_core::device& device, const xrt::xclbin& xclbin) {
  const auto lock = device.npu->Lock();
  device.xclbins[xclbin.get_uuid()] = xclbin;
  device.last_loaded = xclbin.get_uuid();
  return device.last_loaded;
}

[[noreturn]] void NotSupported(const char* what) {
  throw xrt_core::error(ENOTSUP, fmt::format("{}: not supported by the simulated NPU", what));
}

}  // namespace

device::device(unsigned int index) {
  if (index != 0) {
    throw std::runtime_error(fmt::format("No such device with index '{}'", index));
  }
  handle = Open();
}

device::device(const std::string& bdf) {
  if (bdf != kBdf) throw std::runtime_error(fmt::format("No such device '{}'", bdf));
  handle = Open();
}

device::device(xclDeviceHandle) { NotSupported("xrt::device from an xclDeviceHandle"); }

device::~device() = default;

uuid device::register_xclbin(const xrt::xclbin& xclbin) {
  const auto lock = handle->npu->Lock();
  handle->xclbins[xclbin.get_uuid()] = xclbin;
  return xclbin.get_uuid();
}

uuid device::load_xclbin(const xrt::xclbin& xclbin) { return Load(*handle, xclbin); }
uuid device::load_xclbin(const axlf* top) { return Load(*handle, xrt::xclbin(top)); }
uuid device::load_xclbin(const std::string& path) { return Load(*handle, xrt::xclbin(path)); }
uuid device::get_xclbin_uuid() const { return handle->last_loaded; }

std::pair<const char*, size_t> device::get_xclbin_section(axlf_section_kind kind,
                                                          const uuid& id) const {
  const auto found = handle->xclbins.find(id);
  if (found == handle->xclbins.end()) {
    throw xrt_core::error(EINVAL, "specified xclbin is not loaded");
  }
  for (const auto& section : found->second.get_handle()->file.sections) {
    if (section.kind == static_cast<std::uint32_t>(kind)) {
      return {section.data.data(), section.data.size()};
    }
  }
  return {nullptr, 0};
}

device::operator xclDeviceHandle() const { return handle.get(); }

void device::reset() { NotSupported("xrt::device::reset"); }

std::any device::get_info_std(info::device what, const detail::abi&) const {
  const xdna::device::Preset& preset = handle->npu->preset();
  switch (what) {
    case info::device::bdf:
      return std::string(kBdf);
    case info::device::name:
      return fmt::format("simulated NPU {} ({})", preset.name, preset.device);
    case info::device::max_clock_frequency_mhz:
      return static_cast<unsigned long>(preset.array.clock_hz / 1e6);
    case info::device::kdma:
      return std::uint32_t{0};
    case info::device::m2m:
    case info::device::offline:
      return false;
    case info::device::nodma:
      return true;
    case info::device::interface_uuid:
      return uuid();
    default:
      NotSupported("this xrt::info::device query");
  }
}

bool operator==(const device& a, const device& b) { return a.get_handle() == b.get_handle(); }

}  // namespace xrt
