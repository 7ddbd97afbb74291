#include "encoder/mixed_encoder.h"

#include <dnnl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "base/bf16.h"
#include "base/error.h"
#include "device/container/container.h"
#include "device/session.h"
#include "encoder/npu_designs.h"
#include "kernels/array/attention.h"
#include "kernels/array/gemm.h"
#include "kernels/array/rows.h"
#include "kernels/npu/kernels.h"
#include "ops/internal/row_kernels.h"

namespace xdna::encoder {
namespace {

using device::Instruction;
using kernels::GemmConfig;
using kernels::GemmProblem;

constexpr double kMicro = 1e6;

std::size_t Size(std::int64_t value) { return static_cast<std::size_t>(value); }
std::size_t UpTo(std::size_t value, std::size_t step) { return (value + step - 1) / step * step; }

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
};

struct Argument {
  Value* value = nullptr;
  std::size_t offset = 0, bytes = 0;
  bool out = false;
};

// y = x w^T + b, or with x [m,k] and w [k,n] as it is.
void Sgemm(bool transposed, std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
           std::int64_t ldx, const float* w, std::int64_t ldw, float* y, std::int64_t ldy) {
  const dnnl_status_t status =
      dnnl_sgemm('N', transposed ? 'T' : 'N', m, n, k, 1.0F, x, ldx, w, ldw, 0.0F, y, ldy);
  if (status != dnnl_success) Throw(ErrorCode::kInternal, "dnnl_sgemm: status {}", int{status});
}

struct LinearWeights {
  std::string name;
  Tensor w, b;
  std::map<std::string, Value> packed;  // by design
  std::vector<float> column_scales;     // int8
};

}  // namespace

class MixedEncoder::Impl {
 public:
  Impl(const Model& model, const EncoderShape& shape, const Schedule& schedule,
       const CpuProfile& cpu, bool data)
      : model_(model), shape_(shape), s_(schedule), cpu_(cpu), data_(data) {
    kernels::RegisterNpuKernels();
    gemm_ = ProductTile(shape.d, Size(s_.tile_m), Size(s_.tile_k), Size(s_.tile_n));
    rows_ = UpTo(UpTo(Size(shape.positions), 4 * gemm_.m), 256);
    rows_ = std::max(rows_, UpTo(Size(shape.positions), 16 * kNormRows));
  }

  Tensor Encode(const TensorView& mel) {
    const device::RunTimer timer;
    times_ = {};
    site_ = list_ = 0;
    Outside();
    Stem(mel);
    for (layer_ = 0; layer_ < shape_.layers; ++layer_) {
      const double begin = device::NowUs();
      Layer();
      if (layer_ == 0) times_.first_layer = (device::NowUs() - begin) / 1e3;
    }
    const double begin = device::NowUs();
    Value& y = NewValue("ln_post.y", shape_.positions, shape_.d);
    if (Fused()) {
      // The last pass has normalised; gamma and beta are left.
      ScaleByHost(values_.at("normed"), "encoder.ln_post", y);
    } else {
      Norm(*stream_, "encoder.ln_post", y);
    }
    ToHost(y);
    times_.final_norm = (device::NowUs() - begin) / 1e3;
    if (!Fused()) times_.norm -= times_.final_norm;
    times_.total = timer.ElapsedUs() / 1e3;
    split_ = timer.Split().value_or(device::TimeSplit{});
    warm_ = true;
    return y.host.Clone();
  }

  const MixedTimes& times() const { return times_; }
  const device::TimeSplit& split() const { return split_; }

 private:
  static constexpr std::size_t kNormRows = 4;

  // --- the host --------------------------------------------------------------------------------

  void Cpu(double us) {
    device::Idle(us);
    times_.cpu += us / 1e3;
  }
  void CpuGemm(double flops) { Cpu(flops / cpu_.gemm_flops * kMicro); }
  void CpuRows(double values) { Cpu(values / cpu_.row_values * kMicro); }
  void CpuCopy(double bytes) { Cpu(bytes / cpu_.copy_bytes * kMicro); }
  void CpuConvert(double values) { Cpu(values / cpu_.convert_values * kMicro); }

  void Outside() {
    const double ms = s_.Assumed("audio_ms") + s_.Assumed("rest_ms");
    if (ms > 0) Cpu(1e3 * ms);
  }

  bool Fused() const { return s_.norm == "add_norm_f32"; }
  bool Fresh() const { return s_.keep == device::Keep::kNothing; }

  Tensor Load(const std::string& name) const { return LoadWeight(model_, shape_, name); }
  std::string Block(const std::string& rest) const {
    return fmt::format("encoder.blocks.{}.{}", layer_, rest);
  }

  Value& NewValue(const std::string& name, std::int64_t rows, std::int64_t cols,
                  std::size_t pitch = 0, unsigned element = 2, std::size_t room = 0) {
    Value& v = values_[name];
    if (v.name.empty()) {
      v.name = name;
      v.rows = rows;
      v.cols = cols;
      v.pitch = pitch == 0 ? Size(cols) : pitch;
      v.element = element;
      v.capacity =
          UpTo(std::max(room, (std::max(rows_, Size(rows)) * v.pitch + 4096) * element), 64);
      v.host = Tensor(DType::kF32, {rows, cols});
      std::fill_n(v.host.data<float>(), v.host.size(), 0.0F);
    }
    v.on_host = v.on_device = false;
    return v;
  }

  static void Invalidate(Value& v, bool host_is_valid) {
    v.on_host = host_is_valid;
    v.on_device = !host_is_valid;
  }

  std::span<std::byte> Memory(Value& v) {
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

  // f32 rows to the device's, converted on the CPU.
  void ToDevice(Value& v) {
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

  void ToHost(Value& v) {
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

  // --- the NPU ---------------------------------------------------------------------------------

  device::Session& Open(const std::string& name, const std::function<device::Overlay()>& overlay) {
    auto& session = sessions_[name];
    if (!session) {
      session = std::make_unique<device::Session>(
          device::Session::FromBytes(name, device::EncodeContainer(overlay())));
    }
    return *session;
  }
  // Buffers serve all contexts of a device.
  device::Session& AnySession() {
    return sessions_.empty() ? Open("gemm", [this] { return ProductOverlay(gemm_, s_.table_gelu); })
                             : *sessions_.begin()->second;
  }

  void Account() {
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

  void Execute(device::Run& run) {
    const double extra = s_.Assumed("dispatch_us");
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

  void Dispatch(device::Session& session, std::vector<Instruction> instructions,
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
      if (a.out) Invalidate(*a.value, false);
    }
  }

  void DispatchFresh(device::Session& session, const std::vector<Instruction>& instructions,
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

  // A place in the program that dispatches: what it made the first time serves every window.
  struct Site {
    std::optional<device::DeviceBuffer> words;
    std::optional<device::Run> run;
    device::Session* session = nullptr;
  };

  void DispatchKept(device::Session& session, std::vector<Instruction> instructions,
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
    if (s_.keep != device::Keep::kRunlists || !warm_) return Execute(*site.run);
    if (!pending_.empty() && pending_.back()->session != &session) Flush(false);
    pending_.push_back(&site);
  }

  // Submits what waits, and waits for all that was submitted if `wait` or nothing may overlap.
  void Flush(bool wait) {
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
    if (!wait && s_.overlap) return;
    for (const std::size_t list : in_flight_) lists_[list].Wait();
    in_flight_.clear();
  }

  // --- designs ---------------------------------------------------------------------------------

  // y = x W^T + b by the array or the CPU.
  void Linear(Place place, Value& x, LinearWeights& w, Value& y, bool gelu) {
    const std::int64_t m = x.rows, n = w.w.dim(0), k = w.w.dim(1);
    if (place == Place::kNpu) return NpuLinear(x, x.pitch, m, w, y, 0, gelu);
    ToHost(x);
    Invalidate(y, true);
    CpuGemm(2.0 * static_cast<double>(m * n * k));
    if (gelu) CpuRows(static_cast<double>(m * n));
    if (!data_) return;
    Sgemm(true, m, n, k, x.host.data<float>(), k, w.w.data<float>(), k, y.host.data<float>(), n);
    for (std::int64_t i = 0; i < m; ++i) {
      float* row = y.host.data<float>() + i * n;
      ops::MapRow({.in = row, .bias = w.b.data<float>(), .gelu = gelu, .out = row}, Size(n));
    }
  }

  void NpuLinear(Value& x, std::size_t stride, std::int64_t m, LinearWeights& w, Value& y,
                 std::size_t y_offset, bool gelu) {
    const GemmProblem problem{Size(m), Size(w.w.dim(1)), Size(w.w.dim(0)), stride};
    Value& b = w.packed["bf16"];
    if (b.name.empty()) {
      b.name = w.name;
      const std::vector<std::byte> bytes = PackLinear(gemm_, problem, w.w, w.b);
      b.capacity = bytes.size();
      std::ranges::copy(bytes, Memory(b).begin());
      if (!Fresh()) b.buffer->ToDevice();
      b.on_device = true;
    }
    device::Session& session =
        Open("gemm", [this] { return ProductOverlay(gemm_, s_.table_gelu); });
    const kernels::GemmBytes bytes = kernels::GemmBufferBytes(gemm_, problem);
    Dispatch(session, ProductInstructions(gemm_, problem, gelu),
             {{&x, 0, bytes.a}, {&b, 0, bytes.b}, {&y, y_offset, bytes.c, true}});
    Fetch(y);
  }

  // Products in int8, exact: the CPU quantises rows and scales the sums.
  void Int8Linear(Value& x, LinearWeights& w, Value& y, bool gelu) {
    ToHost(x);
    GemmConfig config = gemm_;
    config.in = kernels::GemmType::kInt8;
    config.out_bytes = 4;
    const std::int64_t m = x.rows, n = w.w.dim(0), k = w.w.dim(1);
    const GemmProblem problem{Size(m), Size(k), Size(n), 0};
    const kernels::GemmBytes bytes = kernels::GemmBufferBytes(config, problem);
    const GemmProblem padded = kernels::Padded(config, problem);
    Value& b = w.packed["int8"];
    if (b.name.empty()) {
      b.name = w.name;
      w.column_scales.resize(Size(n));
      std::vector<std::int8_t> rows(Size(n * k)), turned(Size(n * k));
      for (std::int64_t j = 0; j < n; ++j) {
        w.column_scales[Size(j)] =
            ops::QuantizeRow(w.w.data<float>() + j * k, DType::kF32, Size(k), rows.data() + j * k);
        for (std::int64_t i = 0; i < k; ++i) turned[Size(i * n + j)] = rows[Size(j * k + i)];
      }
      const auto packed = kernels::PackGemmB(config, problem, turned.data(), nullptr);
      b.capacity = packed.size();
      std::ranges::copy(packed, Memory(b).begin());
      b.buffer->ToDevice();
      b.on_device = true;
    }
    Value& q = NewValue(fmt::format("q{}", k), m, k, padded.k, 1);
    Value& sums = NewValue(fmt::format("sums{}", n), m, n, padded.n, 4);
    std::vector<float> scales(Size(m));
    const std::span<std::byte> to = Memory(q);
    CpuRows(static_cast<double>(m * k));
    for (std::int64_t i = 0; data_ && i < m; ++i) {
      scales[Size(i)] =
          ops::QuantizeRow(x.host.data<float>() + i * k, DType::kF32, Size(k),
                           reinterpret_cast<std::int8_t*>(to.data()) + Size(i) * q.pitch);
    }
    q.buffer->ToDevice(0, Size(m) * q.pitch);
    q.on_device = true;
    device::Session& session = Open("gemm int8", [config] { return kernels::GemmOverlay(config); });
    Dispatch(session, kernels::GemmInstructions(config, problem),
             {{&q, 0, bytes.a}, {&b, 0, bytes.b}, {&sums, 0, bytes.c, true}});
    ToHost(sums);
    CpuRows(static_cast<double>(m * n));
    for (std::int64_t i = 0; data_ && i < m; ++i) {
      ops::MapRow({.in = sums.host.data<float>() + i * n,
                   .in_dtype = DType::kI32,
                   .scale = scales[Size(i)],
                   .column_scale = w.column_scales.data(),
                   .bias = w.b.data<float>(),
                   .gelu = gelu,
                   .out = y.host.data<float>() + i * n},
                  Size(n));
    }
    Invalidate(y, true);
  }

  // Where activations do not stay, the host takes each result at once.
  void Fetch(Value& v) {
    if (s_.resident) return;
    ToHost(v);
    Invalidate(v, true);
  }

  void Norm(Value& x, const std::string& weights, Value& y) {
    const double begin = device::NowUs();
    kernels::RowsConfig c;
    using Kind = kernels::RowArgument::Kind;
    const std::size_t d = Size(shape_.d);
    c.kernel = s_.norm;
    const std::int64_t batch = s_.norm_batch == 0 ? x.rows : s_.norm_batch;
    c.columns = Size(s_.norm_columns);
    c.rows = std::min(kNormRows, UpTo(Size(batch), 4 * c.columns) / (4 * c.columns));
    c.in = {2 * d};
    c.out = {2 * d};
    c.constant_bytes = 4 * d;
    c.arguments = {
        {Kind::kIn, 0},  {Kind::kConstant, 0}, {Kind::kConstant, static_cast<int>(2 * d)},
        {Kind::kOut, 0}, {Kind::kRows, 0},     {Kind::kNumber, static_cast<int>(d)}};
    Value& constants = values_["constants " + weights];
    if (constants.name.empty()) {
      constants.name = weights;
      constants.capacity = 4 * d;
      auto* to = reinterpret_cast<Bf16*>(Memory(constants).data());
      const Tensor gamma = Load(weights + ".weight"), beta = Load(weights + ".bias");
      for (std::size_t i = 0; i < d; ++i) {
        to[i] = Bf16::FromFloat(gamma.data<float>()[i]);
        to[d + i] = Bf16::FromFloat(beta.data<float>()[i]);
      }
      if (!Fresh()) constants.buffer->ToDevice();
      constants.on_device = true;
    }
    device::Session& session = Open(fmt::format("{} {}x{}", c.kernel, c.rows, c.columns),
                                    [c] { return kernels::RowsOverlay(c); });
    const auto per_dispatch = s_.Assumed("input_us");
    for (std::int64_t row = 0; row < x.rows; row += batch) {
      const std::int64_t rows = std::min(batch, x.rows - row);
      const std::size_t bytes = kernels::PaddedRows(c, Size(rows)) * 2 * d, at = Size(row) * 2 * d;
      if (per_dispatch > 0) Cpu(per_dispatch);
      Dispatch(session, kernels::RowsInstructions(c, Size(rows)),
               {{&x, at, bytes}, {&constants, 0, constants.capacity}, {&y, at, bytes, true}});
    }
    Fetch(y);
    times_.norm += (device::NowUs() - begin) / 1e3;
  }

  void ScaleByHost(Value& x, const std::string& weights, Value& y) {
    ToHost(x);
    Invalidate(y, true);
    CpuRows(static_cast<double>(x.host.size()));
    if (!data_) return;
    const Tensor gamma = Load(weights + ".weight"), beta = Load(weights + ".bias");
    for (std::int64_t i = 0; i < x.rows; ++i) {
      ops::MapRow({.in = x.host.data<float>() + i * x.cols,
                   .column_scale = gamma.data<float>(),
                   .bias = beta.data<float>(),
                   .out = y.host.data<float>() + i * x.cols},
                  Size(x.cols));
    }
  }

  // stream += delta and y of it, in one pass over device memory. gamma and beta follow in the
  // weights.
  void FusedNorm(Value& stream, Value& delta, Value& y) {
    const ResidualNormConfig c{kNormRows, Size(shape_.d), 4};
    // A run may not read what it writes.
    Value& sum =
        NewValue(stream.name == "stream" ? "stream2" : "stream", stream.rows, stream.cols, 0, 4);
    device::Session& session = Open("add_norm", [c] { return ResidualNormOverlay(c); });
    const std::size_t wide = PaddedRows(c, Size(stream.rows)) * 4 * Size(shape_.d);
    Dispatch(session, ResidualNormInstructions(c, Size(stream.rows)),
             {{&stream, 0, wide},
              {&delta, 0, wide / 2},
              {&sum, 0, wide, true},
              {&y, 0, wide / 2, true}});
    stream_ = &sum;
  }

  void Residual(Value& stream, Value& delta) {
    ToHost(delta);
    ToHost(stream);
    CpuCopy(12.0 * static_cast<double>(stream.host.size()));
    Invalidate(stream, true);
    if (!data_) return;
    float* to = stream.host.data<float>();
    const float* from = delta.host.data<float>();
    for (std::int64_t i = 0; i < stream.host.size(); ++i) to[i] += from[i];
  }

  // --- the encoder -----------------------------------------------------------------------------

  LinearWeights& Weights(const std::string& name, const std::function<LinearWeights()>& make) {
    const auto found = weights_.find(name);
    if (found != weights_.end()) return found->second;
    LinearWeights w = make();
    w.name = name;
    return weights_.emplace(name, std::move(w)).first->second;
  }

  // One of the model's, gamma and beta of the normalisation before it folded in where that leaves
  // them out.
  LinearWeights LoadLinear(const std::vector<std::string>& names, const std::string& norm) {
    LinearWeights w;
    std::vector<float> weight, bias;
    std::int64_t k = 0;
    for (const std::string& name : names) {
      const Tensor part = Load(name + ".weight");
      k = part.dim(1);
      const bool query = name.ends_with("attn.query");
      const float scale =
          !query ? 1.0F
                 : static_cast<float>(QueryScale(s_.attention == AttentionForm::kFused, shape_));
      for (std::int64_t i = 0; i < part.size(); ++i)
        weight.push_back(part.data<float>()[i] * scale);
      const bool none = name.ends_with("attn.key");
      const Tensor b = none ? Tensor(DType::kF32, {part.dim(0)}) : Load(name + ".bias");
      for (std::int64_t i = 0; i < b.size(); ++i) bias.push_back(b.data<float>()[i] * scale);
    }
    const auto n = static_cast<std::int64_t>(bias.size());
    w.w = Tensor::FromValues<float>({n, k}, weight);
    w.b = Tensor::FromValues<float>({n}, bias);
    if (Fused() && !norm.empty()) {
      FoldNorm(Load(norm + ".weight"), Load(norm + ".bias"), w.w, w.b);
    }
    return w;
  }

  void Stem(const TensorView& mel) {
    const double begin = device::NowUs();
    Value& stem = NewValue("stem", shape_.positions, shape_.d);
    const bool convolutions = shape_.stem == encoder::Stem::kConvolutions;
    const std::int64_t mels = shape_.n_mels;
    // Time-major, with a frame of zeros before and after.
    Value& x = NewValue("mel", shape_.frames + 2, mels, 0, 2,
                        2 * Size(mels) * (UpTo(Size(shape_.frames), 4 * gemm_.m) + 16));
    CpuCopy(8.0 * static_cast<double>(mel.size()));
    for (std::int64_t t = 0; data_ && t < shape_.frames; ++t) {
      for (std::int64_t c = 0; c < mels; ++c) {
        x.host.data<float>()[(t + 1) * mels + c] = mel.data<float>()[c * shape_.frames + t];
      }
    }
    Invalidate(x, true);
    if (!convolutions) {
      LinearWeights& w = Weights("projection", [&] { return LoadLinear({"projection"}, ""); });
      Value& inner = NewValue("frames", shape_.frames, mels);
      if (data_)
        std::memcpy(inner.host.data<float>(), x.host.data<float>() + mels, inner.host.bytes());
      Invalidate(inner, true);
      Linear(s_.stem, inner, w, stem, false);
    } else {
      const auto conv = [&](int number) {
        return [this, number] {
          LinearWeights w;
          w.w = ByFrame(Load(fmt::format("encoder.conv{}.weight", number)));
          w.b = Load(fmt::format("encoder.conv{}.bias", number));
          return w;
        };
      };
      LinearWeights& w1 = Weights("conv1", conv(1));
      LinearWeights& w2 = Weights("conv2", conv(2));
      const std::size_t group = 4 * gemm_.m;
      const std::size_t rows =
          std::max(UpTo(Size(shape_.frames), group), 2 * UpTo(Size(shape_.positions), group));
      Value& hidden =
          NewValue("conv1", shape_.frames + 2, shape_.d, 0, 2, 2 * Size(shape_.d) * (rows + 16));
      Convolve(x, Size(mels), shape_.frames, w1, hidden, 1);
      Convolve(hidden, 2 * Size(shape_.d), shape_.positions, w2, stem, 0);
    }
    Value& stream = NewValue("stream", shape_.positions, shape_.d, 0, Fused() ? 4 : 2);
    const Tensor positions =
        Load(convolutions ? "encoder.positional_embedding" : "projection.positions");
    std::memcpy(stream.host.data<float>(), positions.data<float>(), stream.host.bytes());
    Invalidate(stream, true);
    stream_ = &stream;
    if (Fused()) {
      FusedNorm(stream, stem, NewValue("normed", shape_.positions, shape_.d));
    } else {
      Residual(stream, stem);
    }
    times_.stem += (device::NowUs() - begin) / 1e3;
  }

  // Rows of three frames, `stride` values apart; into y from row `first` on.
  void Convolve(Value& x, std::size_t stride, std::int64_t rows, LinearWeights& w, Value& y,
                std::int64_t first) {
    const std::int64_t n = w.w.dim(0), k = w.w.dim(1);
    if (s_.stem == Place::kNpu) {
      NpuLinear(x, stride, rows, w, y, Size(first) * y.pitch * 2, true);
      return;
    }
    ToHost(x);
    Invalidate(y, true);
    CpuGemm(2.0 * static_cast<double>(rows * n * k));
    CpuRows(static_cast<double>(rows * n));
    if (!data_) return;
    float* to = y.host.data<float>() + first * n;
    std::vector<float> windows;
    for (std::int64_t i = 0; i < rows; ++i) {
      const float* from = x.host.data<float>() + Size(i) * stride;
      windows.insert(windows.end(), from, from + k);
    }
    Sgemm(true, rows, n, k, windows.data(), k, w.w.data<float>(), k, to, n);
    for (std::int64_t i = 0; i < rows; ++i) {
      ops::MapRow({.in = to + i * n, .bias = w.b.data<float>(), .gelu = true, .out = to + i * n},
                  Size(n));
    }
  }

  void Layer() {
    Value& normed = values_["normed"].name.empty() ? NewValue("normed", shape_.positions, shape_.d)
                                                   : values_["normed"];
    if (!Fused()) Norm(*stream_, Block("attn_ln"), normed);
    double begin = device::NowUs();
    Value& delta = NewValue("delta", shape_.positions, shape_.d);
    Attention(normed, delta);
    if (!Fused()) Residual(*stream_, delta);
    times_.attention += (device::NowUs() - begin) / 1e3;
    if (Fused()) FusedNorm(*stream_, delta, normed);
    if (!Fused()) Norm(*stream_, Block("mlp_ln"), normed);
    begin = device::NowUs();
    Value& hidden = NewValue("hidden", shape_.positions, shape_.ffn());
    LinearWeights& w1 =
        Weights(Block("mlp.0"), [&] { return LoadLinear({Block("mlp.0")}, Block("mlp_ln")); });
    LinearWeights& w2 = Weights(Block("mlp.2"), [&] { return LoadLinear({Block("mlp.2")}, ""); });
    Product(s_.ffn, normed, w1, hidden, true, true);
    Product(s_.ffn, hidden, w2, delta, false, true);
    if (!Fused()) Residual(*stream_, delta);
    times_.ffn += (device::NowUs() - begin) / 1e3;
    if (Fused()) FusedNorm(*stream_, delta, normed);
  }

  void Product(Place place, Value& x, LinearWeights& w, Value& y, bool gelu, bool int8) {
    if (place == Place::kNpu && int8 && s_.precision == "int8") return Int8Linear(x, w, y, gelu);
    Linear(place, x, w, y, gelu);
  }

  void Attention(Value& x, Value& y) {
    const bool int8 = layer_ > 0;  // as on the CPU: layer 0's projections stay in bf16
    Value& qkv = NewValue("qkv", shape_.positions, 3 * shape_.d);
    LinearWeights& in = Weights(Block("qkv"), [&] {
      return LoadLinear({Block("attn.query"), Block("attn.key"), Block("attn.value")},
                        Block("attn_ln"));
    });
    LinearWeights& out =
        Weights(Block("attn.out"), [&] { return LoadLinear({Block("attn.out")}, ""); });
    Product(s_.qkv, x, in, qkv, false, int8);
    Value& attended = NewValue("attended", shape_.positions, shape_.d);
    switch (s_.attention) {
      case AttentionForm::kHost:
        HeadsByHost(qkv, attended);
        break;
      case AttentionForm::kChained:
        HeadsChained(qkv, attended);
        break;
      case AttentionForm::kFused:
        FusedHeads(qkv, attended);
        break;
    }
    Product(s_.out, attended, out, y, false, int8);
  }

  void FusedHeads(Value& qkv, Value& attended) {
    kernels::AttentionArrayConfig c;
    c.queries = Size(s_.queries);
    c.keys = Size(s_.keys);
    c.d = Size(shape_.d / shape_.heads);
    device::Session& session = Open("attention", [c] { return kernels::AttentionOverlay(c); });
    const std::size_t rows = kernels::PaddedPositions(c, Size(shape_.positions));
    Dispatch(session,
             kernels::AttentionInstructions(c, {Size(shape_.positions), Size(shape_.heads)}),
             {{&qkv, 0, rows * qkv.pitch * 2}, {&attended, 0, rows * attended.pitch * 2, true}});
    Fetch(attended);
  }

  // Of one head: scores [m,m] of q [m,64] and k^T [64,m], softmax, and the product with v [m,64].
  struct HeadDesigns {
    GemmConfig scores, values;
    GemmProblem scores_problem, values_problem;
    kernels::RowsConfig softmax;
    std::size_t width = 0;  // of a row of scores in memory
  };
  HeadDesigns Designs(std::size_t q_stride) const {
    HeadDesigns h;
    const std::size_t m = Size(shape_.positions), d = Size(shape_.d / shape_.heads);
    h.scores.k = h.scores.k_mem = std::min<std::size_t>(64, d);
    h.scores_problem = {m, d, m, q_stride};
    h.width = kernels::Padded(h.scores, h.scores_problem).n;
    h.values.n = d / 4;
    h.values_problem = {m, m, d, h.width};
    using Kind = kernels::RowArgument::Kind;
    h.softmax.kernel = "softmax_bf16";
    h.softmax.in = h.softmax.out = {2 * h.width};
    h.softmax.arguments = {{Kind::kIn, 0},
                           {Kind::kOut, 0},
                           {Kind::kRows, 0},
                           {Kind::kNumber, static_cast<int>(h.width)},
                           {Kind::kNumber, static_cast<int>(m)}};
    h.softmax.rows = std::max<std::size_t>(1, std::min<std::size_t>(4, 12288 / (2 * h.width)));
    return h;
  }

  void Scores(const HeadDesigns& h, Value& q, std::size_t q_offset, Value& kt, Value& scores) {
    const kernels::GemmBytes bytes = kernels::GemmBufferBytes(h.scores, h.scores_problem);
    Dispatch(Open("scores", [&h] { return kernels::GemmOverlay(h.scores); }),
             kernels::GemmInstructions(h.scores, h.scores_problem),
             {{&q, q_offset, bytes.a}, {&kt, 0, bytes.b}, {&scores, 0, bytes.c, true}});
    Fetch(scores);
  }
  void Softmax(const HeadDesigns& h, Value& scores, Value& weights) {
    const std::size_t rows = kernels::PaddedRows(h.softmax, Size(shape_.positions));
    Dispatch(Open("softmax", [&h] { return kernels::RowsOverlay(h.softmax); }),
             kernels::RowsInstructions(h.softmax, Size(shape_.positions)),
             {{&scores, 0, rows * 2 * h.width}, {&weights, 0, rows * 2 * h.width, true}});
    Fetch(weights);
  }
  void Values(const HeadDesigns& h, Value& weights, Value& v, std::size_t v_offset, Value& y,
              std::size_t y_offset) {
    const kernels::GemmBytes bytes = kernels::GemmBufferBytes(h.values, h.values_problem);
    const GemmProblem p = kernels::Padded(h.values, h.values_problem);
    Dispatch(
        Open("values", [&h] { return kernels::GemmOverlay(h.values); }),
        WithPitch(kernels::GemmInstructions(h.values, h.values_problem), p.n, v.pitch, y.pitch),
        {{&weights, 0, bytes.a},
         {&v, v_offset, ((p.k - 1) * v.pitch + p.n) * 2},
         {&y, y_offset, ((p.m - 1) * y.pitch + p.n) * 2, true}});
  }
  Value& ScoresValue(const HeadDesigns& h, const char* name) {
    return NewValue(name, shape_.positions, shape_.positions, h.width, 2,
                    2 * h.width * (rows_ + 256));
  }

  // Part `part` (Q, K, V) of a head, f32, transposed or not.
  void TakeHead(const Value& qkv, std::int64_t part, std::int64_t head, bool turned, Value& to) {
    const std::int64_t d = shape_.d / shape_.heads, m = shape_.positions, pitch = 3 * shape_.d;
    CpuCopy(8.0 * static_cast<double>(m * d));
    Invalidate(to, true);
    if (!data_) return;
    const float* from = qkv.host.data<float>() + part * shape_.d + head * d;
    float* out = to.host.data<float>();
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < d; ++j) {
        out[turned ? j * m + i : i * d + j] = from[i * pitch + j];
      }
    }
  }

  void HeadsByHost(Value& qkv, Value& attended) {
    const std::int64_t d = shape_.d / shape_.heads, m = shape_.positions;
    const HeadDesigns h = Designs(Size(d));
    ToHost(qkv);
    Invalidate(attended, true);
    for (std::int64_t head = 0; head < shape_.heads; ++head) {
      Value& q = NewValue("q", m, d);
      Value& kt = NewValue("kt", d, m, h.width);
      Value& v = NewValue("v", m, d);
      TakeHead(qkv, 0, head, false, q);
      TakeHead(qkv, 1, head, true, kt);
      TakeHead(qkv, 2, head, false, v);
      Value& scores = ScoresValue(h, "scores");
      Value& weights = ScoresValue(h, "weights");
      Scores(h, q, 0, kt, scores);
      Softmax(h, scores, weights);
      Value& y = NewValue("head", m, d);
      Values(h, weights, v, 0, y, 0);
      ToHost(y);
      CpuCopy(8.0 * static_cast<double>(m * d));
      for (std::int64_t i = 0; data_ && i < m; ++i) {
        std::memcpy(attended.host.data<float>() + i * shape_.d + head * d,
                    y.host.data<float>() + i * d, 4 * Size(d));
      }
    }
  }

  void HeadsChained(Value& qkv, Value& attended) {
    const std::int64_t d = shape_.d / shape_.heads, m = shape_.positions;
    const HeadDesigns h = Designs(qkv.pitch);
    // The DMA moves words of two bf16, so no descriptor transposes K.
    if (!qkv.on_host) ToHost(qkv);
    ToDevice(qkv);
    const auto turned = [&](std::int64_t head) -> Value& {
      Value& kt = NewValue(fmt::format("kt{}", head), d, m, h.width);
      TakeHead(qkv, 1, head, true, kt);
      ToDevice(kt);
      return kt;
    };
    for (std::int64_t head = 0; head < shape_.heads; ++head) {
      Value& kt = turned(head);
      Value& scores = ScoresValue(h, "scores");
      Value& weights = ScoresValue(h, "weights");
      const std::size_t at = 2 * Size(head * d);
      Scores(h, qkv, at, kt, scores);
      Softmax(h, scores, weights);
      Values(h, weights, qkv, at + 4 * Size(shape_.d), attended, at);
      Flush(false);
    }
    Fetch(attended);
  }

  const Model& model_;
  EncoderShape shape_;
  Schedule s_;
  CpuProfile cpu_;
  bool data_;
  GemmConfig gemm_;
  std::size_t rows_ = 0;
  int layer_ = -1;
  Value* stream_ = nullptr;
  std::map<std::string, std::unique_ptr<device::Session>> sessions_;
  std::map<std::string, Value> values_;
  std::map<std::string, LinearWeights> weights_;
  std::deque<Site> sites_;
  std::size_t site_ = 0;
  std::vector<Site*> pending_;
  std::deque<device::RunList> lists_;
  std::size_t list_ = 0;
  std::vector<std::size_t> in_flight_;
  bool warm_ = false;
  double split_us_ = 0;
  MixedTimes times_;
  device::TimeSplit split_;
};

MixedEncoder::MixedEncoder(const Model& model, const EncoderShape& shape, const Schedule& schedule,
                           const CpuProfile& cpu, bool data)
    : impl_(std::make_unique<Impl>(model, shape, schedule, cpu, data)) {}
MixedEncoder::~MixedEncoder() = default;
Tensor MixedEncoder::Encode(const TensorView& mel) { return impl_->Encode(mel); }
const MixedTimes& MixedEncoder::last() const { return impl_->times(); }
const device::TimeSplit& MixedEncoder::last_split() const { return impl_->split(); }

}  // namespace xdna::encoder
