// Schedules as data: what is refused, and by which name; what each of ours computes.
#include "encoder/schedule.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "device/measure.h"
#include "encoder/graph.h"
#include "encoder/inputs.h"
#include "encoder/mixed_encoder.h"
#include "encoder/npu_encoder.h"
#include "encoder/npu_options.h"
#include "encoder/reference_encoder.h"
#include "encoder/weights/model.h"
#include "golden/compare.h"
#include "golden/store.h"

namespace xdna::encoder {
namespace {

std::string WhyNot(const nlohmann::json& json) {
  try {
    ParseSchedule(json.dump());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
    return error.message();
  }
  return "taken";
}

nlohmann::json Json(const std::string& name) {
  return nlohmann::json::parse(ScheduleJson(FindSchedule(name)));
}

TEST(Schedule, ComesBackAsItWas) {
  for (const std::string& name : ScheduleNames()) {
    const Schedule schedule = FindSchedule(name);
    EXPECT_EQ(schedule.name, name);
    EXPECT_EQ(ScheduleJson(ParseSchedule(ScheduleJson(schedule))), ScheduleJson(schedule));
    EXPECT_NE(Explain(schedule).find(schedule.description), std::string::npos);
  }
}

TEST(Schedule, ErrorsNameTheField) {
  const auto with = [](const char* field, const nlohmann::json& value) {
    nlohmann::json json = Json("phase2-attention");
    json[field] = value;
    return WhyNot(json);
  };
  EXPECT_EQ(with("qkv", "gpu"), "qkv: found \"gpu\", want one of cpu, npu");
  EXPECT_EQ(with("qkv", 3), "qkv: found 3, want a text");
  EXPECT_EQ(with("norm_batch", -1), "norm_batch: found -1, want an integer from 0 to 1048576");
  EXPECT_EQ(with("tile_k", 12), "tile: found 64x12x64, want multiples of 4x8x8");
  EXPECT_EQ(with("resident", "yes"), "resident: found \"yes\", want true or false");
  EXPECT_EQ(with("columns", 3), "columns: found 3, want 1, 2 or 4");
  EXPECT_EQ(with("columns", 2), "norm_columns: found 4, want at most columns, 2");
  EXPECT_EQ(with("colour", 1), "colour: no such field");
  EXPECT_NE(with("norm", "rms").find("norm: found \"rms\", want one of add_norm_f32"),
            std::string::npos);
  EXPECT_NE(with("norm", "add_norm_f32").find("norm: "), std::string::npos);
  EXPECT_NE(with("one_run", true).find("one_run: "), std::string::npos);
  EXPECT_NE(with("overlap", true).find("overlap: "), std::string::npos);
  EXPECT_NE(with("keep", "fresh").find("keep: "), std::string::npos);
  EXPECT_NE(
      with("assumptions", nlohmann::json::array({{{"name", "x"}}})).find("assumptions[0].fitted"),
      std::string::npos);
  nlohmann::json json = Json("phase2-attention");
  json.erase("out");
  EXPECT_EQ(WhyNot(json), "out: missing");
}

TEST(Schedule, ErrorsOfTheText) {
  EXPECT_THROW(ParseSchedule("{"), Error);
  EXPECT_THROW(ParseSchedule("[]"), Error);
  EXPECT_THROW(ParseSchedule(R"({"name": "a", "name": "b"})"), Error);
  EXPECT_THROW(FindSchedule("phase7"), Error);
  EXPECT_THROW(FindSchedule("/no/such.json"), Error);
}

TEST(Schedule, SaysWhatDiffers) {
  const std::string text =
      ExplainAgainst(FindSchedule("phase1-reuse"), FindSchedule("phase1-batched"));
  EXPECT_NE(text.find("keep           context instead of fresh"), std::string::npos) << text;
  EXPECT_EQ(text.find("stem"), std::string::npos) << text;
}

// --- what they compute -------------------------------------------------------------------------

golden::Tolerance Limits(const std::string& precision) {
  golden::Tolerance t;
  t.absolute = golden::kNoLimit;
  t.rel_l2 = precision == "int8" ? 7e-2 : 2.5e-2;
  t.cosine = 0.997;
  t.provenance = "as //bench:encoder's";
  return t;
}

void Configure(bool functional) {
  device::DeviceOptions options;
  options.functional = functional;
  device::ConfigureDevice(options);
}

Model SmallModel() {
  Geometry geometry;
  geometry.n_mels = 80;
  geometry.n_audio_ctx = 40;
  geometry.d_model = 128;
  geometry.n_heads = 2;
  geometry.n_layers = 2;
  geometry.n_decoder_heads = 2;
  geometry.n_decoder_layers = 1;
  geometry.n_text_ctx = 8;
  geometry.n_vocab = 100;
  geometry.name = GeometryName(geometry);
  return SyntheticModel(geometry, 3);
}

Tensor Mel(const EncoderShape& shape) {
  Tensor mel(DType::kF32, {shape.n_mels, shape.frames});
  for (std::int64_t i = 0; i < mel.size(); ++i) {
    mel.data<float>()[i] = static_cast<float>(i * 7919 % 2001) / 1000 - 1;
  }
  return mel;
}

class EachSchedule : public testing::TestWithParam<std::string> {};

TEST_P(EachSchedule, SmallModelInBothGeometries) {
  const Model model = SmallModel();
  const Schedule schedule = FindSchedule(GetParam());
  EncoderShape seed = Seed3001Shape(model.geometry());
  seed.frames = seed.positions = 77;
  for (const EncoderShape& shape : {WhisperShape(model.geometry()), seed}) {
    const Tensor mel = Mel(shape);
    const TensorMap want = RunReference(model, shape, mel);
    Configure(true);
    Tensor y;
    if (schedule.WholeOnNpu()) {
      NpuEncoder encoder(model, shape, DefaultNpuOptions(shape));
      encoder.Encode(mel);
      y = encoder.Encode(mel);
      EXPECT_GT(encoder.last_ms(), 0);
    } else {
      MixedEncoder encoder(model, shape, schedule, FindCpuProfile("numpy"), true);
      encoder.Encode(mel);
      y = encoder.Encode(mel);  // now by runlists, where the schedule has them
      EXPECT_GT(encoder.last().total, 0);
    }
    const golden::Verdict verdict =
        golden::Compare(y, want.at("ln_post"), Limits(schedule.precision));
    EXPECT_TRUE(verdict.passed()) << shape.name << ": " << golden::Describe(verdict);
    EXPECT_TRUE(device::Violations().empty()) << device::Violations().front().message;
  }
}

// Fewer columns take longer and compute the same.
TEST(Columns, OneAndTwoAndFour) {
  const Model model = SmallModel();
  const EncoderShape shape = WhisperShape(model.geometry());
  const Tensor mel = Mel(shape);
  const Tensor want = std::move(RunReference(model, shape, mel).at("ln_post"));
  for (const char* name : {"phase2-attention", "phase6-resident"}) {
    for (const std::int64_t columns : {1, 2, 4}) {
      Schedule schedule = FindSchedule(name);
      schedule.columns = schedule.norm_columns = columns;
      Configure(true);
      Tensor y;
      if (schedule.WholeOnNpu()) {
        y = NpuEncoder(model, shape, NpuOptionsOf(schedule, shape, FindCpuProfile("numpy")))
                .Encode(mel);
      } else {
        y = MixedEncoder(model, shape, schedule, FindCpuProfile("numpy"), true).Encode(mel);
      }
      const golden::Verdict verdict = golden::Compare(y, want, Limits("bf16"));
      EXPECT_TRUE(verdict.passed()) << name << columns << golden::Describe(verdict);
      EXPECT_TRUE(device::Violations().empty()) << device::Violations().front().message;
    }
  }
}

// Windows in flight have buffers of their own, and the host's part of one runs beside the NPU's of
// another.
TEST(InFlight, SameResultsInLessTime) {
  const Model model = SmallModel();
  const EncoderShape shape = WhisperShape(model.geometry());
  const Tensor first = Mel(shape);
  Tensor second = first.Clone();
  second.data<float>()[5] += 1;
  for (const Submission submission : {Submission::kRunlist, Submission::kWindow}) {
    NpuEncoderOptions options = DefaultNpuOptions(shape);
    options.submission = submission;
    std::vector<Tensor> want;
    double one = 0;
    for (const std::size_t in_flight : {1, 3}) {
      Configure(true);
      options.in_flight = in_flight;
      NpuEncoder encoder(model, shape, options);
      encoder.Encode(first);
      std::vector<Tensor> got = encoder.EncodeAll({first, second, second, first});
      ASSERT_EQ(got.size(), 4U);
      EXPECT_TRUE(device::Violations().empty()) << device::Violations().front().message;
      if (in_flight == 1) {
        one = encoder.last_ms();
        want = std::move(got);
        continue;
      }
      EXPECT_LT(encoder.last_ms(), one);
      for (std::size_t i = 0; i < got.size(); ++i) {
        EXPECT_TRUE(golden::Compare(got[i], want[i], golden::Tolerance::Exact("same")).passed());
      }
      EXPECT_FALSE(golden::Compare(got[0], got[1], golden::Tolerance::Exact("other")).passed());
    }
  }
  NpuEncoderOptions waits = DefaultNpuOptions(shape);
  waits.submission = Submission::kRun;
  waits.in_flight = 2;
  EXPECT_THROW(NpuEncoder(model, shape, waits), Error);
}

TEST(TimesOnly, DoNotNeedWeights) {
  const Model model = SmallModel();
  const EncoderShape shape = WhisperShape(model.geometry());
  double with = 0;
  for (const bool weights : {true, false}) {
    Configure(false);
    NpuEncoderOptions options = DefaultNpuOptions(shape);
    options.weights = weights;
    NpuEncoder encoder(model, shape, options);
    encoder.Encode(Mel(shape));
    encoder.Encode(Mel(shape));
    if (weights) with = encoder.last_ms();
    EXPECT_EQ(encoder.last_ms(), with);
  }
}

INSTANTIATE_TEST_SUITE_P(All, EachSchedule, testing::ValuesIn(ScheduleNames()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

// The bar: whisper-base on real speech, at least 220 times real time by the model.
TEST(Phase6, FullWindowOfRealSpeech) {
  const ChosenModel chosen = ChooseModel("");
  if (chosen.synthetic) GTEST_SKIP() << chosen.note;
  const EncoderShape shape = WhisperShape(chosen.model.geometry());
  const golden::Store store =
      golden::Store::Open(RunfilePath("golden/encoder_whisper_base.h5"), "encoder");
  Configure(true);
  NpuEncoder encoder(chosen.model, shape, DefaultNpuOptions(shape));
  const Tensor y = encoder.Encode(store.Read("window0", "in/mel"));
  const golden::Verdict verdict =
      golden::Compare(y, store.Read("window0", "out/ln_post"), Limits("bf16"));
  EXPECT_TRUE(verdict.passed()) << golden::Describe(verdict);
  EXPECT_LT(encoder.last_ms(), 30e3 / 220);
  EXPECT_EQ(encoder.runs(), 1U);
}

}  // namespace
}  // namespace xdna::encoder
