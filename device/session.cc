#include "device/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <system_error>
#include <utility>

#include "device/poison.h"
#include "xrt/experimental/xrt_xclbin.h"

namespace xdna::device {
namespace {

constexpr const char* kKernelPrefix = "MLIR_AIE";
constexpr std::uint64_t kOpcode = 3;  // run an instruction stream: mlir-aie's test hosts
constexpr int kInstructionArgument = 1;
constexpr int kInstructionCountArgument = 2;
constexpr int kFirstDataArgument = 3;

// Runs `body`; what XRT throws becomes an Error "what: reason; advice".
template <typename Body>
auto Try(const std::string& what, const char* advice, Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    Throw(ErrorCode::kUnavailable, "{}: {}{}{}", what, error.what(), *advice ? "; " : "", advice);
  }
}

const char* StateName(ert_cmd_state state) {
  switch (state) {
    case ERT_CMD_STATE_ERROR:
      return "ERROR";
    case ERT_CMD_STATE_ABORT:
      return "ABORT";
    case ERT_CMD_STATE_TIMEOUT:
      return "TIMEOUT";
    case ERT_CMD_STATE_NORESPONSE:
      return "NORESPONSE";
    default:
      return "not COMPLETED";
  }
}

const char* Advice(ert_cmd_state state) {
  switch (state) {
    case ERT_CMD_STATE_ABORT:
      return "make the session anew: its context is gone";
    case ERT_CMD_STATE_TIMEOUT:
    case ERT_CMD_STATE_NORESPONSE:
      return "its outputs are not valid; make the session anew before the next run";
    default:
      return "its outputs are not valid; check the instruction stream and the buffers' sizes";
  }
}

[[noreturn]] void Failed(ert_cmd_state state, const char* reason) {
  Throw(ErrorCode::kUnavailable, "NPU: state {}: {}; {}", StateName(state), reason, Advice(state));
}

[[noreturn]] void TimedOut(std::chrono::milliseconds timeout) {
  Throw(ErrorCode::kUnavailable, "NPU: no end of the run within {} ms; {}", timeout.count(),
        Advice(ERT_CMD_STATE_TIMEOUT));
}

xrt::device OpenDevice() {
  return Try("opening the NPU", "is the amdxdna driver loaded, and may this user open /dev/accel?",
             [] { return xrt::device(0U); });
}

std::string KernelName(const std::string& session, const xrt::xclbin& xclbin) {
  std::string names;
  for (const xrt::xclbin::kernel& kernel : xclbin.get_kernels()) {
    if (kernel.get_name().starts_with(kKernelPrefix)) return kernel.get_name();
    names += (names.empty() ? "" : ", ") + kernel.get_name();
  }
  Throw(ErrorCode::kInvalidArgument, "{}: no kernel '{}*' in the xclbin, which has {}", session,
        kKernelPrefix, names.empty() ? "none" : names);
}

xrt::hw_context MakeContext(const std::string& name, xrt::device& device,
                            const xrt::xclbin& xclbin) {
  return Try(name + ": making a context",
             "an npu1 holds 6 at most over all programs: close others, or use ContextPool", [&] {
               device.register_xclbin(xclbin);
               return xrt::hw_context(device, xclbin.get_uuid());
             });
}

}  // namespace

// --- DeviceBuffer ------------------------------------------------------------------------------

void DeviceBuffer::CheckMultiple(std::size_t size) const {
  if (bytes() % size != 0) {
    Throw(ErrorCode::kInvalidArgument, "buffer {}: {} bytes are no multiple of {}", name_, bytes(),
          size);
  }
}

void DeviceBuffer::ToDevice(std::size_t offset, std::size_t bytes) {
  Try("buffer " + name_ + ": sync to the device", "",
      [&] { bo_.sync(XCL_BO_SYNC_BO_TO_DEVICE, bytes, offset); });
}

void DeviceBuffer::FromDevice(std::size_t offset, std::size_t bytes) {
  Try("buffer " + name_ + ": sync from the device", "",
      [&] { bo_.sync(XCL_BO_SYNC_BO_FROM_DEVICE, bytes, offset); });
}

void DeviceBuffer::Poison() {
  std::ranges::fill(As<std::uint32_t>(), kPoison);
  ToDevice();
}

void DeviceBuffer::CheckWritten(std::size_t offset, std::size_t bytes) {
  const std::span<const std::uint32_t> all = As<std::uint32_t>();
  if (offset % sizeof(kPoison) != 0 || offset > this->bytes() || bytes > this->bytes() - offset) {
    Throw(ErrorCode::kInvalidArgument, "buffer {}: {} bytes from {} on are not in its {}", name_,
          bytes, offset, this->bytes());
  }
  const auto words = all.subspan(offset / sizeof(kPoison), bytes / sizeof(kPoison));
  const auto unwritten = static_cast<std::size_t>(std::ranges::count(words, kPoison));
  if (unwritten == 0 || (unwritten == 1 && words.size() > 1)) return;
  const auto first = std::ranges::find(words, kPoison) - words.begin();
  Throw(
      ErrorCode::kUnavailable,
      "buffer {}: {} of {} words were not written by the run, the first at byte {}; the result is "
      "partial or stale and not valid",
      name_, unwritten, words.size(), offset + static_cast<std::size_t>(first) * sizeof(kPoison));
}

// --- Run, RunList ------------------------------------------------------------------------------

void Run::Start() {
  Try("NPU: starting a run", "", [this] { run_.start(); });
}

void Run::Wait(std::chrono::milliseconds timeout) {
  try {
    if (run_.wait2(timeout) == std::cv_status::timeout) TimedOut(timeout);
  } catch (const xrt::run::command_error& error) {
    Failed(error.get_command_state(), error.what());
  }
}

RunList::RunList(const Session& session) : list_(session.context()) {}

void RunList::Add(const Run& run) {
  Try("NPU: adding to a runlist", "", [&] { list_.add(run.run()); });
  ++size_;
}

void RunList::Start() {
  Try("NPU: starting a runlist", "", [this] { list_.execute(); });
}

void RunList::Wait(std::chrono::milliseconds timeout) {
  try {
    if (list_.wait(timeout) == std::cv_status::timeout) TimedOut(timeout);
  } catch (const xrt::runlist::command_error& error) {
    Failed(error.get_command_state(), error.what());
  }
}

// --- Session -----------------------------------------------------------------------------------

Session::Session(std::string name, const xrt::xclbin& xclbin)
    : name_(std::move(name)),
      device_(OpenDevice()),
      context_(MakeContext(name_, device_, xclbin)),
      kernel_(Try(name_ + ": opening the kernel", "",
                  [&] { return xrt::kernel(context_, KernelName(name_, xclbin)); })) {}

Session Session::FromFile(const std::string& path) {
  return Session(path, Try(path, "", [&] { return xrt::xclbin(path); }));
}

Session Session::FromBytes(std::string name, const std::vector<char>& bytes) {
  const xrt::xclbin xclbin = Try(name, "", [&] { return xrt::xclbin(bytes); });
  return {std::move(name), xclbin};
}

DeviceBuffer Session::MakeData(int index, std::size_t bytes) const {
  const std::string name = fmt::format("bo{}", index);
  return Try(name_ + ": making buffer " + name, "", [&] {
    return DeviceBuffer(
        xrt::bo(device_, bytes, xrt::bo::flags::host_only,
                static_cast<xrt::memory_group>(kernel_.group_id(kFirstDataArgument + index))),
        name);
  });
}

DeviceBuffer Session::MakeInstructions(std::span<const std::uint32_t> words) const {
  return Try(name_ + ": making the instruction buffer", "", [&] {
    DeviceBuffer buffer(
        xrt::bo(device_, words.size_bytes(), xrt::bo::flags::cacheable,
                static_cast<xrt::memory_group>(kernel_.group_id(kInstructionArgument))),
        "instructions");
    std::ranges::copy(words, buffer.As<std::uint32_t>().begin());
    buffer.ToDevice();
    return buffer;
  });
}

Run Session::MakeRun(const DeviceBuffer& instructions,
                     std::span<const DeviceBuffer* const> data) const {
  return Try(name_ + ": preparing a run", "", [&] {
    xrt::run run(kernel_);
    run.set_arg(0, kOpcode);
    run.set_arg(kInstructionArgument, instructions.bo());
    run.set_arg(kInstructionCountArgument,
                static_cast<std::uint32_t>(instructions.bytes() / sizeof(std::uint32_t)));
    int argument = kFirstDataArgument;
    for (const DeviceBuffer* buffer : data) {
      if (buffer != nullptr) run.set_arg(argument, buffer->bo());
      ++argument;
    }
    return Run(std::move(run));
  });
}

}  // namespace xdna::device
