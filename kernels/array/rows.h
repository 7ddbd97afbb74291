// Kernels that go row by row, over the whole array: every core takes the next group of rows.
//
// A column's memory tile deals what its shim reads to the four cores above it, and joins what they
// make. What all rows share (gamma and beta) goes once a run to all cores of a column.
#ifndef KERNELS_ARRAY_ROWS_H_
#define KERNELS_ARRAY_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "device/array/instructions.h"
#include "device/array/overlay.h"

namespace xdna::kernels {

// Where one argument of the kernel's call comes from, in the order of its declaration.
struct RowArgument {
  enum class Kind : std::uint8_t {
    kIn,        // input `index`
    kOut,       // output `index`
    kConstant,  // byte `index` of the constants
    kRows,      // rows of the call
    kNumber,    // `index`
    kNull,
  };
  Kind kind = Kind::kNumber;
  int index = 0;
};

struct RowsConfig {
  std::string kernel;
  std::size_t rows = 1;               // per call
  std::vector<std::size_t> in = {};   // bytes of a row of each input: one, or two without constants
  std::vector<std::size_t> out = {};  // of each output: one or two
  std::size_t constant_bytes = 0;     // of the constants; 0: none
  std::vector<RowArgument> arguments = {};
  std::size_t columns = 4;  // 1 to 4
  std::size_t program_bytes = 2048;
};

// Rows in whole groups of all cores: what buffers are sized for.
std::size_t PaddedRows(const RowsConfig& config, std::size_t rows);

device::Fit RowsFit(const RowsConfig& config);
// The most rows of a call that fit with everything else as it is; 0 if not even one does.
std::size_t MostRows(RowsConfig config);

// Throws kInvalidArgument with RowsFit's reason.
device::Overlay RowsOverlay(const RowsConfig& config);

// Buffers of a run, in argument order: inputs, constants if any, outputs; each dense, of padded
// rows.
std::vector<device::Instruction> RowsInstructions(const RowsConfig& config, std::size_t rows);

}  // namespace xdna::kernels

#endif  // KERNELS_ARRAY_ROWS_H_
