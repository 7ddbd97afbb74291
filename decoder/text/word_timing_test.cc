#include "decoder/text/word_timing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/tensor.h"
#include "decoder/text/segment.h"
#include "decoder/text/test_vocabulary.h"
#include "decoder/text/tokenizer.h"
#include "decoder/text/vocabulary.h"

namespace xdna::decoder {
namespace {

using test::ExpectError;
using testing::ElementsAre;
using testing::Pair;
using testing::SizeIs;

using Path = std::vector<std::pair<int, int>>;

const Tokenizer& Tiny() {
  static const Tokenizer tokenizer(ParseVocabulary(test::TokenizerJson(), "tokenizer.json"));
  return tokenizer;
}

std::vector<float> RandomFloats(std::mt19937_64& random, std::size_t count) {
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(count);
  for (float& value : values) value = uniform(random);
  return values;
}

// --- the parts ---------------------------------------------------------------------------------

TEST(MedianFilter, IsTheMedianWithMirroredEnds) {
  std::vector<float> rows = {5, 1, 4, 2, 9, 0, 0, 1, 0, 0};
  MedianFilter(rows, 5, 3);  // mirrored: 1 | 5 1 4 2 9 | 2
  EXPECT_THAT(rows, ElementsAre(1, 4, 2, 4, 2, 0, 0, 0, 0, 0));
}

TEST(MedianFilter, AgreesWithSortingWhateverTheLength) {
  std::mt19937_64 random(1);
  for (const int length : {4, 5, 63, 64, 65, 130}) {
    const std::vector<float> row = RandomFloats(random, length);
    std::vector<float> filtered = row;
    MedianFilter(filtered, length, 7);
    for (int i = 0; i < length; ++i) {
      std::vector<float> window;
      for (int k = i - 3; k <= i + 3; ++k) {
        window.push_back(row[k < 0 ? -k : k < length ? k : 2 * (length - 1) - k]);
      }
      std::sort(window.begin(), window.end());
      ASSERT_EQ(filtered[i], window[3]) << length << " " << i;
    }
  }
}

TEST(MedianFilter, LeavesRowsThatAreTooShort) {
  std::vector<float> rows = {3, 1, 2};
  MedianFilter(rows, 3, 7);
  EXPECT_THAT(rows, ElementsAre(3, 1, 2));
}

TEST(AlignmentMatrix, NormalisesOverTokensAndTakesTheMeanOfHeads) {
  // Three frames: too few for the filter. The last head weighs all tokens alike.
  const Tensor weights =
      Tensor::FromValues<float>({2, 2, 3}, {0.F, 2, 5, 4, 0, 5, 1, 1, 1, 1, 1, 1});
  EXPECT_THAT(AlignmentMatrix(weights), ElementsAre(-0.5F, 0.5F, 0, 0.5F, -0.5F, 0));
}

TEST(DynamicTimeWarp, FollowsThePathOfLeastCost) {
  const std::vector<float> cost = {-1, 1,  1,  1,  //
                                   1,  -1, -1, 1,  //
                                   1,  1,  1,  -1};
  EXPECT_THAT(DynamicTimeWarp(cost, 3, 4),
              ElementsAre(Pair(0, 0), Pair(1, 1), Pair(1, 2), Pair(2, 3)));
  EXPECT_THAT(DynamicTimeWarp(cost, 1, 3), ElementsAre(Pair(0, 0), Pair(0, 1), Pair(0, 2)));
  EXPECT_THAT(DynamicTimeWarp(cost, 3, 1), ElementsAre(Pair(0, 0), Pair(1, 0), Pair(2, 0)));
  EXPECT_THAT(DynamicTimeWarp({}, 0, 4), SizeIs(0));
}

TEST(DynamicTimeWarp, TiesGoAsInOpenaiWhisper) {
  // dtw_cpu of openai-whisper 20250625 on a table of zeros.
  EXPECT_THAT(DynamicTimeWarp(std::vector<float>(6), 2, 3),
              ElementsAre(Pair(0, 0), Pair(1, 0), Pair(1, 1), Pair(1, 2)));
}

// The least cost of any path, straight from the definition.
float LeastCost(const std::vector<float>& cost, std::size_t columns, std::size_t i, std::size_t j) {
  float best = i == 0 && j == 0 ? 0 : std::numeric_limits<float>::infinity();
  if (i > 0 && j > 0) best = std::min(best, LeastCost(cost, columns, i - 1, j - 1));
  if (i > 0) best = std::min(best, LeastCost(cost, columns, i - 1, j));
  if (j > 0) best = std::min(best, LeastCost(cost, columns, i, j - 1));
  return cost[i * columns + j] + best;
}

TEST(DynamicTimeWarp, NoPathIsCheaper) {
  std::mt19937_64 random(2);
  for (int n = 0; n < 200; ++n) {
    const std::size_t rows = 1 + random() % 5;
    const std::size_t columns = 1 + random() % 6;
    const std::vector<float> cost = RandomFloats(random, rows * columns);
    float sum = 0;
    for (const auto& [i, j] : DynamicTimeWarp(cost, rows, columns)) sum += cost[i * columns + j];
    ASSERT_NEAR(sum, LeastCost(cost, columns, rows - 1, columns - 1), 1e-5);
  }
}

TEST(DynamicTimeWarp, EndsWhateverTheNumbers) {
  for (const float odd : {std::nanf(""), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    const Path path = DynamicTimeWarp(std::vector<float>(20, odd), 4, 5);
    EXPECT_EQ(path.front(), std::make_pair(0, 0));
    EXPECT_EQ(path.back(), std::make_pair(3, 4));
  }
}

// --- words -------------------------------------------------------------------------------------

// Attention of one head in which token i looks at frames [10 i, 10 i + 10).
struct Staircase {
  explicit Staircase(std::vector<int> text_tokens)
      : text(std::move(text_tokens)), probability(text.size(), 0.5F) {
    const auto tokens = static_cast<std::int64_t>(text.size() + 2 + 3);
    const std::int64_t frames = 10 * tokens;
    weights = Tensor(DType::kF32, {1, tokens, frames});
    for (std::int64_t i = 0; i < frames; ++i) {
      weights.data<float>()[(i / 10) * frames + i] = 1;
    }
  }
  TokenAttention attention() const { return {weights, 3, text, probability}; }

  std::vector<int> text;
  std::vector<float> probability;
  Tensor weights;
};

TEST(FindWordTimings, FollowsTheAttention) {
  Staircase staircase(Tiny().Encode(" the inn"));  // " the", " ", "in", "n"
  ASSERT_THAT(staircase.text, SizeIs(4));
  staircase.probability = {1, 0.25F, 0.5F, 0.75F};
  const std::vector<WordTiming> timings = FindWordTimings(Tiny(), "en", staircase.attention());
  ASSERT_THAT(timings, SizeIs(2));
  EXPECT_EQ(timings[0].word, " the");
  EXPECT_EQ(timings[1].word, " inn");
  EXPECT_EQ(timings[0].probability, 1);
  EXPECT_EQ(timings[1].probability, 0.5);
  // Row 3 (<|notimestamps|>) takes all that is before frame 40; each token takes 10 frames.
  EXPECT_NEAR(timings[0].start, 0.0, 1e-9);
  EXPECT_NEAR(timings[0].end, timings[1].start, 1e-9);
  EXPECT_NEAR(timings[1].start, 0.8, 0.021);
  EXPECT_NEAR(timings[1].end, 1.4, 0.021);
}

TEST(FindWordTimings, NoTextHasNoWords) {
  const Staircase staircase({});
  EXPECT_THAT(FindWordTimings(Tiny(), "en", staircase.attention()), SizeIs(0));
}

TEST(FindWordTimings, ShapesMustFit) {
  Staircase staircase(Tiny().Encode(" the inn"));
  TokenAttention attention = staircase.attention();
  attention.sot_tokens = 4;
  ExpectError(ErrorCode::kInvalidArgument,
              "attention is f32 [1,9,90]; expected f32 [heads,10,frames]",
              [&] { FindWordTimings(Tiny(), "en", attention); });
  attention = staircase.attention();
  attention.text_probability = attention.text_probability.first(2);
  ExpectError(ErrorCode::kInvalidArgument, "2 probabilities for 4 text tokens",
              [&] { FindWordTimings(Tiny(), "en", attention); });
  const Tensor wrong(DType::kF64, {1, 9, 90});
  attention = {wrong, 3, staircase.text, staircase.probability};
  ExpectError(ErrorCode::kInvalidArgument, "attention is f64",
              [&] { FindWordTimings(Tiny(), "en", attention); });
}

std::vector<WordTiming> Timings(const std::vector<std::string>& words) {
  std::vector<WordTiming> timings;
  for (const std::string& word : words) {
    const auto id = static_cast<int>(timings.size());
    timings.push_back({word, {id}, id * 0.5, (id + 1) * 0.5, 1});
  }
  return timings;
}

TEST(MergePunctuation, JoinsMarksToTheirWords) {
  std::vector<WordTiming> timings = Timings({" (", "\"", " he", ",", "\"", " -", " so", ".", " ,"});
  MergePunctuation(timings, kPrependedPunctuation, kAppendedPunctuation);
  std::vector<std::string> words;
  for (const WordTiming& timing : timings) words.push_back(timing.word);
  EXPECT_THAT(words, ElementsAre("", " (\"", " he,\"", "", "", "", " - so.", "", " ,"));
  EXPECT_THAT(timings[1].tokens, ElementsAre(0, 1));
  EXPECT_THAT(timings[6].tokens, ElementsAre(5, 6, 7));
  EXPECT_THAT(timings[0].tokens, SizeIs(0));
}

Segment MakeSegment(double start, double end, std::vector<int> tokens) {
  Segment segment;
  segment.seek = 1000;
  segment.start = start;
  segment.end = end;
  segment.tokens = std::move(tokens);
  return segment;
}

TEST(AddWordTimings, SharesWordsOutAmongSegments) {
  const int stamp = Tiny().special().timestamp_begin;
  std::vector<Segment> segments = {MakeSegment(10, 11, {stamp, 0, 1, 2, stamp}),
                                   MakeSegment(11.5, 12.5, {stamp, 3, 4, stamp})};
  const double last = AddWordTimings(segments, Timings({" a", " b", ".", " c", " d"}), Tiny(), 10);
  ASSERT_THAT(segments[0].words, SizeIs(2));
  EXPECT_EQ(segments[0].words[1].text, " b.");
  EXPECT_EQ(segments[0].words[1].start, 10.5);
  EXPECT_EQ(segments[0].words[1].end, 11.0);
  ASSERT_THAT(segments[1].words, SizeIs(2));
  EXPECT_EQ(segments[1].start, 11.5);
  EXPECT_EQ(segments[1].end, 12.5);
  EXPECT_EQ(last, 12.5);
}

TEST(AddWordTimings, CutsLongWordsAtPausesAndSentenceEnds) {
  // Expected times: add_word_timestamps of openai-whisper 20250625.
  std::vector<WordTiming> timings = Timings({" a", " b", ".", " c", " d"});
  timings[0].start = 0;
  timings[0].end = 5;  // a pause of silence before it
  for (std::size_t i = 1; i < timings.size(); ++i) {
    timings[i].start = timings[i - 1].end;
    timings[i].end = timings[i].start + (i == 2 ? 3 : 0.5);
  }
  std::vector<Segment> segments = {MakeSegment(14.0, 16.0, {0, 1, 2, 3, 4})};
  EXPECT_EQ(AddWordTimings(segments, timings, Tiny(), 10), 19.5);
  const std::vector<Word>& words = segments[0].words;
  ASSERT_THAT(words, SizeIs(4));
  EXPECT_EQ(words[0].start, 14.0);
  EXPECT_EQ(words[0].end, 15.0);
  EXPECT_EQ(words[1].text, " b.");
  EXPECT_EQ(words[1].end, 15.5);
  EXPECT_EQ(words[3].end, 19.5);
  EXPECT_EQ(segments[0].start, 14.0);
  EXPECT_EQ(segments[0].end, 19.5);
}

TEST(AddWordTimings, WithoutWordsSegmentsStay) {
  std::vector<Segment> segments = {MakeSegment(10, 11, {})};
  EXPECT_EQ(AddWordTimings(segments, {}, Tiny(), 3), 11);
  EXPECT_EQ(segments[0].start, 10);
  EXPECT_THAT(segments[0].words, SizeIs(0));
  EXPECT_EQ(AddWordTimings({}, {}, Tiny(), 3), 3);
}

}  // namespace
}  // namespace xdna::decoder
