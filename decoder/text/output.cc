#include "decoder/text/output.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "decoder/text/subtitles.h"
#include "decoder/text/unicode.h"

namespace xdna::decoder {
namespace {

constexpr struct {
  OutputFormat format;
  const char* name;
  const char* extension;
} kFormats[] = {{OutputFormat::kText, "text", "txt"},
                {OutputFormat::kSrt, "srt", "srt"},
                {OutputFormat::kVtt, "vtt", "vtt"},
                {OutputFormat::kTsv, "tsv", "tsv"},
                {OutputFormat::kJson, "json", "json"}};

OutputFormat FormatFromName(std::string_view name) {
  for (const auto& known : kFormats) {
    if (name == known.name || name == known.extension) return known.format;
  }
  Throw(ErrorCode::kInvalidArgument,
        "unknown format '{}'; expected text, srt, vtt, tsv, json or all", name);
}

std::string FormatText(const Transcript& transcript) {
  std::string out;
  for (const Segment& segment : transcript.segments) {
    out += Strip(segment.text);
    out += '\n';
  }
  return out;
}

std::string FormatSrt(const Transcript& transcript, const SubtitleOptions& options) {
  std::string out;
  int number = 0;
  for (const Cue& cue : MakeCues(transcript, options)) {
    fmt::format_to(std::back_inserter(out), "{}\n{} --> {}\n{}\n\n", ++number,
                   FormatTimestamp(cue.start, true, ','), FormatTimestamp(cue.end, true, ','),
                   cue.text);
  }
  return out;
}

std::string FormatVtt(const Transcript& transcript, const SubtitleOptions& options) {
  std::string out = "WEBVTT\n\n";
  for (const Cue& cue : MakeCues(transcript, options)) {
    fmt::format_to(std::back_inserter(out), "{} --> {}\n{}\n\n",
                   FormatTimestamp(cue.start, false, '.'), FormatTimestamp(cue.end, false, '.'),
                   cue.text);
  }
  return out;
}

// Whole milliseconds.
std::string FormatTsv(const Transcript& transcript) {
  std::string out = "start\tend\ttext\n";
  for (const Segment& segment : transcript.segments) {
    std::string text(Strip(segment.text));
    for (char& c : text) {
      if (c == '\t' || c == '\n' || c == '\r') c = ' ';
    }
    fmt::format_to(std::back_inserter(out), "{:.0f}\t{:.0f}\t{}\n",
                   std::nearbyint(1000 * segment.start), std::nearbyint(1000 * segment.end), text);
  }
  return out;
}

nlohmann::ordered_json SegmentJson(const Segment& segment, std::size_t id, bool has_words) {
  nlohmann::ordered_json json = {
      {"id", id},
      {"seek", segment.seek},
      {"start", segment.start},
      {"end", segment.end},
      {"text", segment.text},
      {"tokens", segment.tokens},
      {"temperature", segment.temperature},
      {"avg_logprob", segment.avg_logprob},
      {"compression_ratio", segment.compression_ratio},
      {"no_speech_prob", segment.no_speech_prob},
  };
  if (!has_words) return json;
  json["words"] = nlohmann::ordered_json::array();
  for (const Word& word : segment.words) {
    json["words"].push_back({{"word", word.text},
                             {"start", word.start},
                             {"end", word.end},
                             {"probability", word.probability}});
  }
  return json;
}

}  // namespace

std::vector<OutputFormat> OutputFormatsFromName(std::string_view name) {
  std::vector<OutputFormat> formats;
  if (name == "all") {
    for (const auto& known : kFormats) formats.push_back(known.format);
    return formats;
  }
  while (true) {
    const std::size_t comma = name.find(',');
    formats.push_back(FormatFromName(name.substr(0, comma)));
    if (comma == std::string_view::npos) return formats;
    name.remove_prefix(comma + 1);
  }
}

const char* OutputExtension(OutputFormat format) {
  for (const auto& known : kFormats) {
    if (format == known.format) return known.extension;
  }
  Throw(ErrorCode::kInternal, "output format {} has no name", static_cast<int>(format));
}

std::string FormatTranscript(const Transcript& transcript, OutputFormat format,
                             const SubtitleOptions& options) {
  switch (format) {
    case OutputFormat::kText:
      return FormatText(transcript);
    case OutputFormat::kSrt:
      return FormatSrt(transcript, options);
    case OutputFormat::kVtt:
      return FormatVtt(transcript, options);
    case OutputFormat::kTsv:
      return FormatTsv(transcript);
    case OutputFormat::kJson:
      return DumpJson(TranscriptJson(transcript)) + "\n";
  }
  Throw(ErrorCode::kInternal, "output format {} is unknown", static_cast<int>(format));
}

nlohmann::ordered_json TranscriptJson(const Transcript& transcript) {
  nlohmann::ordered_json json = {{"text", transcript.text},
                                 {"segments", nlohmann::ordered_json::array()},
                                 {"language", transcript.language}};
  for (const Segment& segment : transcript.segments) {
    json["segments"].push_back(SegmentJson(segment, json["segments"].size(), transcript.has_words));
  }
  return json;
}

std::string DumpJson(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string FormatTimestamp(double seconds, bool always_hours, char decimal_marker) {
  if (!(seconds >= 0 && seconds < 1e9)) {
    Throw(ErrorCode::kInternal, "{} s is no time stamp", seconds);
  }
  const auto total = static_cast<std::int64_t>(std::nearbyint(seconds * 1000));
  const std::int64_t hours = total / 3'600'000;
  const std::string front = always_hours || hours > 0 ? fmt::format("{:02}:", hours) : "";
  return fmt::format("{}{:02}:{:02}{}{:03}", front, total / 60'000 % 60, total / 1000 % 60,
                     decimal_marker, total % 1000);
}

}  // namespace xdna::decoder
