#include "decoder/text/output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "decoder/text/compression.h"
#include "decoder/text/segment.h"
#include "decoder/text/test_vocabulary.h"

namespace xdna::decoder {
namespace {

using test::ExpectError;
using testing::ElementsAre;
using testing::HasSubstr;

// Expected texts below: openai-whisper 20250625's writers on the same segments.
Transcript Example(bool has_words) {
  Segment first;
  first.start = 0;
  first.end = 2.5;
  first.text = " Hello\tthere. ";
  first.tokens = {50364, 2425, 456, 13, 50489};
  first.avg_logprob = -0.25;
  first.words = {{0.1, 0.5, 0.5, " Hello"}, {0.5, 1.1, 0.9, " there."}};
  Segment second;
  second.seek = 3000;
  second.start = 3599.9996;
  second.end = 3661.0625;
  second.text = " And --> so on";
  second.words = {
      {3600.0, 3600.4, 1, " And"}, {3600.4, 3604.0, 1, " so"}, {3604.5, 3605.0, 1, " on"}};
  Transcript transcript{" Hello\tthere.  And --> so on", "en", {first, second}, has_words};
  if (!has_words) {
    for (Segment& segment : transcript.segments) segment.words.clear();
  }
  return transcript;
}

TEST(Output, TextIsALineASegment) {
  EXPECT_EQ(FormatTranscript(Example(false), OutputFormat::kText),
            "Hello\tthere.\nAnd --> so on\n");
  EXPECT_EQ(FormatTranscript({}, OutputFormat::kText), "");
}

TEST(Output, SubtitlesOfSegments) {
  EXPECT_EQ(FormatTranscript(Example(false), OutputFormat::kSrt),
            "1\n00:00:00,000 --> 00:00:02,500\nHello\tthere.\n\n"
            "2\n01:00:00,000 --> 01:01:01,062\nAnd -> so on\n\n");
  EXPECT_EQ(FormatTranscript(Example(false), OutputFormat::kVtt),
            "WEBVTT\n\n00:00.000 --> 00:02.500\nHello\tthere.\n\n"
            "01:00:00.000 --> 01:01:01.062\nAnd -> so on\n\n");
  EXPECT_EQ(FormatTranscript({}, OutputFormat::kVtt), "WEBVTT\n\n");
}

TEST(Output, SubtitlesOfWords) {
  const auto srt = [](const SubtitleOptions& options) {
    return FormatTranscript(Example(true), OutputFormat::kSrt, options);
  };
  EXPECT_EQ(srt({}),
            "1\n00:00:00,100 --> 00:00:01,100\nHello there.\n\n"
            "2\n01:00:00,000 --> 01:00:05,000\nAnd so on\n\n");
  EXPECT_EQ(srt({.max_line_width = 10}),
            "1\n00:00:00,100 --> 00:00:01,100\nHello\nthere.\n\n"
            "2\n01:00:00,000 --> 01:00:05,000\nAnd so on\n\n");
  EXPECT_EQ(srt({.max_line_width = 10, .max_line_count = 2}),
            "1\n00:00:00,100 --> 00:00:01,100\nHello\nthere.\n\n"
            "2\n01:00:00,000 --> 01:00:04,000\nAnd so\n\n"
            "3\n01:00:04,500 --> 01:00:05,000\non\n\n");
  EXPECT_EQ(srt({.max_line_width = 40, .max_line_count = 1}),
            "1\n00:00:00,100 --> 00:00:01,100\nHello there.\n\n"
            "2\n01:00:00,000 --> 01:00:04,000\nAnd so\n\n"
            "3\n01:00:04,500 --> 01:00:05,000\non\n\n");
  EXPECT_EQ(srt({.max_words_per_line = 2}),
            "1\n00:00:00,100 --> 00:00:01,100\nHello there.\n\n"
            "2\n01:00:00,000 --> 01:00:04,000\nAnd so\n\n"
            "3\n01:00:04,500 --> 01:00:05,000\non\n\n");
}

TEST(Output, AnArrowNeverGetsIntoACue) {
  Transcript transcript;
  transcript.has_words = true;
  transcript.segments.resize(1);
  transcript.segments[0].words = {{0, 1, 1, " --"}, {1, 2, 1, "-->"}};
  EXPECT_THAT(FormatTranscript(transcript, OutputFormat::kSrt), HasSubstr("\n->\n"));
}

TEST(Output, TsvHasWholeMilliseconds) {
  EXPECT_EQ(FormatTranscript(Example(false), OutputFormat::kTsv),
            "start\tend\ttext\n0\t2500\tHello there.\n3600000\t3661062\tAnd --> so on\n");
}

TEST(Output, JsonHasEverything) {
  const std::string text = FormatTranscript(Example(true), OutputFormat::kJson);
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["language"], "en");
  EXPECT_EQ(json["segments"].size(), 2u);
  EXPECT_EQ(json["segments"][0]["tokens"], (std::vector<int>{50364, 2425, 456, 13, 50489}));
  EXPECT_EQ(json["segments"][0]["avg_logprob"], -0.25);
  EXPECT_EQ(json["segments"][1]["id"], 1);
  EXPECT_EQ(json["segments"][1]["seek"], 3000);
  EXPECT_EQ(json["segments"][1]["words"][2]["word"], " on");
  EXPECT_EQ(json["segments"][1]["words"][2]["start"], 3604.5);
  EXPECT_FALSE(TranscriptJson(Example(false))["segments"][0].contains("words"));
}

TEST(Output, JsonIsValidWhateverTheNumbersAndBytes) {
  Transcript transcript = Example(false);
  transcript.segments[0].avg_logprob = std::numeric_limits<double>::quiet_NaN();
  transcript.segments[0].text = "a\xFF\u4E2D";
  const auto json = nlohmann::json::parse(FormatTranscript(transcript, OutputFormat::kJson));
  EXPECT_TRUE(json["segments"][0]["avg_logprob"].is_null());
  EXPECT_EQ(json["segments"][0]["text"], "a\uFFFD\u4E2D");
}

TEST(Output, Timestamps) {
  EXPECT_EQ(FormatTimestamp(0, false, '.'), "00:00.000");
  EXPECT_EQ(FormatTimestamp(59.9996, false, '.'), "01:00.000");
  EXPECT_EQ(FormatTimestamp(360000, true, ','), "100:00:00,000");
  ExpectError(ErrorCode::kInternal, "-0.5 s is no time", [] { FormatTimestamp(-0.5, true, ','); });
  ExpectError(ErrorCode::kInternal, "nan s is no time",
              [] { FormatTimestamp(std::nan(""), true, ','); });
}

TEST(Output, FormatsHaveNames) {
  EXPECT_THAT(OutputFormatsFromName("srt,txt"),
              ElementsAre(OutputFormat::kSrt, OutputFormat::kText));
  EXPECT_THAT(OutputFormatsFromName("all"), testing::SizeIs(5));
  EXPECT_STREQ(OutputExtension(OutputFormat::kText), "txt");
  for (const char* bad : {"", "pdf", "srt,", "all,srt"}) {
    ExpectError(ErrorCode::kInvalidArgument, "expected text, srt, vtt, tsv, json or all",
                [&] { OutputFormatsFromName(bad); });
  }
}

TEST(WriteFileWhole, ReplacesTheFileAndLeavesNothingElse) {
  const std::filesystem::path folder = testing::TempDir() + "/write_whole";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const std::string path = folder / "out.txt";
  WriteFileWhole(path, "one");
  EXPECT_EQ(test::ReadFile(path), "one");
  chmod(path.c_str(), 0640);
  const std::string link = folder / "link.txt";
  std::filesystem::create_symlink(path, link);
  WriteFileWhole(link, "two");
  EXPECT_EQ(test::ReadFile(path), "two");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0640));
  const std::filesystem::directory_iterator entries(folder);
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 2);
}

TEST(WriteFileWhole, ErrorsNameThePathAndTheReason) {
  ExpectError(ErrorCode::kUnavailable, "no/such/out.txt: can't write: No such file or directory",
              [] { WriteFileWhole("no/such/out.txt", "x"); });
  const std::string folder = testing::TempDir();
  ExpectError(ErrorCode::kUnavailable, folder + ": can't write: Is a directory",
              [&] { WriteFileWhole(folder, "x"); });
  ExpectError(ErrorCode::kUnavailable, "/dev/full: can't write: No space left on device",
              [] { WriteFileWhole("/dev/full", "x"); });
  WriteFileWhole("/dev/null", "x");
}

TEST(CompressionRatio, IsThatOfPythonsZlib) {
  EXPECT_DOUBLE_EQ(CompressionRatio(""), 0);
  EXPECT_DOUBLE_EQ(CompressionRatio("\u00E9"), 0.2);
  EXPECT_DOUBLE_EQ(CompressionRatio(" And so my fellow Americans ask not what your country can do "
                                    "for you,"),
                   1.0147058823529411);
  std::string song;
  for (int i = 0; i < 40; ++i) song += "la la ";
  EXPECT_DOUBLE_EQ(CompressionRatio(song), 17.142857142857142);
}

}  // namespace
}  // namespace xdna::decoder
