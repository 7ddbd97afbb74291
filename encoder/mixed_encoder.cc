#include "encoder/mixed_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "encoder/mixed/heads.h"
#include "encoder/mixed/norms.h"
#include "encoder/mixed/products.h"
#include "encoder/mixed/workbench.h"

namespace xdna::encoder {

using mixed::LinearWeights;
using mixed::Size;
using mixed::UpTo;
using mixed::Value;

// The encoder's graph on the parts.
class MixedEncoder::Impl {
 public:
  Impl(const Model& model, const EncoderShape& shape, const Schedule& schedule,
       const CpuProfile& cpu, bool data)
      : bench_(model, shape, schedule, cpu, data) {}

  Tensor Encode(const TensorView& mel, const MixedTapFn& tap);
  const MixedTimes& times() { return bench_.times(); }
  const device::TimeSplit& split() const { return bench_.split(); }

 private:
  // What the schedule assumes beside the encoder.
  void Outside();
  void Stem(const TensorView& mel);
  // mel, on the host, as the stem's [frames + 2, mels]: time-major, with a
  // frame of zeros before and after.
  Value& Frames(const TensorView& mel);
  void Project(Value& frames, Value& stem);
  void Convolutions(Value& frames, Value& stem);
  void Layer();
  void Attention(Value& x, Value& y);
  void Ffn(Value& x, Value& y);

  void Tap(const std::string& name, Value& v) {
    if (!tap_) return;
    bench_.ToHost(v);
    tap_(layer_ < 0 ? name : fmt::format("layer{}.{}", layer_, name), v.host);
  }
  Value& NewRows(const std::string& name, std::int64_t cols) {
    return bench_.NewValue(name, shape_.positions, cols);
  }
  std::string Block(const std::string& rest) const {
    return fmt::format("encoder.blocks.{}.{}", layer_, rest);
  }

  mixed::Workbench bench_;
  mixed::Products products_{bench_};
  mixed::Norms norms_{bench_};
  mixed::Heads heads_{bench_};
  const EncoderShape& shape_ = bench_.shape();
  int layer_ = -1;
  MixedTapFn tap_;
  Value* stream_ = nullptr;
};

Tensor MixedEncoder::Impl::Encode(const TensorView& mel, const MixedTapFn& tap) {
  tap_ = tap;
  const device::RunTimer timer;
  bench_.BeginWindow();
  MixedTimes& times = bench_.times();
  Outside();
  Stem(mel);
  for (layer_ = 0; layer_ < shape_.layers; ++layer_) {
    const double begin = device::NowUs();
    Layer();
    if (layer_ == 0) times.first_layer = (device::NowUs() - begin) / 1e3;
  }
  layer_ = -1;
  const double begin = device::NowUs();
  Value& y = NewRows("ln_post.y", shape_.d);
  if (bench_.FusesNorm()) {
    // The last pass has normalised; gamma and beta are left.
    norms_.ScaleByHost(bench_.Find("normed"), "encoder.ln_post", y);
  } else {
    norms_.Norm(*stream_, "encoder.ln_post", y);
  }
  bench_.ToHost(y);
  times.final_norm = (device::NowUs() - begin) / 1e3;
  if (!bench_.FusesNorm()) times.norm -= times.final_norm;
  bench_.EndWindow(timer);
  Tap("ln_post", y);
  return y.host.Clone();
}

void MixedEncoder::Impl::Outside() {
  const double ms = bench_.schedule().Assumed("audio_ms") + bench_.schedule().Assumed("rest_ms");
  if (ms > 0) bench_.Cpu(1e3 * ms);
}

void MixedEncoder::Impl::Stem(const TensorView& mel) {
  const double begin = device::NowUs();
  const bool convolutions = shape_.stem == encoder::Stem::kConvolutions;
  Value& stem = NewRows("stem", shape_.d);
  Value& frames = Frames(mel);
  if (convolutions) {
    Convolutions(frames, stem);
  } else {
    Project(frames, stem);
  }
  Value& stream =
      bench_.NewValue("stream", shape_.positions, shape_.d, 0, bench_.FusesNorm() ? 4 : 2);
  const Tensor positions =
      bench_.Load(convolutions ? "encoder.positional_embedding" : "projection.positions");
  std::memcpy(stream.host.data<float>(), positions.data<float>(), stream.host.bytes());
  stream.OnlyOnHost();
  stream_ = &stream;
  Tap(convolutions ? "conv2" : "projection", stem);
  if (bench_.FusesNorm()) {
    stream_ = &norms_.FusedNorm(stream, stem, NewRows("normed", shape_.d));
  } else {
    norms_.Residual(stream, stem);
  }
  Tap("embedded", *stream_);
  bench_.times().stem += (device::NowUs() - begin) / 1e3;
}

Value& MixedEncoder::Impl::Frames(const TensorView& mel) {
  const std::int64_t mels = shape_.n_mels;
  Value& x =
      bench_.NewValue("mel", shape_.frames + 2, mels, 0, 2,
                      2 * Size(mels) * (UpTo(Size(shape_.frames), 4 * bench_.gemm().m) + 16));
  bench_.CpuCopy(8.0 * static_cast<double>(mel.size()));
  for (std::int64_t t = 0; bench_.data() && t < shape_.frames; ++t) {
    for (std::int64_t c = 0; c < mels; ++c) {
      x.host.data<float>()[(t + 1) * mels + c] = mel.data<float>()[c * shape_.frames + t];
    }
  }
  x.OnlyOnHost();
  return x;
}

void MixedEncoder::Impl::Project(Value& frames, Value& stem) {
  LinearWeights& w =
      products_.Weights("projection", [&] { return products_.LoadLinear({"projection"}, ""); });
  Value& inner = bench_.NewValue("frames", shape_.frames, shape_.n_mels);
  if (bench_.data()) {
    std::memcpy(inner.host.data<float>(), frames.host.data<float>() + shape_.n_mels,
                inner.host.bytes());
  }
  inner.OnlyOnHost();
  products_.Product(bench_.schedule().stem, inner, w, stem, false, false);
}

void MixedEncoder::Impl::Convolutions(Value& frames, Value& stem) {
  const auto weights = [&](const char* name) -> LinearWeights& {
    return products_.Weights(
        name, [&] { return products_.LoadConvolution(fmt::format("encoder.{}", name)); });
  };
  LinearWeights& w1 = weights("conv1");
  LinearWeights& w2 = weights("conv2");
  const std::size_t group = 4 * bench_.gemm().m;
  const std::size_t rows =
      std::max(UpTo(Size(shape_.frames), group), 2 * UpTo(Size(shape_.positions), group));
  Value& hidden =
      bench_.NewValue("conv1", shape_.frames + 2, shape_.d, 0, 2, 2 * Size(shape_.d) * (rows + 16));
  products_.Convolve(frames, Size(shape_.n_mels), shape_.frames, w1, hidden, 1);
  products_.Convolve(hidden, 2 * Size(shape_.d), shape_.positions, w2, stem, 0);
}

void MixedEncoder::Impl::Layer() {
  const bool fused = bench_.FusesNorm();
  Value& normed =
      bench_.Find("normed").name.empty() ? NewRows("normed", shape_.d) : bench_.Find("normed");
  Value& delta = NewRows("delta", shape_.d);
  const auto part = [&](const std::string& name, const char* sum, double& time,
                        const std::function<void()>& body) {
    if (!fused) {
      norms_.Norm(*stream_, Block(name + "_ln"), normed);
      Tap(name + "_ln", normed);
    }
    const double begin = device::NowUs();
    body();
    Tap(name, delta);
    if (!fused) norms_.Residual(*stream_, delta);
    time += (device::NowUs() - begin) / 1e3;
    if (fused) stream_ = &norms_.FusedNorm(*stream_, delta, normed);
    Tap(sum, *stream_);
  };
  part("attn", "mid", bench_.times().attention, [&] { Attention(normed, delta); });
  part("mlp", "out", bench_.times().ffn, [&] { Ffn(normed, delta); });
}

void MixedEncoder::Impl::Attention(Value& x, Value& y) {
  const bool int8 = layer_ > 0;  // as on the CPU: layer 0's projections stay in bf16
  Value& qkv = NewRows("qkv", 3 * shape_.d);
  LinearWeights& in = products_.Weights(Block("qkv"), [&] {
    return products_.LoadLinear({Block("attn.query"), Block("attn.key"), Block("attn.value")},
                                Block("attn_ln"));
  });
  LinearWeights& out = products_.Weights(
      Block("attn.out"), [&] { return products_.LoadLinear({Block("attn.out")}, ""); });
  products_.Product(bench_.schedule().qkv, x, in, qkv, false, int8);
  Value& attended = NewRows("attended", shape_.d);
  heads_.Attend(qkv, attended);
  products_.Product(bench_.schedule().out, attended, out, y, false, int8);
}

void MixedEncoder::Impl::Ffn(Value& x, Value& y) {
  Value& hidden = NewRows("hidden", shape_.ffn());
  LinearWeights& w1 = products_.Weights(
      Block("mlp.0"), [&] { return products_.LoadLinear({Block("mlp.0")}, Block("mlp_ln")); });
  LinearWeights& w2 =
      products_.Weights(Block("mlp.2"), [&] { return products_.LoadLinear({Block("mlp.2")}, ""); });
  products_.Product(bench_.schedule().ffn, x, w1, hidden, true, true);
  products_.Product(bench_.schedule().ffn, hidden, w2, y, false, true);
}

MixedEncoder::MixedEncoder(const Model& model, const EncoderShape& shape, const Schedule& schedule,
                           const CpuProfile& cpu, bool data)
    : impl_(std::make_unique<Impl>(model, shape, schedule, cpu, data)) {}
MixedEncoder::~MixedEncoder() = default;
Tensor MixedEncoder::Encode(const TensorView& mel) { return impl_->Encode(mel, {}); }
Tensor MixedEncoder::EncodeWithTaps(const TensorView& mel, const MixedTapFn& tap) {
  return impl_->Encode(mel, tap);
}
const MixedTimes& MixedEncoder::last() const { return impl_->times(); }
const device::TimeSplit& MixedEncoder::last_split() const { return impl_->split(); }

}  // namespace xdna::encoder
