#include "bench/suggest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace xdna::bench {
namespace {

constexpr std::size_t kLongest = 40;

// Levenshtein's distance: insertions, deletions and replacements.
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string Suggest(std::string_view name, const std::vector<std::string>& known) {
  name = name.substr(0, kLongest);
  std::string text;
  const auto nearest =
      std::min_element(known.begin(), known.end(), [&](const std::string& a, const std::string& b) {
        return Distance(name, a) < Distance(name, b);
      });
  if (nearest != known.end() && Distance(name, *nearest) <= 1 + nearest->size() / 4) {
    text = fmt::format(" did you mean '{}'?", *nearest);
  }
  return text + fmt::format(" known: {}", fmt::join(known, " "));
}

std::string Quoted(std::string_view text) {
  std::string shown(text.substr(0, kLongest));
  for (char& c : shown) {
    if (std::isprint(static_cast<unsigned char>(c)) == 0) c = '?';
  }
  return fmt::format("'{}{}'", shown, text.size() > kLongest ? "..." : "");
}

}  // namespace xdna::bench
