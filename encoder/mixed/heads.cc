#include "encoder/mixed/heads.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "device/session.h"
#include "encoder/npu_designs.h"
#include "kernels/array/attention.h"

namespace xdna::encoder::mixed {

void Heads::Attend(Value& qkv, Value& attended) {
  switch (bench_.schedule().attention) {
    case AttentionForm::kHost:
      return ByHost(qkv, attended);
    case AttentionForm::kChained:
      return Chained(qkv, attended);
    case AttentionForm::kFused:
      return Fused(qkv, attended);
  }
}

void Heads::ByHost(Value& qkv, Value& attended) {
  const std::int64_t d = bench_.shape().d / bench_.shape().heads, m = bench_.shape().positions;
  const Designs h = MakeDesigns(Size(d));
  bench_.ToHost(qkv);
  attended.OnlyOnHost();
  for (std::int64_t head = 0; head < bench_.shape().heads; ++head) {
    Value& q = bench_.NewValue("q", m, d);
    Value& kt = bench_.NewValue("kt", d, m, h.width);
    Value& v = bench_.NewValue("v", m, d);
    TakeHead(qkv, 0, head, false, q);
    TakeHead(qkv, 1, head, true, kt);
    TakeHead(qkv, 2, head, false, v);
    Value& scores = ScoresValue(h, "scores");
    Value& weights = ScoresValue(h, "weights");
    Scores(h, q, 0, kt, scores);
    Softmax(h, scores, weights);
    Value& y = bench_.NewValue("head", m, d);
    Values(h, weights, v, 0, y, 0);
    bench_.ToHost(y);
    bench_.CpuCopy(8.0 * static_cast<double>(m * d));
    for (std::int64_t i = 0; bench_.data() && i < m; ++i) {
      std::memcpy(attended.host.data<float>() + i * bench_.shape().d + head * d,
                  y.host.data<float>() + i * d, 4 * Size(d));
    }
  }
}

void Heads::Chained(Value& qkv, Value& attended) {
  const std::int64_t d = bench_.shape().d / bench_.shape().heads, m = bench_.shape().positions;
  const Designs h = MakeDesigns(qkv.pitch);
  // The DMA moves words of two bf16, so no descriptor transposes K.
  if (!qkv.on_host) bench_.ToHost(qkv);
  bench_.ToDevice(qkv);
  const auto turned = [&](std::int64_t head) -> Value& {
    Value& kt = bench_.NewValue(fmt::format("kt{}", head), d, m, h.width);
    TakeHead(qkv, 1, head, true, kt);
    bench_.ToDevice(kt);
    return kt;
  };
  for (std::int64_t head = 0; head < bench_.shape().heads; ++head) {
    Value& kt = turned(head);
    Value& scores = ScoresValue(h, "scores");
    Value& weights = ScoresValue(h, "weights");
    const std::size_t at = 2 * Size(head * d);
    Scores(h, qkv, at, kt, scores);
    Softmax(h, scores, weights);
    Values(h, weights, qkv, at + 4 * Size(bench_.shape().d), attended, at);
    bench_.Flush(false);
  }
  bench_.Fetch(attended);
}

void Heads::Fused(Value& qkv, Value& attended) {
  kernels::AttentionArrayConfig c;
  c.queries = Size(bench_.schedule().queries);
  c.keys = Size(bench_.schedule().keys);
  c.d = Size(bench_.shape().d / bench_.shape().heads);
  c.columns = Size(bench_.schedule().columns);
  device::Session& session = bench_.Open("attention", [c] { return kernels::AttentionOverlay(c); });
  const std::size_t rows = kernels::PaddedPositions(c, Size(bench_.shape().positions));
  bench_.Dispatch(
      session,
      kernels::AttentionInstructions(c,
                                     {Size(bench_.shape().positions), Size(bench_.shape().heads)}),
      {{&qkv, 0, rows * qkv.pitch * 2}, {&attended, 0, rows * attended.pitch * 2, true}});
  bench_.Fetch(attended);
}

Heads::Designs Heads::MakeDesigns(std::size_t q_stride) const {
  Designs h;
  const std::size_t m = Size(bench_.shape().positions),
                    d = Size(bench_.shape().d / bench_.shape().heads);
  h.scores.k = h.scores.k_mem = std::min<std::size_t>(64, d);
  h.scores.columns = h.values.columns = h.softmax.columns = Size(bench_.schedule().columns);
  h.scores_problem = {m, d, m, q_stride};
  h.width = kernels::Padded(h.scores, h.scores_problem).n;
  h.values.n = d / h.values.columns;
  // Whole panels within a row of scores, which is padded to whole tiles of all columns.
  h.values.k_mem = h.values.columns * h.values.k;
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

void Heads::Scores(const Designs& h, Value& q, std::size_t q_offset, Value& kt, Value& scores) {
  const kernels::GemmBytes bytes = kernels::GemmBufferBytes(h.scores, h.scores_problem);
  bench_.Dispatch(bench_.Open("scores", [&h] { return kernels::GemmOverlay(h.scores); }),
                  kernels::GemmInstructions(h.scores, h.scores_problem),
                  {{&q, q_offset, bytes.a}, {&kt, 0, bytes.b}, {&scores, 0, bytes.c, true}});
  bench_.Fetch(scores);
}

void Heads::Softmax(const Designs& h, Value& scores, Value& weights) {
  const std::size_t rows = kernels::PaddedRows(h.softmax, Size(bench_.shape().positions));
  bench_.Dispatch(bench_.Open("softmax", [&h] { return kernels::RowsOverlay(h.softmax); }),
                  kernels::RowsInstructions(h.softmax, Size(bench_.shape().positions)),
                  {{&scores, 0, rows * 2 * h.width}, {&weights, 0, rows * 2 * h.width, true}});
  bench_.Fetch(weights);
}

void Heads::Values(const Designs& h, Value& weights, Value& v, std::size_t v_offset, Value& y,
                   std::size_t y_offset) {
  const kernels::GemmBytes bytes = kernels::GemmBufferBytes(h.values, h.values_problem);
  const kernels::GemmProblem p = kernels::Padded(h.values, h.values_problem);
  bench_.Dispatch(
      bench_.Open("values", [&h] { return kernels::GemmOverlay(h.values); }),
      WithPitch(kernels::GemmInstructions(h.values, h.values_problem), p.n, v.pitch, y.pitch),
      {{&weights, 0, bytes.a},
       {&v, v_offset, ((p.k - 1) * v.pitch + p.n) * 2},
       {&y, y_offset, ((p.m - 1) * y.pitch + p.n) * 2, true}});
}

Value& Heads::ScoresValue(const Designs& h, const char* name) {
  return bench_.NewValue(name, bench_.shape().positions, bench_.shape().positions, h.width, 2,
                         2 * h.width * (bench_.padded_rows() + 256));
}

void Heads::TakeHead(const Value& qkv, std::int64_t part, std::int64_t head, bool turned,
                     Value& to) {
  const std::int64_t d = bench_.shape().d / bench_.shape().heads, m = bench_.shape().positions,
                     pitch = 3 * bench_.shape().d;
  bench_.CpuCopy(8.0 * static_cast<double>(m * d));
  to.OnlyOnHost();
  if (!bench_.data()) return;
  const float* from = qkv.host.data<float>() + part * bench_.shape().d + head * d;
  float* out = to.host.data<float>();
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < d; ++j) {
      out[turned ? j * m + i : i * d + j] = from[i * pitch + j];
    }
  }
}

}  // namespace xdna::encoder::mixed
