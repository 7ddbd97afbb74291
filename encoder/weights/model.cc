#include "encoder/weights/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/tensor.h"
#include "encoder/weights/mapped_file.h"
#include "encoder/weights/reader.h"

namespace xdna::encoder {
namespace {

namespace fs = std::filesystem;
using internal::AsText;
using internal::Backing;
using internal::Bytes;
using internal::MappedFile;
using internal::ParsedFile;

constexpr std::string_view kHdf5Magic = "\x89HDF\r\n\x1a\n";
constexpr std::string_view kGgmlMagic = "lmgg";  // 0x67676d6c, little-endian
constexpr std::string_view kKnownFormats =
    "CTranslate2 model.bin, Hugging Face safetensors, whisper.cpp ggml or our own HDF5";

// What people have lying about, and what to do with it.
struct Foreign {
  std::string_view magic;
  const char* what;
};
constexpr const char* kFromPyTorch =
    "a zip archive or pickle, as PyTorch writes checkpoints: convert OpenAI's .pt with "
    "whisper.cpp's "
    "convert-pt-to-ggml.py, Hugging Face's .bin with ct2-transformers-converter";
constexpr Foreign kForeign[] = {
    {"PK\x03\x04", kFromPyTorch},
    {"\x80\x02", kFromPyTorch},
    {"\x80\x04", kFromPyTorch},
    {"GGUF", "a GGUF file: use whisper.cpp's own ggml file of the model"},
    {"\x1f\x8b", "compressed with gzip: unpack it first"},
    {"BZh", "compressed with bzip2: unpack it first"},
    {"\xfd"
     "7zXZ",
     "compressed with xz: unpack it first"},
    {"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it first"},
};

bool IsText(Bytes file) {
  const std::string_view start = AsText(file.first(std::min<std::size_t>(file.size(), 256)));
  return std::ranges::all_of(
      start, [](char c) { return (c >= 0x20 && c < 0x7F) || c == '\n' || c == '\r' || c == '\t'; });
}

[[noreturn]] void ThrowForeign(Bytes file) {
  const std::string_view start = AsText(file);
  for (const Foreign& foreign : kForeign) {
    if (start.starts_with(foreign.magic)) Throw(ErrorCode::kUnsupported, "{}", foreign.what);
  }
  if (start.size() > 2 && start[0] == 8 && start[1] < 32 && start[2] == 0x12) {
    Throw(ErrorCode::kUnsupported, "an ONNX model: use the checkpoint that it was exported from");
  }
  if (IsText(file)) {
    const bool pointer = start.starts_with("version https://git-lfs");
    Throw(ErrorCode::kUnsupported, "{}; expected {}",
          pointer ? "a Git LFS pointer: fetch the file itself with `git lfs pull`" : "a text file",
          kKnownFormats);
  }
  Throw(ErrorCode::kUnsupported, "begins with '{}': not a known checkpoint; expected {}",
        internal::Printable(start.substr(0, 16)), kKnownFormats);
}

bool IsSafetensors(Bytes file) {
  return file.size() > 8 && AsText(file)[8] == '{' && !IsText(file);
}

// A small version number, then a string with its NUL.
bool IsCTranslate2(Bytes file) {
  const std::string_view text = AsText(file);
  return text.size() > 6 && text[0] != 0 && text.substr(1, 3) == std::string_view("\0\0\0", 3) &&
         text[4] > 1 && text[4] < 64 && text[5] == 0 && text[6] >= 'A' && text[6] <= 'Z';
}

// transformers writes config.json and the weights together; they must agree.
std::vector<internal::Claim> ReadConfigBeside(const std::string& path) {
  const fs::path config = fs::path(path).parent_path() / "config.json";
  std::error_code error;
  if (!fs::is_regular_file(config, error)) return {};
  return WithContext(config.filename().string() + " beside it", [&] {
    constexpr std::size_t kMostBytes = 1 << 20;
    const MappedFile file(config.string());
    if (file.bytes().size() > kMostBytes) {
      Throw(ErrorCode::kCorrupt, "{} bytes; expected at most {}", file.bytes().size(), kMostBytes);
    }
    auto claims = internal::ParseConfig(AsText(file.bytes()));
    for (auto& claim : claims) claim.where = "config.json's " + claim.where;
    return claims;
  });
}

std::shared_ptr<Backing> OpenFile(const std::string& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  const Bytes bytes = file->bytes();
  if (AsText(bytes).starts_with(kGgmlMagic)) {
    return internal::Assemble(internal::ParseGgml(bytes), file);
  }
  if (IsSafetensors(bytes)) {
    ParsedFile parsed = internal::ParseSafetensors(bytes);
    parsed.claims = ReadConfigBeside(path);
    return internal::Assemble(std::move(parsed), file);
  }
  if (IsCTranslate2(bytes)) return internal::Assemble(internal::ParseCTranslate2(bytes), file);
  ThrowForeign(bytes);
}

bool IsHdf5(const std::string& path) {
  return AsText(MappedFile(path).bytes()).starts_with(kHdf5Magic);
}

// The checkpoint in a directory.
std::string FindIn(const fs::path& directory) {
  std::error_code error;
  for (const char* name : {"model.bin", "model.safetensors"}) {
    if (fs::exists(directory / name, error)) return (directory / name).string();
  }
  if (fs::exists(directory / "model.safetensors.index.json", error)) {
    Throw(ErrorCode::kUnsupported,
          "safetensors in several shards; save the model again with max_shard_size above its size");
  }
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".h5") found.push_back(entry.path().string());
  }
  if (error) Throw(ErrorCode::kNotFound, "{}", error.message());
  if (found.empty()) {
    Throw(ErrorCode::kNotFound,
          "a directory without a checkpoint; expected model.bin, model.safetensors or one *.h5");
  }
  if (found.size() > 1) {
    Throw(ErrorCode::kInvalidArgument, "a directory with {} *.h5 files; name one", found.size());
  }
  return found.front();
}

}  // namespace

Model::Model(std::shared_ptr<const internal::Backing> backing) : backing_(std::move(backing)) {}

Model Model::Open(const std::string& path) {
  std::error_code error;
  const std::string file =
      fs::is_directory(path, error) ? WithContext(path, [&] { return FindIn(path); }) : path;
  const bool hdf5 = WithContext(file, [&] { return IsHdf5(file); });
  std::shared_ptr<Backing> backing =
      hdf5 ? internal::OpenCanonical(file) : WithContext(file, [&] { return OpenFile(file); });
  backing->path = file;
  return Model(std::move(backing));
}

const std::string& Model::path() const { return backing_->path; }
const std::string& Model::format() const { return backing_->format; }
const Geometry& Model::geometry() const { return backing_->geometry; }
const std::vector<TensorInfo>& Model::tensors() const { return backing_->tensors; }
const std::vector<TensorInfo>& Model::extras() const { return backing_->extras; }

Tensor Model::Load(std::string_view name) const {
  const auto& all = backing_->tensors;
  const auto found = std::ranges::find(all, name, &TensorInfo::name);
  if (found == all.end()) {
    Throw(ErrorCode::kInvalidArgument, "{}: no tensor '{}' in {}", path(), name, geometry().name);
  }
  return WithContext(fmt::format("{}: tensor {}", path(), name),
                     [&] { return backing_->Load(found - all.begin()); });
}

const std::string& Model::sha256() const {
  std::call_once(backing_->hashed, [this] { backing_->sha256 = backing_->Hash(); });
  return backing_->sha256;
}

std::string Model::origin_sha256() const {
  const auto origin = backing_->OriginHash();
  return origin ? *origin : sha256();
}

}  // namespace xdna::encoder
