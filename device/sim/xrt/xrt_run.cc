// xrt::run of the simulated NPU.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "device/sim/xrt/errors.h"
#include "device/sim/xrt/impl.h"
#include "xrt/detail/xrt_mem.h"

namespace xrt {
namespace {

using xdna::device::Command;

constexpr int kBankMask = 0xFFFF;  // of a group id: xrt_mem.h, xcl_bo_flags
constexpr double kUsPerMs = 1000;

const char* StateName(ert_cmd_state state) {
  switch (state) {
    case ERT_CMD_STATE_NEW:
      return "new";
    case ERT_CMD_STATE_RUNNING:
      return "running";
    case ERT_CMD_STATE_COMPLETED:
      return "completed";
    case ERT_CMD_STATE_ERROR:
      return "error";
    case ERT_CMD_STATE_ABORT:
      return "abort";
    case ERT_CMD_STATE_TIMEOUT:
      return "timeout";
    default:
      return "unknown";
  }
}

}  // namespace

// --- run_impl ----------------------------------------------------------------------------------

std::uint64_t run_impl::Scalar::value() const {
  std::uint64_t number = 0;
  std::memcpy(&number, bytes.data(), bytes.size());
  return number;
}

run_impl::run_impl(std::shared_ptr<kernel_impl> of) : kernel(std::move(of)) {
  packet.state = ERT_CMD_STATE_NEW;
}

run_impl::~run_impl() {
  const auto lock = kernel->npu().Lock();
  if (!observed) {
    kernel->npu().Report("result-ignored",
                         fmt::format("run {} is gone and its state was never asked for: wait() or "
                                     "state() tells whether it worked",
                                     command->run));
  }
  if (IsRunning()) xdna::device::Npu::Abandon(*command);
}

void run_impl::SetScalar(int index, const void* value, std::size_t bytes) {
  const auto& argument = kernel->Argument(index);
  if (argument.is_global) {
    throw xrt_core::error(EINVAL, fmt::format("argument {} ({}) takes an xrt::bo, not a number",
                                              index, argument.name));
  }
  Scalar scalar;
  std::memcpy(scalar.bytes.data(), value, std::min({bytes, argument.size, scalar.bytes.size()}));
  scalars[index] = scalar;
}

void run_impl::SetBuffer(int index, const xrt::bo& buffer) {
  const auto& argument = kernel->Argument(index);
  if (!argument.is_global) {
    throw xrt_core::error(EINVAL, fmt::format("argument {} ({}) takes a number, not an xrt::bo",
                                              index, argument.name));
  }
  if (!buffer) throw xrt_core::error(EINVAL, fmt::format("argument {}: empty xrt::bo", index));
  const auto& memory = *buffer.get_handle()->view.memory;
  const bool instructions = index == xdna::device::kInstructionArgument;
  const std::uint32_t flags = instructions ? XRT_BO_FLAGS_CACHEABLE : XRT_BO_FLAGS_HOST_ONLY;
  if (memory.flags != flags) {
    throw xrt_core::error(
        EINVAL,
        fmt::format("argument {} ({}) takes a buffer made with {}, this one has "
                    "flags 0x{:x}",
                    index, argument.name, instructions ? "CACHEABLE" : "HOST_ONLY", memory.flags));
  }
  if (static_cast<int>(memory.group & kBankMask) != kernel->Bank(index)) {
    throw xrt_core::error(EINVAL, fmt::format("argument {} ({}) takes a buffer of memory group "
                                              "kernel.group_id({}), this one was made in {}",
                                              index, argument.name, index, memory.group));
  }
  buffers[index] = buffer.get_handle();
}

std::shared_ptr<Command> run_impl::MakeCommand() {
  if (IsRunning()) throw std::runtime_error("bad command state, can't launch");
  auto made = std::make_shared<Command>();
  made->context = kernel->context->context;
  made->opcode = scalars[0].value();
  made->words = scalars[xdna::device::kInstructionCountArgument].value();
  made->data.resize(xdna::device::kDataArguments);
  for (const auto& [index, weak] : buffers) {
    const std::shared_ptr<bo_impl> buffer = weak.lock();
    if (!buffer) {
      std::string what = fmt::format(
          "a run was started whose argument {} ({}) is a buffer that was "
          "freed",
          index, kernel->Argument(index).name);
      kernel->npu().Report("use-after-free", what);
      throw xrt_core::system_error(EINVAL, what);
    }
    if (index == xdna::device::kInstructionArgument) {
      made->instructions = buffer->view;
    } else {
      made->data.at(static_cast<std::size_t>(index - xdna::device::kFirstDataArgument)) =
          buffer->view;
    }
  }
  if (!made->instructions.memory) {
    throw xrt_core::system_error(EINVAL,
                                 "a run was started without an instruction buffer "
                                 "(argument 1)");
  }
  return made;
}

void run_impl::Start(std::shared_ptr<Command> next) {
  if (!observed) {
    kernel->npu().Report(
        "result-ignored",
        fmt::format("run {} is started again and its state was never asked for", command->run));
  }
  command = std::move(next);
  observed = false;
  packet.state = ERT_CMD_STATE_RUNNING;
}

ert_cmd_state run_impl::State() const {
  if (!command) return ERT_CMD_STATE_NEW;
  return command->settled ? command->state : ERT_CMD_STATE_RUNNING;
}

ert_cmd_state run_impl::Observe() {
  packet.state = State();
  if (!std::exchange(observed, true)) {
    for (const auto& callback : callbacks) callback(State());
  }
  return State();
}

std::string run_impl::FailureMessage() const {
  return fmt::format("run {} ended with state {}: {}", command->run, StateName(command->state),
                     command->reason);
}

// --- run ---------------------------------------------------------------------------------------

run::run(const kernel& kernel) : handle(std::make_shared<run_impl>(kernel.get_handle())) {}
run::~run() = default;

void run::start() {
  xdna::device::Npu& npu = handle->kernel->npu();
  const auto lock = npu.Lock();
  const std::shared_ptr<Command> command = handle->MakeCommand();
  handle->Start(command);
  npu.Submit({&command, 1});
}

ert_cmd_state run::wait(const std::chrono::milliseconds& timeout) const {
  xdna::device::Npu& npu = handle->kernel->npu();
  const auto lock = npu.Lock();
  if (!handle->command) return ERT_CMD_STATE_NEW;
  if (!npu.Wait(*handle->command, static_cast<double>(timeout.count()) * kUsPerMs)) {
    handle->observed = true;
    return ERT_CMD_STATE_TIMEOUT;
  }
  return handle->Observe();
}

std::cv_status run::wait2(const std::chrono::milliseconds& timeout) const {
  const ert_cmd_state state = wait(timeout);
  if (handle->IsRunning()) return std::cv_status::timeout;
  if (state == ERT_CMD_STATE_COMPLETED) return std::cv_status::no_timeout;
  if (!handle->command) throw command_error(state, "the run was not started");
  throw command_error(*this, handle->FailureMessage());
}

ert_cmd_state run::state() const {
  xdna::device::Npu& npu = handle->kernel->npu();
  const auto lock = npu.Lock();
  if (handle->IsRunning()) npu.Poll(*handle->command);
  return handle->IsRunning() ? ERT_CMD_STATE_RUNNING : handle->Observe();
}

// The NPU's driver can't take a run back: XRT returns the state at the run's end.
ert_cmd_state run::abort() {
  if (!handle->command) throw xrt_core::error(EINVAL, "Cannot abort command that wasn't started");
  return wait(std::chrono::milliseconds(0));
}

uint32_t run::return_code() const { return 0; }

void run::add_callback(ert_cmd_state state,
                       std::function<void(const void*, ert_cmd_state, void*)> callback,
                       void* data) {
  if (state != ERT_CMD_STATE_COMPLETED) {
    throw xrt_core::error(-EINVAL,
                          "Cannot add callback, run state may only be ERT_CMD_STATE_COMPLETED");
  }
  if (handle->IsRunning()) {
    throw xrt_core::error(-EINVAL, "Cannot add callback to running unmanaged command");
  }
  const void* key = handle.get();
  handle->callbacks.push_back(
      [key, data, call = std::move(callback)](ert_cmd_state ended) { call(key, ended, data); });
}

int run::get_arg_index(const std::string& name) const {
  const auto& arguments = handle->kernel->arguments->arguments;
  const auto found =
      std::ranges::find_if(arguments, [&](const auto& argument) { return argument.name == name; });
  if (found == arguments.end()) {
    throw xrt_core::error(EINVAL, fmt::format("No such kernel argument '{}'", name));
  }
  return static_cast<int>(found - arguments.begin());
}

namespace {

void ReportInFlight(const run_impl& run, int index) {
  if (!run.IsRunning()) return;
  run.kernel->npu().Report("write-in-flight",
                           fmt::format("argument {} of run {} was set before it was waited for",
                                       index, run.command->run));
}

}  // namespace

void run::set_arg_at_index(int index, const void* value, size_t bytes) {
  const auto lock = handle->kernel->npu().Lock();
  ReportInFlight(*handle, index);
  handle->SetScalar(index, value, bytes);
}

void run::set_arg_at_index(int index, const xrt::bo& buffer) {
  const auto lock = handle->kernel->npu().Lock();
  ReportInFlight(*handle, index);
  handle->SetBuffer(index, buffer);
}

ert_packet* run::get_ert_packet() const { return &handle->packet; }

// --- run::command_error ------------------------------------------------------------------------

class run::command_error_impl {
 public:
  ert_cmd_state state;
  std::string message;
};

run::command_error::command_error(ert_cmd_state state, const std::string& message)
    : detail::pimpl<command_error_impl>(
          std::make_shared<command_error_impl>(command_error_impl{state, message})) {}

run::command_error::command_error(const xrt::run& run, const std::string& message)
    : command_error(run.get_handle()->State(), message) {}

ert_cmd_state run::command_error::get_command_state() const { return handle->state; }
const char* run::command_error::what() const noexcept { return handle->message.c_str(); }

}  // namespace xrt
