// The workbench's runs.
#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "device/container/container.h"
#include "encoder/int8_designs.h"
#include "encoder/mixed/workbench.h"
#include "encoder/npu_designs.h"

namespace xdna::encoder::mixed {

using device::Instruction;

device::Session& Workbench::Open(const std::string& name,
                                 const std::function<device::Overlay()>& overlay) {
  auto& session = sessions_[name];
  if (!session) {
    session = std::make_unique<device::Session>(
        device::Session::FromBytes(name, device::EncodeContainer(overlay())));
  }
  return *session;
}

device::Session& Workbench::OpenGemm() {
  return Open("gemm", [this] {
    return SharesContext() ? SharedOverlay(schedule_, shape_.d)
                           : ProductOverlay(gemm_, schedule_.table_gelu);
  });
}

// Buffers serve all contexts of a device.
device::Session& Workbench::AnySession() {
  return sessions_.empty() ? OpenGemm() : *sessions_.begin()->second;
}

void Workbench::Execute(device::Run& run) {
  const double extra = schedule_.Assumed("dispatch_us");
  const device::RunTimer timer;
  run.Execute();
  if (const auto split = timer.Split()) {
    split_us_ = split->array;
    times_.array += split->array / 1e3;
  }
  if (extra > 0) Cpu(extra);
  if (times_.runs == 0) times_.dispatch_kernel = timer.ElapsedUs() / 1e3;
  Account();
}

void Workbench::Account() {
  ++times_.runs;
  const auto result = device::LastArrayResult();
  if (!result) return;
  const double us = split_us_ / std::max(result->cycles, 1.0);
  times_.core += us * result->core_cycles_max / 1e3;
  times_.instruction += us * result->instruction_cycles / 1e3;
  double shim = 0;
  for (const device::LaneTotals& lane : result->lanes) {
    if (lane.name.starts_with("shim")) shim = std::max(shim, lane.busy);
  }
  times_.shim += us * shim / 1e3;
}

void Workbench::Dispatch(device::Session& session, std::vector<Instruction> instructions,
                         const std::vector<Argument>& arguments) {
  for (const Argument& a : arguments) {
    if (!a.out && !a.value->on_device) ToDevice(*a.value);
  }
  if (Fresh()) {
    DispatchFresh(session, instructions, arguments);
  } else {
    DispatchKept(session, std::move(instructions), arguments);
  }
  for (const Argument& a : arguments) {
    if (a.out) a.value->OnlyOnDevice();
  }
  last_session_ = &session;
}

// After a switch of contexts the array may be in the overlay's first configuration or as the
// context left it.
void Workbench::DispatchShared(SharedDesign design, std::vector<Instruction> instructions,
                               const std::vector<Argument>& arguments) {
  device::Session& session = OpenGemm();
  if (SharesContext() && (last_session_ != &session || last_design_ != design)) {
    instructions.insert(instructions.begin(),
                        device::Configure{.index = static_cast<unsigned>(design)});
  }
  last_design_ = design;
  Dispatch(session, std::move(instructions), arguments);
}

void Workbench::DispatchFresh(device::Session& session,
                              const std::vector<Instruction>& instructions,
                              const std::vector<Argument>& arguments) {
  std::vector<device::DeviceBuffer> buffers;
  std::vector<const device::DeviceBuffer*> data;
  int index = 0;
  for (const Argument& a : arguments) {
    buffers.push_back(session.MakeData(index++, UpTo(a.bytes, 4)));
    if (a.out) continue;
    const std::span<std::byte> from = Memory(*a.value).subspan(a.offset, a.bytes);
    if (data_) std::ranges::copy(from, buffers.back().As<std::byte>().begin());
    buffers.back().ToDevice();
  }
  const auto words = session.MakeInstructions(device::EncodeInstructions(instructions));
  for (const device::DeviceBuffer& buffer : buffers) data.push_back(&buffer);
  device::Run run = session.MakeRun(words, data);
  Execute(run);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Argument& a = arguments[i];
    if (!a.out) continue;
    buffers[i].FromDevice();
    if (data_) {
      buffers[i].CheckWritten();
      std::ranges::copy(buffers[i].As<std::byte>().first(a.bytes),
                        Memory(*a.value).begin() + static_cast<std::ptrdiff_t>(a.offset));
    }
  }
}

void Workbench::DispatchKept(device::Session& session, std::vector<Instruction> instructions,
                             const std::vector<Argument>& arguments) {
  if (site_ == sites_.size()) {
    Site& site = sites_.emplace_back();
    std::vector<const device::DeviceBuffer*> data;
    for (const Argument& a : arguments) {
      static_cast<void>(Memory(*a.value));
      data.push_back(&*a.value->buffer);
    }
    for (Instruction& instruction : instructions) {
      auto* d = std::get_if<device::WriteDescriptor>(&instruction);
      if (d != nullptr) d->offset += arguments[d->argument].offset;
    }
    site.words.emplace(session.MakeInstructions(device::EncodeInstructions(instructions)));
    site.run.emplace(session.MakeRun(*site.words, data));
    site.session = &session;
  }
  Site& site = sites_[site_++];
  // The first window runs one by one, which tells what the array does in each.
  if (schedule_.keep != device::Keep::kRunlists || !warm_) return Execute(*site.run);
  if (!pending_.empty() && pending_.back()->session != &session) Flush(false);
  pending_.push_back(&site);
}

void Workbench::Flush(bool wait) {
  if (!pending_.empty()) {
    if (list_ == lists_.size()) {
      device::RunList& list = lists_.emplace_back(*pending_.front()->session);
      for (const Site* site : pending_) list.Add(*site->run);
    }
    times_.runs += std::ssize(pending_);
    pending_.clear();
    lists_[list_].Start();
    in_flight_.push_back(list_++);
  }
  if (!wait && schedule_.overlap) return;
  for (const std::size_t list : in_flight_) lists_[list].Wait();
  in_flight_.clear();
}

}  // namespace xdna::encoder::mixed
