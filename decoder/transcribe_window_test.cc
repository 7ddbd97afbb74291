#include "decoder/transcribe_window.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "decoder/decoding.h"
#include "decoder/text/segment.h"
#include "decoder/text/test_vocabulary.h"
#include "decoder/text/tokenizer.h"
#include "decoder/text/vocabulary.h"
#include "decoder/transcribe_model.h"
#include "encoder/weights/geometry.h"

namespace xdna::decoder {
namespace {

const Tokenizer& Tiny() {
  static const Tokenizer tokenizer(ParseVocabulary(test::VocabularyJson(), "vocabulary.json"));
  return tokenizer;
}

// A time stamp's token.
int At(double seconds) {
  return Tiny().special().timestamp_begin +
         static_cast<int>(std::lround(seconds / kSecondsPerTimestamp));
}

// Of text and time stamps; a window of 30 s from second 10 on.
WindowText Cut(const std::vector<int>& tokens, Window window = {1000, 3000}) {
  DecodingResult result;
  result.tokens = tokens;
  result.temperature = 0.4;
  return CutIntoSegments(result, Tiny(), window);
}

struct Times {
  double start, end;
  std::string text;
};

void ExpectSegments(const WindowText& got, const std::vector<Times>& want) {
  ASSERT_EQ(got.segments.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_NEAR(got.segments[i].start, want[i].start, 1e-9);
    EXPECT_NEAR(got.segments[i].end, want[i].end, 1e-9);
    EXPECT_EQ(got.segments[i].text, want[i].text);
    EXPECT_EQ(got.segments[i].seek, 1000);
    EXPECT_EQ(got.segments[i].temperature, 0.4);
  }
}

TEST(CutIntoSegments, AtPairsOfTimeStamps) {
  const int the = Tiny().Encode(" the").front();
  const int in = Tiny().Encode("in").front();
  // What follows the last pair is unfinished, and is said again in the next window.
  WindowText text = Cut({At(0), the, At(2), At(2.5), in, At(4), At(4), the});
  ExpectSegments(text, {{10, 12, " the"}, {12.5, 14, "in"}});
  EXPECT_FALSE(text.complete);
  EXPECT_EQ(text.next_seek, 1400);
  // One stamp at the end: there is nothing more in the window.
  text = Cut({At(0), the, At(2), At(2.5), in, At(4)});
  ExpectSegments(text, {{10, 12, " the"}, {12.5, 14, "in"}});
  EXPECT_TRUE(text.complete);
  EXPECT_EQ(text.next_seek, 4000);
}

TEST(CutIntoSegments, WithoutPairsTheWindowIsOneSegment) {
  const int the = Tiny().Encode(" the").front();
  WindowText text = Cut({At(0), the, At(3)});
  ExpectSegments(text, {{10, 13, " the"}});
  EXPECT_TRUE(text.complete);
  EXPECT_EQ(text.next_seek, 4000);
  text = Cut({At(0), the});
  ExpectSegments(text, {{10, 40, " the"}});
  EXPECT_FALSE(text.complete);
  text = Cut({the}, {1000, 120});
  ExpectSegments(text, {{10, 11.2, " the"}});
  EXPECT_EQ(text.next_seek, 1120);
  ExpectSegments(Cut({}), {{10, 40, ""}});
}

Segment Spoken(double start, double end, double probability) {
  Segment segment;
  segment.start = start;
  segment.end = end;
  const double third = (end - start) / 3;
  for (int i = 0; i < 3; ++i)
    segment.words.push_back({start + i * third, start + (i + 1) * third, probability, " word"});
  return segment;
}

TEST(SeekAfterWords, GoesToTheLastWord) {
  WindowText text;
  text.next_seek = 1500;
  text.segments = {Spoken(11, 12.346, 0.9), Segment{}};
  SeekAfterWords(text, {1000, 3000});
  EXPECT_EQ(text.next_seek, 1235);
  text.complete = true;
  text.next_seek = 4000;
  SeekAfterWords(text, {1000, 3000});
  EXPECT_EQ(text.next_seek, 4000);
}

TEST(SkipHallucinations, DropsWhatIsAloneInSilence) {
  const Window window = {1000, 3000};
  // Good words first, then silence, then words that nobody said.
  WindowText text;
  text.complete = true;
  text.next_seek = 4000;
  text.segments = {Spoken(10, 12, 0.9), Spoken(25, 25.1, 0.01)};
  ASSERT_TRUE(SkipHallucinations(text, window, 2, 9.5, 100000));
  EXPECT_EQ(text.segments.size(), 1U);
  EXPECT_EQ(text.next_seek, 2500);
  // The same words among others stay.
  text.segments = {Spoken(10, 12, 0.9), Spoken(12.1, 13, 0.01), Spoken(13.1, 15, 0.9)};
  text.next_seek = 4000;
  ASSERT_TRUE(SkipHallucinations(text, window, 2, 9.5, 100000));
  EXPECT_EQ(text.segments.size(), 3U);
  EXPECT_EQ(text.next_seek, 4000);
  // First of all after a silence: listen again from there.
  text.segments = {Spoken(15, 15.1, 0.01)};
  EXPECT_FALSE(SkipHallucinations(text, window, 2, 9.5, 100000));
  EXPECT_EQ(text.next_seek, 1500);
  // At the end of the recording there is nothing to listen to again.
  text.segments = {Spoken(10, 12, 0.9), Spoken(25, 25.1, 0.01)};
  ASSERT_TRUE(SkipHallucinations(text, window, 2, 9.5, 2600));
  EXPECT_EQ(text.next_seek, 2600);
}

TEST(ModelSettings, SayWhatIsWrongWithThem) {
  const encoder::Geometry g = encoder::KnownGeometry("whisper-tiny");
  const auto read = [&](const std::string& json) {
    const std::string path = test::WriteFile("config.json", json);
    return ReadModelSettings(path.substr(0, path.rfind('/')) + "/model.bin", g);
  };
  const ModelSettings settings = read(R"({"alignment_heads":[[2,1],[3,5]],"suppress_ids":[1,7]})");
  ASSERT_EQ(settings.alignment_heads.size(), 2U);
  EXPECT_EQ(settings.alignment_heads[1].layer, 3);
  EXPECT_EQ(settings.alignment_heads[1].head, 5);
  EXPECT_EQ(settings.suppress, (std::vector<int>{1, 7}));
  // Half of 4 layers of 6 heads.
  EXPECT_EQ(read("{}").alignment_heads.size(), 12U);
  EXPECT_FALSE(read("{}").suppress);
  for (const auto& [json, message] : std::vector<std::pair<std::string, std::string>>{
           {"[", "config.json: is not a JSON object"},
           {R"({"alignment_heads":3})", "alignment_heads: expected a list of [layer, head]"},
           {R"({"alignment_heads":[[1]]})", "alignment_heads: holds [1]; expected [layer, head]"},
           {R"({"alignment_heads":[[4,0]]})", "holds 4; expected integers from 0 to 3"},
           {R"({"suppress_ids":[-1]})", "suppress_ids: holds -1; expected integers from 0"},
           {R"({"suppress_ids":{}})", "suppress_ids: expected a list of tokens"}}) {
    test::ExpectError(ErrorCode::kCorrupt, message, [&, text = json] { read(text); });
  }
}

}  // namespace
}  // namespace xdna::decoder
