// The whole encoder, tap by tap, against goldens that numpy made in float64.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "base/program.h"
#include "base/thread_pool.h"
#include "encoder/cpu_encoder.h"
#include "encoder/graph.h"
#include "encoder/inputs.h"
#include "encoder/reference_encoder.h"
#include "encoder/verify.h"
#include "golden/compare.h"
#include "golden/faults.h"
#include "golden/store.h"
#include "ops/contract.h"

namespace xdna::encoder {
namespace {

constexpr ops::Variant kVariants[] = {{ops::Precision::kF32, ops::Backend::kFast},
                                      {ops::Precision::kBf16, ops::Backend::kFast},
                                      {ops::Precision::kInt8, ops::Backend::kFast},
                                      {ops::Precision::kMixed, ops::Backend::kFast},
                                      {ops::Precision::kF32, ops::Backend::kEigen}};

ThreadPool& Pool() {
  static ThreadPool pool(AvailableCpus());
  return pool;
}

golden::Store OpenGolden(const std::string& name) {
  return golden::Store::Open(RunfilePath("golden/encoder_" + name + ".h5"), "encoder");
}

// The model that golden/generate.py calls tiny-synthetic, made anew from the same
// formula: its goldens test the seeded numbers, too.
Model TinyModel() {
  Geometry g = KnownGeometry("whisper-tiny");
  g.name = "tiny-synthetic";
  g.d_model = 128;
  g.n_heads = g.n_decoder_heads = 2;
  g.n_layers = g.n_decoder_layers = 2;
  g.n_audio_ctx = 64;
  return SyntheticModel(g, 1);
}

// Inside the network, single layers may be further off than the output: the last
// LayerNorm divides the outliers away.
golden::Tolerance TapTolerance(ops::Precision precision, const std::string& tap) {
  golden::Tolerance t = OutputTolerance(precision);
  if (tap == "ln_post") return t;
  t.rel_l2 *= 3;
  t.cosine = 1 - 9 * (1 - t.cosine);
  return t;
}

void ExpectAllTaps(const golden::Store& store, const Model& model, const EncoderShape& shape,
                   ops::Variant variant) {
  const Tensor mel = store.Read("window0", "in/mel");
  const Tensor out(DType::kF32, {shape.positions, shape.d});
  const auto taps = store.Datasets("window0", "out");
  const std::string name =
      fmt::format("{} {}/{}", shape.name, ops::PrecisionName(variant.precision),
                  ops::BackendName(variant.backend));
  std::size_t seen = 0;
  CpuEncoder encoder(model, shape, {variant, true}, {&Pool(), nullptr});
  encoder.Run(mel, out, [&](const std::string& tap, const TensorView& result) {
    if (tap.ends_with(".mid")) return;  // no golden: attn and mlp_ln tell as much
    ++seen;
    const golden::Verdict verdict =
        golden::Compare(Convert(result, DType::kF32), store.Read("window0", "out/" + tap),
                        TapTolerance(variant.precision, tap));
    EXPECT_TRUE(verdict.passed()) << name << " tap " << tap << ": " << golden::Describe(verdict);
    if (tap == "ln_post")
      fmt::print("{}: rel-L2 {:.2e}, headroom {:.0f} %\n", name, verdict.rel_l2,
                 verdict.headroom_percent());
  });
  EXPECT_EQ(seen, taps.size());

  // Without taps the residual sums are fused; the result is as good.
  CpuEncoder fused(model, shape, {variant, false}, {&Pool(), nullptr});
  fused.Run(mel, out);
  const golden::Verdict verdict = golden::Compare(out, store.Read("window0", "out/ln_post"),
                                                  OutputTolerance(variant.precision));
  EXPECT_TRUE(verdict.passed()) << name << " fused: " << golden::Describe(verdict);
}

void ExpectAllVariants(const std::string& golden, const Model& model, const EncoderShape& shape) {
  const golden::Store store = OpenGolden(golden);
  int run = 0;
  for (const ops::Variant& variant : kVariants) {
    try {
      ExpectAllTaps(store, model, shape, variant);
      ++run;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUnsupported) throw;
      fmt::print("{}: unsupported: {}\n", ops::PrecisionName(variant.precision), error.message());
    }
  }
  EXPECT_GT(run, 0);
}

// Where the model could not be had, the test is skipped; in CI that is a failure.
void SkipWithoutModel(const ChosenModel& chosen) {
  if (!chosen.synthetic) return;
  if (std::getenv("XDNA_CI") != nullptr) FAIL() << chosen.note;
  GTEST_SKIP() << chosen.note;
}

TEST(Encoder, TinySynthetic) {
  const Model model = TinyModel();
  ExpectAllVariants("tiny_synthetic", model, WhisperShape(model.geometry()));
}

TEST(Encoder, WhisperBaseOnRealSpeech) {
  const ChosenModel chosen = ChooseModel("");
  SkipWithoutModel(chosen);
  if (chosen.synthetic) return;
  ExpectAllVariants("whisper_base", chosen.model, WhisperShape(chosen.model.geometry()));
}

TEST(Encoder, Seed3001OnRealSpeech) {
  const ChosenModel chosen = ChooseModel("");
  SkipWithoutModel(chosen);
  if (chosen.synthetic) return;
  ExpectAllVariants("seed_3001", chosen.model, Seed3001Shape(chosen.model.geometry()));
}

// The C++ float64 encoder, which judges what has no golden, against numpy's.
TEST(Reference, AgreesWithTheGenerator) {
  const golden::Store store = OpenGolden("tiny_synthetic");
  const Model model = TinyModel();
  const TensorMap results =
      RunReference(model, WhisperShape(model.geometry()), store.Read("window0", "in/mel"));
  golden::Tolerance tolerance;
  tolerance.absolute = 1e-10;
  tolerance.relative = 1.01 * 0x1p-24;
  tolerance.provenance = "goldens are float64 rounded once to f32";
  for (const std::string& tap : store.Datasets("window0", "out")) {
    const golden::Verdict verdict =
        golden::Compare(results.at(tap), store.Read("window0", "out/" + tap), tolerance);
    EXPECT_TRUE(verdict.passed()) << tap << ": " << golden::Describe(verdict);
  }
}

// What the output tolerance lets pass and what it catches: every fault that moves
// more than a rounding of the output.
TEST(OutputTolerance, CatchesSeededFaults) {
  const Tensor want = OpenGolden("tiny_synthetic").Read("window0", "out/ln_post");
  for (ops::Precision precision : {ops::Precision::kF32, ops::Precision::kBf16,
                                   ops::Precision::kInt8, ops::Precision::kMixed}) {
    for (golden::Fault fault : golden::kAllFaults) {
      // Bounds on a norm can't see one sign or one more rounding of 64 x 128 values
      // in a low precision; the ops' own tests do.
      const bool small = fault == golden::Fault::kSignFlip || fault == golden::Fault::kTruncated;
      if (small && precision != ops::Precision::kF32) continue;
      const golden::Verdict verdict =
          golden::Compare(golden::Inject(want, fault, 7), want, OutputTolerance(precision));
      EXPECT_FALSE(verdict.passed())
          << golden::FaultName(fault) << " passes in " << ops::PrecisionName(precision);
    }
  }
}

TEST(Encoder, SameBitsForAnyNumberOfThreads) {
  const golden::Store store = OpenGolden("tiny_synthetic");
  const Model model = TinyModel();
  const EncoderShape shape = WhisperShape(model.geometry());
  const Tensor mel = store.Read("window0", "in/mel");
  std::vector<Tensor> outputs;
  for (int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    CpuEncoder encoder(model, shape, {kVariants[0], false}, {&pool, nullptr});
    outputs.emplace_back(DType::kF32, Shape{shape.positions, shape.d});
    encoder.Run(mel, outputs.back());
    const auto exact = golden::Tolerance::Exact("each row is computed by one thread alone");
    EXPECT_TRUE(golden::Compare(outputs.back(), outputs.front(), exact).passed())
        << threads << " threads";
  }
}

TEST(Encoder, RefusesAnotherShapeOfMel) {
  const Model model = TinyModel();
  CpuEncoder encoder(model, WhisperShape(model.geometry()), {kVariants[0], false},
                     {&Pool(), nullptr});
  const Tensor out(DType::kF32, {64, 128});
  try {
    encoder.Run(Tensor(DType::kF32, {80, 127}), out);
    FAIL() << "taken";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("[80,128], not [80,127]"), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace xdna::encoder
