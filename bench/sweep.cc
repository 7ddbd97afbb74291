#include "bench/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "bench/suggest.h"

namespace xdna::bench {
namespace {

bool IsSpace(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

// A piece of the user's text and where it stands (columns count from 1).
struct Piece {
  std::string_view text;
  std::size_t column;

  // Up to `separator`, which is taken off the front too.
  Piece Next(char separator) {
    const std::size_t end = std::min(text.find(separator), text.size());
    const Piece head = {text.substr(0, end), column};
    const std::size_t taken = std::min(end + 1, text.size());
    text.remove_prefix(taken);
    column += taken;
    return head;
  }
};

template <typename... Args>
[[noreturn]] void Fail(const SweepAxis& axis, const Piece& piece, fmt::format_string<Args...> why,
                       Args&&... args) {
  Throw(ErrorCode::kInvalidArgument, "axis '{}', value {}, column {}: {}", axis.name,
        Quoted(piece.text), piece.column, fmt::format(why, std::forward<Args>(args)...));
}

std::int64_t Integer(const Piece& whole, const Piece& part, const SweepAxis& axis,
                     std::int64_t least, std::int64_t most) {
  std::int64_t number = 0;
  const char* last = part.text.data() + part.text.size();
  const auto [end, error] = std::from_chars(part.text.data(), last, number);
  if (error == std::errc::result_out_of_range) {
    Fail(axis, whole, "{} is not from {} to {}", Quoted(part.text), least, most);
  }
  if (error != std::errc() || end != last) {
    Fail(axis, whole, "{} is not an integer", Quoted(part.text));
  }
  if (number < least || number > most) {
    Fail(axis, whole, "{} is not from {} to {}", number, least, most);
  }
  return number;
}

void AddRange(Piece piece, const SweepAxis& axis, std::vector<std::string>& values) {
  const Piece whole = piece;
  if (std::count(piece.text.begin(), piece.text.end(), ':') != 2) {
    Fail(axis, whole, "a range is first:last:step");
  }
  const std::int64_t first = Integer(whole, piece.Next(':'), axis, axis.least, axis.most);
  const std::int64_t last = Integer(whole, piece.Next(':'), axis, axis.least, axis.most);
  const std::int64_t step = Integer(whole, piece, axis, 1, kMostSweepValue);
  if (last < first) Fail(axis, whole, "the range ends before it begins");
  if (static_cast<std::size_t>((last - first) / step) >= kMostSweepPoints - values.size()) {
    Fail(axis, whole, "more than {} values", kMostSweepPoints);
  }
  for (std::int64_t value = first; value <= last; value += step) {
    values.push_back(std::to_string(value));
  }
}

void AddValue(const Piece& piece, const SweepAxis& axis, std::vector<std::string>& values) {
  if (piece.text.empty()) Fail(axis, piece, "empty");
  if (axis.check != nullptr) {
    try {
      axis.check(piece.text);
    } catch (const Error& error) {
      Fail(axis, piece, "{}", error.message());
    }
    values.emplace_back(piece.text);
    return;
  }
  if (!axis.words.empty()) {
    if (piece.text == "*") {
      values.insert(values.end(), axis.words.begin(), axis.words.end());
      return;
    }
    if (std::find(axis.words.begin(), axis.words.end(), piece.text) == axis.words.end()) {
      Fail(axis, piece, "no such {};{}", axis.name, Suggest(piece.text, axis.words));
    }
    values.emplace_back(piece.text);
    return;
  }
  if (piece.text == "*") Fail(axis, piece, "'*' needs an axis with a list of values");
  if (piece.text.find(':') != std::string_view::npos) return AddRange(piece, axis, values);
  values.push_back(std::to_string(Integer(piece, piece, axis, axis.least, axis.most)));
}

std::vector<std::string> ParseValues(Piece piece, const SweepAxis& axis) {
  std::vector<std::string> values;
  std::set<std::string, std::less<>> seen;
  bool more = true;
  while (more) {
    more = piece.text.find(',') != std::string_view::npos;
    const Piece value = piece.Next(',');
    const std::size_t before = values.size();
    AddValue(value, axis, values);
    if (values.size() > kMostSweepPoints)
      Fail(axis, value, "more than {} values", kMostSweepPoints);
    for (std::size_t i = before; i < values.size(); ++i) {
      if (!seen.insert(values[i]).second) Fail(axis, value, "{} is there twice", values[i]);
    }
  }
  return values;
}

const SweepAxis& FindAxis(const Piece& name, const std::vector<SweepAxis>& axes) {
  std::vector<std::string> known;
  for (const SweepAxis& axis : axes) {
    if (name.text == axis.name) return axis;
    known.push_back(axis.name);
  }
  Throw(ErrorCode::kInvalidArgument, "axis {}, column {}: no such axis;{}", Quoted(name.text),
        name.column, Suggest(name.text, known));
}

}  // namespace

std::vector<std::string> ParseSweepValues(std::string_view text, const SweepAxis& axis) {
  return ParseValues({text, 1}, axis);
}

std::vector<SweepChoice> ParseSweep(std::string_view text, const std::vector<SweepAxis>& axes) {
  std::vector<SweepChoice> choices;
  std::size_t points = 1;
  for (std::size_t begin = 0; begin < text.size();) {
    if (IsSpace(text[begin])) {
      ++begin;
      continue;
    }
    std::size_t end = begin;
    while (end < text.size() && !IsSpace(text[end])) ++end;
    Piece values = {text.substr(begin, end - begin), begin + 1};
    begin = end;
    if (values.text.find('=') == std::string_view::npos) {
      Throw(ErrorCode::kInvalidArgument, "{}, column {}: expected AXIS=VALUE,VALUE...",
            Quoted(values.text), values.column);
    }
    const Piece name = values.Next('=');
    const SweepAxis& axis = FindAxis(name, axes);
    if (std::any_of(choices.begin(), choices.end(),
                    [&](const SweepChoice& c) { return c.axis == axis.name; })) {
      Throw(ErrorCode::kInvalidArgument, "axis '{}', column {}: is there twice", axis.name,
            name.column);
    }
    choices.push_back({axis.name, ParseValues(values, axis)});
    points *= choices.back().values.size();
    if (points > kMostSweepPoints) {
      Throw(ErrorCode::kInvalidArgument,
            "axis '{}', value {}, column {}: makes {} points, at most {}", axis.name,
            Quoted(values.text), values.column, points, kMostSweepPoints);
    }
  }
  if (choices.empty()) Throw(ErrorCode::kInvalidArgument, "empty: expected AXIS=VALUE,VALUE...");
  return choices;
}

std::vector<SweepPoint> ExpandSweep(const std::vector<SweepChoice>& choices) {
  std::vector<SweepPoint> points(1);
  for (const SweepChoice& choice : choices) {
    if (points.size() * choice.values.size() > kMostSweepPoints) {
      Throw(ErrorCode::kInvalidArgument, "axis '{}': makes {} points, at most {}", choice.axis,
            points.size() * choice.values.size(), kMostSweepPoints);
    }
    std::vector<SweepPoint> longer;
    longer.reserve(points.size() * choice.values.size());
    for (const SweepPoint& point : points) {
      for (const std::string& value : choice.values) {
        longer.push_back(point);
        longer.back()[choice.axis] = value;
      }
    }
    points = std::move(longer);
  }
  return points;
}

}  // namespace xdna::bench
