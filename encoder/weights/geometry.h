// The dimensions of a Whisper model, and the tensors that they demand.
#ifndef ENCODER_WEIGHTS_GEOMETRY_H_
#define ENCODER_WEIGHTS_GEOMETRY_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/tensor.h"

namespace xdna::encoder {

// Width of one attention head in every Whisper model.
inline constexpr std::int64_t kHeadWidth = 64;

struct Geometry {
  std::string name;  // "whisper-base", or "custom-..." for dimensions that nobody has published
  std::int64_t n_mels = 0;
  std::int64_t n_audio_ctx = 0;  // positions of the encoder's output
  std::int64_t d_model = 0;      // width of encoder and decoder; the ffn is 4 times as wide
  std::int64_t n_heads = 0;      // of the encoder
  std::int64_t n_layers = 0;     // of the encoder
  std::int64_t n_decoder_heads = 0;
  std::int64_t n_decoder_layers = 0;
  std::int64_t n_text_ctx = 0;  // tokens that the decoder has positions for
  std::int64_t n_vocab = 0;

  std::int64_t d_ffn() const { return 4 * d_model; }
  friend bool operator==(const Geometry&, const Geometry&) = default;
};

// The published name for these dimensions. whisper-large stands for versions 1 and 2, which do not
// differ in any dimension. Otherwise "custom-d384-l4" (width, encoder layers).
std::string GeometryName(const Geometry& geometry);

// Dimensions of a published model ("whisper-tiny.en", "distil-large-v3"); throws kInvalidArgument
// with the list of names.
Geometry KnownGeometry(std::string_view name);
std::vector<std::string> KnownGeometryNames();

// Throws `code` with the first dimension that no Whisper-like model has: not positive, beyond ten
// times the largest published one, or a width that is not heads * 64.
void CheckGeometry(const Geometry& geometry, ErrorCode code);

struct TensorSpec {
  std::string name;  // openai-whisper's: "encoder.blocks.0.attn.query.weight"
  Shape shape;       // linear weights [out,in], conv weights [out,in,3]
};

// Every tensor of a model, encoder first, in the order of computation. `geometry` is sane.
std::vector<TensorSpec> ExpectedTensors(const Geometry& geometry);

}  // namespace xdna::encoder

#endif  // ENCODER_WEIGHTS_GEOMETRY_H_
