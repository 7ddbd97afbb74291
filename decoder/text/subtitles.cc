#include "decoder/text/subtitles.h"

#include <cstddef>
#include <utility>

#include "decoder/text/unicode.h"

namespace xdna::decoder {
namespace {

constexpr double kLongPause = 3.0;  // seconds; starts a new cue where cues may cross segments

std::string WithoutArrows(std::string text) {
  for (std::size_t at; (at = text.find("-->")) != std::string::npos;) text.erase(at, 1);
  return text;
}

// Fills lines with words and cues with lines.
class Layout {
 public:
  explicit Layout(const SubtitleOptions& options)
      : width_(options.max_line_width > 0 ? options.max_line_width : 1000),
        line_count_(options.max_line_count),
        keep_segments_(options.max_line_count == 0 || options.max_line_width == 0) {}

  // `starts_chunk`: the first word of a segment, or of so many words as a line may have.
  void Add(const Word& word, bool starts_chunk) {
    const auto width = [](std::string_view text) { return ToUtf32(text).size(); };
    const bool has_room = line_width_ + width(word.text) <= width_;
    const bool long_pause = !keep_segments_ && word.start - last_start_ > kLongPause;
    const bool segment_break = starts_chunk && !empty_ && keep_segments_;
    std::string text = word.text;
    if (line_width_ > 0 && has_room && !long_pause && !segment_break) {
      line_width_ += width(text);
    } else {
      const std::string stripped(Strip(text));
      text = stripped;
      const bool full = line_count_ > 0 && (long_pause || lines_ >= line_count_);
      if (segment_break || (!empty_ && full)) {
        Flush();
      } else if (line_width_ > 0) {
        ++lines_;
        text.insert(0, "\n");
      }
      line_width_ = width(stripped);
    }
    if (empty_) cue_.start = word.start;
    empty_ = false;
    cue_.end = word.end;
    cue_.text += text;
    last_start_ = word.start;
  }

  void Flush() {
    cue_.text = WithoutArrows(std::move(cue_.text));
    if (!empty_) cues_.push_back(std::exchange(cue_, {}));
    empty_ = true;
    lines_ = 1;
  }

  std::vector<Cue> Take() {
    Flush();
    return std::move(cues_);
  }

  void set_last_start(double seconds) { last_start_ = seconds; }

 private:
  std::size_t width_;
  int line_count_;
  bool keep_segments_;
  std::vector<Cue> cues_;
  Cue cue_;
  bool empty_ = true;
  std::size_t line_width_ = 0;
  int lines_ = 1;
  double last_start_ = 0;
};

double FirstStart(const std::vector<Segment>& segments) {
  for (const Segment& segment : segments) {
    if (!segment.words.empty()) return segment.words.front().start;
  }
  return segments.empty() ? 0 : segments.front().start;
}

}  // namespace

std::vector<Cue> MakeCues(const Transcript& transcript, const SubtitleOptions& options) {
  if (!transcript.has_words) {
    std::vector<Cue> cues;
    for (const Segment& segment : transcript.segments) {
      cues.push_back({segment.start, segment.end, WithoutArrows(std::string(Strip(segment.text)))});
    }
    return cues;
  }
  const std::size_t chunk = options.max_words_per_line > 0 ? options.max_words_per_line : 1000;
  Layout layout(options);
  layout.set_last_start(FirstStart(transcript.segments));
  for (const Segment& segment : transcript.segments) {
    for (std::size_t i = 0; i < segment.words.size(); ++i) {
      layout.Add(segment.words[i], i % chunk == 0);
    }
  }
  return layout.Take();
}

}  // namespace xdna::decoder
