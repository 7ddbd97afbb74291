#include "decoder/token_cache.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

#include "base/error.h"

namespace xdna::decoder {
namespace {

constexpr std::int64_t kPositions = 50, kLayers = 2, kHeads = 3, kWidth = 64;

// A row as it should be: what was put at each of its positions.
using History = std::vector<int>;

float KeyOf(int tag, std::int64_t layer, std::int64_t head, std::int64_t f) {
  return static_cast<float>(tag % 97 + 3 * layer + 7 * head + (f % 5));
}

void Append(TokenCache& cache, int row, int tag) {
  const std::int64_t position = cache.Extend(row);
  for (std::int64_t layer = 0; layer < kLayers; ++layer) {
    for (std::int64_t head = 0; head < kHeads; ++head) {
      std::vector<float> key(kWidth), value(kWidth);
      for (std::int64_t f = 0; f < kWidth; ++f) {
        key[f] = KeyOf(tag, layer, head, f);
        value[f] = -key[f];
      }
      cache.Put(row, position, layer, head, key.data(), value.data());
    }
  }
}

// Element (row, column) of block `block` of an f32 packed matrix with `columns` columns.
float At(const void* blocks, std::int64_t block, std::int64_t columns, std::int64_t row,
         std::int64_t column) {
  return static_cast<const float*>(blocks)[(block * columns + column) * kBlockRows + row];
}

void ExpectRow(const TokenCache& cache, int row, const History& history) {
  ASSERT_EQ(cache.length(row), static_cast<std::int64_t>(history.size()));
  const auto pages = (cache.length(row) + kBlockRows - 1) / kBlockRows;
  for (std::int64_t at = 0; at < pages * kBlockRows; ++at) {
    const bool filled = at < cache.length(row);
    for (std::int64_t layer = 0; layer < kLayers; ++layer) {
      for (std::int64_t f = 0; f < kWidth; f += 21) {
        const float want = filled ? KeyOf(history[at], layer, 1, f) : 0;
        const void* keys = cache.Keys(row, at / kBlockRows, layer, 1);
        const void* values = cache.Values(row, at / kBlockRows, layer, 1);
        ASSERT_EQ(At(keys, 0, kWidth, at % kBlockRows, f), want) << "position " << at;
        ASSERT_EQ(At(values, f / kBlockRows, kBlockRows, f % kBlockRows, at % kBlockRows), -want)
            << "position " << at;
      }
    }
  }
}

// Beams fork and die at random: each row holds what was put into it and its ancestors.
TEST(TokenCache, RowsKeepTheirHistoryThroughForks) {
  constexpr int kRows = 5;
  TokenCache cache(kRows, kPositions, kLayers, kHeads, kWidth, DType::kF32);
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    cache.Clear(1);
    std::vector<History> rows(1);
    int tag = 0;
    for (std::int64_t step = 0; step < kPositions; ++step) {
      std::vector<int> from(1 + random() % kRows);
      for (int& row : from) row = static_cast<int>(random() % rows.size());
      std::vector<History> next;
      for (int row : from) next.push_back(rows[row]);
      rows = next;
      cache.Reorder(from);
      for (int row = 0; row < cache.rows(); ++row) {
        rows[row].push_back(++tag);
        Append(cache, row, tag);
      }
    }
    for (int row = 0; row < cache.rows(); ++row) ExpectRow(cache, row, rows[row]);
    if (HasFatalFailure()) return;
  }
}

TEST(TokenCache, ForksShareWhatTheyHaveInCommon) {
  TokenCache cache(4, kPositions, kLayers, kHeads, kWidth, DType::kBf16);
  cache.Clear(1);
  EXPECT_EQ(cache.bytes_in_use(), 0U);
  for (int i = 0; i < 40; ++i) Append(cache, 0, i);
  const std::size_t page = cache.bytes_in_use() / 3;
  EXPECT_EQ(page, 16 * kLayers * kHeads * kWidth * 2 * 2U);
  cache.Reorder(std::vector<int>{0, 0, 0, 0});
  EXPECT_EQ(cache.bytes_in_use(), 3 * page);
  for (int row = 0; row < 4; ++row) Append(cache, row, row);
  EXPECT_EQ(cache.bytes_in_use(), 6 * page);
  cache.Reorder(std::vector<int>{2});
  EXPECT_EQ(cache.bytes_in_use(), 3 * page);
}

TEST(TokenCache, RefusesMoreRowsThanItHasRoomFor) {
  TokenCache cache(2, kPositions, kLayers, kHeads, kWidth, DType::kF32);
  EXPECT_THROW(cache.Clear(3), Error);
  cache.Clear(2);
  EXPECT_THROW(cache.Reorder(std::vector<int>{0, 1, 0}), Error);
}

}  // namespace
}  // namespace xdna::decoder
