// The designs of //kernels/array that an overlay file can be made of, by name and options.
#ifndef TOOLS_OVERLAY_DESIGNS_H_
#define TOOLS_OVERLAY_DESIGNS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "device/array/overlay.h"

namespace xdna::overlay {

struct Options {
  std::string design = {};   // "gemm", "layer_norm"
  std::string problem = {};  // gemm: "MxKxN"; layer_norm: "ROWS"
  std::size_t columns = 4;
  // gemm: a core's tile, and the memory tiles' depth (0: the deepest that fits).
  std::size_t m = 64, k = 64, n = 64, k_mem = 0;
  std::string in = "bf16";  // "bf16", "int8"
  std::string result = {};  // "bf16", "f32"; "int8", "int16", "int32"; empty: bf16, or int32
  // layer_norm: elements of a row, and rows of a call (0: the most that fit).
  std::size_t width = 512, rows = 0;
};

struct BufferSpec {
  std::string name;
  std::size_t bytes = 0;
};

// An overlay and a stream for one problem, with the buffers of its runs in argument order.
struct Made {
  device::Overlay overlay;
  std::vector<std::uint32_t> instructions = {};
  std::vector<BufferSpec> buffers = {};
};

// Throws kInvalidArgument, naming the option or with the reason why the design doesn't fit, and
// kUnsupported where the shims can't express the problem.
Made Make(const Options& options);

}  // namespace xdna::overlay

#endif  // TOOLS_OVERLAY_DESIGNS_H_
