#include "ops/internal/npu_array.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/sha256.h"
#include "device/container/container.h"
#include "device/measure.h"
#include "kernels/npu/kernels.h"

namespace xdna::ops {

using device::Keep;

std::string_view BrokenLimit(std::string_view reason) {
  constexpr std::pair<std::string_view, std::string_view> kLimits[] = {
      {"memory of mem(", "memory tile"},  {"memory of ", "core memory"},
      {"programs of ", "program memory"}, {"channel", "DMA channels"},
      {"descriptor", "descriptors"},      {"of a shim", "descriptors"},
      {"length ", "descriptors"},         {"dimension", "descriptors"},
  };
  for (const auto& [text, limit] : kLimits) {
    if (reason.find(text) != std::string_view::npos) return limit;
  }
  return "design";
}

// --- ArrayDevice -------------------------------------------------------------------------------

ArrayDevice::ArrayDevice(ArrayOptions options) : options_(std::move(options)) {
  if (options_.batch < 0 || options_.columns < 1 ||
      options_.columns > static_cast<std::size_t>(device::kColumns)) {
    Throw(ErrorCode::kInvalidArgument,
          "batch {} on {} columns; want 0 or more rows on 1 to {} columns", options_.batch,
          options_.columns, device::kColumns);
  }
  if (!device::IsSimulated()) {
    Throw(ErrorCode::kUnsupported,
          "the overlays of //kernels/array are made for the simulated NPU; a binary of your own "
          "runs on hardware by //bench:xclbin");
  }
  kernels::RegisterNpuKernels();
}

std::shared_ptr<device::Session> ArrayDevice::Open(
    const std::string& name, const std::function<device::Overlay()>& overlay) {
  return pool_.Get(name, [&] {
    std::vector<char>& xclbin = xclbins_[name];
    if (xclbin.empty()) xclbin = device::EncodeContainer(overlay());
    return xclbin;
  });
}

void ArrayDevice::Count(std::int64_t runs) {
  totals_.runs += runs;
  const std::optional<device::ArrayResult> result = device::LastArrayResult();
  if (!result) return;
  double shim = 0;
  for (const device::LaneTotals& lane : result->lanes) {
    if (lane.name.starts_with("shim")) shim = std::max(shim, lane.busy);
  }
  const auto times = static_cast<double>(runs);
  totals_.cycles += times * result->cycles;
  totals_.instruction_cycles += times * result->instruction_cycles;
  totals_.core_cycles += times * result->core_cycles_max;
  totals_.shim_cycles += times * shim;
  totals_.bytes_read += times * static_cast<double>(result->bytes_read);
  totals_.bytes_written += times * static_cast<double>(result->bytes_written);
}

std::map<std::string, std::string> ArrayDevice::OverlayHashes() const {
  std::map<std::string, std::string> hashes;
  for (const auto& [name, bytes] : xclbins_) hashes[name] = Sha256(bytes.data(), bytes.size());
  return hashes;
}

std::shared_ptr<ArrayDevice> DeviceFor(const CpuContext& context) {
  if (context.array == nullptr) return std::make_shared<ArrayDevice>();
  return {context.array, [](ArrayDevice*) {}};
}

// --- ArrayStage --------------------------------------------------------------------------------

namespace {

std::int64_t BatchOf(const ArrayOptions& options, std::int64_t rows, std::int64_t batch) {
  if (batch == 0) batch = options.batch;
  return batch == 0 ? rows : std::min(rows, batch);
}

}  // namespace

struct ArrayStage::Slot {
  std::vector<device::DeviceBuffer> buffers;  // constants apart
  std::map<std::int64_t, device::Run> runs;   // by rows
};

struct ArrayStage::State {
  std::shared_ptr<device::Session> session;
  std::map<std::int64_t, device::DeviceBuffer> instructions;  // by rows
  std::vector<device::DeviceBuffer> constants;
  std::vector<Slot> slots;
  std::optional<device::RunList> runlist;  // of a whole group of whole batches
};

ArrayStage::ArrayStage(std::shared_ptr<ArrayDevice> device, ArrayDesign design, std::int64_t rows,
                       std::int64_t batch)
    : device_(std::move(device)),
      design_(std::move(design)),
      rows_(rows),
      batch_(BatchOf(device_->options(), rows, batch)) {
  static_cast<void>(design_.instructions(batch_));
}

ArrayStage::~ArrayStage() = default;

void ArrayStage::Run(const Fill& fill, const Drain& drain) {
  try {
    Call(fill, drain);
  } catch (...) {
    state_.reset();
    device_->Close(design_.name);
    throw;
  }
  poisoned_ = device_->poisonings();
  if (device_->options().reuse.keep >= Keep::kContext) return;
  state_.reset();
  device_->Close(design_.name);
}

void ArrayStage::Call(const Fill& fill, const Drain& drain) {
  const device::Reuse& reuse = device_->options().reuse;
  if (!state_) {
    state_ = std::make_unique<State>();
    state_->session = device_->Open(design_.name, design_.overlay);
  }
  const std::int64_t runs = (rows_ + batch_ - 1) / batch_;
  const std::int64_t group = std::min<std::int64_t>(reuse.runs, runs);
  for (std::int64_t first = 0; first < runs; first += group) {
    Group(first, std::min(group, runs - first), fill, drain);
    if (reuse.keep == Keep::kNothing) {
      state_->slots.clear();
      state_->constants.clear();
    }
  }
}

std::int64_t ArrayStage::RowsOf(std::int64_t run) const {
  return std::min(batch_, rows_ - run * batch_);
}

ArrayStage::Slot ArrayStage::MakeSlot() const {
  const bool first = state_->constants.empty();
  Slot slot;
  for (std::size_t i = 0; i < design_.buffers.size(); ++i) {
    const ArrayBuffer& buffer = design_.buffers[i];
    const bool constant = buffer.role == ArrayBuffer::Role::kConstant;
    if (constant && !first) continue;
    auto& list = constant ? state_->constants : slot.buffers;
    list.push_back(state_->session->MakeData(static_cast<int>(i), buffer.bytes(batch_)));
    if (!constant) continue;
    const std::span<std::byte> to = list.back().As<std::byte>();
    std::copy_n(buffer.constant.begin(), std::min(buffer.constant.size(), to.size()), to.begin());
    list.back().ToDevice();
  }
  return slot;
}

device::Run& ArrayStage::RunOf(Slot& slot, std::int64_t rows) {
  const auto found = slot.runs.find(rows);
  if (found != slot.runs.end()) return found->second;
  auto instructions = state_->instructions.find(rows);
  if (instructions == state_->instructions.end()) {
    const auto words = device::EncodeInstructions(design_.instructions(rows));
    instructions =
        state_->instructions.emplace(rows, state_->session->MakeInstructions(words)).first;
  }
  std::vector<const device::DeviceBuffer*> data;
  auto own = slot.buffers.begin();
  auto constant = state_->constants.begin();
  for (const ArrayBuffer& buffer : design_.buffers) {
    data.push_back(buffer.role == ArrayBuffer::Role::kConstant ? &*constant++ : &*own++);
  }
  return slot.runs.emplace(rows, state_->session->MakeRun(instructions->second, data))
      .first->second;
}

void ArrayStage::Group(std::int64_t first, std::int64_t count, const Fill& fill,
                       const Drain& drain) {
  const bool data = device_->options().data;
  const auto for_each = [&](ArrayBuffer::Role role, auto&& body) {
    for (std::int64_t i = 0; i < count; ++i) {
      auto buffer = state_->slots[static_cast<std::size_t>(i)].buffers.begin();
      for (std::size_t index = 0; index < design_.buffers.size(); ++index) {
        const ArrayBuffer& spec = design_.buffers[index];
        if (spec.role == ArrayBuffer::Role::kConstant) continue;
        const std::int64_t rows = RowsOf(first + i);
        if (spec.role == role) body(index, (first + i) * batch_, rows, spec.bytes(rows), *buffer);
        ++buffer;
      }
    }
  };
  while (std::ssize(state_->slots) < count) state_->slots.push_back(MakeSlot());
  if (data && poisoned_ != device_->poisonings()) {
    for_each(ArrayBuffer::Role::kOut,
             [](auto, auto, auto, auto, auto& buffer) { buffer.Poison(); });
  }
  for_each(ArrayBuffer::Role::kIn, [&](std::size_t index, std::int64_t row, std::int64_t rows,
                                       std::size_t bytes, device::DeviceBuffer& buffer) {
    if (data) fill(index, row, rows, buffer.As<std::byte>().first(bytes));
    buffer.ToDevice(0, bytes);
  });
  Submit(first, count);
  for_each(ArrayBuffer::Role::kOut, [&](std::size_t index, std::int64_t row, std::int64_t rows,
                                        std::size_t bytes, device::DeviceBuffer& buffer) {
    buffer.FromDevice(0, bytes);
    if (!data) return;
    buffer.CheckWritten(0, bytes);
    drain(index, row, rows, buffer.As<std::byte>().first(bytes));
  });
}

void ArrayStage::Submit(std::int64_t first, std::int64_t count) {
  const device::Reuse& reuse = device_->options().reuse;
  if (reuse.keep < Keep::kRunlists) {
    RunOf(state_->slots.front(), RowsOf(first)).Execute();
    return device_->Count(1);
  }
  const bool whole = count == reuse.runs && RowsOf(first + count - 1) == batch_;
  std::optional<device::RunList> part;
  std::optional<device::RunList>& list = whole ? state_->runlist : part;
  if (!list) {
    list.emplace(*state_->session);
    for (std::int64_t i = 0; i < count; ++i) {
      Slot& slot = state_->slots[static_cast<std::size_t>(i)];
      // A run belongs to one list.
      if (!whole) slot.runs.erase(RowsOf(first + i));
      list->Add(RunOf(slot, RowsOf(first + i)));
    }
  }
  list->Execute();
  device_->Count(count);
}

}  // namespace xdna::ops
