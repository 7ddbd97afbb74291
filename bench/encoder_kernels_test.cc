#include "bench/encoder_kernels.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/tensor.h"
#include "base/thread_pool.h"
#include "encoder/cpu_encoder.h"
#include "encoder/weights/geometry.h"
#include "encoder/weights/model.h"
#include "ops/internal/profile.h"

namespace xdna::bench {
namespace {

constexpr ops::Variant kVariants[] = {{ops::Precision::kF32, ops::Backend::kFast},
                                      {ops::Precision::kBf16, ops::Backend::kFast},
                                      {ops::Precision::kInt8, ops::Backend::kFast},
                                      {ops::Precision::kMixed, ops::Backend::kFast},
                                      {ops::Precision::kF32, ops::Backend::kEigen}};

// So wide that a product with an epilogue of its own takes smaller pieces.
encoder::Geometry Small() {
  encoder::Geometry g = encoder::KnownGeometry("whisper-tiny");
  g.name = "small";
  g.d_model = 512;
  g.n_heads = g.n_decoder_heads = 8;
  g.n_layers = g.n_decoder_layers = 2;
  g.n_audio_ctx = 300;
  return g;
}

// Pieces that threads took while `span` ran.
std::int64_t PiecesIn(const WorkLog& log, int threads, const ops::Span& span) {
  std::int64_t pieces = 0;
  for (int thread = 0; thread < threads; ++thread) {
    for (const WorkLog::Piece& piece : log.Of(thread)) {
      const std::chrono::duration<double> after = piece.begin - span.begin;
      if (after.count() >= 0 && after.count() < span.seconds) ++pieces;
    }
  }
  return pieces;
}

std::string KernelOf(const std::vector<KernelRow>& rows, const ops::Span& span) {
  for (const KernelRow& row : rows) {
    if (row.stage != span.stage) continue;
    for (const int layer : row.layers) {
      if (layer == span.layer) return row.kernel;
    }
  }
  return "";
}

// The table is made without the encoder: it must be split as the encoder's own products are.
TEST(EncoderKernels, SaysWhatTheEncoderDoes) {
  const encoder::Model model = encoder::SyntheticModel(Small(), 1);
  const encoder::EncoderShape shape = encoder::WhisperShape(model.geometry());
  constexpr int kThreads = 3;
  for (const ops::Variant& variant : kVariants) {
    SCOPED_TRACE(ops::PrecisionName(variant.precision));
    ThreadPool pool(kThreads);
    ops::Profile profile;
    WorkLog log(kThreads);
    std::vector<KernelRow> rows;
    try {
      encoder::CpuEncoder encoder(model, shape, {variant, false}, {&pool, &profile});
      rows = EncoderKernels(shape, variant, pool);
      const Tensor mel(DType::kF32, {shape.n_mels, shape.frames});
      const Tensor out(DType::kF32, {shape.positions, shape.d});
      pool.LogTo(&log);
      encoder.Run(mel, out);
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::kUnsupported) << error.what();
      EXPECT_THROW(EncoderKernels(shape, variant, pool), Error);
      continue;
    }
    int products = 0;
    for (const ops::Span& span : profile.spans()) {
      const std::string stage(span.stage);
      if (stage != "attention.qkv" && stage != "attention.out" && !stage.starts_with("ffn.")) {
        continue;
      }
      const std::string kernel = KernelOf(rows, span);
      const std::string said = std::to_string(PiecesIn(log, kThreads, span)) + " pieces of ";
      EXPECT_NE(kernel.find(said), std::string::npos) << stage << ": " << kernel << "; " << said;
      ++products;
    }
    EXPECT_EQ(products, 4 * shape.layers);
  }
}

TEST(EncoderKernels, LayersThatDoTheSameShareARow) {
  const encoder::EncoderShape shape = encoder::WhisperShape(Small());
  ThreadPool pool(1);
  const std::vector<KernelRow> rows =
      EncoderKernels(shape, {ops::Precision::kF32, ops::Backend::kEigen}, pool);
  std::vector<std::string> stages;
  for (const KernelRow& row : rows) {
    stages.push_back(row.stage);
    EXPECT_EQ(row.layers.size(), row.stage.starts_with("conv") ? 0U : 2U) << row.stage;
    EXPECT_NE(row.kernel.find("Eigen"), std::string::npos) << row.kernel;
  }
  EXPECT_EQ(stages, (std::vector<std::string>{"conv1", "conv2", "attention.qkv", "attention.core",
                                              "attention.out", "ffn.fc1", "ffn.fc2"}));
  EXPECT_EQ(rows[0].k, 3 * 80);
  EXPECT_EQ(rows[3].k, 64);
}

TEST(EncoderKernels, ListsLayers) {
  EXPECT_EQ(LayerList({}), "-");
  EXPECT_EQ(LayerList({0}), "0");
  EXPECT_EQ(LayerList({0, 1, 2, 5, 7, 8}), "0-2,5,7-8");
}

}  // namespace
}  // namespace xdna::bench
