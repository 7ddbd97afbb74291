// Decoding against a plain restatement of openai-whisper's, and real speech to what was said.
#include "decoder/decoding.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "decoder/logit_rules.h"
#include "encoder/audio/log_mel.h"
#include "encoder/cpu_encoder.h"
#include "encoder/inputs.h"

namespace xdna::decoder {
namespace {

using ops::Precision;

ThreadPool& Pool() {
  static ThreadPool pool(AvailableCpus());
  return pool;
}

ops::CpuContext Context() { return {&Pool(), nullptr}; }

// 20 tokens of text, the specials, and time stamps from 0 to 0.18 s.
constexpr SpecialTokens kSpecial = {20, 21, 22, 23, 24, 25, 26, 27, 30};
constexpr int kVocabulary = 40;

class TinyDecoding : public testing::Test {
 protected:
  TinyDecoding() : model_(MakeModel()), decoder_(model_, Precision::kF32, Context()) {
    state_ = decoder_.NewState(3, 3 * 5);
    for (int window = 0; window < 3; ++window) {
      const Tensor encoded(DType::kF32, {75, 128});
      FillSeededNormal(window + 1, 0, 2, 0,
                       {encoded.data<float>(), static_cast<std::size_t>(encoded.size())});
      decoder_.SetAudio(*state_, window, encoded);
    }
    options_.suppress = {3, 21, 22, 23, 24, 25, 26};
    options_.not_first = {0, kSpecial.eot};
    options_.max_initial_s = 0.06;
    options_.most_tokens = 12;
  }

  static encoder::Model MakeModel() {
    encoder::Geometry g = encoder::KnownGeometry("whisper-tiny");
    g.d_model = 128;
    g.n_heads = g.n_decoder_heads = 2;
    g.n_layers = g.n_decoder_layers = 2;
    g.n_audio_ctx = 75;
    g.n_text_ctx = 32;
    g.n_vocab = kVocabulary;
    return encoder::SyntheticModel(g, 5);
  }

  static DecodingTask Task(int window, std::vector<int> previous = {}) {
    return {window, {kSpecial.sot, 28, kSpecial.transcribe}, std::move(previous)};
  }

  DecodingResult Run(const DecodingTask& task) { return Run(std::vector<DecodingTask>{task})[0]; }
  std::vector<DecodingResult> Run(const std::vector<DecodingTask>& tasks) {
    return Decode(decoder_, *state_, tasks, kSpecial, options_, Pool());
  }

  // log-probabilities of what may follow, computed anew from the first token on.
  std::vector<double> LogProbs(const std::vector<int>& prompt, const std::vector<int>& sampled) {
    std::vector<int> tokens = prompt;
    tokens.insert(tokens.end(), sampled.begin(), sampled.end());
    decoder_.Start(*state_, std::vector<int>{0});
    const Tensor logits(DType::kF32, {1, kVocabulary});
    decoder_.Prefill(*state_, 0, tokens, std::vector<int>{static_cast<int>(tokens.size()) - 1},
                     logits);
    const std::span<float> row(logits.data<float>(), kVocabulary);
    BlankRule{options_.not_first}.Apply(sampled, row);
    SuppressRule{options_.suppress}.Apply(row);
    if (options_.timestamps) TimestampRule{kSpecial, 3}.Apply(sampled, row);
    double sum = 0;
    for (float v : row) sum += std::exp(v);
    std::vector<double> result;
    for (float v : row) result.push_back(v - std::log(sum));
    return result;
  }

  // whisper/decoding.py, BeamSearchDecoder, with maps in place of tensors.
  DecodingResult PlainSearch(const std::vector<int>& prompt, int beams, double patience) {
    std::map<std::vector<int>, double> live = {{{}, 0}}, finished;
    const std::size_t enough = std::lround(beams * patience);
    for (int step = 0; step < options_.most_tokens && finished.size() < enough; ++step) {
      std::vector<std::pair<double, std::vector<int>>> candidates;
      for (const auto& [sampled, sum] : live) {
        const std::vector<double> next = LogProbs(prompt, sampled);
        for (int token = 0; token < kVocabulary; ++token) {
          std::vector<int> longer = sampled;
          longer.push_back(token);
          if (std::isfinite(next[token])) candidates.emplace_back(sum + next[token], longer);
        }
      }
      std::sort(candidates.rbegin(), candidates.rend());
      live.clear();
      for (auto& [sum, sampled] : candidates) {
        if (static_cast<int>(live.size()) == beams) break;
        if (sampled.back() == kSpecial.eot) {
          sampled.pop_back();
          if (finished.size() < enough) finished[sampled] = sum;
        } else {
          live[sampled] = sum;
        }
      }
    }
    std::vector<std::pair<double, std::vector<int>>> rest;
    for (const auto& [sampled, sum] : live) rest.emplace_back(sum, sampled);
    std::sort(rest.rbegin(), rest.rend());
    for (const auto& [sum, sampled] : rest) {
      if (static_cast<int>(finished.size()) < beams) finished[sampled] = sum;
    }
    DecodingResult best;
    double score = -1e30;
    for (const auto& [sampled, sum] : finished) {
      const double length = std::max<double>(1, static_cast<double>(sampled.size()));
      if (sum / length <= score) continue;
      score = sum / length;
      best.tokens = sampled;
      best.sum_logprob = sum;
    }
    return best;
  }

  encoder::Model model_;
  Decoder decoder_;
  std::unique_ptr<DecoderState> state_;
  DecodingOptions options_;
};

TEST_F(TinyDecoding, GreedyTakesTheLikeliestTokenAllowed) {
  for (bool timestamps : {true, false}) {
    options_.timestamps = timestamps;
    const DecodingResult got = Run(Task(0));
    std::vector<int> prompt = {kSpecial.sot, 28, kSpecial.transcribe};
    if (!timestamps) prompt.push_back(kSpecial.no_timestamps);
    std::vector<int> sampled;
    double sum = 0;
    while (static_cast<int>(sampled.size()) < options_.most_tokens) {
      const std::vector<double> next = LogProbs(prompt, sampled);
      const auto best = std::max_element(next.begin(), next.end());
      sum += *best;
      if (best - next.begin() == kSpecial.eot) break;
      sampled.push_back(static_cast<int>(best - next.begin()));
    }
    EXPECT_EQ(got.tokens, sampled);
    EXPECT_NEAR(got.sum_logprob, sum, 1e-4);
    EXPECT_NEAR(got.avg_logprob, sum / static_cast<double>(sampled.size() + 1), 1e-5);
    EXPECT_GT(got.no_speech_prob, 0);
    EXPECT_LT(got.no_speech_prob, 1);
  }
}

TEST_F(TinyDecoding, BeamSearchIsThePlainOne) {
  const std::vector<int> prompt = {kSpecial.sot, 28, kSpecial.transcribe};
  for (int beams : {1, 2, 5}) {
    for (double patience : {1.0, 2.0}) {
      options_.beam_size = beams;
      options_.patience = patience;
      const DecodingResult want = PlainSearch(prompt, beams, patience);
      const DecodingResult got = Run(Task(0));
      EXPECT_EQ(got.tokens, want.tokens) << beams << " beams, patience " << patience;
      EXPECT_NEAR(got.sum_logprob, want.sum_logprob, 1e-4);
    }
  }
}

TEST_F(TinyDecoding, TasksDoNotKnowOfEachOther) {
  const std::vector<DecodingTask> tasks = {Task(2), Task(0, {5, 6, 7}), Task(1, {1})};
  for (auto [beams, temperature] : {std::pair(0, 0.0), {5, 0.0}, {0, 0.8}}) {
    options_.beam_size = beams;
    options_.temperature = temperature;
    const std::vector<DecodingResult> together = Run(tasks);
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const DecodingResult alone = Run(tasks[i]);
      EXPECT_EQ(together[i].tokens, alone.tokens);
      EXPECT_EQ(together[i].sum_logprob, alone.sum_logprob);
      EXPECT_EQ(together[i].no_speech_prob, alone.no_speech_prob);
    }
    EXPECT_NE(together[0].sum_logprob, together[1].sum_logprob);
  }
}

TEST_F(TinyDecoding, DrawsDependOnTheSeedAlone) {
  options_.temperature = 1;
  options_.best_of = 1;
  std::map<std::vector<int>, int> seen;
  for (options_.seed = 0; options_.seed < 20; ++options_.seed) {
    const DecodingResult first = Run(Task(0));
    EXPECT_EQ(Run(Task(0)).tokens, first.tokens);
    EXPECT_EQ(first.temperature, 1);
    ++seen[first.tokens];
  }
  EXPECT_GT(seen.size(), 10U);
  // The best of five draws is better than one, on the whole.
  const auto mean_score = [this](int best_of) {
    options_.best_of = best_of;
    double sum = 0;
    for (options_.seed = 0; options_.seed < 20; ++options_.seed) {
      const DecodingResult r = Run(Task(0));
      sum += r.sum_logprob / std::max<double>(1, static_cast<double>(r.tokens.size()));
    }
    return sum / 20;
  };
  EXPECT_GT(mean_score(5), mean_score(1));
  options_.temperature = 1e-3;  // as good as greedy
  const DecodingResult cold = Run(Task(0));
  options_.temperature = 0;
  EXPECT_EQ(Run(Task(0)).tokens, cold.tokens);
}

// A prompt that leaves no room ends the decoding, not the program.
TEST_F(TinyDecoding, StopsWhereThePositionsEnd) {
  options_.most_tokens = 100;
  options_.suppress.push_back(kSpecial.eot);
  const DecodingResult got = Run(Task(0, std::vector<int>(100, 1)));
  // Of 32 positions: 15 of context and its mark, 3 of the start. The last token is not fed.
  EXPECT_EQ(got.tokens.size(), 32U - 19 + 1);
}

TEST_F(TinyDecoding, RefusesOptionsThatMakeNoSense) {
  const auto refused = [this](const std::string& what, const std::function<void()>& change) {
    options_ = {};
    change();
    try {
      Run(Task(0));
      ADD_FAILURE() << "taken: " << what;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_NE(error.message().find(what), std::string::npos) << error.message();
    }
  };
  refused("temperature is -1", [&] { options_.temperature = -1; });
  refused("best_of is 0", [&] { options_.best_of = 0; });
  refused("beam_size is -1", [&] { options_.beam_size = -1; });
  refused("length_penalty is 1.5", [&] { options_.length_penalty = 1.5; });
  refused("patience is 0.1", [&] {
    options_.beam_size = 3;
    options_.patience = 0.1;
  });
  refused("every token is suppressed", [&] {
    for (int token = 0; token < kVocabulary; ++token) options_.suppress.push_back(token);
  });
}

// "And Mr. John Dashwood had then leisure to consider how much there might be prudently in his
// power to do for them. He was not an ill-disposed young man. Unless to be rather cold-hearted and
// rather selfish is to be ill-disposed. Had he married a more amiable woman, he might have been
// made still more respectable than he was. He might even have been made amiable himself."
constexpr int kSpoken[] = {
    400,   2221, 13,   2619,  23453, 6092, 632,  550,  31339, 281,   1949, 577,  709,  456,   1062,
    312,   582,  532,  2276,  294,   702,  1347, 281,  360,   337,   552,  13,   634,  390,   406,
    364,   3171, 12,   67,    7631,  1744, 2037, 587,  13,    16581, 281,  312,  2831, 3554,  12,
    25471, 293,  2831, 19074, 307,   281,  312,  3171, 12,    67,    7631, 1744, 13,   12298, 415,
    5259,  257,  544,  669,   9364,  3059, 11,   415,  1062,  362,   668,  1027, 920,  544,   44279,
    813,   415,  390,  13,    634,   1062, 754,  362,  668,   1027,  669,  9364, 3647, 13};

// Where the model could not be had, the test is skipped; in CI that is a failure.
TEST(Decoding, LibriVoxBecomesItsText) {
  const encoder::ChosenModel chosen = encoder::ChooseModel("");
  if (chosen.synthetic && std::getenv("XDNA_CI") != nullptr) FAIL() << chosen.note;
  if (chosen.synthetic) GTEST_SKIP() << chosen.note;
  const encoder::EncoderShape shape = encoder::WhisperShape(chosen.model.geometry());
  const encoder::Audio audio = encoder::ChooseAudio({});
  const Tensor mel = encoder::LogMel(80).Windows(audio, 3000, &Pool());
  encoder::CpuEncoder encode(chosen.model, shape, {{}, false}, Context());
  const Tensor encoded(DType::kF32, {shape.positions, shape.d});
  encode.Run(TensorView(mel.data<float>(), {shape.n_mels, shape.frames}), encoded);

  const SpecialTokens special = {50257, 50258, 50358, 50359, 50360, 50361, 50362, 50363, 50364};
  const std::vector<LanguageToken> languages = {{"en", 50259}, {"zh", 50260}, {"de", 50261},
                                                {"es", 50262}, {"ru", 50263}, {"cy", 50297}};
  const std::vector<DecodingTask> task = {{0, {50258, 50259, 50359}, {}}};
  const std::vector<int> spoken(std::begin(kSpoken), std::end(kSpoken));
  for (Precision precision : ops::kAllPrecisions) {
    Decoder decoder(chosen.model, precision, Context());
    const auto state = decoder.NewState(1, 5);
    decoder.SetAudio(*state, 0, encoded);
    EXPECT_GT(DetectLanguage(decoder, *state, 0, special, languages)[0], 0.99);
    DecodingOptions options;
    options.timestamps = false;
    const DecodingResult greedy = Decode(decoder, *state, task, special, options, Pool())[0];
    EXPECT_EQ(greedy.tokens, spoken) << ops::PrecisionName(precision);
    EXPECT_GT(greedy.avg_logprob, -0.3);
    EXPECT_LT(greedy.no_speech_prob, 0.1);
    if (precision != Precision::kBf16) continue;
    options.beam_size = 5;
    EXPECT_GT(Decode(decoder, *state, task, special, options, Pool())[0].avg_logprob,
              greedy.avg_logprob);
    // With timestamps: pairs of them around each sentence, the text between as it was.
    const DecodingResult timed = Decode(decoder, *state, task, special, {}, Pool())[0];
    EXPECT_EQ(timed.tokens.front(), special.timestamp_begin);
    EXPECT_GE(timed.tokens.back(), special.timestamp_begin + 23 * 50);
    EXPECT_EQ(std::count_if(timed.tokens.begin(), timed.tokens.end(),
                            [](int token) { return token >= 50364; }) %
                  2,
              0);
  }
}

}  // namespace
}  // namespace xdna::decoder
