// xrt::xclbin: reads any xclbin, a simulated overlay's container or a binary for hardware.
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "device/sim/xrt/errors.h"
#include "device/sim/xrt/impl.h"
#include "xrt/detail/xclbin.h"

namespace xrt {
namespace {

using xdna::device::XclbinSection;

constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{1} << 30;

std::shared_ptr<xclbin_impl> Parse(std::vector<char> bytes) {
  auto parsed = std::make_shared<xclbin_impl>();
  try {
    parsed->file = xdna::device::ParseXclbin(bytes);
    if (const XclbinSection* metadata = parsed->file.Find(EMBEDDED_METADATA)) {
      parsed->kernels = xdna::device::ParseMetadata({metadata->data.data(), metadata->data.size()});
    }
  } catch (const xdna::Error& error) {
    throw xrt_core::error(EINVAL, "Invalid xclbin: " + error.message());
  }
  parsed->bytes = std::move(bytes);
  return parsed;
}

std::vector<char> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file || file.tellg() < 0) {
    throw std::runtime_error("No such file '" + path + "'");
  }
  const auto bytes = static_cast<std::uintmax_t>(file.tellg());
  if (bytes > kMaxFileBytes) {
    throw std::runtime_error(
        fmt::format("'{}' has {} bytes, no xclbin is that large", path, bytes));
  }
  std::vector<char> content(bytes);
  file.seekg(0);
  file.read(content.data(), static_cast<std::streamsize>(bytes));
  if (!file) throw std::runtime_error("Failed to read file '" + path + "'");
  return content;
}

std::vector<char> CopyOf(const axlf* top) {
  const char* begin = reinterpret_cast<const char*>(top);
  return {begin, begin + top->m_header.m_length};
}

}  // namespace

class xclbin::kernel_impl {
 public:
  std::shared_ptr<xclbin_impl> owner;
  const xdna::device::XclbinKernel* kernel;
};

class xclbin::arg_impl {
 public:
  std::shared_ptr<xclbin_impl> owner;
  const xdna::device::XclbinArgument* argument;
  std::size_t index;
};

xclbin::xclbin(const std::string& path) : xclbin(Parse(ReadFile(path))) {}
xclbin::xclbin(const std::vector<char>& data) : xclbin(Parse(data)) {}
xclbin::xclbin(const std::string_view& data)
    : xclbin(Parse(std::vector<char>(data.begin(), data.end()))) {}
xclbin::xclbin(const axlf* top) : xclbin(Parse(CopyOf(top))) {}

std::vector<xclbin::kernel> xclbin::get_kernels() const {
  std::vector<kernel> kernels;
  for (const auto& one : handle->kernels) {
    kernels.emplace_back(std::make_shared<kernel_impl>(kernel_impl{handle, &one}));
  }
  return kernels;
}

xclbin::kernel xclbin::get_kernel(const std::string& name) const {
  for (kernel& one : get_kernels()) {
    if (one.get_name() == name) return one;
  }
  return {};
}

uuid xclbin::get_uuid() const { return handle ? uuid(handle->file.uuid.data()) : uuid(); }
const axlf* xclbin::get_axlf() const { return reinterpret_cast<const axlf*>(handle->bytes.data()); }
xclbin::target_type xclbin::get_target_type() const { return target_type::hw; }
std::string xclbin::get_xsa_name() const { return handle->file.platform; }

std::pair<const char*, size_t> xclbin::get_axlf_section(axlf_section_kind kind) const {
  const XclbinSection* section = handle->file.Find(kind);
  if (section == nullptr) return {nullptr, 0};
  return {section->data.data(), section->data.size()};
}

std::string xclbin::kernel::get_name() const { return handle ? handle->kernel->name : ""; }

xclbin::kernel::kernel_type xclbin::kernel::get_type() const {
  const std::string& type = handle->kernel->type;
  if (type == "dpu") return kernel_type::dpu;
  if (type == "ps") return kernel_type::ps;
  return type == "pl" ? kernel_type::pl : kernel_type::none;
}

size_t xclbin::kernel::get_num_args() const { return handle->kernel->arguments.size(); }

xclbin::arg xclbin::kernel::get_arg(int32_t index) const {
  const auto& argument = handle->kernel->arguments.at(static_cast<std::size_t>(index));
  return arg(std::make_shared<arg_impl>(
      arg_impl{handle->owner, &argument, static_cast<std::size_t>(index)}));
}

std::vector<xclbin::arg> xclbin::kernel::get_args() const {
  std::vector<arg> all;
  for (std::size_t i = 0; i < get_num_args(); ++i) all.push_back(get_arg(static_cast<int32_t>(i)));
  return all;
}

std::string xclbin::arg::get_name() const { return handle->argument->name; }
uint64_t xclbin::arg::get_size() const { return handle->argument->size; }
uint64_t xclbin::arg::get_offset() const { return handle->argument->offset; }
std::string xclbin::arg::get_host_type() const { return handle->argument->type; }
size_t xclbin::arg::get_index() const { return handle->index; }

}  // namespace xrt
