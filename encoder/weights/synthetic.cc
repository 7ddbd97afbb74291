#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "base/sha256.h"
#include "base/tensor.h"
#include "encoder/weights/geometry.h"
#include "encoder/weights/model.h"
#include "encoder/weights/reader.h"

namespace xdna::encoder {
namespace {

constexpr std::string_view kAudioPositions = "encoder.positional_embedding";

// First eight bytes of the SHA-256 of `name`, little-endian.
std::uint64_t NameSeed(const std::string& name) {
  const std::string digest = Sha256(name.data(), name.size());
  return __builtin_bswap64(std::stoull(digest.substr(0, 16), nullptr, 16));
}

struct Distribution {
  double scale;
  double offset;
};

Distribution DistributionOf(const std::string& name, const Shape& shape) {
  const bool norm = name.find("_ln.") != std::string::npos ||
                    name.find(".ln.") != std::string::npos ||
                    name.find(".ln_post.") != std::string::npos;
  if (norm) return name.ends_with(".weight") ? Distribution{0.1, 1} : Distribution{0.05, 0};
  if (shape.size() == 1 || name.find("embedding") != std::string::npos) return {0.02, 0};
  const std::int64_t fan_in = NumElements(shape) / shape[0];
  return {1 / std::sqrt(static_cast<double>(fan_in)), 0};
}

class SyntheticBacking : public internal::Backing {
 public:
  explicit SyntheticBacking(std::uint64_t seed) : seed_(seed) {}

  Tensor Load(std::size_t index) const override {
    const TensorInfo& info = tensors[index];
    if (info.name == kAudioPositions) return Sinusoids(info.shape[0], info.shape[1]);
    Tensor tensor(DType::kF32, info.shape);
    const Distribution distribution = DistributionOf(info.name, info.shape);
    FillSeededNormal(NameSeed(info.name) ^ seed_, 0, distribution.scale, distribution.offset,
                     {tensor.data<float>(), static_cast<std::size_t>(tensor.size())});
    return tensor;
  }

  std::string Hash() const override {
    std::string description = path;
    for (const TensorInfo& info : tensors) {
      description += fmt::format("\n{} {}", info.name, ShapeString(info.shape));
    }
    return Sha256(description.data(), description.size());
  }

 private:
  const std::uint64_t seed_;
};

}  // namespace

Model SyntheticModel(Geometry geometry, std::uint64_t seed) {
  CheckGeometry(geometry, ErrorCode::kInvalidArgument);
  geometry.name = GeometryName(geometry);
  auto backing = std::make_shared<SyntheticBacking>(seed);
  backing->path = fmt::format("synthetic:{}:{}", geometry.name, seed);
  backing->format = "synthetic";
  for (TensorSpec& spec : ExpectedTensors(geometry)) {
    const auto bytes = static_cast<std::uint64_t>(NumElements(spec.shape)) * sizeof(float);
    backing->tensors.push_back({std::move(spec.name), "f32", std::move(spec.shape), bytes});
  }
  backing->geometry = std::move(geometry);
  return Model(std::move(backing));
}

Tensor Sinusoids(std::int64_t length, std::int64_t channels) {
  if (length < 1 || channels < 4 || channels % 2 != 0) {
    Throw(ErrorCode::kInvalidArgument,
          "sinusoids of {} positions and {} channels; expected an even number of channels from 4",
          length, channels);
  }
  const std::int64_t half = channels / 2;
  const double step = std::log(10000.0) / static_cast<double>(half - 1);
  Tensor tensor(DType::kF32, {length, channels});
  auto* row = tensor.data<float>();
  for (std::int64_t t = 0; t < length; ++t, row += channels) {
    for (std::int64_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(t) * std::exp(-step * static_cast<double>(i));
      row[i] = static_cast<float>(std::sin(angle));
      row[half + i] = static_cast<float>(std::cos(angle));
    }
  }
  return tensor;
}

}  // namespace xdna::encoder
