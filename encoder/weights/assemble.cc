#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/sha256.h"
#include "base/tensor.h"
#include "encoder/weights/encoding.h"
#include "encoder/weights/geometry.h"
#include "encoder/weights/mapped_file.h"
#include "encoder/weights/reader.h"

namespace xdna::encoder::internal {
namespace {

using Index = std::map<std::string, StoredTensor, std::less<>>;

class MappedBacking : public Backing {
 public:
  MappedBacking(std::shared_ptr<const MappedFile> file, std::vector<StoredTensor> stored)
      : file_(std::move(file)), stored_(std::move(stored)) {}

  Tensor Load(std::size_t index) const override {
    const StoredTensor& stored = stored_[index];
    Tensor tensor(DType::kF32, stored.info.shape);
    const auto elements = static_cast<std::size_t>(tensor.size());
    const auto row = elements / static_cast<std::size_t>(stored.info.shape[0]);
    Decode(*stored.encoding, stored.data.data(), elements, stored.scale, row, tensor.data<float>());
    CheckFinite(tensor);
    return tensor;
  }

  std::string Hash() const override { return Sha256(file_->bytes().data(), file_->bytes().size()); }

 private:
  std::shared_ptr<const MappedFile> file_;
  std::vector<StoredTensor> stored_;  // in the order of `tensors`
};

Index IndexByName(std::vector<StoredTensor> tensors) {
  Index index;
  UniqueNames names;
  for (StoredTensor& tensor : tensors) {
    names.Add(tensor.info.name);
    std::string name = tensor.info.name;
    index.emplace(std::move(name), std::move(tensor));
  }
  return index;
}

// Dimension `axis` of a tensor that every Whisper model has.
std::int64_t Dimension(const Index& index, const char* name, std::size_t rank, std::size_t axis) {
  const auto found = index.find(name);
  if (found == index.end()) {
    Throw(ErrorCode::kCorrupt, "tensor {} is missing; expected a whole Whisper model", name);
  }
  const Shape& shape = found->second.info.shape;
  if (shape.size() != rank) {
    Throw(ErrorCode::kCorrupt, "tensor {} has shape {}; expected {} dimensions", name,
          ShapeString(shape), rank);
  }
  return shape[axis];
}

// One more than the highest layer that a tensor is named after.
std::int64_t Layers(const Index& index, std::string_view prefix) {
  std::int64_t layers = 0;
  for (auto entry = index.lower_bound(prefix);
       entry != index.end() && entry->first.starts_with(prefix); ++entry) {
    const char* begin = entry->first.data() + prefix.size();
    const char* end = entry->first.data() + entry->first.size();
    std::int64_t layer = 0;
    const auto [next, error] = std::from_chars(begin, end, layer);
    if (error == std::errc() && next != end && *next == '.' && layer < INT64_MAX) {
      layers = std::max(layers, layer + 1);
    }
  }
  return layers;
}

Geometry FindGeometry(const Index& index) {
  Geometry geometry;
  geometry.d_model = Dimension(index, "encoder.conv1.weight", 3, 0);
  geometry.n_mels = Dimension(index, "encoder.conv1.weight", 3, 1);
  geometry.n_audio_ctx = Dimension(index, "encoder.positional_embedding", 2, 0);
  geometry.n_layers = Layers(index, "encoder.blocks.");
  geometry.n_heads = geometry.d_model / kHeadWidth;
  geometry.n_vocab = Dimension(index, "decoder.token_embedding.weight", 2, 0);
  geometry.n_text_ctx = Dimension(index, "decoder.positional_embedding", 2, 0);
  geometry.n_decoder_layers = Layers(index, "decoder.blocks.");
  geometry.n_decoder_heads = geometry.d_model / kHeadWidth;
  CheckGeometry(geometry, ErrorCode::kCorrupt);
  geometry.name = GeometryName(geometry);
  return geometry;
}

StoredTensor TakeTensor(Index& index, const TensorSpec& spec) {
  auto node = index.extract(spec.name);
  if (node.empty()) {
    Throw(ErrorCode::kCorrupt, "tensor {} is missing; expected shape {}", spec.name,
          ShapeString(spec.shape));
  }
  StoredTensor tensor = std::move(node.mapped());
  if (tensor.info.shape != spec.shape) {
    Throw(ErrorCode::kCorrupt, "tensor {} has shape {}; expected {}", spec.name,
          ShapeString(tensor.info.shape), ShapeString(spec.shape));
  }
  if (!tensor.encoding || (*tensor.encoding == Encoding::kI8 && tensor.scale.empty())) {
    Throw(ErrorCode::kUnsupported,
          "tensor {} is stored as {}; convert the model again with f16 or f32 weights", spec.name,
          tensor.info.dtype);
  }
  return tensor;
}

// Settings of CTranslate2 are scalars, and harmless; anything larger in the encoder would change
// what it computes.
bool ChangesEncoder(const TensorInfo& info) {
  std::string_view name = info.name;
  constexpr std::string_view kModel = "model.";
  if (name.starts_with(kModel)) name.remove_prefix(kModel.size());
  return name.starts_with("encoder") && !info.shape.empty();
}

}  // namespace

void CheckFinite(const Tensor& tensor) {
  const auto* values = tensor.data<float>();
  const auto bad = FirstNonFinite(values, static_cast<std::size_t>(tensor.size()));
  if (!bad) return;
  Shape place(tensor.shape().size());
  auto rest = static_cast<std::int64_t>(*bad);
  for (std::size_t axis = place.size(); axis-- > 0;) {
    place[axis] = rest % tensor.dim(axis);
    rest /= tensor.dim(axis);
  }
  Throw(ErrorCode::kCorrupt, "element {} is {}; weights must be finite", ShapeString(place),
        values[*bad]);
}

std::shared_ptr<Backing> Assemble(ParsedFile parsed, std::shared_ptr<const MappedFile> file) {
  Index index = IndexByName(std::move(parsed.tensors));
  const Geometry geometry = FindGeometry(index);
  for (const Claim& claim : parsed.claims) {
    if (const std::int64_t found = geometry.*claim.field; found != claim.value) {
      Throw(ErrorCode::kCorrupt, "{} is {}, the tensors say {}", claim.where, claim.value, found);
    }
  }

  std::vector<StoredTensor> stored;
  std::vector<TensorInfo> infos;
  for (const TensorSpec& spec : ExpectedTensors(geometry)) {
    stored.push_back(TakeTensor(index, spec));
    infos.push_back(stored.back().info);
  }
  auto backing = std::make_shared<MappedBacking>(std::move(file), std::move(stored));
  backing->format = std::move(parsed.format);
  backing->geometry = geometry;
  backing->tensors = std::move(infos);
  for (auto& [name, tensor] : index) {
    if (ChangesEncoder(tensor.info)) {
      Throw(ErrorCode::kUnsupported,
            "unknown tensor '{}' {} in the encoder; expected a plain Whisper model",
            Printable(name), ShapeString(tensor.info.shape));
    }
    backing->extras.push_back(std::move(tensor.info));
  }
  return backing;
}

}  // namespace xdna::encoder::internal
