// What becomes of word timings once they are known: punctuation joined, long words cut, segments
// moved to fit their words.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/error.h"
#include "decoder/text/unicode.h"
#include "decoder/text/word_timing.h"

namespace xdna::decoder {
namespace {

constexpr double kSeekFramesPerSecond = 100;
constexpr double kLongestMedian = 0.7;  // seconds
constexpr double kSlack = 0.5;          // seconds by which words may pass their segment's ends

double MedianDuration(const std::vector<WordTiming>& timings) {
  std::vector<double> durations;
  for (const WordTiming& timing : timings) {
    if (timing.end != timing.start) durations.push_back(timing.end - timing.start);
  }
  if (durations.empty()) return 0;
  std::sort(durations.begin(), durations.end());
  const std::size_t middle = durations.size() / 2;
  const double median = durations.size() % 2 == 1 ? durations[middle]
                                                  : (durations[middle - 1] + durations[middle]) / 2;
  return std::min(kLongestMedian, median);
}

// A pause at the end of a sentence counts to neither its mark nor the next word.
void CutAtSentenceEnds(std::vector<WordTiming>& timings, double longest) {
  constexpr std::string_view kMarks = ".。!！?？";
  const auto is_mark = [&](const WordTiming& timing) {
    return kMarks.find(timing.word) != std::string_view::npos;
  };
  for (std::size_t i = 1; i < timings.size(); ++i) {
    if (timings[i].end - timings[i].start <= longest) continue;
    if (is_mark(timings[i])) {
      timings[i].end = timings[i].start + longest;
    } else if (is_mark(timings[i - 1])) {
      timings[i].start = timings[i].end - longest;
    }
  }
}

// To hundredths, exactly as Python's round(x, 2).
double Hundredths(double seconds) {
  return std::strtod(fmt::format("{:.2f}", seconds).c_str(), nullptr);
}

// After a pause the first two words are at most `longest` long.
void CutAfterPause(std::vector<Word>& words, double last_speech, double median, double longest) {
  Word& first = words.front();
  Word* second = words.size() > 1 ? &words[1] : nullptr;
  const bool pause = first.end - last_speech > median * 4;
  const bool long_start = first.end - first.start > longest ||
                          (second != nullptr && second->end - first.start > longest * 2);
  if (!pause || !long_start) return;
  if (second != nullptr && second->end - second->start > longest) {
    first.end = second->start = std::max(second->end / 2, second->end - longest);
  }
  first.start = std::max(0.0, first.end - longest);
}

// Segment and words agree on where the segment begins and ends: as the words have it, unless the
// outermost word reaches far beyond the segment.
void FitSegment(Segment& segment, double median) {
  Word& first = segment.words.front();
  Word& last = segment.words.back();
  if (segment.start < first.end && segment.start - kSlack > first.start) {
    first.start = std::max(0.0, std::min(first.end - median, segment.start));
  } else {
    segment.start = first.start;
  }
  if (segment.end > last.start && segment.end + kSlack < last.end) {
    last.end = std::max(last.start + median, segment.end);
  } else {
    segment.end = last.end;
  }
}

double LastEnd(std::span<const Segment> segments, double otherwise) {
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    if (!segment->words.empty()) return segment->words.back().end;
  }
  return segments.empty() ? otherwise : segments.back().end;
}

}  // namespace

void MergePunctuation(std::vector<WordTiming>& timings, std::string_view prepended,
                      std::string_view appended) {
  const auto is_in = [](std::string_view set, std::string_view word) {
    return set.find(word) != std::string_view::npos;
  };
  if (timings.size() < 2) return;
  for (std::size_t i = timings.size() - 1, next = i; i-- > 0;) {
    WordTiming& mark = timings[i];
    WordTiming& following = timings[next];
    if (!mark.word.starts_with(' ') || !is_in(prepended, Strip(mark.word))) {
      next = i;
      continue;
    }
    following.word.insert(0, std::exchange(mark.word, {}));
    const std::vector<int> tokens = std::exchange(mark.tokens, {});
    following.tokens.insert(following.tokens.begin(), tokens.begin(), tokens.end());
  }
  for (std::size_t previous = 0, i = 1; i < timings.size(); ++i) {
    WordTiming& before = timings[previous];
    WordTiming& mark = timings[i];
    if (before.word.ends_with(' ') || !is_in(appended, mark.word)) {
      previous = i;
      continue;
    }
    before.word += std::exchange(mark.word, {});
    const std::vector<int> tokens = std::exchange(mark.tokens, {});
    before.tokens.insert(before.tokens.end(), tokens.begin(), tokens.end());
  }
}

double AddWordTimings(std::span<Segment> segments, std::vector<WordTiming> timings,
                      const Tokenizer& tokenizer, double last_speech) {
  const double median = MedianDuration(timings);
  const double longest = 2 * median;
  if (median > 0) CutAtSentenceEnds(timings, longest);
  MergePunctuation(timings, kPrependedPunctuation, kAppendedPunctuation);
  auto timing = timings.begin();
  for (Segment& segment : segments) {
    const double offset = segment.seek / kSeekFramesPerSecond;
    const auto text_tokens = static_cast<std::size_t>(
        std::count_if(segment.tokens.begin(), segment.tokens.end(),
                      [&](int id) { return id < tokenizer.special().eot; }));
    segment.words.clear();
    for (std::size_t seen = 0; timing != timings.end() && seen < text_tokens; ++timing) {
      seen += timing->tokens.size();
      if (timing->word.empty()) continue;
      segment.words.push_back({Hundredths(offset + timing->start), Hundredths(offset + timing->end),
                               timing->probability, timing->word});
    }
    if (segment.words.empty()) continue;
    CutAfterPause(segment.words, last_speech, median, longest);
    FitSegment(segment, median);
    last_speech = segment.end;
  }
  return LastEnd(segments, last_speech);
}

}  // namespace xdna::decoder
