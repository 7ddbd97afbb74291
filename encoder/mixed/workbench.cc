#include "encoder/mixed/workbench.h"

#include <algorithm>
#include <cstring>

#include "base/bf16.h"
#include "encoder/schedule_designs.h"
#include "kernels/npu/kernels.h"

namespace xdna::encoder::mixed {
namespace {

constexpr double kMicro = 1e6;

}  // namespace

Workbench::Workbench(const Model& model, const EncoderShape& shape, const Schedule& schedule,
                     const CpuProfile& cpu, bool data)
    : model_(model), shape_(shape), schedule_(schedule), cpu_(cpu), data_(data) {
  kernels::RegisterNpuKernels();
  gemm_ = ProductOf(schedule, shape.d);
  padded_rows_ = UpTo(UpTo(Size(shape.positions), 4 * gemm_.m), 256);
  padded_rows_ = std::max(padded_rows_, UpTo(Size(shape.positions), 16 * kNormRows));
}

void Workbench::BeginWindow() {
  times_ = {};
  site_ = list_ = 0;
  last_session_ = nullptr;
}

void Workbench::EndWindow(const device::RunTimer& timer) {
  times_.total = timer.ElapsedUs() / 1e3;
  split_ = timer.Split().value_or(device::TimeSplit{});
  warm_ = true;
}

void Workbench::Cpu(double us) {
  device::Idle(us);
  times_.cpu += us / 1e3;
}
void Workbench::CpuGemm(double flops) { Cpu(flops / cpu_.gemm_flops * kMicro); }
void Workbench::CpuRows(double values) { Cpu(values / cpu_.row_values * kMicro); }
void Workbench::CpuCopy(double bytes) { Cpu(bytes / cpu_.copy_bytes * kMicro); }
void Workbench::CpuConvert(double values) { Cpu(values / cpu_.convert_values * kMicro); }

Value& Workbench::NewValue(const std::string& name, std::int64_t rows, std::int64_t cols,
                           std::size_t pitch, unsigned element, std::size_t room) {
  Value& v = values_[name];
  if (v.name.empty()) {
    v.name = name;
    v.rows = rows;
    v.cols = cols;
    v.pitch = pitch == 0 ? Size(cols) : pitch;
    v.element = element;
    v.capacity =
        UpTo(std::max(room, (std::max(padded_rows_, Size(rows)) * v.pitch + 4096) * element), 64);
    v.host = Tensor(DType::kF32, {rows, cols});
    std::fill_n(v.host.data<float>(), v.host.size(), 0.0F);
  }
  v.on_host = v.on_device = false;
  return v;
}

void Workbench::SetConstant(Value& v, const std::string& name, std::span<const std::byte> bytes) {
  v.name = name;
  v.capacity = bytes.size();
  std::ranges::copy(bytes, Memory(v).begin());
  if (!Fresh()) v.buffer->ToDevice();
  v.on_device = true;
}

std::span<std::byte> Workbench::Memory(Value& v) {
  if (Fresh()) {
    v.image.resize(v.capacity);
    return v.image;
  }
  if (!v.buffer) {
    // Padding is read, too: whatever it holds, it has to be finite.
    v.buffer.emplace(AnySession().MakeData(0, v.capacity));
    std::ranges::fill(v.buffer->As<std::byte>(), std::byte{0});
    v.buffer->ToDevice();
  }
  return v.buffer->As<std::byte>();
}

void Workbench::ToDevice(Value& v) {
  if (v.on_device) return;
  const std::span<std::byte> to = Memory(v);
  if (v.element == 2) CpuConvert(static_cast<double>(v.host.size()));
  if (data_) {
    const float* from = v.host.data<float>();
    for (std::int64_t i = 0; i < v.rows; ++i) {
      std::byte* row = to.data() + Size(i) * v.pitch * v.element;
      if (v.element == 4) {
        std::memcpy(row, from + i * v.cols, 4 * Size(v.cols));
        continue;
      }
      auto* bits = reinterpret_cast<Bf16*>(row);
      for (std::int64_t j = 0; j < v.cols; ++j) bits[j] = Bf16::FromFloat(from[i * v.cols + j]);
    }
  }
  if (!Fresh()) v.buffer->ToDevice(0, Size(v.rows) * v.pitch * v.element);
  v.on_device = true;
}

void Workbench::ToHost(Value& v) {
  if (v.on_host) return;
  Flush(true);
  const std::span<std::byte> from = Memory(v);
  if (!Fresh()) v.buffer->FromDevice(0, Size(v.rows) * v.pitch * v.element);
  if (v.element == 2) CpuConvert(static_cast<double>(v.host.size()));
  if (data_) {
    float* to = v.host.data<float>();
    for (std::int64_t i = 0; i < v.rows; ++i) {
      const std::byte* row = from.data() + Size(i) * v.pitch * v.element;
      if (v.element == 4) {
        std::memcpy(to + i * v.cols, row, 4 * Size(v.cols));
        continue;
      }
      const auto* bits = reinterpret_cast<const Bf16*>(row);
      for (std::int64_t j = 0; j < v.cols; ++j) to[i * v.cols + j] = bits[j].ToFloat();
    }
  }
  v.on_host = true;
}

void Workbench::Fetch(Value& v) {
  if (schedule_.resident) return;
  ToHost(v);
  v.OnlyOnHost();
}

}  // namespace xdna::encoder::mixed
