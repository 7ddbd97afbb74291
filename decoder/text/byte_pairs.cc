#include "decoder/text/byte_pairs.h"

#include <cstddef>
#include <functional>
#include <queue>
#include <tuple>

#include "base/error.h"
#include "decoder/text/unicode.h"

namespace xdna::decoder {
namespace {

enum class Kind { kSpace, kLetter, kNumber, kOther };

// Decodes one character and says what kind it is.
Kind NextKind(std::string_view text, std::size_t* position) {
  bool valid = true;
  const char32_t c = NextCodePoint(text, position, &valid);
  if (!valid) return Kind::kOther;
  if (IsWhiteSpace(c)) return Kind::kSpace;
  if (IsLetter(c)) return Kind::kLetter;
  return IsNumber(c) ? Kind::kNumber : Kind::kOther;
}

// The end of the run of characters of `kind` from `begin` on; `last` is where its last one starts.
std::size_t RunEnd(std::string_view text, std::size_t begin, Kind kind,
                   std::size_t* last = nullptr) {
  std::size_t end = begin;
  while (end < text.size()) {
    std::size_t next = end;
    if (NextKind(text, &next) != kind) break;
    if (last != nullptr) *last = end;
    end = next;
  }
  return end;
}

std::size_t PieceEnd(std::string_view text, std::size_t begin) {
  for (const std::string_view contraction : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (text.substr(begin).starts_with(contraction)) return begin + contraction.size();
  }
  std::size_t next = begin;
  Kind kind = NextKind(text, &next);
  if (kind != Kind::kSpace) return RunEnd(text, begin, kind);
  if (text[begin] == ' ' && next < text.size()) {
    std::size_t after = next;
    kind = NextKind(text, &after);
    if (kind != Kind::kSpace) return RunEnd(text, next, kind);
  }
  // A run of white space leaves its last character to what follows, if it has one to spare.
  std::size_t last = begin;
  const std::size_t end = RunEnd(text, begin, Kind::kSpace, &last);
  return end == text.size() || last == begin ? end : last;
}

}  // namespace

std::vector<std::string_view> SplitForBytePairs(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = PieceEnd(text, begin);
    pieces.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return pieces;
}

BytePairs::BytePairs(std::span<const std::string> tokens) {
  ids_.reserve(tokens.size());
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (!tokens[id].empty()) ids_.emplace(tokens[id], static_cast<int>(id));
  }
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (Find(std::string_view(&c, 1)) < 0) {
      Throw(ErrorCode::kCorrupt, "no token is the single byte {:#04x}", byte);
    }
  }
}

int BytePairs::Find(std::string_view bytes) const {
  const auto found = ids_.find(bytes);
  return found == ids_.end() ? -1 : found->second;
}

void BytePairs::EncodePiece(std::string_view piece, std::vector<int>& ids) const {
  if (const int whole = Find(piece); whole >= 0) {
    ids.push_back(whole);
    return;
  }
  // end[i]: where the part that starts at byte i ends; 0 if none starts there any more.
  // start[i]: where the part that ends at byte i starts.
  std::vector<std::size_t> end(piece.size());
  std::vector<std::size_t> start(piece.size() + 1);
  using Join = std::tuple<int, std::size_t, std::size_t, std::size_t>;  // id, begin, middle, end
  std::priority_queue<Join, std::vector<Join>, std::greater<>> joins;
  const auto consider = [&](std::size_t begin) {
    const std::size_t middle = end[begin];
    if (middle == piece.size()) return;
    const int id = Find(piece.substr(begin, end[middle] - begin));
    if (id >= 0) joins.emplace(id, begin, middle, end[middle]);
  };
  for (std::size_t i = 0; i < piece.size(); ++i) {
    end[i] = i + 1;
    start[i + 1] = i;
  }
  for (std::size_t i = 0; i < piece.size(); ++i) consider(i);
  while (!joins.empty()) {
    const auto [id, first, middle, last] = joins.top();
    joins.pop();
    if (end[first] != middle || end[middle] != last) continue;  // one of the two was joined since
    end[first] = last;
    end[middle] = 0;
    start[last] = first;
    consider(first);
    if (first > 0) consider(start[first]);
  }
  for (std::size_t i = 0; i < piece.size(); i = end[i]) {
    ids.push_back(Find(piece.substr(i, end[i] - i)));
  }
}

std::vector<int> BytePairs::Encode(std::string_view text) const {
  std::vector<int> ids;
  for (const std::string_view piece : SplitForBytePairs(text)) EncodePiece(piece, ids);
  return ids;
}

}  // namespace xdna::decoder
