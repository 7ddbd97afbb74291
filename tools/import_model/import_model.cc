// Reads a Whisper checkpoint, checks every weight and writes the canonical HDF5 file.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/program.h"
#include "base/sha256.h"
#include "base/tensor.h"
#include "encoder/weights/geometry.h"
#include "encoder/weights/model.h"

namespace xdna {
namespace {

using encoder::Geometry;
using encoder::Model;
using encoder::TensorInfo;

struct Options {
  std::string model;
  std::string out;
  std::string dtype;
  bool list = false;
};

void PrintSummary(const Model& model) {
  const Geometry& geometry = model.geometry();
  std::int64_t parameters = 0;
  std::uint64_t bytes = 0;
  for (const TensorInfo& info : model.tensors()) {
    parameters += NumElements(info.shape);
    bytes += info.bytes;
  }
  const auto print = [](const char* key, const std::string& value) {
    fmt::print("{:<10} {}\n", key, value);
  };
  print("model", geometry.name);
  print("file", model.path());
  print("format", model.format());
  print("sha256", model.sha256());
  if (model.origin_sha256() != model.sha256()) print("source", model.origin_sha256());
  print("width", fmt::format("{} ({} heads)", geometry.d_model, geometry.n_heads));
  print("encoder", fmt::format("{} layers, {} mel bins, {} positions", geometry.n_layers,
                               geometry.n_mels, geometry.n_audio_ctx));
  print("decoder", fmt::format("{} layers, {} tokens, {} positions", geometry.n_decoder_layers,
                               geometry.n_vocab, geometry.n_text_ctx));
  print("tensors", fmt::format("{} ({} numbers, {} bytes as stored), {} others in the file",
                               model.tensors().size(), parameters, bytes, model.extras().size()));
}

// One line a tensor, in the order of computation; the hash is of the numbers as f32, so that it is
// the same whatever the file's format.
void PrintTensors(const Model& model) {
  for (const TensorInfo& info : model.tensors()) {
    const Tensor tensor = model.Load(info.name);
    const std::string hash = Sha256(tensor.view().raw(), tensor.bytes());
    fmt::print("{:<44} {:<5} {:<14} {}\n", info.name, info.dtype, ShapeString(info.shape),
               hash.substr(0, 12));
  }
  for (const TensorInfo& info : model.extras()) {
    fmt::print("{:<44} {:<5} {:<14} not used\n", info.name, info.dtype, ShapeString(info.shape));
  }
}

int Run(const Options& options) {
  std::optional<DType> dtype;
  if (!options.dtype.empty()) dtype = DTypeFromName(options.dtype);
  if (!options.list && options.out.empty()) {
    Throw(ErrorCode::kInvalidArgument, "nothing to do: give --out=FILE.h5 or --list");
  }
  const Model model = Model::Open(UserPath(options.model));
  PrintSummary(model);
  if (options.list) PrintTensors(model);
  if (!options.out.empty()) {
    const std::string out = UserPath(options.out);
    encoder::WriteCanonical(model, out, dtype);
    fmt::print("{:<10} {} ({} bytes)\n", "written", out, std::filesystem::file_size(out));
  }
  return kExitOk;
}

}  // namespace
}  // namespace xdna

int main(int argc, char** argv) {
  xdna::Options options;
  CLI::App app("Reads a Whisper checkpoint of any common format into one canonical HDF5 file.");
  app.add_option(
         "model,--model", options.model,
         "CTranslate2 model.bin, safetensors, whisper.cpp ggml or our HDF5; or its directory")
      ->required();
  app.add_option("--out", options.out, "HDF5 file to write");
  app.add_option("--dtype", options.dtype,
                 "Store all weights so (default: f16 as f16, rest as f32)")
      ->check(CLI::IsMember({"f16", "f32"}));
  app.add_flag("--list", options.list, "Print every tensor: name, dtype, shape, hash");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    fmt::print(stderr, "import_model: {}; --help lists the options\n", error.what());
    return xdna::kExitBadInput;
  }
  return xdna::RunProgram("import_model", [&options] { return xdna::Run(options); });
}
