#include "kernels/attention/attention_tiles.h"

#include <aie_api/aie.hpp>

#include "kernels/attention/attention.h"

namespace xdna::kernels {
inline namespace TILE_BUILD {
namespace {

constexpr int32 kGroup = 16;  // queries whose weights are there at a time

int32 Min(int32 a, int32 b) { return a < b ? a : b; }

// Rows of a row-major matrix as blocks of r x t, and back: the memory tile's descriptors.
struct Blocks {
  int32 cols, r, t;
  int32 Place(int32 i, int32 j) const {
    return (i / r * (cols / t) + j / t) * r * t + i % r * t + j % t;
  }
};

void Send(const bfloat16* rows, int32 stride, int32 count, const Blocks& blocks, bfloat16* tile) {
  for (int32 i = 0; i < count; ++i) {
    for (int32 j = 0; j < blocks.cols; ++j) tile[blocks.Place(i, j)] = rows[i * stride + j];
  }
}

void Receive(const bfloat16* tile, int32 stride, int32 count, const Blocks& blocks,
             bfloat16* rows) {
  for (int32 i = 0; i < count; ++i) {
    for (int32 j = 0; j < blocks.cols; ++j) rows[i * stride + j] = tile[blocks.Place(i, j)];
  }
}

// Tile memory, handed out from the start. Everything has a multiple of 32 bytes.
struct Buffers {
  bfloat16* q;
  bfloat16* k[2];
  bfloat16* v[2];
  bfloat16* weights;
  float* state;
  float* sums;
  bfloat16* y;

  Buffers(const AttentionTile& t, int32 d, void* memory) {
    auto* at = static_cast<unsigned char*>(memory);
    const auto take = [&at](auto*& buffer, int32 count) {
      buffer = reinterpret_cast<decltype(&buffer[0])>(at);
      at += count * static_cast<int32>(sizeof buffer[0]);
    };
    take(q, t.queries * d);
    for (int32 i = 0; i < 2; ++i) {
      take(k[i], t.keys * d);
      take(v[i], t.keys * d);
    }
    take(weights, t.keys * kGroup);
    take(state, t.queries * 8);
    take(sums, t.queries * d);
    take(y, t.queries * d);
  }
};

}  // namespace

int32 AttentionMemoryBytes(const AttentionTile& t, int32 d) {
  return t.queries * d * (2 + 4 + 2) + t.keys * d * 2 * 4 + t.keys * kGroup * 2 + t.queries * 32;
}

void RunAttention(const AttentionProblem& p, const AttentionTile& t, const bfloat16* q,
                  const bfloat16* k, const bfloat16* v, bfloat16* y, void* memory) {
  const Buffers b(t, p.d, memory);
  const auto fill = [&](int32 block) {
    const int32 first = block * t.keys, count = Min(t.keys, p.keys - first);
    Send(k + first * p.k_stride, p.k_stride, count, {p.d, 4, 8}, b.k[block % 2]);
    Send(v + first * p.v_stride, p.v_stride, count, {p.d, 8, 4}, b.v[block % 2]);
  };
  const int32 blocks = (p.keys + t.keys - 1) / t.keys;
  for (int32 row = 0; row < p.queries; row += t.queries) {
    const int32 count = Min(t.queries, p.queries - row);
    for (int32 i = 0; i < t.queries * p.d; ++i) b.q[i] = bfloat16::from_bits(0);
    Send(q + row * p.q_stride, p.q_stride, count, {p.d, 4, 8}, b.q);
    fill(0);
    for (int32 block = 0; block < blocks; ++block) {
      if (block + 1 < blocks) fill(block + 1);
      attention_block_bf16(b.q, b.k[block % 2], b.v[block % 2], b.weights, b.state, b.sums,
                           t.queries, p.d, Min(t.keys, p.keys - block * t.keys),
                           block == 0 ? 1 : 0);
    }
    attention_finish_bf16(b.state, b.sums, b.y, t.queries, p.d);
    Receive(b.y, p.y_stride, count, {p.d, 4, 4}, y + row * p.y_stride);
  }
}

}  // namespace TILE_BUILD
}  // namespace xdna::kernels
