// xrt::bo of the simulated NPU.
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "device/sim/xrt/errors.h"
#include "device/sim/xrt/impl.h"

namespace xrt {
namespace {

[[noreturn]] void NotSupported(const char* what) {
  throw xrt_core::system_error(ENOTSUP, fmt::format("{}: not supported by the NPU", what));
}

std::shared_ptr<bo_impl> Create(const device& device, std::size_t size, bo::flags flags,
                                memory_group group) {
  const auto npu = device.get_handle()->npu;
  const auto lock = npu->Lock();
  return std::make_shared<bo_impl>(npu, size, static_cast<std::uint32_t>(flags), group);
}

}  // namespace

bo_impl::bo_impl(std::shared_ptr<xdna::device::Npu> device, std::size_t size, std::uint32_t flags,
                 std::uint32_t group)
    : npu(std::move(device)),
      view{.memory = npu->CreateBuffer(size, flags, group), .offset = 0, .bytes = size} {}

bo_impl::bo_impl(std::shared_ptr<bo_impl> whole, std::size_t size, std::size_t at)
    : npu(whole->npu), view(whole->view), parent(std::move(whole)) {
  parent->CheckRange(size, at, "sub buffer size and offset");
  if (size == 0) throw xrt_core::error(EINVAL, "sub buffer size and offset");
  if (at % sizeof(std::uint32_t) != 0) {
    throw xrt_core::error(EINVAL, fmt::format("sub buffer offset {}: the array's DMA addresses "
                                              "words of 4 bytes",
                                              at));
  }
  view.offset += at;
  view.bytes = size;
}

bo_impl::~bo_impl() {
  if (parent) return;
  const auto lock = npu->Lock();
  npu->FreeBuffer(*view.memory);
}

void bo_impl::CheckRange(std::size_t size, std::size_t at, const char* what) const {
  if (at > view.bytes || size > view.bytes - at) throw xrt_core::error(EINVAL, what);
}

bo::bo(const xrt::device& device, size_t size, bo::flags flags, memory_group group)
    : handle(Create(device, size, flags, group)) {}
bo::bo(const xrt::device& device, size_t size, memory_group group)
    : handle(Create(device, size, flags::normal, group)) {}
bo::bo(const xrt::hw_context& context, size_t size, bo::flags flags, memory_group group)
    : handle(Create(context.get_device(), size, flags, group)) {}
bo::bo(const xrt::hw_context& context, size_t size, memory_group group)
    : handle(Create(context.get_device(), size, flags::normal, group)) {}
bo::bo(const bo& parent, size_t size, size_t offset)
    : handle(std::make_shared<bo_impl>(parent.handle, size, offset)) {}

bo::bo(const xrt::device&, void*, size_t, bo::flags, memory_group) { NotSupported("User ptr BO"); }
bo::bo(const xrt::device&, void*, size_t, memory_group) { NotSupported("User ptr BO"); }
bo::bo(const xrt::hw_context&, void*, size_t, bo::flags, memory_group) {
  NotSupported("User ptr BO");
}
bo::bo(const xrt::hw_context&, void*, size_t, memory_group) { NotSupported("User ptr BO"); }

bo::~bo() = default;

size_t bo::size() const { return handle->view.bytes; }
uint64_t bo::address() const { return handle->view.memory->address + handle->view.offset; }
memory_group bo::get_memory_group() const { return handle->view.memory->group; }
bo::flags bo::get_flags() const { return static_cast<flags>(handle->view.memory->flags); }
void* bo::map() { return handle->host(); }
const void* bo::map() const { return handle->host(); }

void bo::sync(xclBOSyncDirection direction, size_t size, size_t offset) {
  const auto lock = handle->npu->Lock();
  handle->CheckRange(size, offset, "Invalid offset and size when syncing buffer");
  xdna::device::BoMemory& memory = *handle->view.memory;
  switch (direction) {
    case XCL_BO_SYNC_BO_TO_DEVICE:
      handle->npu->SyncToDevice(memory, handle->view.offset + offset, size);
      break;
    case XCL_BO_SYNC_BO_FROM_DEVICE:
      handle->npu->SyncFromDevice(memory, handle->view.offset + offset, size);
      break;
    default:
      throw xrt_core::error(EINVAL, fmt::format("sync direction {}: neither to nor from the device",
                                                static_cast<int>(direction)));
  }
}

void bo::write(const void* source, size_t size, size_t offset) {
  handle->CheckRange(size, offset, "attempting to write past buffer size");
  std::memcpy(handle->host() + offset, source, size);
}

void bo::read(void* destination, size_t size, size_t offset) {
  handle->CheckRange(size, offset, "attempting to read past buffer size");
  std::memcpy(destination, handle->host() + offset, size);
}

// The NPU has no engine for copies: XRT copies the host's side and syncs.
void bo::copy(const bo& source, size_t size, size_t source_offset, size_t offset) {
  if (size == 0) throw xrt_core::system_error(EINVAL, "size must be a positive number");
  handle->CheckRange(size, offset, "copying past destination buffer size");
  source.handle->CheckRange(size, source_offset, "copying past source buffer size");
  std::memmove(handle->host() + offset, source.handle->host() + source_offset, size);
  sync(XCL_BO_SYNC_BO_TO_DEVICE, size, offset);
}

}  // namespace xrt
