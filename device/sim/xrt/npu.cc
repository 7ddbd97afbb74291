#include "device/sim/xrt/npu.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <thread>
#include <utility>

#include "base/error.h"
#include "device/sim/xrt/errors.h"
#include "xrt/detail/xrt_mem.h"

namespace xdna::device {
namespace {

constexpr double kMib = 1 << 20;

int Threads(int asked) {
  return asked > 0 ? asked : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

std::shared_ptr<Npu>& CurrentNpu() {
  static auto current = std::make_shared<Npu>(DeviceOptions());
  return current;
}

void CheckOptions(const DeviceOptions& options) {
  if (options.codegen != "chess" && options.codegen != "peano") {
    Throw(ErrorCode::kInvalidArgument, "code generator '{}': neither 'chess' nor 'peano'",
          options.codegen);
  }
  if (options.threads < 0) {
    Throw(ErrorCode::kInvalidArgument, "threads: {}, at least 0", options.threads);
  }
}

}  // namespace

Npu::Npu(const DeviceOptions& options)
    : options_((CheckOptions(options), options)),
      preset_(FindPreset(options.preset)),
      host_(FindHostProfile(options.host)),
      plan_(options.faults, options.fault_seed),
      pool_(Threads(options.threads)) {
  if (options_.keep_trace) {
    host_lane_ = trace_.Lane("host", "host");
    firmware_lane_ = trace_.Lane("firmware", "firmware");
  }
}

std::shared_ptr<Npu> Npu::Current() { return CurrentNpu(); }

void Npu::Configure(const DeviceOptions& options) {
  if (CurrentNpu().use_count() > 1) {
    Throw(ErrorCode::kUnavailable,
          "the simulated NPU is open: configure it before the first xrt::device, or after the last "
          "object of XRT is gone");
  }
  CurrentNpu() = std::make_shared<Npu>(options);
}

// --- time --------------------------------------------------------------------------------------

void Npu::Spend(Part part, double us, const char* what) {
  if (options_.keep_trace && us > 0) {
    trace_.SetOrigin(0);
    trace_.Add({.lane = host_lane_,
                .what = what,
                .detail = {},
                .begin_us = now_us_,
                .end_us = now_us_ + us});
  }
  spent_.*part += us;
  now_us_ += us;
}

void Npu::Advance(Part part, double us, const char* what) {
  if (us <= 0) return;
  // How long a failure lasts is only known when its context is closed; the host's wait shows it.
  if (options_.keep_trace && part != &TimeSplit::failed) {
    trace_.SetOrigin(0);
    trace_.Add({.lane = firmware_lane_,
                .what = what,
                .detail = {},
                .begin_us = device_us_,
                .end_us = device_us_ + us});
  }
  segments_.push_back({part, device_us_, device_us_ + us});
  device_us_ += us;
}

// What the device does meanwhile is what the host waits for; between its runs it does nothing.
void Npu::WaitUntil(double us) {
  if (us <= now_us_) return;
  if (options_.keep_trace) {
    trace_.SetOrigin(0);
    trace_.Add(
        {.lane = host_lane_, .what = "wait", .detail = {}, .begin_us = now_us_, .end_us = us});
  }
  double accounted = 0;
  for (const Segment& segment : segments_) {
    const double overlap = std::min(us, segment.end_us) - std::max(now_us_, segment.begin_us);
    if (overlap <= 0) continue;
    spent_.*segment.part += overlap;
    accounted += overlap;
  }
  spent_.idle += us - now_us_ - accounted;
  now_us_ = us;
  std::erase_if(segments_, [us](const Segment& segment) { return segment.end_us <= us; });
}

// --- contexts and buffers ----------------------------------------------------------------------

std::shared_ptr<Context> Npu::CreateContext(Overlay overlay) {
  std::erase_if(contexts_, [](const auto& context) { return context.expired(); });
  if (contexts_.size() >= kContexts) {
    throw xrt_core::system_error(EINVAL, "DRM_IOCTL_AMDXDNA_CREATE_HWCTX IOCTL failed (err=-22)");
  }
  auto context = std::make_shared<Context>();
  const auto taken = [this](std::uint32_t slot) {
    return std::ranges::any_of(contexts_,
                               [slot](const auto& other) { return other.lock()->slot == slot; });
  };
  while (taken(context->slot)) ++context->slot;
  context->array = MakeArray(overlay);
  context->overlay = std::move(overlay);
  contexts_.push_back(context);
  Spend(&TimeSplit::context_create, preset_.dispatch.context_create_us, "create context");
  awake_us_ = now_us_;
  return context;
}

void Npu::CloseContext(const std::shared_ptr<Context>& context) {
  std::erase_if(queue_, [&](const auto& command) {
    if (command->context != context) return false;
    command->executed = true;
    command->end_us = now_us_;
    Fail(*command, ERT_CMD_STATE_ABORT, "its context was closed");
    return true;
  });
  const bool hangs = on_array_.lock() == context && device_us_ > now_us_ && !segments_.empty() &&
                     segments_.back().part == &TimeSplit::failed;
  if (!hangs) return;
  segments_.back().end_us = std::max(now_us_, segments_.back().begin_us);
  device_us_ = segments_.back().end_us;
}

std::unique_ptr<SimArray> Npu::MakeArray(const Overlay& overlay) {
  return std::make_unique<SimArray>(overlay, preset_.array,
                                    ArrayOptions{.codegen = options_.codegen,
                                                 .functional = options_.functional,
                                                 .pool = &pool_,
                                                 .trace = options_.keep_trace ? &trace_ : nullptr});
}

std::shared_ptr<BoMemory> Npu::CreateBuffer(std::size_t bytes, std::uint32_t flags,
                                            std::uint32_t group) {
  const bool known = flags == XRT_BO_FLAGS_NONE || flags == XRT_BO_FLAGS_HOST_ONLY ||
                     flags == XRT_BO_FLAGS_CACHEABLE;
  if (!known) {
    throw xrt_core::system_error(
        EINVAL, fmt::format("Invalid BO flags: 0x{:x} (the NPU has HOST_ONLY buffers for data and "
                            "CACHEABLE ones for instructions)",
                            flags));
  }
  if (bytes == 0) throw xrt_core::system_error(EINVAL, "buffer size 0");
  const bool instructions = flags == XRT_BO_FLAGS_CACHEABLE;
  std::size_t& used = instructions ? instruction_bytes_ : host_bytes_;
  const std::size_t limit = instructions ? kInstructionHeapBytes : kHostHeapBytes;
  const auto no_room = [&] {
    return xrt_core::system_error(
        ENOMEM, fmt::format("DRM_IOCTL_AMDXDNA_CREATE_BO IOCTL failed (err=-12): {} bytes, {} of "
                            "{} are in use",
                            bytes, used, limit));
  };
  if (bytes > limit) throw no_room();
  const std::size_t pages = (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
  if (pages > limit - used) throw no_room();
  std::shared_ptr<BoMemory> memory;
  try {
    memory = std::make_shared<BoMemory>(bytes);
  } catch (const std::bad_alloc&) {
    throw no_room();
  }
  memory->address = next_address_;
  memory->flags = flags;
  memory->group = group;
  next_address_ += pages + kPageBytes;
  used += pages;
  Spend(&TimeSplit::buffers,
        host_.bo_create_us + host_.bo_create_us_per_mib * static_cast<double>(bytes) / kMib,
        "create buffer");
  return memory;
}

void Npu::FreeBuffer(BoMemory& memory) {
  if (memory.in_flight > 0) {
    Report("freed-in-flight",
           fmt::format("a buffer of {} bytes was freed while a run that was not waited for uses it",
                       memory.bytes));
  }
  if (const std::string damage = memory.host.Damage(); !damage.empty()) {
    Report("host-guard", fmt::format("the host wrote outside a buffer: {}", damage));
  }
  const std::size_t pages = (memory.bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
  (memory.flags == XRT_BO_FLAGS_CACHEABLE ? instruction_bytes_ : host_bytes_) -= pages;
}

void Npu::SyncToDevice(BoMemory& memory, std::size_t offset, std::size_t bytes) {
  Spend(&TimeSplit::sync, host_.sync_us + host_.sync_us_per_mib * static_cast<double>(bytes) / kMib,
        "sync");
  if (memory.in_flight > 0) {
    Report("write-in-flight",
           fmt::format("a buffer of {} bytes was synced to the device while a run that was not "
                       "waited for uses it",
                       memory.bytes));
  }
  if (const std::string damage = memory.host.Damage(); !damage.empty()) {
    Report("host-guard", fmt::format("the host wrote outside a buffer: {}", damage));
    memory.host.Repair();
  }
  if (offset == 0 && bytes == memory.bytes) memory.failed_run = 0;
  if (!options_.functional && memory.flags != XRT_BO_FLAGS_CACHEABLE) return;
  std::memcpy(memory.device.bytes().data() + offset, memory.host.bytes().data() + offset, bytes);
}

void Npu::SyncFromDevice(BoMemory& memory, std::size_t offset, std::size_t bytes) {
  Spend(&TimeSplit::sync, host_.sync_us + host_.sync_us_per_mib * static_cast<double>(bytes) / kMib,
        "sync");
  if (memory.in_flight > 0) {
    Report("read-before-wait",
           fmt::format("a buffer of {} bytes was synced from the device before the run that uses "
                       "it was waited for",
                       memory.bytes));
  }
  if (memory.failed_run > 0) {
    Report("result-of-failure",
           fmt::format("a buffer of {} bytes was synced from the device after run {}, which writes "
                       "it, had failed",
                       memory.bytes, memory.failed_run));
  }
  if (std::exchange(memory.skip_next_read, false) || !options_.functional) return;
  std::memcpy(memory.host.bytes().data() + offset, memory.device.bytes().data() + offset, bytes);
}

// --- runs --------------------------------------------------------------------------------------

void Npu::Submit(std::span<const std::shared_ptr<Command>> commands) {
  for (const auto& command : commands) {
    Spend(&TimeSplit::submit, command->runlist_failed ? host_.runlist_submit_us : host_.submit_us,
          "submit");
    command->run = ++runs_;
    ++command->instructions.memory->in_flight;
    for (const BufferView& view : command->data) {
      if (view.memory) ++view.memory->in_flight;
    }
  }
  for (const auto& command : commands) {
    command->submitted_us = now_us_;
    queue_.push_back(command);
  }
}

void Npu::ExecuteUntil(const Command& last) {
  while (!last.executed) {
    const std::shared_ptr<Command> next = queue_.front();
    queue_.pop_front();
    Execute(*next);
  }
}

bool Npu::Wait(Command& command, double timeout_us) {
  ExecuteUntil(command);
  if (timeout_us > 0 && command.end_us > now_us_ + timeout_us) {
    WaitUntil(now_us_ + timeout_us);
    return false;
  }
  WaitUntil(command.end_us);
  Settle(command);
  return true;
}

bool Npu::Poll(Command& command) {
  ExecuteUntil(command);
  Spend(&TimeSplit::idle, kPollUs, "poll");
  if (command.end_us > now_us_) return false;
  Settle(command);
  return true;
}

void Npu::Settle(Command& command) {
  if (std::exchange(command.settled, true)) return;
  --command.instructions.memory->in_flight;
  for (const BufferView& view : command.data) {
    if (view.memory) --view.memory->in_flight;
  }
}

void Npu::Report(const char* rule, std::string message) {
  fmt::print(stderr, "simulated NPU: {}: {}\n", rule, message);
  violations_.push_back({.rule = rule, .message = std::move(message), .at_us = now_us_});
}

}  // namespace xdna::device
