// What the readers of the single formats share. Private to encoder/weights.
#ifndef ENCODER_WEIGHTS_READER_H_
#define ENCODER_WEIGHTS_READER_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/tensor.h"
#include "encoder/weights/encoding.h"
#include "encoder/weights/geometry.h"
#include "encoder/weights/mapped_file.h"
#include "encoder/weights/model.h"

namespace xdna::encoder::internal {

using Bytes = std::span<const std::byte>;

// Of any kind in one file: forty times what the largest Whisper has. Bounds what a hostile file can
// make us remember.
inline constexpr std::size_t kMaxTensors = 1 << 16;

// Where a model's numbers come from.
class Backing {
 public:
  virtual ~Backing() = default;
  virtual Tensor Load(std::size_t index) const = 0;
  virtual std::string Hash() const = 0;
  virtual std::optional<std::string> OriginHash() const { return std::nullopt; }

  std::string path;
  std::string format;
  Geometry geometry;
  std::vector<TensorInfo> tensors;  // in the order of ExpectedTensors
  std::vector<TensorInfo> extras;

  mutable std::once_flag hashed;
  mutable std::string sha256;
};

// A tensor inside a mapped file.
struct StoredTensor {
  TensorInfo info;
  std::optional<Encoding> encoding;  // nothing: a type that we don't read
  Bytes data;                        // as long as encoding and shape say
  Bytes scale;                       // kI8: one f32 for each row
};

// A dimension that the file states beside what its tensors' shapes say.
struct Claim {
  std::int64_t Geometry::*field;
  std::int64_t value;
  std::string where;  // "hparams n_audio_layer"
};

// A file taken apart. Tensors carry canonical names where the format has one for them.
struct ParsedFile {
  std::string format;
  std::vector<StoredTensor> tensors;
  std::vector<Claim> claims;
};

ParsedFile ParseCTranslate2(Bytes file);
ParsedFile ParseSafetensors(Bytes file);
ParsedFile ParseGgml(Bytes file);
// Dimensions from Hugging Face's config.json.
std::vector<Claim> ParseConfig(std::string_view text);
// Joins a file's tensors with what a Whisper model needs: finds the dimensions, compares them with
// the claims, and demands every tensor in its shape. `file` holds their bytes.
std::shared_ptr<Backing> Assemble(ParsedFile parsed, std::shared_ptr<const MappedFile> file);
std::shared_ptr<Backing> OpenCanonical(const std::string& path);

// Throws kCorrupt with the first coordinate at which `tensor` (f32) is NaN or infinite.
void CheckFinite(const Tensor& tensor);

// Reads numbers and pieces from the front. Throws kCorrupt if the file is too short, naming `what`.
class Cursor {
 public:
  explicit Cursor(Bytes file) : file_(file) {}

  template <typename T>
  T Read(std::string_view what) {
    T value;
    std::memcpy(&value, Take(sizeof(T), what).data(), sizeof(T));
    return value;
  }
  Bytes Take(std::uint64_t bytes, std::string_view what);
  std::size_t offset() const { return offset_; }
  std::size_t left() const { return file_.size() - offset_; }

 private:
  Bytes file_;
  std::size_t offset_ = 0;
};

// `text` fit for a one-line message: control characters escaped, long text cut.
std::string Printable(std::string_view text);
inline std::string_view AsText(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Throws kCorrupt the second time that a name comes, or after kMaxTensors.
class UniqueNames {
 public:
  void Add(std::string_view name);

 private:
  std::set<std::string, std::less<>> names_;
};

// Whisper's decoder multiplies with the token embedding again to get logits. Throws kUnsupported if
// the file has another matrix for that.
void CheckTied(const StoredTensor& embedding, const StoredTensor& projection);

}  // namespace xdna::encoder::internal

#endif  // ENCODER_WEIGHTS_READER_H_
