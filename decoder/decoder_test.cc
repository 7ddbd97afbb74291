// The decoder, tap by tap, against goldens that numpy made in float64; its caches against itself.
#include "decoder/decoder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "base/program.h"
#include "base/thread_pool.h"
#include "decoder/reference_decoder.h"
#include "decoder/verify.h"
#include "encoder/inputs.h"
#include "golden/compare.h"
#include "golden/store.h"

namespace xdna::decoder {
namespace {

using ops::Precision;

ThreadPool& Pool() {
  static ThreadPool pool(AvailableCpus());
  return pool;
}

ops::CpuContext Context() { return {&Pool(), nullptr}; }

// The model that golden/decoder_golden.py calls tiny-synthetic.
encoder::Model TinyModel() {
  encoder::Geometry g = encoder::KnownGeometry("whisper-tiny");
  g.d_model = 128;
  g.n_heads = g.n_decoder_heads = 2;
  g.n_layers = g.n_decoder_layers = 2;
  g.n_audio_ctx = 75;
  g.n_text_ctx = 64;
  g.n_vocab = 331;
  return encoder::SyntheticModel(g, 1);
}

golden::Store OpenGolden(const std::string& name) {
  return golden::Store::Open(RunfilePath("golden/decoder_" + name + ".h5"), "decoder");
}

std::vector<int> Integers(const Tensor& tensor) {
  const auto* values = tensor.data<float>();
  return {values, values + tensor.size()};
}

void ExpectAllTaps(const golden::Store& store, const encoder::Model& model, const Tensor& encoded,
                   Precision precision) {
  const std::vector<int> tokens = Integers(store.Read("window0", "in/tokens"));
  const std::vector<int> wanted = Integers(store.Read("window0", "in/wanted"));
  const std::vector<int> heads = Integers(store.Read("window0", "in/heads"));
  Decoder decoder(model, precision, Context());
  const auto state = decoder.NewState(1, 1, {{heads[0], heads[1]}, {heads[2], heads[3]}});
  decoder.SetAudio(*state, 0, encoded);
  decoder.Start(*state, std::vector<int>{0});
  // Taps come in pieces where the tokens do.
  std::map<std::string, std::vector<float>> taps;
  state->set_tap([&](const std::string& name, const TensorView& result) {
    const auto* values = result.data<const float>();
    taps[name].insert(taps[name].end(), values, values + result.size());
  });
  const Tensor logits(DType::kF32,
                      {static_cast<std::int64_t>(wanted.size()), model.geometry().n_vocab});
  decoder.Prefill(*state, 0, tokens, wanted, logits);
  const Tensor scores = Convert(state->CrossScores(), DType::kF32);
  taps["cross_scores"] = {scores.data<float>(), scores.data<float>() + scores.size()};

  EXPECT_EQ(taps.size(), store.Datasets("window0", "out").size());
  for (const std::string& name : store.Datasets("window0", "out")) {
    const Tensor want = store.Read("window0", "out/" + name);
    ASSERT_EQ(static_cast<std::int64_t>(taps[name].size()), want.size()) << name;
    const golden::Verdict verdict = golden::Compare(TensorView(taps[name].data(), want.shape()),
                                                    want, LogitsTolerance(precision));
    EXPECT_TRUE(verdict.passed()) << ops::PrecisionName(precision) << " tap " << name << ": "
                                  << golden::Describe(verdict);
    if (name == "logits") {
      fmt::print("{} {}: rel-L2 {:.2e}, headroom {:.0f} %\n", ops::PrecisionName(precision), name,
                 verdict.rel_l2, verdict.headroom_percent());
    }
  }
}

TEST(Decoder, TinySynthetic) {
  const golden::Store store = OpenGolden("tiny_synthetic");
  const Tensor encoded = store.Read("window0", "in/encoded");
  for (Precision precision : ops::kAllPrecisions)
    ExpectAllTaps(store, TinyModel(), encoded, precision);
}

// The C++ float64 decoder, which judges what has no golden, against numpy's.
TEST(Reference, AgreesWithTheGenerator) {
  const golden::Store store = OpenGolden("tiny_synthetic");
  const Tensor logits = ReferenceLogits(TinyModel(), store.Read("window0", "in/encoded"),
                                        Integers(store.Read("window0", "in/tokens")));
  const Tensor want = store.Read("window0", "out/logits");
  golden::Tolerance tolerance;
  tolerance.absolute = 1e-10;
  tolerance.relative = 1.01 * 0x1p-24;
  tolerance.provenance = "goldens are float64 rounded once to f32";
  const std::vector<int> wanted = Integers(store.Read("window0", "in/wanted"));
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const golden::Verdict verdict =
        golden::Compare(logits.view().Rows(wanted[i], 1),
                        want.view().Rows(static_cast<std::int64_t>(i), 1), tolerance);
    EXPECT_TRUE(verdict.passed()) << golden::Describe(verdict);
  }
}

// Where the model could not be had, the test is skipped; in CI that is a failure.
bool HaveModel(const encoder::ChosenModel& chosen) {
  if (chosen.synthetic && std::getenv("XDNA_CI") != nullptr) ADD_FAILURE() << chosen.note;
  return !chosen.synthetic;
}

TEST(Decoder, WhisperBaseOnRealSpeech) {
  const encoder::ChosenModel chosen = encoder::ChooseModel("");
  if (!HaveModel(chosen)) GTEST_SKIP() << chosen.note;
  const Tensor encoded =
      golden::Store::Open(RunfilePath("golden/encoder_whisper_base.h5"), "encoder")
          .Read("window0", "out/ln_post");
  for (Precision precision : ops::kAllPrecisions)
    ExpectAllTaps(OpenGolden("whisper_base"), chosen.model, encoded, precision);
}

// A tiny decoder with the audio of two windows.
class TinyDecoder : public testing::TestWithParam<Precision> {
 protected:
  TinyDecoder() : model_(TinyModel()), decoder_(model_, GetParam(), Context()) {
    const Tensor first = OpenGolden("tiny_synthetic").Read("window0", "in/encoded");
    Tensor second(DType::kF32, first.shape());
    for (std::int64_t i = 0; i < first.size(); ++i)
      second.data<float>()[i] = first.data<float>()[first.size() - 1 - i];
    state_ = NewState(7);
    decoder_.SetAudio(*state_, 0, first);
    decoder_.SetAudio(*state_, 1, second);
  }

  std::unique_ptr<DecoderState> NewState(int rows) const { return decoder_.NewState(2, rows); }

  // Logits after the last of `tokens`, computed all at once.
  std::vector<float> AtOnce(const std::vector<int>& tokens, int window) {
    decoder_.Start(*state_, std::vector<int>{window});
    const Tensor logits(DType::kF32, {1, 331});
    decoder_.Prefill(*state_, 0, tokens, std::vector<int>{static_cast<int>(tokens.size()) - 1},
                     logits);
    return {logits.data<float>(), logits.data<float>() + 331};
  }

  static std::vector<float> RowOf(const TensorView& logits, int row) {
    const auto* values = logits.data<const float>() + row * 331;
    return {values, values + 331};
  }

  encoder::Model model_;
  Decoder decoder_;
  std::unique_ptr<DecoderState> state_;
};

// Sums run in one order however many vectors share a pass, so the results are the same bits.
TEST_P(TinyDecoder, StepsAndPrefillAgreeBitForBit) {
  std::vector<int> tokens;
  std::vector<std::vector<float>> by_step;
  decoder_.Start(*state_, std::vector<int>{0});
  for (int i = 0; i < 40; ++i) {
    tokens.push_back((i * 53 + 7) % 331);
    by_step.push_back(RowOf(decoder_.Step(*state_, std::vector<int>{tokens.back()}), 0));
  }
  for (std::size_t length : {1, 16, 17, 33, 40}) {
    EXPECT_EQ(AtOnce({tokens.begin(), tokens.begin() + length}, 0), by_step[length - 1]) << length;
  }
}

TEST_P(TinyDecoder, BeamsAndWindowsAreAsIfEachWereAlone) {
  // Seven rows about two windows, of different lengths, forked and reordered at every step.
  std::vector<std::vector<int>> rows = {{1, 2, 3}, {4, 5, 6, 7, 8}};
  std::vector<int> windows = {0, 1};
  decoder_.Start(*state_, windows);
  for (int row : {0, 1}) decoder_.Prefill(*state_, row, rows[row], {}, {});
  TensorView logits;
  for (int step = 0; step < 21; ++step) {
    std::vector<int> from, tokens;
    for (std::size_t i = 0; i < 7; ++i)
      from.push_back(static_cast<int>(i * (step + 3) / 2 % rows.size()));
    std::stable_sort(from.begin(), from.end(),
                     [&](int a, int b) { return windows[a] < windows[b]; });
    decoder_.Reorder(*state_, from);
    std::vector<std::vector<int>> next;
    std::vector<int> next_windows;
    for (int row : from) {
      next.push_back(rows[row]);
      next_windows.push_back(windows[row]);
      tokens.push_back(static_cast<int>(next.size() * 31 + step * 17) % 331);
      next.back().push_back(tokens.back());
    }
    rows = next;
    windows = next_windows;
    logits = decoder_.Step(*state_, tokens);
  }
  std::vector<std::vector<float>> got;
  for (int row = 0; row < 7; ++row) got.push_back(RowOf(logits, row));
  for (int row = 0; row < 7; ++row) {
    EXPECT_EQ(state_->window(0), windows[0]);
    EXPECT_EQ(AtOnce(rows[row], windows[row]), got[row]) << "row " << row;
  }
}

TEST_P(TinyDecoder, SameBitsForAnyNumberOfThreads) {
  const std::vector<int> tokens = {3, 1, 4, 1, 5};
  const std::vector<float> want = AtOnce(tokens, 0);
  for (int threads : {1, 3}) {
    ThreadPool pool(threads);
    Decoder decoder(model_, GetParam(), {&pool, nullptr});
    const auto state = decoder.NewState(1, 1);
    decoder.SetAudio(*state, 0, OpenGolden("tiny_synthetic").Read("window0", "in/encoded"));
    decoder.Start(*state, std::vector<int>{0});
    const Tensor logits(DType::kF32, {1, 331});
    decoder.Prefill(*state, 0, tokens, std::vector<int>{4}, logits);
    EXPECT_EQ(RowOf(logits, 0), want) << threads << " threads";
  }
}

TEST_P(TinyDecoder, SaysWhatItCannotTake) {
  const auto refused = [](const std::string& wanted, const auto& call) {
    try {
      call();
      ADD_FAILURE() << "taken: " << wanted;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_NE(error.message().find(wanted), std::string::npos) << error.message();
    }
  };
  decoder_.Start(*state_, std::vector<int>{0});
  refused("token 331; the vocabulary", [&] { decoder_.Step(*state_, std::vector<int>{331}); });
  refused("token -1", [&] { decoder_.Prefill(*state_, 0, std::vector<int>{-1}, {}, {}); });
  refused("65 tokens", [&] { decoder_.Prefill(*state_, 0, std::vector<int>(65, 1), {}, {}); });
  decoder_.Prefill(*state_, 0, std::vector<int>(64, 1), {}, {});
  refused("has positions for 64", [&] { decoder_.Step(*state_, std::vector<int>{1}); });
  refused("[75,128]", [&] { decoder_.SetAudio(*state_, 0, Tensor(DType::kF32, {75, 64})); });
  refused("no head 2 in layer 0", [&] { decoder_.NewState(1, 1, {{0, 2}}); });
}

INSTANTIATE_TEST_SUITE_P(Precisions, TinyDecoder, testing::ValuesIn(ops::kAllPrecisions),
                         [](const auto& info) { return ops::PrecisionName(info.param); });

}  // namespace
}  // namespace xdna::decoder
