// Whisper checkpoints of any common format as tensors with one set of names.
#ifndef ENCODER_WEIGHTS_MODEL_H_
#define ENCODER_WEIGHTS_MODEL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "encoder/weights/geometry.h"

namespace xdna::encoder {

namespace internal {
class Backing;
}

inline constexpr int kModelSchemaVersion = 1;  // of the canonical HDF5 file

struct TensorInfo {
  std::string name;   // openai-whisper's (geometry.h), or the file's own for what has none
  std::string dtype;  // as stored: f32 f16 bf16 i8 q4_0 q4_1 q5_0 q5_1 q8_0
  Shape shape;
  std::uint64_t bytes = 0;  // as stored, without scales
};

// Cheap to copy: copies share one open file. Const, and so safe from several threads.
class Model {
 public:
  // `path` is a file or a directory. Read by content, not by name:
  //   CTranslate2 binary version 5 or 6 (model.bin), with f32, f16, bf16 or int8 weights;
  //   Hugging Face safetensors in one file; config.json beside it is checked if it is there;
  //   whisper.cpp ggml, f32, f16, q4_0, q4_1, q5_0, q5_1 or q8_0;
  //   our own canonical HDF5 (WriteCanonical).
  // In a directory model.bin, model.safetensors, or else the only *.h5 is taken.
  //
  // Every tensor that the geometry demands is there with its shape when this returns; no weight has
  // been read. The file must not be shortened while the model lives. Throws kNotFound,
  // kUnsupported (another format, a precision we don't read, shards) or kCorrupt.
  static Model Open(const std::string& path);

  const std::string& path() const;
  // "ctranslate2 v6", "safetensors", "ggml", "hdf5 v1" or "synthetic".
  const std::string& format() const;
  const Geometry& geometry() const;
  // Tensors of the model in the order of ExpectedTensors, and what else the file holds.
  const std::vector<TensorInfo>& tensors() const;
  const std::vector<TensorInfo>& extras() const;

  // A tensor as contiguous f32, read and decoded anew each time. Throws kInvalidArgument (no such
  // name) or kCorrupt (NaN or infinity, or a hash that does not match).
  Tensor Load(std::string_view name) const;

  // SHA-256 of the file's bytes, computed by the first call; of its description for a synthetic
  // model.
  const std::string& sha256() const;
  // SHA-256 of the checkpoint that has these very numbers: of the one that a canonical file was
  // imported from if nothing was rounded, otherwise sha256().
  std::string origin_sha256() const;

  // Used by the readers.
  explicit Model(std::shared_ptr<const internal::Backing> backing);

 private:
  std::shared_ptr<const internal::Backing> backing_;
};

// A model of seeded numbers, made tensor by tensor as they are loaded. With n(i) =
// SeededNormal(T, i) (base/random.h), T = (first 8 bytes, little-endian, of SHA-256(name)) XOR
// seed, and i the row-major index, an element is
//   n / sqrt(fan-in)    linear and conv weights (fan-in of a conv: 3 * inputs),
//   0.02 n              biases, decoder.token_embedding and decoder.positional_embedding,
//   1 + 0.1 n, 0.05 n   LayerNorm weight and bias,
// in double, then rounded to f32. encoder.positional_embedding is Sinusoids(). Throws
// kInvalidArgument for an absurd geometry.
Model SyntheticModel(Geometry geometry, std::uint64_t seed);

// Whisper's fixed position embedding [length, channels] f32: with w_i = 10000^(-i / (channels/2 -
// 1)), sin(t w_i) in the first half of row t and cos(t w_i) in the second (openai-whisper,
// model.py), computed in double. `channels` is even and at least 4.
Tensor Sinusoids(std::int64_t length, std::int64_t channels);

// Writes `model` as one HDF5 file: dataset /weights/NAME for each tensor with an attribute `sha256`
// of its little-endian bytes; root attributes schema_version, kind = "model", the fields of
// Geometry, source_format, source_sha256 and lossless (1 if every number is as in the source).
// `dtype` is f16 or f32 for all tensors; without it f16 stays f16 and everything else becomes f32.
// Appears at `path` when complete. Throws kCorrupt (a bad weight, or one beyond f16),
// kInvalidArgument (another dtype), kUnavailable (can't write).
void WriteCanonical(const Model& model, const std::string& path,
                    std::optional<DType> dtype = std::nullopt);

}  // namespace xdna::encoder

#endif  // ENCODER_WEIGHTS_MODEL_H_
