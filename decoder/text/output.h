// Transcripts as files: the same text as openai-whisper's writers.
#ifndef DECODER_TEXT_OUTPUT_H_
#define DECODER_TEXT_OUTPUT_H_

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/text/segment.h"

namespace xdna::decoder {

enum class OutputFormat { kText, kSrt, kVtt, kTsv, kJson };

// "text", "srt", "vtt", "tsv", "json", several of them with commas, or "all". "txt" is "text".
// Throws kInvalidArgument for anything else.
std::vector<OutputFormat> OutputFormatsFromName(std::string_view name);
const char* OutputExtension(OutputFormat format);  // "txt", "srt", ...

// How words are set in SRT and VTT; 0 is no limit. Without words only segments count, one cue each.
struct SubtitleOptions {
  int max_line_width = 0;      // characters; 1000 if 0
  int max_line_count = 0;      // lines of a cue; only with max_line_width, cues cross segments then
  int max_words_per_line = 0;  // words of a cue; not with max_line_width
};

// The whole file, ending in a newline if it has any text. JSON is one line.
std::string FormatTranscript(const Transcript& transcript, OutputFormat format,
                             const SubtitleOptions& options = {});

// {"text", "segments": [{"id", "seek", "start", "end", "text", "tokens", "temperature",
// "avg_logprob", "compression_ratio", "no_speech_prob", "words": [{"word", "start", "end",
// "probability"}]}], "language"}; "words" if transcript.has_words. Numbers that are not finite are
// null. For whoever has more to say (timing, device): add keys and write its dump.
nlohmann::ordered_json TranscriptJson(const Transcript& transcript);

// `json` as one line of valid UTF-8.
std::string DumpJson(const nlohmann::ordered_json& json);

// "01:02:03.450", or "02:03.450" for less than an hour unless `always_hours`. Rounds to
// milliseconds, ties to even. Throws kInternal for times that are negative or not finite.
std::string FormatTimestamp(double seconds, bool always_hours, char decimal_marker);

// Writes a new file beside `path` and renames it when it is complete, so that `path` is either as
// it was or whole. What is no ordinary file (/dev/stdout, a pipe) is written to directly. Throws
// kUnavailable with the path and the system's reason.
void WriteFileWhole(const std::string& path, std::string_view content);

}  // namespace xdna::decoder

#endif  // DECODER_TEXT_OUTPUT_H_
