#include "decoder/token_cache.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/bf16.h"
#include "base/error.h"

namespace xdna::decoder {
namespace {

std::int64_t PagesFor(std::int64_t positions) {
  return (positions + TokenCache::kPagePositions - 1) / TokenCache::kPagePositions;
}

// Where element (row, column) of a packed block is.
std::int64_t At(DType dtype, std::int64_t row, std::int64_t column) {
  if (dtype == DType::kF32) return column * kBlockRows + row;
  return (column / 2 * kBlockRows + row) * 2 + column % 2;
}

void Store(DType dtype, void* block, std::int64_t at, float value) {
  if (dtype == DType::kF32) {
    static_cast<float*>(block)[at] = value;
  } else {
    static_cast<Bf16*>(block)[at] = Bf16::FromFloat(value);
  }
}

}  // namespace

TokenCache::TokenCache(int rows, std::int64_t positions, std::int64_t layers, std::int64_t heads,
                       std::int64_t width, DType dtype)
    : layers_(layers),
      heads_(heads),
      width_(width),
      dtype_(dtype),
      head_bytes_(2 * kPagePositions * width * SizeOf(dtype)),
      page_bytes_(head_bytes_ * layers * heads),
      // One more than rows can fill: a copy exists before the original is given up.
      arena_((rows * PagesFor(positions) + 1) * Arena::Rounded(page_bytes_)),
      pages_(static_cast<std::byte*>(arena_.Take(0))),
      uses_(rows * PagesFor(positions) + 1),
      count_(0) {
  for (int page = static_cast<int>(uses_.size()) - 1; page >= 0; --page) free_.push_back(page);
  for (std::vector<Row>* list : {&rows_, &next_}) {
    list->resize(rows);
    for (Row& row : *list) row.pages.reserve(PagesFor(positions));
  }
}

void TokenCache::Clear(int rows) {
  if (rows < 0 || static_cast<std::size_t>(rows) > rows_.size()) {
    Throw(ErrorCode::kInternal, "{} rows in a cache for {}", rows, rows_.size());
  }
  for (Row& row : rows_) Release(row);
  count_ = rows;
}

void TokenCache::Reorder(std::span<const int> from) {
  if (from.size() > rows_.size()) {
    Throw(ErrorCode::kInternal, "{} rows in a cache for {}", from.size(), rows_.size());
  }
  for (std::size_t i = 0; i < from.size(); ++i) CopyRow(rows_.at(from[i]), next_[i]);
  for (Row& row : rows_) Release(row);
  rows_.swap(next_);
  count_ = static_cast<int>(from.size());
}

std::int64_t TokenCache::Extend(int index) {
  Row& row = rows_.at(index);
  const std::int64_t position = row.length++;
  if (position % kPagePositions == 0) {
    row.pages.push_back(TakePage());
    std::memset(Head(row.pages.back(), 0, 0), 0, page_bytes_);
  } else if (const int shared = row.pages.back(); uses_[shared] > 1) {
    row.pages.back() = TakePage();
    std::memcpy(Head(row.pages.back(), 0, 0), Head(shared, 0, 0), page_bytes_);
    --uses_[shared];
  }
  return position;
}

void TokenCache::Put(int row, std::int64_t position, std::int64_t layer, std::int64_t head,
                     const float* key, const float* value) {
  std::byte* keys = Head(rows_[row].pages[position / kPagePositions], layer, head);
  std::byte* values = keys + head_bytes_ / 2;
  const std::int64_t slot = position % kPagePositions;
  const std::size_t block_bytes = BlockBytes(dtype_, kPagePositions);
  for (std::int64_t f = 0; f < width_; ++f) {
    Store(dtype_, keys, At(dtype_, slot, f), key[f]);
    Store(dtype_, values + f / kBlockRows * block_bytes, At(dtype_, f % kBlockRows, slot),
          value[f]);
  }
}

const void* TokenCache::Keys(int row, std::int64_t page, std::int64_t layer,
                             std::int64_t head) const {
  return Head(rows_[row].pages[page], layer, head);
}

const void* TokenCache::Values(int row, std::int64_t page, std::int64_t layer,
                               std::int64_t head) const {
  return Head(rows_[row].pages[page], layer, head) + head_bytes_ / 2;
}

std::size_t TokenCache::bytes_in_use() const {
  std::size_t pages = 0;
  for (int uses : uses_) pages += uses > 0 ? 1 : 0;
  return pages * page_bytes_;
}

int TokenCache::TakePage() {
  if (free_.empty()) Throw(ErrorCode::kInternal, "no page left in the decoder's cache");
  const int page = free_.back();
  free_.pop_back();
  uses_[page] = 1;
  return page;
}

void TokenCache::Release(Row& row) {
  for (int page : row.pages) {
    if (--uses_[page] == 0) free_.push_back(page);
  }
  row.pages.clear();
  row.length = 0;
}

void TokenCache::CopyRow(const Row& from, Row& to) {
  to.pages.assign(from.pages.begin(), from.pages.end());
  to.length = from.length;
  for (int page : to.pages) ++uses_[page];
}

std::byte* TokenCache::Head(int page, std::int64_t layer, std::int64_t head) const {
  return pages_ + page * Arena::Rounded(page_bytes_) + (layer * heads_ + head) * head_bytes_;
}

}  // namespace xdna::decoder
