// Byte-level byte pair encoding, as GPT-2 and Whisper have it.
#ifndef DECODER_TEXT_BYTE_PAIRS_H_
#define DECODER_TEXT_BYTE_PAIRS_H_

#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace xdna::decoder {

// The pieces of `text` that are encoded on their own; joined they are `text`. GPT-2's expression
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// Bytes that are not UTF-8 count as the third kind of run.
std::vector<std::string_view> SplitForBytePairs(std::string_view text);

class BytePairs {
 public:
  // `tokens`: bytes by id, each of the 256 single bytes among them (throws kCorrupt otherwise).
  // They must outlive this object.
  explicit BytePairs(std::span<const std::string> tokens);

  // The ids of any bytes, invalid UTF-8 included. The neighbours that make up the token of lowest
  // id are joined first, the leftmost of equals, until none do. openai-whisper encodes so
  // (tiktoken; the id is the rank), with no list of merges; the list in Hugging Face's
  // tokenizer.json lacks its first (space and "t"). Time is n log n in the longest piece.
  std::vector<int> Encode(std::string_view text) const;

  // The id of exactly these bytes; -1 if there is none.
  int Find(std::string_view bytes) const;

 private:
  void EncodePiece(std::string_view piece, std::vector<int>& ids) const;

  std::unordered_map<std::string_view, int> ids_;
};

}  // namespace xdna::decoder

#endif  // DECODER_TEXT_BYTE_PAIRS_H_
