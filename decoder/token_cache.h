// Keys and values of the tokens so far, for rows that fork and die: beams.
#ifndef DECODER_TOKEN_CACHE_H_
#define DECODER_TOKEN_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/tensor.h"
#include "decoder/arena.h"
#include "decoder/gemv_kernels.h"

namespace xdna::decoder {

// Pages of 16 positions, each with the keys and values of all layers and heads. A row is a list of
// pages; rows that came from one share its pages, and a page that is shared is copied when a row
// adds to it. So a fork costs at most one page, whatever the length.
//
// A head's keys in a page are a packed matrix [16,width], its values one of [width,16]
// (gemv_kernels.h): both products of attention run as any other.
class TokenCache {
 public:
  static constexpr std::int64_t kPagePositions = kBlockRows;

  // `dtype` is f32 or bf16. All memory is reserved here, and none later.
  TokenCache(int rows, std::int64_t positions, std::int64_t layers, std::int64_t heads,
             std::int64_t width, DType dtype);

  int rows() const { return count_; }
  std::int64_t length(int row) const { return rows_[row].length; }

  // `rows` empty rows, at most as many as there is room for.
  void Clear(int rows);
  // Row i continues what row from[i] was; any number of rows up to the capacity.
  void Reorder(std::span<const int> from);
  // Makes place for one more position of a row, and returns it.
  std::int64_t Extend(int row);

  // A position's keys and values of one head: [width] f32, rounded to nearest even.
  void Put(int row, std::int64_t position, std::int64_t layer, std::int64_t head, const float* key,
           const float* value);

  // Packed matrices of the page that holds position `page` * 16. Positions beyond the length are
  // zero.
  const void* Keys(int row, std::int64_t page, std::int64_t layer, std::int64_t head) const;
  const void* Values(int row, std::int64_t page, std::int64_t layer, std::int64_t head) const;

  // Of keys and values of all rows as far as they are filled, shared ones counted once.
  std::size_t bytes_in_use() const;

 private:
  struct Row {
    std::vector<int> pages;  // reserved for the greatest length
    std::int64_t length = 0;
  };

  int TakePage();
  void Release(Row& row);
  void CopyRow(const Row& from, Row& to);
  std::byte* Head(int page, std::int64_t layer, std::int64_t head) const;

  std::int64_t layers_, heads_, width_;
  DType dtype_;
  std::size_t head_bytes_, page_bytes_;
  Arena arena_;
  std::byte* pages_;
  std::vector<int> uses_;  // of each page
  std::vector<int> free_;
  int count_;
  std::vector<Row> rows_, next_;  // as many as there is room for; the first count_ live
};

}  // namespace xdna::decoder

#endif  // DECODER_TOKEN_CACHE_H_
