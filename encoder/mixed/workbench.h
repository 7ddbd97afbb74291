// What all parts of a mixed schedule stand on: activations with a copy on the host, on the device
// or both; the CPU's declared time; runs through XRT, one by one or in lists.
#ifndef ENCODER_MIXED_WORKBENCH_H_
#define ENCODER_MIXED_WORKBENCH_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "device/array/instructions.h"
#include "device/array/overlay.h"
#include "device/measure.h"
#include "device/session.h"
#include "encoder/cpu_profile.h"
#include "encoder/graph.h"
#include "encoder/int8_designs.h"
#include "encoder/mixed_encoder.h"
#include "encoder/schedule.h"
#include "encoder/weights/model.h"
#include "kernels/array/gemm.h"

namespace xdna::encoder::mixed {

inline std::size_t Size(std::int64_t value) { return static_cast<std::size_t>(value); }
inline std::size_t UpTo(std::size_t value, std::size_t step) {
  return (value + step - 1) / step * step;
}

// Rows of a call of a normalisation's kernel.
inline constexpr std::size_t kNormRows = 4;

// An activation: f32 on the host, bf16 (or, for the stream, f32) rows of `pitch` elements in device
// memory, each where it is valid.
struct Value {
  std::string name;
  std::int64_t rows = 0, cols = 0;
  std::size_t pitch = 0;     // elements
  std::size_t capacity = 0;  // bytes
  unsigned element = 2;      // bytes on the device: 1 int8, 2 bf16, 4 f32 or int32
  Tensor host;
  bool on_host = false, on_device = false;
  std::optional<device::DeviceBuffer> buffer;
  std::vector<std::byte> image;  // in the buffer's place, where buffers are made for each run

  // The one copy that is valid from now on.
  void OnlyOnHost() {
    on_host = true;
    on_device = false;
  }
  void OnlyOnDevice() {
    on_host = false;
    on_device = true;
  }
};

struct Argument {
  Value* value = nullptr;
  std::size_t offset = 0, bytes = 0;
  bool out = false;
};

class Workbench {
 public:
  // `data`: false for a device that gives times only; nothing is computed or moved then.
  Workbench(const Model& model, const EncoderShape& shape, const Schedule& schedule,
            const CpuProfile& cpu, bool data);

  // Around a window: times of the parts begin at 0, sites of dispatches at the first.
  void BeginWindow();
  void EndWindow(const device::RunTimer& timer);

  const EncoderShape& shape() const { return shape_; }
  const Schedule& schedule() const { return schedule_; }
  const kernels::GemmConfig& gemm() const { return gemm_; }  // of all bf16 products with weights
  std::size_t padded_rows() const { return padded_rows_; }
  bool data() const { return data_; }
  // The residual sum and the normalisation are one design.
  bool FusesNorm() const { return schedule_.norm == "add_norm_f32"; }
  // Buffers are made for each run.
  bool Fresh() const { return schedule_.keep == device::Keep::kNothing; }
  MixedTimes& times() { return times_; }
  const device::TimeSplit& split() const { return split_; }
  Tensor Load(const std::string& name) const { return LoadWeight(model_, shape_, name); }

  // The CPU works for so long, by its profile.
  void Cpu(double us);
  void CpuGemm(double flops);
  void CpuRows(double values);
  void CpuCopy(double bytes);
  void CpuConvert(double values);

  // The value of that name, valid nowhere. `pitch` 0: as many as columns; `room`: bytes at least.
  Value& NewValue(const std::string& name, std::int64_t rows, std::int64_t cols,
                  std::size_t pitch = 0, unsigned element = 2, std::size_t room = 0);
  // Gives a new value bytes that stay on the device as they are.
  void SetConstant(Value& v, const std::string& name, std::span<const std::byte> bytes);
  Value& Find(const std::string& name) { return values_[name]; }
  std::span<std::byte> Memory(Value& v);
  // Where it isn't yet; f32 is converted on the CPU.
  void ToDevice(Value& v);
  void ToHost(Value& v);
  // Where activations do not stay, the host takes each result at once.
  void Fetch(Value& v);

  device::Session& Open(const std::string& name, const std::function<device::Overlay()>& overlay);
  // Runs, or in a list's place notes for the next Flush(). Throws kUnavailable where a run fails.
  void Dispatch(device::Session& session, std::vector<device::Instruction> instructions,
                const std::vector<Argument>& arguments);
  // The normalisation and the products with weights share a context, which has int8 products.
  bool SharesContext() const { return schedule_.precision == "int8"; }
  // The same on that context; where there is none, the bf16 product on its own.
  void DispatchShared(SharedDesign design, std::vector<device::Instruction> instructions,
                      const std::vector<Argument>& arguments);
  // Submits what waits, and waits for all that was submitted if `wait` or nothing may overlap.
  void Flush(bool wait);

 private:
  // A place in the program that dispatches: what it made the first time serves every window.
  struct Site {
    std::optional<device::DeviceBuffer> words;
    std::optional<device::Run> run;
    device::Session* session = nullptr;
  };

  // Of bf16 products with weights, and of what shares their context.
  device::Session& OpenGemm();
  device::Session& AnySession();
  void DispatchFresh(device::Session& session, const std::vector<device::Instruction>& instructions,
                     const std::vector<Argument>& arguments);
  void DispatchKept(device::Session& session, std::vector<device::Instruction> instructions,
                    const std::vector<Argument>& arguments);
  void Execute(device::Run& run);
  void Account();

  const Model& model_;
  EncoderShape shape_;
  Schedule schedule_;
  CpuProfile cpu_;
  bool data_;
  kernels::GemmConfig gemm_;
  std::size_t padded_rows_ = 0;
  std::map<std::string, std::unique_ptr<device::Session>> sessions_;
  std::map<std::string, Value> values_;
  std::deque<Site> sites_;
  std::size_t site_ = 0;
  std::vector<Site*> pending_;
  std::deque<device::RunList> lists_;
  std::size_t list_ = 0;
  std::vector<std::size_t> in_flight_;
  // What the window last ran: its context, and of the shared one its design.
  const device::Session* last_session_ = nullptr;
  SharedDesign last_design_ = SharedDesign::kProduct;
  bool warm_ = false;
  double split_us_ = 0;
  MixedTimes times_;
  device::TimeSplit split_;
};

}  // namespace xdna::encoder::mixed

#endif  // ENCODER_MIXED_WORKBENCH_H_
