// What the ops that go by rows on one core tile share: the tile's memory, rows in and out of it,
// the shapes that fit.
#ifndef OPS_INTERNAL_TILE_H_
#define OPS_INTERNAL_TILE_H_

#include <aie_api/aie.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/error.h"
#include "base/tensor.h"
#include "base/thread_pool.h"
#include "kernels/design/design.h"
#include "ops/contract.h"

namespace xdna::ops {

// The data memory of the core that the calling thread plays, for one call of a kernel: all NaN, so
// that reading what no DMA wrote shows, and the core's registers as after reset. One at a time in a
// thread.
class TileMemory {
 public:
  TileMemory();

  // The next `count` elements, aligned as a design aligns them. Throws kInternal beyond the memory.
  template <typename T>
  T* Take(std::int64_t count) {
    return static_cast<T*>(TakeBytes(static_cast<std::size_t>(count) * sizeof(T)));
  }

 private:
  void* TakeBytes(std::size_t bytes);
  std::size_t used_ = 0;
};

// Columns of a row in tile memory: whole vectors of 16 lanes.
inline std::int64_t PaddedWidth(std::int64_t n) { return (n + 15) / 16 * 16; }

// Copies rows [first, first + rows) of `from` [m,n] (bf16 or f32, as T is) to rows of `width`,
// leaving the columns beyond n as they are; and back.
template <typename T>
void RowsToTile(const TensorView& from, std::int64_t first, std::int64_t rows, std::int64_t width,
                T* to);
template <typename T>
void RowsFromTile(const T* from, std::int64_t first, std::int64_t rows, std::int64_t width,
                  const TensorView& to);

// The design of a call over rows of a width.
using DesignOfRows = std::function<kernels::Design(std::int64_t rows, std::int64_t width)>;

// The most rows that fit a tile. Throws kUnsupported, with the design's reason, if not one does.
std::int64_t MostRows(const DesignOfRows& design, std::int64_t width);

// Calls body(first, rows) for calls of `most` rows each and the rest, shared out by the pool.
void ForEachCall(ThreadPool& pool, std::int64_t rows, std::int64_t most,
                 const std::function<void(std::int64_t first, std::int64_t rows)>& body);

// Contract::tiles of an op that goes by rows of `width`: "ROWSxWIDTH".
std::vector<TileShape> RowTiles(const DesignOfRows& design, std::int64_t width);
// The same of an op that knows no rows: any multiple of 16 values a call.
std::vector<TileShape> FlatTiles(const DesignOfRows& design);

}  // namespace xdna::ops

#endif  // OPS_INTERNAL_TILE_H_
