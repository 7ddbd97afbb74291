// Ops that go row by row over the whole array (kernels/array/rows.h).
#ifndef OPS_INTERNAL_ARRAY_ROWS_H_
#define OPS_INTERNAL_ARRAY_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "kernels/array/rows.h"
#include "ops/internal/npu_array.h"

namespace xdna::ops {

// What a row op's calls are, by their rows. Rows are padded to `width` elements, a multiple of 16.
struct ArrayRowsOp {
  std::string kernel;
  std::int64_t width = 0;
  std::vector<std::size_t> in, out;       // bytes of an element of each input and output
  std::vector<std::byte> constants = {};  // may be empty
  // The call's arguments, for so many rows.
  std::function<std::vector<kernels::RowArgument>(std::size_t rows)> arguments;
};

// The design of calls of `rows` rows on so many columns.
kernels::RowsConfig RowsConfigOf(const ArrayRowsOp& op, std::size_t rows, std::size_t columns);

// "ROWSxWIDTH" for all rows of a call that fit, the best for runs of `batch` rows first.
ArrayTiles ArrayRowTiles(const ArrayRowsOp& op, std::int64_t batch, std::size_t columns);

// `out` row by row from `in`, all [m, n] with n <= width; rows beyond m are zeros.
class ArrayRows {
 public:
  // `m` rows of each call. Throws kUnsupported, with the reason, where not even one row fits, and
  // kInvalidArgument for a tile that doesn't exist.
  ArrayRows(const std::shared_ptr<ArrayDevice>& device, const ArrayRowsOp& op, std::int64_t m);

  // Contiguous; dtypes as the op's sizes of elements say.
  void Run(const std::vector<TensorView>& in, const TensorView& out);

 private:
  std::int64_t width_;
  ArrayStage stage_;
};

// Integers of a kernel's call.
inline kernels::RowArgument RowNumber(std::int64_t n) {
  return {kernels::RowArgument::Kind::kNumber, static_cast<int>(n)};
}

}  // namespace xdna::ops

#endif  // OPS_INTERNAL_ARRAY_ROWS_H_
