// A loop over rows, shared out by the pool in pieces.
#ifndef OPS_INTERNAL_ROWS_H_
#define OPS_INTERNAL_ROWS_H_

#include <algorithm>
#include <cstdint>

#include "base/thread_pool.h"

namespace xdna::ops {

// Calls body(row) for each row in [0, rows). Pieces are a few per thread: small
// enough that a thread that is held up does not hold up the rest for long.
template <typename Body>
void ForEachRow(ThreadPool& pool, std::int64_t rows, Body&& body) {
  const std::int64_t piece = std::max<std::int64_t>(8, rows / (8 * pool.threads()));
  pool.ParallelFor((rows + piece - 1) / piece, [&](std::int64_t p, int) {
    const std::int64_t end = std::min(rows, (p + 1) * piece);
    for (std::int64_t row = p * piece; row < end; ++row) body(row);
  });
}

}  // namespace xdna::ops

#endif  // OPS_INTERNAL_ROWS_H_
