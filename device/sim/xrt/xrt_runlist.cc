// xrt::runlist of the simulated NPU.
#include <fmt/format.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "device/sim/xrt/errors.h"
#include "device/sim/xrt/impl.h"

namespace xrt {
namespace {

constexpr double kUsPerMs = 1000;

void CheckIdle(const runlist_impl& list) {
  if (list.executing) {
    throw xrt_core::error(EINVAL, "The runlist is submitted for execution: wait() for it first");
  }
}

void CheckAddable(const std::shared_ptr<runlist_impl>& list, const xrt::run& run) {
  if (!list) {
    throw xrt_core::error(EINVAL, "cannot add run object to uninitialized runlist");
  }
  CheckIdle(*list);
  if (!run) throw xrt_core::error(EINVAL, "cannot add uninitialized run object to runlist");
  if (run.get_handle()->kernel->context != list->context.get_handle()) {
    throw xrt_core::error(EINVAL, "runlist: a run belongs to another hw_context than the list");
  }
}

// After the last run's end. Marks all states as seen; the first run that failed, or null.
const xrt::run* ObserveAll(const runlist_impl& list, xdna::device::Npu& npu) {
  const xrt::run* failed = nullptr;
  for (const xrt::run& run : list.runs) {
    npu.Wait(*run.get_handle()->command, 0);
    const ert_cmd_state state = run.get_handle()->Observe();
    if (state != ERT_CMD_STATE_COMPLETED && failed == nullptr) failed = &run;
  }
  return failed;
}

}  // namespace

runlist::runlist(const xrt::hw_context& context)
    : detail::pimpl<runlist_impl>(std::make_shared<runlist_impl>()) {
  handle->context = context;
}

runlist::~runlist() = default;

void runlist::add(const xrt::run& run) {
  CheckAddable(handle, run);
  handle->runs.push_back(run);
}

void runlist::add(xrt::run&& run) {
  CheckAddable(handle, run);
  handle->runs.push_back(std::move(run));
}

void runlist::execute() {
  CheckIdle(*handle);
  if (handle->runs.empty()) return;
  xdna::device::Npu& npu = *handle->context.get_device().get_handle()->npu;
  const auto lock = npu.Lock();
  std::vector<std::shared_ptr<xdna::device::Command>> commands;
  const auto failed = std::make_shared<bool>(false);
  for (const xrt::run& run : handle->runs) {
    commands.push_back(run.get_handle()->MakeCommand());
    commands.back()->runlist_failed = failed;
    commands.back()->starts_runlist = commands.size() == 1;
  }
  for (std::size_t i = 0; i < commands.size(); ++i) {
    handle->runs[i].get_handle()->Start(commands[i]);
  }
  npu.Submit(commands);
  handle->executing = true;
}

std::cv_status runlist::wait(const std::chrono::milliseconds& timeout) const {
  if (!handle->executing) return std::cv_status::no_timeout;
  xdna::device::Npu& npu = *handle->context.get_device().get_handle()->npu;
  const auto lock = npu.Lock();
  auto& last = *handle->runs.back().get_handle();
  if (!npu.Wait(*last.command, static_cast<double>(timeout.count()) * kUsPerMs)) {
    for (const xrt::run& run : handle->runs) run.get_handle()->observed = true;
    return std::cv_status::timeout;
  }
  handle->executing = false;
  const xrt::run* failed = ObserveAll(*handle, npu);
  if (failed == nullptr) return std::cv_status::no_timeout;
  const auto& impl = *failed->get_handle();
  throw command_error(*failed, impl.State(),
                      fmt::format("runlist failed execution: {}", impl.FailureMessage()));
}

ert_cmd_state runlist::state() const {
  if (handle->runs.empty() || !handle->runs.back().get_handle()->command) {
    return ERT_CMD_STATE_NEW;
  }
  xdna::device::Npu& npu = *handle->context.get_device().get_handle()->npu;
  const auto lock = npu.Lock();
  auto& last = *handle->runs.back().get_handle();
  if (last.IsRunning() && !npu.Poll(*last.command)) return ERT_CMD_STATE_RUNNING;
  const xrt::run* failed = ObserveAll(*handle, npu);
  return failed == nullptr ? ERT_CMD_STATE_COMPLETED : failed->get_handle()->State();
}

// 0 while it runs.
int runlist::poll() const {
  if (state() == ERT_CMD_STATE_RUNNING) return 0;
  wait(std::chrono::milliseconds(0));
  return 1;
}

void runlist::reset() {
  CheckIdle(*handle);
  handle->runs.clear();
}

// --- runlist::command_error --------------------------------------------------------------------

class runlist::command_error_impl {
 public:
  xrt::run run;
  ert_cmd_state state;
  std::string message;
};

runlist::command_error::command_error(const xrt::run& run, ert_cmd_state state,
                                      const std::string& message)
    : detail::pimpl<command_error_impl>(
          std::make_shared<command_error_impl>(command_error_impl{run, state, message})) {}

xrt::run runlist::command_error::get_run() const { return handle->run; }
ert_cmd_state runlist::command_error::get_command_state() const { return handle->state; }
const char* runlist::command_error::what() const noexcept { return handle->message.c_str(); }

}  // namespace xrt
