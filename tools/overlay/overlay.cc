// Makes the file of a simulated overlay, and an instruction stream, of a design of //kernels/array.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "device/container/container.h"
#include "device/container/kernel_set.h"
#include "tools/overlay/designs.h"

namespace xdna::overlay {
namespace {

struct Files {
  std::string out;
  std::string insts;
  bool quiet = false;
};

void WriteWords(const std::string& path, const std::vector<std::uint32_t>& words) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(words.data()),
             static_cast<std::streamsize>(words.size() * sizeof words[0]));
  file.close();
  if (!file) Throw(ErrorCode::kUnavailable, "{}: can't be written", path);
}

void Describe(const Made& made, const Files& files) {
  fmt::print("{}: {}\n", files.out, made.overlay.name);
  for (std::size_t i = 0; i < made.buffers.size(); ++i) {
    fmt::print("  bo{} {}: {} bytes\n", i, made.buffers[i].name, made.buffers[i].bytes);
  }
  for (const device::KernelUse& kernel : device::KernelsOf(made.overlay)) {
    fmt::print("  kernel {}\n", kernel.name);
  }
  fmt::print("  {} instruction words\n", made.instructions.size());
}

int Main(int argc, char** argv) {
  Options options;
  Files files;
  CLI::App app("Makes an overlay for the simulated NPU: an xclbin file that XRT reads.", "overlay");
  app.add_option("--design", options.design, "gemm or layer_norm")->required();
  app.add_option("--problem", options.problem,
                 "what the instruction stream does: gemm MxKxN, layer_norm ROWS")
      ->required();
  app.add_option("--columns", options.columns, "of the array, 1 to 4")->capture_default_str();
  app.add_option("--m", options.m, "gemm: a core's tile")->capture_default_str();
  app.add_option("--k", options.k)->capture_default_str();
  app.add_option("--n", options.n)->capture_default_str();
  app.add_option("--k_mem", options.k_mem, "gemm: depth of a memory tile's panel; 0: what fits");
  app.add_option("--in", options.in, "gemm: bf16 or int8")->capture_default_str();
  app.add_option("--result", options.result,
                 "gemm: bf16 (the default) or f32; int8, int16 or int32 (the default)");
  app.add_option("--width", options.width, "layer_norm: elements of a row")->capture_default_str();
  app.add_option("--rows", options.rows, "layer_norm: rows of a call; 0: the most that fit");
  app.add_option("--out", files.out, "the xclbin file to write")->required();
  app.add_option("--insts", files.insts, "a file for the instruction stream alone");
  app.add_flag("--quiet", files.quiet, "print nothing of what was made");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    Throw(ErrorCode::kInvalidArgument, "{} (see --help)", error.what());
  }
  const Made made = Make(options);
  device::WriteContainer(UserPath(files.out), made.overlay, made.instructions);
  if (!files.insts.empty()) WriteWords(UserPath(files.insts), made.instructions);
  if (!files.quiet) Describe(made, files);
  return kExitOk;
}

}  // namespace
}  // namespace xdna::overlay

int main(int argc, char** argv) {
  return xdna::RunProgram("overlay", [&] { return xdna::overlay::Main(argc, argv); });
}
