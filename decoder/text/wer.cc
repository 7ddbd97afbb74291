#include "decoder/text/wer.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/error.h"
#include "decoder/text/unicode.h"

namespace xdna::decoder {
namespace {

constexpr std::size_t kMaxCells = std::size_t{1} << 30;

using Words = std::span<const std::string>;

Edit Same(const std::string& word) { return {EditKind::kMatch, word, word}; }

// The step into each cell of the table of prefixes, row by row: reference down, hypothesis across.
std::vector<EditKind> BestSteps(Words reference, Words hypothesis, const EditCosts& costs) {
  const std::size_t width = hypothesis.size() + 1;
  if ((reference.size() + 1) > kMaxCells / width) {
    Throw(ErrorCode::kUnsupported,
          "{} words against {} are too many to align at once; split them and use a list",
          reference.size(), hypothesis.size());
  }
  std::vector<EditKind> steps((reference.size() + 1) * width, EditKind::kInsertion);
  std::vector<std::int64_t> cost(width);
  for (std::size_t j = 1; j < width; ++j) cost[j] = cost[j - 1] + costs.insertion;
  for (std::size_t i = 1; i <= reference.size(); ++i) {
    std::int64_t diagonal = cost[0];
    cost[0] += costs.deletion;
    steps[i * width] = EditKind::kDeletion;
    for (std::size_t j = 1; j < width; ++j) {
      const bool same = reference[i - 1] == hypothesis[j - 1];
      std::int64_t best = diagonal + (same ? 0 : costs.substitution);
      EditKind step = same ? EditKind::kMatch : EditKind::kSubstitution;
      diagonal = cost[j];
      if (cost[j] + costs.deletion < best) {
        best = cost[j] + costs.deletion;
        step = EditKind::kDeletion;
      }
      if (cost[j - 1] + costs.insertion < best) {
        best = cost[j - 1] + costs.insertion;
        step = EditKind::kInsertion;
      }
      cost[j] = best;
      steps[i * width + j] = step;
    }
  }
  return steps;
}

// Columns on a screen, near enough: one a character.
std::size_t Width(std::string_view text) { return ToUtf32(text).size(); }

std::string Loud(const std::string& word) {
  std::string loud = word;
  for (char& c : loud) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return loud;
}

struct Column {
  std::string reference;
  std::string hypothesis;
  const char* mark = "";
};

Column ColumnOf(const Edit& edit) {
  switch (edit.kind) {
    case EditKind::kMatch:
      return {edit.reference, edit.hypothesis, ""};
    case EditKind::kSubstitution:
      return {Loud(edit.reference), Loud(edit.hypothesis), "S"};
    case EditKind::kDeletion:
      return {Loud(edit.reference), std::string(Width(edit.reference), '*'), "D"};
    case EditKind::kInsertion:
      return {std::string(Width(edit.hypothesis), '*'), Loud(edit.hypothesis), "I"};
  }
  Throw(ErrorCode::kInternal, "edit {} is unknown", static_cast<int>(edit.kind));
}

void AppendPadded(std::string_view text, std::size_t width, std::string& line) {
  line += ' ';
  line += text;
  line.append(width - std::min(width, Width(text)), ' ');
}

std::string TrimRight(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

std::optional<double> WordErrors::rate() const {
  if (words == 0) return std::nullopt;
  return static_cast<double>(errors()) / static_cast<double>(words);
}

WordErrors& WordErrors::operator+=(const WordErrors& other) {
  words += other.words;
  substitutions += other.substitutions;
  deletions += other.deletions;
  insertions += other.insertions;
  return *this;
}

std::vector<std::string> SplitWords(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = i;
    if (!IsPythonSpace(NextCodePoint(text, &i))) {
      word += text.substr(start, i - start);
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

std::vector<Edit> AlignWords(Words reference, Words hypothesis, const EditCosts& costs) {
  std::size_t front = 0;
  std::size_t shorter = std::min(reference.size(), hypothesis.size());
  while (front < shorter && reference[front] == hypothesis[front]) ++front;
  shorter -= front;
  std::size_t back = 0;
  while (back < shorter &&
         reference[reference.size() - 1 - back] == hypothesis[hypothesis.size() - 1 - back]) {
    ++back;
  }
  const Words ref = reference.subspan(front, reference.size() - front - back);
  const Words hyp = hypothesis.subspan(front, hypothesis.size() - front - back);
  const std::vector<EditKind> steps = BestSteps(ref, hyp, costs);

  std::vector<Edit> edits;  // from the end
  for (std::size_t i = 0; i < back; ++i) edits.push_back(Same(reference[reference.size() - 1 - i]));
  for (std::size_t i = ref.size(), j = hyp.size(); i > 0 || j > 0;) {
    const EditKind kind = steps[i * (hyp.size() + 1) + j];
    Edit edit{kind, {}, {}};
    if (kind != EditKind::kInsertion) edit.reference = ref[--i];
    if (kind != EditKind::kDeletion) edit.hypothesis = hyp[--j];
    edits.push_back(std::move(edit));
  }
  for (std::size_t i = front; i-- > 0;) edits.push_back(Same(reference[i]));
  std::reverse(edits.begin(), edits.end());
  return edits;
}

WordErrors CountErrors(std::span<const Edit> edits) {
  WordErrors errors;
  for (const Edit& edit : edits) {
    errors.words += edit.kind != EditKind::kInsertion ? 1 : 0;
    errors.substitutions += edit.kind == EditKind::kSubstitution ? 1 : 0;
    errors.deletions += edit.kind == EditKind::kDeletion ? 1 : 0;
    errors.insertions += edit.kind == EditKind::kInsertion ? 1 : 0;
  }
  return errors;
}

std::string FormatAlignment(std::span<const Edit> edits, std::size_t width) {
  std::string out;
  std::string lines[3];
  std::size_t used = 0;
  const auto flush = [&] {
    const char* titles[] = {"REF: ", "HYP: ", "Eval:"};
    for (int i = 0; i < 3; ++i) {
      out += TrimRight(titles[i] + lines[i]) + "\n";
      lines[i].clear();
    }
    used = 0;
  };
  for (const Edit& edit : edits) {
    const Column column = ColumnOf(edit);
    const std::size_t wide = std::max(Width(column.reference), Width(column.hypothesis));
    if (used > 0 && 5 + used + 1 + wide > width) {
      flush();
      out += "\n";
    }
    AppendPadded(column.reference, wide, lines[0]);
    AppendPadded(column.hypothesis, wide, lines[1]);
    AppendPadded(column.mark, wide, lines[2]);
    used += 1 + wide;
  }
  if (used > 0) flush();
  return out;
}

}  // namespace xdna::decoder
