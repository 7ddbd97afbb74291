// The encoder as data: which op follows which, over which weights. Executors (the
// CPU's, the float64 reference, later the NPU's schedules) walk this one list.
#ifndef ENCODER_GRAPH_H_
#define ENCODER_GRAPH_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "encoder/weights/geometry.h"
#include "encoder/weights/model.h"
#include "ops/contract.h"

namespace xdna::encoder {

// What comes before the layers.
enum class Stem {
  kConvolutions,  // Whisper's: two convolutions, the second of stride 2
  kProjection,    // seed-3001's: one matrix from mel bins to the width
};

// The dimensions of one encoder. Two kinds exist: "whisper-*", the real model, and
// "seed-3001", the layers of Whisper base over 3001 positions with a projection in
// place of the convolutions, which is what the only hardware timings were taken on.
struct EncoderShape {
  std::string name;
  Stem stem = Stem::kConvolutions;
  std::int64_t n_mels = 80;
  std::int64_t frames = 3000;     // of the mel spectrogram
  std::int64_t positions = 1500;  // rows of the output
  std::int64_t d = 512;
  std::int64_t heads = 8;
  std::int64_t layers = 6;

  std::int64_t ffn() const { return 4 * d; }
};

EncoderShape WhisperShape(const Geometry& geometry);
// The layers of `geometry`, 3001 positions, no convolutions.
EncoderShape Seed3001Shape(const Geometry& geometry);

// One op. Its name is the name of its result: "conv1", "layer3.attn_ln", "ln_post".
struct Node {
  std::string name;
  std::string op;  // in ops::Registry()
  int layer = -1;  // -1 outside the layers
  ops::Dims dims;
  // Operand of the op -> name of an earlier node, or "mel".
  std::map<std::string, std::string, std::less<>> inputs;
  // Operand of the op -> name of a weight, as LoadWeight takes it.
  std::map<std::string, std::string, std::less<>> weights;
};

// In the order of computation; the last node is the encoder's output.
std::vector<Node> EncoderGraph(const EncoderShape& shape);

// Multiply-adds count 2, over all nodes.
double EncoderFlops(const std::vector<Node>& graph);

// A weight of the graph by name, f32: a tensor of the model, or one of those that
// no checkpoint holds: seed-3001's "projection.weight", "projection.bias" (zeros) and
// "projection.positions".
Tensor LoadWeight(const Model& model, const EncoderShape& shape, std::string_view name);

// seed-3001's input projection, [d, n_mels] f32: SeededNormal(3001, row-major index)
// / sqrt(n_mels). The original's is unknown.
Tensor SeededProjection(std::int64_t d, std::int64_t n_mels);

}  // namespace xdna::encoder

#endif  // ENCODER_GRAPH_H_
